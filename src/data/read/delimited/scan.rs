//! Where the cells of delimited text begin and end: a record at a time, from any byte at which one starts.
//!
//! What is found depends on nothing but the dialect and the bytes from there on, so that a file can be cut into
//! parts that are scanned side by side. It keeps nothing and judges nothing.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

/// What quotes mean in delimited text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quoting {
    /// A cell may stand in quotes; a quote inside is written twice (RFC 4180).
    #[default]
    Doubled,
    /// A cell may stand in quotes; a quote inside has a backslash before it.
    Backslash,
    /// Quotes are characters like any other, as in GLUE's TSV files.
    Literal,
}

impl Quoting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Doubled, Self::Backslash, Self::Literal];

    /// The name in project files and on the command line.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Doubled => "doubled",
            Self::Backslash => "backslash",
            Self::Literal => "literal",
        }
    }

    /// The meaning of that name.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quoting| quoting.key() == key)
    }
}

/// How delimited text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Dialect {
    /// Between cells. No quote and no end of line.
    pub(in crate::data) delimiter: u8,
    pub(in crate::data) quoting: Quoting,
    /// A CR without an LF ends a line too, as in files of old Macs.
    pub(in crate::data) bare_cr: bool,
}

impl Dialect {
    pub(in crate::data) const fn new(delimiter: u8, quoting: Quoting) -> Self {
        Self { delimiter, quoting, bare_cr: false }
    }
}

/// A cell as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(in crate::data) struct RawCell<'a> {
    /// Without the quotes around it.
    pub(in crate::data) bytes: &'a [u8],
    /// Some characters are written in two, see [`unescape`].
    pub(in crate::data) escaped: bool,
}

/// What was passed from the start of a record on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::data) struct Record {
    /// Where the next one starts.
    pub(in crate::data) end: usize,
    /// Cells that were found.
    pub(in crate::data) cells: usize,
    /// Ends of lines that were passed, its own included.
    pub(in crate::data) line_ends: usize,
    /// A quote is opened that is not closed where a cell ends. The next record then is taken to start on the line
    /// below that quote.
    pub(in crate::data) is_open: bool,
}

/// A text in a dialect.
#[derive(Clone, Copy)]
pub(in crate::data) struct Scanner<'a> {
    pub(in crate::data) body: &'a [u8],
    pub(in crate::data) dialect: Dialect,
}

/// How a cell in quotes ends.
enum Quoted {
    /// The index of the closing quote, and whether the cell holds escapes.
    Closed(usize, bool),
    Open,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl<'a> Scanner<'a> {
    pub(in crate::data) const fn new(body: &'a [u8], dialect: Dialect) -> Self {
        Self { body, dialect }
    }

    /// Goes through the record that starts at `start`; `take` gets its cells with their places.
    pub(in crate::data) fn record(&self, start: usize, mut take: impl FnMut(usize, RawCell<'a>)) -> Record {
        let mut at = start;
        // A mark that is left from files that were joined.
        if self.rest(at).starts_with(BYTE_ORDER_MARK) {
            at += BYTE_ORDER_MARK.len();
        }
        let (mut cells, mut line_ends) = (0, 0);
        loop {
            let mut past_quotes = at;
            if self.dialect.quoting != Quoting::Literal && self.body.get(at) == Some(&b'"') {
                let open = Record { end: 0, cells, line_ends, is_open: true };
                let Quoted::Closed(close, escaped) = self.closing_quote(at + 1) else {
                    return self.below(at, open);
                };
                let inner = self.slice(at + 1, close);
                let inner_line_ends = self.count_line_ends(inner);
                if let Some((end, ends_record)) = self.end_behind_quote(close + 1) {
                    take(cells, RawCell { bytes: inner, escaped });
                    (at, cells, line_ends) = (end, cells + 1, line_ends + inner_line_ends);
                    if ends_record {
                        line_ends += usize::from(end > close + 1);
                        return Record { end, cells, line_ends, is_open: false };
                    }
                    continue;
                }
                if inner_line_ends > 0 {
                    return self.below(at, open);
                }
                // Quotes around a part of the cell: they are characters of it.
                past_quotes = close + 1;
            }
            let (end, next) = self.end_of_plain(past_quotes);
            take(cells, RawCell { bytes: self.slice(at, end), escaped: false });
            (at, cells) = (next, cells + 1);
            if end == self.body.len() || self.body.get(end) != Some(&self.dialect.delimiter) {
                line_ends += usize::from(next > end);
                return Record { end: next, cells, line_ends, is_open: false };
            }
        }
    }

    /// Passes lines that hold nothing but blanks: where the next record starts, and how many lines there were.
    pub(in crate::data) fn skip_blank(&self, mut at: usize) -> (usize, usize) {
        let mut lines = 0;
        loop {
            let blanks = self.rest(at).iter().take_while(|byte| self.is_blank(**byte)).count();
            let found = self.body.get(at + blanks).copied();
            match found {
                None => return (self.body.len(), lines),
                // What DOS writes at the end of a text.
                Some(0x1a) if at + blanks + 1 == self.body.len() => return (self.body.len(), lines),
                Some(byte) if byte == b'\n' || (byte == b'\r' && self.dialect.bare_cr) => {
                    at = self.line_end(at + blanks).1;
                    lines += 1;
                }
                Some(_) => return (at, lines),
            }
        }
    }

    const fn is_blank(&self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | 0x0b | 0x0c) && byte != self.dialect.delimiter
            || (byte == b'\r' && !self.dialect.bare_cr)
    }

    /// The end of the line that `from` is on: without and with what ends it.
    pub(in crate::data) fn line_end(&self, from: usize) -> (usize, usize) {
        let rest = self.rest(from);
        let found = if self.dialect.bare_cr { memchr2(b'\n', b'\r', rest) } else { memchr(b'\n', rest) };
        found.map_or((self.body.len(), self.body.len()), |found| self.past_line_end(from, from + found))
    }

    /// The end of a plain cell's text, and the start of what comes behind it.
    fn end_of_plain(&self, from: usize) -> (usize, usize) {
        let rest = self.rest(from);
        let found = if self.dialect.bare_cr {
            memchr3(self.dialect.delimiter, b'\n', b'\r', rest)
        } else {
            memchr2(self.dialect.delimiter, b'\n', rest)
        };
        match found.map(|found| from + found) {
            Some(end) if self.body.get(end) == Some(&self.dialect.delimiter) => (end, end + 1),
            Some(end) => self.past_line_end(from, end),
            None => {
                let end = self.body.len();
                (end - usize::from(end > from && self.body.last() == Some(&b'\r')), end)
            }
        }
    }

    /// The same for the line feed or carriage return at `at`, in a cell that starts at `from`.
    fn past_line_end(&self, from: usize, at: usize) -> (usize, usize) {
        match (self.body.get(at), self.body.get(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => (at, at + 2),
            (Some(b'\n'), _) if at > from && self.body.get(at - 1) == Some(&b'\r') => (at - 1, at + 1),
            _ => (at, at + 1),
        }
    }

    /// The quote that closes the one before `from`.
    fn closing_quote(&self, from: usize) -> Quoted {
        let (mut at, mut escaped) = (from, false);
        loop {
            let found = match self.dialect.quoting {
                Quoting::Backslash => memchr2(b'"', b'\\', self.rest(at)),
                _ => memchr(b'"', self.rest(at)),
            };
            let Some(found) = found.map(|found| at + found) else { return Quoted::Open };
            let is_escape = self.body.get(found) == Some(&b'\\');
            if !is_escape && self.body.get(found + 1) != Some(&b'"') {
                return Quoted::Closed(found, escaped);
            }
            (at, escaped) = (found + 2, true);
        }
    }

    /// Behind a closing quote a cell must end, blanks passed over: where the next begins, and whether the record
    /// ends here too.
    fn end_behind_quote(&self, from: usize) -> Option<(usize, bool)> {
        let blanks = self.rest(from).iter().take_while(|byte| **byte == b' ').count();
        let at = from + blanks;
        match (self.body.get(at), self.body.get(at + 1)) {
            (None, _) => Some((at, true)),
            (Some(byte), _) if *byte == self.dialect.delimiter => Some((at + 1, false)),
            (Some(b'\n'), _) => Some((at + 1, true)),
            (Some(b'\r'), Some(b'\n')) => Some((at + 2, true)),
            (Some(b'\r'), next) if self.dialect.bare_cr || next.is_none() => Some((at + 1, true)),
            _ => None,
        }
    }

    /// A record that breaks off at the quote at `quote`.
    fn below(&self, quote: usize, open: Record) -> Record {
        let (end, next) = self.line_end(quote);
        Record { end: next, line_ends: open.line_ends + usize::from(next > end), ..open }
    }

    fn count_line_ends(&self, bytes: &[u8]) -> usize {
        let feeds = memchr_iter(b'\n', bytes).count();
        if !self.dialect.bare_cr {
            return feeds;
        }
        feeds + memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count()
    }

    fn rest(&self, from: usize) -> &'a [u8] {
        self.body.get(from..).unwrap_or_default()
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.body.get(from..to).unwrap_or_default()
    }
}

/// Appends a cell's text, escapes resolved.
pub(in crate::data) fn unescape(cell: RawCell, quoting: Quoting, out: &mut Vec<u8>) {
    if !cell.escaped {
        return out.extend_from_slice(cell.bytes);
    }
    let mut rest = cell.bytes;
    loop {
        let found = match quoting {
            Quoting::Backslash => memchr2(b'"', b'\\', rest),
            _ => memchr(b'"', rest),
        };
        let Some((before, from)) = found.and_then(|at| rest.split_at_checked(at)) else {
            return out.extend_from_slice(rest);
        };
        out.extend_from_slice(before);
        match from {
            // A backslash before anything but a quote or another one is a backslash: `\n` stays as it is.
            [b'\\', next, ..] if !matches!(next, b'"' | b'\\') => out.extend_from_slice(&[b'\\', *next]),
            [_, next, ..] => out.push(*next),
            [lone] => out.push(*lone),
            [] => {}
        }
        rest = from.get(2..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every record as its cells, with the line it starts at.
    fn records(text: &str, dialect: Dialect) -> Vec<(usize, String)> {
        let scanner = Scanner::new(text.as_bytes(), dialect);
        let (mut at, mut line, mut found) = (0, 1, Vec::new());
        loop {
            let (start, blank) = scanner.skip_blank(at);
            line += blank;
            if start >= text.len() {
                return found;
            }
            let mut cells = Vec::new();
            let record = scanner.record(start, |_, raw| {
                let mut cell = Vec::new();
                unescape(raw, dialect.quoting, &mut cell);
                cells.push(String::from_utf8(cell).unwrap());
            });
            assert_eq!(record.cells, cells.len());
            let open = if record.is_open { "!" } else { "" };
            found.push((line, format!("{}{open}", cells.join("|"))));
            line += record.line_ends;
            at = record.end;
        }
    }

    fn commas(text: &str) -> Vec<(usize, String)> {
        records(text, Dialect::new(b',', Quoting::Doubled))
    }

    #[test]
    fn cells_end_where_they_should() {
        let found = commas("a,b\r\n\"x,\"\"y\"\"\r\nz\",\n\n  \n,\n\"in\" text,5\" pipe\r\n\"q\" ,\"\"");
        let expected = [(1, "a|b"), (2, "x,\"y\"\r\nz|"), (6, "|"), (7, "\"in\" text|5\" pipe"), (8, "q|")];
        assert_eq!(found, expected.map(|(line, cells)| (line, cells.to_owned())));
        assert_eq!(commas("a\r"), [(1, "a".to_owned())]);
        assert_eq!(commas("a\n\u{1a}"), [(1, "a".to_owned())]);
        assert_eq!(commas("\u{feff}\"a\",b"), [(1, "a|b".to_owned())]);
    }

    #[test]
    fn an_open_quote_ends_with_its_line() {
        let found = commas("a,\"b\nc,d\n\"e\nf\" g,h\ni,j\n\"k");
        // `c,d` and the rest are read anew; `f" g` is a cell of its own.
        let expected = [(1, "a!"), (2, "c|d"), (3, "!"), (4, "f\" g|h"), (5, "i|j"), (6, "!")];
        assert_eq!(found, expected.map(|(line, cells)| (line, cells.to_owned())));
    }

    #[test]
    fn other_quoting_and_other_line_ends() {
        let found = records("\"say \\\"hi\\\" \\n\",\"\\\\\"\n", Dialect::new(b',', Quoting::Backslash));
        assert_eq!(found, [(1, "say \"hi\" \\n|\\".to_owned())]);
        let found = records("\"a\tb\"\n", Dialect::new(b'\t', Quoting::Literal));
        assert_eq!(found, [(1, "\"a|b\"".to_owned())]);
        let old = Dialect { bare_cr: true, ..Dialect::new(b',', Quoting::Doubled) };
        let found = records("a,b\r\r\"c\rd\",e\r\nf,g\n", old);
        assert_eq!(found, [(1, "a|b".to_owned()), (3, "c\rd|e".to_owned()), (5, "f|g".to_owned())]);
    }
}
