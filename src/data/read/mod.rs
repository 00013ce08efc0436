//! Opening a file of records: which format it is in, and what becomes of rows that cannot be read.

pub(in crate::data) mod annotations;
pub mod blocks;
pub(in crate::data) mod conll;
pub(in crate::data) mod decode;
pub(in crate::data) mod delimited;
pub(in crate::data) mod fasttext;
pub mod fingerprint;
pub mod folder;
pub(in crate::data) mod json;
pub(in crate::data) mod legacy_encoding;
pub(in crate::data) mod letter_frequencies;
pub mod overrides;
pub(in crate::data) mod parquet;
pub(in crate::data) mod progress;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memchr_iter;
use rayon::prelude::*;

use self::decode::{RawBytes, Text};

use super::error::DataError;

use self::overrides::FormatName;
pub use self::overrides::Overrides;
use self::progress::Meter;
pub use self::progress::Progress;

use self::fingerprint::Fingerprint;
use super::table::{Column, FileFacts, Format, RowProblem, Table};

/// What to do about a record that cannot be read as it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnProblem {
    /// Refuse the file, naming the first such records.
    #[default]
    Stop,
    /// Leave the record out and keep the problem in [`Table::problems`].
    Skip,
}

/// How to read a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What to do about bad records.
    pub on_problem: OnProblem,
    /// What the user overrules.
    pub overrides: Overrides,
}

/// Reads a file of records, or a folder per label, into columns of strings.
///
/// # Errors
/// When it cannot be opened, is of no known format, holds no row, or holds bad rows that may not be skipped.
pub fn read_table(path: &Path, options: &ReadOptions, progress: Progress) -> Result<Table, DataError> {
    if path.is_dir() {
        return judge(folder::read(path, progress)?, options.on_problem);
    }
    table_of(path, RawBytes::open(path)?, options, progress)
}

/// The same for bytes already at hand; the name says what its ending says, and nothing is opened.
///
/// # Errors
/// As [`read_table`], but for the opening.
pub fn read_bytes(
    name: &Path,
    bytes: Vec<u8>,
    options: &ReadOptions,
    progress: Progress,
) -> Result<Table, DataError> {
    table_of(name, RawBytes::Owned(bytes), options, progress)
}

pub(super) fn table_of(
    path: &Path,
    raw: RawBytes,
    options: &ReadOptions,
    progress: Progress,
) -> Result<Table, DataError> {
    let raw = Arc::new(raw);
    let meter = Meter::new(path, progress, raw.bytes().len() as u64).over(&raw);
    // Twice through the same bytes, but on two threads.
    let (stamp, read) = rayon::join(
        || Fingerprint::of(path, raw.bytes()),
        || records_of(path, &raw, &options.overrides, &meter),
    );
    let (mut records, facts) = read?;
    meter.finish()?;
    annotations::settle(&mut records.columns, &mut records.notes);
    records.columns.iter_mut().for_each(|column| column.cells.seal());
    let table = Table {
        facts: FileFacts {
            path: path.to_owned(),
            format: records.format,
            encoding: facts.encoding,
            has_header: records.has_header,
            gzip: facts.gzip,
            lines: facts.lines,
            stamp,
        },
        columns: records.columns,
        lines: records.lines,
        problems: records.problems,
        notes: records.notes,
    };
    judge(table, options.on_problem)
}

/// How the bytes of a file became text.
struct Decoded {
    encoding: String,
    gzip: bool,
    lines: u64,
}

fn records_of(
    path: &Path,
    raw: &Arc<RawBytes>,
    overrides: &Overrides,
    meter: &Meter,
) -> Result<(Records, Decoded), DataError> {
    let gzip = decode::is_gzip(raw.bytes());
    let (unpacked, broken) = if gzip {
        let unpacked = decode::unpack(path, raw.bytes(), meter)?;
        (Some(Bytes::from(unpacked.bytes)), unpacked.broken)
    } else {
        (None, None)
    };
    let bytes = unpacked.as_deref().unwrap_or(raw.bytes());
    // What is packed has its format in the name before the packing's.
    let name = if gzip { path.with_extension("") } else { path.to_owned() };
    if parquet::is_parquet(bytes) {
        let shared = unpacked.unwrap_or_else(|| Bytes::from_owner(decode::Shared(raw.clone())));
        let records = parquet::read(path, &shared, meter)?;
        return Ok((records, Decoded { encoding: "binary".to_owned(), gzip, lines: 0 }));
    }
    refuse_other_formats(path, bytes)?;
    let text = Text::of(bytes, overrides.encoding.as_deref())
        .map_err(|label| DataError::Encoding { path: path.to_owned(), label })?;
    let body = text.bytes();
    if is_blank(body) {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    // Now, while it is in memory: the readers give back what they have read.
    let lines = count_lines(body);
    let ending = ending(&name);
    let mut records = match format_in(&ending, body, overrides) {
        FormatName::JsonLines => json::read(body, true, meter)?,
        FormatName::Json => json::read(body, false, meter)?,
        FormatName::Conll => conll::read(body, ending == "conllu", meter)?,
        FormatName::FastText => fasttext::read(body, meter)?,
        FormatName::Delimited => delimited::read(path, &ending, body, overrides, meter)?,
    };
    // First, since all else was read by it.
    records.notes.splice(0..0, text.doubt.clone());
    if let Some(reason) = broken {
        // What could be unpacked is there, but its last record may be half of one.
        let line = memchr_iter(b'\n', body).count() as u64 + 1;
        records.problems.push(RowProblem { line, reason });
    }
    Ok((records, Decoded { encoding: text.encoding, gzip, lines }))
}

/// Lines as an editor counts them: ended by line feeds, or where there is none by carriage returns.
fn count_lines(body: &[u8]) -> u64 {
    let count =
        |wanted: u8| body.par_chunks(1 << 20).map(|chunk| memchr_iter(wanted, chunk).count()).sum::<usize>();
    let (ends, end) = match count(b'\n') {
        0 => (count(b'\r'), b'\r'),
        feeds => (feeds, b'\n'),
    };
    ends as u64 + u64::from(body.last().is_some_and(|last| *last != end))
}

/// What a reader of one format makes of a text.
pub(super) struct Records {
    pub(super) format: Format,
    pub(super) has_header: bool,
    pub(super) columns: Vec<Column>,
    pub(super) lines: Vec<u64>,
    pub(super) problems: Vec<RowProblem>,
    pub(super) notes: Vec<String>,
}

pub(super) fn judge(table: Table, on_problem: OnProblem) -> Result<Table, DataError> {
    let path = || table.facts.path.clone();
    match (on_problem, table.rows(), table.problems.len()) {
        (_, 0, 0) if table.facts.has_header => Err(DataError::HeaderOnly { table: Box::new(table) }),
        (_, 0, 0) => Err(DataError::Empty { path: path() }),
        (OnProblem::Skip, 0, _) => Err(DataError::NoGoodRow { table: Box::new(table) }),
        (OnProblem::Stop, rows, bad @ 1..) => {
            Err(DataError::BadRows { path: path(), records: rows + bad, problems: table.problems })
        }
        _ => Ok(table),
    }
}

/// What a file's name ends in, in small letters.
pub(super) fn ending(path: &Path) -> String {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase()
}

/// The format that is asked for: by name, or by something that only delimited text has.
fn overrides_format(overrides: &Overrides) -> Option<FormatName> {
    let only_delimited =
        overrides.delimiter.is_some() || overrides.quoting.is_some() || overrides.header.is_some();
    overrides.format.or(only_delimited.then_some(FormatName::Delimited))
}

/// Whether a text holds nothing but blanks, and what DOS writes at the end of one.
pub(super) fn is_blank(body: &[u8]) -> bool {
    body.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0x1a)
}

/// The format of a text: as the user says, or found out.
pub(super) fn format_in(ending: &str, body: &[u8], overrides: &Overrides) -> FormatName {
    overrides_format(overrides).unwrap_or_else(|| format_of(ending, body))
}

/// Delimited text, JSON or `CoNLL`, by the name and, where the name does not say, by the content.
fn format_of(ending: &str, body: &[u8]) -> FormatName {
    let first = body.trim_ascii_start().first();
    match ending {
        "jsonl" | "ndjson" | "jl" => FormatName::JsonLines,
        "json" => FormatName::Json,
        _ if conll::is_ending(ending) => FormatName::Conll,
        _ if fasttext::looks_like(body) => FormatName::FastText,
        "csv" => FormatName::Delimited,
        _ if conll::looks_like(body) => FormatName::Conll,
        "tsv" | "tab" => FormatName::Delimited,
        _ if first == Some(&b'{') => FormatName::Json,
        _ if first == Some(&b'[') && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() => {
            FormatName::Json
        }
        _ => FormatName::Delimited,
    }
}

/// Well-known files that a person may pick by mistake are named rather than read as garbage.
pub(super) fn refuse_other_formats(path: &Path, body: &[u8]) -> Result<(), DataError> {
    const TABLE: &str = "Save the sheet as CSV UTF-8, or unpack the archive";
    let found = match body {
        [b'P', b'K', 3, 4, ..] => Some(("a spreadsheet or a ZIP archive", TABLE)),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            Some(("a spreadsheet of an old Excel", "Save the sheet as CSV UTF-8"))
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(("compressed with Zstandard", "Unpack it first")),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Some(("compressed with bzip2", "Unpack it first")),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Some(("compressed with xz", "Unpack it first")),
        [b'%', b'P', b'D', b'F', ..] => Some(("a PDF", "Choose a file with a text and a label in every row")),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => {
            Some(("an Arrow file", "Save it as Parquet or CSV first"))
        }
        [b'S', b'Q', b'L', b'i', b't', b'e', ..] => Some(("an SQLite database", "Export the table as CSV")),
        [b'G', b'I', b'F', b'8', ..] | [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] => {
            Some(("a picture", "Choose a file with a text and a label in every row"))
        }
        _ => None,
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
    read_bytes(Path::new(name), bytes.to_vec(), &options, &|_, _| true)
}

#[cfg(test)]
mod tests;
