//! The data card: what a user should know of the rows before training on them.

use super::dataset::{Dataset, Split};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Look at it before training.
    Warning,
}

/// Something about the rows that the user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// In a sentence, with its count.
    pub text: String,
    /// Rows of the data set it is about.
    pub rows: Vec<usize>,
}

/// Label counts of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCounts {
    /// The task.
    pub task: String,
    /// Per class in class order: rows in train, valid, test.
    pub classes: Vec<(String, [usize; 3])>,
    /// Rows without a label, in train, valid, test.
    pub missing: [usize; 3],
}

/// Counts and findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataCard {
    /// Rows in train, valid, test.
    pub rows: [usize; 3],
    /// Per task.
    pub tasks: Vec<TaskCounts>,
    /// Duplicates, conflicts, leakage, empty texts ...
    pub findings: Vec<Finding>,
}

impl DataCard {
    /// Rows of a split.
    #[must_use]
    pub const fn rows_of(&self, split: Split) -> usize {
        self.rows[split as usize]
    }

    /// Reads the card off a data set.
    #[must_use]
    pub fn of(_dataset: &Dataset) -> Self {
        Self::default()
    }
}
