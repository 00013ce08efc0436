//! The same weights in every form that models come in give the same model, in little more memory than they need.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use crate::support::own_process;
use crate::support::torch_file;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::torch_file::Saved;
use frostline::model::files::safetensors;
use frostline::model::files::safetensors::read_all;
use frostline::model::{Model, ModelError};
use serde_json::json;
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
}

/// A model folder without weights, and its weights.
fn bare(name: &str) -> (TempDir, Vec<(String, Tensor)>) {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(fixture(name).join("config.json"), dir.path().join("config.json")).unwrap();
    (dir, read_all(&fixture(name).join("model.safetensors")).unwrap())
}

fn load(dir: &TempDir) -> Model {
    Model::load(dir.path(), Device::Cpu).unwrap()
}

fn refused(dir: &TempDir) -> String {
    Model::load(dir.path(), Device::Cpu).err().unwrap().to_string()
}

/// Largest difference of any parameter to the fixture's own.
fn difference(model: &Model, name: &str) -> f64 {
    let original = Model::load(&fixture(name), Device::Cpu).unwrap();
    assert_eq!(model.params.len(), original.params.len());
    let pairs = model.params.iter().zip(original.params.iter());
    pairs
        .map(|(ours, theirs)| {
            assert_eq!((&ours.name, ours.tensor.kind()), (&theirs.name, Kind::Float));
            assert!(ours.tensor.is_contiguous());
            (&ours.tensor - &theirs.tensor).abs().max().double_value(&[])
        })
        .fold(0.0, f64::max)
}

fn write_safetensors(path: &Path, tensors: &[(String, Tensor)], kind: Kind) {
    let cast: Vec<(String, Tensor)> =
        tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_kind(kind))).collect();
    Tensor::write_safetensors(&cast, path).unwrap();
}

#[test]
fn torch_files_give_the_same_model() {
    for name in ["bert", "distilbert"] {
        let (dir, tensors) = bare(name);
        let mut saved: Vec<Saved> = tensors.iter().map(|(name, tensor)| Saved::new(name, tensor)).collect();
        // Some matrices as views, and counters as checkpoints of old have them.
        for one in saved.iter_mut().filter(|one| one.tensor.dim() == 2).step_by(3) {
            one.transposed = true;
        }
        saved.push(Saved::new("embeddings.position_ids", &Tensor::arange(64, (Kind::Int64, Device::Cpu))));
        torch_file::write(&dir.path().join("pytorch_model.bin"), &saved);
        let model = load(&dir);
        assert_eq!(difference(&model, name), 0.0, "{name}");
        assert_eq!(model.summary.origin.unexpected, ["embeddings.position_ids"]);
        assert!(model.summary.origin.notes.iter().any(|note| note.contains("position_ids")));
    }
}

/// Written by torch 2.11 through transformers, not by the writer of these tests.
#[test]
fn what_torch_itself_saves_is_read() {
    let written = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch").join(name);
    let (dir, _) = bare("bert_gelu_new");
    let weights = dir.path().join("pytorch_model.bin");
    fs::copy(written("bert_gelu_new.bin"), &weights).unwrap();
    assert_eq!(difference(&load(&dir), "bert_gelu_new"), 0.0);
    fs::copy(written("before_1_6.bin"), &weights).unwrap();
    assert!(refused(&dir).contains("before 1.6"));
}

#[test]
fn narrower_and_wider_numbers_become_float32() {
    for (kind, most) in [(Kind::Half, 4e-3), (Kind::BFloat16, 3e-2), (Kind::Double, 0.0), (Kind::Float, 0.0)]
    {
        let (dir, tensors) = bare("bert");
        write_safetensors(&dir.path().join("model.safetensors"), &tensors, kind);
        let difference_here = difference(&load(&dir), "bert");
        assert!(difference_here <= most, "{kind:?}: {difference_here}");
        assert!(difference_here > 0.0 || most == 0.0, "{kind:?} is another type");

        fs::remove_file(dir.path().join("model.safetensors")).unwrap();
        let saved: Vec<Saved> =
            tensors.iter().map(|(name, tensor)| Saved::new(name, &tensor.to_kind(kind))).collect();
        torch_file::write(&dir.path().join("pytorch_model.bin"), &saved);
        assert_eq!(difference(&load(&dir), "bert"), difference_here, "{kind:?}");
    }
}

#[test]
fn shards_are_one_model() {
    for (index, ending) in [("model.safetensors", "safetensors"), ("pytorch_model.bin", "bin")] {
        let (dir, tensors) = bare("bert");
        let mut weight_map = serde_json::Map::new();
        for (at, chunk) in tensors.chunks(tensors.len() / 3 + 1).enumerate() {
            let shard = format!("model-0000{}-of-00003.{ending}", at + 1);
            let path = dir.path().join(&shard);
            if ending == "bin" {
                let saved: Vec<Saved> = chunk.iter().map(|(name, tensor)| Saved::new(name, tensor)).collect();
                torch_file::write(&path, &saved);
            } else {
                write_safetensors(&path, chunk, Kind::Float);
            }
            weight_map.extend(chunk.iter().map(|(name, _)| (name.clone(), json!(shard))));
        }
        let json = json!({"metadata": {"total_size": 1}, "weight_map": weight_map});
        fs::write(dir.path().join(format!("{index}.index.json")), json.to_string()).unwrap();
        let model = load(&dir);
        assert_eq!(difference(&model, "bert"), 0.0, "{ending}");
        let on_disk = fs::read_dir(dir.path()).unwrap().flatten().map(|file| {
            if file.path().extension().is_some_and(|is| is == ending) {
                file.metadata().unwrap().len()
            } else {
                0
            }
        });
        assert_eq!(model.summary.file_bytes, on_disk.sum::<u64>());
    }
}

#[test]
fn prefixes_and_old_names_are_understood() {
    let (dir, tensors) = bare("bert");
    let renamed = |name: &str| {
        let name = if name.contains("LayerNorm") {
            name.replace(".weight", ".gamma").replace(".bias", ".beta")
        } else {
            name.to_owned()
        };
        format!("bert.{name}")
    };
    let mut old: Vec<(String, Tensor)> =
        tensors.iter().map(|(name, tensor)| (renamed(name), tensor.shallow_clone())).collect();
    old.push(("cls.predictions.bias".into(), Tensor::zeros([272], (Kind::Float, Device::Cpu))));
    let path = dir.path().join("model.safetensors");
    write_safetensors(&path, &old, Kind::Float);
    let model = load(&dir);
    assert_eq!(difference(&model, "bert"), 0.0);
    assert_eq!(model.summary.origin.unexpected, ["cls.predictions.bias"]);

    // The same tensor under both names: which of them is meant cannot be known.
    old.extend(tensors);
    write_safetensors(&path, &old, Kind::Float);
    let text = refused(&dir);
    assert!(text.contains("is there twice") && text.contains("bert.embeddings"), "{text}");
}

#[test]
fn the_safetensors_file_comes_first() {
    let (dir, tensors) = bare("bert");
    write_safetensors(&dir.path().join("model.safetensors"), &tensors, Kind::Float);
    fs::write(dir.path().join("pytorch_model.bin"), "nonsense").unwrap();
    assert_eq!(difference(&load(&dir), "bert"), 0.0);
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert!(refused(&dir).contains("pytorch_model.bin is damaged"));
    fs::remove_file(dir.path().join("pytorch_model.bin")).unwrap();
    let error = Model::load(dir.path(), Device::Cpu).err().unwrap();
    assert!(matches!(error, ModelError::NoWeights(_)), "{error}");
}

/// Set in the process that measures itself.
const MEASURED: &str = "FROSTLINE_TEST_MEASURED_MODEL";

/// The peak is one of a whole process, so a process of its own loads the model.
#[test]
#[cfg(target_os = "linux")]
fn loading_needs_little_more_memory_than_the_weights() {
    if let Some(dir) = std::env::var_os(MEASURED) {
        // libtorch itself, before the model.
        let warm = Model::load(&fixture("bert"), Device::Cpu).unwrap();
        let before = peak_bytes();
        let model = Model::load(Path::new(&dir), Device::Cpu).unwrap();
        let size = model.params.iter().map(|param| param.tensor.numel() as u64 * 4).sum::<u64>();
        println!("measured {} {size}", peak_bytes() - before);
        drop(warm);
        return;
    }
    // 160 MB, nearly all of it one table: the shape that is hardest to load in little memory.
    let (hidden, words) = (256, 150_000);
    let dir = tempfile::tempdir().unwrap();
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs::read(fixture("bert").join("config.json")).unwrap()).unwrap();
    config["hidden_size"] = json!(hidden);
    config["vocab_size"] = json!(words);
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let tensors: Vec<(String, Tensor)> = read_all(&fixture("bert").join("model.safetensors"))
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| {
            let larger = |size: i64| {
                if size == 48 {
                    hidden
                } else if size == 272 {
                    words
                } else {
                    size
                }
            };
            let shape: Vec<i64> = tensor.size().into_iter().map(larger).collect();
            (name, Tensor::ones(&shape, (Kind::Float, Device::Cpu)))
        })
        .collect();
    let measure = |what: &str| {
        let output = own_process::again(module_path!(), "loading_needs_little_more_memory_than_the_weights")
            .env(MEASURED, dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line =
            text.lines().find_map(|line| line.split_once("measured ").map(|(_, rest)| rest.to_owned()));
        let numbers: Vec<f64> = line
            .unwrap_or_else(|| panic!("{text}"))
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        let ratio = numbers[0] / numbers[1];
        println!("{what}: {:.0} MB for {:.0} MB, {ratio:.3}", numbers[0] / 1e6, numbers[1] / 1e6);
        assert!(ratio <= 1.3, "{what}: {ratio}");
    };
    let path = dir.path().join("model.safetensors");
    for kind in [Kind::Float, Kind::Half] {
        write_safetensors(&path, &tensors, kind);
        measure(&format!("safetensors, {kind:?}"));
    }
    fs::remove_file(&path).unwrap();
    let saved: Vec<Saved> = tensors.iter().map(|(name, tensor)| Saved::new(name, tensor)).collect();
    torch_file::write(&dir.path().join("pytorch_model.bin"), &saved);
    measure("pytorch_model.bin");
    let named: Vec<(String, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
    fs::remove_file(dir.path().join("pytorch_model.bin")).unwrap();
    safetensors::write(&path, &named).unwrap();
    measure("as written by Frostline");
}

/// The most memory this process ever had, mapped files included.
#[cfg(target_os = "linux")]
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
