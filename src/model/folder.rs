//! A model folder as transformers and sentence-transformers write it: what config.json and modules.json say.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::encoder::{family, known_types, Blueprint, Family};
use super::error::ModelError;
use super::summary::Pooling;

/// What the JSON files of a model folder say.
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// The whole config.json, to be written again on export.
    pub config: Value,
    /// The architecture.
    pub family: &'static Family,
    /// The family's reading of config.json.
    pub blueprint: Blueprint,
    /// How token states are pooled, and where that is said.
    pub pooling: (Pooling, String),
    /// Whether a Normalize module follows.
    pub normalize: bool,
    /// `max_seq_length`, where the folder says it.
    pub max_seq_length: Option<usize>,
}

impl Folder {
    /// Reads the folder's JSON files.
    ///
    /// # Errors
    /// When it is not a model folder, or one of an architecture that is not built in.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        if !path.is_dir() {
            return Err(ModelError::NotAFolder(path.to_owned()));
        }
        let config_path = path.join("config.json");
        if !config_path.is_file() {
            return Err(ModelError::NoConfig(path.to_owned()));
        }
        let config = read_json(&config_path)?;
        let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or("(none)");
        let family = family(model_type).ok_or_else(|| ModelError::UnknownFamily {
            path: config_path.clone(),
            found: model_type.to_owned(),
            known: known_types(),
        })?;
        let blueprint =
            (family.read)(&config).map_err(|reason| ModelError::BadJson { path: config_path, reason })?;
        let modules = Modules::read(path)?;
        Ok(Self {
            path: path.to_owned(),
            family,
            pooling: modules.pooling,
            normalize: modules.normalize,
            max_seq_length: modules.max_seq_length,
            config,
            blueprint,
        })
    }

    /// The weights file.
    ///
    /// # Errors
    /// When there is none.
    pub fn weights(&self) -> Result<PathBuf, ModelError> {
        let path = self.path.join("model.safetensors");
        if path.is_file() { Ok(path) } else { Err(ModelError::NoWeights(self.path.clone())) }
    }
}

/// What modules.json and the files it names say.
struct Modules {
    pooling: (Pooling, String),
    normalize: bool,
    max_seq_length: Option<usize>,
}

impl Modules {
    fn read(path: &Path) -> Result<Self, ModelError> {
        let mut found = Self {
            pooling: (Pooling::Mean, "not stated by the model: mean, the usual choice".into()),
            normalize: false,
            max_seq_length: None,
        };
        let sentence = path.join("sentence_bert_config.json");
        if sentence.is_file() {
            let length = read_json(&sentence)?.get("max_seq_length").and_then(Value::as_u64);
            found.max_seq_length = length.map(|length| length as usize).filter(|length| *length > 0);
        }
        let modules = path.join("modules.json");
        if !modules.is_file() {
            return Ok(found);
        }
        let list = read_json(&modules)?;
        let bad = |reason: &str| ModelError::BadJson { path: modules.clone(), reason: reason.to_owned() };
        for module in list.as_array().ok_or_else(|| bad("expected a list of modules"))? {
            let kind = module.get("type").and_then(Value::as_str).ok_or_else(|| bad("a module has no type"))?;
            let sub = module.get("path").and_then(Value::as_str).unwrap_or_default();
            match kind.rsplit('.').next().unwrap_or(kind) {
                "Transformer" => {}
                "Normalize" => found.normalize = true,
                "Pooling" => {
                    let file = path.join(sub).join("config.json");
                    found.pooling = (read_pooling(&file)?, format!("from {sub}/config.json"));
                }
                other => return Err(bad(&format!("it has a module of type {other}, which is not supported yet"))),
            }
        }
        Ok(found)
    }
}

fn read_pooling(path: &Path) -> Result<Pooling, ModelError> {
    let config = read_json(path)?;
    let known = [
        ("pooling_mode_mean_tokens", "mean", Pooling::Mean),
        ("pooling_mode_cls_token", "cls", Pooling::Cls),
        ("pooling_mode_max_tokens", "max", Pooling::Max),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
    ];
    // The newest layout names the mode; the older one has a switch for each.
    if let Some(mode) = config.get("pooling_mode").and_then(Value::as_str) {
        if let Some((_, _, pooling)) = known.iter().find(|(_, name, _)| *name == mode) {
            return Ok(*pooling);
        }
    }
    let on = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    let chosen: Vec<_> = known.iter().filter(|(key, _, _)| on(key)).collect();
    match chosen.as_slice() {
        [(_, _, pooling)] => Ok(*pooling),
        _ => Err(ModelError::BadJson {
            path: path.to_owned(),
            reason: "expected exactly one pooling mode of mean, cls, max and mean_sqrt_len".into(),
        }),
    }
}

/// Reads a JSON file.
///
/// # Errors
/// When it is not there or not JSON.
pub fn read_json(path: &Path) -> Result<Value, ModelError> {
    let bytes = std::fs::read(path).map_err(ModelError::io(path))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| ModelError::BadJson { path: path.to_owned(), reason: error.to_string() })
}
