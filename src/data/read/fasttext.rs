//! fastText: a text per line with its labels before it, or behind it, each beginning with `__label__`.

use super::Records;
use super::progress::Meter;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::table::{Column, Format, RowProblem};

/// What a label begins with.
const MARK: &str = "__label__";

/// Lines looked at to tell the format.
const SAMPLE_LINES: usize = 200;
/// Bytes looked at.
const SAMPLE_BYTES: usize = 256 << 10;
/// Bytes between two reports of progress.
const STRIDE: usize = 1 << 20;

/// True where most lines begin with a label, or end with one, and it is no cell of a table.
pub(in crate::data) fn looks_like(body: &[u8]) -> bool {
    let window = body.get(..SAMPLE_BYTES).unwrap_or(body);
    if memchr::memmem::find(window, MARK.as_bytes()).is_none() {
        return false;
    }
    let text = String::from_utf8_lossy(window);
    let (mut marked, mut seen) = (0_usize, 0_usize);
    for line in text.lines().map(|line| line.trim_start_matches('\u{feff}').trim()).take(SAMPLE_LINES) {
        let first = line.split_whitespace().next().unwrap_or_default();
        let last = line.split_whitespace().next_back().unwrap_or_default();
        seen += usize::from(!line.is_empty());
        marked += usize::from([first, last].iter().any(|word| is_label(word)));
    }
    seen > 0 && marked * 10 >= seen * 8
}

/// A label and nothing else: `__label__a,text` is the cell of a table.
fn is_label(word: &str) -> bool {
    word.strip_prefix(MARK).is_some_and(|name| !name.is_empty() && !name.contains([',', ';', '"']))
}

/// Reads all lines.
pub(in crate::data) fn read(body: &[u8], meter: &Meter) -> Result<Records, DataError> {
    let newline = if memchr::memchr(b'\n', body).is_some() { b'\n' } else { b'\r' };
    let (mut texts, mut rows, mut lines, mut problems) =
        (StrColumn::default(), Vec::new(), Vec::new(), Vec::new());
    let mut unreported = 0;
    for (raw, line) in body.split(|byte| *byte == newline).zip(1..) {
        unreported += raw.len() + 1;
        if unreported >= STRIDE {
            meter.advance(unreported)?;
            unreported = 0;
        }
        let text = match std::str::from_utf8(raw) {
            Ok(text) => text.trim_start_matches('\u{feff}').trim(),
            Err(error) => {
                let reason = format!("holds bytes that are not UTF-8, after byte {}", error.valid_up_to());
                problems.push(RowProblem { line, reason });
                continue;
            }
        };
        if text.is_empty() {
            continue;
        }
        let (labels, text) = parts(text);
        texts.push(Some(text));
        rows.push(labels);
        lines.push(line);
    }
    let has_several = rows.iter().any(|labels| labels.len() > 1);
    let mut cells = StrColumn::default();
    for labels in &rows {
        match labels.first() {
            None => cells.push(None),
            // Strings can always be written as JSON.
            Some(_) if has_several => cells.push(serde_json::to_string(labels).ok().as_deref()),
            Some(only) => cells.push(Some(only)),
        }
    }
    let name = if has_several { "labels" } else { "label" };
    let column = |name: &str, cells| Column { name: name.to_owned(), cells };
    Ok(Records {
        format: Format::FastText,
        has_header: false,
        columns: vec![column("text", texts), column(name, cells)],
        lines,
        problems,
        notes: vec!["The lines hold labels that begin with __label__, as fastText has them.".to_owned()],
    })
}

/// The labels before and behind a text, and the text.
fn parts(line: &str) -> (Vec<&str>, &str) {
    let (mut labels, mut rest) = (Vec::new(), line);
    while let Some(word) = rest.split_whitespace().next().filter(|word| word.starts_with(MARK)) {
        labels.push(word.strip_prefix(MARK).unwrap_or(word));
        rest = rest.get(word.len()..).unwrap_or_default().trim_start();
    }
    let before = labels.len();
    while let Some(word) = rest.split_whitespace().next_back().filter(|word| word.starts_with(MARK)) {
        labels.insert(before, word.strip_prefix(MARK).unwrap_or(word));
        rest = rest.get(..rest.len() - word.len()).unwrap_or_default().trim_end();
    }
    // Some write a comma between the labels and the text.
    let text = if before > 0 { rest.strip_prefix(',').map_or(rest, str::trim_start) } else { rest };
    labels.retain(|label| !label.is_empty());
    (labels, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::read::table_in_memory;

    #[test]
    fn labels_leave_the_texts() {
        let body = "\u{feff}__label__a __label__b one two\r\n\r\n__label__a\tthree\nfour\nfive six __label__c\n__label__b , seven\n__label__a 8";
        for name in ["a.txt", "a.train", "a.csv", "a"] {
            let table = table_in_memory(name, body.as_bytes()).unwrap();
            assert_eq!(table.facts.format, Format::FastText, "{name}");
            let cells = |name: &str| table.column(name).unwrap().cells.iter().collect::<Vec<_>>();
            let texts = ["one two", "three", "four", "five six", "seven", "8"].map(Some);
            assert_eq!(cells("text"), texts);
            let (a, b, c) = (Some("[\"a\"]"), Some("[\"b\"]"), Some("[\"c\"]"));
            assert_eq!(cells("labels"), [Some("[\"a\",\"b\"]"), a, None, c, b, a]);
            assert_eq!(table.lines, [1, 3, 4, 5, 6, 7]);
        }
        let one = table_in_memory("a.txt", b"__label__a one\n__label__b two\n").unwrap();
        assert_eq!(one.column("label").unwrap().cells.get(1), Some("b"));
        for text in ["label,text\n__label__a,one\n", "what __label__ means\nmore\n", "a\nb\n", ""] {
            assert!(!looks_like(text.as_bytes()), "{text:?}");
        }
    }
}
