//! JSON: a line or an element per record, an object's keys the columns; nested objects become columns with dots.
//!
//! It is told from the content which of the usual layouts a text has: one object per line, a list of objects, a
//! list wrapped in an object, or an object of columns.

pub(in crate::data) mod columns;
pub(in crate::data) mod layout;
pub(in crate::data) mod row;
pub(in crate::data) mod whole;

use std::ops::ControlFlow;

use rayon::prelude::*;

use self::columns::{Columns, Refused};
use self::layout::{Elements, Layout, is_surely_lines, layout_of};
use self::row::Row;
use super::Records;
use super::progress::Meter;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::table::{Column, Format, RowProblem};

/// Bytes of a stretch of lines or elements that is read as one piece; few for the fuzzer, so that its small inputs are cut as well.
const PART_BYTES: usize = if cfg!(fuzzing) { 48 } else { 4 << 20 };

/// Reads all records; what is none becomes a problem.
///
/// A text of one line that is called lines is a record, even where it could be an object of columns.
pub(in crate::data) fn read(body: &[u8], are_lines: bool, meter: &Meter) -> Result<Records, DataError> {
    if !is_surely_lines(body, are_lines) {
        // What is no list of records is read as one value.
        meter.check_room(size_as_value(body))?;
    }
    match layout_of(body, are_lines) {
        Layout::Lines => lines(body, meter),
        Layout::Elements(list) => records_of(body, list, meter),
        Layout::Whole(whole) => {
            meter.advance(body.len())?;
            let (columns, rows, notes) = whole.into_columns(meter)?;
            let lines = vec![1; rows];
            Ok(Records {
                format: Format::Json,
                has_header: false,
                columns,
                lines,
                problems: Vec::new(),
                notes,
            })
        }
    }
}

/// Bytes of a text as one value, at most: a value begins behind one of these.
fn size_as_value(body: &[u8]) -> usize {
    let begins =
        memchr::memchr3_iter(b',', b'[', b'{', body).count() + memchr::memchr_iter(b':', body).count();
    (begins + 1).saturating_mul(size_of::<serde_json::Value>()).saturating_add(body.len())
}

/// Whether [`each_block`] can read a text.
pub(in crate::data) fn is_in_lines(body: &[u8], are_lines: bool) -> bool {
    matches!(layout_of(body, are_lines), Layout::Lines)
}

/// Reads records of one line each in blocks of about so many bytes, and hands each over until `take` has enough.
pub(in crate::data) fn each_block(
    body: &[u8],
    meter: &Meter,
    bytes: usize,
    take: &mut dyn FnMut(Records) -> ControlFlow<()>,
) -> Result<(), DataError> {
    let newline = newline_of(body);
    let mut line = 1;
    for span in line_spans(body, newline, bytes) {
        let part = part_of_lines(body, span, newline, meter)?;
        let block =
            joined(body, (Format::JsonLines, newline), (span.0, line), vec![part], Vec::new(), meter)?;
        let passed = body.get(span.0..span.1).unwrap_or_default();
        line += memchr::memchr_iter(newline, passed).count() as u64;
        // Once more: the lines were counted in it.
        meter.let_go(passed);
        meter.free_room();
        if take(block).is_break() {
            break;
        }
    }
    Ok(())
}

/// What is found between two places.
struct Part {
    columns: Columns,
    /// Offsets in the body, of records and of problems.
    records: Vec<usize>,
    problems: Vec<(usize, String)>,
}

impl Part {
    fn new() -> Self {
        Self { columns: Columns::default(), records: Vec::new(), problems: Vec::new() }
    }

    fn take(&mut self, at: usize, text: &[u8], meter: &Meter) -> Result<(), DataError> {
        self.take_row(at, row::parse(text), meter)
    }

    fn take_row(&mut self, at: usize, row: Result<Row, String>, meter: &Meter) -> Result<(), DataError> {
        let pushed = row.map_err(Refused::Row).and_then(|row| self.columns.push(row, meter));
        match pushed {
            Ok(()) => self.records.push(at),
            Err(Refused::Row(reason)) => self.problems.push((at, reason)),
            Err(Refused::File(error)) => return Err(error),
        }
        Ok(())
    }
}

fn lines(body: &[u8], meter: &Meter) -> Result<Records, DataError> {
    let newline = newline_of(body);
    let spans: Vec<(usize, usize)> = line_spans(body, newline, PART_BYTES).collect();
    let parts = spans
        .par_iter()
        .map(|span| part_of_lines(body, *span, newline, meter))
        .collect::<Result<Vec<_>, DataError>>()?;
    joined(body, (Format::JsonLines, newline), (0, 1), parts, Vec::new(), meter)
}

fn newline_of(body: &[u8]) -> u8 {
    if memchr::memchr(b'\n', body).is_some() { b'\n' } else { b'\r' }
}

/// Stretches of whole lines.
fn line_spans(body: &[u8], newline: u8, bytes: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let near = (start + bytes).min(body.len());
        let rest = body.get(near..).unwrap_or_default();
        let end = memchr::memchr(newline, rest).map_or(body.len(), |at| near + at + 1);
        let span = (start < body.len()).then_some((start, end));
        start = end;
        span
    })
}

fn part_of_lines(
    body: &[u8],
    (start, end): (usize, usize),
    newline: u8,
    meter: &Meter,
) -> Result<Part, DataError> {
    let (mut part, mut at) = (Part::new(), start);
    for line in body.get(start..end).unwrap_or_default().split(|byte| *byte == newline) {
        let text = bare(line);
        if !text.is_empty() {
            part.take(at, text, meter)?;
        }
        at += line.len() + 1;
    }
    meter.pass(body.get(start..end).unwrap_or_default())?;
    Ok(part)
}

/// A line without blanks, a mark left from files that were joined, and the comma that a list had behind it.
fn bare(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    match line.strip_suffix(b",") {
        Some(object) if object.starts_with(b"{") => object.trim_ascii_end(),
        _ => line,
    }
}

fn records_of(body: &[u8], list: Elements, meter: &Meter) -> Result<Records, DataError> {
    let Elements { spans: elements, note, splits, are_labels, are_pairs } = list;
    let bytes: usize = elements.iter().map(|(from, to)| to - from).sum();
    let per_part = elements.len() / (bytes / PART_BYTES + 1) + 1;
    let parts = elements
        .par_chunks(per_part)
        .map(|elements| {
            let mut part = Part::new();
            for (from, to) in elements {
                let text = body.get(*from..*to).unwrap_or_default();
                match are_pairs.then(|| row::pair(text)).flatten() {
                    Some(row) => part.take_row(*from, Ok(row), meter)?,
                    // Some lists begin with nothing.
                    None if text == b"null" => {}
                    None => part.take(*from, text, meter)?,
                }
            }
            meter.advance(elements.iter().map(|(from, to)| to - from).sum())?;
            Ok(part)
        })
        .collect::<Result<Vec<_>, DataError>>()?;
    let of_split = |at: usize| {
        let list = splits.partition_point(|(from, _)| *from <= at).checked_sub(1)?;
        splits.get(list).map(|(_, name)| name.as_str())
    };
    let mut split = StrColumn::default();
    parts.iter().flat_map(|part| &part.records).for_each(|at| split.push(of_split(*at)));
    let notes = note.into_iter().collect();
    let mut records = joined(body, (Format::Json, b'\n'), (0, 1), parts, notes, meter)?;
    let name = if are_labels { "label" } else { "split" };
    if !splits.is_empty() && records.columns.iter().all(|column| column.name != name) {
        records.columns.push(Column { name: name.to_owned(), cells: split });
    }
    Ok(records)
}

/// Parts end to end; `start` is a place before all of them and its line.
fn joined(
    body: &[u8],
    (format, newline): (Format, u8),
    (start, line): (usize, u64),
    parts: Vec<Part>,
    notes: Vec<String>,
    meter: &Meter,
) -> Result<Records, DataError> {
    let mut columns = Columns::default();
    let (mut records, mut problems) = (Vec::new(), Vec::new());
    for part in parts {
        columns.append(part.columns, meter)?;
        meter.take_problems(part.problems.len())?;
        records.extend(part.records);
        problems.extend(part.problems);
    }
    let mut count = LineCount { body, newline, line, counted: start };
    let lines = records.into_iter().map(|at| count.line_at(at)).collect();
    let mut count = LineCount { body, newline, line, counted: start };
    let problems =
        problems.into_iter().map(|(at, reason)| RowProblem { line: count.line_at(at), reason }).collect();
    Ok(Records { format, has_header: false, columns: columns.finish(), lines, problems, notes })
}

/// Lines of offsets that come in order.
struct LineCount<'a> {
    body: &'a [u8],
    newline: u8,
    line: u64,
    counted: usize,
}

impl LineCount<'_> {
    fn line_at(&mut self, offset: usize) -> u64 {
        let passed = self.body.get(self.counted..offset).unwrap_or_default();
        self.line += memchr::memchr_iter(self.newline, passed).count() as u64;
        self.counted = self.counted.max(offset);
        self.line
    }
}
