//! What a tokenizer class of transformers changes in a `tokenizer.json` that is there: some settings of
//! `tokenizer_config.json` win over the file.
//!
//! `BertTokenizerFast` and its relatives compare three settings with the `BertNormalizer` of the file and, where one
//! differs, set all three; a setting that is absent has its default. Every class does so with the space that a
//! byte-level tokenizer puts before a text. `PreTrainedTokenizerFast` leaves the normalizer as it is.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper};

use super::encoder_dir::{VOCABULARY, encoder_dir, read_at_most};
use super::error::TokenizerError;
use super::vocab_settings::Settings;

/// Classes that set the normalizer: `tokenization_bert_fast.py` of transformers 4.56 and its copies. The other classes
/// leave it alone.
const BERT_LIKE: [&str; 14] = [
    "Bert",
    "DistilBert",
    "Electra",
    "MobileBert",
    "ConvBert",
    "SqueezeBert",
    "LayoutLM",
    "LayoutLMv2",
    "Lxmert",
    "Funnel",
    "Splinter",
    "DPRContextEncoder",
    "DPRQuestionEncoder",
    "DPRReader",
];
/// Of these, `tokenize_chinese_chars` stays as the file has it.
const WITHOUT_CHINESE: [&str; 2] = ["MPNet", "RoFormer"];

/// The settings beside a `tokenizer.json` that its class may let win.
pub(super) struct ClassSettings {
    /// The class without `Tokenizer` and `Fast`.
    class: String,
    lower_case: Option<bool>,
    strip_accents: Option<bool>,
    chinese_chars: Option<bool>,
    prefix_space: Option<bool>,
}

impl ClassSettings {
    /// Reads `tokenizer_config.json`, and `config.json` where that names no class.
    ///
    /// # Errors
    /// When `tokenizer_config.json` is damaged.
    pub(super) fn read(dir: &Path) -> Result<Self, TokenizerError> {
        let settings = Settings::read(dir)?;
        Ok(Self {
            class: settings.class_in_transformers(),
            lower_case: settings.flag("do_lower_case")?,
            strip_accents: settings.flag("strip_accents")?,
            chinese_chars: settings.flag("tokenize_chinese_chars")?,
            prefix_space: settings.flag("add_prefix_space")?,
        })
    }

    /// The normalizer as the class leaves it; `None` where it changes nothing.
    fn normalizer(&self, stored: &Value) -> Option<Value> {
        let class = self.class.as_str();
        let sets_chinese = BERT_LIKE.contains(&class);
        if !sets_chinese && !WITHOUT_CHINESE.contains(&class)
            || stored.get("type") != Some(&json!("BertNormalizer"))
        {
            return None;
        }
        let mut wanted = stored.clone();
        let fields = wanted.as_object_mut()?;
        fields.insert("lowercase".into(), json!(self.lower_case.unwrap_or(true)));
        fields.insert("strip_accents".into(), json!(self.strip_accents));
        if sets_chinese {
            fields.insert("handle_chinese_chars".into(), json!(self.chinese_chars.unwrap_or(true)));
        }
        (wanted != *stored).then_some(wanted)
    }

    /// The pre-tokenizer as every class leaves it; `None` where it changes nothing.
    fn pre_tokenizer(&self, stored: &Value) -> Option<Value> {
        let wanted = self.prefix_space.unwrap_or(false);
        let has = stored.get("add_prefix_space")?.as_bool()?;
        if stored.get("type") != Some(&json!("ByteLevel")) || has == wanted {
            return None;
        }
        let mut changed = stored.clone();
        changed.as_object_mut()?.insert("add_prefix_space".into(), json!(wanted));
        Some(changed)
    }

    /// Changes a tokenizer as its class does.
    ///
    /// # Errors
    /// When a part cannot be built; the error is a reason in words.
    pub(super) fn apply(&self, tokenizer: &mut tokenizers::Tokenizer) -> Result<(), String> {
        let value = |part: Result<Value, serde_json::Error>| part.map_err(|error| error.to_string());
        if let Some(stored @ NormalizerWrapper::BertNormalizer(_)) = tokenizer.get_normalizer()
            && let Some(wanted) = self.normalizer(&value(serde_json::to_value(stored))?)
        {
            let built: NormalizerWrapper =
                serde_json::from_value(wanted).map_err(|error| error.to_string())?;
            tokenizer.with_normalizer(Some(built));
        }
        if let Some(stored @ PreTokenizerWrapper::ByteLevel(_)) = tokenizer.get_pre_tokenizer()
            && let Some(wanted) = self.pre_tokenizer(&value(serde_json::to_value(stored))?)
        {
            let built: PreTokenizerWrapper =
                serde_json::from_value(wanted).map_err(|error| error.to_string())?;
            tokenizer.with_pre_tokenizer(Some(built));
        }
        Ok(())
    }

    /// Where the two files disagree, and which of them counts, a sentence each.
    fn disagreements(&self, normalizer: &Value, pre_tokenizer: &Value) -> Vec<String> {
        let mut notes = Vec::new();
        let class = if self.class == "PreTrained" {
            "PreTrainedTokenizerFast".into()
        } else {
            format!("{}Tokenizer", self.class)
        };
        let changed = self.normalizer(normalizer);
        for (key, field, set, default) in [
            ("do_lower_case", "lowercase", self.lower_case, json!(true)),
            ("strip_accents", "strip_accents", self.strip_accents, Value::Null),
            ("tokenize_chinese_chars", "handle_chinese_chars", self.chinese_chars, json!(true)),
        ] {
            let Some(stored) = normalizer.get(field) else { continue };
            let stated = set.map_or(default, |set| json!(set));
            match &changed {
                Some(changed) if changed.get(field) != Some(stored) => {
                    let stated = if set.is_some() { format!("{key} = {stated}") } else { format!("no {key}, which means {stated}") };
                    notes.push(format!(
                        "tokenizer.json and tokenizer_config.json disagree: the former has {field} = {stored}, the latter \
                         has {stated}. As in transformers, a {class} follows tokenizer_config.json."
                    ));
                }
                _ if changed.is_none() && set.is_some() && stated != *stored => notes.push(format!(
                    "tokenizer.json and tokenizer_config.json disagree: the former has {field} = {stored}, the latter \
                     has {key} = {stated}. As in transformers, a {class} follows tokenizer.json."
                )),
                _ => {}
            }
        }
        if self.pre_tokenizer(pre_tokenizer).is_some() {
            let wanted = self.prefix_space.unwrap_or(false);
            notes.push(format!(
                "tokenizer.json and tokenizer_config.json disagree: the former has add_prefix_space = {}, the latter {}. \
                 As in transformers, tokenizer_config.json counts.",
                !wanted,
                if self.prefix_space.is_some() { format!("has {wanted}") } else { "leaves it out, which means false".into() },
            ));
        }
        notes
    }
}

/// The parts of a `tokenizer.json` that a class may change.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
}

/// Where the `tokenizer.json` of a model's folder and the settings beside it disagree, a sentence each. What is wrong
/// with the files is reported by whoever loads the tokenizer.
#[must_use]
pub fn disagreements(dir: &Path) -> Vec<String> {
    let dir = encoder_dir(dir);
    let parts = read_at_most(&dir.join("tokenizer.json"), VOCABULARY)
        .ok()
        .and_then(|json| serde_json::from_slice::<Parts>(&json).ok());
    match (parts, ClassSettings::read(&dir)) {
        (Some(parts), Ok(settings)) => settings.disagreements(&parts.normalizer, &parts.pre_tokenizer),
        _ => Vec::new(),
    }
}
