//! What training reads: texts, per task a label or none, and a split for every row.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::card::coverage::LeftOut;
use super::column::StrColumn;
use super::task::TaskKind;

/// The part a row plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// Trained on.
    Train,
    /// Measured after every epoch; chooses the best checkpoint.
    Valid,
    /// Measured once, at the end.
    Test,
}

impl Split {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// `train`, `valid`, `test`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }
}

/// What a task is told of every row; `None` where a row is not annotated for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Single-label: the class.
    Class(Vec<Option<u32>>),
    /// Multi-label: the classes, sorted; none of them is an annotation too.
    Classes(Vec<Option<Vec<u32>>>),
    /// Score and similarity.
    Number(Vec<Option<f32>>),
    /// Token labels: a class for every word, words being what single spaces divide.
    Tags(Vec<Option<Vec<u32>>>),
    /// Ranking: whether the row's two texts belong together.
    Pair(Vec<Option<bool>>),
}

impl Default for Labels {
    fn default() -> Self {
        Self::Class(Vec::new())
    }
}

/// Labels of one task over all rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskLabels {
    /// The task's name.
    pub name: String,
    /// What it predicts.
    pub kind: TaskKind,
    /// Class names, sorted or as the user listed them; a label is an index into them. None where the kind has no
    /// classes.
    pub classes: Vec<String>,
    /// Per row what it is labelled as.
    pub labels: Labels,
}

impl TaskLabels {
    /// A task with one class per row.
    #[must_use]
    pub fn single(name: &str, classes: Vec<String>, labels: Vec<Option<u32>>) -> Self {
        Self { name: name.to_owned(), kind: TaskKind::SingleLabel, classes, labels: Labels::Class(labels) }
    }

    /// The single class of a row; `None` for tasks of other kinds.
    #[must_use]
    pub fn class(&self, row: usize) -> Option<u32> {
        match &self.labels {
            Labels::Class(labels) => labels.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// The number of a row; `None` for tasks of other kinds.
    #[must_use]
    pub fn number(&self, row: usize) -> Option<f32> {
        match &self.labels {
            Labels::Number(labels) => labels.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// True where a row is annotated for the task.
    #[must_use]
    pub fn is_labelled(&self, row: usize) -> bool {
        match &self.labels {
            Labels::Class(labels) => labels.get(row).is_some_and(Option::is_some),
            Labels::Classes(labels) | Labels::Tags(labels) => labels.get(row).is_some_and(Option::is_some),
            Labels::Number(labels) => labels.get(row).is_some_and(Option::is_some),
            Labels::Pair(labels) => labels.get(row).is_some_and(Option::is_some),
        }
    }

    /// Every class that a row is labelled with, once, in class order: one, several, or those of its words.
    #[must_use]
    pub fn classes_of(&self, row: usize) -> Vec<u32> {
        let mut classes = match &self.labels {
            Labels::Class(labels) => labels.get(row).copied().flatten().into_iter().collect(),
            Labels::Classes(labels) | Labels::Tags(labels) => {
                labels.get(row).cloned().flatten().unwrap_or_default()
            }
            Labels::Number(_) | Labels::Pair(_) => Vec::new(),
        };
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// The first of the classes of a row, in class order.
    pub(super) fn first_class(&self, row: usize) -> Option<u32> {
        match &self.labels {
            Labels::Class(labels) => labels.get(row).copied().flatten(),
            Labels::Classes(labels) | Labels::Tags(labels) => {
                labels.get(row)?.as_ref()?.iter().min().copied()
            }
            Labels::Number(_) | Labels::Pair(_) => None,
        }
    }

    /// The label of a row in words; `None` where there is none.
    #[must_use]
    pub fn in_words(&self, row: usize) -> Option<String> {
        let name = |class: &u32| self.classes.get(*class as usize).map_or("?", String::as_str);
        let names = |classes: &[u32], between| classes.iter().map(name).collect::<Vec<_>>().join(between);
        match &self.labels {
            Labels::Class(labels) => labels.get(row)?.as_ref().map(|class| name(class).to_owned()),
            Labels::Classes(labels) => labels.get(row)?.as_ref().map(|classes| match classes.as_slice() {
                [] => "none".to_owned(),
                classes => names(classes, ", "),
            }),
            Labels::Tags(labels) => labels.get(row)?.as_ref().map(|tags| names(tags, " ")),
            Labels::Number(labels) => labels.get(row)?.as_ref().map(f32::to_string),
            Labels::Pair(labels) => {
                labels.get(row)?.map(|pair| if pair { "a pair" } else { "no pair" }.to_owned())
            }
        }
    }
}

/// Rows that can be trained on and measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// One text per row; never absent.
    pub texts: StrColumn,
    /// The second text of every row, absent where a row has none; no rows at all where no column is mapped to it.
    pub second: StrColumn,
    /// The tasks, each with a label or `None` per row.
    pub tasks: Vec<TaskLabels>,
    /// The split of every row.
    pub splits: Vec<Split>,
    /// The files the rows came from.
    pub files: Vec<PathBuf>,
    /// Per file what of it was left out when it was read.
    pub left_out: Vec<LeftOut>,
    /// Per row: index into `files`, and the line there.
    pub origins: Vec<(u32, u64)>,
    /// By task the cell that hides labels, such as `-1`, where nobody has confirmed yet that it does.
    pub unconfirmed: BTreeMap<String, String>,
}

impl Dataset {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.splits.len()
    }

    /// True where the rows and tasks are those of the other data set, whatever they are labelled as.
    #[must_use]
    pub fn has_rows_of(&self, other: &Self) -> bool {
        let tasks =
            |all: &[TaskLabels]| all.iter().map(|task| (task.name.clone(), task.kind)).collect::<Vec<_>>();
        self.splits == other.splits
            && self.origins == other.origins
            && self.files == other.files
            && tasks(&self.tasks) == tasks(&other.tasks)
            && self.texts == other.texts
            && self.second == other.second
    }

    /// Text of a row; empty past the end.
    #[must_use]
    pub fn text(&self, row: usize) -> &str {
        self.texts.get(row).unwrap_or_default()
    }

    /// Second text of a row; empty where it has none.
    #[must_use]
    pub fn second_text(&self, row: usize) -> &str {
        self.second.get(row).unwrap_or_default()
    }

    /// True where a row is annotated for a task.
    #[must_use]
    pub fn is_labelled(&self, row: usize) -> bool {
        self.tasks.iter().any(|task| task.is_labelled(row))
    }

    /// Indices of the rows of a split, in file order.
    #[must_use]
    pub fn rows_of(&self, split: Split) -> Vec<usize> {
        self.splits.iter().enumerate().filter(|(_, s)| **s == split).map(|(row, _)| row).collect()
    }
}
