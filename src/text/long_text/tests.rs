use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::super::tokenizer::Tokenizer as Ours;
use super::*;

/// So small that every text of a test is a long one.
const TINY: Limits = Limits { whole: 40, least: 48, most: 1 << 20 };

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON")
}

fn loaded(dir: &Path) -> Tokenizer {
    Tokenizer::clone(Ours::load(dir).expect("a tokenizer").inner())
}

/// A tokenizer.json of the tests, changed.
fn changed(path: &str, change: impl FnOnce(&mut Value)) -> Tokenizer {
    let mut json = read(&root(path));
    change(&mut json);
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("tokenizer.json"), json.to_string()).expect("a file");
    loaded(dir.path())
}

fn add(json: &mut Value, content: &str, lstrip: bool, single_word: bool, normalized: bool) {
    let id = json["model"]["vocab"]
        .as_object()
        .map_or_else(|| json["model"]["vocab"].as_array().map_or(0, Vec::len), serde_json::Map::len);
    let tokens = json["added_tokens"].as_array_mut().expect("a list");
    let id = id + tokens.len() + 100;
    tokens.push(json!({"id": id, "content": content, "single_word": single_word, "lstrip": lstrip,
                       "rstrip": false, "normalized": normalized, "special": !normalized}));
}

/// A Unigram of few pieces without normalizer and pre-tokenizer, and added tokens. Of a run of `a` with an odd number of
/// letters the first token is `a`, and with an even one `aa`: its tokens depend on its end, wherever that is.
fn parity(added: &[&str]) -> Tokenizer {
    changed("tests/fixtures/models/xlm_roberta/tokenizer.json", |json| {
        json["normalizer"] = Value::Null;
        json["pre_tokenizer"] = Value::Null;
        json["post_processor"] = Value::Null;
        json["added_tokens"] = json!([]);
        json["model"] = json!({"type": "Unigram", "unk_id": 0, "byte_fallback": false, "vocab": [
            ["<unk>", 0.0], ["a", -10.0], ["aa", -1.0], ["az", -1.0], ["z", -3.0], ["b", -3.0], [" ", -3.0]]});
        for content in added {
            add(json, content, false, false, true);
        }
    })
}

/// Every tokenizer of the fixtures, the default model's, those made of sentencepiece models, and some with traits that
/// published ones have.
fn all() -> Vec<(String, Tokenizer)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root("tests/fixtures/models")).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        if path.join("tokenizer.json").is_file() {
            all.push((path.display().to_string(), loaded(&path)));
        }
    }
    let default = root(".models/all-MiniLM-L6-v2");
    if default.is_dir() {
        all.push(("MiniLM".into(), loaded(&default)));
    }
    for name in ["mpnet", "roberta"] {
        let path = format!("tests/fixtures/tokenizers/{name}.json");
        all.push((path.clone(), changed(&path, |_| {})));
    }
    let cases = read(&root("tests/fixtures/tokenizers/sentencepiece/cases.json"));
    for case in cases["cases"].as_array().expect("cases") {
        let dir = tempfile::tempdir().expect("a folder");
        let text = |key: &str| case[key].as_str().expect("a text").to_owned();
        let model = format!("tests/fixtures/tokenizers/sentencepiece/{}.model", text("model"));
        std::fs::copy(root(&model), dir.path().join(text("name"))).expect("a model");
        for (file, content) in case["files"].as_object().expect("files") {
            std::fs::write(dir.path().join(file), content.to_string()).expect("a file");
        }
        all.push((format!("sentencepiece {} {}", text("model"), case["files"]), loaded(dir.path())));
    }
    let models = "tests/fixtures/models";
    let xlm = format!("{models}/xlm_roberta/tokenizer.json");
    all.push(("one piece".into(), changed(&xlm, |json| json["pre_tokenizer"] = Value::Null)));
    all.push(("not split".into(), changed(&xlm, |json| json["pre_tokenizer"]["split"] = json!(false))));
    all.push((
        "blanks become one".into(),
        changed(&xlm, |json| {
            json["normalizer"]["normalizers"][1]["pattern"] = json!({"Regex": " {2,}"});
            json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
                {"type": "WhitespaceSplit"}, json["pre_tokenizer"].clone()]});
        }),
    ));
    all.push((
        "one piece, blanks become one".into(),
        changed(&xlm, |json| {
            json["normalizer"]["normalizers"][1]["pattern"] = json!({"Regex": " {2,}"});
            json["pre_tokenizer"] = Value::Null;
        }),
    ));
    all.push(("parity".into(), parity(&[])));
    let bert = format!("{models}/bert/tokenizer.json");
    all.push((
        "added words".into(),
        changed(&bert, |json| {
            add(json, "New York", false, false, true);
            add(json, "abc", false, false, true);
            add(json, "x-y", false, true, false);
        }),
    ));
    all.push((
        "cased".into(),
        changed(&bert, |json| {
            json["normalizer"]["lowercase"] = json!(false);
            json["normalizer"]["clean_text"] = json!(false);
            json["normalizer"]["handle_chinese_chars"] = json!(false);
        }),
    ));
    let roberta = format!("{models}/roberta/tokenizer.json");
    all.push((
        "takes blanks".into(),
        changed(&roberta, |json| {
            add(json, "<take>", true, false, false);
            add(json, "don't", false, false, true);
        }),
    ));
    all
}

/// What texts are made of: what divides words and what does not, what vanishes, what composes, and pieces of tokens.
const PARTS: [&str; 58] = [
    "the ",
    "card",
    " was",
    " declined",
    "a",
    "ab",
    "abc",
    "l",
    "s",
    "K",
    "0",
    "12",
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\u{b}",
    "\u{a0}",
    "\u{3000}",
    ".",
    "!",
    "''",
    "``",
    "'",
    "'s",
    "don't",
    "'re",
    "-",
    "_",
    "x-y",
    "[CLS]",
    "[CL",
    "S]",
    " [MASK]",
    "<mask>",
    "  <mask>",
    "<take>",
    "</s>",
    "<unk>",
    "New York",
    "▁",
    "漢",
    "字漢",
    "かな",
    "カ",
    "한글",
    "เก็บ",
    "กข",
    "العربية",
    "привет",
    "e\u{301}",
    "\u{301}",
    "\u{200b}",
    "\0",
    "👍",
    "ﬁ½Ａ",
    "\u{fffd}",
];

fn texts() -> impl Strategy<Value = String> {
    let part = (0..PARTS.len(), prop_oneof![4 => 1..4_usize, 2 => 4..40_usize, 1 => 40..400_usize]);
    let mixed = prop::collection::vec(part, 1..24).prop_map(|parts| {
        parts.into_iter().map(|(part, times)| PARTS[part].repeat(times)).collect::<String>()
    });
    let words = prop::collection::vec(0..PARTS.len(), 10..400)
        .prop_map(|parts| parts.into_iter().map(|part| PARTS[part]).collect::<String>());
    let any = prop::collection::vec(any::<char>(), 40..400).prop_map(|chars| chars.into_iter().collect());
    prop_oneof![3 => mixed, 2 => words, 1 => any]
}

/// Body tokens of a text as the library makes them.
fn whole(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode_fast(text, false).expect("tokens").get_ids().to_vec()
}

/// Checks a text at a number of tokens, and tells whether less than all of it was read.
fn check(
    name: &str,
    tokenizer: &Tokenizer,
    beginnings: &Beginnings,
    prompt: &str,
    text: &str,
    tokens: usize,
) -> bool {
    let all = whole(tokenizer, &format!("{prompt}{text}"));
    let mut is_part = false;
    for shortens in [true, false] {
        let beginning = beginnings.find(tokenizer, prompt, text, tokens, shortens).expect("a beginning");
        let found = whole(tokenizer, &beginning.text);
        match beginning.certain {
            None => assert_eq!(found, all, "{name}, all of it: {text:?}"),
            Some(certain) => {
                is_part = true;
                assert!(
                    certain > tokens && certain <= all.len(),
                    "{name}, {certain} of {}: {text:?}",
                    all.len()
                );
                assert_eq!(found[..certain], all[..certain], "{name}, {certain}: {text:?}");
            }
        }
        assert!(shortens || format!("{prompt}{text}").starts_with(&*beginning.text), "{name}: offsets");
    }
    is_part
}

#[test]
fn beginnings_have_the_tokens_of_the_whole_text() {
    let all: Vec<_> = all()
        .into_iter()
        .map(|(name, tokenizer)| {
            let beginnings = Beginnings { limits: TINY, ..Beginnings::of(&tokenizer) };
            assert!(beginnings.is_known, "{name}");
            (name, tokenizer, beginnings)
        })
        .collect();
    assert!(all.len() > 25, "{}", all.len());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let parts = std::cell::RefCell::new(vec![0_usize; all.len()]);
    let strategy = (texts(), 1..40_usize, prop_oneof![Just(""), Just("query: "), Just("ab")]);
    runner
        .run(&strategy, |(text, tokens, prompt)| {
            for (index, (name, tokenizer, beginnings)) in all.iter().enumerate() {
                let is_part = check(name, tokenizer, beginnings, prompt, &text, tokens);
                parts.borrow_mut()[index] += usize::from(is_part);
            }
            Ok(())
        })
        .expect("the same tokens");
    for ((name, ..), parts) in all.iter().zip(parts.into_inner()) {
        assert!(parts >= 4, "{name}: only {parts} texts were not read to their end");
    }
}

/// Tokens that depend on the end of a piece are certain only once the end is read.
#[test]
fn tokens_that_depend_on_what_follows_are_not_certain() {
    let tokenizer = parity(&[]);
    let beginnings = Beginnings { limits: TINY, ..Beginnings::of(&tokenizer) };
    for letters in 200..210 {
        let run = "a".repeat(letters);
        assert!(!check("parity", &tokenizer, &beginnings, "", &run, 3), "{letters}");
        assert!(check("parity", &tokenizer, &beginnings, "", &"ab".repeat(letters), 3), "{letters}");
    }
}

/// A beginning never ends in an added token: what stands before it is another piece than it seems.
#[test]
fn added_tokens_are_not_cut() {
    let tokenizer = parity(&["zzzzzzzzzzzz"]);
    let beginnings = Beginnings { limits: TINY, ..Beginnings::of(&tokenizer) };
    // The first beginning has 48 bytes, and so ends in the run of z at some of these lengths.
    for letters in 30..60 {
        let text = format!("{}a{}{}", "b".repeat(letters), "z".repeat(12), "b".repeat(200));
        assert!(check("added", &tokenizer, &beginnings, "", &text, 3), "{letters}");
    }
}

/// A pattern without a blank, of any kind, never takes more than a few kilobytes of it.
#[test]
fn texts_without_blanks_are_cut_too() {
    for (name, tokenizer) in all() {
        let beginnings =
            Beginnings { limits: Limits { whole: 1 << 10, ..LIMITS }, ..Beginnings::of(&tokenizer) };
        for pattern in ["abcdefghij", "漢字", "0123456789", "!?", "かな", "thecardwas"] {
            let text = pattern.repeat(40_000 / pattern.len());
            check(&name, &tokenizer, &beginnings, "", &text, 30);
        }
    }
}

/// What gives one token or none, whatever its length, is passed over without being kept.
#[test]
fn stretches_without_effect_are_left_out() {
    let tokenizer = loaded(&root("tests/fixtures/models/bert"));
    let beginnings = Beginnings { limits: Limits { most: 64 << 10, ..LIMITS }, ..Beginnings::of(&tokenizer) };
    for inert in ["x", "7", "é", "ж", "ก็", "👍", " ", "\n", "\0", "\u{200b}"] {
        let text = format!("the card {} was declined", inert.repeat(1 << 20));
        let beginning = beginnings.find(&tokenizer, "", &text, 30, true).expect("a beginning");
        assert!(beginning.text.len() < 16 << 10, "{inert:?}: {}", beginning.text.len());
        assert_eq!(beginning.certain, None, "{inert:?}");
        let short = format!("the card {} was declined", inert.repeat(2000));
        assert_eq!(whole(&tokenizer, &beginning.text), whole(&tokenizer, &short), "{inert:?}");
    }
    // What cannot be passed over is refused rather than read.
    let text = "the card ".to_owned() + &"€".repeat(1 << 20);
    let refused = beginnings.find(&tokenizer, "", &text, 30, true).err().expect("refused");
    assert!(refused.contains("it has 3 MB") && refused.contains("fewer tokens than fit"), "{refused}");
}

/// A pre-tokenizer that may look anywhere is not cut.
#[test]
fn what_is_not_known_is_read_as_a_whole_or_refused() {
    let tokenizer = changed("tests/fixtures/models/modernbert/tokenizer.json", |json| {
        let split = json!({"type": "Split", "pattern": {"Regex": "a+(?=.*z)|."}, "behavior": "Isolated", "invert": false});
        json["pre_tokenizer"] =
            json!({"type": "Sequence", "pretokenizers": [split, json["pre_tokenizer"].clone()]});
    });
    let beginnings =
        Beginnings { limits: Limits { whole: 64, least: 64, most: 4096 }, ..Beginnings::of(&tokenizer) };
    let text = "the card ".repeat(100);
    assert_eq!(beginnings.find(&tokenizer, "", &text, 4, true).expect("all of it").certain, None);
    let refused = beginnings.find(&tokenizer, "", &text.repeat(10), 4, true).err().expect("refused");
    assert!(refused.contains("may look at all of it"), "{refused}");
}
