//! How delimited text is written: the byte between cells, what quotes mean, which bytes end a line, and how much
//! stands above the table.
//!
//! Everything here reads a sample and gives an opinion; nothing is changed.

use std::collections::HashMap;

use memchr::{memchr, memchr_iter};

use super::header::is_usual_name;
use super::scan::{Dialect, Quoting, Scanner, unescape};

/// Bytes looked at.
const SAMPLE_BYTES: usize = 256 << 10;
/// Records looked at.
const SAMPLE_RECORDS: usize = 500;

/// The first records of a text, as the dialect at hand cuts them; blank lines left out.
pub(in crate::data) fn sample(body: &[u8], dialect: Dialect) -> Vec<Vec<String>> {
    let window = body.get(..SAMPLE_BYTES).unwrap_or(body);
    let is_whole = window.len() == body.len();
    let scanner = Scanner::new(window, dialect);
    let (mut records, mut at, mut cell) = (Vec::new(), 0, Vec::new());
    while records.len() < SAMPLE_RECORDS {
        let (start, _) = scanner.skip_blank(at);
        if start >= window.len() {
            break;
        }
        let mut cells = Vec::new();
        let record = scanner.record(start, |_, raw| {
            cell.clear();
            unescape(raw, dialect.quoting, &mut cell);
            cells.push(String::from_utf8_lossy(&cell).into_owned());
        });
        at = record.end;
        // The last one may be cut off.
        let is_cut = !is_whole && at >= window.len() && !records.is_empty();
        if !is_cut && !record.is_open {
            records.push(cells);
        }
    }
    records
}

/// What the user says of the dialect.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::data) struct Said {
    pub(in crate::data) delimiter: Option<u8>,
    pub(in crate::data) quoting: Option<Quoting>,
}

/// The dialect of a text, and the bytes above the table that are none of it.
pub(in crate::data) fn dialect(ending: &str, body: &[u8], said: Said) -> (Dialect, Preamble) {
    let declared = declaration(body);
    let mut preamble = Preamble { bytes: declared.map_or(0, |(_, bytes)| bytes), lines: Vec::new() };
    let table = body.get(preamble.bytes..).unwrap_or_default();
    let delimiter = said.delimiter.or(declared.map(|(delimiter, _)| delimiter));
    let dialect = of_table(ending, table, delimiter, said.quoting);
    preamble.pass_over(body, dialect);
    (dialect, preamble)
}

/// What stands above the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::data) struct Preamble {
    /// Bytes before the table's first record.
    pub(in crate::data) bytes: usize,
    /// Lines that are passed over, as they stand; without the one that names the delimiter.
    pub(in crate::data) lines: Vec<String>,
}

/// `sep=;`, which Excel reads and writes: the delimiter, and the bytes of the line.
fn declaration(body: &[u8]) -> Option<(u8, usize)> {
    let end = memchr(b'\n', body).or_else(|| memchr(b'\r', body))?;
    let line = body.get(..end)?.trim_ascii();
    let bare = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let [key @ .., delimiter] = bare else { return None };
    let is_usable = !matches!(delimiter, b'"' | b'\\') && !delimiter.is_ascii_alphanumeric();
    // A tab is trimmed off with the line's end.
    match key.to_ascii_lowercase().as_slice() {
        b"sep=" if is_usable => Some((*delimiter, end + 1)),
        b"sep" if *delimiter == b'=' && body.get(..end)?.contains(&b'\t') => Some((b'\t', end + 1)),
        _ => None,
    }
}

/// Most lines above a table.
const MOST_PREAMBLE_LINES: usize = 40;

impl Preamble {
    /// Passes over comments and titles above the table: lines at the top that begin with `#`, or are of one cell,
    /// where the records below have several.
    fn pass_over(&mut self, body: &[u8], dialect: Dialect) {
        let table = body.get(self.bytes..).unwrap_or_default();
        let widths: Vec<usize> = sample(table, dialect).iter().map(Vec::len).collect();
        let usual = usual_width(&widths);
        let most_are_usual = widths.iter().filter(|width| **width == usual).count() * 10 >= widths.len() * 6;
        if usual < 2 || !most_are_usual {
            return;
        }
        let scanner = Scanner::new(body, dialect);
        let header_follows = header_below_comments(table, dialect, usual);
        let (mut at, mut lines) = (self.bytes, Vec::new());
        while lines.len() < MOST_PREAMBLE_LINES {
            let start = scanner.skip_blank(at).0;
            let mut cells = 0;
            let record = scanner.record(start, |_, _| cells += 1);
            let (line_end, next) = scanner.line_end(start);
            let line = body.get(start..line_end).unwrap_or_default();
            let is_comment = line.starts_with(b"#") && (cells != usual || header_follows);
            let is_name = is_usual_name(&String::from_utf8_lossy(line));
            let is_title = cells == 1 && record.end == next && !record.is_open && !is_name;
            if start >= body.len() || !(is_comment || is_title) {
                break;
            }
            lines.push(String::from_utf8_lossy(line).trim().to_owned());
            at = next;
        }
        // Where the table begins there must be a record as wide as the others.
        let start = scanner.skip_blank(at).0;
        let mut cells = 0;
        scanner.record(start, |_, _| cells += 1);
        if start < body.len() && cells == usual && !lines.is_empty() {
            (self.bytes, self.lines) = (at, lines);
        }
    }
}

/// Whether the first record that is no comment names the columns, so that what looks like a row above it is none.
fn header_below_comments(table: &[u8], dialect: Dialect, usual: usize) -> bool {
    let records = sample(table, dialect);
    let below = records.iter().find(|record| record.first().is_some_and(|cell| !cell.starts_with('#')));
    below.is_some_and(|record| {
        record.len() == usual && record.iter().filter(|cell| is_usual_name(cell)).count() * 2 > usual
    })
}

/// ASCII's own unit separator: for plain lines, in which every usual delimiter is a character of the text.
pub(in crate::data) const ONE_COLUMN: u8 = 0x1f;

fn of_table(ending: &str, body: &[u8], delimiter: Option<u8>, quoting: Option<Quoting>) -> Dialect {
    let candidates = match ending {
        "tsv" | "tab" => [b'\t', b',', b';', b'|'],
        _ => [b',', b'\t', b';', b'|'],
    };
    if let Some(delimiter) = delimiter {
        return written_with(body, delimiter, quoting);
    }
    let mut best: Option<(f64, Dialect)> = None;
    let mut lone = None;
    for candidate in candidates {
        let dialect = written_with(body, candidate, quoting);
        let records = sample(body, dialect);
        let widths: Vec<usize> = records.iter().map(Vec::len).collect();
        if widths.iter().all(|width| *width == 1) {
            lone = lone.or(Some(dialect));
        }
        let is_lone_name = matches!(records.first().map(Vec::as_slice), Some([only]) if is_usual_name(only));
        let mut score = if is_lone_name { 0.0 } else { consistency(&widths) };
        // Usual names side by side are a header, however ragged the rows below.
        let first = records.first().map(Vec::as_slice).unwrap_or_default();
        if first.len() > 1 && first.iter().filter(|cell| is_usual_name(cell)).count() * 2 > first.len() {
            score = CONSISTENT + (1.0 - CONSISTENT) * score;
        }
        if score > best.map_or(0.0, |(score, _)| score) {
            best = Some((score, dialect));
        }
    }
    match best {
        Some((score, dialect)) if score >= CONSISTENT => dialect,
        // One column: a byte that cuts nothing.
        _ => lone.unwrap_or_else(|| written_with(body, ONE_COLUMN, quoting)),
    }
}

/// The rest of the dialect of a text with that delimiter.
fn written_with(body: &[u8], delimiter: u8, quoting: Option<Quoting>) -> Dialect {
    let window = body.get(..SAMPLE_BYTES).unwrap_or(body);
    let quoting = quoting.unwrap_or_else(|| quoting_of(window, delimiter));
    let dialect = Dialect { bare_cr: false, ..Dialect::new(delimiter, quoting) };
    Dialect { bare_cr: bare_cr_ends_lines(body, dialect), ..dialect }
}

/// Whether a carriage return alone ends a line: where there is no line feed at all; and where both are there, if
/// the first records then are more alike.
fn bare_cr_ends_lines(body: &[u8], dialect: Dialect) -> bool {
    let is_bare = |at: usize| body.get(at + 1) != Some(&b'\n') && at + 1 < body.len();
    let has_feed = memchr(b'\n', body).is_some();
    if !has_feed {
        return memchr(b'\r', body).is_some();
    }
    let window = body.get(..SAMPLE_BYTES).unwrap_or(body);
    if !memchr_iter(b'\r', window).any(is_bare) {
        return false;
    }
    let alike = |bare_cr| {
        let widths: Vec<usize> = sample(body, Dialect { bare_cr, ..dialect }).iter().map(Vec::len).collect();
        let usual = usual_width(&widths);
        let share =
            widths.iter().filter(|width| **width == usual).count() as f64 / widths.len().max(1) as f64;
        if usual > 1 { share } else { 0.0 }
    };
    alike(true) > alike(false)
}

/// Share of equally wide records from which on cells, and not commas in prose, are believed in.
const CONSISTENT: f64 = 0.6;

/// Share of the records that are as wide as the first one, which mostly is the header. Where the first one is
/// odd, the most frequent width speaks, with half its weight; with all of it where the first has one cell only, and
/// most likely is a title or a comment.
fn consistency(widths: &[usize]) -> f64 {
    let share =
        |width: usize| widths.iter().filter(|w| **w == width).count() as f64 / widths.len().max(1) as f64;
    let usual = usual_width(widths);
    match widths.first() {
        Some(1) if usual > 1 && widths.len() > 4 => share(usual) * 0.9,
        Some(first) if *first > 1 => share(*first).max(share(usual) / 2.0).max(beside_header(*first, widths)),
        _ => 0.0,
    }
}

/// Share of the records that have one cell more than the first: all rows end with a delimiter, or begin with a name
/// that the header does not count.
fn beside_header(first: usize, widths: &[usize]) -> f64 {
    let wider = widths.iter().filter(|width| **width == first + 1).count();
    if widths.len() > 2 { wider as f64 / (widths.len() - 1) as f64 } else { 0.0 }
}

/// The most frequent number of cells; the larger one of two as frequent.
pub(in crate::data) fn usual_width(widths: &[usize]) -> usize {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for width in widths {
        *counts.entry(*width).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(0, |(width, _)| width)
}

/// What quotes mean: escaped by doubling unless there are more that only make sense with a backslash before them;
/// ordinary characters in a tab-separated text where cells begin with one and what follows its partner is no end
/// of a cell.
fn quoting_of(body: &[u8], delimiter: u8) -> Quoting {
    let doubled = ends_of_quotes(body, delimiter, Quoting::Doubled);
    if doubled.broken == 0 {
        return Quoting::Doubled;
    }
    if body.windows(2).any(|pair| pair == b"\\\"") {
        let backslash = ends_of_quotes(body, delimiter, Quoting::Backslash);
        if backslash.broken * 2 < doubled.broken && backslash.proper > 0 {
            return Quoting::Backslash;
        }
    }
    if delimiter == b'\t' && doubled.broken * 2 >= doubled.proper {
        return Quoting::Literal;
    }
    Quoting::Doubled
}

/// Quotes that open a cell: those whose partner ends it, and those whose partner does not or is not there.
#[derive(Default)]
struct Ends {
    proper: usize,
    broken: usize,
}

/// Where in a cell a scan stands.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Start,
    Plain,
    Quoted,
    /// Behind a backslash in quotes.
    Escaped,
    AfterQuote,
}

fn ends_of_quotes(body: &[u8], delimiter: u8, quoting: Quoting) -> Ends {
    let mut ends = Ends::default();
    let mut state = Cell::Start;
    for byte in body {
        let ends_cell = *byte == delimiter || matches!(byte, b'\r' | b'\n');
        state = match (state, *byte) {
            (Cell::Quoted, b'\\') if quoting == Quoting::Backslash => Cell::Escaped,
            (Cell::Quoted, b'"') => Cell::AfterQuote,
            (Cell::Start | Cell::AfterQuote, b'"') | (Cell::Quoted | Cell::Escaped, _) => Cell::Quoted,
            (Cell::AfterQuote, _) if ends_cell => {
                ends.proper += 1;
                Cell::Start
            }
            (Cell::AfterQuote, b' ') => Cell::AfterQuote,
            (Cell::AfterQuote, _) => {
                ends.broken += 1;
                Cell::Plain
            }
            _ if ends_cell => Cell::Start,
            _ => Cell::Plain,
        };
    }
    match state {
        Cell::Quoted | Cell::Escaped => ends.broken += 1,
        Cell::AfterQuote => ends.proper += 1,
        Cell::Start | Cell::Plain => {}
    }
    ends
}

#[cfg(test)]
mod tests;
