//! CSV and its relatives, read record by record into columns.

use std::path::Path;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::column::StrColumn;
use super::error::DataError;
use super::read::{PROGRESS_STRIDE, Progress, Records};
use super::sniff;
use super::table::{Column, Format, RowProblem};

/// How a delimited text is written.
pub(super) fn format_of(extension: &str, body: &[u8]) -> Format {
    let delimiter = sniff::delimiter(extension, body);
    Format::Delimited { delimiter, quoting: !sniff::quotes_are_literal(body, delimiter) }
}

/// Reads all records; those that are not as wide as the header become problems.
pub(super) fn read(
    path: &Path,
    body: &[u8],
    delimiter: u8,
    quoting: bool,
    has_header: Option<bool>,
    progress: Progress,
) -> Result<Records, DataError> {
    let sample = sniff::sample(body, delimiter, quoting);
    let has_header = has_header.unwrap_or_else(|| sniff::first_is_header(&sample));
    let mut source = Source::new(body, delimiter, quoting);
    let mut record = StringRecord::new();
    let names = if has_header {
        match source.next(&mut record) {
            Some(Ok(_)) => column_names(record.iter()),
            Some(Err(problem)) => return Err(header_problem(path, &problem)),
            None => return Err(DataError::Empty { path: path.to_owned() }),
        }
    } else {
        let widths: Vec<usize> = sample.iter().map(Vec::len).collect();
        column_names(std::iter::repeat_n("", sniff::usual_width(&widths).max(1)))
    };

    let (rows, bytes) = estimate(&sample, body.len(), names.len());
    let mut columns: Vec<StrColumn> = names.iter().map(|_| StrColumn::with_capacity(rows, bytes)).collect();
    let (mut lines, mut problems) = (Vec::with_capacity(rows), Vec::new());
    let mut reported = 0;
    while let Some(outcome) = source.next(&mut record) {
        match outcome {
            Ok(line) if record.len() == columns.len() => {
                for (column, cell) in columns.iter_mut().zip(record.iter()) {
                    column.push(Some(cell));
                }
                lines.push(line);
            }
            Ok(line) => problems.push(source.wrong_width(line, record.len(), columns.len())),
            Err(problem) => problems.push(problem),
        }
        if source.end - reported >= PROGRESS_STRIDE {
            reported = source.end;
            if !progress(reported as u64, body.len() as u64) {
                return Err(DataError::Cancelled);
            }
        }
    }
    let columns = names.into_iter().zip(columns).map(|(name, cells)| Column { name, cells }).collect();
    let format = Format::Delimited { delimiter, quoting };
    Ok(Records { format, has_header, columns, lines, problems })
}

fn header_problem(path: &Path, problem: &RowProblem) -> DataError {
    let reason = std::io::Error::other(format!("its header, line {}, {}", problem.line, problem.reason));
    DataError::open(path, reason)
}

/// Names for columns: trimmed, numbered where there is none, and no two the same.
fn column_names<'a>(header: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (index, cell) in header.enumerate() {
        let cell = cell.trim().trim_start_matches('\u{feff}');
        let base = if cell.is_empty() { format!("column {}", index + 1) } else { cell.to_owned() };
        let mut name = base.clone();
        let mut copy = 2;
        while names.contains(&name) {
            name = format!("{base} ({copy})");
            copy += 1;
        }
        names.push(name);
    }
    names
}

/// Rows, and bytes per column, that the whole text will hold if it goes on as the sample does: a hint for
/// allocations, so far too much is worse than too little.
fn estimate(sample: &[Vec<String>], body: usize, columns: usize) -> (usize, usize) {
    let bytes: usize = sample.iter().flatten().map(|cell| cell.len() + 1).sum();
    let rows = body.saturating_mul(sample.len()) / bytes.max(1);
    (rows.min(body / 2 + 1), body / columns.max(1) / 2)
}

/// Records one after the other, with the line each starts at.
struct Source<'a> {
    body: &'a [u8],
    delimiter: u8,
    quoting: bool,
    reader: Reader<&'a [u8]>,
    /// Where in the body the reader was set to work.
    base: usize,
    /// The span of the last record in the body.
    start: usize,
    end: usize,
    /// How often the reader was set to work anew behind a quote that is never closed.
    restarts: usize,
    newline: u8,
    /// Line at `counted`.
    line: u64,
    counted: usize,
}

/// Each restart may read the rest of the file, so there is an end to them.
const MOST_RESTARTS: usize = 64;

impl<'a> Source<'a> {
    fn new(body: &'a [u8], delimiter: u8, quoting: bool) -> Self {
        // Files of old Macs end their lines by CR alone.
        let newline = if body.contains(&b'\n') { b'\n' } else { b'\r' };
        Self {
            body,
            delimiter,
            quoting,
            reader: reader(body, delimiter, quoting),
            base: 0,
            start: 0,
            end: 0,
            restarts: 0,
            newline,
            line: 1,
            counted: 0,
        }
    }

    /// The next record that is not a blank line: the line it starts at, or what is wrong with it.
    fn next(&mut self, record: &mut StringRecord) -> Option<Result<u64, RowProblem>> {
        loop {
            let outcome = match self.reader.read_record(record) {
                Ok(true) => Ok(()),
                Ok(false) => return None,
                Err(error) => Err(error),
            };
            self.start = self.end;
            self.end = (self.base + self.reader.position().byte() as usize).min(self.body.len());
            let span = self.body.get(self.start..self.end).unwrap_or_default();
            self.start += span.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let raw = self.body.get(self.start..self.end).unwrap_or_default();
            if raw.trim_ascii().is_empty() && (record.len() <= 1 || raw.is_empty()) {
                continue;
            }
            let line = self.line_at(self.start);
            if let Err(error) = outcome {
                return Some(Err(RowProblem { line, reason: reason_of(&error) }));
            }
            let runs_on = self.end == self.body.len() || raw.trim_ascii_end().contains(&self.newline);
            if self.quoting && runs_on && sniff::is_badly_quoted(raw, self.delimiter) {
                return Some(Err(self.skip_open_quote(line)));
            }
            return Some(Ok(line));
        }
    }

    /// The record swallowed lines that are records of their own: what comes after its first line is read anew.
    fn skip_open_quote(&mut self, line: u64) -> RowProblem {
        let raw = self.body.get(self.start..).unwrap_or_default();
        let after = raw.iter().position(|byte| *byte == self.newline).map(|at| self.start + at + 1);
        let reason = "opens a quote that is not closed where a cell ends".to_owned();
        match after {
            Some(after) if self.restarts < MOST_RESTARTS => {
                self.restarts += 1;
                self.base = after;
                self.end = after;
                let rest = self.body.get(after..).unwrap_or_default();
                self.reader = reader(rest, self.delimiter, self.quoting);
                RowProblem { line, reason }
            }
            Some(_) => {
                let last = line + count(self.newline, raw.get(..self.end - self.start).unwrap_or(raw));
                RowProblem { line, reason: format!("{reason}, and takes the lines up to {last} with it") }
            }
            None => RowProblem { line, reason },
        }
    }

    fn wrong_width(&mut self, line: u64, found: usize, expected: usize) -> RowProblem {
        let cells = if found == 1 { "cell" } else { "cells" };
        let mut reason = format!("has {found} {cells}, expected {expected}");
        let raw = self.body.get(self.start..self.end).unwrap_or_default();
        let over = count(self.newline, raw.trim_ascii_end());
        if over > 0 {
            reason = format!("{reason}, and runs on to line {}: is a quote left open?", line + over);
        }
        RowProblem { line, reason }
    }

    /// The line that a byte of the body is on; offsets must not go backwards.
    fn line_at(&mut self, offset: usize) -> u64 {
        let passed = self.body.get(self.counted..offset).unwrap_or_default();
        self.line += count(self.newline, passed);
        self.counted = self.counted.max(offset);
        self.line
    }
}

fn count(wanted: u8, bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == wanted)).sum()
}

fn reader(body: &[u8], delimiter: u8, quoting: bool) -> Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(quoting)
        .buffer_capacity(1 << 16)
        .from_reader(body)
}

fn reason_of(error: &csv::Error) -> String {
    match error.kind() {
        ErrorKind::Utf8 { err, .. } => {
            format!("holds bytes that are not UTF-8, in cell {}", err.field() + 1)
        }
        _ => error.to_string(),
    }
}
