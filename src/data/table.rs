//! A file as it was read: named columns of strings, how it was understood, and what was wrong in it.

use std::collections::HashMap;
use std::path::PathBuf;

use super::column::StrColumn;
pub use super::read::delimited::scan::Quoting;
use super::read::delimited::sniff::ONE_COLUMN;
pub use super::read::fingerprint::Fingerprint;

/// Columns of the widest table that is read: as many as a spreadsheet has.
pub const MOST_COLUMNS: usize = 16_384;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Delimited text: CSV, TSV, semicolons, bars.
    Delimited {
        /// The byte between cells.
        delimiter: u8,
        /// What quotes mean.
        quoting: Quoting,
    },
    /// One JSON object per line.
    JsonLines,
    /// A JSON text: a list of objects, an object of columns ...
    Json,
    /// A word per line with its tags behind it; a row is a sentence, its cells are lists.
    Conll,
    /// A text per line with labels that begin with `__label__`.
    FastText,
    /// Apache Parquet.
    Parquet,
    /// A folder per label with a file per text in it.
    Folder,
}

impl Format {
    /// The name in what programs read and in project files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Delimited { .. } => "delimited",
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Conll => "conll",
            Self::FastText => "fasttext",
            Self::Parquet => "parquet",
            Self::Folder => "folder",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn title(self) -> String {
        match self {
            Self::Delimited { delimiter: b',', .. } => "CSV".to_owned(),
            Self::Delimited { delimiter: b'\t', .. } => "TSV".to_owned(),
            Self::Delimited { delimiter: ONE_COLUMN, .. } => "a text per line".to_owned(),
            Self::Delimited { delimiter, .. } => format!("separated by {}", char::from(delimiter)),
            Self::JsonLines => "JSONL".to_owned(),
            Self::Json => "JSON".to_owned(),
            Self::Conll => "CoNLL".to_owned(),
            Self::FastText => "fastText".to_owned(),
            Self::Parquet => "Parquet".to_owned(),
            Self::Folder => "a folder per label".to_owned(),
        }
    }
}

/// How a file was understood; shown to the user, who may overrule it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// The encoding: `utf-8`, `utf-8-sig` (with a mark), `utf-16`, `iso-8859-1`, `cp1252`, or another one's name;
    /// `binary` for Parquet.
    pub encoding: String,
    /// Whether the first record names the columns.
    pub has_header: bool,
    /// It is compressed with gzip.
    pub gzip: bool,
    /// Lines of the text, those inside cells included; 0 for what is no text.
    pub lines: u64,
    /// What tells this state of the file from any other.
    pub stamp: Fingerprint,
}

/// A record that could not be read as it should, with where and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowProblem {
    /// Line of the file at which the record starts, from 1.
    pub line: u64,
    /// What is wrong, in a sentence's end: `has 3 cells, expected 2`.
    pub reason: String,
}

/// One named column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name in the header, trimmed; `column 1` ... when the file has no header.
    pub name: String,
    /// Its cells, one per record.
    pub cells: StrColumn,
}

/// A file's records in columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// How the file was understood.
    pub facts: FileFacts,
    /// The columns; all of the same length.
    pub columns: Vec<Column>,
    /// Line at which each record starts, from 1.
    pub lines: Vec<u64>,
    /// Records that are not in the table.
    pub problems: Vec<RowProblem>,
    /// What else the user should know of how the file was read, in sentences.
    pub notes: Vec<String>,
}

impl Table {
    /// Number of records.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The column of that name: exact first, then without regard to case.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        super::work::add(self.columns.len());
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
    }

    /// The columns by their names, to find many of them: [`Table::column`] looks through all for each.
    #[must_use]
    pub fn by_name(&self) -> ByName<'_> {
        let mut found = ByName { exact: HashMap::new(), folded: HashMap::new() };
        for column in &self.columns {
            found.exact.entry(&column.name).or_insert(column);
            found.folded.entry(column.name.to_ascii_lowercase()).or_insert(column);
        }
        found
    }

    /// The columns' names in order.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
}

/// The columns of a table by their names.
pub struct ByName<'a> {
    exact: HashMap<&'a str, &'a Column>,
    folded: HashMap<String, &'a Column>,
}

impl<'a> ByName<'a> {
    /// The column of that name, as [`Table::column`] finds it.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&'a Column> {
        super::work::add(1);
        let exact = self.exact.get(name).copied();
        exact.or_else(|| self.folded.get(&name.to_ascii_lowercase()).copied())
    }
}
