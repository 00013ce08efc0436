//! Tables and a mapping to the data set that training reads.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::dataset::{Dataset, Split};
use super::error::DataError;
use super::labels::{self, is_missing, task_labels};
use super::lists::items;
use super::mapping::{Mapping, guess_of};
use super::split::{self, Candidate, SplitRule, split_of_name, split_of_word};
use super::table::Table;
use super::task::TaskKind;

/// Makes the data set: texts, labels by task, a split for every row.
///
/// A table may come with the split that the user chose for it. Otherwise a row's split is what the split column
/// says, else what the file's name says; where neither does, and where validation or test rows are lacking, the
/// rule decides. Also gives the mapping in force (the one asked for, or the guess), and a note for the user on
/// how rows came to their splits and what was left out.
///
/// # Errors
/// When a mapped column is not there, the mapping contradicts itself, or no row holds a text.
pub fn assemble(
    tables: &[(Table, Option<Split>)],
    mapping: Option<&Mapping>,
    rule: &SplitRule,
) -> Result<(Dataset, Mapping, String), DataError> {
    if tables.is_empty() {
        return Err(DataError::NoFiles);
    }
    if !rule.is_sensible() {
        return Err(DataError::BadFractions { valid: rule.valid, test: rule.test });
    }
    let mapping = mapping.cloned().unwrap_or_else(|| {
        let all: Vec<&Table> = tables.iter().map(|(table, _)| table).collect();
        guess_of(&all)
    });
    check(&mapping, tables)?;

    let mut gathered = Gathered::new(&mapping);
    for (file, (table, chosen)) in tables.iter().enumerate() {
        gathered.take(table, file as u32, *chosen, &mapping)?;
    }
    if gathered.dataset.origins.is_empty() {
        let rows = tables.iter().map(|(table, _)| table.rows()).sum();
        return Err(DataError::NoText { column: mapping.text, rows });
    }
    for (task, cells) in mapping.tasks.iter().zip(&gathered.labels) {
        let is_second = mapping.second.as_ref() == Some(&task.column);
        let labels = task_labels(task, cells, &gathered.dataset, is_second).map_err(|(row, reason)| {
            let (file, line) = gathered.dataset.origins.get(row).copied().unwrap_or_default();
            let path = gathered.dataset.files.get(file as usize).map_or_else(String::new, |p| p.display().to_string());
            let kind = task.kind.key();
            let reason = format!(
                "line {line} of {path}: the column \"{}\" {reason}, but the task \"{}\" is of the kind {kind}. Correct \
                 the file, or give the task another kind",
                task.column, task.task
            );
            DataError::BadMapping { reason }
        })?;
        gathered.dataset.tasks.push(labels);
    }
    let mut notes = vec![decide_splits(&mut gathered.dataset, &gathered.said, rule)];
    notes.extend(gathered.left_out());
    Ok((gathered.dataset, mapping, notes.join(" ")))
}

/// What a mapping asks for must be there, once.
fn check(mapping: &Mapping, tables: &[(Table, Option<Split>)]) -> Result<(), DataError> {
    let absent = |table: &Table, part: String, column: &str| DataError::NoColumn {
        path: table.facts.path.clone(),
        part,
        column: column.to_owned(),
        columns: table.column_names(),
    };
    for (table, _) in tables {
        if table.column(&mapping.text).is_none() {
            return Err(absent(table, "text".to_owned(), &mapping.text));
        }
    }
    // Tasks may come from several files, so a label column must be in one of them only.
    let needed = mapping.tasks.iter().map(|task| (format!("task \"{}\"", task.task), &task.column));
    let needed = needed.chain(mapping.second.iter().map(|column| ("second text".to_owned(), column)));
    let needed = needed.chain(mapping.split.iter().map(|column| ("split".to_owned(), column)));
    for (part, column) in needed {
        let nowhere = tables.iter().all(|(table, _)| table.column(column).is_none());
        if let (true, Some((table, _))) = (nowhere, tables.first()) {
            return Err(absent(table, part, column));
        }
    }
    let mut names = HashSet::new();
    for task in &mapping.tasks {
        if task.task.trim().is_empty() {
            let reason = format!("the task of column \"{}\" has no name: give it one", task.column);
            return Err(DataError::BadMapping { reason });
        }
        if task.kind.takes_pairs() && mapping.second.is_none() {
            let reason = format!(
                "the task \"{}\" is of the kind {}, which compares two texts: name the column of the second text",
                task.task,
                task.kind.key()
            );
            return Err(DataError::BadMapping { reason });
        }
        if !names.insert(&task.task) {
            let reason = format!("two tasks are called \"{}\": give one of them another name", task.task);
            return Err(DataError::BadMapping { reason });
        }
    }
    Ok(())
}

/// Who said of a row which split it is in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Nothing,
    /// The user, for the whole file.
    Chosen(Split),
    Column(Split),
    Name(Split),
}

impl Said {
    const fn split(self) -> Option<Split> {
        match self {
            Self::Nothing => None,
            Self::Chosen(split) | Self::Column(split) | Self::Name(split) => Some(split),
        }
    }
}

/// Rows of all tables, end to end.
struct Gathered<'a> {
    dataset: Dataset,
    said: Vec<Said>,
    /// Per task the label cells, trimmed; `None` where there is no label.
    labels: Vec<Vec<Option<&'a str>>>,
    /// Rows without a text: how many, and where the first one is.
    blank: usize,
    first_blank: Option<String>,
    /// Markers such as `NA` that were read as no label, and how often.
    markers: BTreeMap<&'a str, usize>,
}

impl<'a> Gathered<'a> {
    fn new(mapping: &Mapping) -> Self {
        Self {
            dataset: Dataset::default(),
            said: Vec::new(),
            labels: vec![Vec::new(); mapping.tasks.len()],
            blank: 0,
            first_blank: None,
            markers: BTreeMap::new(),
        }
    }

    fn take(
        &mut self,
        table: &'a Table,
        file: u32,
        chosen: Option<Split>,
        mapping: &Mapping,
    ) -> Result<(), DataError> {
        self.dataset.files.push(table.facts.path.clone());
        let named = split_of_name(&table.facts.path);
        let texts = table.column(&mapping.text);
        let seconds = mapping.second.as_ref().map(|column| table.column(column));
        let has_words = mapping.tasks.iter().any(|task| task.kind == TaskKind::TokenLabels);
        let split_column = mapping.split.as_ref().and_then(|column| table.column(column));
        let label_columns: Vec<_> = mapping.tasks.iter().map(|task| table.column(&task.column)).collect();
        for (row, line) in table.lines.iter().enumerate() {
            let text = texts.and_then(|column| column.cells.get(row)).unwrap_or_default();
            if text.trim().is_empty() {
                self.blank += 1;
                let place = || format!("line {line} of {}", table.facts.path.display());
                self.first_blank.get_or_insert_with(place);
                continue;
            }
            let split_cell = split_column.and_then(|column| column.cells.get(row)).unwrap_or_default().trim();
            let by_column = split_of_word(split_cell);
            if by_column.is_none() && !is_missing(split_cell) {
                let reason = format!(
                    "line {line} of {}: the split column holds \"{split_cell}\", which is none of train, valid, \
                     dev, test. Choose another split column, or none",
                    table.facts.path.display()
                );
                return Err(DataError::BadMapping { reason });
            }
            let text = if has_words { in_words(text) } else { Cow::Borrowed(text) };
            self.dataset.texts.push(Some(&text));
            if let Some(seconds) = seconds {
                let second = seconds.and_then(|column| column.cells.get(row));
                self.dataset.second.push(second.filter(|second| !second.trim().is_empty()));
            }
            self.dataset.origins.push((file, *line));
            self.said.push(match (chosen, by_column, named) {
                (Some(split), _, _) => Said::Chosen(split),
                (None, Some(split), _) => Said::Column(split),
                (None, None, Some(split)) => Said::Name(split),
                (None, None, None) => Said::Nothing,
            });
            for (labels, column) in self.labels.iter_mut().zip(&label_columns) {
                let cell = column.and_then(|column| column.cells.get(row)).unwrap_or_default().trim();
                let missing = is_missing(cell);
                if missing && !cell.is_empty() {
                    *self.markers.entry(cell).or_default() += 1;
                }
                labels.push((!missing).then_some(cell));
            }
        }
        Ok(())
    }

    /// Sentences on what is not in the data set.
    fn left_out(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(first) = &self.first_blank {
            notes.push(match self.blank {
                1 => format!("1 row without a text was left out ({first})."),
                many => format!("{many} rows without a text were left out (the first: {first})."),
            });
        }
        if !self.markers.is_empty() {
            let count: usize = self.markers.values().sum();
            let quoted: Vec<String> = self.markers.keys().map(|marker| format!("\"{marker}\"")).collect();
            let cells =
                if count == 1 { "1 label cell is".to_owned() } else { format!("{count} label cells are") };
            notes.push(format!("{cells} read as no label: {}.", quoted.join(", ")));
        }
        notes
    }
}

/// A text whose words are divided by single spaces: a list of words, or prose.
#[must_use]
pub fn in_words(text: &str) -> Cow<'_, str> {
    let words = items(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect());
    // A word with a space in it stays one word.
    Cow::Owned(words.iter().map(|word| word.replace(' ', "\u{a0}")).collect::<Vec<_>>().join(" "))
}

impl labels::Rows for Dataset {
    fn words(&self, row: usize) -> usize {
        self.text(row).split(' ').count()
    }

    fn has_second(&self, row: usize) -> bool {
        !self.second_text(row).is_empty()
    }
}

/// Gives every row its split, and says how in a sentence.
fn decide_splits(dataset: &mut Dataset, said: &[Said], rule: &SplitRule) -> String {
    let mut said = said.to_vec();
    let has = |said: &[Said], split| said.iter().any(|s| s.split() == Some(split));
    let undecided = said.contains(&Said::Nothing);
    let by_name_only = said.iter().all(|s| matches!(s, Said::Nothing | Said::Name(_)));
    // A lone file called test.csv, opened to be trained on: its name is no reason to refuse it.
    let names_passed_over = by_name_only && !undecided && !has(&said, Split::Train);
    if names_passed_over {
        said.fill(Said::Nothing);
    }

    let (valid_given, test_given) = (has(&said, Split::Valid), has(&said, Split::Test));
    // Where validation rows are given, the rest was meant for training, and no test rows are taken from it.
    let valid = if valid_given { 0.0 } else { rule.valid };
    let test = if valid_given || test_given { 0.0 } else { rule.test };
    let no_train = said.iter().all(|s| matches!(s.split(), Some(Split::Valid | Split::Test)));
    let pool: Vec<usize> = said
        .iter()
        .enumerate()
        .filter(|(_, s)| matches!(s.split(), None | Some(Split::Train)))
        .map(|(row, _)| row)
        .collect();
    let candidates: Vec<Candidate> = pool
        .iter()
        .map(|row| Candidate {
            text: dataset.text(*row),
            // Of several classes the first: as good a share of each as one number per row can give.
            labels: dataset.tasks.iter().map(|task| task.classes_of(*row).first().copied()).collect(),
        })
        .collect();
    let placed = split::place(&candidates, valid, test, rule.seed);
    let mut splits: Vec<Split> = said.iter().map(|s| s.split().unwrap_or(Split::Train)).collect();
    for (row, split) in pool.iter().zip(placed) {
        if let Some(slot) = splits.get_mut(*row) {
            *slot = split;
        }
    }
    dataset.splits = splits;
    let note = sentence(&said, no_train, valid, test, rule.seed);
    if names_passed_over {
        return format!("No file is named as training data, so the names are passed over. {note}");
    }
    note
}

fn sentence(said: &[Said], no_train: bool, valid: f64, test: f64, seed: u64) -> String {
    let mut sources = BTreeSet::new();
    for s in said {
        match s {
            Said::Nothing => {}
            Said::Chosen(_) => drop(sources.insert("as you chose per file")),
            Said::Column(_) => drop(sources.insert("by the split column")),
            Said::Name(_) => drop(sources.insert("by the files' names")),
        }
    }
    let given = sources.into_iter().collect::<Vec<_>>().join(" and ");
    let percent = |part: f64| format!("{} %", (part * 1000.0).round() / 10.0);
    let drawn = match (valid > 0.0, test > 0.0) {
        (true, true) => format!("{} for validation and {} for test", percent(valid), percent(test)),
        (true, false) => format!("{} for validation", percent(valid)),
        (false, true) => format!("{} for test", percent(test)),
        (false, false) => String::new(),
    };
    let how = format!("drawn by seed {seed} in proportion to the classes, equal texts kept together");
    match (given.is_empty(), drawn.is_empty()) {
        (true, true) => "All rows are training rows.".to_owned(),
        (true, false) => format!("{drawn} {how}; the rest trains."),
        (false, _) if no_train => format!("Rows are split {given}; none of them trains."),
        (false, true) if said.contains(&Said::Nothing) => {
            format!("Rows are split {given}; rows that nothing is said of train.")
        }
        (false, true) => format!("Rows are split {given}."),
        (false, false) => format!("Rows are split {given}; of the training rows, {drawn} {how}."),
    }
}

#[cfg(test)]
mod tests;
