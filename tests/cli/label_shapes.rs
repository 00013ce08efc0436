//! Labels in the shapes that annotation tools, pandas and data sets have them in: what `inspect` finds, and that a project
//! made of the guess reads the same rows when it is opened again, by a command or the window.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use crate::support::program;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use frostline::data::assemble::assemble;
use frostline::data::card::describe::{describe, refused};
use frostline::data::dataset::Split;
use frostline::data::read::folder::expand;
use frostline::data::read::{OnProblem, ReadOptions, read_table};
use frostline::data::split::SplitRule;
use frostline::data::table::Table;
use frostline::project::{DataFile, Project};
use proptest::prelude::*;
use serde_json::{Value, json};

const NO_SPLIT: SplitRule = SplitRule { valid: 0.0, test: 0.0, seed: 0 };

fn tables(path: &Path) -> Vec<Table> {
    let options = ReadOptions { on_problem: OnProblem::Skip, ..ReadOptions::default() };
    expand(path).unwrap().iter().map(|file| read_table(file, &options, &|_, _| true).unwrap()).collect()
}

/// What `inspect --json` says of a file or a folder; and a project that is made of its guess, saved and loaded, gives
/// the same rows as the guess did.
fn inspected(path: &Path) -> Value {
    let found = describe(tables(path), None);
    let all: Vec<(Table, Option<Split>)> =
        tables(path).into_iter().map(|table| (table, Some(Split::Train))).collect();
    let dir = tempfile::tempdir().unwrap();
    let files = vec![DataFile { path: path.to_owned(), ..DataFile::default() }];
    let project = Project { mapping: Some(found.mapping.clone()), files, ..Project::default() };
    if !found.mapping.text.is_empty() {
        project.save(dir.path()).unwrap();
        let loaded = Project::load(dir.path()).unwrap();
        assert_eq!(loaded.mapping, project.mapping, "{}", path.display());
        let guessed = assemble(&all, Some(&found.mapping), &NO_SPLIT).unwrap();
        let again = assemble(&all, loaded.mapping.as_ref(), &NO_SPLIT).unwrap();
        assert_eq!(guessed, again, "{}", path.display());
    }
    found.object
}

fn notes(object: &Value) -> String {
    let of = |key: &str| object[key].as_array().into_iter().flatten().filter_map(Value::as_str);
    of("notes").chain(of("findings")).collect::<Vec<_>>().join("\n")
}

/// `NAME kind usable {classes}` of every task, entities behind those of words.
fn told(object: &Value) -> Vec<String> {
    let task = |task: &Value| {
        let entities = task.get("entities").map_or(String::new(), |count| format!(" {count} entities"));
        let (name, kind) = (task["task"].as_str().unwrap(), task["kind"].as_str().unwrap());
        let classes = task["classes"].as_object().unwrap();
        let counts: Vec<String> = classes.iter().map(|(class, count)| format!("{class}={count}")).collect();
        format!("{name} {kind} {}{entities} {}", task["usable_rows"], counts.join(" ")).trim_end().to_owned()
    };
    object["tasks"].as_array().unwrap().iter().map(task).collect()
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, body: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, body).unwrap();
        path
    }

    #[track_caller]
    fn check(&self, name: &str, body: impl AsRef<[u8]>, expected: &[&str]) -> Value {
        let object = inspected(&self.put(name, body));
        assert_eq!(told(&object), expected, "{name}: {object:#}");
        object
    }
}

const TEXTS: [&str; 4] = [
    "Nina met Omar in Oslo.",
    "The Kite Club moved to Bergen.",
    "It rained all day.",
    "Omar wrote a letter.",
];
const SPANS: [&[(usize, usize, &str)]; 4] = [
    &[(0, 4, "PER"), (9, 13, "PER"), (17, 21, "LOC")],
    &[(4, 13, "ORG"), (23, 29, "LOC")],
    &[],
    &[(0, 4, "PER")],
];
const TAGS: &str = "token-labels 4 6 entities B-LOC=2 B-ORG=1 B-PER=2 I-ORG=1 O=4";

fn joined(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<String>>().concat()
}

/// A record per line, from a text and its spans.
fn lines(record: impl Fn(&str, &[(usize, usize, &str)]) -> Value) -> String {
    joined(TEXTS.iter().zip(SPANS).map(|(text, spans)| format!("{}\n", record(text, spans))))
}

fn list(spans: &[(usize, usize, &str)], item: impl Fn(usize, usize, &str) -> Value) -> Value {
    spans.iter().map(|(start, end, kind)| item(*start, *end, kind)).collect()
}

#[test]
fn spans_of_every_tool_become_tags_of_words() {
    let files = Files::new();
    let triples = |spans: &[(usize, usize, &str)]| list(spans, |start, end, kind| json!([start, end, kind]));
    let tools: [(&str, &str, String); 9] = [
        (
            "doccano.jsonl",
            "label",
            lines(|text, spans| json!({"id": 1, "text": text, "label": triples(spans)})),
        ),
        ("spacy.jsonl", "entities", lines(|text, spans| json!({"text": text, "entities": triples(spans)}))),
        ("pairs.jsonl", "entities", lines(|text, spans| json!([text, {"entities": triples(spans)}]))),
        (
            "prodigy.jsonl",
            "spans",
            lines(|text, spans| {
                let spans =
                    list(spans, |start, end, kind| json!({"start": start, "end": end, "label": kind}));
                json!({"text": text, "tokens": [{"text": "x", "start": 0, "end": 1}], "spans": spans, "answer": "accept"})
            }),
        ),
        (
            "relations.jsonl",
            "entities",
            lines(|text, spans| {
                let spans = list(
                    spans,
                    |s, e, kind| json!({"id": 1, "label": kind, "start_offset": s, "end_offset": e}),
                );
                json!({"text": text, "entities": spans, "relations": []})
            }),
        ),
        (
            "label_studio_min.jsonl",
            "ner",
            lines(|text, spans| {
                let item = |start, end, kind: &str| json!({"start": start, "end": end, "labels": [kind], "text": &text[start..end]});
                json!({"text": text, "ner": list(spans, item), "annotator": 1})
            }),
        ),
        (
            "dataturks.jsonl",
            "annotation",
            lines(|text, spans| {
                let item = |start, end: usize, kind: &str| json!({"label": [kind], "points": [{"start": start, "end": end - 1, "text": &text[start..end]}]});
                json!({"content": text, "annotation": list(spans, item)})
            }),
        ),
        (
            "lists_beside.jsonl",
            "spans",
            lines(|text, spans| {
                json!({"text": text, "spans": {"start": spans.iter().map(|s| s.0).collect::<Vec<_>>(),
                    "end": spans.iter().map(|s| s.1).collect::<Vec<_>>(), "label": spans.iter().map(|s| s.2).collect::<Vec<_>>()}})
            }),
        ),
        (
            "python.csv",
            "entities",
            format!(
                "text,entities\n{}",
                joined(TEXTS.iter().zip(SPANS).map(|(text, spans)| {
                    format!("{text},\"{}\"\n", format!("{spans:?}").replace('"', "'"))
                }))
            ),
        ),
    ];
    for (name, task, body) in &tools {
        let expected = format!("{task} {TAGS}");
        let object = files.check(name, body, &[&expected]);
        assert_eq!(object["first_text"], "Nina met Omar in Oslo .", "{name}");
        // The same with a mark, with carriage returns, and packed.
        let other = format!("\u{feff}{}", body.replace('\n', "\r\n"));
        files.check(&format!("marked_{name}"), &other, &[&expected]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(body.as_bytes()).unwrap();
        files.check(&format!("{name}.gz"), packed.finish().unwrap(), &[&expected]);
    }
    let studio: Vec<Value> = TEXTS
        .iter()
        .zip(SPANS)
        .map(|(text, spans)| {
            let item = |start, end, kind: &str| json!({"value": {"start": start, "end": end, "labels": [kind]}, "from_name": "ner", "type": "labels"});
            json!({"data": {"text": text}, "annotations": [{"result": list(spans, item)}], "predictions": []})
        })
        .collect();
    files.check("label_studio.json", json!(studio).to_string(), &[&format!("ner {TAGS}")]);
    let wrapped =
        json!({"classes": ["PER"], "annotations": [null, ["Nina met", {"entities": [[0, 4, "PER"]]}]]});
    files.check("annotator.json", wrapped.to_string(), &["entities token-labels 1 1 entities B-PER=1 O=1"]);
    // A file in which no row has an entity belongs to the others.
    files.put("both/train.jsonl", &tools[0].2);
    files.put("both/test.jsonl", "{\"text\": \"Nothing here\", \"label\": []}\n");
    let both = inspected(&files.0.path().join("both"));
    assert_eq!(told(&both), ["label token-labels 5 6 entities B-LOC=2 B-ORG=1 B-PER=2 I-ORG=1 O=5"]);
}

#[test]
fn spans_that_do_not_fit_are_told_with_row_and_text() {
    let files = Files::new();
    let body = "{\"text\": \"Nina met Omar.\", \"label\": [[1, 4, \"PER\"], [90, 99, \"LOC\"]]}\n\
                {\"text\": \"The Kite Club won\", \"label\": [[4, 8, \"THING\"], [4, 13, \"ORG\"]]}\n\
                {\"text\": \"none\", \"label\": null}\n";
    let object =
        files.check("a.jsonl", body, &["label token-labels 2 2 entities B-ORG=1 B-PER=1 I-ORG=1 O=2"]);
    let notes = notes(&object);
    for part in [
        "1 span is misaligned: it begins or ends inside a word",
        "line 1 of",
        "\"ina\" at 1 to 4",
        "at 90 to 99",
        "overlaps a longer one",
        "line 2 of",
        "\"Kite\" at 4 to 8",
    ] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    // Places in UTF-16 after a character that takes two, as in JavaScript.
    let object = files.check(
        "utf16.jsonl",
        "{\"text\": \"\u{1f600} Nina\", \"label\": [[3, 7, \"PER\"]]}\n",
        &["label token-labels 1 1 entities B-PER=1 O=1"],
    );
    assert!(self::notes(&object).contains("UTF-16"), "{object:#}");
    // Without names there is nothing to learn, which is told.
    let object = files.check(
        "numbers.jsonl",
        "{\"text\": \"Nina met Omar.\", \"annotations\": [{\"label\": 1, \"start_offset\": 0, \"end_offset\": 4}]}\n",
        &[],
    );
    assert!(self::notes(&object).contains("\"annotations\" holds spans"), "{object:#}");
}

#[test]
fn objects_become_the_labels_they_stand_for() {
    let files = Files::new();
    let choices = "[{\"text\": \"a b\", \"topic\": \"X\"}, {\"text\": \"c d\", \"topic\": {\"choices\": [\"X\", \"Y\"]}}, {\"text\": \"e f\", \"topic\": \"Y\"}]";
    files.check("choices.json", choices, &["topic multi-label 3 X=2 Y=2"]);
    let cells = "text,topic\na b,X\nc d,\"{\"\"choices\"\": [\"\"X\"\", \"\"Y\"\"]}\"\ne f,Y\n";
    files.check("choices.csv", cells, &["topic multi-label 3 X=2 Y=2"]);
    let python = "text;topic\na b;X\nc d;{'choices': ['X', 'Y']}\ne f;Y\n";
    files.check("choices_python.csv", python, &["topic multi-label 3 X=2 Y=2"]);
    let objects = "{\"text\": \"a b\", \"labels\": [{\"label\": \"x\"}, {\"label\": \"y\"}]}\n{\"text\": \"c d\", \"labels\": []}\n{\"text\": \"e f\", \"labels\": [{\"label\": \"x\"}]}\n";
    files.check("objects.jsonl", objects, &["labels multi-label 3 x=2 y=1"]);
    let one_each = "{\"text\": \"a b\", \"labels\": [{\"name\": \"x\"}]}\n{\"text\": \"c d\", \"labels\": [{\"name\": \"y\"}]}\n";
    files.check("one_each.jsonl", one_each, &["labels single-label 2 x=1 y=1"]);
    let strings = "{\"text\": \"a b\", \"label\": [\"x\", \"y\"]}\n{\"text\": \"c d\", \"label\": [\"x\"]}\n";
    files.check("strings.jsonl", strings, &["label multi-label 2 x=2 y=1"]);
    let prodigy = "{\"text\": \"a b\", \"accept\": [\"x\"], \"options\": [{\"id\": \"x\"}], \"answer\": \"accept\"}\n{\"text\": \"c d\", \"accept\": [\"y\"], \"options\": [{\"id\": \"x\"}], \"answer\": \"accept\"}\n{\"text\": \"e f\", \"accept\": [\"y\"], \"options\": [], \"answer\": \"ignore\"}\n";
    let object = files.check("prodigy.jsonl", prodigy, &["label single-label 2 x=1 y=1"]);
    assert!(notes(&object).contains("1 of the 3 answers"), "{object:#}");
    let studio = json!([
        {"data": {"text": "a b"}, "annotations": [{"result": [{"value": {"choices": ["X"]}, "from_name": "topic", "type": "choices"}]}]},
        {"data": {"text": "c d"}, "annotations": [{"was_cancelled": true, "result": []}]},
        {"data": {"text": "e f"}, "annotations": [{"result": [{"value": {"choices": ["Y"]}, "from_name": "topic", "type": "choices"}]}, {"result": []}]},
    ]);
    let object = files.check("studio.json", studio.to_string(), &["topic single-label 2 X=1 Y=1"]);
    assert!(notes(&object).contains("annotated more than once"), "{object:#}");
}

#[test]
fn columns_for_classes_are_one_task_however_yes_is_written() {
    let files = Files::new();
    let expected = ["labels multi-label 3 a=1 b=1 c=1"];
    for (name, yes, no) in [
        ("int", "1", "0"),
        ("float", "1.0", "0.0"),
        ("bool", "True", "False"),
        ("caps", "TRUE", "false"),
        ("word", "yes", "no"),
    ] {
        let body = format!(
            "text,a,b,c\none two,{yes},{no},{no}\nthree four,{no},{yes},{no}\nfive six,{no},{no},{yes}\n"
        );
        files.check(&format!("{name}.csv"), &body, &expected);
        files.check(&format!("{name}.tsv"), body.replace(',', "\t").replace('\n', "\r\n"), &expected);
    }
    let object = files.check(
        "blank.csv",
        "text,a,b,c\none two,1.0,0.0,0.0\nthree four,,1.0,0.0\nfive six,,,\nseven,0.0,0.0,1.0\n",
        &expected,
    );
    assert!(notes(&object).contains("1 row lacks a value"), "{object:#}");
    files.check(
        "dummies.csv",
        "text,label_x,label_y\none two,True,False\nthree four,False,True\n",
        &["label multi-label 2 x=1 y=1"],
    );
    for (yes, no) in [("1", "0"), ("1.0", "0.0"), ("true", "false")] {
        let row = |text: &str, a: &str, b: &str| {
            format!("{{\"text\": \"{text}\", \"cats\": {{\"A\": {a}, \"B\": {b}}}}}\n")
        };
        let body = [row("one two", yes, no), row("three four", no, yes)].concat();
        files.check("cats.jsonl", &body, &["cats multi-label 2 A=1 B=1"]);
    }
}

#[test]
fn records_are_found_wherever_they_lie() {
    let files = Files::new();
    let record = |text: &str, label: &str| json!({"text": text, "label": label});
    let records = json!([record("one two", "a"), record("three four", "b")]);
    let expected = ["label single-label 2 a=1 b=1"];
    for (name, body) in [
        ("rasa.json", json!({"nlu": {"synonyms": [{"value": "x"}], "common_examples": records}})),
        ("deep.json", json!({"a": {"b": {"c": {"items": records}}}, "v": 1})),
        ("data.json", json!({"data": records})),
    ] {
        let object = files.check(name, body.to_string(), &expected);
        assert!(notes(&object).contains("The records are the list"), "{object:#}");
    }
    files.check(
        "labels.json",
        json!({"a": [{"text": "one two"}], "b": [{"text": "three four"}]}).to_string(),
        &expected,
    );
    let clinc =
        json!({"train": [["one two", "a"], ["five", "b"]], "oos_val": [["three four", "a"]], "test": []});
    let object = files.check("clinc.json", clinc.to_string(), &["label single-label 3 a=2 b=1"]);
    assert_eq!(object["split_column"], "split");
    let pieces = json!({"Add": [{"data": [{"text": "add "}, {"text": "green tea", "entity": "drink"}]}, {"data": [{"text": "stop"}]}]});
    let object = files.check(
        "pieces.json",
        pieces.to_string(),
        &["entities token-labels 2 1 entities B-drink=1 I-drink=1 O=2"],
    );
    assert_eq!(object["first_text"], "add green tea");
    let nested = json!({"data": [{"title": "x", "paragraphs": [{"context": "a b", "qas": []}]}]});
    let object = files.check("squad.json", nested.to_string(), &[]);
    assert!(notes(&object).contains("\"paragraphs\" holds lists of objects"), "{object:#}");
}

#[test]
fn numbers_that_are_classes_keep_their_spelling_and_become_one_across_files() {
    let files = Files::new();
    let rows = |labels: &[&str]| -> String {
        let rows = labels.iter().cycle().take(labels.len() * 4).enumerate();
        format!("text,label\n{}", joined(rows.map(|(row, label)| format!("number {row} here,{label}\n"))))
    };
    files.check(
        "floats.csv",
        rows(&["0.0", "1.0", "2.0"]) + "and one more,\n",
        &["label single-label 12 0=4 1=4 2=4"],
    );
    files.check("two.csv", rows(&["0.0", "1.0"]), &["label single-label 8 0=4 1=4"]);
    files.check("versions.csv", rows(&["1.10", "1.1", "2.0"]), &["label single-label 12 1.1=4 1.10=4 2.0=4"]);
    files.check("padded.csv", rows(&["007", "7", "7.0"]), &["label single-label 12 007=4 7=4 7.0=4"]);
    files.check(
        "codes.csv",
        rows(&["007.1", "8.45", "38.11"]),
        &["label single-label 12 007.1=4 38.11=4 8.45=4"],
    );
    let object = files.check("scores.csv", rows(&["0.25", "1.5", "3.75"]), &["label score 12"]);
    assert!(notes(&object).contains("read as a score"), "{object:#}");
    files.put("both/train.csv", rows(&["0", "1", "2"]));
    files.put("both/valid.csv", rows(&["0.0", "1.0", "2.0"]) + "one more,\n");
    files.put("both/test.jsonl", "{\"text\": \"json says\", \"label\": 1.0}\n");
    assert_eq!(told(&inspected(&files.0.path().join("both"))), ["label single-label 25 0=8 1=9 2=8"]);
    let one_each = joined((0..60).map(|row| format!("the matter of {row},intent_{row}\n")));
    let object = inspected(&files.put("one_each.csv", format!("text,label\n{one_each}")));
    assert_eq!(
        (&object["tasks"][0]["kind"], &object["tasks"][0]["usable_rows"]),
        (&json!("single-label"), &json!(60))
    );
    assert!(notes(&object).contains("a single training row"), "{object:#}");
    let long = "Home & Garden > Kitchen & Dining > Storage & Organization > Food Storage Containers";
    files.check(
        "long.csv",
        format!("title,category\nbox one,{long}\nbox two,{long}\n"),
        &[&format!("category single-label 2 {long}=2")],
    );
}

#[test]
fn what_nobody_annotated_is_no_label_and_told() {
    let files = Files::new();
    let body = "text,toxic,rude,threat\none two,1,0,0\nthree four,-1,-1,-1\nfive six,0,1,0\n";
    let object = files.check("jigsaw.csv", body, &["labels multi-label 2 rude=1 threat=0 toxic=1"]);
    assert!(notes(&object).contains("1 row holds -1 (line 3 of"), "{object:#}");
    assert!(notes(&object).contains("missing = [\"-1\"]"), "{object:#}");
    let snli = "gold_label\tsentence1\tsentence2\tannotator_labels\nneutral\tA man walks.\tHe moves.\t[\"neutral\"]\n-\tA man sits.\tHe moves.\t[\"neutral\"]\nentailment\tA man runs.\tHe moves.\t[\"neutral\"]\n";
    let object = files.check("snli.tsv", snli, &["gold_label single-label 2 entailment=1 neutral=1"]);
    assert!(notes(&object).contains("1 label cell is read as no label: \"-\""), "{object:#}");
    assert!(notes(&object).contains("reads the first text only"), "{object:#}");
    let second = "question,background,label\nwhat is it now?,it is a long story one,a\nwho was it then?,it is a long story two,b\nwhere was it when?,it is a long story three,a\n";
    let object = files.check("second.csv", second, &["label single-label 3 a=2 b=1"]);
    assert!(notes(&object).contains("\"background\" holds texts, too"), "{object:#}");
    let object = inspected(&files.put("blanks.csv", "text\n one\n\"two\n\"\nthree\n"));
    assert!(notes(&object).contains("2 texts begin or end with white space"), "{object:#}");
}

#[test]
fn dialects_of_tagged_words_are_told_apart() {
    let files = Files::new();
    let usual = "tags token-labels 2 2 entities B-LOC=1 B-PER=1 I-PER=1 O=2";
    for (name, body) in [
        ("zero.conll", "0\tAnn\tB-PER\n1\tLee\tI-PER\n2\truns\tO\n\n0\tRiga\tB-LOC\n1\tsleeps\tO\n"),
        ("one.tsv", "1\tAnn\tB-PER\n2\tLee\tI-PER\n3\truns\tO\n\n1\tRiga\tB-LOC\n2\tsleeps\tO\n"),
        ("through.txt", "1 Ann B-PER\n2 Lee I-PER\n3 runs O\n\n4 Riga B-LOC\n5 sleeps O\n"),
        (
            "part.conll",
            "d 0 0 Ann B-PER\nd 0 1 Lee I-PER\nd 0 2 runs O\n\nd 0 0 Riga B-LOC\nd 0 1 sleeps O\n",
        ),
    ] {
        for (ending, body) in [
            ("", body.to_owned()),
            ("crlf_", body.replace('\n', "\r\n")),
            ("bom_", format!("\u{feff}{body}")),
        ] {
            let object = files.check(&format!("{ending}{name}"), &body, &[usual]);
            assert_eq!(object["first_text"], "Ann Lee runs", "{name}");
        }
    }
    let two = "1\tAnn\tO\tB-PER\n2\tLee\tB-X\tI-PER\n3\truns\tO\tO\n\n1\tRiga\tB-LOC\tO\n2\tsleeps\tO\tO\n";
    files.check(
        "two.tsv",
        two,
        &[
            "tags token-labels 2 1 entities B-PER=1 I-PER=1 O=2",
            "column 3 token-labels 2 2 entities B-LOC=1 B-X=1 O=2",
        ],
    );
    let plus = "# global.columns = ID FORM UPOS X:NE\n# sent_id = a\n1-2\tdel\t_\t_\n1\tNina\tPROPN\tB-PER\n2\truns\tVERB\tO\n\n# sent_id = b\n1\tOslo\tPROPN\tB-LOC\n";
    let object = inspected(&files.put("a.conllup", plus));
    assert_eq!((&object["first_text"], &object["columns"][2]), (&json!("Nina runs"), &json!("X:NE")));
    assert!(
        told(&object).contains(&"X:NE token-labels 2 2 entities B-LOC=1 B-PER=1 O=1".to_owned()),
        "{object:#}"
    );
    let header = "token\tpos\tner\nAnn\tNNP\tB-PER\nruns\tVBZ\tO\n\nRiga\tNNP\tB-LOC\nsleeps\tVBZ\tO\n";
    let object = inspected(&files.put("header.tsv", header));
    assert_eq!((&object["first_text"], &object["tasks"][0]["task"]), (&json!("Ann runs"), &json!("ner")));
    let kinds = "Ann person\nLee person\nstars O\nin O\n\nShe O\nwas O\nin O\nRiga place\n";
    files.check("kinds.txt", kinds, &["tags token-labels 2 2 entities O=2 person=1 place=1"]);
    let numbers = "Ann\t3\nLee\t4\nstars\t0\nin\t0\n\nShe\t0\nwas\t0\nin\t0\nRiga\t5\n";
    let object = inspected(&files.put("numbers.txt", numbers));
    assert!(notes(&object).contains("are numbers, and nothing says what they stand for"), "{object:#}");
    let webanno = "#FORMAT=WebAnno TSV 3.2\n#T_SP=a.b.NamedEntity|identifier|value\n\n\n#Text=Nina Holm runs\n1-1\t0-4\tNina\t*\tPER[1]\t\n1-2\t5-9\tHolm\t*\tPER[1]\t\n1-3\t10-14\truns\t_\t_\t\n\n#Text=Oslo\n2-1\t15-19\tOslo\t*\tLOC\t\n";
    for name in ["w.tsv", "w.conll", "w.txt"] {
        files.check(
            name,
            webanno,
            &["NamedEntity.value token-labels 2 2 entities B-LOC=1 B-PER=1 I-PER=1 O=1"],
        );
    }
    files.check(
        "ft.txt",
        "__label__a __label__b how hot is it\n__label__a why grey\n",
        &["labels multi-label 2 a=2 b=1"],
    );
    let prose = "A line.\n\nTwo words\n\nand O\n";
    assert_eq!(inspected(&files.put("prose.txt", prose))["format"], "delimited");
}

#[test]
fn a_project_confirms_what_is_not_annotated_and_reads_the_same_again() {
    let place = program::Place::new();
    let rows = joined((0..40).map(|row| format!("text {row} here,{},{},0\n", row % 2, (row + 1) % 2)));
    place.write("t.csv", &format!("text,toxic,rude,threat\n{rows}hidden one,-1,-1,-1\n"));
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/models/bert");
    let said = place.ok(&["init", "p", "--model", model, "--data", "t.csv"]);
    assert!(said.contains("1 row holds -1") && said.contains("confirm it"), "{said}");
    let said = place.ok(&["init", "q", "--model", model, "--data", "t.csv", "--missing", "-1"]);
    assert!(said.contains("read as not annotated") && !said.contains("confirm it"), "{said}");
    let loaded = Project::load(&place.path("q")).unwrap();
    assert_eq!(loaded.mapping.unwrap().tasks[0].missing, ["-1"]);
}

#[test]
fn a_task_without_training_labels_is_told_before_the_run() {
    let files = Files::new();
    let train = files.put("train.csv", "text,topic,sentiment\none two,a,\nthree four,b,\n");
    let valid = files.put("valid.csv", "text,topic,sentiment\nfive six,a,good\nseven eight,b,bad\n");
    let read = |path: &Path, split| (tables(path).remove(0), Some(split));
    let all = [read(&train, Split::Train), read(&valid, Split::Valid)];
    let (dataset, ..) = assemble(&all, None, &NO_SPLIT).unwrap();
    let card = frostline::data::card::DataCard::of(&dataset);
    let texts: Vec<&str> = card.findings.iter().map(|finding| finding.text.as_str()).collect();
    assert!(
        texts.iter().any(|text| text.contains("\"sentiment\" has no label in the training rows")),
        "{texts:?}"
    );
    assert!(!texts.iter().any(|text| text.contains("\"topic\" has no label")), "{texts:?}");
}

/// Any JSON value, with the keys and numbers that mean something.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![0_u64..12, Just(u64::MAX)].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z \u{1f600}é]{0,6}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "text",
        "label",
        "labels",
        "start",
        "end",
        "entities",
        "spans",
        "result",
        "value",
        "choices",
        "from_name",
        "data",
        "points",
        "offset",
        "length",
        "answer",
        "accept",
        "annotations",
        "train",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..4)
                .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_is_read_or_refused_but_never_a_panic(
        records in prop::collection::vec((value(), value()), 1..5),
        is_lines: bool,
    ) {
        let objects = records.into_iter().map(|(label, other)| json!({"text": "Nina met Omar.", "label": label, "entities": other}));
        let body = if is_lines {
            joined(objects.map(|object| format!("{object}\n")))
        } else {
            objects.fold(json!([]), |all, object| json!({"data": [all, object]})).to_string()
        };
        let files = Files::new();
        let path = files.put(if is_lines { "a.jsonl" } else { "a.json" }, body);
        let options = ReadOptions { on_problem: OnProblem::Skip, ..ReadOptions::default() };
        match read_table(&path, &options, &|_, _| true) {
            Ok(table) => {
                let object = describe(vec![table], None).object;
                let classes = object["tasks"].as_array().into_iter().flatten().filter_map(|task| task["classes"].as_object());
                for class in classes.flat_map(|classes| classes.keys()) {
                    prop_assert!(!class.contains("{\"") && !class.contains("[["), "{class}: {object:#}");
                }
            }
            Err(error) => drop(refused(&path, &error)),
        }
    }
}
