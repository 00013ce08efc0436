//! What can go wrong between a file and a data set, worded for the person who opened the file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::table::{RowProblem, Table};

/// Why a file could not be read, or rows could not become a data set.
#[derive(Debug, Error)]
pub enum DataError {
    /// The operating system refused.
    #[error("{} cannot be read: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A folder, an archive, a spreadsheet: something that is not a table of text.
    #[error("{} is {what}. {advice}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it seems to be.
        what: &'static str,
        /// What to do about it.
        advice: &'static str,
    },
    /// There is no encoding of that name.
    #[error("{}: no encoding is called \"{label}\". Usual ones are utf-8, utf-16, windows-1252 and iso-8859-1", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The name that was given.
        label: String,
    },
    /// Nothing in it but blanks.
    #[error("{} is empty: it holds no record. Choose a file with a text and a label in every row", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Names of columns and nothing below them.
    #[error(
        "{} holds a header ({}) and no row below it. Choose a file with labelled rows",
        table.facts.path.display(),
        table.column_names().join(", ")
    )]
    HeaderOnly {
        /// The file as it was understood.
        table: Box<Table>,
    },
    /// Records that cannot be read, and nobody said that they may be skipped.
    #[error("{}: {} of {records} rows cannot be read: {}. Correct them, or allow bad rows to be skipped", path.display(), problems.len(), FirstFew(problems))]
    BadRows {
        /// The file.
        path: PathBuf,
        /// Records in the file, good and bad.
        records: usize,
        /// All of the problems; the message names the first few.
        problems: Vec<RowProblem>,
    },
    /// Bad rows were skipped, and nothing is left.
    #[error(
        "{}: {}: {}. Look whether the delimiter and the quotes are understood as they are meant",
        table.facts.path.display(),
        none_read(table.problems.len()),
        FirstFew(&table.problems)
    )]
    NoGoodRow {
        /// The file as it was understood; the message names the first few of its problems.
        table: Box<Table>,
    },
    /// There is no file to read.
    #[error("no data file is open. Add a CSV, TSV, JSON, Parquet or CoNLL file, or a folder of them")]
    NoFiles,
    /// A mapped column is not in the file.
    #[error("{}: there is no column \"{column}\" for the {part}. The file has: {}", path.display(), columns.join(", "))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The part that the column was to play: `text`, `task "topic"`, `split`.
        part: String,
        /// The column that was asked for.
        column: String,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// The mapping contradicts itself.
    #[error("{reason}")]
    BadMapping {
        /// In what way, and what to do.
        reason: String,
    },
    /// The parts for validation and test are not parts.
    #[error(
        "{valid} of the rows for validation and {test} for test cannot be: both must be 0 or more, and leave rows to train on"
    )]
    BadFractions {
        /// Part asked for validation.
        valid: f64,
        /// Part asked for test.
        test: f64,
    },
    /// Every text is blank.
    #[error("column \"{column}\" holds no text in any of the {rows} rows. Choose another text column")]
    NoText {
        /// The text column.
        column: String,
        /// Rows that were looked at.
        rows: usize,
    },
    /// Reading it takes more memory than a file of that size may ask for.
    #[error(
        "{} takes more than {} MB of memory to read: {}",
        path.display(),
        limit >> 20,
        too_much(*bytes, *limit, *is_ratio)
    )]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// Its bytes on the disk.
        bytes: u64,
        /// Bytes of memory that it may take.
        limit: u64,
        /// Whether the limit comes from the file's size, and not from the machine's memory.
        is_ratio: bool,
    },
    /// No table is so wide.
    #[error(
        "{} has {columns} columns, and {} are the most that are read. Look whether delimiter and quotes are understood \
         as they are meant, or save the columns that matter",
        path.display(),
        super::table::MOST_COLUMNS
    )]
    TooWide {
        /// The file.
        path: PathBuf,
        /// Columns that were found.
        columns: usize,
    },
    /// The user stopped it.
    #[error("reading was stopped")]
    Cancelled,
}

impl DataError {
    pub(super) fn open(path: &Path, reason: impl Into<io::Error>) -> Self {
        Self::Open { path: path.to_owned(), reason: reason.into() }
    }
}

fn too_much(bytes: u64, limit: u64, is_ratio: bool) -> String {
    if is_ratio {
        format!(
            "the file has {bytes} bytes, and what is in it is more than {} times as large. It looks like one that was made \
             to fill the memory. If you know better, unpack it, or save it as CSV or JSON lines, and open that",
            limit / bytes.max(1)
        )
    } else {
        "more than half of what this machine has. Open a part of it, or only the columns that matter"
            .to_owned()
    }
}

/// That no row of so many can be read.
fn none_read(rows: usize) -> String {
    match rows {
        1 => "its row cannot be read".to_owned(),
        rows => format!("none of its {rows} rows can be read"),
    }
}

/// The first problems of a list, and how many more there are.
struct FirstFew<'a>(&'a [RowProblem]);

const SHOWN_PROBLEMS: usize = 4;

impl fmt::Display for FirstFew<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(SHOWN_PROBLEMS).enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(out, "{comma}line {} {}", problem.line, problem.reason)?;
        }
        match self.0.len().saturating_sub(SHOWN_PROBLEMS) {
            0 => Ok(()),
            more => write!(out, "; and {more} more"),
        }
    }
}
