//! Which kind of task a column is for, where it is not one class per text.

use super::{TaskColumn, normal, says_label};
use crate::data::profile::Profile;
use crate::data::task::TaskKind;

/// Columns of two texts, the likeliest first, and whether they belong together where nothing else is said.
const PAIRS: [(&str, &str, bool); 15] = [
    ("sentence1", "sentence2", false),
    ("sentence_1", "sentence_2", false),
    ("sentence_a", "sentence_b", false),
    ("text1", "text2", false),
    ("text_1", "text_2", false),
    ("text_a", "text_b", false),
    ("question1", "question2", false),
    ("premise", "hypothesis", false),
    ("anchor", "positive", true),
    ("query", "positive", true),
    ("query", "answer", true),
    ("query", "passage", true),
    ("query", "document", true),
    ("question", "answer", true),
    ("question", "context", true),
];

/// Names of columns that hold lists of words.
const WORDS: [&str; 2] = ["tokens", "words"];

/// Names of columns that hold a tag per word, the likeliest first.
const TAGS: [&str; 10] =
    ["ner_tags", "ner", "tags", "labels", "label", "entities", "upos", "pos_tags", "pos", "chunk_tags"];

/// The columns of words and of their tags, where both are lists.
pub(super) fn words_and_tags<'a>(columns: &[&'a Profile]) -> Option<(&'a str, &'a str)> {
    let named = |names: &[&str]| {
        names.iter().find_map(|name| {
            let found = columns.iter().find(|column| column.is_list() && normal(&column.name) == *name)?;
            Some(found.name.as_str())
        })
    };
    Some((named(&WORDS)?, named(&TAGS)?))
}

/// The columns of the first and the second text.
pub(super) fn second_text<'a>(columns: &[&'a Profile]) -> Option<(&'a Profile, &'a Profile)> {
    let named = |name: &str| {
        columns.iter().copied().find(|column| column.may_be_prose() && normal(&column.name) == name)
    };
    PAIRS.iter().find_map(|(first, second, _)| Some((named(first)?, named(second)?)))
}

/// What is to be learnt of pairs: how alike they are, where a column measures it; that they belong together, where
/// their names say so and there is nothing else to learn.
pub(super) fn of_pairs(columns: &[&Profile], second: &Profile, nothing_else: bool) -> Option<TaskColumn> {
    let measured =
        columns.iter().find(|column| says_label(column) && column.is_fractional() && column.distinct > 2);
    if let Some(column) = measured {
        return Some(TaskColumn::of_kind(&column.name, TaskKind::Similarity));
    }
    let belong = PAIRS.iter().any(|(_, name, belong)| *belong && normal(&second.name) == *name);
    (nothing_else && belong).then(|| TaskColumn::of_kind(&second.name, TaskKind::Ranking))
}

/// Whether a column's cells hold several classes each.
pub(super) fn holds_sets(column: &Profile) -> bool {
    column.is_list() || column.has_bars()
}

/// Whether a column's numbers are measured, not chosen from a few.
pub(super) fn is_measured(column: &Profile) -> bool {
    column.is_numeric() && column.distinct > 2 && (column.is_fractional() || column.distinct > 50)
}
