//! `CoNLL` and its dialects: what is read from each.

use super::*;
use crate::data::read::table_in_memory;

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
    assert_eq!(table.problems, [RowProblem { line: 2, reason: "has a word and no tag behind it".into() }]);
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
    for text in
        ["text\tlabel\n\ngood\tO\n", "A line of text.\n\nAnother one.\n", "a,b\n1,O\n2,O\n", "x\tO\ny\tO\n"]
    {
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
