//! Which column is the text, which are tasks: guessed from the usual names, edited by the user.

use super::table::Table;

/// Columns and the parts that they play.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Column that holds the text.
    pub text: String,
    /// Label columns, one single-label classification task each, in order.
    pub tasks: Vec<TaskColumn>,
    /// Column that says train, valid or test, if there is one.
    pub split: Option<String>,
}

/// A label column and the task that it trains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskColumn {
    /// Column of the file.
    pub column: String,
    /// Name of the task: the column's, unless the user says otherwise.
    pub task: String,
}

impl TaskColumn {
    /// A task named as its column is.
    #[must_use]
    pub fn named(column: &str) -> Self {
        Self { column: column.to_owned(), task: column.to_owned() }
    }
}

/// Guesses the mapping of a table; see the module's tests for the conventions.
#[must_use]
pub fn guess(_table: &Table) -> Mapping {
    Mapping::default()
}
