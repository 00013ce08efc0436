//! `WebAnno` TSV 3, which `INCEpTION` writes as well: a word per line with its place in the text, and annotations that
//! may take several words.

use super::TOKENS;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::read::Records;
use crate::data::read::progress::Meter;
use crate::data::table::{Column, Format, RowProblem};

/// How such a file begins, up to the number of the version.
const MARK: &str = "#FORMAT=WebAnno TSV 3";

/// Most features of all layers; a damaged file may name any number.
const MOST_FEATURES: usize = 200;

/// True for a text that says that it is one.
pub(super) fn is_it(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.starts_with(MARK.as_bytes())
}

/// A sentence: its words, and per feature the value of every word.
#[derive(Default)]
struct Sentence {
    line: u64,
    words: Vec<String>,
    values: Vec<Vec<String>>,
    problem: Option<RowProblem>,
}

struct Reader {
    /// Names of the features of layers of spans; `None` for columns that point at other words.
    features: Vec<Option<String>>,
    sentence: Sentence,
    words: StrColumn,
    /// Per feature a list of tags per sentence.
    tags: Vec<StrColumn>,
    /// Per feature whether any word has a value.
    used: Vec<bool>,
    lines: Vec<u64>,
    problems: Vec<RowProblem>,
    /// Annotations of parts of words, which tags of words cannot hold.
    parts_of_words: usize,
}

/// Reads all sentences: every feature of a layer of spans becomes a column of `B-` and `I-` tags.
pub(super) fn read(body: &[u8], meter: &Meter) -> Result<Records, DataError> {
    let text = String::from_utf8_lossy(body);
    let features = features(&text);
    let mut all = Reader {
        sentence: Sentence::default(),
        words: StrColumn::default(),
        tags: vec![StrColumn::default(); features.len()],
        used: vec![false; features.len()],
        lines: Vec::new(),
        problems: Vec::new(),
        parts_of_words: 0,
        features,
    };
    for (line, number) in text.lines().zip(1..) {
        all.line(number, line.trim_end_matches('\r'));
    }
    all.end();
    meter.advance(body.len())?;
    Ok(all.finish())
}

/// The features in the order of their columns, which `#T_SP=layer|feature|feature` lines name; those of relations and
/// chains are columns, too, but hold no labels of words.
fn features(text: &str) -> Vec<Option<String>> {
    let mut all = Vec::new();
    for line in text.lines().take_while(|line| line.starts_with('#') || line.trim().is_empty()) {
        let Some((kind, layer)) = line.trim_start_matches('\u{feff}').split_once('=') else { continue };
        if !matches!(kind, "#T_SP" | "#T_RL" | "#T_CH") {
            continue;
        }
        let mut parts = layer.trim().split('|');
        let name = parts.next().unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or(name);
        let features: Vec<&str> = parts.filter(|feature| !feature.is_empty()).collect();
        let is_span = kind == "#T_SP";
        // A layer without features has a column of stars; relations have one more, of the word they start at.
        if features.is_empty() {
            all.push(is_span.then(|| name.to_owned()));
        }
        for feature in &features {
            let is_label = is_span && !feature.starts_with("BT_") && !feature.starts_with("ROLE_");
            let feature = feature.rsplit(['.', ':']).next().unwrap_or(feature);
            all.push(is_label.then(|| format!("{name}.{feature}")));
        }
        all.truncate(MOST_FEATURES);
    }
    all
}

impl Reader {
    fn line(&mut self, number: u64, line: &str) {
        if line.trim().is_empty() {
            return self.end();
        }
        if line.starts_with('#') {
            return;
        }
        let mut fields = line.split('\t');
        let (Some(id), Some(_place), Some(word)) = (fields.next(), fields.next(), fields.next()) else {
            let reason = "has no number, place and word with tabs between them".to_owned();
            self.sentence.problem.get_or_insert(RowProblem { line: number, reason });
            return;
        };
        let values: Vec<&str> = fields.collect();
        // `1-3.1` is a part of the word `1-3`.
        if id.split_once('-').is_some_and(|(_, token)| token.contains('.')) {
            self.parts_of_words += usize::from(values.iter().any(|value| !matches!(*value, "_" | "*" | "")));
            return;
        }
        if self.sentence.words.is_empty() {
            self.sentence.line = number;
        }
        self.sentence.words.push(plain(word));
        self.sentence.values.resize(self.features.len(), Vec::new());
        for (feature, column) in self.sentence.values.iter_mut().enumerate() {
            column.push(values.get(feature).copied().unwrap_or("_").to_owned());
        }
    }

    fn end(&mut self) {
        let sentence = std::mem::take(&mut self.sentence);
        if let Some(problem) = sentence.problem {
            return self.problems.push(problem);
        }
        if sentence.words.is_empty() {
            return;
        }
        // Strings can always be written as JSON.
        self.words.push(serde_json::to_string(&sentence.words).ok().as_deref());
        for ((column, values), used) in self.tags.iter_mut().zip(&sentence.values).zip(&mut self.used) {
            let tags = tags(values);
            *used |= tags.iter().any(|tag| tag != "O");
            column.push(serde_json::to_string(&tags).ok().as_deref());
        }
        self.lines.push(sentence.line);
    }

    fn finish(self) -> Records {
        let mut notes = vec!["The file is a WebAnno TSV: annotations are read as tags of words.".to_owned()];
        if self.parts_of_words > 0 {
            notes.push(format!(
                "{} on parts of words left out: a tag holds for a whole word.",
                match self.parts_of_words {
                    1 => "1 annotation is".to_owned(),
                    many => format!("{many} annotations are"),
                }
            ));
        }
        let mut columns = vec![Column { name: TOKENS.to_owned(), cells: self.words }];
        for ((name, cells), used) in self.features.into_iter().zip(self.tags).zip(self.used) {
            let Some(mut name) = name.filter(|_| used) else { continue };
            while columns.iter().any(|column| column.name == name) {
                name.push_str(" (2)");
            }
            columns.push(Column { name, cells });
        }
        Records {
            format: Format::Conll,
            has_header: false,
            columns,
            lines: self.lines,
            problems: self.problems,
            notes,
        }
    }
}

/// Tags of a sentence's words from the values of a feature: `PER[1]` goes on while its number does, `PER` is an
/// annotation of one word, and of several on a word the first is read.
fn tags(values: &[String]) -> Vec<String> {
    let mut tags = Vec::with_capacity(values.len());
    let mut before: Option<String> = None;
    for value in values {
        let Some((kind, number)) = first_annotation(value) else {
            tags.push("O".to_owned());
            before = None;
            continue;
        };
        let goes_on = number.is_some() && number == before;
        tags.push(format!("{}-{kind}", if goes_on { "I" } else { "B" }));
        before = number;
    }
    tags
}

/// The kind of the first annotation of a cell, and its number where it may take several words; `None` where the word
/// has none, or one without a value.
fn first_annotation(cell: &str) -> Option<(String, Option<String>)> {
    let first = parts(cell, '|').into_iter().next().unwrap_or_default();
    let is_none = matches!(first.as_str(), "" | "_" | "*") || first.starts_with("*[");
    if is_none {
        return None;
    }
    let is_numbered =
        |rest: &str| rest.strip_suffix(']').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    Some(match first.rsplit_once('[') {
        Some((kind, rest)) if is_numbered(rest) && !kind.ends_with('\\') => {
            (plain(kind), Some(rest.trim_end_matches(']').to_owned()))
        }
        _ => (plain(&first), None),
    })
}

/// A cell cut at a sign that no backslash stands before.
fn parts(cell: &str, sign: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_escaped = false;
    for c in cell.chars() {
        if c == sign && !is_escaped {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts
}

/// A value without the backslashes before signs that mean something in the format.
fn plain(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(next @ ('[' | ']' | '|' | '_' | '-' | '>' | ';' | '*' | '\\'))) => {
                text.push(*next);
                chars.next();
            }
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_of_several_words_are_joined_by_their_number() {
        let tags =
            |values: &[&str]| tags(&values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>()).join(" ");
        assert_eq!(tags(&["PER[1]", "PER[1]", "_", "LOC", "LOC"]), "B-PER I-PER O B-LOC B-LOC");
        assert_eq!(tags(&["PER[1]", "PER[2]", "*", "A[3]|B[4]"]), "B-PER B-PER O B-A");
        assert_eq!(tags(&["\\_", "a\\|b", "x\\[1\\]"]), "B-_ B-a|b B-x[1]");
    }
}
