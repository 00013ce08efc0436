//! A tokenizer from the files of older models: `vocab.txt` (`WordPiece`, as BERT and `MPNet` have it), `vocab.json`
//! with `merges.txt` (byte-level BPE, as `RoBERTa` has it), or the model of sentencepiece. They become the
//! `tokenizer.json` that transformers would write for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::encoder_dir::{VOCABULARY, read_at_most};
use super::spm_classes;
use super::tokenizer::TokenizerError;
use super::tokenizer_class::class_of_model_type;

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

/// Tokens with a meaning of their own.
struct Specials {
    cls: String,
    sep: String,
    unk: String,
    pad: String,
    mask: String,
}

/// The settings beside a vocabulary.
pub(super) struct Settings {
    /// `tokenizer_config.json`.
    path: PathBuf,
    config: Value,
    map: Value,
    added: Value,
}

/// A token by its id, and what is said of it.
type Listed = (u64, Map<String, Value>);

impl Settings {
    pub(super) fn read(dir: &Path) -> Result<Self, TokenizerError> {
        let optional = |name: &str| {
            let path = dir.join(name);
            if path.is_file() { parse(&path) } else { Ok(Value::Null) }
        };
        Ok(Self {
            path: dir.join("tokenizer_config.json"),
            config: optional("tokenizer_config.json")?,
            map: optional("special_tokens_map.json")?,
            added: optional("added_tokens.json")?,
        })
    }

    /// The same, where they belong to one of these classes or name none.
    fn of(self, classes: &[&str]) -> Result<Self, TokenizerError> {
        match self.class() {
            Some(class) if !classes.contains(&base_of(class)) => Err(self.unknown(class)),
            _ => Ok(self),
        }
    }

    /// The class that they name.
    fn class(&self) -> Option<&str> {
        let class = self.config.get("tokenizer_class").and_then(Value::as_str);
        class.filter(|class| !class.is_empty())
    }

    /// The class that they or the model's configuration name, and else the type of the model.
    pub(super) fn class_or_model_type(&self) -> Option<String> {
        if let Some(class) = self.class().filter(|class| base_of(class) != "PreTrained") {
            return Some(class.to_owned());
        }
        // What is wrong with that file is told by whoever loads the model.
        let config = parse(&self.path.with_file_name("config.json")).unwrap_or_default();
        let named = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
        named("tokenizer_class").or_else(|| named("model_type"))
    }

    /// The class that transformers loads, without `Tokenizer` and `Fast`: the one that the settings name, that of
    /// config.json, or that of its model type.
    pub(super) fn class_in_transformers(&self) -> String {
        if let Some(class) = self.class() {
            return base_of(class).to_owned();
        }
        let config = parse(&self.path.with_file_name("config.json")).unwrap_or_default();
        let named = |key: &str| config.get(key).and_then(Value::as_str);
        let class = named("tokenizer_class").map(base_of);
        let of_type = || named("model_type").map(class_of_model_type);
        class.or_else(of_type).unwrap_or("PreTrained").to_owned()
    }

    /// These settings belong to a class that is not built.
    pub(super) fn unknown(&self, class: &str) -> TokenizerError {
        let dir = self.path.parent().unwrap_or(Path::new("")).to_owned();
        TokenizerError::UnknownClass { dir, class: class.to_owned() }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, TokenizerError> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(damaged(&self.path, &format!("{key} is {other}, expected true or false"))),
        }
    }

    /// What is said of a special token: a text, or an object with the text as its `content`. The older file counts
    /// where the newer one does not list all tokens.
    pub(super) fn said(&self, key: &str) -> Option<&Value> {
        let newest = self.config.get("added_tokens_decoder").is_some();
        let order = if newest { [Some(&self.config), None] } else { [Some(&self.map), Some(&self.config)] };
        order.into_iter().flatten().filter_map(|from| from.get(key)).find(|said| !said.is_null())
    }

    /// Tokens of `added_tokens.json`, of which nothing is said but their ids, in the order of these.
    pub(super) fn plainly_added(&self) -> Result<Vec<(u64, &str)>, TokenizerError> {
        let path = self.path.with_file_name("added_tokens.json");
        let mut added = Vec::new();
        for (content, id) in self.added.as_object().into_iter().flatten() {
            let id = id.as_u64().ok_or_else(|| damaged(&path, "an id is no number"))?;
            added.push((id, content.as_str()));
        }
        added.sort_unstable();
        Ok(added)
    }

    /// Tokens of which the newest settings say all there is to say, in the order of their ids.
    pub(super) fn listed(&self) -> Result<Vec<Listed>, TokenizerError> {
        let mut listed = Vec::new();
        let newest = self.config.get("added_tokens_decoder").and_then(Value::as_object);
        for (id, said) in newest.into_iter().flatten() {
            let (Ok(id), Some(fields)) = (id.parse::<u64>(), said.as_object()) else {
                return Err(damaged(&self.path, "added_tokens_decoder is not made of ids with tokens"));
            };
            listed.push((id, fields.clone()));
        }
        listed.sort_by_key(|(id, _)| *id);
        Ok(listed)
    }

    /// A special token's text.
    fn named(&self, key: &str) -> Option<String> {
        let said = self.said(key)?;
        said.as_str().or_else(|| said.get("content").and_then(Value::as_str)).map(str::to_owned)
    }

    fn specials(
        &self,
        path: &Path,
        vocab: &Map<String, Value>,
        defaults: [&str; 5],
    ) -> Result<Specials, TokenizerError> {
        let [cls, sep, unk, pad, mask] = defaults;
        let token = |key: &str, default: &str| self.named(key).unwrap_or_else(|| default.to_owned());
        let special = Specials {
            cls: token("cls_token", cls),
            sep: token("sep_token", sep),
            unk: token("unk_token", unk),
            pad: token("pad_token", pad),
            mask: token("mask_token", mask),
        };
        for needed in [&special.cls, &special.sep, &special.unk] {
            if vocab.get(needed).and_then(Value::as_u64).is_none() {
                return Err(damaged(path, &format!("it has no token {needed}, which every text needs")));
            }
        }
        Ok(special)
    }

    /// Tokens that are found in a text before it is cut: the special ones, and those added to the vocabulary.
    fn added(
        &self,
        vocab: &Map<String, Value>,
        special: &Specials,
        mask_takes_space: bool,
    ) -> Result<Value, TokenizerError> {
        let mut added: BTreeMap<u64, Value> = BTreeMap::new();
        let token = |id: u64, content: &str, special: bool, left: bool| json!({"id": id, "content": content, "single_word": false, "lstrip": left, "rstrip": false, "normalized": !special, "special": special});
        for (id, content) in self.plainly_added()? {
            added.insert(id, token(id, content, false, false));
        }
        for content in [&special.pad, &special.unk, &special.cls, &special.sep, &special.mask] {
            let Some(id) = vocab.get(content).and_then(Value::as_u64) else { continue };
            added.insert(id, token(id, content, true, mask_takes_space && *content == special.mask));
        }
        // The newest settings say of each token all there is to say.
        for (id, mut fields) in self.listed()? {
            fields.insert("id".into(), json!(id));
            added.insert(id, Value::Object(fields));
        }
        Ok(added.into_values().collect())
    }
}

/// A class's name without what its kinds have in common.
pub(super) fn base_of(class: &str) -> &str {
    class.trim_end_matches("Fast").trim_end_matches("Tokenizer")
}

fn read(path: &Path) -> Result<String, TokenizerError> {
    let bytes = read_at_most(path, VOCABULARY)
        .map_err(|reason| TokenizerError::Unreadable { path: path.to_owned(), reason })?;
    String::from_utf8(bytes).map_err(|error| damaged(path, &format!("it is not UTF-8: {error}")))
}

fn parse(path: &Path) -> Result<Value, TokenizerError> {
    serde_json::from_str(&read(path)?).map_err(|error| damaged(path, &error.to_string()))
}

pub(super) fn damaged(path: &Path, reason: &str) -> TokenizerError {
    TokenizerError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}
