//! `modules.json` of sentence-transformers and the files it names: what follows the encoder. Both layouts are
//! read: the one with a switch per pooling mode, and the newest, which names the mode.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{read_json, read_json_if_there};
use crate::model::dense::DenseFolder;
use crate::model::error::ModelError;
use crate::model::summary::Pooling;
use crate::text::encoder_dir::{inside, settings_of};

/// Modules of a model. One may be named again and again, and its weights would be read as often.
const MOST_MODULES: usize = 32;

/// What is said of the sentence embedding.
pub(in crate::model) struct Modules {
    /// The folder of the encoder.
    pub(in crate::model) encoder: PathBuf,
    /// How token states are pooled, and where that is said.
    pub(in crate::model) pooling: (Pooling, String),
    /// The Dense modules behind the pooling, in order.
    pub(in crate::model) dense: Vec<DenseFolder>,
    /// Whether a Normalize module follows.
    pub(in crate::model) normalize: bool,
    /// Whether the tokens of a prompt are left out of the pooling.
    pub(in crate::model) pools_no_prompt: bool,
    /// What the user should know of it.
    pub(in crate::model) notes: Vec<String>,
}

/// Settings of the encoder module.
#[derive(Debug, Default)]
pub(in crate::model) struct Limits {
    /// `max_seq_length`, or the tokenizer's own limit.
    pub(in crate::model) max_seq_length: Option<usize>,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub(in crate::model) lower_case: bool,
}

impl Modules {
    /// Reads `modules.json`, where there is one.
    pub(in crate::model) fn read(dir: &Path) -> Result<Self, ModelError> {
        let mut found = Self {
            encoder: dir.to_owned(),
            pooling: (Pooling::Mean, "not stated by the model: mean, the usual choice".into()),
            dense: Vec::new(),
            normalize: false,
            pools_no_prompt: false,
            notes: Vec::new(),
        };
        let path = dir.join("modules.json");
        let Some(list) = read_json_if_there(&path)? else {
            found.notes.push(
                "The folder has no modules.json, so it does not say how sentences are pooled: the mean over \
                 the real tokens is taken."
                    .into(),
            );
            return Ok(found);
        };
        let bad = |reason: String| ModelError::BadJson { path: path.clone(), reason };
        let list = list.as_array().ok_or_else(|| bad("expected a list of modules".into()))?;
        if list.len() > MOST_MODULES {
            return Err(bad(format!("it lists {} modules; models have five or six", list.len())));
        }
        let (mut encoders, mut poolings) = (0, 0);
        for module in list {
            let kind = module.get("type").and_then(Value::as_str);
            let kind = kind.ok_or_else(|| bad("a module has no type".into()))?;
            let sub = module.get("path").and_then(Value::as_str).unwrap_or_default();
            let place = inside(dir, sub).ok_or_else(|| {
                bad(format!("the module of type {kind} lies outside the folder, in {sub:?}"))
            })?;
            let (package, class) = kind.rsplit_once('.').unwrap_or(("", kind));
            if !package.starts_with("sentence_transformers") {
                return Err(bad(format!(
                    "it has a module of type {kind}, which is code of the model's own; Frostline runs none. \
                     Choose a model that is made of sentence-transformers' own modules"
                )));
            }
            match class {
                "Transformer" => {
                    encoders += 1;
                    found.encoder = place;
                }
                "Pooling" => {
                    poolings += 1;
                    let file = place.join("config.json");
                    found.pooling = (found.read_pooling(&file)?, format!("from {sub}/config.json"));
                }
                "Normalize" => found.normalize = true,
                // Does nothing to a model that is not being trained by sentence-transformers itself.
                "Dropout" => found.notes.push("Its Dropout module is left aside.".into()),
                "Dense" if poolings == 0 || found.normalize => {
                    let before = if found.normalize { "behind a Normalize" } else { "before the Pooling" };
                    return Err(bad(format!(
                        "it has a Dense module ({sub}) {before} module, which is not supported: only between the two"
                    )));
                }
                "Dense" => found.dense.push(DenseFolder::read(place)?),
                _ => return Err(bad(format!("it has a module of type {kind}, which is not supported yet"))),
            }
        }
        if encoders > 1 || poolings > 1 {
            return Err(bad(
                "it has more than one Transformer or Pooling module, which is not supported".into()
            ));
        }
        if poolings == 0 {
            found
                .notes
                .push("Its modules.json has no Pooling: the mean over the real tokens is taken.".into());
        }
        Ok(found)
    }

    fn read_pooling(&mut self, path: &Path) -> Result<Pooling, ModelError> {
        let config = read_json(path)?;
        let bad = |reason: String| ModelError::BadJson { path: path.to_owned(), reason };
        if config.get("include_prompt").and_then(Value::as_bool) == Some(false) {
            self.pools_no_prompt = true;
            self.notes.push(
                "The model leaves the tokens of a prompt out of the pooling, which Frostline does not do: no \
                 prompt can be chosen for it."
                    .into(),
            );
        }
        let named: Vec<&str> = match config.get("pooling_mode") {
            Some(Value::String(mode)) => vec![mode],
            Some(Value::Array(modes)) => modes.iter().filter_map(Value::as_str).collect(),
            Some(other) => return Err(bad(format!("pooling_mode is {other}, expected a name"))),
            None => {
                let on = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
                MODES.iter().filter(|(key, _, _)| on(key)).map(|(_, name, _)| *name).collect()
            }
        };
        let [name] = named.as_slice() else {
            let found = if named.is_empty() { "none".to_owned() } else { named.join(" and ") };
            return Err(bad(format!(
                "expected exactly one pooling mode, found {found}: embeddings of several modes end to end are not supported"
            )));
        };
        match MODES.iter().find(|(_, known, _)| known == name) {
            Some((_, _, pooling)) => Ok(*pooling),
            None => Err(bad(format!(
                "its pooling mode is {name}; known are mean, cls, max, mean_sqrt_len_tokens, weightedmean and lasttoken"
            ))),
        }
    }
}

/// The switch of the older layout, the name in the newest one, and what it is here.
const MODES: [(&str, &str, Pooling); 6] = [
    ("pooling_mode_cls_token", "cls", Pooling::Cls),
    ("pooling_mode_max_tokens", "max", Pooling::Max),
    ("pooling_mode_mean_tokens", "mean", Pooling::Mean),
    ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
    ("pooling_mode_weightedmean_tokens", "weightedmean", Pooling::WeightedMean),
    ("pooling_mode_lasttoken", "lasttoken", Pooling::LastToken),
];

impl Limits {
    /// Reads the settings beside an encoder.
    pub(in crate::model) fn read(encoder: &Path) -> Result<Self, ModelError> {
        let mut limits = Self::default();
        if let Some(path) = settings_of(encoder) {
            let settings = read_json(&path)?;
            let bad = |reason: String| ModelError::BadJson { path: path.clone(), reason };
            match settings.get("max_seq_length") {
                None | Some(Value::Null) => {}
                Some(length) => {
                    let usable = length.as_u64().filter(|length| *length > 0);
                    let usable = usable.ok_or_else(|| {
                        bad(format!("max_seq_length is {length}, expected a number of tokens"))
                    })?;
                    limits.max_seq_length = Some(usable as usize);
                }
            }
            let task = settings.get("transformer_task").and_then(Value::as_str);
            if let Some(task) = task.filter(|task| *task != "feature-extraction") {
                return Err(bad(format!(
                    "its encoder is set up for {task}; Frostline takes encoders for feature-extraction"
                )));
            }
            match settings.get("do_lower_case") {
                None | Some(Value::Null) => {}
                Some(Value::Bool(lower_case)) => limits.lower_case = *lower_case,
                Some(other) => return Err(bad(format!("do_lower_case is {other}, expected true or false"))),
            }
        }
        if limits.max_seq_length.is_none()
            && let Some(tokenizer) = read_json_if_there(&encoder.join("tokenizer_config.json"))?
        {
            // A number beyond all lengths means that there is no limit.
            let length = tokenizer.get("model_max_length").and_then(Value::as_u64);
            limits.max_seq_length = length.map(|length| length as usize).filter(|length| *length > 0);
        }
        Ok(limits)
    }
}
