//! Which of a model's files Frostline needs, and which of them a folder lacks.
//!
//! Repositories hold the same weights in many formats: one is fetched, the first that is there of those that
//! [`crate::model`] reads.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;

use crate::files::regular_file;
use crate::text::encoder_dir::{SETTINGS, encoder_dir, inside};

/// In the model's own folder, beside the encoder's files.
const OF_MODEL: [&str; 3] = ["README.md", MODULES, "config_sentence_transformers.json"];
/// Lists the folders of a sentence-transformers model.
pub(super) const MODULES: &str = "modules.json";
const CONFIG: &str = "config.json";
/// In the encoder's folder, beside its config, its settings and its weights.
const OF_TOKENIZER: [&str; 7] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];
/// Sentencepiece models have many names and this ending.
const SENTENCEPIECE: &str = ".model";
/// What weights are called, the best first: the file itself, else the index of its shards.
const WEIGHTS: [(&str, &str, &str); 2] =
    [("model", "safetensors", "model.safetensors"), ("pytorch_model", "bin", "pytorch_model.bin")];
/// The modules that have settings of their own; a Normalize has none.
const WITH_CONFIG: [&str; 2] = ["Pooling", "Dense"];

/// The folders that a model's `modules.json` names: that of the encoder (empty: the model's own), then the others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folders {
    encoder: String,
    others: Vec<String>,
}

impl Folders {
    /// Reads `modules.json`; without one, the model's own folder is all there is. A path that leads out of the
    /// model is left out: whoever loads the model tells of it.
    pub(super) fn of(modules: Option<&Value>) -> Self {
        let mut folders = Self::default();
        for module in modules.and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
            let (kind, path) = (text("type").rsplit('.').next().unwrap_or_default(), text("path"));
            let path = path.trim_end_matches('/').to_owned();
            if inside(Path::new(""), &path).is_none() {
                continue;
            }
            match kind {
                "Transformer" => folders.encoder = path,
                _ if path.is_empty() => {}
                _ => folders.others.push(path),
            }
        }
        folders
    }
}

/// The names that are needed of those that there are, in the order in which they are best fetched: weights last, so
/// that a folder with weights lacks nothing else. The error says what no encoder can be without.
pub(super) fn choose(names: &[&str], folders: &Folders) -> Result<Vec<String>, String> {
    let known: HashSet<&str> = names.iter().copied().collect();
    let has = |name: &str| known.contains(name);
    let mut chosen: Vec<String> =
        OF_MODEL.iter().filter(|name| has(name)).map(|name| (*name).to_owned()).collect();
    let encoder = |name: &str| below(&folders.encoder, name);
    let config = encoder(CONFIG);
    if !has(&config) {
        return Err(config);
    }
    chosen.push(config);
    chosen.extend(SETTINGS.iter().chain(&OF_TOKENIZER).map(|name| encoder(name)).filter(|name| has(name)));
    let is_sentencepiece = |name: &&&str| {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        folder == folders.encoder && file.ends_with(SENTENCEPIECE)
    };
    chosen.extend(names.iter().filter(is_sentencepiece).map(|name| (*name).to_owned()));
    let mut weights = Vec::new();
    for folder in &folders.others {
        chosen.extend(Some(below(folder, CONFIG)).filter(|name| has(name)));
        weights.extend(weights_of(names, folder));
    }
    let of_encoder = weights_of(names, &folders.encoder);
    if of_encoder.is_empty() {
        return Err(format!("{} or {}", encoder("model.safetensors"), encoder("pytorch_model.bin")));
    }
    weights.extend(of_encoder);
    chosen.extend(weights);
    // Where two modules name the same folder.
    let mut seen = HashSet::new();
    chosen.retain(|name| seen.insert(name.clone()));
    Ok(chosen)
}

fn weights_of(names: &[&str], folder: &str) -> Vec<String> {
    for (stem, ending, whole) in WEIGHTS {
        let (whole, index) = (below(folder, whole), below(folder, &format!("{stem}.{ending}.index.json")));
        if names.contains(&whole.as_str()) {
            return vec![whole];
        }
        if names.contains(&index.as_str()) {
            // `model-00001-of-00002.safetensors`
            let start = below(folder, &format!("{stem}-"));
            let is_shard = |name: &&&str| {
                name.strip_prefix(&start)
                    .and_then(|rest| rest.strip_suffix(ending)?.strip_suffix('.'))
                    .is_some_and(|number| number.contains("-of-") && !number.contains('/'))
            };
            let mut all = vec![index];
            all.extend(names.iter().filter(is_shard).map(|name| (*name).to_owned()));
            return all;
        }
    }
    Vec::new()
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// What a folder lacks to be loaded; empty when it is whole.
pub(super) fn missing(dir: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    let encoder = encoder_dir(dir);
    let name_of = |path: &Path| {
        path.strip_prefix(dir).unwrap_or(path).to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
    };
    let mut need = |path: &Path| {
        if !path.is_file() {
            missing.push(name_of(path));
        }
    };
    need(&encoder.join(CONFIG));
    let modules = read_json(&dir.join(MODULES));
    for module in modules.as_ref().and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = text("type").rsplit('.').next().unwrap_or_default();
        if let Some(folder) = inside(dir, text("path")).filter(|_| WITH_CONFIG.contains(&kind)) {
            need(&folder.join(CONFIG));
        }
    }
    let has = |name: &str| encoder.join(name).is_file();
    let is_sentencepiece =
        |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().ends_with(SENTENCEPIECE);
    let has_sentencepiece =
        || std::fs::read_dir(&encoder).is_ok_and(|entries| entries.flatten().any(is_sentencepiece));
    if !(has("tokenizer.json") || has("vocab.txt") || has("vocab.json") || has_sentencepiece()) {
        missing.push(name_of(&encoder.join("tokenizer.json")));
    }
    missing.extend(missing_weights(&encoder).iter().map(|path| name_of(path)));
    missing
}

fn missing_weights(encoder: &Path) -> Vec<std::path::PathBuf> {
    for (stem, ending, whole) in WEIGHTS {
        if encoder.join(whole).is_file() {
            return Vec::new();
        }
        let index = encoder.join(format!("{stem}.{ending}.index.json"));
        if let Some(map) = read_json(&index).as_ref().and_then(|index| index.get("weight_map")?.as_object()) {
            let mut shards: Vec<&str> = map.values().filter_map(Value::as_str).collect();
            shards.sort_unstable();
            shards.dedup();
            let shards = shards.into_iter().filter_map(|shard| inside(encoder, shard));
            return shards.filter(|shard| !shard.is_file()).collect();
        }
    }
    vec![encoder.join("model.safetensors")]
}

fn read_json(path: &Path) -> Option<Value> {
    /// An index of shards has some hundred kilobytes.
    const LARGEST: u64 = 16 << 20;
    let size = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
    if size > LARGEST {
        return None;
    }
    serde_json::from_slice(&regular_file::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn modules() -> Value {
        json!([
            {"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
            {"idx": 3, "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"},
            {"idx": 4, "path": "../../etc", "type": "sentence_transformers.models.Dense"},
        ])
    }

    #[test]
    fn one_format_of_the_weights_is_chosen_and_nothing_else_of_use_to_others() {
        let names = [
            ".gitattributes",
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "2_Dense/pytorch_model.bin",
            "README.md",
            "config.json",
            "config_sentence_transformers.json",
            "data_config.json",
            "flax_model.msgpack",
            "model.safetensors",
            "modules.json",
            "onnx/model.onnx",
            "openvino/openvino_model.xml",
            "pytorch_model.bin",
            "rust_model.ot",
            "sentence_bert_config.json",
            "sentencepiece.bpe.model",
            "special_tokens_map.json",
            "tf_model.h5",
            "tokenizer.json",
            "tokenizer_config.json",
            "train_script.py",
            "vocab.txt",
            "onnx/config.json",
        ];
        let chosen = choose(&names, &Folders::of(Some(&modules()))).unwrap();
        assert_eq!(
            chosen,
            [
                "README.md",
                "modules.json",
                "config_sentence_transformers.json",
                "config.json",
                "sentence_bert_config.json",
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "vocab.txt",
                "sentencepiece.bpe.model",
                "1_Pooling/config.json",
                "2_Dense/config.json",
                "2_Dense/model.safetensors",
                "model.safetensors",
            ]
        );
    }

    #[test]
    fn shards_come_with_their_index_and_old_layouts_keep_the_encoder_in_a_folder() {
        let names = [
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin",
            "model-extra.safetensors",
        ];
        let chosen = choose(&names, &Folders::of(None)).unwrap();
        assert_eq!(chosen.len(), 4, "{chosen:?}");
        assert!(!chosen.contains(&"pytorch_model.bin".into()));

        let old = json!([{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}]);
        let names =
            ["modules.json", "0_Transformer/config.json", "0_Transformer/pytorch_model.bin", "config.json"];
        let chosen = choose(&names, &Folders::of(Some(&old))).unwrap();
        assert_eq!(chosen, ["modules.json", "0_Transformer/config.json", "0_Transformer/pytorch_model.bin"]);
    }

    #[test]
    fn what_is_no_encoder_is_told_by_what_it_lacks() {
        let folders = Folders::of(None);
        assert_eq!(choose(&["README.md"], &folders).unwrap_err(), "config.json");
        let none = choose(&["config.json", "onnx/model.onnx"], &folders).unwrap_err();
        assert_eq!(none, "model.safetensors or pytorch_model.bin");
    }

    #[test]
    fn a_folder_is_whole_when_every_shard_and_module_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(missing(dir.path()), ["config.json", "tokenizer.json", "model.safetensors"]);
        for name in ["config.json", "tokenizer.json"] {
            write(name, "{}");
        }
        write("modules.json", &modules().to_string());
        write(
            "model.safetensors.index.json",
            r#"{"weight_map": {"a": "m-1.st", "b": "m-2.st", "c": "../x"}}"#,
        );
        write("m-1.st", "");
        assert_eq!(missing(dir.path()), ["1_Pooling/config.json", "2_Dense/config.json", "m-2.st"]);
        for name in ["1_Pooling/config.json", "2_Dense/config.json", "m-2.st"] {
            write(name, "{}");
        }
        assert!(missing(dir.path()).is_empty());
    }
}
