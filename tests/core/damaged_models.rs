//! Model folders with something wrong: each is refused after little reading, in a sentence that names the file.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs;
use std::path::{Path, PathBuf};

use frostline::model::files::safetensors;
use frostline::model::files::safetensors::read_all;
use frostline::model::{Model, ModelError};
use frostline::text::tokenizer::Tokenizer;
use serde_json::{Value, json};
use tch::{Device, Tensor};
use tempfile::TempDir;

use crate::support::bytes_touched::bytes_touched;

/// Refusing is reading a header and some JSON, and no file more than a few times.
const LITTLE: u64 = 2 << 20;

/// A copy of a small model that can be damaged.
struct Copy(TempDir);

impl Copy {
    fn of(name: &str) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name);
        fs::create_dir(copy.file("1_Pooling")).unwrap();
        for file in [
            "config.json",
            "model.safetensors",
            "modules.json",
            "sentence_bert_config.json",
            "tokenizer.json",
            "1_Pooling/config.json",
        ] {
            fs::copy(from.join(file), copy.file(file)).unwrap();
        }
        copy
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.file(name), bytes).unwrap();
    }

    /// Sets a key of a JSON file.
    fn set(&self, name: &str, key: &str, value: Value) {
        let mut json: Value = serde_json::from_slice(&fs::read(self.file(name)).unwrap()).unwrap();
        json[key] = value;
        self.write(name, json.to_string());
    }

    /// Writes the weights again after a change to their list.
    fn change_weights(&self, change: impl FnOnce(&mut Vec<(String, Tensor)>)) {
        let path = self.file("model.safetensors");
        let mut tensors = read_all(&path).unwrap();
        change(&mut tensors);
        let named: Vec<(String, &Tensor)> =
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        safetensors::write(&path, &named).unwrap();
    }

    /// The words in which the folder is refused; they must hold all of `told`.
    fn refused(&self, told: &[&str]) -> String {
        refused(self.0.path(), told)
    }
}

fn refused(dir: &Path, told: &[&str]) -> String {
    let before = bytes_touched();
    let text = Model::load(dir, Device::Cpu).err().unwrap().to_string();
    let touched = bytes_touched() - before;
    assert!(touched < LITTLE, "{touched} bytes are touched for: {text}");
    assert!(
        !text.contains('\n') && !text.contains("panicked") && text.len() < 1500,
        "not a sentence: {text}"
    );
    for word in told {
        assert!(text.contains(word), "\"{word}\" is not in: {text}");
    }
    text
}

#[test]
fn the_copy_itself_is_sound() {
    for name in ["bert", "distilbert"] {
        let copy = Copy::of(name);
        copy.change_weights(|_| {});
        let model = Model::load(copy.0.path(), Device::Cpu).unwrap();
        Tokenizer::load(copy.0.path()).unwrap().check_fits(model.summary.vocab_size).unwrap();
    }
}

#[test]
fn folders_that_are_not_there_or_not_models() {
    let dir = tempfile::tempdir().unwrap();
    refused(&dir.path().join("nowhere"), &["nowhere is not a folder"]);
    refused(dir.path(), &["has no config.json", "Choose the folder"]);
    let copy = Copy::of("bert");
    refused(&copy.file("config.json"), &["config.json is not a folder"]);
    fs::remove_file(copy.file("model.safetensors")).unwrap();
    copy.refused(&["has no model.safetensors", "safe_serialization"]);
}

#[test]
fn configurations_that_are_no_configurations() {
    for (bytes, told) in [
        (&b""[..], "config.json"),
        (b"{\"model_type\": \"bert\"", "config.json"),
        (b"\xff\xfe\x00", "config.json"),
        (b"[]", "config.json says model_type \"(none)\""),
        (b"{}", "config.json says model_type \"(none)\""),
        (b"{\"model_type\": 7}", "config.json says model_type \"(none)\""),
        (b"{\"model_type\": \"bert\"}", "missing field"),
    ] {
        let copy = Copy::of("bert");
        copy.write("config.json", bytes);
        copy.refused(&["config.json", told]);
    }
    let copy = Copy::of("bert");
    copy.write("config.json", "[".repeat(100_000));
    copy.refused(&["config.json"]);
}

#[test]
fn architectures_that_are_not_built_in() {
    let copy = Copy::of("bert");
    copy.set("config.json", "model_type", json!("mamba"));
    copy.refused(&["config.json says model_type \"mamba\"", "bert", "distilbert"]);
    for (key, value, told) in [
        ("hidden_act", json!("swish9"), "hidden_act \"swish9\""),
        ("position_embedding_type", json!("relative_key"), "relative_key"),
        ("hidden_size", json!("forty-eight"), "config.json"),
        ("hidden_size", json!(0), "hidden size is 0"),
        ("hidden_size", json!(-48), "config.json"),
        ("hidden_size", json!(u64::MAX), "hidden size"),
        ("num_attention_heads", json!(5), "do not divide"),
        ("num_hidden_layers", json!(16_000_000), "number of layers is 16000000"),
        ("layer_norm_eps", json!(-1.0), "the epsilon of its layer norms is -1"),
        ("vocab_size", json!(null), "config.json"),
        ("intermediate_size", json!({}), "config.json"),
    ] {
        let copy = Copy::of("bert");
        copy.set("config.json", key, value);
        copy.refused(&["config.json", told]);
    }
}

#[test]
fn modules_of_the_wrong_type_or_kind() {
    for (file, bytes, told) in [
        ("modules.json", "{}", "expected a list"),
        ("modules.json", "[{}]", "no type"),
        ("modules.json", "[1, null]", "no type"),
        ("modules.json", "[{\"type\": \"x.models.LSTM\"}]", "LSTM"),
        ("modules.json", "nonsense", "modules.json"),
        ("sentence_bert_config.json", "{", "sentence_bert_config.json"),
        ("1_Pooling/config.json", "[]", "exactly one pooling mode"),
        ("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\": \"yes\"}", "exactly one pooling mode"),
        (
            "1_Pooling/config.json",
            "{\"pooling_mode_mean_tokens\": true, \"pooling_mode_cls_token\": true}",
            "exactly one pooling mode",
        ),
    ] {
        let copy = Copy::of("distilbert");
        copy.write(file, bytes);
        copy.refused(&[file, told]);
    }
    let copy = Copy::of("distilbert");
    fs::remove_file(copy.file("1_Pooling/config.json")).unwrap();
    copy.refused(&["1_Pooling", "config.json"]);
}

#[test]
fn weights_that_are_cut_or_are_something_else() {
    let sound = fs::read(Copy::of("bert").file("model.safetensors")).unwrap();
    let mut huge_header = sound.clone();
    huge_header.splice(..8, (1_u64 << 60).to_le_bytes());
    let mut long_header = sound.clone();
    long_header.splice(..8, (sound.len() as u64).to_le_bytes());
    let mut garbled = sound.clone();
    garbled[8..40].fill(b'?');
    let header_end = 8 + u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
    for bytes in [
        &b""[..],
        b"short",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n",
        &sound[..8],
        &sound[..header_end - 1],
        &sound[..header_end],
        &sound[..sound.len() - 1],
        &[&sound[..], b"more"].concat(),
        &huge_header,
        &long_header,
        &garbled,
    ] {
        let copy = Copy::of("bert");
        copy.write("model.safetensors", bytes);
        copy.refused(&["model.safetensors"]);
    }
}

#[test]
fn tensors_that_lie_about_their_place() {
    let header = |offsets: Value| {
        let header =
            json!({"x": {"dtype": "F32", "shape": [1_u64 << 40, 1_u64 << 40], "data_offsets": offsets}})
                .to_string();
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat()
    };
    for offsets in [json!([0, 8]), json!([0, 1_u64 << 60]), json!([8, 0]), json!([u64::MAX, u64::MAX])] {
        let copy = Copy::of("bert");
        copy.write("model.safetensors", header(offsets));
        copy.refused(&["model.safetensors", "damaged"]);
    }
}

#[test]
fn tensors_that_are_missing_misshapen_or_of_another_type() {
    for name in ["bert", "distilbert"] {
        let copy = Copy::of(name);
        let mut gone = String::new();
        copy.change_weights(|tensors| {
            tensors.retain(|(name, _)| !name.starts_with("pooler"));
            gone = tensors.remove(3).0;
            let (_, tensor) = tensors.last_mut().unwrap();
            *tensor = Tensor::zeros([7, 7], (tch::Kind::Float, Device::Cpu));
        });
        copy.refused(&["model.safetensors", &format!("tensor {gone} is missing"), "has shape [7, 7]"]);
    }
    // A folder whose configuration is that of another model: many problems, told in brief.
    let copy = Copy::of("bert");
    copy.set("config.json", "hidden_size", json!(96));
    let text = copy.refused(&["model.safetensors does not fit its config.json", "more"]);
    assert!(text.matches("has shape").count() <= 8, "{text}");
    let copy = Copy::of("bert");
    copy.set("config.json", "num_hidden_layers", json!(40));
    copy.refused(&["is missing", "more"]);
}

#[test]
fn weights_that_are_not_numbers() {
    for value in [f64::NAN, f64::INFINITY] {
        let copy = Copy::of("distilbert");
        let mut name = String::new();
        copy.change_weights(|tensors| {
            let (spoiled, tensor) = &mut tensors[5];
            name.clone_from(spoiled);
            let _spoiled = tensor.view([-1]).get(0).fill_(value);
        });
        copy.refused(&["model.safetensors", &name, "not finite"]);
    }
}

#[test]
fn pooler_tensors_of_another_shape_are_told_too() {
    let copy = Copy::of("bert");
    copy.change_weights(|tensors| {
        let pooler = tensors.iter_mut().find(|(name, _)| name == "pooler.dense.bias").unwrap();
        pooler.1 = Tensor::zeros([3], (tch::Kind::Float, Device::Cpu));
    });
    let error = Model::load(copy.0.path(), Device::Cpu).err().unwrap();
    assert!(matches!(&error, ModelError::Mismatch { problems, .. } if problems.len() == 1), "{error}");
}

#[test]
fn tokenizers_that_are_damaged_or_another_models() {
    let copy = Copy::of("bert");
    let dir = copy.0.path();
    let vocab_size = Model::load(dir, Device::Cpu).unwrap().summary.vocab_size;
    let tokenizer = Tokenizer::load(dir).unwrap();
    assert!(tokenizer.check_fits(vocab_size).is_ok());
    let text = tokenizer.check_fits(100).unwrap_err().to_string();
    assert!(text.contains("100 embeddings") && text.contains("tokenizer.json"), "{text}");

    for bytes in ["", "[]", "{}", "{\"model\": 3}", "null"] {
        copy.write("tokenizer.json", bytes);
        let before = bytes_touched();
        let text = Tokenizer::load(dir).err().expect("should be refused").to_string();
        assert!(text.contains("tokenizer.json") && text.contains("damaged"), "{text}");
        assert!(bytes_touched() - before < LITTLE);
    }
    fs::remove_file(copy.file("tokenizer.json")).unwrap();
    let text = Tokenizer::load(dir).err().expect("should be refused").to_string();
    assert!(text.contains("has no tokenizer.json"), "{text}");
}
