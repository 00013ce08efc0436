//! The settings of a tokenizer that lie next to its vocabulary: `tokenizer_config.json` and its older relatives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::encoder_dir::{VOCABULARY, read_at_most};
use super::error::TokenizerError;

/// Tokens with a meaning of their own.
pub(super) struct Specials {
    pub(super) cls: String,
    pub(super) sep: String,
    pub(super) unk: String,
    pub(super) pad: String,
    pub(super) mask: String,
}

/// The settings beside a vocabulary.
pub(super) struct Settings {
    /// `tokenizer_config.json`.
    path: PathBuf,
    config: Value,
    map: Value,
    added: Value,
}

/// A token's id, and its fields.
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
    pub(super) fn of(self, classes: &[&str]) -> Result<Self, TokenizerError> {
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

    pub(super) fn specials(
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
    pub(super) fn added(
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

pub(super) fn read(path: &Path) -> Result<String, TokenizerError> {
    let bytes = read_at_most(path, VOCABULARY)
        .map_err(|reason| TokenizerError::Unreadable { path: path.to_owned(), reason })?;
    String::from_utf8(bytes).map_err(|error| damaged(path, &format!("it is not UTF-8: {error}")))
}

pub(super) fn parse(path: &Path) -> Result<Value, TokenizerError> {
    serde_json::from_str(&read(path)?).map_err(|error| damaged(path, &error.to_string()))
}

pub(super) fn damaged(path: &Path, reason: &str) -> TokenizerError {
    TokenizerError::Damaged { path: path.to_owned(), reason: reason.to_owned() }
}

/// The class that transformers takes for a `model_type` where no file names one, without `Tokenizer` and `Fast`.
pub(super) fn class_of_model_type(model_type: &str) -> &'static str {
    match model_type {
        "bert" => "Bert",
        "distilbert" => "DistilBert",
        "electra" => "Electra",
        "mpnet" => "MPNet",
        "roberta" => "Roberta",
        "xlm-roberta" => "XLMRoberta",
        "camembert" => "Camembert",
        "albert" => "Albert",
        "deberta-v2" => "DebertaV2",
        _ => "PreTrained",
    }
}
