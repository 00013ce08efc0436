//! Rows that are looked for: by words, split, label and the findings of the card, in an order. It must never know a table
//! on a screen.

use std::cmp::Ordering;
use std::sync::Arc;

use rayon::prelude::*;

use super::dataset::{Dataset, Split, TaskLabels};

/// What a label must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Any.
    Labelled,
    /// None.
    Unlabelled,
    /// This class, or this one among others.
    Class(String),
}

/// What rows are ordered by; rows that are equal in it stay in the order of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// Their text, letter by letter.
    Text,
    /// Bytes of their text.
    Length,
    /// Train, valid, test.
    Split,
    /// The label of a task, by its place among the tasks: classes in their order, numbers by size, rows without last.
    Label(usize),
}

/// What is looked for; the default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// Words in the text or the second text, capitals aside.
    pub words: String,
    /// Rows of this split alone.
    pub split: Option<Split>,
    /// Rows with such a label of the task of this name alone.
    pub label: Option<(String, Wanted)>,
    /// These rows alone, such as those of a finding.
    pub among: Option<Arc<Vec<usize>>>,
    /// The order, and whether the largest come first; that of the files where there is none.
    pub sort: Option<(SortBy, bool)>,
}

impl RowQuery {
    /// True where every row is found, in the order of the files.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The rows, in order. `None` when it was stopped.
    #[must_use]
    pub fn find(&self, dataset: &Dataset, stop: &(dyn Fn() -> bool + Sync)) -> Option<Vec<u32>> {
        let words = self.words.trim().to_lowercase();
        let task = match &self.label {
            Some((name, wanted)) => {
                let task = dataset.tasks.iter().find(|task| task.name == *name);
                // A task that is gone has no rows.
                Some(task.map(|task| (task, wanted)))
            }
            None => None,
        };
        let keeps = |row: usize| {
            !stop()
                && self.split.is_none_or(|split| dataset.splits.get(row) == Some(&split))
                && task.is_none_or(|task| task.is_some_and(|(task, wanted)| has(task, row, wanted)))
                && (words.is_empty()
                    || contains(dataset.text(row), &words)
                    || contains(dataset.second_text(row), &words))
        };
        let mut rows: Vec<u32> = match &self.among {
            Some(among) => among
                .par_iter()
                .filter(|row| **row < dataset.rows() && keeps(**row))
                .map(|row| *row as u32)
                .collect(),
            None => {
                (0..dataset.rows()).into_par_iter().filter(|row| keeps(*row)).map(|row| row as u32).collect()
            }
        };
        if stop() {
            return None;
        }
        if let Some((by, largest_first)) = self.sort {
            rows.par_sort_by(|one, other| {
                let order = by.compare(dataset, *one as usize, *other as usize);
                if largest_first { order.reverse() } else { order }
            });
        }
        (!stop()).then_some(rows)
    }
}

fn has(task: &TaskLabels, row: usize, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Labelled => task.is_labelled(row),
        Wanted::Unlabelled => !task.is_labelled(row),
        Wanted::Class(name) => {
            let class = task.classes.iter().position(|class| class == name);
            class.is_some_and(|class| task.classes_of(row).contains(&(class as u32)))
        }
    }
}

/// Whether a text holds words that are in small letters.
fn contains(text: &str, words: &str) -> bool {
    if text.is_ascii() && words.is_ascii() {
        let (text, words) = (text.as_bytes(), words.as_bytes());
        return text.windows(words.len()).any(|window| window.eq_ignore_ascii_case(words));
    }
    text.to_lowercase().contains(words)
}

impl SortBy {
    fn compare(self, dataset: &Dataset, one: usize, other: usize) -> Ordering {
        match self {
            Self::Text => dataset.text(one).cmp(dataset.text(other)),
            Self::Length => dataset.text(one).len().cmp(&dataset.text(other).len()),
            Self::Split => dataset.splits.get(one).cmp(&dataset.splits.get(other)),
            Self::Label(task) => {
                let Some(task) = dataset.tasks.get(task) else { return Ordering::Equal };
                let unlabelled = |row| !task.is_labelled(row);
                unlabelled(one).cmp(&unlabelled(other)).then_with(|| {
                    match (task.number(one), task.number(other)) {
                        (Some(one), Some(other)) => one.total_cmp(&other),
                        _ => task.classes_of(one).cmp(&task.classes_of(other)),
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        Dataset {
            texts: ["The Parcel", "straße NACH Hause", "a parcel", "zebra", "Ärger"].iter().collect(),
            tasks: vec![TaskLabels::single(
                "topic",
                vec!["go".into(), "post".into()],
                vec![Some(1), Some(0), Some(1), None, Some(0)],
            )],
            splits: vec![Split::Test, Split::Train, Split::Train, Split::Valid, Split::Train],
            ..Dataset::default()
        }
    }

    fn found(query: &RowQuery) -> Vec<u32> {
        query.find(&dataset(), &|| false).expect("not stopped")
    }

    #[test]
    fn rows_are_found_by_words_split_and_label() {
        let words = |words: &str| RowQuery { words: words.into(), ..RowQuery::default() };
        assert_eq!(found(&words("PARCEL")), [0, 2]);
        assert_eq!(found(&words(" nach ")), [1]);
        assert_eq!(found(&words("ärger")), [4]);
        assert_eq!(found(&words("absent")), [0; 0]);
        assert!(RowQuery::default().is_all() && found(&RowQuery::default()).len() == 5);
        assert_eq!(found(&RowQuery { split: Some(Split::Train), ..words("parcel") }), [2]);
        let label = |wanted| RowQuery { label: Some(("topic".into(), wanted)), ..RowQuery::default() };
        assert_eq!(found(&label(Wanted::Class("post".into()))), [0, 2]);
        assert_eq!(found(&label(Wanted::Unlabelled)), [3]);
        assert_eq!(found(&label(Wanted::Labelled)).len(), 4);
        let gone = RowQuery { label: Some(("gone".into(), Wanted::Unlabelled)), ..RowQuery::default() };
        assert_eq!(found(&gone), [0; 0]);
        assert_eq!(found(&RowQuery { among: Some(Arc::new(vec![2, 4, 9])), ..RowQuery::default() }), [2, 4]);
        assert_eq!(RowQuery::default().find(&dataset(), &|| true), None);
    }

    #[test]
    fn rows_are_ordered_and_equal_ones_stay_as_they_stood() {
        let by = |by, largest_first| RowQuery { sort: Some((by, largest_first)), ..RowQuery::default() };
        assert_eq!(found(&by(SortBy::Text, false)), [0, 2, 1, 3, 4]);
        assert_eq!(found(&by(SortBy::Split, false)), [1, 2, 4, 3, 0]);
        assert_eq!(found(&by(SortBy::Label(0), false)), [1, 4, 0, 2, 3]);
        assert_eq!(found(&by(SortBy::Length, true)).first(), Some(&1));
        assert_eq!(found(&by(SortBy::Label(7), false)), [0, 1, 2, 3, 4]);
    }
}
