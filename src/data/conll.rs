//! `CoNLL`: a word per line with its tags behind it, a blank line between sentences.
//!
//! Two columns or more, tabs or spaces, tags of any scheme; comments above a sentence are labels of the sentence.

use super::column::StrColumn;
use super::error::DataError;
use super::meter::Meter;
use super::read::Records;
use super::spans::is_tag;
use super::table::{Column, Format, RowProblem};

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
pub(super) fn is_ending(ending: &str) -> bool {
    matches!(ending, "conll" | "conll2003" | "conllu" | "bio" | "iob" | "iob2" | "bioes" | "iobes" | "ner")
}

/// True where every line is a word with a tag of the usual form behind it, and blank lines divide them.
pub(super) fn looks_like(body: &[u8]) -> bool {
    let window = body.get(..64 << 10).unwrap_or(body);
    let text = window.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    if text.starts_with("-DOCSTART-") {
        return true;
    }
    let (mut words, mut ends, mut others) = (0, 0, 0);
    let lines: Vec<&str> = text.lines().take(SAMPLE_LINES).collect();
    // The last line may be cut.
    let whole = if window.len() == body.len() { lines.len() } else { lines.len().saturating_sub(1) };
    for line in lines.iter().take(whole) {
        match fields(line).as_slice() {
            [] => ends += 1,
            [_, .., tag] if is_tag(tag) => words += 1,
            _ if comment(line).is_some() => {}
            _ => others += 1,
        }
    }
    ends > 0 && words > ends && others == 0
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
    let is_key = !key.is_empty() && key.len() <= 40 && key.split(' ').count() <= 3;
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
pub(super) fn read(body: &[u8], is_universal: bool, meter: &Meter) -> Result<Records, DataError> {
    let mut all =
        Reader { width: if is_universal { Some(10) } else { None }, is_universal, ..Reader::default() };
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
    is_universal: bool,
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
        if self.is_universal {
            // Universal Dependencies: a number, the word, its lemma, two parts of speech ... Several words in one,
            // and words that are left out, have numbers such as 3-4 and 3.1.
            let [id, form, _, upos, xpos, ..] = found.as_slice() else { return };
            if id.contains(['-', '.']) {
                return;
            }
            found = vec![*form, *xpos, *upos];
        }
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
        if last > 0 && first_tags * 10 > words * 9 && last_tags * 10 < words {
            self.cells.swap(0, last);
        }
        let name = |column: usize| match (column, self.is_universal) {
            (0, _) => TOKENS.to_owned(),
            (1, true) => "xpos".to_owned(),
            (_, true) => "upos".to_owned(),
            (column, false) if column == last => TAGS.to_owned(),
            (column, false) => format!("column {}", column + 1),
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
            columns.push(comment);
        }
        Records {
            format: Format::Conll,
            has_header: false,
            columns,
            lines: self.lines,
            problems: self.problems,
            notes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::table_in_memory;
    use super::*;

    #[test]
    fn sentences_are_rows_and_words_lists() {
        let text = "-DOCSTART- -X- O O\n\n# id: 7\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n# SYM O O\n\n";
        for name in ["train.conll", "train.txt"] {
            let table = table_in_memory(name, text.as_bytes()).unwrap();
            assert_eq!(table.facts.format, Format::Conll, "{name}");
            assert_eq!(table.column_names(), ["tokens", "column 2", "column 3", "tags", "id"]);
            assert_eq!(table.lines, [4, 7]);
            let cell = |column: &str, row| table.column(column).unwrap().cells.get(row).unwrap().to_owned();
            assert_eq!(
                (cell("tokens", 0), cell("tags", 0)),
                (r#"["EU","rejects"]"#.into(), r#"["B-ORG","O"]"#.into())
            );
        }
    }

    #[test]
    fn a_line_without_a_tag_is_told_with_its_place() {
        let table = table_in_memory("a.bio", b"one O\ntwo\n\nthree B-X\nfour O\n").unwrap();
        assert_eq!(table.lines, [4]);
        assert_eq!(
            table.problems,
            [RowProblem { line: 2, reason: "has a word and no tag behind it".into() }]
        );
    }

    #[test]
    fn universal_dependencies_give_words_and_parts_of_speech() {
        let text = "# text = Im Haus\n1-2\tIm\t_\t_\t_\t_\t_\t_\t_\t_\n1\tIn\tin\tADP\tAPPR\t_\t3\tcase\t_\t_\n\
                    2\tdem\tder\tDET\tART\t_\t3\tdet\t_\t_\n3\tHaus\tHaus\tNOUN\tNN\t_\t0\troot\t_\t_\n";
        let table = table_in_memory("de.conllu", text.as_bytes()).unwrap();
        assert_eq!(table.column_names(), ["tokens", "xpos", "upos", "text"]);
        assert_eq!(table.column("upos").unwrap().cells.get(0), Some(r#"["ADP","DET","NOUN"]"#));
    }

    #[test]
    fn prose_and_tables_are_not_taken_for_it() {
        for text in [
            "text\tlabel\n\ngood\tO\n",
            "A line of text.\n\nAnother one.\n",
            "a,b\n1,O\n2,O\n",
            "x\tO\ny\tO\n",
        ] {
            assert!(!looks_like(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn comments_above_a_sentence_are_its_labels() {
        let text = "# intent: find\n# domain = film\nCan O\nI O\n\n# intent: play\n# one O\nPlay O\n\nNo O\n";
        let table = table_in_memory("a.conll", text.as_bytes()).unwrap();
        assert_eq!(table.problems, []);
        let cells = |name: &str| table.column(name).unwrap().cells.iter().collect::<Vec<_>>();
        assert_eq!(cells("intent"), [Some("find"), Some("play"), None]);
        assert_eq!(cells("domain"), [Some("film"), None, None]);
        assert_eq!(cells("tokens")[1], Some(r#"["Play"]"#));
        let tabs = table_in_memory("a.conll", b"a\tO\n\n# x\n#\tO\n#1\tB-X\n\n#k: v\n\nb\tO").unwrap();
        assert_eq!(tabs.column("tokens").unwrap().cells.get(1), Some(r##"["#","#1"]"##));
        assert_eq!(tabs.column("k").unwrap().cells.get(2), Some("v"));
    }

    #[test]
    fn dialects_differ_in_blanks_line_ends_and_order() {
        let expected = [r#"["New","York"]"#, r#"["I-LOC","I-LOC"]"#];
        for text in [
            "New I-LOC\nYork I-LOC\n",
            "New\tI-LOC\r\nYork\tI-LOC\r\n\r\n",
            "I-LOC New\nI-LOC York",
            "New NNP I-LOC\nYork NNP I-LOC\n\t\n",
            "New I-LOC\rYork I-LOC\r\r",
        ] {
            let table = table_in_memory("a.conll", text.as_bytes()).unwrap();
            let cell = |name: &str| table.column(name).unwrap().cells.get(0).unwrap().to_owned();
            assert_eq!([cell("tokens"), cell("tags")], expected, "{text:?}");
        }
        let table = table_in_memory("a.conll", "\u{a0} O\nb O\n".as_bytes()).unwrap();
        assert_eq!(table.column("tokens").unwrap().cells.get(0), Some("[\"\u{a0}\",\"b\"]"));
        let table = table_in_memory("a.conll", b"\xc3\xa9t\xc3\xa9 O\n\nb\xff O\n\nc O\n").unwrap();
        assert_eq!((table.lines.as_slice(), table.problems[0].line), (&[1, 5][..], 3));
    }
}
