//! Files as people really have them: every trap in a small file made here, with what must be found in it; and the
//! pack of awkward files beside the repository, where it is there.
#![expect(clippy::expect_used, reason = "a helper of a test fails as the test does")]

use crate::support::skip;
use std::path::Path;

use frostline::data::card::describe::{describe, refused};
use frostline::data::read::folder::expand;
use frostline::data::read::{OnProblem, Overrides, ReadOptions, read_table};
use serde_json::{Map, Value, json};

/// What `inspect --json` says of a path.
fn inspected(path: &Path) -> Value {
    let options = ReadOptions { on_problem: OnProblem::Skip, overrides: Overrides::default() };
    let tables = expand(path).and_then(|files| {
        files.iter().map(|file| read_table(file, &options, &|_, _| true)).collect::<Result<Vec<_>, _>>()
    });
    tables.map_or_else(|error| refused(path, &error), |tables| describe(tables, None).object)
}

/// The numbers of the lines with problems.
fn bad_lines(object: &Value) -> Vec<u64> {
    let problems = object["problems"].as_array().into_iter().flatten();
    problems.filter_map(|problem| problem["line"].as_u64()).collect()
}

/// Compares what is expected with what was found; `task.FIELD` is a field of the first task, `NAME:FIELD` of the
/// task of that name.
fn check(name: &str, object: &Value, expected: &Value) {
    for (key, wanted) in expected.as_object().expect("an object") {
        let tasks = || object["tasks"].as_array().into_iter().flatten();
        let found = match key.split_once(':').or_else(|| key.split_once('.')) {
            Some(("task", field)) => object["tasks"][0][field].clone(),
            Some((task, field)) => {
                tasks().find(|found| found["task"] == task).map_or(Value::Null, |found| found[field].clone())
            }
            None if key == "task_names" => tasks().map(|task| task["task"].clone()).collect(),
            None if key == "bad_lines" => json!(bad_lines(object)),
            None if key == "error" => {
                let error = object["error"].as_str().unwrap_or_default();
                assert!(error.contains(wanted.as_str().expect("words")), "{name}: {error:?}");
                continue;
            }
            None => object[key].clone(),
        };
        assert_eq!(found, *wanted, "{name}: {key} in {object:#}");
    }
}

/// A file in memory and what must be found in it.
struct Case(&'static str, Vec<u8>, Value);

fn text(name: &'static str, body: &str, expected: Value) -> Case {
    Case(name, body.as_bytes().to_vec(), expected)
}

fn wide(body: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    body.encode_utf16().flat_map(to_bytes).collect()
}

fn latin(body: &str) -> Vec<u8> {
    encoding_rs::WINDOWS_1252.encode(body).0.into_owned()
}

/// Six rows of three classes.
const PLAIN: &str = "text,intent\nplay a song for me,music\nwill it rain?,weather\nbook a table,food\n\
                     play it again,music\nis it cold outside,weather\na table for two,food\n";

fn plain() -> Value {
    json!({"columns": ["text", "intent"], "records": 6, "usable_rows": 6, "bad_lines": [],
        "text": "text", "task_names": ["intent"], "task.kind": "single-label",
        "task.classes": {"food": 2, "music": 2, "weather": 2}, "first_text": "play a song for me"})
}

/// What is expected of the plain rows, and more.
fn plain_and(more: &Value) -> Value {
    let mut all = plain();
    let fields = all.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    all
}

fn encodings() -> Vec<Case> {
    let accents = PLAIN.replace("outside", "déjà");
    vec![
        text(
            "bom.csv",
            &format!("\u{feff}{}", PLAIN.replace('\n', "\r\n")),
            plain_and(&json!({"encoding": "utf-8-sig"})),
        ),
        Case(
            "utf16le.csv",
            wide(&format!("\u{feff}{PLAIN}"), u16::to_le_bytes),
            plain_and(&json!({"encoding": "utf-16"})),
        ),
        Case(
            "utf16be_no_mark.csv",
            wide(PLAIN, u16::to_be_bytes),
            plain_and(&json!({"encoding": "utf-16-be"})),
        ),
        Case("latin1.csv", latin(&accents), plain_and(&json!({"encoding": "iso-8859-1"}))),
        Case(
            "quotes.csv",
            latin(&PLAIN.replace("rain?", "‘rain’ – €")),
            plain_and(&json!({"encoding": "cp1252"})),
        ),
        text("nul.csv", &PLAIN.replace("cold", "co\0ld"), plain_and(&json!({"encoding": "utf-8"}))),
        text(
            "two_files_in_one.csv",
            &format!("\u{feff}{PLAIN}\u{feff}text,intent\nagain,food\n"),
            json!({"records": 8, "usable_rows": 7, "bad_lines": [8]}),
        ),
        text("old_mac.csv", &PLAIN.replace('\n', "\r"), plain()),
        text(
            "mixed_ends.csv",
            "text,intent\r\nplay a song for me,music\nwill it rain?,weather\rbook a table,food\r\nplay it again,music\nis it cold outside,weather\ra table for two,food",
            plain(),
        ),
        text("separators.csv", &PLAIN.replace("rain?", "ra\u{2028}in\u{85}?"), plain()),
    ]
}

fn delimiters() -> Vec<Case> {
    let semicolons = "text;mood;score\nnice, and warm;good;1,5\ncold, wet;bad;-2\nso, so;good;0,25\n";
    vec![
        text(
            "semicolon.csv",
            semicolons,
            json!({"delimiter": ";", "columns": ["text", "mood", "score"],
            "usable_rows": 3, "text": "text"}),
        ),
        text(
            "sep.csv",
            &format!("sep=;\r\n{semicolons}"),
            json!({"delimiter": ";", "records": 3, "head": [
            ["nice, and warm", "good", "1,5"], ["cold, wet", "bad", "-2"], ["so, so", "good", "0,25"]]}),
        ),
        text("tabs.tsv", &PLAIN.replace(',', "\t"), plain_and(&json!({"delimiter": "\t"}))),
        text("bars.txt", &PLAIN.replace(',', "|"), plain_and(&json!({"delimiter": "|"}))),
        text("trailing.csv", &PLAIN.replace('\n', ",\n"), plain()),
        text("trailing_rows.csv", &PLAIN.replace('\n', ",\n").replacen(",\n", "\n", 1), plain()),
        text(
            "ragged.tsv",
            "text\tintent\tnote\na b\tx\t\nc d\ty\ne f\tx\tg\nh i\ty\tj\tk\n",
            json!({"records": 4, "rows": 2, "bad_lines": [3, 5]}),
        ),
        text("comments.csv", &format!("# exported by someone, in May\n# and more\n{PLAIN}"), plain()),
        text("title.csv", &format!("All messages of May\n\n{PLAIN}"), plain()),
        text(
            "index.csv",
            ",text,intent\n0,play a song,music\n1,rain?,weather\n2,sing,music\n3,sun?,weather\n",
            json!({"columns": ["column 1", "text", "intent"], "task_names": ["intent"], "usable_rows": 4}),
        ),
        text(
            "twice.csv",
            "text,label,label\na b,x,1\nc d,y,2\ne f,x,1\n",
            json!({"columns": ["text", "label", "label (2)"], "records": 3}),
        ),
        text(
            "spaces.csv",
            " Text ,DEPARTMENT,Sentiment \nnice top,tops,good\nok,tops,bad\nshort,trousers,good\nlong,trousers,bad\n",
            json!({"columns": ["Text", "DEPARTMENT", "Sentiment"], "task_names": ["DEPARTMENT", "Sentiment"]}),
        ),
        text(
            "lines.txt",
            "One line, of text.\nAnother.\nAnd, once more, one.\n",
            json!({"has_header": false, "records": 3, "columns": ["column 1"]}),
        ),
        text(
            "no_header.csv",
            PLAIN.split_once('\n').expect("lines").1,
            json!({"has_header": false, "records": 6, "usable_rows": 6, "first_text": "play a song for me"}),
        ),
    ]
}

fn quotes() -> Vec<Case> {
    vec![
        text(
            "embedded.csv",
            "text,label\n\"one\r\n\r\ntwo, three\",x\nfour,y\n\"fi\nve\",x\n",
            json!({"records": 3, "usable_rows": 3, "physical_lines": 7, "first_text": "one\r\n\r\ntwo, three"}),
        ),
        text(
            "doubled.csv",
            "text,label\n\"She said \"\"hi\"\" twice\",x\n\"\"\"q\"\"\",y\n",
            json!({"records": 2, "first_text": "She said \"hi\" twice"}),
        ),
        text(
            "backslash.csv",
            "text,label\n\"She said \\\"hi, you\\\" twice\",x\n\"plain, one\",y\n\"a \\\"b\\\"\",x\n",
            json!({"records": 3, "first_text": "She said \"hi, you\" twice", "quotes": "backslash"}),
        ),
        text(
            "middle.csv",
            "text,label\na 5\" pipe,x\nsay \"yes\" now,y\n\"Hello\" he said,x\n",
            json!({"records": 3, "usable_rows": 3, "bad_lines": []}),
        ),
        text(
            "glue.tsv",
            "sentence\tlabel\n\"Hello\" he said\t1\n\"half open\t0\nplain\t1\n",
            json!({"quoting": false, "records": 3, "first_text": "\"Hello\" he said"}),
        ),
        text(
            "open.csv",
            "text,label\none,x\n\"two,y\nthree,x\nfour,y\n",
            json!({"records": 4, "rows": 3, "bad_lines": [3]}),
        ),
        text(
            "blank_lines.csv",
            "text,label\na b,x\n\n   \n,\n   ,y\nc d,y\n",
            json!({"usable_rows": 2, "bad_lines": []}),
        ),
        text(
            "formulas.csv",
            "text,label\n=SUM(A1),x\n+1 and more,y\n@you,x\n",
            json!({"usable_rows": 3, "first_text": "=SUM(A1)"}),
        ),
        text(
            "header_only.csv",
            "text,intent\n",
            json!({"records": 0, "columns": ["text", "intent"], "error": "no row below it"}),
        ),
        text("empty.csv", "", json!({"records": 0, "error": "is empty"})),
        text("blanks.csv", " \r\n\n\t\n", json!({"records": 0, "error": "is empty"})),
    ]
}

fn labels() -> Vec<Case> {
    vec![
        text(
            "missing.csv",
            "text,topic,emotion\na b,x,good\nc d,,bad\ne f,y,\ng h,,\n",
            json!({"usable_rows": 3, "unlabelled_rows": 1, "topic:usable_rows": 2, "emotion:missing_rows": 2}),
        ),
        text(
            "markers.csv",
            "text,topic,mood\nNone,NA,good\nc d,n/a,bad\ne f,None,good\ng h,null,bad\ni j,  ,good\nk l,?,bad\nm n,x,good\no p,y,bad\n",
            json!({"records": 8, "rows_with_text": 8, "topic:usable_rows": 2,
                "topic:missing_markers": {"  ": 1, "?": 1, "NA": 1, "None": 1, "n/a": 1, "null": 1}}),
        ),
        text(
            "invisible.csv",
            "text,topic\na b,x y \nc d,x\u{a0}y\ne f,\u{200b}x y\ng h,z\ni j,z\u{feff}\nk l,z\n",
            json!({"task.classes": {"x y": 3, "z": 3}}),
        ),
        text(
            "numbers.csv",
            "text,sentiment,stars\na b,2,1\nc d,0,2\ne f,2,3\ng h,0,1\n",
            json!({"task_names": ["sentiment", "stars"], "stars:kind": "single-label"}),
        ),
        text("one_class.csv", "text,intent\na b,x\nc d,x\n", json!({"task.classes": {"x": 2}})),
        text(
            "sts.csv",
            "sentence1,sentence2,score\na b,c d,0.000\ne f,g h,0.526\ni j,,1.000\nk l,m n,0.9\n",
            json!({"records": 4, "usable_rows": 3, "task.kind": "similarity", "task.range": [0.0, 0.9_f32], "second_text": "sentence2"}),
        ),
        text(
            "same_scores.csv",
            "sentence1,sentence2,score\na b,c d,3.0\ne f,g h,3.0\n",
            json!({"task.kind": "similarity", "task.range": [3.0, 3.0]}),
        ),
        text(
            "paraphrases.tsv",
            "sentence1\tsentence2\tlabel\na b\tc d\t1\ne f\tg h\t0\ni j\tk l\t1\n",
            json!({"task.kind": "similarity", "usable_rows": 3}),
        ),
        text(
            "sets.csv",
            "text,labels\na b,x|y\nc d,y\ne f,x|z\n",
            json!({"task.kind": "multi-label", "task.classes": {"x": 2, "y": 2, "z": 1}}),
        ),
        text(
            "indicators.csv",
            "id,text,toxic,rude,threat\n1,a b,0,1,0\n2,c d,1,1,0\n3,e f,0,0,0\n4,g h,0,0,1\n",
            json!({"task.kind": "multi-label", "task.indicators": ["toxic", "rude", "threat"],
                "task.classes": {"rude": 2, "threat": 1, "toxic": 1}, "usable_rows": 4}),
        ),
        text(
            "stringified.csv",
            "tokens,tags\n\"['New', \"\"York's\"\", 'mayor']\",\"['B-LOC', 'I-LOC', 'O']\"\n['a'],['O']\n",
            json!({"task.kind": "token-labels", "task.entities": 1, "text": "tokens", "usable_rows": 2}),
        ),
        text(
            "spelt_out.csv",
            "text,label,label_text\na b,0,neg\nc d,1,pos\ne f,0,neg\n",
            json!({"task_names": ["label_text"], "task.classes": {"neg": 2, "pos": 1}}),
        ),
    ]
}

fn json_files() -> Vec<Case> {
    let rows = [("a b", "x"), ("c d", "y"), ("e f", "x")];
    let objects: Vec<String> =
        rows.iter().map(|(text, label)| json!({"text": text, "label": label}).to_string()).collect();
    let usual = json!({"columns": ["text", "label"], "records": 3, "usable_rows": 3, "bad_lines": []});
    let case = |name, body: String| Case(name, body.into_bytes(), usual.clone());
    vec![
        case("lines.jsonl", objects.join("\n")),
        case("marked.jsonl", format!("\u{feff}{}\r\n\r\n", objects.join("\r\n"))),
        case("commas.jsonl", objects.join(",\n")),
        case("list_in_lines.jsonl", format!("[\n{}\n]", objects.join(",\n"))),
        case("list.json", format!("[{}]", objects.join(", "))),
        case("trailing.json", format!("[{},\n]", objects.join(",\n"))),
        case("wrapped.json", format!("{{\"version\": 2, \"data\": [\n{}\n]}}", objects.join(",\n"))),
        case("pretty.json", objects.iter().map(|object| object.replace('{', "{\n  ").replace(',', ",\n  ").replace('}', "\n}")).collect::<Vec<_>>().join("\n")),
        case("columns.json", "{\"text\": [\"a b\", \"c d\", \"e f\"], \"label\": [\"x\", \"y\", \"x\"]}".to_owned()),
        case("pandas.json", "{\"text\":{\"0\":\"a b\",\"1\":\"c d\",\"2\":\"e f\"},\"label\":{\"0\":\"x\",\"1\":\"y\",\"2\":\"x\"}}".to_owned()),
        case("split.json", "{\"columns\":[\"text\",\"label\"],\"index\":[0,1,2],\"data\":[[\"a b\",\"x\"],[\"c d\",\"y\"],[\"e f\",\"x\"]]}".to_owned()),
        text("splits.json", &format!("{{\"train\": [{}], \"test\": [{}]}}", objects.join(","), objects.join(",")),
            json!({"records": 6, "split_column": "split"})),
        text("nested.json", "[{\"text\": \"a b\", \"labels\": {\"topic\": \"x\", \"mood\": \"good\"}}, {\"text\": \"c d\", \"labels\": {\"topic\": \"y\", \"mood\": null}}]",
            json!({"columns": ["text", "labels.topic", "labels.mood"], "records": 2, "labels.mood:usable_rows": 1})),
        text("uneven.jsonl", "{\"text\": \"a b\", \"label\": \"x\"}\n{\"label\": \"y\", \"text\": \"c d\", \"more\": NaN}\n{\"text\": \"e f\"}\n",
            json!({"columns": ["text", "label", "more"], "records": 3, "usable_rows": 2})),
        text("broken.jsonl", "{\"text\": \"a b\", \"label\": \"x\"}\n{\"text\": \"c d\", \"label\":\n[1]\n{\"text\": \"e f\", \"label\": \"y\"}\n",
            json!({"records": 4, "rows": 2, "bad_lines": [2, 3]})),
        text("cut_off.json", &format!("[{},\n{{\"text\": \"c", objects[0]), json!({"records": 2, "rows": 1, "bad_lines": [2]})),
    ]
}

fn conll() -> Vec<Case> {
    let usual = || json!({"records": 2, "task.entities": 2, "task.kind": "token-labels", "usable_rows": 2, "bad_lines": []});
    let tabs = "New\tB-LOC\nYork\tI-LOC\nsleeps\tO\n\nAda\tB-PER\nsings\tO\n";
    vec![
        text("tabs.conll", tabs, usual()),
        text("blanks.conll", &tabs.replace('\t', " ").replace('\n', "\r\n"), usual()),
        text("no_end.conll", tabs.trim_end(), usual()),
        text("tab_breaks.conll", &tabs.replace("\n\n", "\n\t\n"), usual()),
        text(
            "four.conll",
            "-DOCSTART- -X- -X- O\n\nNew NNP B-NP B-LOC\nYork NNP I-NP I-LOC\n\n-DOCSTART- -X- -X- O\n\nAda NNP B-NP B-PER\n",
            usual(),
        ),
        text("iob1.conll", "New\tI-LOC\nYork\tI-LOC\n\nAda\tI-PER\nsings\tO\n", usual()),
        text(
            "comments.conll",
            &format!("# id: 1\n# intent: rest\n{}", tabs.replace("\n\n", "\n\n# id: 2\n# intent: sing\n")),
            json!({"records": 2, "tags:entities": 2, "task_names": ["tags", "intent"], "columns": ["tokens", "tags", "id", "intent"]}),
        ),
        text(
            "untagged.conll",
            "New\tB-LOC\nYork\n\nAda\tB-PER\n",
            json!({"records": 2, "rows": 1, "bad_lines": [2]}),
        ),
        text(
            "jumps.conll",
            "New\tO\nYork\tI-LOC\n\nAda\tB-PER\n",
            json!({"records": 2, "task.unstarted_tags": 1}),
        ),
    ]
}

#[test]
fn every_trap_is_found_out() {
    let dir = tempfile::tempdir().expect("a folder");
    for Case(name, body, expected) in
        [encodings(), delimiters(), quotes(), labels(), json_files(), conll()].into_iter().flatten()
    {
        let path = dir.path().join(name);
        std::fs::write(&path, body).expect("written");
        check(name, &inspected(&path), &expected);
    }
}

#[test]
fn a_very_long_line_is_a_record_like_any_other() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("long.csv");
    let long = "word and word, ".repeat(700_000);
    std::fs::write(&path, format!("text,label\nshort,x\n\"{long}\",y\nshort again,x\n")).expect("written");
    check(
        "long.csv",
        &inspected(&path),
        &json!({"records": 3, "usable_rows": 3, "longest_chars": long.len()}),
    );
}

/// Packed files, whole and cut off.
#[test]
fn gzip_is_unpacked_and_what_is_cut_off_is_told() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().expect("a folder");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Rows that do not pack well, so that half of the archive is many rows.
    let row = |i: u64| format!("text {},{}\n", i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i % 3);
    let rows = (0..5000).map(row).collect::<Vec<_>>().concat();
    packer.write_all(format!("text,label\n{rows}").as_bytes()).expect("to memory");
    let packed = packer.finish().expect("to memory");
    let path = dir.path().join("a.csv.gz");
    std::fs::write(&path, &packed).expect("written");
    check(
        "whole",
        &inspected(&path),
        &json!({"gzip": true, "records": 5000, "usable_rows": 5000, "bad_lines": []}),
    );
    std::fs::write(&path, &packed[..packed.len() / 2]).expect("written");
    let object = inspected(&path);
    assert!(object["rows"].as_u64().expect("a number") > 1000, "{object:#}");
    let last = object["problems"].as_array().expect("a list").last().expect("a problem")["reason"].clone();
    assert!(last.as_str().expect("words").contains("cut off"), "{last}");
}

/// `expected.json` of the pack in the words of `inspect --json`.
fn in_our_words(expected: &Map<String, Value>) -> Map<String, Value> {
    let mut ours = Map::new();
    for (key, value) in expected {
        let key = match key.as_str() {
            "encoding" | "delimiter" | "columns" | "first_text" | "physical_lines" | "longest_chars" => key,
            "records" | "sentences" => "records",
            "usable" => "usable_rows",
            "full_rows" => "rows",
            "usable_department" => "department:usable_rows",
            "usable_sentiment" => "sentiment:usable_rows",
            "rows_with_no_label_at_all" => "unlabelled_rows",
            "texts_with_conflicting_labels" => "task.conflicting_texts",
            "missing_sentiment" => "sentiment:missing_rows",
            "bad_lines" | "bad_physical_lines" => "bad_lines",
            "entities" => "task.entities",
            // Counted below, or said in words of no fixed form.
            _ => continue,
        };
        ours.insert(key.to_owned(), value.clone());
    }
    ours
}

#[test]
fn the_pack_of_awkward_files_is_found_out() {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/awkward");
    let Ok(record) = std::fs::read(pack.join("expected.json")) else {
        skip::skip(&format!("{} is not there", pack.display()));
        return;
    };
    let record: Value = serde_json::from_slice(&record).expect("JSON");
    for (name, expected) in record.as_object().expect("an object") {
        let expected = expected.as_object().expect("an object");
        let object = inspected(&pack.join(name));
        check(name, &object, &Value::Object(in_our_words(expected)));
        if expected.get("records") == Some(&json!(0)) {
            assert!(object["error"].as_str().is_some_and(|error| error.len() > 20), "{name}: {object:#}");
        }
        if let Some(classes) = expected.get("classes").and_then(Value::as_u64) {
            assert_eq!(
                object["tasks"][0]["classes"].as_object().expect("classes").len() as u64,
                classes,
                "{name}"
            );
        }
        if let Some(markers) = expected.get("markers").and_then(Value::as_array) {
            let found = object["tasks"][0]["missing_markers"].as_object().expect("markers");
            assert!(
                markers.iter().all(|marker| found.contains_key(marker.as_str().expect("text"))),
                "{name}: {found:?}"
            );
        }
        if let Some(least) = expected.get("exact_duplicates").and_then(Value::as_u64) {
            assert!(object["repeated_rows"].as_u64() >= Some(least), "{name}: {object:#}");
        }
        if expected.get("scale") == Some(&json!("0-1")) {
            assert_eq!(object["tasks"][0]["range"], json!([0.0, 1.0]), "{name}");
        }
    }
}
