//! A model folder as transformers and sentence-transformers write it: what its JSON files say.

pub mod check;
pub mod metadata;
pub(in crate::model) mod pickle;
pub mod safetensors;
mod safetensors_header;
pub(in crate::model) mod st_modules;
pub(in crate::model) mod torch_file;
pub mod weight_files;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::st_modules::{Limits, Modules};
use super::dense;
use super::dense::{DenseFolder, DenseSpec};
use super::encoder::{Blueprint, Family, family, known_types};
use super::error::ModelError;

use self::weight_files::Stored;
use super::summary::{Origin, Pooling};
use crate::files::regular_file;
use crate::text::fingerprint::tokenizer_sha256;
use crate::text::tokenizer_class::disagreements;

/// No JSON file of a model but the tokenizer's is anywhere near this.
const LARGEST_JSON: u64 = 16 << 20;

/// What the JSON files of a model folder say.
pub struct Folder {
    /// The folder of the encoder: the model's own, or one in it.
    pub encoder: PathBuf,
    /// The whole config.json, to be written again on export.
    pub config: Value,
    /// The architecture.
    pub family: &'static Family,
    /// The family's reading of config.json.
    pub blueprint: Blueprint,
    /// How token states are pooled, and where that is said.
    pub pooling: (Pooling, String),
    /// The Dense modules behind the pooling, in order.
    pub(super) dense: Vec<DenseFolder>,
    /// Whether a Normalize module follows.
    pub normalize: bool,
    /// `max_seq_length`, where the folder says it.
    pub max_seq_length: Option<usize>,
    /// Licence, prompts, files and notes.
    pub origin: Origin,
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
        let modules = Modules::read(path)?;
        if let Some(dir) =
            [path, &modules.encoder].into_iter().find(|dir| dir.join("adapter_config.json").is_file())
        {
            return Err(ModelError::Adapter(dir.to_owned()));
        }
        let config_path = modules.encoder.join("config.json");
        if !config_path.is_file() {
            return Err(ModelError::NoConfig(modules.encoder));
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
        let mut width = blueprint.shape.hidden;
        for module in &modules.dense {
            module.check_input(width)?;
            width = module.spec.output;
        }
        let limits = Limits::read(&modules.encoder)?;
        let (prompts, default_prompt) = metadata::prompts(path)?;
        let mut notes = modules.notes;
        notes.extend(blueprint.notes.iter().cloned());
        let dense: Vec<DenseSpec> = modules.dense.iter().map(|module| module.spec).collect();
        notes.extend(dense::note(&dense));
        notes.extend(disagreements(path));
        if let Some(name) = &default_prompt {
            notes.push(format!(
                "The model's prompt \"{name}\" is put before every text when the folder is used as it is, by \
                 sentence-transformers and by embed, predict, similar and eval here. A project puts none unless it is \
                 chosen."
            ));
        }
        let origin = Origin {
            licence: metadata::licence(path, &config),
            files: metadata::files(path),
            prompts,
            default_prompt,
            pools_no_prompt: modules.pools_no_prompt,
            lower_case: limits.lower_case,
            unexpected: Vec::new(),
            notes,
            tokenizer_sha256: tokenizer_sha256(path),
        };
        Ok(Self {
            encoder: modules.encoder,
            family,
            pooling: modules.pooling,
            dense: modules.dense,
            normalize: modules.normalize,
            max_seq_length: limits.max_seq_length,
            config,
            blueprint,
            origin,
        })
    }

    /// The weights, opened.
    ///
    /// # Errors
    /// When there are none, or they are damaged.
    pub fn weights(&self) -> Result<Stored, ModelError> {
        Stored::of_folder(&self.encoder)
    }
}

/// Reads a JSON file.
///
/// # Errors
/// When it is not there, not JSON, or far too large.
pub fn read_json(path: &Path) -> Result<Value, ModelError> {
    let size = regular_file::open(path).and_then(|file| file.metadata()).map_err(ModelError::io(path))?.len();
    let bad = |reason: String| ModelError::BadJson { path: path.to_owned(), reason };
    if size > LARGEST_JSON {
        return Err(bad(format!("it has {size} bytes, which no such file has")));
    }
    let bytes = regular_file::read(path).map_err(ModelError::io(path))?;
    serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))
}

/// Reads a JSON file, where there is one.
pub(super) fn read_json_if_there(path: &Path) -> Result<Option<Value>, ModelError> {
    if path.is_file() { read_json(path).map(Some) } else { Ok(None) }
}
