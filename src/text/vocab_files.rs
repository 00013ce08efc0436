//! A tokenizer from the files of older models: `vocab.txt` (`WordPiece`, as BERT and `MPNet` have it), `vocab.json`
//! with `merges.txt` (byte-level BPE, as `RoBERTa` has it), or the model of sentencepiece. They become the
//! `tokenizer.json` that transformers would write for them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::error::TokenizerError;
use super::spm_classes;
use super::vocab_settings::{Settings, damaged, parse, read};

/// Classes of transformers that these files may belong to; any other cuts text in its own way.
const WORDPIECE: [&str; 6] = ["Bert", "DistilBert", "Electra", "MPNet", "MobileBert", "PreTrained"];
const BYTE_LEVEL: [&str; 4] = ["Roberta", "Longformer", "Bart", "PreTrained"];

/// A `tokenizer.json` made of the older files of a folder, and the one of them that holds the vocabulary; `None` where
/// there are none.
pub(super) fn build(dir: &Path) -> Result<Option<(PathBuf, Value)>, TokenizerError> {
    let (vocab, merges) = (dir.join("vocab.json"), dir.join("merges.txt"));
    if vocab.is_file() && merges.is_file() {
        let settings = Settings::read(dir)?.of(&BYTE_LEVEL)?;
        let json = byte_level(&settings, &vocab, &merges)?;
        return Ok(Some((vocab, json)));
    }
    let vocab = dir.join("vocab.txt");
    if vocab.is_file() {
        let json = wordpiece(&Settings::read(dir)?.of(&WORDPIECE)?, &vocab)?;
        return Ok(Some((vocab, json)));
    }
    let Some(path) = spm_classes::model_file(dir) else { return Ok(None) };
    let json = spm_classes::build(&Settings::read(dir)?, &path)?;
    Ok(Some((path, json)))
}

/// `BertTokenizerFast` and `MPNetTokenizerFast` of transformers.
fn wordpiece(settings: &Settings, path: &Path) -> Result<Value, TokenizerError> {
    // As Python reads lines: a later token of the same text takes the place of the earlier one.
    let text = read(path)?;
    let vocab: Map<String, Value> =
        text.lines().enumerate().map(|(id, token)| (token.to_owned(), json!(id))).collect();
    let is_mpnet = !vocab.contains_key("[CLS]") && vocab.contains_key("<s>");
    let defaults = if is_mpnet {
        ["<s>", "</s>", "[UNK]", "<pad>", "<mask>"]
    } else {
        ["[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]"]
    };
    let special = settings.specials(path, &vocab, defaults)?;
    let normalizer = json!({
        "type": "BertNormalizer",
        "clean_text": true,
        "handle_chinese_chars": settings.flag("tokenize_chinese_chars")?.unwrap_or(true),
        "strip_accents": settings.flag("strip_accents")?,
        "lowercase": settings.flag("do_lower_case")?.unwrap_or(true),
    });
    let id = |token: &str| vocab.get(token).cloned().unwrap_or_default();
    let (cls, sep) = (&special.cls, &special.sep);
    let post_processor = if is_mpnet {
        json!({"type": "RobertaProcessing", "sep": [sep, id(sep)], "cls": [cls, id(cls)], "trim_offsets": true, "add_prefix_space": false})
    } else {
        json!({"type": "BertProcessing", "sep": [sep, id(sep)], "cls": [cls, id(cls)]})
    };
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": settings.added(&vocab, &special, is_mpnet)?,
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": post_processor,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece",
            "unk_token": special.unk,
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    }))
}

/// `RobertaTokenizerFast` of transformers.
fn byte_level(settings: &Settings, vocab_path: &Path, merges_path: &Path) -> Result<Value, TokenizerError> {
    let Value::Object(vocab) = parse(vocab_path)? else {
        return Err(damaged(vocab_path, "expected tokens with their ids"));
    };
    let text = read(merges_path)?;
    let mut merges = Vec::new();
    for (row, line) in text.lines().enumerate() {
        if line.is_empty() || (row == 0 && line.starts_with("#version")) {
            continue;
        }
        let Some((left, right)) = line.split_once(' ') else {
            return Err(damaged(merges_path, &format!("line {} is no pair of tokens", row + 1)));
        };
        merges.push(json!([left, right]));
    }
    let special = settings.specials(vocab_path, &vocab, ["<s>", "</s>", "<unk>", "<pad>", "<mask>"])?;
    let id = |token: &str| vocab.get(token).cloned().unwrap_or_default();
    let prefix_space = settings.flag("add_prefix_space")?.unwrap_or(false);
    let (cls, sep) = (&special.cls, &special.sep);
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": settings.added(&vocab, &special, true)?,
        "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": prefix_space, "trim_offsets": true, "use_regex": true},
        "post_processor": {"type": "RobertaProcessing", "sep": [sep, id(sep)], "cls": [cls, id(cls)], "trim_offsets": true, "add_prefix_space": prefix_space},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": merges,
        },
    }))
}
