//! `CoNLL`: a word per line with its tags behind it, a blank line between sentences.

use super::column::StrColumn;
use super::error::DataError;
use super::read::{PROGRESS_STRIDE, Progress, Records};
use super::table::{Column, Format, RowProblem};

/// Name of the column of words.
const TOKENS: &str = "tokens";
/// Name of the column of the last tags.
const TAGS: &str = "tags";
/// Lines looked at to tell the format.
const SAMPLE_LINES: usize = 400;

/// Endings that say what is in a file.
pub(super) fn is_ending(ending: &str) -> bool {
    matches!(ending, "conll" | "conll2003" | "conllu" | "bio" | "iob" | "iob2" | "bioes" | "iobes" | "ner")
}

/// True where every line is a word with a tag of the usual form behind it, and blank lines divide them.
pub(super) fn looks_like(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body.get(..64 << 10).unwrap_or(body))
        .or_else(|error| std::str::from_utf8(body.get(..error.valid_up_to()).unwrap_or_default()))
    else {
        return false;
    };
    if text.starts_with("-DOCSTART-") {
        return true;
    }
    let is_tag = |tag: &str| {
        tag == "O"
            || tag.split_once('-').is_some_and(|(letter, kind)| {
                matches!(letter, "B" | "I" | "E" | "S" | "L" | "U") && !kind.is_empty()
            })
    };
    let (mut words, mut ends, mut others) = (0, 0, 0);
    // The last line may be cut.
    for line in text.lines().take(SAMPLE_LINES).collect::<Vec<_>>().split_last().map_or(&[][..], |(_, l)| l) {
        let fields = fields(line);
        match fields.as_slice() {
            [] => ends += 1,
            [_, .., tag] if is_tag(tag) => words += 1,
            _ => others += 1,
        }
    }
    ends > 0 && words > ends && others == 0
}

fn fields(line: &str) -> Vec<&str> {
    if line.contains('\t') {
        line.split('\t').map(str::trim).filter(|field| !field.is_empty()).collect()
    } else {
        line.split_whitespace().collect()
    }
}

/// The sentence at hand: per column a value per word.
#[derive(Default)]
struct Sentence {
    line: u64,
    columns: Vec<Vec<String>>,
    problem: Option<RowProblem>,
}

/// Reads all sentences. A sentence whose lines are of different widths becomes a problem.
pub(super) fn read(body: &[u8], is_universal: bool, progress: Progress) -> Result<Records, DataError> {
    let mut all =
        Reader { width: if is_universal { Some(10) } else { None }, is_universal, ..Reader::default() };
    let (mut done, mut reported) = (0, 0);
    for (index, raw) in body.split(|byte| *byte == b'\n').enumerate() {
        done += raw.len() + 1;
        all.line(index as u64 + 1, &String::from_utf8_lossy(raw));
        if done - reported >= PROGRESS_STRIDE {
            reported = done;
            if !progress(done.min(body.len()) as u64, body.len() as u64) {
                return Err(DataError::Cancelled);
            }
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
    sentence: Sentence,
    /// Per column a list of values per sentence.
    cells: Vec<StrColumn>,
    lines: Vec<u64>,
    problems: Vec<RowProblem>,
}

impl Reader {
    fn line(&mut self, number: u64, line: &str) {
        let line = line.trim_end_matches('\r');
        let mut found = fields(line);
        if found.is_empty() || line.starts_with("-DOCSTART-") {
            return self.end();
        }
        // A number sign may be a word: then the line is as wide as the others.
        if line.starts_with('#') && self.width.is_none_or(|width| found.len() != width) {
            return;
        }
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
        self.sentence.columns.resize(found.len(), Vec::new());
        for (column, field) in self.sentence.columns.iter_mut().zip(found) {
            column.push(field.to_owned());
        }
    }

    fn end(&mut self) {
        let sentence = std::mem::take(&mut self.sentence);
        if let Some(problem) = sentence.problem {
            return self.problems.push(problem);
        }
        if sentence.columns.is_empty() {
            return;
        }
        self.cells.resize(sentence.columns.len(), StrColumn::default());
        for (cells, values) in self.cells.iter_mut().zip(&sentence.columns) {
            // Strings can always be written as JSON.
            cells.push(serde_json::to_string(values).ok().as_deref());
        }
        self.lines.push(sentence.line);
    }

    fn finish(self) -> Records {
        let last = self.cells.len().saturating_sub(1);
        let name = |column: usize| match (column, self.is_universal) {
            (0, _) => TOKENS.to_owned(),
            (1, true) => "xpos".to_owned(),
            (_, true) => "upos".to_owned(),
            (column, false) if column == last => TAGS.to_owned(),
            (column, false) => format!("column {}", column + 1),
        };
        let columns = self.cells.into_iter().enumerate();
        Records {
            format: Format::Conll,
            has_header: false,
            columns: columns.map(|(index, cells)| Column { name: name(index), cells }).collect(),
            lines: self.lines,
            problems: self.problems,
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
            assert_eq!(table.column_names(), ["tokens", "column 2", "column 3", "tags"]);
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
        assert_eq!(table.column_names(), ["tokens", "xpos", "upos"]);
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
}
