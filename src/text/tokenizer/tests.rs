use std::path::PathBuf;

use safetensors::SafeTensors;
use serde_json::Value;
use tokenizers::TruncationParams;

use super::*;

#[path = "../../../tests/support/skip.rs"]
mod skip;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("the fixture")).expect("JSON")
}

fn tiny(model: &str) -> Tokenizer {
    Tokenizer::load(&root("tests/fixtures/models").join(model)).expect("the fixture's tokenizer")
}

fn go_on(_: usize, _: usize) -> bool {
    true
}

/// The default model, which setup puts there.
fn default_model() -> Option<Tokenizer> {
    let dir = root(".models/all-MiniLM-L6-v2");
    skip::is_set_up(&dir).then(|| Tokenizer::load(&dir).expect("the default model's tokenizer"))
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("ids")
}

#[test]
fn the_default_model_gives_the_recorded_ids() {
    let Some(tokenizer) = default_model() else { return };
    let cases = json(&root("tests/fixtures/minilm/tokenizer_cases.json"));
    let items = cases["items"].as_array().expect("items");
    assert_eq!(items.len(), 241);
    let texts: Vec<&str> = items.iter().map(|item| item["text"].as_str().expect("text")).collect();
    let at = |length| tokenizer.encode(&texts, length, &go_on).expect("ids");
    let (at_128, at_256) = (at(128), at(256));
    for (row, item) in items.iter().enumerate() {
        let expected_128 = ids(&item["ids_128"]);
        let expected_256 =
            if item["ids_256_same"] == true { expected_128.clone() } else { ids(&item["ids_256"]) };
        assert_eq!(at_128.ids(row), expected_128, "{:?} at 128", texts[row]);
        assert_eq!(at_256.ids(row), expected_256, "{:?} at 256", texts[row]);
    }
    assert!(
        at_128.truncated_rows() > at_256.truncated_rows(),
        "some of the texts are longer than 128 tokens"
    );
    assert_eq!(u64::from(tokenizer.pad_id()), cases["pad_id"].as_u64().expect("pad id"));
    tokenizer.check_fits(30522).expect("the model's own size");
}

#[test]
fn the_tiny_models_give_the_recorded_ids() {
    for model in ["bert", "distilbert", "bert_gelu_new"] {
        let dir = root("tests/fixtures/models").join(model);
        let texts: Vec<String> = serde_json::from_value(json(&dir.join("texts.json"))).expect("texts");
        let bytes = std::fs::read(dir.join("io.safetensors")).expect("the fixture");
        let recorded = SafeTensors::deserialize(&bytes).expect("safetensors");
        let tensor = |name: &str| -> Vec<i64> {
            let data = recorded.tensor(name).expect("the tensor").data();
            data.chunks_exact(8).map(|eight| i64::from_le_bytes(eight.try_into().expect("eight"))).collect()
        };
        let (input_ids, mask) = (tensor("input_ids"), tensor("attention_mask"));
        let width = input_ids.len() / texts.len();
        let set = tiny(model).encode(&texts, 48, &go_on).expect("ids");
        for row in 0..texts.len() {
            let span = row * width..(row + 1) * width;
            let real = input_ids[span.clone()].iter().zip(&mask[span]).filter(|(_, mask)| **mask == 1);
            let expected: Vec<u32> = real.map(|(id, _)| *id as u32).collect();
            assert_eq!(set.ids(row), expected, "{model}, text {row}");
        }
        assert_eq!(set.truncated_rows(), 1, "{model}: one text is longer than 48 tokens");
    }
}

/// Our cut against the library's own, at every length, also for texts that hold special tokens themselves.
#[test]
fn the_cut_is_the_librarys() {
    let texts =
        ["", "ok", "my card [SEP] was declined [CLS] today", "the flight the flight the flight the bank"];
    for model in ["bert", "distilbert", "bert_gelu_new"] {
        let ours = tiny(model);
        let uncut = ours.encode(&texts, 10_000, &go_on).expect("ids");
        for max_length in 3..20 {
            let mut library = tokenizers::Tokenizer::clone(&ours.inner);
            let params = TruncationParams { max_length, ..TruncationParams::default() };
            library.with_truncation(Some(params)).expect("a length that is possible");
            let set = ours.encode(&texts, max_length, &go_on).expect("ids");
            for (row, text) in texts.iter().enumerate() {
                let expected = library.encode_fast(*text, true).expect("ids");
                assert_eq!(set.ids(row), expected.get_ids(), "{model} at {max_length}: {text:?}");
                assert_eq!(set.full_lengths()[row] as usize, uncut.len(row));
                assert_eq!(set.is_truncated(row), uncut.len(row) > max_length);
            }
        }
    }
}

#[test]
fn tokens_are_told_with_their_ids() {
    let tokenizer = tiny("bert");
    let tokens = tokenizer.tokens("My card, why?").expect("tokens");
    let set = tokenizer.encode(&["My card, why?"], 48, &go_on).expect("ids");
    assert_eq!(tokens.iter().map(|(_, id)| *id).collect::<Vec<_>>(), set.ids(0));
    assert_eq!((tokens[0].0.as_str(), tokens[tokens.len() - 1].0.as_str()), ("[CLS]", "[SEP]"));
}

#[test]
fn a_vocabulary_larger_than_the_model_is_refused_with_both_numbers() {
    let tokenizer = tiny("bert");
    let config = json(&root("tests/fixtures/models/bert/config.json"));
    let embeddings = config["vocab_size"].as_u64().expect("a size") as usize;
    tokenizer.check_fits(embeddings).expect("the model's own tokenizer");
    assert!(
        tokenizer.vocab_size() <= embeddings && tokenizer.max_id() as usize >= tokenizer.vocab_size() - 1
    );
    let max_id = tokenizer.max_id();
    tokenizer.check_fits(max_id as usize + 1).expect("just enough");
    let error = tokenizer.check_fits(max_id as usize).expect_err("one too few").to_string();
    assert!(
        error.contains(&format!("ids up to {max_id}")) && error.contains(&format!("{max_id} embeddings")),
        "{error}"
    );
}

#[test]
fn what_is_wrong_with_a_folder_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = |dir: &Path| Tokenizer::load(dir).err().expect("refused").to_string();
    assert!(said(dir.path()).contains("has no tokenizer.json"));
    assert!(said(&dir.path().join("nowhere")).contains("The folder is not there"));
    std::fs::write(dir.path().join("vocab.txt"), "[PAD]\n").expect("written");
    assert!(said(dir.path()).contains("no token [CLS]"));
    let whole = std::fs::read(root("tests/fixtures/models/bert/tokenizer.json")).expect("the fixture");
    for damaged in [&whole[..whole.len() / 2], b"", b"{}", b"\xff\xfe"] {
        std::fs::write(dir.path().join("tokenizer.json"), damaged).expect("written");
        assert!(said(dir.path()).contains("is damaged"), "{}", said(dir.path()));
    }
}

#[test]
fn a_length_without_room_for_text_is_refused() {
    let error = tiny("bert").encode(&["ok"], 2, &go_on).expect_err("no room").to_string();
    assert!(error.contains("maximum length of 2") && error.contains("at least 3"), "{error}");
    assert_eq!(tiny("bert").encode(&["ok"; 0], 3, &go_on).expect("nothing").rows(), 0);
}

#[test]
fn tokenizing_can_be_stopped_and_keeps_the_order() {
    let tokenizer = tiny("bert");
    let texts: Vec<String> = (0..CHUNK * 2 + 5).map(|row| "the card ".repeat(row % 7)).collect();
    let seen = std::cell::RefCell::new(Vec::new());
    let outcome = tokenizer.encode(&texts, 48, &|done, total| {
        seen.borrow_mut().push((done, total));
        done < CHUNK * 2
    });
    assert!(matches!(outcome, Err(TokenizerError::Cancelled)));
    assert_eq!(*seen.borrow(), [(CHUNK, texts.len()), (CHUNK * 2, texts.len())]);
    let set = tokenizer.encode(&texts, 48, &go_on).expect("ids");
    assert_eq!(set.rows(), texts.len());
    assert!((0..texts.len()).all(|row| set.len(row) == 2 + 2 * (row % 7) || set.is_truncated(row)));
}

/// A tag belongs to the first piece of its word, as transformers aligns it.
#[test]
fn words_begin_at_their_first_piece() {
    let tokenizer = tiny("bert");
    let text = "My card, why?  so\u{a0}what";
    let starts = tokenizer.word_starts(&[text], 64, &go_on).expect("words").remove(0);
    let tokens = tokenizer.tokens(text).expect("tokens");
    assert_eq!(starts.len(), tokens.len());
    assert_eq!((starts[0], starts.last()), (NO_WORD, Some(&NO_WORD)), "special tokens");
    let begun: Vec<u32> = starts.iter().copied().filter(|word| *word != NO_WORD).collect();
    assert_eq!(begun, [0, 1, 2, 4], "the third word is empty, the last holds a space of its own");
    let cut = tokenizer.word_starts(&[text], 4, &go_on).expect("words").remove(0);
    assert_eq!((cut.len(), cut[3]), (4, NO_WORD));
    let ids = tokenizer.encode(&[text], 4, &go_on).expect("ids");
    assert_eq!(ids.len(0), cut.len());
}
