//! What the columns of a `CoNLL` text are, judged from its first lines: which one holds the words, which one only
//! numbers them, and what the others are called.

use std::collections::{HashMap, HashSet};

use super::{comment, fields};
use crate::data::labels::spans::is_tag;

/// Bytes looked at.
const SAMPLE_BYTES: usize = 128 << 10;

/// Columns before the word that may name the document or number the words.
const MOST_LEADING: usize = 3;

/// The columns of CoNLL-U, by their names there.
const UNIVERSAL: [&str; 10] =
    ["ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"];

/// The universal parts of speech, which no other scheme has all of.
const PARTS_OF_SPEECH: [&str; 18] = [
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT",
    "SCONJ", "SYM", "VERB", "X", "_",
];

/// Names of the column of words, in a header or in CoNLL-U Plus.
const WORD_NAMES: [&str; 6] = ["form", "word", "words", "token", "tokens", "text"];

/// What the columns are.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Roles {
    /// Fields of a line, where the first lines agree.
    pub(super) width: Option<usize>,
    /// The column of the words.
    pub(super) word: usize,
    /// The column that numbers the words of a sentence.
    pub(super) index: Option<usize>,
    /// Names of the columns, where the text gives them.
    pub(super) names: Vec<String>,
    /// The text names its columns in its first line of words.
    pub(super) has_header: bool,
    /// The columns are those of CoNLL-U, of which the word and the parts of speech are read.
    pub(super) is_universal: bool,
}

impl Roles {
    /// Judges a text.
    pub(super) fn of(body: &[u8], is_universal: bool) -> Self {
        if is_universal {
            return Self { width: Some(10), word: 1, index: Some(0), is_universal, ..Self::default() };
        }
        let window = body.get(..SAMPLE_BYTES).unwrap_or(body);
        let text = String::from_utf8_lossy(window);
        let names = global_columns(&text);
        let sentences = sentences(&text, window.len() == body.len());
        let width = if names.is_empty() { usual_width(&sentences) } else { Some(names.len()) };
        let Some(width) = width.filter(|width| *width > 1) else { return Self::default() };
        let sentences: Vec<Vec<&Vec<&str>>> = sentences
            .iter()
            .map(|sentence| sentence.iter().filter(|line| line.len() == width).collect())
            .collect();
        if !names.is_empty() {
            let place = |wanted: &[&str]| {
                names.iter().position(|name| wanted.contains(&name.to_lowercase().as_str()))
            };
            let (word, index) = (place(&WORD_NAMES).unwrap_or(0), place(&["id"]));
            return Self { width: Some(width), word, index, names, ..Self::default() };
        }
        let header = header(&sentences);
        let index = (0..MOST_LEADING.min(width.saturating_sub(2))).find(|column| {
            (0..*column).all(|before| is_constant(&sentences, before))
                && counts_words(&sentences, *column, header.is_some())
        });
        let is_universal = width == UNIVERSAL.len() && index == Some(0) && has_parts_of_speech(&sentences);
        let names =
            header.map(|names| names.iter().map(|name| (*name).to_owned()).collect()).unwrap_or_default();
        let has_header = !Vec::is_empty(&names);
        let named = names.iter().position(|name: &String| WORD_NAMES.contains(&name.to_lowercase().as_str()));
        let word = named.unwrap_or_else(|| index.map_or(0, |index| index + 1));
        Self { width: Some(width), word, index, names, has_header, is_universal }
    }

    /// The fields that are kept, the word first.
    pub(super) fn order(&self, width: usize) -> Vec<usize> {
        if self.is_universal {
            return vec![1, 4, 3];
        }
        let others = (0..width).filter(|column| *column != self.word && Some(*column) != self.index);
        std::iter::once(self.word).chain(others).collect()
    }

    /// The name of a field that is kept, other than the word; `None` where the text has none for it.
    pub(super) fn name(&self, column: usize) -> Option<String> {
        let name = if self.is_universal { *UNIVERSAL.get(column)? } else { self.names.get(column)?.as_str() };
        let is_standard = UNIVERSAL.contains(&name);
        Some(if is_standard { name.to_lowercase() } else { name.to_owned() })
    }
}

/// True where every line has the ten columns of CoNLL-U.
pub(super) fn is_universal(text: &str) -> bool {
    Roles::of(text.as_bytes(), false).is_universal
}

/// `# global.columns = ID FORM UPOS EXAMPLE:NE`, the first line of CoNLL-U Plus.
fn global_columns(text: &str) -> Vec<String> {
    let comments =
        text.lines().map(|line| line.trim_start_matches('\u{feff}')).take_while(|line| line.starts_with('#'));
    let named = comments.filter_map(comment).find(|(key, _)| *key == "global.columns");
    named.map(|(_, names)| names.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

/// The lines of words, sentence by sentence; the last line is left out where it may be cut.
fn sentences(text: &str, is_whole: bool) -> Vec<Vec<Vec<&str>>> {
    let mut all = vec![Vec::new()];
    let mut lines: Vec<&str> = text.split(['\n', '\r']).collect();
    if !is_whole {
        lines.pop();
    }
    // A carriage return before a line feed leaves an empty line behind it, which ends no sentence.
    let with_returns = text.contains("\r\n");
    let mut empty = 0;
    for line in lines {
        let line = line.trim_start_matches('\u{feff}');
        let found = fields(line);
        if found.is_empty() {
            empty += 1;
            if !with_returns || empty > 1 {
                all.push(Vec::new());
            }
            continue;
        }
        empty = 0;
        let is_comment = line.starts_with('#') && !(line.contains('\t') && found.len() > 2);
        if !is_comment
            && !line.starts_with("-DOCSTART-")
            && let Some(sentence) = all.last_mut()
        {
            sentence.push(found);
        }
    }
    all.retain(|sentence| !sentence.is_empty());
    all
}

/// The number of fields that most lines have.
fn usual_width(sentences: &[Vec<Vec<&str>>]) -> Option<usize> {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    let lines = || sentences.iter().flatten();
    for line in lines() {
        *counts.entry(line.len()).or_default() += 1;
    }
    let (width, count) = counts.into_iter().max_by_key(|(width, count)| (*count, *width))?;
    (count * 2 > lines().count()).then_some(width)
}

/// The first line, where it names the columns and no word.
fn header<'a>(sentences: &[Vec<&Vec<&'a str>>]) -> Option<Vec<&'a str>> {
    let first = *sentences.first()?.first()?;
    let last = first.last()?;
    let repeated = sentences.iter().flatten().skip(1).any(|line| line.last() == Some(last));
    (names_columns(first) && !repeated).then(|| first.clone())
}

/// Whether a line names the columns: one of them that of the words, and none twice.
pub(super) fn names_columns(line: &[&str]) -> bool {
    let names: HashSet<String> = line.iter().map(|name| name.to_lowercase()).collect();
    let names_words = WORD_NAMES.iter().any(|name| names.contains(*name));
    let ends_with_tag = line.last().is_some_and(|last| is_tag(last));
    names_words && line.len() > 1 && names.len() == line.len() && !ends_with_tag
}

/// Whether a column holds the same in all lines of a sentence: the name of the document, the number of the sentence.
fn is_constant(sentences: &[Vec<&Vec<&str>>], column: usize) -> bool {
    sentences.iter().all(|sentence| {
        let mut cells = sentence.iter().map(|line| line.get(column));
        let first = cells.next().flatten();
        cells.all(|cell| cell == first)
    })
}

/// Whether a column numbers the words: from 0 or 1 in every sentence, or on through all of them. Numbers may lack
/// where a line is not as it should be.
fn counts_words(sentences: &[Vec<&Vec<&str>>], column: usize, has_header: bool) -> bool {
    let (mut steps, mut by_one, mut last) = (0_usize, 0_usize, None);
    for (place, sentence) in sentences.iter().enumerate() {
        let skipped = usize::from(has_header && place == 0);
        let mut before: Option<u64> = None;
        for cell in sentence.iter().skip(skipped).filter_map(|line| line.get(column)) {
            if is_between_words(cell) {
                continue;
            }
            let Ok(number) = cell.parse::<u64>() else { return false };
            match before {
                None if number <= 1 || last.is_some_and(|last: u64| number > last && number <= last + 2) => {}
                Some(before) if number > before => {
                    steps += 1;
                    by_one += usize::from(number == before + 1);
                }
                _ => return false,
            }
            before = Some(number);
        }
        last = before.or(last);
    }
    steps > 0 && by_one * 10 >= steps * 8
}

/// The number of several words in one, such as `3-4`, or of a word that was left out, such as `5.1`.
pub(super) fn is_between_words(id: &str) -> bool {
    id.split_once(['-', '.']).is_some_and(|(one, other)| {
        let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        are_digits(one) && are_digits(other)
    })
}

fn has_parts_of_speech(sentences: &[Vec<&Vec<&str>>]) -> bool {
    let cells = || sentences.iter().flatten().filter_map(|line| line.get(3));
    let known = cells().filter(|cell| PARTS_OF_SPEECH.contains(cell)).count();
    known > 0 && known * 10 >= cells().count() * 9
}
