//! Which column is the text, which are tasks: guessed from the usual names, edited by the user.

use std::collections::{HashMap, HashSet};

use self::profile::Profile;
use super::split::split_of_word;
use super::table::{Column, Table};
use super::task::TaskKind;

mod kinds;
pub(in crate::data) mod profile;

/// Columns and the parts that they play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Column that holds the text.
    pub text: String,
    /// Column that holds the second text, for tasks on pairs.
    pub second: Option<String>,
    /// Label columns, one task each, in order.
    pub tasks: Vec<TaskColumn>,
    /// Column that says train, valid or test, if there is one.
    pub split: Option<String>,
    /// Column whose rows must not be divided: rows that hold the same in it are drawn into one split.
    pub group: Option<String>,
}

/// A label column and the task that it trains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskColumn {
    /// Column of the file; the first of `indicators`, where there are any.
    pub column: String,
    /// Name of the task: the column's, unless the user says otherwise.
    pub task: String,
    /// What the task predicts.
    pub kind: TaskKind,
    /// Columns of 0 and 1, one for each class of a multi-label task, which has no column of its own then.
    pub indicators: Vec<String>,
    /// Cells that say that there is no label, besides the usual ones: `-1`, `unknown`.
    pub missing: Vec<String>,
    /// Names of the classes, where the cells hold their numbers, counted from 0.
    pub classes: Vec<String>,
}

impl TaskColumn {
    /// A task of one class per text, named as its column is.
    #[must_use]
    pub fn named(column: &str) -> Self {
        Self::of_kind(column, TaskKind::SingleLabel)
    }

    /// A task named as its column is.
    #[must_use]
    pub fn of_kind(column: &str, kind: TaskKind) -> Self {
        Self { column: column.to_owned(), task: column.to_owned(), kind, ..Self::default() }
    }

    /// The class that a column of 0 and 1 stands for: its name, without the task's before it (`cats.billing`).
    #[must_use]
    pub fn class_of<'a>(&self, indicator: &'a str) -> &'a str {
        let rest =
            indicator.strip_prefix(self.task.as_str()).and_then(|rest| rest.strip_prefix(['.', '_', ':']));
        rest.filter(|class| !class.is_empty()).unwrap_or(indicator)
    }

    /// The columns that the labels are read from.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        if self.indicators.is_empty() { std::slice::from_ref(&self.column) } else { &self.indicators }
    }
}

/// Names of text columns, the likeliest first.
const TEXT_NAMES: [&str; 23] = [
    "text",
    "sentence",
    "content",
    "review",
    "document",
    "utterance",
    "question",
    "message",
    "comment",
    "tweet",
    "query",
    "body",
    "post",
    "description",
    "sentence1",
    "premise",
    "anchor",
    "title",
    "headline",
    "prompt",
    "input",
    "abstract",
    "caption",
];

/// Words that name label columns, alone or as part of a name (`topic_label`).
const LABEL_WORDS: [&str; 33] = [
    "label",
    "labels",
    "target",
    "class",
    "category",
    "categories",
    "intent",
    "topic",
    "sentiment",
    "emotion",
    "stance",
    "polarity",
    "score",
    "domain",
    "department",
    "genre",
    "type",
    "kind",
    "tag",
    "rating",
    "stars",
    "priority",
    "severity",
    "urgency",
    "tags",
    "topics",
    "emotions",
    "genres",
    "similarity",
    "cats",
    "choice",
    "choices",
    "classes",
];

/// Names that say nothing else than that there are labels: every value is a class, however few rows it has.
const CLASS_NAMES: [&str; 8] =
    ["label", "labels", "class", "category", "intent", "target", "gold_label", "label_text"];

/// Words of columns whose numbers are names, with a point in them or not.
const CODE_WORDS: [&str; 4] = ["class", "category", "categories", "intent"];

/// Words of columns that say something about a row and are not to be learnt.
const FACT_WORDS: [&str; 40] = [
    "id",
    "ids",
    "idx",
    "index",
    "uid",
    "uuid",
    "guid",
    "hash",
    "key",
    "url",
    "link",
    "path",
    "file",
    "filename",
    "source",
    "date",
    "time",
    "datetime",
    "timestamp",
    "year",
    "month",
    "day",
    "created",
    "updated",
    "author",
    "user",
    "username",
    "annotator",
    "worker",
    "name",
    "count",
    "length",
    "age",
    "price",
    "votes",
    "likes",
    "version",
    "lang",
    "language",
    "fold",
];

/// Names of columns that assign rows to splits.
const SPLIT_NAMES: [&str; 7] = ["split", "set", "partition", "fold", "subset", "dataset_split", "data_split"];

/// Guesses the mapping of tables that belong together; the module's tests hold the conventions.
#[must_use]
pub fn guess(tables: &[Table]) -> Mapping {
    guess_of(&tables.iter().collect::<Vec<_>>())
}

/// The same for tables that lie apart. Files of several tasks may call their texts differently: they are then guessed
/// apart, and what was guessed first says what the text is called.
#[must_use]
pub fn guess_of(tables: &[&Table]) -> Mapping {
    let joint = guess_alike(tables);
    if joint.text.is_empty() || tables.iter().all(|table| table.column(&joint.text).is_some()) {
        return joint;
    }
    let mut apart: Vec<(String, Vec<&Table>)> = Vec::new();
    for table in tables {
        let text = guess_alike(&[table]).text;
        match apart.iter_mut().find(|(known, _)| *known == text) {
            Some((_, alike)) => alike.push(table),
            None => apart.push((text, vec![table])),
        }
    }
    let mut guesses = apart.iter().map(|(_, alike)| guess_alike(alike));
    let mut all = guesses.next().unwrap_or_default();
    for guess in guesses {
        let new =
            guess.tasks.into_iter().filter(|task| all.tasks.iter().all(|known| known.task != task.task));
        let new: Vec<TaskColumn> = new.collect();
        all.tasks.extend(new);
        all.second = all.second.or(guess.second);
        all.split = all.split.or(guess.split);
    }
    all
}

/// The column of the text in a table: the mapping's, or, in one that has no such column while others have it, the one
/// that would be guessed.
pub(super) fn text_in<'a>(table: &'a Table, mapping: &Mapping, others_have_it: bool) -> Option<&'a Column> {
    table.column(&mapping.text).or_else(|| {
        let guessed = others_have_it.then(|| guess_alike(&[table]).text)?;
        table.column(&guessed)
    })
}

/// The mapping of tables whose columns mean the same.
fn guess_alike(tables: &[&Table]) -> Mapping {
    let (columns, rows) = Profile::all(tables);
    let split = columns.iter().find(|column| assigns_splits(column, tables));
    let free: Vec<&Profile> =
        columns.iter().filter(|column| split.is_none_or(|split| split.name != column.name)).collect();
    let split = split.map(|column| column.name.clone());
    if let Some((text, tags)) = kinds::words_and_tags(&free) {
        let mut tasks: Vec<TaskColumn> =
            tags.iter().map(|tags| TaskColumn::of_kind(tags, TaskKind::TokenLabels)).collect();
        // What is said of whole sentences: comments in CoNLL, a column beside the lists.
        let whole = free.iter().filter(|column| column.name != text && !tags.contains(&column.name.as_str()));
        let whole = whole.filter(|column| column.may_be_label() && is_task(column, rows));
        tasks.extend(whole.map(|column| TaskColumn::named(&column.name)));
        return Mapping { text: text.to_owned(), second: None, tasks, split, group: None };
    }
    let Some(text) = text_column(&free) else {
        return Mapping::default();
    };
    let pair = kinds::second_text(&free);
    let text = pair.map_or(text, |(first, _)| first);
    let others: Vec<&Profile> = free
        .iter()
        .filter(|column| {
            column.name != text.name && pair.is_none_or(|(_, second)| column.name != second.name)
        })
        .copied()
        .collect();
    let measured = pair.and_then(|(_, partner)| kinds::measured_pairs(&others).map(|task| (partner, task)));
    if let Some((partner, task)) = measured {
        let rest = others.iter().filter(|column| column.name != task.column && is_task(column, rows));
        let mut tasks: Vec<TaskColumn> = rest.map(|column| TaskColumn::named(&column.name)).collect();
        tasks.push(task);
        return Mapping {
            text: text.name.clone(),
            second: Some(partner.name.clone()),
            tasks,
            split,
            group: None,
        };
    }
    let indicator_tasks = kinds::indicators(&others);
    let of_set: HashSet<&str> =
        indicator_tasks.iter().flat_map(|task| &task.indicators).map(String::as_str).collect();
    let candidates: Vec<&Profile> = others
        .iter()
        .copied()
        .filter(|column| is_task(column, rows) && !of_set.contains(column.name.as_str()))
        .collect();
    let classes: HashSet<&str> = candidates.iter().map(|column| column.name.as_str()).collect();
    let spelt: HashSet<String> = candidates.iter().map(|column| normal(&column.name)).collect();
    let mut tasks: Vec<TaskColumn> = others
        .iter()
        .filter_map(|column| {
            if column.is_places() {
                return Some(TaskColumn::of_kind(&column.name, TaskKind::TokenLabels));
            }
            if says_label(column) && !says_fact(column) && kinds::holds_sets(column) {
                return Some(TaskColumn::of_kind(&column.name, TaskKind::MultiLabel));
            }
            let is_class = classes.contains(column.name.as_str());
            let is_spelt_out = is_spelt_out_elsewhere(column, &spelt);
            (is_class && !is_spelt_out).then(|| single_label(column))
        })
        .collect();
    tasks.extend(indicator_tasks);
    let mut second = None;
    if let Some((_, partner)) = pair
        && let Some(task) = kinds::of_pairs(partner, tasks.is_empty())
    {
        second = Some(partner.name.clone());
        tasks.push(task);
    } else if tasks.is_empty() {
        let measured = others.iter().find(|column| says_label(column) && kinds::is_measured(column));
        tasks.extend(measured.map(|column| TaskColumn::of_kind(&column.name, TaskKind::Score)));
    }
    Mapping { text: text.name.clone(), second, tasks, split, group: None }
}

/// The columns of two texts, by their names alone.
pub(super) fn pair_names(table: &Table) -> Option<(String, String)> {
    kinds::pair_names(&table.column_names())
}

/// By name, else by a word in the name, else the column with the longest prose, else the first one.
fn text_column<'a>(columns: &[&'a Profile]) -> Option<&'a Profile> {
    let prose: Vec<&Profile> = columns.iter().copied().filter(|column| column.may_be_prose()).collect();
    let normals = first_by_name(&prose);
    let named = TEXT_NAMES.iter().find_map(|name| normals.get(*name));
    let partly_named = || {
        let rank = |column: &&&Profile| {
            let name_words = words(&column.name);
            let is_other =
                name_words.iter().any(|word| is_one_of(word, &LABEL_WORDS) || is_one_of(word, &FACT_WORDS));
            let rank = TEXT_NAMES.iter().position(|name| name_words.iter().any(|word| word == name));
            rank.filter(|_| !is_other).unwrap_or(TEXT_NAMES.len())
        };
        prose
            .iter()
            .map(|column| (rank(&column), column))
            .filter(|(rank, _)| *rank < TEXT_NAMES.len())
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, column)| column)
    };
    let longest = || prose.iter().max_by(|a, b| a.mean_length().total_cmp(&b.mean_length()));
    named.or_else(partly_named).or_else(longest).or_else(|| columns.first()).copied()
}

/// The first column of each name in its normal form.
fn first_by_name<'a>(columns: &[&'a Profile]) -> HashMap<String, &'a Profile> {
    let mut found = HashMap::new();
    for column in columns {
        found.entry(normal(&column.name)).or_insert(*column);
    }
    found
}

/// A task of one class per text; a lone dash among names of classes is where nobody agreed.
fn single_label(column: &Profile) -> TaskColumn {
    let missing = if column.has_dashes() { vec!["-".to_owned()] } else { Vec::new() };
    TaskColumn { missing, ..TaskColumn::named(&column.name) }
}

/// Whether a column's values are classes. A name that says so needs less evidence than values alone.
fn is_task(column: &Profile, rows: usize) -> bool {
    let enough_each = column.distinct * 2 <= column.filled;
    // Paths of categories are long, and come again and again.
    let longest = if says_label(column) && enough_each { LONGEST_CLASS } else { LONGEST_NAME };
    if column.is_nested() || column.is_date_or_link() || column.mean_length() > longest {
        return false;
    }
    let most = (rows / 20).max(50);
    if says_label(column) {
        // A score of 3.8 is measured, not chosen from classes; 0.0, 1.0 and 2.0 are classes to which a missing one has
        // given their points.
        let are_codes = words(&column.name).iter().any(|word| is_one_of(word, &CODE_WORDS)) && enough_each;
        let measured = column.is_fractional() && column.distinct > 2 && !are_codes;
        let is_named = CLASS_NAMES.contains(&normal(&column.name).as_str())
            && (!column.is_numeric() || column.are_consecutive());
        return column.distinct >= 1 && !measured && (column.distinct <= most || enough_each || is_named);
    }
    if says_fact(column)
        || TEXT_NAMES.contains(&normal(&column.name).as_str())
        || column.distinct < 2
        || !enough_each
    {
        return false;
    }
    if column.is_numeric() {
        !column.is_fractional() && column.distinct <= 10
    } else {
        column.distinct <= most
    }
}

/// Characters of the names of classes under a name that says nothing, and of those that come again under one that
/// says that they are labels.
const LONGEST_NAME: f64 = 60.0;
const LONGEST_CLASS: f64 = 300.0;

/// Whether a column's name says that it holds something that is not to be learnt.
fn says_fact(column: &Profile) -> bool {
    words(&column.name).iter().any(|word| is_one_of(word, &FACT_WORDS))
}

/// Whether a column's name says that it holds labels.
fn says_label(column: &Profile) -> bool {
    names_labels(&column.name)
}

/// Whether a name says that there are labels below it.
pub(super) fn names_labels(name: &str) -> bool {
    let name_words = words(name);
    name_words.iter().any(|word| is_one_of(word, &LABEL_WORDS))
        && !name_words.iter().any(|word| matches!(word.as_str(), "id" | "ids" | "idx" | "index"))
}

/// True for the numbers in `label` when `label_text` or `label_name` spells the same classes out.
fn is_spelt_out_elsewhere(column: &Profile, candidates: &HashSet<String>) -> bool {
    let is_there = |ending: &str| candidates.contains(&format!("{}_{ending}", normal(&column.name)));
    column.is_numeric() && (is_there("text") || is_there("name"))
}

/// Every value says train, valid or test in one of the usual ways.
fn assigns_splits(column: &Profile, tables: &[&Table]) -> bool {
    let mut values = tables
        .iter()
        .filter_map(|table| table.column(&column.name))
        .flat_map(|found| found.cells.iter().flatten())
        .filter(|cell| !cell.trim().is_empty())
        .peekable();
    SPLIT_NAMES.contains(&normal(&column.name).as_str())
        && values.peek().is_some()
        && values.all(|cell| split_of_word(cell).is_some())
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.contains(&word)
}

/// A name in small letters, with `_` for whatever separates its words.
fn normal(name: &str) -> String {
    words(name).join("_")
}

/// `topicLabel`, `topic-label` and `Topic label` are two words.
fn words(name: &str) -> Vec<String> {
    super::work::add(1);
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut was_small) = (String::new(), false);
    for character in name.chars() {
        let starts_word = character.is_uppercase() && was_small;
        if (starts_word || !character.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        was_small = character.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests;
