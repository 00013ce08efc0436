//! Which of the usual layouts a JSON text has, and where its records stand.
//!
//! Places are found by counting brackets; whether a record is valid is for whoever reads it to say.

use std::path::Path;

use memchr::{memchr, memchr2};
use serde_json::Value;

use super::whole::Whole;
use crate::data::dataset::Split;
use crate::data::split::{split_of_name, split_of_word};

/// Where the records are.
pub(in crate::data) enum Layout {
    /// One per line.
    Lines,
    /// In a list.
    Elements(Elements),
    /// Spread over the text, which is small enough to be read at once.
    Whole(Whole),
}

/// Records that stand apart.
#[derive(Debug, Default, PartialEq)]
pub(in crate::data) struct Elements {
    /// First byte of each, and the byte behind it.
    pub(in crate::data) spans: Vec<(usize, usize)>,
    /// What the user should know of how they were found.
    pub(in crate::data) note: Option<String>,
    /// Where the list of each split begins, in order; empty where there is one list only.
    pub(in crate::data) splits: Vec<(usize, String)>,
    /// The lists are named after labels and not after splits.
    pub(in crate::data) are_labels: bool,
    /// A record is a list of a text and its label.
    pub(in crate::data) are_pairs: bool,
}

/// Lines that are looked at to tell lines from a text.
const SAMPLE_LINES: usize = 50;

/// Names of lists of records in an object, the likeliest first.
const LIST_NAMES: [&str; 9] =
    ["data", "rows", "examples", "records", "items", "instances", "results", "documents", "train"];

/// Keys of a record that hold its text: of several lists the one whose records have one is meant.
const TEXT_KEYS: [&str; 12] = [
    "text",
    "sentence",
    "content",
    "utterance",
    "review",
    "question",
    "message",
    "comment",
    "tweet",
    "query",
    "body",
    "premise",
];

/// Objects within objects in which a list of records is looked for.
const MOST_DEPTH: usize = 4;

/// Whether a text is records in lines, as its first lines tell.
pub(in crate::data) fn is_surely_lines(body: &[u8], are_lines: bool) -> bool {
    body.get(skip_blank(body, 0)) != Some(&b'[') && looks_like_lines(body, are_lines)
}

/// Tells the layout of a text.
pub(in crate::data) fn layout_of(body: &[u8], are_lines: bool) -> Layout {
    let start = skip_blank(body, 0);
    let is_list = body.get(start) == Some(&b'[');
    if !is_list && looks_like_lines(body, are_lines) {
        return Layout::Lines;
    }
    let end = value_end(body, start);
    let behind = skip_separators(body, end);
    if is_list {
        if behind < body.len() {
            return Layout::Lines;
        }
        return of_list(body, start);
    }
    if behind < body.len() {
        // Objects of several lines, one behind the other.
        return Layout::Elements(Elements { spans: values(body, start), ..Elements::default() });
    }
    of_object(body, start)
}

/// Most lines that begin an object also end it, and there are several, unless one is said to be enough. In a list
/// inside an object they do too, but with commas behind, and the first line does not.
fn looks_like_lines(body: &[u8], one_is_enough: bool) -> bool {
    let newline = if memchr(b'\n', body).is_some() { b'\n' } else { b'\r' };
    let lines = body.split(|byte| *byte == newline).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let (mut seen, mut begun, mut whole, mut with_comma, mut first_is_whole) = (0, 0, 0, 0, false);
    for line in lines.take(SAMPLE_LINES) {
        seen += 1;
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.starts_with(b"{") {
            begun += 1;
            whole += usize::from(line.ends_with(b"}"));
            with_comma += usize::from(line.ends_with(b"},"));
            first_is_whole |= seen == 1 && (line.ends_with(b"}") || line.ends_with(b"},"));
        }
    }
    let most = if first_is_whole { (whole + with_comma) * 2 > begun } else { whole * 2 > begun };
    most && begun > 0 && (seen > 1 || one_is_enough)
}

fn of_list(body: &[u8], start: usize) -> Layout {
    let spans = values(body, start + 1);
    match spans.first().and_then(|(from, _)| body.get(*from)) {
        // Lists of cells, and bare texts.
        Some(b'[' | b'"') => whole(body).map_or_else(Layout::Elements, Layout::Whole),
        _ => Layout::Elements(Elements { spans, ..Elements::default() }),
    }
    .or_elements(body, start)
}

impl Layout {
    /// A text that cannot be read at once is read element by element, so that what is wrong has a place.
    fn or_elements(self, body: &[u8], start: usize) -> Self {
        match self {
            Self::Elements(found) if found.spans.is_empty() => {
                Self::Elements(Elements { spans: values(body, start + 1), ..found })
            }
            other => other,
        }
    }
}

fn whole(body: &[u8]) -> Result<Whole, Elements> {
    let value = serde_json::from_slice::<Value>(body).ok();
    value.and_then(Whole::of).ok_or_else(Elements::default)
}

/// One object: a list of records in it, columns, or a record.
fn of_object(body: &[u8], start: usize) -> Layout {
    let fields = fields(body, start);
    let mut lists: Vec<&(String, usize)> =
        fields.iter().filter(|(_, from)| is_list_of_records(body, *from)).collect();
    if lists.is_empty() {
        if let Some(pairs) = of_pairs(body, &fields) {
            return Layout::Elements(pairs);
        }
        let one = || Elements { spans: vec![(start, value_end(body, start))], ..Elements::default() };
        let apart = |_| Layout::Elements(of_nested(body, start).unwrap_or_else(one));
        return whole(body).map_or_else(apart, Layout::Whole);
    }
    let are_splits = lists.len() > 1 && lists.iter().all(|(name, _)| split_of_word(name).is_some());
    if are_splits {
        let spans = lists.iter().flat_map(|(_, from)| values(body, from + 1)).collect();
        let splits = lists.iter().map(|(name, from)| (*from, name.clone())).collect();
        return Layout::Elements(Elements { spans, splits, ..Elements::default() });
    }
    // Lists of records that are alike, one for each label.
    if lists.len() > 1 && lists.len() == fields.len() && are_alike(body, &lists) {
        let spans = lists.iter().flat_map(|(_, from)| values(body, from + 1)).collect();
        let names: Vec<String> = lists.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let note = format!(
            "The records are the lists {}; the name of a record's list is its label.",
            names.join(", ")
        );
        let splits = lists.iter().map(|(name, from)| (*from, name.clone())).collect();
        return Layout::Elements(Elements {
            spans,
            note: Some(note),
            splits,
            are_labels: true,
            are_pairs: false,
        });
    }
    lists.sort_by_cached_key(|(name, from)| likelihood(body, name, *from));
    let Some((name, from)) = lists.first() else { return Layout::Lines };
    let others: Vec<String> =
        fields.iter().filter(|(other, _)| other != name).map(|(other, _)| format!("\"{other}\"")).collect();
    Layout::Elements(list_of(body, name, *from, &others))
}

/// The records of a list, and what is not read.
fn list_of(body: &[u8], name: &str, from: usize, others: &[String]) -> Elements {
    let note = match others.len() {
        0 => format!("The records are the list \"{name}\"."),
        _ => format!("The records are the list \"{name}\"; not read: {}.", others.join(", ")),
    };
    Elements { spans: values(body, from + 1), note: Some(note), ..Elements::default() }
}

/// A list whose first value is an object, or a text with an object behind it.
fn is_list_of_records(body: &[u8], from: usize) -> bool {
    if body.get(from) != Some(&b'[') {
        return false;
    }
    let first = skip_separators(body, from + 1);
    // Some begin with nothing.
    let first = if body.get(first..).is_some_and(|rest| rest.starts_with(b"null")) {
        skip_separators(body, first + 4)
    } else {
        first
    };
    match body.get(first) {
        Some(b'{') => true,
        Some(b'[') => {
            let text = skip_blank(body, first + 1);
            let behind = skip_separators(body, value_end(body, text));
            body.get(text) == Some(&b'"') && body.get(behind) == Some(&b'{')
        }
        _ => false,
    }
}

/// Lists of texts with their labels, one for each split: `{"train": [["text", "label"], ..], "val": [..]}`.
fn of_pairs(body: &[u8], fields: &[(String, usize)]) -> Option<Elements> {
    let split = |name: &str| split_of_name(Path::new(&format!("{name}.json"))).map(Split::name);
    let is_pair = |from: usize| {
        let record = skip_blank(body, from + 1);
        let text = skip_blank(body, record + 1);
        let label = skip_separators(body, value_end(body, text));
        let end = skip_blank(body, value_end(body, label));
        body.get(record) == Some(&b'[')
            && [text, label].iter().all(|at| body.get(*at) == Some(&b'"'))
            && body.get(end) == Some(&b']')
    };
    let are_all = fields.iter().all(|(name, from)| {
        let is_empty = body.get(skip_blank(body, from + 1)) == Some(&b']');
        body.get(*from) == Some(&b'[') && split(name).is_some() && (is_empty || is_pair(*from))
    });
    (are_all && fields.iter().any(|(_, from)| is_pair(*from))).then(|| Elements {
        spans: fields.iter().flat_map(|(_, from)| values(body, from + 1)).collect(),
        splits: fields.iter().filter_map(|(name, from)| Some((*from, split(name)?.to_owned()))).collect(),
        are_pairs: true,
        ..Elements::default()
    })
}

/// What puts the likeliest list of records first: records with a text, a usual name, many bytes.
fn likelihood(body: &[u8], name: &str, from: usize) -> (bool, usize, std::cmp::Reverse<usize>) {
    let last = name.rsplit('.').next().unwrap_or(name);
    let rank = LIST_NAMES.iter().position(|known| *known == last).unwrap_or(LIST_NAMES.len());
    let first = skip_separators(body, from + 1);
    let has_text = body.get(first) == Some(&b'[')
        || fields(body, first).iter().any(|(key, _)| TEXT_KEYS.contains(&key.to_lowercase().as_str()));
    (!has_text, rank, std::cmp::Reverse(value_end(body, from) - from))
}

/// Whether the first records of lists have the same keys.
fn are_alike(body: &[u8], lists: &[&(String, usize)]) -> bool {
    let keys = |from: usize| -> Vec<String> {
        let mut keys: Vec<String> =
            fields(body, skip_separators(body, from + 1)).into_iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys
    };
    let mut all = lists.iter().map(|(_, from)| keys(*from));
    let first = all.next().unwrap_or_default();
    !first.is_empty() && all.all(|keys| keys == first)
}

/// The likeliest list of records in the objects of an object.
fn of_nested(body: &[u8], start: usize) -> Option<Elements> {
    let mut lists: Vec<(String, usize)> = Vec::new();
    let mut level = vec![(String::new(), start)];
    for _ in 0..MOST_DEPTH {
        let mut below = Vec::new();
        for (prefix, at) in level {
            for (key, from) in fields(body, at) {
                let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
                if is_list_of_records(body, from) {
                    lists.push((name, from));
                } else if body.get(from) == Some(&b'{') {
                    below.push((name, from));
                }
            }
        }
        // An object of thousands of objects is a table of rows.
        if !lists.is_empty() || below.is_empty() || below.len() > SAMPLE_LINES {
            break;
        }
        level = below;
    }
    lists.sort_by_cached_key(|(name, from)| likelihood(body, name, *from));
    let (name, from) = lists.first()?;
    let others: Vec<String> = lists.iter().skip(1).map(|(other, _)| format!("\"{other}\"")).collect();
    Some(list_of(body, name, *from, &others))
}

/// The keys of an object, and where their values begin.
fn fields(body: &[u8], start: usize) -> Vec<(String, usize)> {
    let (mut found, mut at) = (Vec::new(), start + 1);
    loop {
        at = skip_separators(body, at);
        if body.get(at) != Some(&b'"') {
            return found;
        }
        let end = value_end(body, at);
        let key = body.get(at..end).and_then(|key| serde_json::from_slice::<String>(key).ok());
        let colon = skip_blank(body, end);
        let (Some(key), Some(b':')) = (key, body.get(colon)) else { return found };
        let value = skip_blank(body, colon + 1);
        found.push((key, value));
        at = value_end(body, value).max(value + 1);
    }
}

/// The values from `at` on, up to a closing bracket or the end of the text.
fn values(body: &[u8], mut at: usize) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    loop {
        at = skip_separators(body, at);
        match body.get(at) {
            None | Some(b']' | b'}') => return spans,
            Some(_) => {
                let end = value_end(body, at).max(at + 1);
                spans.push((at, end));
                at = end;
            }
        }
    }
}

/// The byte behind the value that starts at `at`; the end of the text where it is not closed.
fn value_end(body: &[u8], at: usize) -> usize {
    match body.get(at) {
        Some(b'"') => string_end(body, at),
        Some(b'{' | b'[') => {
            let (mut at, mut depth) = (at, 0_usize);
            while let Some(byte) = body.get(at) {
                match byte {
                    b'"' => {
                        at = string_end(body, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return at;
                }
            }
            body.len()
        }
        _ => {
            let rest = body.get(at..).unwrap_or_default();
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
            rest.iter().position(ends).map_or(body.len(), |length| at + length)
        }
    }
}

fn string_end(body: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        let Some(found) = memchr2(b'"', b'\\', body.get(at..).unwrap_or_default()) else { return body.len() };
        at += found;
        match body.get(at) {
            Some(b'\\') => at = (at + 2).min(body.len()),
            _ => return at + 1,
        }
    }
}

fn skip_blank(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at.min(body.len()) + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn skip_separators(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at.min(body.len()) + rest.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        match layout_of(text.as_bytes(), false) {
            Layout::Lines => "lines".to_owned(),
            Layout::Whole(_) => "whole".to_owned(),
            Layout::Elements(Elements { spans, note, .. }) => {
                let elements: Vec<&str> =
                    spans.iter().map(|(from, to)| text.get(*from..*to).unwrap()).collect();
                format!("{}{}", elements.join(" "), note.map_or(String::new(), |note| format!(" ({note})")))
            }
        }
    }

    #[test]
    fn each_layout_is_told() {
        let one = "{\"a\": \"]}\\\"\"}";
        for (text, expected) in [
            (format!("{one}\n{one}\n"), "lines".to_owned()),
            (format!("{one},\n\n{one},\n"), "lines".to_owned()),
            (format!("{{\"a\": 1\n{one}\n{one}"), "lines".to_owned()),
            (format!(" [{one}, {one},]\n"), format!("{one} {one}")),
            (format!("[{one}, {{\"a\": 1"), format!("{one} {{\"a\": 1")),
            ("{\n \"a\": 1\n}\n{\n \"a\": 2\n}\n".to_owned(), "{\n \"a\": 1\n} {\n \"a\": 2\n}".to_owned()),
            (
                format!("{{\"version\": 1, \"data\": [{one}]}}"),
                format!("{one} (The records are the list \"data\"; not read: \"version\".)"),
            ),
            (
                format!("{{\"data\": [\n{one},\n{one}\n]}}"),
                format!("{one} {one} (The records are the list \"data\".)"),
            ),
            (format!("{{\"train\": [{one}], \"dev\": [{one}]}}"), format!("{one} {one}")),
            ("{\"a\": [1, 2], \"b\": [3, 4]}".to_owned(), "whole".to_owned()),
            ("[\"one\", \"two\"]".to_owned(), "whole".to_owned()),
            ("[1]\n[2]\n".to_owned(), "lines".to_owned()),
            ("{\"a\": 1, \"b\": [2]}".to_owned(), "{\"a\": 1, \"b\": [2]}".to_owned()),
        ] {
            assert_eq!(told(&text), expected, "{text}");
        }
    }

    #[test]
    fn broken_texts_end_somewhere() {
        for text in ["", "{", "[", "{\"", "[\"\\", "{\"a\":", "{\"a\":}", "[,,]", "[{]}", "{\"a\" 1}", "]"] {
            told(text);
        }
    }
}
