//! `CoNLL`: a word per line with its tags behind it, a blank line between sentences.
//!
//! Two columns or more, tabs or spaces, tags of any scheme; comments above a sentence are labels of the sentence.

use std::collections::HashSet;

use self::roles::{Roles, is_between_words};
use super::Records;
use super::progress::Meter;
use crate::data::column::StrColumn;
use crate::data::error::DataError;
use crate::data::labels::spans::is_tag;
use crate::data::table::{Column, Format, RowProblem};

mod roles;
mod webanno;

/// Name of the column of words.
const TOKENS: &str = "tokens";
/// Name of the column of the last tags.
const TAGS: &str = "tags";
/// Lines looked at to tell the format.
const SAMPLE_LINES: usize = 400;
/// Words looked at to tell which column holds the tags.
const SAMPLE_WORDS: usize = 5000;
/// Keys of comments that become columns.
const MOST_KEYS: usize = 40;
/// Bytes between two reports of progress.
const STRIDE: usize = 1 << 20;

/// Endings that say what is in a file.
pub(in crate::data) fn is_ending(ending: &str) -> bool {
    matches!(
        ending,
        "conll"
            | "conll2003"
            | "conll2002"
            | "conllu"
            | "conllup"
            | "cupt"
            | "bio"
            | "iob"
            | "iob2"
            | "bioes"
            | "iobes"
            | "bilou"
            | "ner"
    )
}

/// True where every line is a word with its tags behind it, and blank lines divide them.
///
/// Tags of the usual form give it away. Others do where most words have none of them (`O`, or the number 0), and one
/// word stands on every line.
pub(in crate::data) fn looks_like(body: &[u8]) -> bool {
    let window = body.get(..64 << 10).unwrap_or(body);
    let text = window.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let text = text.trim_start_matches('\u{feff}');
    if text.starts_with("-DOCSTART-") || webanno::is_it(window) {
        return true;
    }
    let (mut ends, mut rows, mut notes) = (0, Vec::new(), Vec::new());
    let lines: Vec<&str> = text.lines().take(SAMPLE_LINES).collect();
    // The last line may be cut.
    let whole = if window.len() == body.len() { lines.len() } else { lines.len().saturating_sub(1) };
    for line in lines.iter().take(whole) {
        let found = fields(line);
        if found.is_empty() {
            ends += 1;
        } else if line.starts_with('#') && !found.last().is_some_and(|tag| found.len() > 1 && is_tag(tag)) {
            notes.push((found, comment(line).is_some()));
        } else {
            rows.push(found);
        }
    }
    if rows.first().is_some_and(|row| roles::names_columns(row)) {
        rows.remove(0);
    }
    let Some(width) = rows.first().map(Vec::len) else { return false };
    let is_tagged = |row: &Vec<&str>| row.len() > 1 && row.last().is_some_and(|tag| is_tag(tag));
    let has_entity = || rows.iter().any(|row| row.last().is_some_and(|tag| tag.starts_with("B-")));
    let divided = ends > 0 && rows.len() > ends;
    // A number sign may be a word, too.
    let only_comments = notes.iter().all(|(found, is_comment)| *is_comment || found.len() != width);
    if rows.iter().all(is_tagged) && only_comments {
        let is_a_sentence = rows.len() > 2 && has_entity() && rows.iter().all(|row| is_word(row));
        return divided || is_a_sentence;
    }
    divided && (has_plain_tags(&rows, width) || width == 10 && roles::is_universal(text))
}

fn is_word(row: &[&str]) -> bool {
    row.first().is_some_and(|word| !word.contains(' '))
}

/// Whether lines of words end with kinds of entities (`O` for none), or with numbers of tags (0 for none).
fn has_plain_tags(rows: &[Vec<&str>], width: usize) -> bool {
    const FEWEST_WORDS: usize = 5;
    if width < 2 || rows.len() < FEWEST_WORDS || rows.iter().any(|row| row.len() != width) {
        return false;
    }
    let tags = || rows.iter().filter_map(|row| row.last().copied());
    let words = rows.iter().filter(|row| is_word(row)).count();
    let outside = tags().filter(|tag| *tag == "O").count();
    let zeros = tags().filter(|tag| *tag == "0").count();
    let are_numbers = tags().all(|tag| tag.bytes().all(|byte| byte.is_ascii_digit()));
    let kinds: HashSet<&str> = tags().collect();
    let means_none = outside.max(if are_numbers { zeros } else { 0 });
    let are_kinds = tags().all(|tag| !tag.contains(' '));
    words * 10 >= rows.len() * 9
        && are_kinds
        && means_none * 5 >= rows.len()
        && kinds.len() * 2 <= rows.len().max(6)
}

/// The fields of a line. Blanks that are no ASCII, such as a no-break space, are characters of a word.
fn fields(line: &str) -> Vec<&str> {
    let blank = |c: char| c.is_ascii_whitespace();
    if line.contains('\t') {
        line.split('\t').map(|field| field.trim_matches(blank)).filter(|field| !field.is_empty()).collect()
    } else {
        line.split(blank).filter(|field| !field.is_empty()).collect()
    }
}

/// The key and the value of `# key: value` or `# key = value`.
fn comment(line: &str) -> Option<(&str, &str)> {
    let text = line.strip_prefix('#')?;
    let (key, value) = text.split_once([':', '='])?;
    let key = key.trim();
    let is_address = value.starts_with("//");
    let is_key = !key.is_empty() && key.len() <= 40 && key.split(' ').count() <= 3 && !is_address;
    is_key.then_some((key, value.trim()))
}

/// The sentence at hand: per column a value per word.
#[derive(Default)]
struct Sentence {
    line: u64,
    columns: Vec<Vec<String>>,
    comments: Vec<(String, String)>,
    problem: Option<RowProblem>,
}

/// Reads all sentences. A sentence whose lines are of different widths becomes a problem.
pub(in crate::data) fn read(body: &[u8], is_universal: bool, meter: &Meter) -> Result<Records, DataError> {
    if webanno::is_it(body) {
        return webanno::read(body, meter);
    }
    let roles = Roles::of(body, is_universal);
    let mut all = Reader { width: roles.width, roles, ..Reader::default() };
    let newline = if memchr::memchr(b'\n', body).is_some() { b'\n' } else { b'\r' };
    let mut unreported = 0;
    for (index, raw) in body.split(|byte| *byte == newline).enumerate() {
        let number = index as u64 + 1;
        match std::str::from_utf8(raw) {
            Ok(line) => all.line(number, line),
            Err(error) => {
                all.line(number, &String::from_utf8_lossy(raw));
                let reason = format!("holds bytes that are not UTF-8, after byte {}", error.valid_up_to());
                all.sentence.problem.get_or_insert(RowProblem { line: number, reason });
            }
        }
        unreported += raw.len() + 1;
        if unreported >= STRIDE {
            meter.advance(unreported)?;
            unreported = 0;
        }
    }
    all.end();
    Ok(all.finish())
}

#[derive(Default)]
struct Reader {
    /// Fields of a line, once known.
    width: Option<usize>,
    roles: Roles,
    /// The fields that are kept, the word first; empty before the first line.
    order: Vec<usize>,
    /// The line that names the columns was passed.
    header_passed: bool,
    /// Fields are divided by tabs, so that a line without one is none of words.
    has_tabs: bool,
    sentence: Sentence,
    /// Per column a list of values per sentence.
    cells: Vec<StrColumn>,
    /// What comments say of sentences, by key.
    comments: Vec<Column>,
    lines: Vec<u64>,
    problems: Vec<RowProblem>,
    /// Words looked at, and how often the first and the last field was a tag.
    seen: [usize; 3],
}

impl Reader {
    fn line(&mut self, number: u64, line: &str) {
        let line = line.trim_end_matches('\r').trim_start_matches('\u{feff}');
        let mut found = fields(line);
        if found.is_empty() || line.starts_with("-DOCSTART-") {
            return self.end();
        }
        if self.is_comment(line, &found) {
            if let Some((key, value)) = comment(line).filter(|_| self.sentence.columns.is_empty()) {
                self.sentence.comments.push((key.to_owned(), value.to_owned()));
            }
            return;
        }
        self.has_tabs |= line.contains('\t');
        let width = *self.width.get_or_insert(found.len());
        if self.sentence.columns.is_empty() {
            self.sentence.line = number;
        }
        if found.len() != width || width < 2 {
            let reason = match found.len() {
                1 => "has a word and no tag behind it".to_owned(),
                fields => format!("has {fields} fields, expected {width}"),
            };
            self.sentence.problem.get_or_insert(RowProblem { line: number, reason });
            found.resize(width.max(2), "");
        }
        if self.roles.has_header && !self.header_passed {
            self.header_passed = true;
            self.sentence =
                Sentence { comments: std::mem::take(&mut self.sentence.comments), ..Sentence::default() };
            return;
        }
        // Several words in one, and words that are left out, have numbers such as 3-4 and 3.1.
        let id = self.roles.index.and_then(|index| found.get(index));
        if id.is_some_and(|id| is_between_words(id)) {
            return;
        }
        if self.order.is_empty() {
            self.order = self.roles.order(found.len());
        }
        let found: Vec<&str> =
            self.order.iter().map(|column| found.get(*column).copied().unwrap_or_default()).collect();
        if let ([first, .., last], true) = (found.as_slice(), self.seen[0] < SAMPLE_WORDS) {
            self.seen[0] += 1;
            self.seen[1] += usize::from(is_tag(first));
            self.seen[2] += usize::from(is_tag(last));
        }
        self.sentence.columns.resize(found.len(), Vec::new());
        for (column, field) in self.sentence.columns.iter_mut().zip(found) {
            column.push(field.to_owned());
        }
    }

    /// A number sign may be a word as well: then the line is as wide as the others, and ends with a tag.
    fn is_comment(&self, line: &str, found: &[&str]) -> bool {
        let is_wide = self.width.is_some_and(|width| found.len() == width);
        let ends_with_tag = found.last().is_some_and(|tag| is_tag(tag));
        line.starts_with('#')
            && (!is_wide
                || (self.has_tabs && !line.contains('\t'))
                || (comment(line).is_some() && !ends_with_tag && self.sentence.columns.is_empty()))
    }

    fn end(&mut self) {
        // Comments above a blank line are about what follows.
        if self.sentence.columns.is_empty() && self.sentence.problem.is_none() {
            return;
        }
        let sentence = std::mem::take(&mut self.sentence);
        if let Some(problem) = sentence.problem {
            return self.problems.push(problem);
        }
        self.cells.resize(sentence.columns.len(), StrColumn::default());
        for (cells, values) in self.cells.iter_mut().zip(&sentence.columns) {
            // Strings can always be written as JSON.
            cells.push(serde_json::to_string(values).ok().as_deref());
        }
        for (key, value) in sentence.comments {
            let place = self.comments.iter().position(|column| column.name == key);
            if place.is_none() && self.comments.len() < MOST_KEYS {
                self.comments.push(Column { name: key.clone(), cells: StrColumn::default() });
            }
            if let Some(column) = self.comments.iter_mut().find(|column| column.name == key)
                && column.cells.len() <= self.lines.len()
            {
                column.cells.push_absent(self.lines.len() - column.cells.len());
                column.cells.push(Some(&value));
            }
        }
        self.lines.push(sentence.line);
    }

    fn finish(mut self) -> Records {
        let last = self.cells.len().saturating_sub(1);
        // Some write the tag first.
        let [words, first_tags, last_tags] = self.seen;
        let is_named = !self.roles.names.is_empty() || self.roles.is_universal;
        if last > 0 && !is_named && first_tags * 10 > words * 9 && last_tags * 10 < words {
            self.cells.swap(0, last);
        }
        let name = |column: usize| {
            let field = self.order.get(column).copied().unwrap_or(column);
            match self.roles.name(field) {
                _ if column == 0 => TOKENS.to_owned(),
                Some(name) => name,
                None if column == last => TAGS.to_owned(),
                None => format!("column {}", field + 1),
            }
        };
        let mut columns: Vec<Column> = self
            .cells
            .into_iter()
            .enumerate()
            .map(|(index, cells)| Column { name: name(index), cells })
            .collect();
        for mut comment in self.comments {
            comment.cells.push_absent(self.lines.len() - comment.cells.len());
            if columns.iter().any(|column| column.name == comment.name) {
                comment.name = format!("{} (comment)", comment.name);
            }
            if comment.name != "global.columns" {
                columns.push(comment);
            }
        }
        let mut notes = Vec::new();
        if self.roles.index.is_some() && !self.roles.is_universal && self.roles.names.is_empty() {
            notes.push("The words are numbered: the column of the numbers is passed over.".to_owned());
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

#[cfg(test)]
mod tests;
