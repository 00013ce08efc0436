//! What training reads: texts, per task a label or none, and a split for every row.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::column::StrColumn;

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

/// Labels of one classification task over all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskLabels {
    /// The task's name.
    pub name: String,
    /// Class names, sorted; a label is an index into them.
    pub classes: Vec<String>,
    /// Per row the class, or `None` where the row is not annotated for this task.
    pub labels: Vec<Option<u32>>,
}

/// Rows that can be trained on and measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    /// One text per row; never absent.
    pub texts: StrColumn,
    /// The tasks, each with a label or `None` per row.
    pub tasks: Vec<TaskLabels>,
    /// The split of every row.
    pub splits: Vec<Split>,
    /// The files the rows came from.
    pub files: Vec<PathBuf>,
    /// Per row: index into `files`, and the line there.
    pub origins: Vec<(u32, u64)>,
}

impl Dataset {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.splits.len()
    }

    /// Text of a row; empty past the end.
    #[must_use]
    pub fn text(&self, row: usize) -> &str {
        self.texts.get(row).unwrap_or_default()
    }

    /// Indices of the rows of a split, in file order.
    #[must_use]
    pub fn rows_of(&self, split: Split) -> Vec<usize> {
        self.splits.iter().enumerate().filter(|(_, s)| **s == split).map(|(row, _)| row).collect()
    }

    /// Labelled rows of a task by split.
    #[must_use]
    pub fn labelled(&self, task: &TaskLabels) -> BTreeMap<Split, usize> {
        let mut counts = BTreeMap::from(Split::ALL.map(|split| (split, 0)));
        for (split, label) in self.splits.iter().zip(&task.labels) {
            if label.is_some() {
                *counts.entry(*split).or_default() += 1;
            }
        }
        counts
    }
}
