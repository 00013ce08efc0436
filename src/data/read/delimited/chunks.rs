//! Delimited text cut into parts that are read side by side, and put together as one reading from the top would
//! have found them.
//!
//! Where a part begins is guessed from the records around; whether the guess was right is known once the part
//! before it is read, and where it was not, the records in between are read again. So the outcome does not depend
//! on how the text was cut.

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use super::scan::{Scanner, unescape};
use crate::data::column::{Segment, StrColumn};
use crate::data::error::DataError;
use crate::data::read::progress::Meter;
use crate::data::table::RowProblem;

/// Bytes of a part; few for the fuzzer, so that its small inputs are cut as well.
const PART_BYTES: usize = if cfg!(fuzzing) { 48 } else { 4 << 20 };

/// Records of the right width in a row, from which on a guess is believed.
const BELIEVED: usize = 6;

/// Lines after which no better guess is looked for.
const MOST_GUESSES: usize = 200;

/// What the records of a table look like.
#[derive(Clone, Debug)]
pub(in crate::data) struct Layout {
    /// Cells of a record.
    pub(in crate::data) width: usize,
    /// Every record ends with a delimiter: an empty cell more is none.
    pub(in crate::data) trailing: bool,
    /// The header as it stands, to know it when it comes again; empty without one.
    pub(in crate::data) header: Vec<Vec<u8>>,
}

/// Everything between two places of a text.
pub(in crate::data) struct Found {
    pub(in crate::data) columns: Vec<StrColumn>,
    /// Line at which each record starts, from 1.
    pub(in crate::data) lines: Vec<u64>,
    pub(in crate::data) problems: Vec<RowProblem>,
}

/// A record that is left out.
enum Trouble {
    Width { found: usize, line_ends_inside: usize },
    OpenQuote,
    NotUtf8 { cell: usize },
    RepeatedHeader,
    TooLong,
}

/// Records that start in a stretch of the text.
struct Part {
    columns: Vec<Segment>,
    /// Line of each record, counted from the line of the part's start, which is 0.
    lines: Vec<u32>,
    troubles: Vec<(u32, Trouble)>,
    from: usize,
    /// Where the first record behind it starts.
    end: usize,
    /// Ends of lines that were passed.
    line_ends: usize,
}

/// Reads all records from byte `from` on, which is on line `line`.
pub(in crate::data) fn read(
    scanner: Scanner,
    layout: &Layout,
    from: usize,
    line: u64,
    meter: &Meter,
) -> Result<Found, DataError> {
    let reader = Reader { scanner, layout };
    let starts = reader.starts(from);
    let ends = starts.iter().skip(1).copied().chain([scanner.body.len()]);
    let spans: Vec<(usize, usize)> = starts.iter().copied().zip(ends).collect();
    let parts: Vec<Part> = spans
        .par_iter()
        .map(|(start, end)| {
            let part = meter.goes_on().then(|| reader.part(*start, *end)).ok_or(DataError::Cancelled)?;
            meter.pass(scanner.body.get(*start..*end).unwrap_or_default())?;
            meter.take_problems(part.troubles.len())?;
            Ok(part)
        })
        .collect::<Result<_, DataError>>()?;
    let mut all = Found::of(layout.width);
    all.lines.reserve(parts.iter().map(|part| part.lines.len()).sum());
    let (mut at, mut line) = (from, line);
    for (part, (_, end)) in parts.into_iter().zip(spans) {
        // A record of the part before reaches into this one, or beyond it.
        let part = if part.from == at { part } else { reader.part(at, end.max(at)) };
        at = part.end;
        line = all.add(part, line, layout.width);
    }
    Ok(all)
}

/// Reads the same one part of `bytes` after the other, and hands each over until `take` has enough.
pub(in crate::data) fn each(
    scanner: Scanner,
    layout: &Layout,
    (from, line): (usize, u64),
    meter: &Meter,
    bytes: usize,
    take: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> Result<(), DataError> {
    let reader = Reader { scanner, layout };
    let (mut at, mut line) = (from, line);
    while at < scanner.body.len() {
        let part = reader.part(at, (at + bytes).min(scanner.body.len()));
        meter.pass(scanner.body.get(at..part.end).unwrap_or_default())?;
        meter.take_problems(part.troubles.len())?;
        at = part.end;
        let mut found = Found::of(layout.width);
        line = found.add(part, line, layout.width);
        if take(found).is_break() {
            break;
        }
    }
    Ok(())
}

struct Reader<'a> {
    scanner: Scanner<'a>,
    layout: &'a Layout,
}

impl Reader<'_> {
    /// Where parts are taken to begin.
    fn starts(&self, from: usize) -> Vec<usize> {
        let total = self.scanner.body.len();
        let count = total.saturating_sub(from) / PART_BYTES;
        let nominal: Vec<usize> = (1..=count).map(|index| from + index * PART_BYTES).collect();
        let mut starts = vec![from];
        starts.extend(nominal.par_iter().map(|near| self.guess_start(*near)).collect::<Vec<_>>());
        starts.dedup();
        starts.retain(|start| *start < total || *start == from);
        starts
    }

    /// The first line behind `near` from which on records are as wide as they should be.
    fn guess_start(&self, near: usize) -> usize {
        let first = self.scanner.line_end(near).1;
        let mut line = first;
        for _ in 0..MOST_GUESSES {
            if self.looks_right(line) {
                return line;
            }
            line = self.scanner.line_end(line).1;
        }
        first
    }

    fn looks_right(&self, from: usize) -> bool {
        let mut at = from;
        for _ in 0..BELIEVED {
            let start = self.scanner.skip_blank(at).0;
            if start >= self.scanner.body.len() {
                return true;
            }
            let record = self.scanner.record(start, |_, _| ());
            if record.is_open || !self.layout.fits(record.cells) {
                return false;
            }
            at = record.end;
        }
        true
    }

    /// The records that start from `from`, where one starts, to before `until`.
    fn part(&self, from: usize, until: usize) -> Part {
        self.fast_part(from, until).unwrap_or_else(|| self.careful_part(from, until))
    }

    /// `None` where there are bytes that are not UTF-8.
    fn fast_part(&self, from: usize, until: usize) -> Option<Part> {
        let mut sink = Sink::new(self.layout.width, until.saturating_sub(from));
        let (lines, troubles, end, line_ends) = self.records(from, until, &mut sink, false);
        let columns = sink.columns.into_iter().zip(sink.ends);
        let columns = columns.map(|(bytes, ends)| Segment::of(bytes, ends)).collect::<Option<_>>()?;
        Some(Part { columns, lines, troubles, from, end, line_ends })
    }

    /// The same with every cell looked at by itself.
    fn careful_part(&self, from: usize, until: usize) -> Part {
        let mut sink = Sink::new(self.layout.width, until.saturating_sub(from));
        let (lines, troubles, end, line_ends) = self.records(from, until, &mut sink, true);
        let columns = sink.columns.into_iter().zip(sink.ends);
        let columns = columns.map(|(bytes, ends)| Segment::of(bytes, ends).unwrap_or_default()).collect();
        Part { columns, lines, troubles, from, end, line_ends }
    }

    fn records(
        &self,
        from: usize,
        until: usize,
        sink: &mut Sink,
        careful: bool,
    ) -> (Vec<u32>, Vec<(u32, Trouble)>, usize, usize) {
        let quoting = self.scanner.dialect.quoting;
        let (mut lines, mut troubles) = (Vec::new(), Vec::new());
        let (mut at, mut line_ends) = (from, 0);
        loop {
            // Blank lines behind the last record are for the part that begins with them.
            let (start, blank) = if at < until { self.scanner.skip_blank(at) } else { (at, 0) };
            line_ends += blank;
            if start >= until {
                return (lines, troubles, start, line_ends);
            }
            let line = line_ends as u32;
            let mut trouble = None;
            let mut last_is_blank = false;
            let record = self.scanner.record(start, |index, raw| {
                if careful && std::str::from_utf8(raw.bytes).is_err() {
                    trouble.get_or_insert(Trouble::NotUtf8 { cell: index });
                }
                let Some(column) = sink.columns.get_mut(index) else {
                    last_is_blank = raw.bytes.trim_ascii().is_empty();
                    return;
                };
                if column.len() + raw.bytes.len() > StrColumn::MOST_BYTES {
                    trouble.get_or_insert(Trouble::TooLong);
                } else if trouble.is_none() {
                    unescape(raw, quoting, column);
                }
            });
            at = record.end;
            line_ends += record.line_ends;
            let is_right = record.cells == self.layout.width
                || (self.layout.trailing && last_is_blank && record.cells == self.layout.width + 1);
            if record.is_open {
                trouble = Some(Trouble::OpenQuote);
            } else if !is_right {
                let has_end =
                    self.scanner.body.get(record.end.wrapping_sub(1)).is_some_and(|byte| {
                        *byte == b'\n' || (*byte == b'\r' && self.scanner.dialect.bare_cr)
                    });
                let inside = record.line_ends - usize::from(has_end && record.line_ends > 0);
                trouble = Some(Trouble::Width { found: record.cells, line_ends_inside: inside });
            } else if trouble.is_none() && sink.holds(&self.layout.header) {
                trouble = Some(Trouble::RepeatedHeader);
            }
            if let Some(trouble) = trouble {
                sink.take_back();
                troubles.push((line, trouble));
            } else {
                sink.keep();
                lines.push(line);
            }
        }
    }
}

impl Layout {
    fn fits(&self, cells: usize) -> bool {
        cells == self.width || (self.trailing && cells == self.width + 1)
    }
}

/// Columns that are being written.
struct Sink {
    columns: Vec<Vec<u8>>,
    ends: Vec<Vec<u32>>,
}

impl Sink {
    fn new(width: usize, bytes: usize) -> Self {
        // The first column mostly is the text. What is too much is given back at the end.
        let room = |index: usize| if index == 0 { bytes } else { bytes / width.max(16) };
        Self {
            columns: (0..width).map(|index| Vec::with_capacity(room(index))).collect(),
            ends: vec![Vec::new(); width],
        }
    }

    fn keep(&mut self) {
        for (column, ends) in self.columns.iter().zip(&mut self.ends) {
            ends.push(column.len() as u32);
        }
    }

    fn take_back(&mut self) {
        for (column, ends) in self.columns.iter_mut().zip(&self.ends) {
            column.truncate(ends.last().map_or(0, |end| *end as usize));
        }
    }

    /// True when the record that is being written is the header. One cell alone may well be a text.
    fn holds(&self, header: &[Vec<u8>]) -> bool {
        header.len() > 1
            && self.columns.iter().zip(&self.ends).zip(header).all(|((column, ends), name)| {
                column.get(ends.last().map_or(0, |end| *end as usize)..) == Some(name.as_slice())
            })
    }
}

impl Found {
    /// Nothing yet, of so many columns.
    pub(in crate::data) fn of(width: usize) -> Self {
        Self { columns: vec![StrColumn::default(); width], lines: Vec::new(), problems: Vec::new() }
    }

    /// Takes a part that starts on `line`, and gives the line of what comes behind it.
    fn add(&mut self, part: Part, line: u64, width: usize) -> u64 {
        self.lines.extend(part.lines.iter().map(|offset| line + u64::from(*offset)));
        for (column, segment) in self.columns.iter_mut().zip(part.columns) {
            column.append_segment(Arc::new(segment));
        }
        let problem = |(offset, trouble): (u32, Trouble)| {
            let line = line + u64::from(offset);
            RowProblem { line, reason: trouble.reason(line, width) }
        };
        self.problems.extend(part.troubles.into_iter().map(problem));
        line + part.line_ends as u64
    }
}

impl Trouble {
    fn reason(&self, line: u64, expected: usize) -> String {
        match self {
            Self::Width { found, line_ends_inside } => {
                let cells = if *found == 1 { "cell" } else { "cells" };
                let reason = format!("has {found} {cells}, expected {expected}");
                match *line_ends_inside as u64 {
                    0 => reason,
                    over => format!("{reason}, and runs on to line {}: is a quote left open?", line + over),
                }
            }
            Self::OpenQuote => "opens a quote that is not closed where a cell ends".to_owned(),
            Self::NotUtf8 { cell } => format!("holds bytes that are not UTF-8, in cell {}", cell + 1),
            Self::RepeatedHeader => "repeats the header: are these two files in one?".to_owned(),
            Self::TooLong => "holds a cell of more than 2 GB".to_owned(),
        }
    }
}
