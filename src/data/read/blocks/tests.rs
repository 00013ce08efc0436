//! A file in blocks is the file read whole.

use std::fmt::Write as _;
use std::fs;

use super::*;
use crate::data::read::overrides::Overrides;

const GO_ON: &(dyn Fn() -> bool + Sync) = &|| true;

fn skipping() -> ReadOptions {
    ReadOptions { on_problem: OnProblem::Skip, ..ReadOptions::default() }
}

/// All blocks of a file end to end, and the rows of the longest.
fn joined(path: &Path, options: &ReadOptions, block_bytes: usize) -> (Table, usize) {
    let mut blocks = Blocks::open(path, options, GO_ON).unwrap();
    blocks.block_bytes = block_bytes;
    let (mut all, mut longest, mut problems) = (Sample::default(), 0, Vec::new());
    let mut last = None;
    blocks
        .each(&mut |block| {
            longest = longest.max(block.rows());
            all.take(block, 1);
            problems.extend(block.problems.iter().cloned());
            last = Some(block.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    let table = Table { columns: all.columns, lines: all.lines, problems, ..last.unwrap() };
    (table, longest)
}

/// Compares blocks of some sizes with the file read whole.
fn same_in_blocks(path: &Path, options: &ReadOptions) {
    let whole = read::read_table(path, options, &|_, _| true).unwrap();
    for bytes in [1, 7, 100, 1 << 20] {
        let (table, _) = joined(path, options, bytes);
        assert_eq!(table.columns, whole.columns, "{} in {bytes}", path.display());
        assert_eq!(table.lines, whole.lines, "{} in {bytes}", path.display());
        assert_eq!(table.problems, whole.problems, "{} in {bytes}", path.display());
    }
    let survey = Blocks::open(path, options, GO_ON).unwrap().survey().unwrap();
    assert_eq!((survey.rows, &survey.sample.columns), (whole.rows(), &whole.columns), "{}", path.display());
    assert_eq!(survey.sample.problems, whole.problems);
    for column in &whole.columns {
        let blank = column.cells.iter().filter(|cell| cell.unwrap_or_default().trim().is_empty()).count();
        assert_eq!(survey.blank(&column.name), blank, "{}", column.name);
    }
}

#[test]
fn blocks_end_to_end_are_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let mut csv = String::from("id,text,label,\n");
    for row in 0..60 {
        match row % 7 {
            0 => writeln!(csv, "{row},\"two lines,\nof \"\"one\"\" cell {row}\",a,").unwrap(),
            3 => writeln!(csv, "{row},too,many,cells,here").unwrap(),
            5 => writeln!(csv, "\n{row},größer und länger,,").unwrap(),
            _ => writeln!(csv, "{row},plain {row},b,").unwrap(),
        }
    }
    fs::write(path("a.csv"), &csv).unwrap();
    fs::write(path("crlf.csv"), csv.replace('\n', "\r\n")).unwrap();
    fs::write(path("tabs.tsv"), "text\tlabel\none\ta\ntwo \"x\tb\nthree\tc\n").unwrap();
    fs::write(path("latin.csv"), b"text,label\ncaf\xe9,a\nna\xefve,b\nplain,a\n").unwrap();
    let mut lines = String::new();
    for row in 0..40 {
        match row % 6 {
            0 => writeln!(lines, "{{\"text\": \"row {row}\", \"new {}\": 1}}", row / 6).unwrap(),
            1 => writeln!(lines, "{{\"text\": broken").unwrap(),
            2 => writeln!(lines, "\n{{\"label\": \"only\"}}").unwrap(),
            _ => writeln!(lines, "{{\"label\": \"x\", \"text\": \"ü {row}\", \"in\": {{\"side\": {row}}}}}")
                .unwrap(),
        }
    }
    fs::write(path("a.jsonl"), lines).unwrap();
    fs::write(path("a.json"), "[{\"text\": \"one\"}, {\"text\": \"two\"}]").unwrap();
    fs::write(path("a.conll"), "the O\nbank B-X\n\nno O\n").unwrap();
    for name in ["a.csv", "crlf.csv", "tabs.tsv", "latin.csv", "a.jsonl", "a.json", "a.conll"] {
        same_in_blocks(&path(name), &skipping());
    }
    fs::write(path("a.txt"), "one\n\ntwo, \"three\nfour\n").unwrap();
    same_in_blocks(&path("a.txt"), &ReadOptions { overrides: Overrides::plain_lines(), ..skipping() });
}

#[test]
fn columns_of_another_shape_are_known_and_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pieces.jsonl");
    let line = r#"{"id": 1, "data": [{"text": "add "}, {"text": "tea", "entity": "drink"}]}"#;
    fs::write(&path, format!("{line}\n{line}\n")).unwrap();
    let blocks = Blocks::open(&path, &skipping(), GO_ON).unwrap();
    let survey = blocks.survey().unwrap();
    assert_eq!(survey.sample.column("text").unwrap().cells.get(0), Some("add tea"));
    assert!(!survey.is_as_read("text") && survey.is_as_read("id"));
    let blocks = blocks.whole().unwrap();
    assert!(blocks.survey().unwrap().is_as_read("text"));
    let mut texts = Vec::new();
    blocks
        .each(&mut |block| {
            texts.extend(block.column("text").unwrap().cells.iter().map(|cell| cell.unwrap().to_owned()));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(texts, ["add tea", "add tea"]);
}

#[test]
fn what_cannot_be_read_is_refused_as_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("empty.csv", ""),
        ("blank.csv", " \n\n"),
        ("header.csv", "text,label\n"),
        ("bad.csv", "text,label\none,a\ntwo,b,too much\nthree,b\nfour,a\n"),
        ("none.jsonl", "{\"text\": broken\n{also\n"),
        ("some.jsonl", "{\"text\": \"a\"}\n{also\n"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        for options in [ReadOptions::default(), skipping()] {
            let whole = read::read_table(&path, &options, &|_, _| true).map(|table| table.rows());
            let blocks = Blocks::open(&path, &options, GO_ON).and_then(|blocks| blocks.survey());
            let words = |error: DataError| error.to_string();
            assert_eq!(blocks.map(|survey| survey.rows).map_err(words), whole.map_err(words), "{name}");
        }
    }
}

#[test]
fn a_long_file_is_never_held_whole() {
    let dir = tempfile::tempdir().unwrap();
    let rows = 3 * MOST_ROWS + 11;
    let (mut csv, mut jsonl) = (String::from("text,label\n"), String::new());
    for row in 0..rows {
        writeln!(csv, "text number {row},{}", row % 3).unwrap();
        writeln!(jsonl, "{{\"text\": \"text number {row}\", \"label\": {}}}", row % 3).unwrap();
    }
    for (name, text) in [("long.csv", csv), ("long.jsonl", jsonl)] {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let options = ReadOptions::default();
        let survey = Blocks::open(&path, &options, GO_ON).unwrap().survey().unwrap();
        assert_eq!(survey.rows, rows, "{name}");
        assert!(survey.sample.rows() <= MOST_ROWS, "{name}: {} rows are kept", survey.sample.rows());
        // The same rows that a guess on the whole file looks at.
        let fourth = survey.sample.column("text").unwrap().cells.get(1).map(str::to_owned);
        assert_eq!(fourth.as_deref(), Some("text number 4"), "{name}");
        let (_, longest) = joined(&path, &options, BLOCK_BYTES);
        assert!(longest < MOST_ROWS, "{name}: a block of {longest} rows");
    }
}

#[test]
fn the_reading_ends_where_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    fs::write(&path, "text,label\none,a\ntwo,b\n").unwrap();
    let stopped: &(dyn Fn() -> bool + Sync) = &|| false;
    let outcome = Blocks::open(&path, &ReadOptions::default(), stopped).and_then(|blocks| blocks.survey());
    assert!(matches!(outcome, Err(DataError::Cancelled)));
}
