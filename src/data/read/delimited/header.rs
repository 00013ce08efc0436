//! Whether the first record of a table names its columns, and what the columns are called.

use std::collections::{HashMap, HashSet};

use crate::data::labels::{is_invisible, number};

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

pub(in crate::data) fn is_usual_name(cell: &str) -> bool {
    // The header of a tab-separated file often begins with a number sign.
    let bare = clean_name(cell).trim_start_matches('#').trim().to_lowercase();
    USUAL_NAMES.contains(&bare.as_str())
}

/// A name without what cannot be seen around it.
pub(in crate::data) fn clean_name(cell: &str) -> &str {
    cell.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// Whether the first record names the columns.
pub(in crate::data) fn first_is_header(records: &[Vec<String>]) -> bool {
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
    if first.iter().any(|cell| is_number(cell)) {
        return false;
    }
    if let [only] = first.as_slice() {
        return names_a_lone_column(only, rest);
    }
    let names_numbers = first.iter().enumerate().any(|(column, cell)| {
        let mut filled = below(column).filter(|c| !c.trim().is_empty()).peekable();
        !cell.trim().is_empty() && filled.peek().is_some() && filled.all(|c| is_number(c))
    });
    names_numbers || !first.iter().any(|cell| reads_like_text(cell))
}

/// Whether a record of one cell is a name: one word, with texts of several below it.
fn names_a_lone_column(cell: &str, rest: &[Vec<String>]) -> bool {
    let words = |cell: &str| cell.split_whitespace().count();
    let is_word = |cell: &str| cell.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let texts = rest.iter().flatten().filter(|cell| words(cell) > 1).count();
    is_word(clean_name(cell)) && words(cell) == 1 && texts * 2 > rest.len()
}

fn is_number(cell: &str) -> bool {
    number(cell.trim()).is_some()
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

/// Names for columns: trimmed, numbered where there is none, and no two the same.
pub(in crate::data) fn column_names<'a>(header: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut taken: HashSet<String> = HashSet::new();
    // Where to go on counting: a header may repeat one name in every cell.
    let mut copies: HashMap<String, usize> = HashMap::new();
    for (index, cell) in header.enumerate() {
        let cell = clean_name(cell);
        let base = if cell.is_empty() { format!("column {}", index + 1) } else { cell.to_owned() };
        let mut name = base.clone();
        while !taken.insert(name.clone()) {
            crate::data::work::add(1);
            let copy = copies.entry(base.clone()).or_insert(1);
            *copy += 1;
            name = format!("{base} ({copy})");
        }
        names.push(name);
    }
    names
}
