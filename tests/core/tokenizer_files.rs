//! Tokenizers made of the files of older models give the ids that the `tokenizer.json` of the same model gives.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use crate::support::skip;
use std::fs;
use std::path::{Path, PathBuf};

use frostline::text::tokenizer::Tokenizer;
use serde_json::{Value, json};
use tempfile::TempDir;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn texts() -> Vec<String> {
    let cases = read(&root("tests/fixtures/minilm/tokenizer_cases.json"));
    let mut texts: Vec<String> = cases["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["text"].as_str().unwrap().to_owned())
        .collect();
    texts.extend(
        ["", " two  spaces ", "Café naïve ÅNGSTRÖM", "don't we'll I'm", "人口 2024", "a</s>b <s>", "[SEP] x"]
            .map(str::to_owned),
    );
    texts
}

/// Ids of all texts must be the same.
fn assert_same(ours: &Tokenizer, theirs: &Tokenizer, what: &str) {
    let texts = texts();
    let ids = |tokenizer: &Tokenizer| tokenizer.encode(&texts, 128, &|_, _| true).unwrap();
    let (ours_set, theirs_set) = (ids(ours), ids(theirs));
    for (row, text) in texts.iter().enumerate() {
        assert_eq!(ours_set.ids(row), theirs_set.ids(row), "{what}: {text:?}");
        assert_eq!(ours_set.full_lengths()[row], theirs_set.full_lengths()[row], "{what}: {text:?}");
    }
    assert_eq!((ours.pad_id(), ours.max_id()), (theirs.pad_id(), theirs.max_id()), "{what}");
}

/// `tokenizer.json` of a fixture as a folder, and its vocabulary, tokens in the order of their ids.
fn fixture(path: &str, change: impl FnOnce(&mut Value)) -> (TempDir, Vec<String>) {
    let mut json = read(&root(path));
    change(&mut json);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tokenizer.json"), json.to_string()).unwrap();
    let mut vocab: Vec<(u64, String)> = json["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(token, id)| (id.as_u64().unwrap(), token.clone()))
        .collect();
    vocab.sort();
    (dir, vocab.into_iter().map(|(_, token)| token).collect())
}

fn folder(files: &[(&str, String)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn load(dir: &TempDir) -> Tokenizer {
    Tokenizer::load(dir.path()).unwrap()
}

#[test]
fn a_vocabulary_of_words_is_berts_tokenizer() {
    for (lowercase, accents) in [(true, None), (false, None), (false, Some(true)), (true, Some(false))] {
        let (theirs, vocab) = fixture("tests/fixtures/models/bert/tokenizer.json", |json| {
            json["normalizer"]["lowercase"] = json!(lowercase);
            json["normalizer"]["strip_accents"] = json!(accents);
        });
        let settings =
            json!({"do_lower_case": lowercase, "strip_accents": accents, "tokenizer_class": "BertTokenizer"});
        let ours =
            folder(&[("vocab.txt", vocab.join("\n")), ("tokenizer_config.json", settings.to_string())]);
        assert_same(&load(&ours), &load(&theirs), &format!("{lowercase} {accents:?}"));
    }
    // Lower case is BERT's default, and Windows' line ends change nothing.
    let (theirs, vocab) = fixture("tests/fixtures/models/bert/tokenizer.json", |_| {});
    let ours = folder(&[("vocab.txt", vocab.join("\r\n") + "\r\n")]);
    assert_same(&load(&ours), &load(&theirs), "without settings");
}

#[test]
fn mpnet_puts_its_own_tokens_around_a_text() {
    let (theirs, vocab) = fixture("tests/fixtures/tokenizers/mpnet.json", |_| {});
    let settings = json!({"tokenizer_class": "MPNetTokenizer"});
    let ours = folder(&[("vocab.txt", vocab.join("\n")), ("tokenizer_config.json", settings.to_string())]);
    assert_same(&load(&ours), &load(&theirs), "mpnet");
}

#[test]
fn a_vocabulary_with_merges_is_robertas_tokenizer() {
    let path = "tests/fixtures/tokenizers/roberta.json";
    let json = read(&root(path));
    let pair = |merge: &Value| format!("{} {}", merge[0].as_str().unwrap(), merge[1].as_str().unwrap());
    let merges: Vec<String> = json["model"]["merges"].as_array().unwrap().iter().map(pair).collect();
    for prefix_space in [false, true] {
        let (theirs, _) = fixture(path, |json| {
            json["pre_tokenizer"]["add_prefix_space"] = json!(prefix_space);
            json["post_processor"]["add_prefix_space"] = json!(prefix_space);
        });
        // The setting would win over the file.
        let settings = json!({"add_prefix_space": prefix_space}).to_string();
        fs::write(theirs.path().join("tokenizer_config.json"), &settings).unwrap();
        let ours = folder(&[
            ("vocab.json", json["model"]["vocab"].to_string()),
            ("merges.txt", format!("#version: 0.2\n{}\n", merges.join("\n"))),
            ("tokenizer_config.json", settings),
            (
                "special_tokens_map.json",
                json!({"mask_token": {"content": "<mask>", "lstrip": true}}).to_string(),
            ),
        ]);
        assert_same(&load(&ours), &load(&theirs), &format!("{prefix_space}"));
    }
}

/// The real thing, where the project's setup has put it.
#[test]
fn the_default_models_vocabulary_gives_its_ids() {
    let dir = root(".models/all-MiniLM-L6-v2");
    if !skip::is_set_up(&dir.join("vocab.txt")) {
        return;
    }
    let ours = tempfile::tempdir().unwrap();
    for file in ["vocab.txt", "tokenizer_config.json", "special_tokens_map.json"] {
        fs::copy(dir.join(file), ours.path().join(file)).unwrap();
    }
    assert_same(&load(&ours), &Tokenizer::load(&dir).unwrap(), "all-MiniLM-L6-v2");
}

#[test]
fn padding_and_cuts_of_the_file_stay_there() {
    let (plain, _) = fixture("tests/fixtures/models/bert/tokenizer.json", |_| {});
    let (stored, _) = fixture("tests/fixtures/models/bert/tokenizer.json", |json| {
        json["truncation"] =
            json!({"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0});
        json["padding"] = json!({
            "strategy": {"Fixed": 64}, "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
        });
    });
    assert_same(&load(&stored), &load(&plain), "stored");
}

#[test]
fn lower_casing_of_sentence_transformers_comes_first() {
    let keep_case = |json: &mut Value| json["normalizer"]["lowercase"] = json!(false);
    let (theirs, _) = fixture("tests/fixtures/models/bert/tokenizer.json", |json| {
        json["normalizer"] = json!({"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": false
        }]});
    });
    let (ours, _) = fixture("tests/fixtures/models/bert/tokenizer.json", keep_case);
    fs::write(ours.path().join("sentence_bert_config.json"), r#"{"do_lower_case": true}"#).unwrap();
    assert_same(&load(&ours), &load(&theirs), "lower case");
    let other = ours.path().join("sentence_distilbert_config.json");
    fs::rename(ours.path().join("sentence_bert_config.json"), other).unwrap();
    assert_same(&load(&ours), &load(&theirs), "lower case, by another name");
}

#[test]
fn files_that_are_not_understood_are_refused_in_words() {
    let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na";
    for (files, told) in [
        (vec![("vocab.txt", "[PAD]\na")], vec!["vocab.txt is damaged", "no token [CLS]"]),
        (vec![("vocab.txt", "")], vec!["vocab.txt is damaged", "no token [CLS]"]),
        (
            vec![
                ("vocab.txt", vocab),
                ("tokenizer_config.json", r#"{"tokenizer_class": "BertJapaneseTokenizer"}"#),
            ],
            vec!["BertJapaneseTokenizer", "AutoTokenizer"],
        ),
        (
            vec![("vocab.txt", vocab), ("tokenizer_config.json", r#"{"do_lower_case": "yes"}"#)],
            vec!["tokenizer_config.json is damaged", "do_lower_case"],
        ),
        (
            vec![("vocab.txt", vocab), ("tokenizer_config.json", "{")],
            vec!["tokenizer_config.json is damaged"],
        ),
        (
            vec![("vocab.txt", vocab), ("tokenizer_config.json", r#"{"added_tokens_decoder": {"x": 1}}"#)],
            vec!["tokenizer_config.json", "added_tokens_decoder"],
        ),
        (vec![("vocab.json", "[1]"), ("merges.txt", "")], vec!["vocab.json is damaged"]),
        (
            vec![("vocab.json", "{\"<s>\": \"zero\"}"), ("merges.txt", "")],
            vec!["vocab.json is damaged", "<s>"],
        ),
        (
            vec![("vocab.json", r#"{"<s>": 0, "</s>": 1, "<unk>": 2}"#), ("merges.txt", "#version\nab\n")],
            vec!["merges.txt is damaged", "line 2"],
        ),
        (
            vec![("vocab.json", r#"{"<s>": 0, "</s>": 1, "<unk>": 2}"#), ("merges.txt", "a b\n")],
            vec!["vocab.json is damaged"],
        ),
        (vec![("vocab.json", "{}")], vec!["has no tokenizer.json", "merges.txt"]),
        (
            vec![("sentencepiece.bpe.model", "x")],
            vec!["has no tokenizer.json", "sentencepiece", "tokenizer_class"],
        ),
        (
            vec![("spiece.model", "x"), ("config.json", r#"{"model_type": "t5"}"#)],
            vec!["has no tokenizer.json", "belong to a t5", "AutoTokenizer"],
        ),
        (
            vec![("odd.model", "x"), ("tokenizer_config.json", r#"{"tokenizer_class": "AlbertTokenizer"}"#)],
            vec!["odd.model is damaged", "no sentencepiece model"],
        ),
        (
            vec![("spm.model", ""), ("config.json", r#"{"model_type": "deberta-v2"}"#)],
            vec!["spm.model is damaged", "0 pieces"],
        ),
    ] {
        let owned: Vec<(&str, String)> =
            files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        let text = Tokenizer::load(folder(&owned).path()).err().expect("refused").to_string();
        for word in told {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }
}

/// Ids that transformers' own classes gave for the same files.
#[test]
fn transformers_classes_give_the_same_ids() {
    let cases = read(&root("tests/fixtures/tokenizers/cases.json"));
    let texts: Vec<String> = serde_json::from_value(cases["texts"].clone()).unwrap();
    for case in cases["tokenizers"].as_array().unwrap() {
        let vocabulary = case["vocabulary"].as_str().unwrap();
        let path = if vocabulary == "minilm" {
            ".models/all-MiniLM-L6-v2/tokenizer.json".to_owned()
        } else {
            format!("tests/fixtures/tokenizers/{vocabulary}.json")
        };
        if vocabulary == "minilm" && !skip::is_set_up(&root(&path)) {
            continue;
        }
        let json = read(&root(&path));
        let mut files = vec![("tokenizer_config.json", case["settings"].to_string())];
        let merges = json["model"]["merges"].as_array();
        if let Some(merges) = merges {
            let pair =
                |merge: &Value| format!("{} {}\n", merge[0].as_str().unwrap(), merge[1].as_str().unwrap());
            files.push(("merges.txt", merges.iter().map(pair).collect()));
            files.push(("vocab.json", json["model"]["vocab"].to_string()));
        } else {
            let (_, vocab) = fixture(&path, |_| {});
            files.push(("vocab.txt", vocab.join("\n")));
        }
        let set = load(&folder(&files)).encode(&texts, 100_000, &|_, _| true).unwrap();
        for (row, text) in texts.iter().enumerate() {
            let expected: Vec<u32> = serde_json::from_value(case["ids"][row].clone()).unwrap();
            assert_eq!(set.ids(row), expected, "{}: {text:?}", case["settings"]);
        }
    }
}

fn sentencepiece() -> (Value, Vec<String>) {
    let cases = read(&root("tests/fixtures/tokenizers/sentencepiece/cases.json"));
    let texts = serde_json::from_value(cases["texts"].clone()).unwrap();
    (cases, texts)
}

/// A folder with the model's bytes under the name that its class has for them.
fn sentencepiece_folder(case: &Value, bytes: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(case["name"].as_str().unwrap()), bytes).unwrap();
    for (file, content) in case["files"].as_object().unwrap() {
        fs::write(dir.path().join(file), content.to_string()).unwrap();
    }
    dir
}

fn sentencepiece_model(case: &Value) -> Vec<u8> {
    let name = case["model"].as_str().unwrap();
    fs::read(root(&format!("tests/fixtures/tokenizers/sentencepiece/{name}.model"))).unwrap()
}

/// Ids that the fast tokenizers of transformers gave, which they make of the same files.
#[test]
fn a_sentencepiece_model_gives_the_ids_of_its_class() {
    let (cases, texts) = sentencepiece();
    for case in cases["cases"].as_array().unwrap() {
        let dir = sentencepiece_folder(case, &sentencepiece_model(case));
        let set = load(&dir).encode(&texts, 100_000, &|_, _| true).unwrap();
        for (row, text) in texts.iter().enumerate() {
            let expected: Vec<u32> = serde_json::from_value(case["ids"][row].clone()).unwrap();
            assert_eq!(set.ids(row), expected, "{} {}: {text:?}", case["class"], case["files"]);
        }
    }
}

/// Whatever is in the file: it is refused in words, or it cuts every text without a panic.
#[test]
fn a_damaged_sentencepiece_model_never_panics() {
    let (cases, texts) = sentencepiece();
    let case = cases["cases"].as_array().unwrap().iter().find(|case| case["model"] == "rules").unwrap();
    let whole = sentencepiece_model(case);
    let mut seed = 1_u64;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut refused = 0;
    for round in 0..300 {
        let mut bytes = whole.clone();
        if round % 3 == 0 {
            bytes.truncate(next(whole.len()));
        }
        for _ in 0..=round % 4 {
            if let Some(byte) =
                (!bytes.is_empty()).then(|| next(bytes.len())).and_then(|at| bytes.get_mut(at))
            {
                *byte = next(256) as u8;
            }
        }
        match Tokenizer::load(sentencepiece_folder(case, &bytes).path()) {
            Ok(tokenizer) => drop(tokenizer.encode(&texts, 100_000, &|_, _| true)),
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains(".model"), "{error}");
            }
        }
    }
    assert!((50..300).contains(&refused), "{refused}");
}
