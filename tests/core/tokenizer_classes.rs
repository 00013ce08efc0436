//! Settings of `tokenizer_config.json` that win over `tokenizer.json` in transformers win here, and files that disagree
//! are reported.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs;
use std::path::{Path, PathBuf};

use frostline::text::tokenizer::Tokenizer;
use frostline::text::tokenizer_class::disagreements;
use serde_json::{Value, json};
use tempfile::TempDir;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The folder that a case describes.
fn folder(case: &Value) -> TempDir {
    let model = root("tests/fixtures/models").join(case["model"].as_str().unwrap());
    let mut tokenizer = read(&model.join("tokenizer.json"));
    for change in case["json"].as_array().unwrap() {
        let mut at = &mut tokenizer;
        for key in change[0].as_array().unwrap() {
            at = &mut at[key.as_str().unwrap()];
        }
        *at = change[1].clone();
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    for name in ["tokenizer_config", "config"] {
        if !case[name].is_null() {
            fs::write(dir.path().join(format!("{name}.json")), case[name].to_string()).unwrap();
        }
    }
    dir
}

/// `make_classes.py` beside the recording documents it.
#[test]
fn every_class_cuts_texts_as_transformers_does() {
    let recorded = read(&root("tests/fixtures/tokenizers/classes.json"));
    let texts: Vec<String> = serde_json::from_value(recorded["texts"].clone()).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    assert!(cases.len() > 150, "{}", cases.len());
    let mut changed = 0;
    for case in cases {
        let dir = folder(case);
        let ours = Tokenizer::load(dir.path()).unwrap().encode(&texts, 128, &|_, _| true).unwrap();
        let wanted: Vec<Vec<u32>> = serde_json::from_value(case["ids"].clone()).unwrap();
        for (row, wanted) in wanted.iter().enumerate() {
            assert_eq!(ours.ids(row), wanted, "{} {} {}", texts[row], case["tokenizer_config"], case["json"]);
        }
        // What tokenizer.json alone gives: where that is something else, a sentence says so.
        let alone = tokenizers::Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
        let is_alone = texts.iter().zip(&wanted).all(|(text, wanted)| {
            let ids = alone.encode(text.as_str(), true).unwrap();
            ids.get_ids() == &wanted[..]
        });
        if !is_alone {
            let notes = disagreements(folder(case).path());
            assert!(!notes.is_empty(), "no note: {} {}", case["tokenizer_config"], case["json"]);
            changed += 1;
        }
    }
    assert!(changed > 20, "{changed} cases differ from tokenizer.json alone");
}

#[test]
fn a_note_names_both_files_and_the_one_that_counts() {
    let case = |lower: bool, settings: Value| {
        let folder = folder(&json!({
            "model": "bert", "json": [[["normalizer", "lowercase"], lower]], "tokenizer_config": settings,
            "config": {"model_type": "bert"},
        }));
        disagreements(folder.path())
    };
    let [note] = &case(true, json!({"tokenizer_class": "BertTokenizer", "do_lower_case": false}))[..] else {
        panic!("one note")
    };
    for part in ["lowercase = true", "do_lower_case = false", "a BertTokenizer follows tokenizer_config.json"]
    {
        assert!(note.contains(part), "{note}");
    }
    let [note] = &case(false, json!({"tokenizer_class": "BertTokenizer"}))[..] else { panic!("one note") };
    assert!(note.contains("no do_lower_case, which means true"), "{note}");
    let generic = json!({"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": false});
    let [note] = &case(true, generic)[..] else { panic!("one note") };
    assert!(note.contains("a PreTrainedTokenizerFast follows tokenizer.json"), "{note}");
    for agreed in [
        json!({"tokenizer_class": "BertTokenizer", "do_lower_case": true, "strip_accents": null}),
        json!({"tokenizer_class": "PreTrainedTokenizerFast"}),
    ] {
        assert_eq!(case(true, agreed), Vec::<String>::new());
    }
}

/// The models of the tests and the default model say one thing.
#[test]
fn files_that_agree_are_not_remarked_on() {
    let models = fs::read_dir(root("tests/fixtures/models")).unwrap();
    for dir in models.map(|entry| entry.unwrap().path()).filter(|path| path.join("tokenizer.json").is_file())
    {
        assert_eq!(disagreements(&dir), Vec::<String>::new(), "{}", dir.display());
    }
    assert_eq!(disagreements(&root(".models/all-MiniLM-L6-v2")), Vec::<String>::new());
}
