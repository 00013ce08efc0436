//! How delimited text is written: the byte between cells, whether quotes quote, whether names come first.
//!
//! Everything here reads a sample and gives an opinion; nothing is changed.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder};

/// Bytes looked at.
const SAMPLE_BYTES: usize = 256 << 10;
/// Records looked at.
const SAMPLE_RECORDS: usize = 500;

/// The first records of a text, as the delimiter at hand cuts them; blank lines left out.
pub(super) fn sample(body: &[u8], delimiter: u8, quoting: bool) -> Vec<Vec<String>> {
    let whole = body.len() <= SAMPLE_BYTES;
    let window = body.get(..SAMPLE_BYTES).unwrap_or(body);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(quoting)
        .from_reader(window);
    let (mut records, mut record) = (Vec::new(), ByteRecord::new());
    while records.len() < SAMPLE_RECORDS && reader.read_byte_record(&mut record).unwrap_or(false) {
        let cells: Vec<String> =
            record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
        if cells.len() > 1 || cells.iter().any(|cell| !cell.trim().is_empty()) {
            records.push(cells);
        }
    }
    let cut_off = !whole && records.len() < SAMPLE_RECORDS;
    if cut_off && records.len() > 1 {
        records.pop();
    }
    records
}

/// The byte between cells: the one that cuts the records into equally many, quoted cells kept whole.
pub(super) fn delimiter(extension: &str, body: &[u8]) -> u8 {
    let candidates = match extension {
        "tsv" | "tab" => [b'\t', b',', b';', b'|'],
        _ => [b',', b'\t', b';', b'|'],
    };
    let window = body.get(..SAMPLE_BYTES).unwrap_or(body);
    let mut best: Option<(f64, u8)> = None;
    let mut lone = None;
    for candidate in candidates {
        let quoting = !quotes_are_literal(window, candidate);
        let records = sample(body, candidate, quoting);
        let widths: Vec<usize> = records.iter().map(Vec::len).collect();
        if widths.iter().all(|width| *width == 1) {
            lone = lone.or(Some(candidate));
        }
        let mut score = consistency(&widths);
        // Usual names side by side are a header, however ragged the rows below.
        let first = records.first().map(Vec::as_slice).unwrap_or_default();
        if first.len() > 1 && first.iter().filter(|cell| is_usual_name(cell)).count() * 2 > first.len() {
            score = CONSISTENT + (1.0 - CONSISTENT) * score;
        }
        if score > best.map_or(0.0, |(score, _)| score) {
            best = Some((score, candidate));
        }
    }
    match best {
        Some((score, candidate)) if score >= CONSISTENT => candidate,
        // One column: a byte that cuts nothing.
        _ => lone.unwrap_or(ONE_COLUMN),
    }
}

/// Share of equally wide records from which on cells, and not commas in prose, are believed in.
const CONSISTENT: f64 = 0.6;

/// ASCII's own unit separator: for plain lines, in which every usual delimiter is a character of the text.
const ONE_COLUMN: u8 = 0x1f;

/// Share of the records that are as wide as the first one, which mostly is the header. Where the first one is
/// odd, the most frequent width speaks, with half its weight.
fn consistency(widths: &[usize]) -> f64 {
    let share =
        |width: usize| widths.iter().filter(|w| **w == width).count() as f64 / widths.len().max(1) as f64;
    match widths.first() {
        Some(first) if *first > 1 => share(*first).max(share(usual_width(widths)) / 2.0),
        _ => 0.0,
    }
}

/// The most frequent number of cells; the larger one of two as frequent.
pub(super) fn usual_width(widths: &[usize]) -> usize {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for width in widths {
        *counts.entry(*width).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(0, |(width, _)| width)
}

/// True when quotes in a tab-separated text are ordinary characters, as in GLUE: cells begin with one, and what
/// follows its partner is no end of a cell.
pub(super) fn quotes_are_literal(body: &[u8], delimiter: u8) -> bool {
    if delimiter != b'\t' {
        return false;
    }
    let (mut proper, mut broken) = (0_usize, 0_usize);
    let mut state = Cell::Start;
    for byte in body {
        state = match (state, *byte) {
            (Cell::Quoted, b'"') => Cell::AfterQuote,
            (Cell::Start | Cell::AfterQuote, b'"') | (Cell::Quoted, _) => Cell::Quoted,
            (Cell::AfterQuote, b'\t' | b'\r' | b'\n') => {
                proper += 1;
                Cell::Start
            }
            (Cell::AfterQuote, _) => {
                broken += 1;
                Cell::Plain
            }
            (_, b'\t' | b'\r' | b'\n') => Cell::Start,
            _ => Cell::Plain,
        };
    }
    match state {
        Cell::Quoted => broken += 1,
        Cell::AfterQuote => proper += 1,
        Cell::Start | Cell::Plain => {}
    }
    broken > 0 && broken * 2 >= proper
}

/// Where in a cell a scan stands.
#[derive(Clone, Copy, PartialEq)]
enum Cell {
    Start,
    Plain,
    Quoted,
    AfterQuote,
}

/// True when a record breaks off inside a quoted cell, or goes on behind one without a delimiter: its quotes
/// then are not where whoever wrote it meant them to be.
pub(super) fn is_badly_quoted(record: &[u8], delimiter: u8) -> bool {
    let mut state = Cell::Start;
    for byte in record.trim_ascii_end() {
        state = match (state, *byte) {
            (Cell::Quoted, b'"') => Cell::AfterQuote,
            (Cell::Start | Cell::AfterQuote, b'"') | (Cell::Quoted, _) => Cell::Quoted,
            (_, other) if other == delimiter => Cell::Start,
            (Cell::AfterQuote, _) => return true,
            _ => Cell::Plain,
        };
    }
    state == Cell::Quoted
}

/// Names that columns usually have. A record that holds one is a header, unless the same word stands below it.
const USUAL_NAMES: &[&str] = &[
    "text",
    "sentence",
    "content",
    "review",
    "document",
    "utterance",
    "question",
    "message",
    "comment",
    "tweet",
    "query",
    "answer",
    "title",
    "body",
    "label",
    "labels",
    "label_text",
    "target",
    "class",
    "category",
    "intent",
    "topic",
    "sentiment",
    "emotion",
    "score",
    "rating",
    "stars",
    "domain",
    "id",
    "idx",
    "index",
    "split",
    "set",
    "fold",
    "sentence1",
    "sentence2",
    "premise",
    "hypothesis",
    "anchor",
    "tokens",
    "tags",
    "ner_tags",
    "source",
    "date",
    "url",
    "author",
    "name",
    "language",
    "lang",
];

fn is_usual_name(cell: &str) -> bool {
    USUAL_NAMES.contains(&cell.trim().to_lowercase().as_str())
}

/// Whether the first record names the columns.
pub(super) fn first_is_header(records: &[Vec<String>]) -> bool {
    let Some((first, rest)) = records.split_first() else {
        return false;
    };
    if first.iter().all(|cell| is_usual_name(cell)) {
        return true;
    }
    let below = |column: usize| rest.iter().filter_map(move |record| record.get(column));
    let repeated =
        first.iter().enumerate().any(|(column, cell)| !cell.is_empty() && below(column).any(|c| c == cell));
    if repeated {
        return false;
    }
    if first.iter().any(|cell| is_usual_name(cell)) {
        return true;
    }
    let numeric = |cell: &str| cell.trim().parse::<f64>().is_ok();
    if first.iter().any(|cell| numeric(cell)) {
        return false;
    }
    let names_numbers = first.iter().enumerate().any(|(column, cell)| {
        let mut filled = below(column).filter(|c| !c.trim().is_empty()).peekable();
        !cell.trim().is_empty() && filled.peek().is_some() && filled.all(|c| numeric(c))
    });
    names_numbers || !first.iter().any(|cell| reads_like_text(cell))
}

/// A cell that is longer or more of a sentence than a column's name.
fn reads_like_text(cell: &str) -> bool {
    let cell = cell.trim();
    let words = cell.split_whitespace().count();
    words >= 5
        || cell.len() > 60
        || cell.contains('\n')
        || (words >= 2 && cell.ends_with(['.', '!', '?', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(body: &str) -> bool {
        first_is_header(&sample(body.as_bytes(), b',', true))
    }

    #[test]
    fn the_delimiter_is_the_one_that_cuts_evenly() {
        let cases: [(&str, &str, u8); 9] = [
            ("csv", "text,label\n\"a; b; c\",x\n\"d, e\",y\n", b','),
            ("csv", "text;label\nfirst, of two, things;x\nplain;y\n", b';'),
            ("csv", "text\tlabel\none, two\tx\nthree\ty\n", b'\t'),
            ("txt", "text|label\na, b|x\nc|y\n", b'|'),
            ("tsv", "a,b\tc,d\ne,f\tg,h\n", b'\t'),
            ("csv", "\"over\nlines, with; all\",x\nshort,y\n", b','),
            ("txt", "Hello, world.\nNo comma here.\nOne, two, three.\n", b'\t'),
            ("txt", "a\tb; c, d | e\nplain\nf, g, h\nplain, too\n", ONE_COLUMN),
            ("csv", "text,label\nno label here\nnor here\nnor, perhaps, here\n", b','),
        ];
        for (extension, body, expected) in cases {
            assert_eq!(char::from(delimiter(extension, body.as_bytes())), char::from(expected), "{body:?}");
        }
    }

    #[test]
    fn a_header_is_told_from_a_first_row() {
        assert!(header("text,label\ngood,1\n"));
        assert!(header(" Text ,DEPARTMENT\nnice top,tops\nok,tops\n"));
        assert!(header("utt,klass\nhello there my good old friend,greet\n"));
        assert!(header(",message,kind\n0,hi,a\n1,ho,b\n"), "the index column of pandas has no name");
        assert!(header("alpha,beta\n1,2\n3,4\n"));
        assert!(!header("Can I get the movie times,Search\nwhat is on,Weather\nand this,Search\n"));
        assert!(!header("great movie,positive\nawful,negative\nfine,positive\n"));
        assert!(!header("What would you ask her?,question\nGo there.,order\nWhy is that?,question\n"));
        assert!(!header("0,hello\n1,there\n"));
        assert!(header("text,label\n"), "nothing below it");
    }

    #[test]
    fn literal_quotes_are_told_from_quoting() {
        let literal = "sentence\tlabel\n\"Hello\" he said\t1\n\"never closed\t0\n";
        let quoted = "sentence\tlabel\n\"Hello \"\"you\"\"\"\t1\n\"over\nlines\"\t0\n";
        assert!(quotes_are_literal(literal.as_bytes(), b'\t'));
        assert!(!quotes_are_literal(quoted.as_bytes(), b'\t'));
        assert!(!quotes_are_literal(b"a 5\" pipe\t1\nb\t0\n", b'\t'), "a quote inside a cell harms nobody");
    }
}
