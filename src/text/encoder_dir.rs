//! Which folder of a model holds the encoder and its tokenizer. Older sentence-transformers folders keep both in
//! a folder of their own, such as `0_Transformer`.

use std::path::{Component, Path, PathBuf};

use serde_json::Value;

pub(super) use crate::files::regular_file::read_at_most;

/// The folder that `modules.json` names for its Transformer; the model's folder itself where it names none.
///
/// A `modules.json` that makes no sense is told by whoever reads it whole.
#[must_use]
pub fn encoder_dir(dir: &Path) -> PathBuf {
    let modules = read_at_most(&dir.join("modules.json"), SMALL).ok();
    let modules: Option<Value> = modules.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let is_encoder = |module: &&Value| {
        let kind = module.get("type").and_then(Value::as_str).unwrap_or_default();
        kind.rsplit('.').next() == Some("Transformer")
    };
    let module = modules.as_ref().and_then(Value::as_array).and_then(|list| list.iter().find(is_encoder));
    let sub = module.and_then(|module| module.get("path")).and_then(Value::as_str).unwrap_or_default();
    inside(dir, sub).unwrap_or_else(|| dir.to_owned())
}

/// What the encoder module's settings are called, by the family they were written for.
pub const SETTINGS: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// The file of the encoder module's settings, where there is one.
#[must_use]
pub fn settings_of(encoder: &Path) -> Option<PathBuf> {
    SETTINGS.iter().map(|name| encoder.join(name)).find(|path| path.is_file())
}

/// A path below a folder, or the folder itself; `None` for one that leads out of it.
#[must_use]
pub fn inside(dir: &Path, sub: &str) -> Option<PathBuf> {
    let stays =
        Path::new(sub).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if sub.is_empty() { Some(dir.to_owned()) } else { stays.then(|| dir.join(sub)) }
}

/// Bytes of a file of settings, at the most.
pub(super) const SMALL: u64 = 16 << 20;
/// Bytes of a vocabulary, at the most: that of a quarter of a million words has 17 MB.
pub(super) const VOCABULARY: u64 = 256 << 20;
/// Bytes of a sentencepiece model, at the most: one of a quarter of a million pieces has 5 MB.
pub(super) const SENTENCEPIECE: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_its_folder() {
        let dir = Path::new("model");
        assert_eq!(inside(dir, ""), Some(dir.to_owned()));
        assert_eq!(inside(dir, "0_Transformer"), Some(dir.join("0_Transformer")));
        for out in ["..", "a/../..", "/etc"] {
            assert_eq!(inside(dir, out), None, "{out}");
        }
    }
}
