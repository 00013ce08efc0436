//! Opening a file of records: which format it is in, and what becomes of rows that cannot be read.

use std::path::Path;

use super::conll;
use super::decode::{RawBytes, Text};
use super::delimited;
use super::error::DataError;
use super::jsonl;
use super::table::{FileFacts, Format, Table};

/// What to do about a record that cannot be read as it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnProblem {
    /// Refuse the file, naming the first such records.
    #[default]
    Stop,
    /// Leave the record out and keep the problem in [`Table::problems`].
    Skip,
}

/// How to read a file. What is `None` is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What to do about bad records.
    pub on_problem: OnProblem,
    /// The format, when the user overrules what would be found.
    pub format: Option<Format>,
    /// Whether the first record names the columns, when the user overrules what would be found.
    pub has_header: Option<bool>,
}

/// Called now and then with bytes done and bytes in all; `false` stops the reading.
pub type Progress<'a> = &'a dyn Fn(u64, u64) -> bool;

/// Bytes between two calls of [`Progress`].
pub(super) const PROGRESS_STRIDE: usize = 1 << 20;

/// Reads a file of records into columns of strings.
///
/// # Errors
/// When it cannot be opened, is of no known format, holds no row, or holds bad rows that may not be skipped.
pub fn read_table(path: &Path, options: &ReadOptions, progress: Progress) -> Result<Table, DataError> {
    table_of(path, RawBytes::open(path)?, options, progress)
}

/// The same for bytes already at hand.
pub(super) fn table_of(
    path: &Path,
    raw: RawBytes,
    options: &ReadOptions,
    progress: Progress,
) -> Result<Table, DataError> {
    refuse_other_formats(path, raw.bytes())?;
    let text = Text::of(raw);
    let body = text.bytes();
    if body.trim_ascii().is_empty() {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    let total = body.len() as u64;
    let records = match options.format.unwrap_or_else(|| format_of(path, body)) {
        Format::JsonLines => jsonl::read(body, progress)?,
        Format::Conll => conll::read(body, ending(path) == "conllu", progress)?,
        Format::Delimited { delimiter, quoting } => {
            delimited::read(path, body, delimiter, quoting, options.has_header, progress)?
        }
    };
    if !progress(total, total) {
        return Err(DataError::Cancelled);
    }
    let table = Table {
        facts: FileFacts {
            path: path.to_owned(),
            format: records.format,
            encoding: text.encoding,
            has_header: records.has_header,
        },
        columns: records.columns,
        lines: records.lines,
        problems: records.problems,
    };
    judge(table, options.on_problem)
}

/// What a reader of one format makes of a text.
pub(super) struct Records {
    pub(super) format: Format,
    pub(super) has_header: bool,
    pub(super) columns: Vec<super::table::Column>,
    pub(super) lines: Vec<u64>,
    pub(super) problems: Vec<super::table::RowProblem>,
}

fn judge(table: Table, on_problem: OnProblem) -> Result<Table, DataError> {
    let path = || table.facts.path.clone();
    match (on_problem, table.rows(), table.problems.len()) {
        (_, 0, 0) if table.facts.has_header => {
            Err(DataError::HeaderOnly { path: path(), columns: table.column_names() })
        }
        (_, 0, 0) => Err(DataError::Empty { path: path() }),
        (OnProblem::Skip, 0, _) => Err(DataError::NoGoodRow { path: path(), problems: table.problems }),
        (OnProblem::Stop, rows, bad @ 1..) => {
            Err(DataError::BadRows { path: path(), records: rows + bad, problems: table.problems })
        }
        _ => Ok(table),
    }
}

/// What a file's name ends in, in small letters.
fn ending(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// Delimited text, JSON lines or `CoNLL`, by the name and, where the name does not say, by the content.
fn format_of(path: &Path, body: &[u8]) -> Format {
    let extension = ending(path);
    let looks_like_json = body.trim_ascii_start().first() == Some(&b'{');
    match extension.as_str() {
        "jsonl" | "ndjson" | "jl" => Format::JsonLines,
        ending if conll::is_ending(ending) => Format::Conll,
        "csv" => delimited::format_of(&extension, body),
        _ if conll::looks_like(body) => Format::Conll,
        "tsv" | "tab" => delimited::format_of(&extension, body),
        _ if looks_like_json => Format::JsonLines,
        _ => delimited::format_of(&extension, body),
    }
}

/// Well-known files that a person may pick by mistake are named rather than read as garbage.
fn refuse_other_formats(path: &Path, body: &[u8]) -> Result<(), DataError> {
    let extension = ending(path);
    let found = if body.starts_with(b"PAR1") {
        Some(("a Parquet file", "Save it as CSV or JSONL first"))
    } else if body.starts_with(b"\x1f\x8b") {
        Some(("compressed with gzip", "Unpack it first"))
    } else if body.starts_with(b"PK\x03\x04") {
        Some(("a spreadsheet or a ZIP archive", "Save the sheet as CSV UTF-8, or unpack the archive"))
    } else if extension == "json" && body.trim_ascii_start().first() == Some(&b'[') {
        Some(("a JSON array", "Save it as JSONL: one object per line, without the brackets around them"))
    } else {
        None
    };
    match found {
        Some((what, advice)) => Err(DataError::Unsupported { path: path.to_owned(), what, advice }),
        None => Ok(()),
    }
}

/// A table from bytes in memory, as if they were a file of that name; bad rows are skipped.
#[cfg(test)]
pub(super) fn table_in_memory(name: &str, bytes: &[u8]) -> Result<Table, DataError> {
    let options = ReadOptions { on_problem: OnProblem::Skip, ..ReadOptions::default() };
    table_of(Path::new(name), RawBytes::Owned(bytes.to_vec()), &options, &|_, _| true)
}

#[cfg(test)]
mod tests;
