//! Tables and a mapping to the data set that training reads.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use std::path::PathBuf;

use rayon::prelude::*;

use self::places::are_places;
use super::card::coverage;
use super::card::coverage::LeftOut;
use super::column::StrColumn;
use super::dataset::{Dataset, Split, TaskLabels};
use super::error::DataError;
use super::labels::align;
use super::labels::classes::{Markers, Piece, says_nothing, single_labels};
use super::labels::list_cell::items;
use super::labels::{self, Hidden, bare, indicated, is_missing, number, task_labels};
use super::mapping::{self, Mapping, TaskColumn, guess_of};
use super::split::source::{Said, decide_splits};
use super::split::{SplitRule, split_of_name, split_of_word};
use super::table::{ByName, Table};
use super::task::TaskKind;

mod notes;
mod places;

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
    let (dataset, mapping, notes) = with_notes(tables, mapping, rule)?;
    Ok((dataset, mapping, notes.join(" ")))
}

/// The same with the notes one by one: how rows came to their splits first.
pub(super) fn with_notes(
    tables: &[(Table, Option<Split>)],
    mapping: Option<&Mapping>,
    rule: &SplitRule,
) -> Result<(Dataset, Mapping, Vec<String>), DataError> {
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

    let columns: Vec<ByName> = tables.iter().map(|(table, _)| table.by_name()).collect();
    let by_places: Vec<bool> = mapping.tasks.iter().map(|task| holds_places(task, &columns)).collect();
    let mut gathered = Gathered { has_places: by_places.contains(&true), ..Gathered::default() };
    for (file, (table, chosen)) in tables.iter().enumerate() {
        gathered.take(table, file as u32, *chosen, &mapping)?;
    }
    let Gathered { mut dataset, said, kept, groups, other_texts, blank, first_blank, .. } = gathered;
    if dataset.origins.is_empty() {
        let rows = tables.iter().map(|(table, _)| table.rows()).sum();
        return Err(DataError::NoText { column: mapping.text, rows });
    }
    coverage::refuse_empty(&dataset, tables, &mapping)?;
    let sources = Sources { tables, columns: &columns, kept: &kept };
    let tasks = mapping.tasks.par_iter().zip(by_places);
    let labels = tasks.map(|(task, by_places)| labels_of(task, by_places, &sources, &dataset, &mapping));
    let labels = labels.collect::<Result<Vec<_>, _>>()?;
    let mut markers: BTreeMap<String, usize> = BTreeMap::new();
    let mut told = Vec::new();
    for found in labels {
        let unconfirmed = found.unconfirmed.or_else(|| notes::unconfirmed_class(&found.labels));
        dataset.unconfirmed.extend(unconfirmed.map(|marker| (found.labels.name.clone(), marker)));
        dataset.tasks.push(found.labels);
        told.extend(found.notes);
        for (marker, count) in found.markers {
            *markers.entry(marker.to_owned()).or_default() += count;
        }
    }
    let mut notes = vec![decide_splits(&mut dataset, &said, &groups, rule)];
    notes.extend(other_texts.iter().map(|(column, files)| notes::other_text_note(column, files)));
    notes.extend(notes::blank_note(blank, first_blank.as_deref()));
    notes.extend(notes::marker_note(&markers));
    notes.extend(told);
    notes.extend(dataset.tasks.iter().filter_map(notes::hidden_label_note));
    notes.extend(dataset.tasks.iter().filter_map(notes::numbered_tags_note));
    notes.extend(dataset.tasks.iter().filter_map(notes::few_numbers_note));
    notes.extend(notes::pair_note(&mapping, tables));
    notes.extend(notes::unread_notes(&mapping, tables));
    notes.extend(notes::no_task_note(&mapping));
    Ok((dataset, mapping, notes))
}

/// Whether the cells of a task hold the places of entities in the text.
fn holds_places(task: &TaskColumn, columns: &[ByName]) -> bool {
    let mut found = columns.iter().filter_map(|columns| columns.column(&task.column));
    task.kind == TaskKind::TokenLabels && found.any(|column| are_places(column.cells.iter()))
}

/// The labels of one task, the markers that were met, and what to tell of them.
struct TaskFound<'a> {
    labels: TaskLabels,
    markers: Markers<'a>,
    notes: Vec<String>,
    /// A cell that hides labels and is not said to.
    unconfirmed: Option<String>,
}

/// The tables with their columns by name, and per table and row whether it has a text.
struct Sources<'a> {
    tables: &'a [(Table, Option<Split>)],
    columns: &'a [ByName<'a>],
    kept: &'a [Vec<bool>],
}

fn labels_of<'a>(
    task: &TaskColumn,
    by_places: bool,
    sources: &Sources<'a>,
    dataset: &Dataset,
    mapping: &Mapping,
) -> Result<TaskFound<'a>, DataError> {
    let mut markers = Markers::new();
    let (mut told, mut unconfirmed) = (Vec::new(), None);
    let rows = dataset.origins.len();
    let Sources { tables, columns, kept } = *sources;
    let place = |row: usize| {
        let (file, line) = dataset.origins.get(row).copied().unwrap_or_default();
        let path = dataset.files.get(file as usize).map_or_else(String::new, |p| p.display().to_string());
        format!("line {line} of {path}")
    };
    let labels = if by_places {
        let cells = cells_of(&task.column, task, columns, kept, rows, &mut markers);
        let texts = texts_of(tables, kept, mapping);
        places::tags(&task.task, &texts, &cells, &place).and_then(|(tags, notes)| {
            told = notes;
            let cells: Vec<Option<&str>> = tags.iter().map(Option::as_deref).collect();
            task_labels(task, &cells, dataset, false)
        })
    } else if task.indicators.is_empty() && task.kind == TaskKind::SingleLabel {
        single_labels(task, &pieces_of(&task.column, columns, kept)).map(|(labels, met)| {
            markers = met;
            labels
        })
    } else if task.indicators.is_empty() {
        let is_second = mapping.second.as_ref() == Some(&task.column);
        let cells = cells_of(&task.column, task, columns, kept, rows, &mut markers);
        task_labels(task, &cells, dataset, is_second)
    } else {
        // A number below 0 hides the whole row, which is found out from the columns together.
        let is_hiding = |marker: &String| number(marker).is_some_and(|number| number < 0.0);
        let missing = task.missing.iter().filter(|marker| !is_hiding(marker)).cloned().collect();
        let plain = TaskColumn { missing, ..task.clone() };
        let cells =
            task.indicators.iter().map(|column| cells_of(column, &plain, columns, kept, rows, &mut markers));
        indicated(task, &cells.collect::<Vec<_>>()).map(|(labels, hidden): (TaskLabels, Hidden)| {
            told.extend(notes::hidden_rows_note(task, &hidden, dataset));
            told.extend(notes::partly_blank_note(task, &hidden));
            unconfirmed =
                Some(hidden.marker).filter(|marker| !marker.is_empty() && !task.missing.contains(marker));
            labels
        })
    };
    let labels = labels.map_err(|(row, reason)| {
        let kind = task.kind.key();
        let place = place(row);
        let reason = format!(
            "{place}: the column \"{}\" {reason}, but the task \"{}\" is of the kind {kind}. Correct \
             the file, or give the task another kind",
            task.column, task.task
        );
        DataError::BadMapping { reason }
    })?;
    Ok(TaskFound { labels, markers, notes: told, unconfirmed })
}

/// The texts as they stand in the files.
fn texts_of<'a>(tables: &'a [(Table, Option<Split>)], kept: &[Vec<bool>], mapping: &Mapping) -> Vec<&'a str> {
    let mut texts = Vec::new();
    for ((table, _), kept) in tables.iter().zip(kept) {
        let Some(column) = mapping::text_in(table, mapping, true) else { continue };
        let cells = column.cells.iter().zip(kept).filter(|(_, kept)| **kept);
        texts.extend(cells.map(|(cell, _)| cell.unwrap_or_default()));
    }
    texts
}

/// The label cells of a column, table by table and segment by segment.
fn pieces_of<'a>(column: &str, columns: &[ByName<'a>], kept: &'a [Vec<bool>]) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    for (columns, kept) in columns.iter().zip(kept) {
        let Some(column) = columns.column(column) else {
            pieces.push(Piece { segment: None, kept });
            continue;
        };
        for (first, segment) in column.cells.numbered_segments() {
            let kept = kept.get(first..first + segment.len()).unwrap_or_default();
            pieces.push(Piece { segment: Some(segment), kept });
        }
    }
    pieces
}

/// Per row that is kept the label cell, trimmed; `None` where there is no label.
fn cells_of<'a>(
    column: &str,
    task: &TaskColumn,
    columns: &[ByName<'a>],
    kept: &[Vec<bool>],
    rows: usize,
    markers: &mut Markers<'a>,
) -> Vec<Option<&'a str>> {
    let mut cells = Vec::with_capacity(rows);
    for (columns, kept) in columns.iter().zip(kept) {
        let Some(column) = columns.column(column) else {
            cells.extend(kept.iter().filter(|kept| **kept).map(|_| None));
            continue;
        };
        for (cell, _) in column.cells.iter().zip(kept).filter(|(_, kept)| **kept) {
            let cell = bare(cell.unwrap_or_default());
            let missing = says_nothing(cell, task);
            if missing && !cell.is_empty() {
                *markers.entry(cell).or_default() += 1;
            }
            cells.push((!missing).then_some(cell));
        }
    }
    cells
}

/// What a mapping asks for must be there, once.
fn check(mapping: &Mapping, tables: &[(Table, Option<Split>)]) -> Result<(), DataError> {
    let absent = |table: &Table, part: String, column: &str| DataError::NoColumn {
        path: table.facts.path.clone(),
        part,
        column: column.to_owned(),
        columns: table.column_names(),
    };
    let known = tables.iter().any(|(table, _)| table.column(&mapping.text).is_some());
    for (table, _) in tables {
        if mapping::text_in(table, mapping, known).is_none() {
            return Err(absent(table, "text".to_owned(), &mapping.text));
        }
    }
    // Tasks may come from several files, so a label column must be in one of them only.
    let needed = mapping.tasks.iter().flat_map(|task| {
        task.columns().iter().map(move |column| (format!("task \"{}\"", task.task), column))
    });
    let needed = needed.chain(mapping.second.iter().map(|column| ("second text".to_owned(), column)));
    let needed = needed.chain(mapping.split.iter().map(|column| ("split".to_owned(), column)));
    let needed = needed.chain(mapping.group.iter().map(|column| ("group".to_owned(), column)));
    let by_name: Vec<ByName> = tables.iter().map(|(table, _)| table.by_name()).collect();
    for (part, column) in needed {
        let nowhere = by_name.iter().all(|columns| columns.column(column).is_none());
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

/// Rows of all tables, end to end.
#[derive(Default)]
struct Gathered {
    dataset: Dataset,
    said: Vec<Said>,
    /// What each row belongs to; no rows at all where no column is mapped to it.
    groups: StrColumn,
    /// Per table and row whether it has a text.
    kept: Vec<Vec<bool>>,
    /// Columns that hold the text in files without the mapped one.
    other_texts: BTreeMap<String, Vec<PathBuf>>,
    /// Rows without a text: how many, and where the first one is.
    blank: usize,
    first_blank: Option<String>,
    /// Words are cut as places of entities need them.
    has_places: bool,
}

impl Gathered {
    fn take(
        &mut self,
        table: &Table,
        file: u32,
        chosen: Option<Split>,
        mapping: &Mapping,
    ) -> Result<(), DataError> {
        let path = &table.facts.path;
        self.dataset.files.push(path.clone());
        let empty = StrColumn::default();
        let column = mapping::text_in(table, mapping, true);
        let texts = column.map_or(&empty, |column| &column.cells);
        let mut left_out = LeftOut::of(table, mapping);
        let is_unmatched = left_out.unmatched > 0;
        if let Some(column) = column.filter(|column| column.name != mapping.text && !is_unmatched) {
            self.other_texts.entry(column.name.clone()).or_default().push(path.clone());
        }
        let kept = if is_unmatched { vec![false; table.rows()] } else { has_text(texts) };
        let has_words = mapping.tasks.iter().any(|task| task.kind == TaskKind::TokenLabels);
        if has_words {
            let kept_texts = texts.iter().zip(&kept).filter(|(_, kept)| **kept);
            for text in kept_texts.map(|(text, _)| text.unwrap_or_default()) {
                let words = if self.has_places { align::spaced(text).into() } else { in_words(text) };
                self.dataset.texts.push(Some(&words));
            }
        } else {
            self.dataset.texts.append_where(texts, &kept);
        }
        if let Some(second) = &mapping.second {
            let second = table.column(second).map(|column| &column.cells);
            for row in kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(row, _)| row) {
                let cell = second.and_then(|cells| cells.get(row));
                self.dataset.second.push(cell.filter(|second| !second.trim().is_empty()));
            }
        }
        if let Some(group) = &mapping.group {
            let cells = table.column(group).map(|column| &column.cells);
            for row in kept.iter().enumerate().filter(|(_, kept)| **kept).map(|(row, _)| row) {
                self.groups.push(cells.and_then(|cells| cells.get(row)).map(bare));
            }
        }
        let split_column = mapping.split.as_ref().and_then(|column| table.column(column));
        let said_of_file = match (chosen, split_of_name(path)) {
            (Some(split), _) => Said::Chosen(split),
            (None, Some(split)) => Said::Name(split),
            (None, None) => Said::Nothing,
        };
        self.dataset.origins.reserve(table.rows());
        self.said.reserve(table.rows());
        for (row, (line, kept)) in table.lines.iter().zip(&kept).enumerate() {
            if is_unmatched {
                continue;
            }
            if !kept {
                left_out.blank += 1;
                self.blank += 1;
                self.first_blank.get_or_insert_with(|| format!("line {line} of {}", path.display()));
                continue;
            }
            let cell = split_column.map(|column| column.cells.get(row).unwrap_or_default().trim());
            let by_column = cell.and_then(split_of_word);
            if let (None, Some(cell)) = (by_column, cell.filter(|cell| !is_missing(cell))) {
                let reason = format!(
                    "line {line} of {}: the split column holds \"{cell}\", which is none of train, valid, \
                     dev, test. Choose another split column, or none",
                    path.display()
                );
                return Err(DataError::BadMapping { reason });
            }
            self.dataset.origins.push((file, *line));
            self.said.push(match (said_of_file, by_column) {
                (Said::Chosen(split), _) => Said::Chosen(split),
                (_, Some(split)) => Said::Column(split),
                (said, None) => said,
            });
        }
        self.kept.push(kept);
        self.dataset.left_out.push(left_out);
        Ok(())
    }
}

/// Per row whether there is something to read in its text.
fn has_text(texts: &StrColumn) -> Vec<bool> {
    let is_readable = |text: &str| match text.as_bytes().first() {
        Some(first) if first.is_ascii_graphic() => true,
        _ => !bare(text).is_empty(),
    };
    let segments = texts.numbered_segments().into_par_iter();
    segments.flat_map_iter(|(_, segment)| segment.iter().map(|text| text.is_some_and(is_readable))).collect()
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

#[cfg(test)]
mod tests;
