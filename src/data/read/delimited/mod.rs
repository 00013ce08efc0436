//! CSV and its relatives: dialect, header and layout of a text, and its records.

pub(in crate::data) mod chunks;
pub(in crate::data) mod header;
pub(in crate::data) mod scan;
pub(in crate::data) mod sniff;

use std::ops::ControlFlow;
use std::path::Path;

use self::chunks::{Found, Layout};
use self::header::{column_names, first_is_header};
use self::scan::{Dialect, Scanner, unescape};
use self::sniff::Said;
use super::progress::Meter;
use super::{Overrides, Records};
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::table::{Column, Format, MOST_COLUMNS, RowProblem};

/// Reads all records; those that are not as wide as the header become problems.
pub(in crate::data) fn read(
    path: &Path,
    ending: &str,
    body: &[u8],
    overrides: &Overrides,
    meter: &Meter,
) -> Result<Records, DataError> {
    let text = Understood::of(path, ending, body, overrides)?;
    let found = chunks::read(text.scanner, &text.head.layout, text.head.end, text.head.line, meter)?;
    let mut records = text.records(found);
    let (columns, notes) = (&mut records.columns, &mut records.notes);
    if is_empty_last(columns, &text.head.unnamed) {
        columns.pop();
        notes.push("The last column has neither a name nor a value and is left out.".to_owned());
    }
    Ok(records)
}

/// Reads the same in blocks of so many bytes, and hands each over until `take` has enough.
pub(in crate::data) fn each_block(
    path: &Path,
    ending: &str,
    body: &[u8],
    overrides: &Overrides,
    meter: &Meter,
    bytes: usize,
    take: &mut dyn FnMut(Records) -> ControlFlow<()>,
) -> Result<(), DataError> {
    let text = Understood::of(path, ending, body, overrides)?;
    let (layout, start) = (&text.head.layout, (text.head.end, text.head.line));
    let (mut rows, mut without_last) =
        (0, text.head.unnamed.len() > 1 && text.head.unnamed.last() == Some(&true));
    if without_last {
        // Whether it holds anything is known at the end of the file only.
        chunks::each(text.scanner, layout, start, meter, bytes, &mut |found| {
            rows += found.lines.len();
            without_last = found.columns.last().is_some_and(is_blank);
            if without_last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        without_last &= rows > 0;
    }
    let mut is_first = true;
    chunks::each(text.scanner, layout, start, meter, bytes, &mut |found| {
        let mut records = text.records(found);
        if without_last {
            records.columns.pop();
        }
        is_first = false;
        take(records)
    })?;
    if is_first {
        // A header and nothing below it has columns all the same.
        let nothing = text.records(Found::of(layout.width));
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) = take(nothing);
    }
    Ok(())
}

/// How a text is written, and what its first records say of all.
struct Understood<'a> {
    scanner: Scanner<'a>,
    has_header: bool,
    head: Head,
    notes: Vec<String>,
}

impl<'a> Understood<'a> {
    fn of(path: &Path, ending: &str, body: &'a [u8], overrides: &Overrides) -> Result<Self, DataError> {
        let said = Said { delimiter: overrides.delimiter, quoting: overrides.quoting };
        let (dialect, preamble) = sniff::dialect(ending, body, said);
        let table = body.get(preamble.bytes..).unwrap_or_default();
        let sample = sniff::sample(table, dialect);
        let has_header = overrides.header.unwrap_or_else(|| first_is_header(&sample));
        let scanner = Scanner::new(body, dialect);
        let head = Head::of(path, scanner, preamble.bytes, &sample, has_header)?;
        if head.names.len() > MOST_COLUMNS {
            return Err(DataError::TooWide { path: path.to_owned(), columns: head.names.len() });
        }
        let mut notes = Vec::new();
        if let Some(first) = preamble.lines.first() {
            notes.push(match preamble.lines.len() {
                1 => format!("The line above the table was passed over: {first}"),
                many => format!("{many} lines above the table were passed over, the first: {first}"),
            });
        }
        notes.extend(head.note.clone());
        Ok(Self { scanner, has_header, head, notes })
    }

    fn records(&self, found: Found) -> Records {
        let named = self.head.names.iter().cloned().zip(found.columns);
        let dialect = self.scanner.dialect;
        Records {
            format: Format::Delimited { delimiter: dialect.delimiter, quoting: dialect.quoting },
            has_header: self.has_header,
            columns: named.map(|(name, cells)| Column { name, cells }).collect(),
            lines: found.lines,
            problems: found.problems,
            notes: self.notes.clone(),
        }
    }
}

/// What the first records say of all.
struct Head {
    names: Vec<String>,
    /// Per column whether the header has no name for it.
    unnamed: Vec<bool>,
    layout: Layout,
    /// Where the first record below the header starts, and its line.
    end: usize,
    line: u64,
    note: Option<String>,
}

impl Head {
    fn of(
        path: &Path,
        scanner: Scanner,
        from: usize,
        sample: &[Vec<String>],
        has_header: bool,
    ) -> Result<Self, DataError> {
        let above = count_lines(scanner, from);
        let widths = |skip: usize| sample.iter().skip(skip).map(Vec::len).collect::<Vec<_>>();
        if !has_header {
            let width = sniff::usual_width(&widths(0)).max(1);
            let names = column_names(std::iter::repeat_n("", width));
            let unnamed = vec![false; width];
            let layout = Layout { width, trailing: false, header: Vec::new() };
            return Ok(Self { names, unnamed, layout, end: from, line: above, note: None });
        }
        let (start, blank) = scanner.skip_blank(from);
        let line = above + blank as u64;
        let mut header: Vec<Vec<u8>> = Vec::new();
        let record = scanner.record(start, |_, raw| {
            let mut cell = Vec::new();
            unescape(raw, scanner.dialect.quoting, &mut cell);
            header.push(cell);
        });
        if record.is_open {
            let reason = "opens a quote that is not closed where a cell ends".to_owned();
            return Err(header_problem(path, &RowProblem { line, reason }));
        }
        if let Some(cell) = header.iter().position(|cell| std::str::from_utf8(cell).is_err()) {
            let reason = format!("holds bytes that are not UTF-8, in cell {}", cell + 1);
            return Err(header_problem(path, &RowProblem { line, reason }));
        }
        let mut cells: Vec<String> =
            header.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        let mut layout = Layout { width: cells.len(), trailing: false, header };
        let mut note = None;
        if let Some(beside) = Beside::of(sample, cells.len()) {
            match beside {
                Beside::Trailing => {
                    layout.trailing = true;
                    note = Some("Every row ends with a delimiter, and no cell behind it.".to_owned());
                }
                Beside::Index => {
                    // R writes the names of rows below no name.
                    cells.insert(0, String::new());
                    layout = Layout { width: cells.len(), trailing: false, header: Vec::new() };
                    note = Some("The rows begin with a cell that the header has no name for.".to_owned());
                }
            }
        }
        let unnamed = cells.iter().map(|cell| cell.trim().is_empty()).collect();
        let names = column_names(cells.iter().map(String::as_str));
        let line = line + record.line_ends as u64;
        Ok(Self { names, unnamed, layout, end: record.end, line, note })
    }
}

/// Where rows have a cell more than the header.
#[derive(Clone, Copy)]
enum Beside {
    /// It is the last one, and blank.
    Trailing,
    /// It is the first one.
    Index,
}

impl Beside {
    /// Nearly all rows must be so, else those that are have a cell too many.
    fn of(sample: &[Vec<String>], width: usize) -> Option<Self> {
        let rows = sample.get(1..).unwrap_or_default();
        let wider = || rows.iter().filter(|row| row.len() == width + 1);
        let trailing = wider().filter(|row| row.last().is_some_and(|cell| cell.trim().is_empty())).count();
        let nearly_all = |count: usize| count > 1 && count * 10 >= rows.len() * 9;
        if nearly_all(trailing) {
            Some(Self::Trailing)
        } else if nearly_all(wider().count()) && trailing == 0 {
            Some(Self::Index)
        } else {
            None
        }
    }
}

/// Whether the header ends with a delimiter, and so names a column that holds nothing.
fn is_empty_last(columns: &[Column], unnamed: &[bool]) -> bool {
    let is_empty = |column: &Column| !column.cells.is_empty() && is_blank(&column.cells);
    columns.len() > 1 && unnamed.last() == Some(&true) && columns.last().is_some_and(is_empty)
}

fn is_blank(cells: &StrColumn) -> bool {
    cells.iter().flatten().all(|cell| cell.trim().is_empty())
}

fn header_problem(path: &Path, problem: &RowProblem) -> DataError {
    let reason = std::io::Error::other(format!("its header, line {}, {}", problem.line, problem.reason));
    DataError::open(path, reason)
}

/// The line that byte `at` is on, from 1.
fn count_lines(scanner: Scanner, at: usize) -> u64 {
    let above = scanner.body.get(..at).unwrap_or_default();
    let dialect: Dialect = scanner.dialect;
    let feeds = memchr::memchr_iter(b'\n', above).count();
    let bare = above
        .iter()
        .enumerate()
        .filter(|(index, byte)| dialect.bare_cr && **byte == b'\r' && above.get(index + 1) != Some(&b'\n'));
    (feeds + bare.count() + 1) as u64
}
