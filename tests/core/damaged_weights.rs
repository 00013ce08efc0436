//! Weights that are damaged or made to do harm: each is refused in a sentence, after little reading and within little
//! memory, and no bytes whatever make the program panic.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use crate::support::own_process;
use crate::support::torch_file;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::support::bytes_touched::bytes_touched;
use crate::support::torch_file::Saved;
use frostline::model::Model;
use frostline::model::files::safetensors::read_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;

/// More than any of these folders holds, many times over.
const LITTLE: u64 = 200 << 20;
/// A pickle of millions of values takes a third of it.
const LITTLE_WORK: u64 = 64 << 20;

static WEIGHTS: LazyLock<Vec<u8>> = LazyLock::new(|| fs::read(fixture().join("model.safetensors")).unwrap());

static TORCH_FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pytorch_model.bin");
    torch_file::write(&path, &saved());
    fs::read(path).unwrap()
});

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/bert")
}

fn saved() -> Vec<Saved> {
    let tensors = read_all(&fixture().join("model.safetensors")).unwrap();
    tensors.iter().map(|(name, tensor)| Saved::new(name, tensor)).collect()
}

/// A model folder without weights.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for file in ["config.json", "tokenizer.json"] {
            fs::copy(fixture().join(file), folder.at(file)).unwrap();
        }
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.at(name), bytes).unwrap();
    }

    /// Bytes of a file that are not on the disk: a terabyte costs nothing.
    fn sparse(&self, name: &str, start: &[u8], bytes: u64) {
        self.write(name, start);
        File::options().write(true).open(self.at(name)).unwrap().set_len(bytes).unwrap();
    }

    fn config(&self, key: &str, value: Value) {
        let mut config: Value = serde_json::from_slice(&fs::read(self.at("config.json")).unwrap()).unwrap();
        config[key] = value;
        self.write("config.json", config.to_string());
    }
}

fn safetensors(header: &Value, data: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn with_header(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let end = 8 + u64::from_le_bytes(WEIGHTS[..8].try_into().unwrap()) as usize;
    let mut header = serde_json::from_slice(&WEIGHTS[8..end]).unwrap();
    change(&mut header);
    safetensors(&header, &WEIGHTS[end..])
}

/// A torch archive whose one tensor is the part of a storage of 1 KB.
fn one_tensor(folder: &Folder, name: &str, (offset, shape, strides): (i64, &[i64], &[i64])) {
    let mut pickle = torch_file::start();
    torch_file::text(&mut pickle, name);
    torch_file::rebuild(&mut pickle, "FloatStorage", "0", 256, (offset, shape, strides));
    pickle.extend(b"u.");
    torch_file::archive(&folder.at("pytorch_model.bin"), &pickle, &[("data/0".into(), vec![0; 1024])]);
}

fn pickle(folder: &Folder, pickle: &[u8]) {
    torch_file::archive(&folder.at("pytorch_model.bin"), pickle, &[]);
}

/// Calls the entries of an archive compressed.
fn call_compressed(bytes: &mut [u8]) {
    for (mark, place) in [(b"PK\x03\x04", 8), (b"PK\x01\x02", 10)] {
        let starts: Vec<usize> =
            bytes.windows(4).enumerate().filter(|(_, four)| four == mark).map(|(at, _)| at).collect();
        for at in starts {
            bytes[at + place] = 8;
        }
    }
}

type Damage = (&'static str, fn(&Folder), &'static [&'static str]);

const DAMAGES: &[Damage] = &[
    (
        "cut in the middle",
        |f| f.write("model.safetensors", &WEIGHTS[..WEIGHTS.len() / 2]),
        &["model.safetensors", "damaged"],
    ),
    (
        "a header of 2^60 bytes",
        |f| {
            let mut bytes = WEIGHTS.clone();
            bytes[..8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
            f.write("model.safetensors", bytes);
        },
        &["model.safetensors", "damaged"],
    ),
    (
        "flipped bytes in the header",
        |f| {
            let mut bytes = WEIGHTS.clone();
            bytes[20..60].iter_mut().for_each(|byte| *byte ^= 0x55);
            f.write("model.safetensors", bytes);
        },
        &["model.safetensors", "damaged"],
    ),
    (
        "flipped bytes that are no numbers any more",
        |f| {
            let mut bytes = WEIGHTS.clone();
            let at = bytes.len() - 4000;
            bytes[at..at + 400].fill(0xff);
            f.write("model.safetensors", bytes);
        },
        &["model.safetensors", "not finite"],
    ),
    (
        "tensors that lie over each other",
        |f| {
            let bytes = with_header(|header| {
                let first = header["embeddings.LayerNorm.weight"]["data_offsets"].clone();
                header["embeddings.LayerNorm.bias"]["data_offsets"] = first;
            });
            f.write("model.safetensors", bytes);
        },
        &["model.safetensors", "damaged"],
    ),
    (
        "a gigabyte claimed in a kilobyte",
        |f| {
            let claim = json!({"dtype": "F32", "shape": [1 << 14, 1 << 14], "data_offsets": [0, 1 << 30]});
            f.write(
                "model.safetensors",
                safetensors(&json!({"embeddings.word_embeddings.weight": claim}), &[0; 900]),
            );
        },
        &["model.safetensors", "damaged"],
    ),
    (
        "sizes whose product overflows",
        |f| {
            let claim = json!({"dtype": "F32", "shape": [1_u64 << 40, 1_u64 << 40], "data_offsets": [0, 8]});
            f.write("model.safetensors", safetensors(&json!({"x": claim}), &[0; 8]));
        },
        &["model.safetensors", "damaged"],
    ),
    (
        "whole numbers for weights",
        |f| {
            f.write(
                "model.safetensors",
                with_header(|header| {
                    header["embeddings.LayerNorm.weight"]["dtype"] = json!("I32");
                }),
            );
        },
        &["embeddings.LayerNorm.weight holds I32"],
    ),
    (
        "a header that is a list",
        |f| f.write("model.safetensors", safetensors(&json!([1, 2]), &[])),
        &["model.safetensors", "damaged"],
    ),
    (
        "a header a million brackets deep",
        |f| {
            let deep = "[".repeat(1_000_000);
            f.write("model.safetensors", [&(deep.len() as u64).to_le_bytes()[..], deep.as_bytes()].concat());
        },
        &["model.safetensors", "damaged"],
    ),
    (
        "a terabyte of nothing",
        |f| f.sparse("model.safetensors", b"", 1 << 40),
        &["model.safetensors", "damaged"],
    ),
    ("a configuration of a terabyte", |f| f.sparse("config.json", b"{}", 1 << 40), &["config.json", "bytes"]),
    (
        "a model too large to be",
        |f| {
            f.write("model.safetensors", &*WEIGHTS);
            f.config("num_hidden_layers", json!(1000));
            f.config("vocab_size", json!(16_000_000));
        },
        &["is missing", "more"],
    ),
    (
        "shards that are not there",
        |f| {
            f.write(
                "model.safetensors.index.json",
                r#"{"weight_map": {"x": "model-00001-of-00002.safetensors"}}"#,
            );
        },
        &["index.json", "model-00001-of-00002.safetensors", "not in the folder"],
    ),
    (
        "an index that is its own shard",
        |f| {
            f.write(
                "model.safetensors.index.json",
                r#"{"weight_map": {"x": "model.safetensors.index.json"}}"#,
            );
        },
        &["model.safetensors.index.json", "damaged"],
    ),
    (
        "shards that lead out of the folder",
        |f| {
            f.write("model.safetensors.index.json", r#"{"weight_map": {"x": "../../etc/passwd"}}"#);
        },
        &["index.json", "no file of this folder"],
    ),
    (
        "an index of the wrong type",
        |f| f.write("model.safetensors.index.json", r#"{"weight_map": ["x"]}"#),
        &["index.json", "weight_map"],
    ),
    (
        "an index whose files are numbers",
        |f| f.write("pytorch_model.bin.index.json", r#"{"weight_map": {"x": 7}}"#),
        &["index.json", "no text"],
    ),
    (
        "an index that names no tensor",
        |f| f.write("model.safetensors.index.json", r#"{"weight_map": {}}"#),
        &["index.json", "is missing"],
    ),
    #[cfg(unix)]
    (
        "links in a circle",
        |f| {
            for (link, to) in [("a.safetensors", "b.safetensors"), ("b.safetensors", "a.safetensors")] {
                std::os::unix::fs::symlink(to, f.at(link)).unwrap();
            }
            f.write("model.safetensors.index.json", r#"{"weight_map": {"x": "a.safetensors"}}"#);
        },
        &["index.json", "a.safetensors"],
    ),
    (
        "a pickle that runs a command",
        |f| {
            pickle(f, b"\x80\x02cos\nsystem\nX\x10\x00\x00\x00touch /tmp/harmed\x85R.");
        },
        &["pytorch_model.bin is refused", "os.system", "runs no code"],
    ),
    (
        "a pickle that builds an object",
        |f| {
            pickle(f, b"\x80\x02csubprocess\nPopen\n)\x81}b.");
        },
        &["pytorch_model.bin is refused", "subprocess.Popen"],
    ),
    (
        "a pickle that is no dictionary",
        |f| pickle(f, b"\x80\x02K\x01."),
        &["pytorch_model.bin is refused", "no dictionary"],
    ),
    (
        "a pickle of millions of values",
        |f| pickle(f, &[b'N'; 4 << 20]),
        &["pytorch_model.bin", "more values than any model"],
    ),
    (
        "a pickle a million lists deep",
        |f| pickle(f, &[&b"]"[..], &[0x85; 900_000], b"."].concat()),
        &["pytorch_model.bin"],
    ),
    (
        "a pickle of ten megabytes",
        |f| pickle(f, &vec![b'('; 10 << 20]),
        &["pytorch_model.bin", "larger than that of any model"],
    ),
    (
        "a zip bomb",
        |f| {
            let mut bytes = TORCH_FILE.clone();
            call_compressed(&mut bytes);
            f.write("pytorch_model.bin", bytes);
        },
        &["pytorch_model.bin", "is compressed"],
    ),
    (
        "a zip archive without its end",
        |f| f.write("pytorch_model.bin", &TORCH_FILE[..TORCH_FILE.len() - 200]),
        &["pytorch_model.bin", "damaged"],
    ),
    (
        "a zip archive of something else",
        |f| {
            let mut bytes = TORCH_FILE.clone();
            let at = |bytes: &[u8]| bytes.windows(8).position(|name| name == b"data.pkl");
            while let Some(at) = at(&bytes) {
                bytes[at..at + 8].copy_from_slice(b"data.txt");
            }
            f.write("pytorch_model.bin", bytes);
        },
        &["pytorch_model.bin", "no data.pkl"],
    ),
    (
        "PyTorch before 1.6",
        |f| {
            f.write("pytorch_model.bin", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.");
        },
        &["pytorch_model.bin", "before 1.6", "torch.save"],
    ),
    (
        "a git-lfs pointer",
        |f| {
            f.write(
                "pytorch_model.bin",
                "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 438000000\n",
            );
        },
        &["pytorch_model.bin", "git-lfs pointer"],
    ),
    (
        "a terabyte of a torch file",
        |f| f.sparse("pytorch_model.bin", b"PK\x03\x04", 1 << 40),
        &["pytorch_model.bin", "damaged"],
    ),
    (
        "a tensor beyond its storage",
        |f| one_tensor(f, "x", (200, &[64], &[1])),
        &["pytorch_model.bin", "tensor x reaches beyond"],
    ),
    (
        "a gigabyte that is one number repeated",
        |f| {
            one_tensor(f, "embeddings.word_embeddings.weight", (0, &[1 << 14, 1 << 14], &[0, 0]));
        },
        &["pytorch_model.bin", "claims more numbers"],
    ),
    (
        "steps that overflow",
        |f| one_tensor(f, "x", (0, &[i64::from(i32::MAX); 3], &[i64::from(i32::MAX); 3])),
        &["pytorch_model.bin", "reaches beyond"],
    ),
    ("a negative shape", |f| one_tensor(f, "x", (0, &[-1], &[1])), &["pytorch_model.bin", "negative"]),
    (
        "a thousand layers in one place",
        |f| {
            f.config("num_hidden_layers", json!(1000));
            let mut pickle = torch_file::start();
            let model: Value = serde_json::from_slice(&fs::read(f.at("config.json")).unwrap()).unwrap();
            let (hidden, inner) =
                (model["hidden_size"].as_i64().unwrap(), model["intermediate_size"].as_i64().unwrap());
            let elements = hidden * 272;
            let tensors = saved();
            let in_layer = "encoder.layer.0.";
            for layer in 0..1000 {
                for one in tensors.iter().filter(|one| {
                    one.name.starts_with(in_layer) || layer == 0 && !one.name.contains("layer.")
                }) {
                    torch_file::text(
                        &mut pickle,
                        &one.name.replace(in_layer, &format!("encoder.layer.{layer}.")),
                    );
                    torch_file::rebuild(
                        &mut pickle,
                        "FloatStorage",
                        "0",
                        elements,
                        (0, &one.tensor.size(), &one.tensor.stride()),
                    );
                }
            }
            pickle.extend(b"u.");
            assert!(inner * hidden <= elements);
            torch_file::archive(
                &f.at("pytorch_model.bin"),
                &pickle,
                &[("data/0".into(), vec![0; elements as usize * 4])],
            );
        },
        &["pytorch_model.bin", "lie over each other"],
    ),
    (
        "a name of a megabyte, recalled thousands of times",
        |f| {
            let mut pickle = torch_file::start();
            torch_file::text(&mut pickle, &"n".repeat(1 << 20));
            pickle.extend(b"q\x05");
            torch_file::rebuild(&mut pickle, "FloatStorage", "0", 256, (0, &[1], &[1]));
            pickle.extend(b"q\x06");
            pickle.extend(b"h\x05h\x06".repeat(20_000));
            pickle.extend(b"u.");
            torch_file::archive(&f.at("pytorch_model.bin"), &pickle, &[("data/0".into(), vec![0; 1024])]);
        },
        &["pytorch_model.bin", "a name of 1048576 bytes"],
    ),
    (
        "a storage named by a megabyte, recalled thousands of times",
        |f| {
            let mut pickle = torch_file::start();
            torch_file::text(&mut pickle, "first");
            torch_file::rebuild(&mut pickle, "FloatStorage", &"s".repeat(1 << 20), 256, (0, &[1], &[1]));
            pickle.extend(b"q\x06");
            for number in 0..20_000 {
                torch_file::text(&mut pickle, &number.to_string());
                pickle.extend(b"h\x06");
            }
            pickle.extend(b"u.");
            torch_file::archive(&f.at("pytorch_model.bin"), &pickle, &[]);
        },
        &["pytorch_model.bin", "a name of 1048576 bytes"],
    ),
    (
        "one tensor a hundred thousand times",
        |f| {
            let mut pickle = torch_file::start();
            torch_file::text(&mut pickle, "twice");
            pickle.extend(b"q\x05");
            torch_file::rebuild(&mut pickle, "FloatStorage", "0", 256, (0, &[1], &[1]));
            pickle.extend(b"q\x06");
            pickle.extend(b"h\x05h\x06".repeat(100_000));
            pickle.extend(b"u.");
            torch_file::archive(&f.at("pytorch_model.bin"), &pickle, &[("data/0".into(), vec![0; 1024])]);
        },
        &["pytorch_model.bin", "twice is there twice"],
    ),
    (
        "an entry of the archive with an endless name",
        |f| {
            let entries = [(format!("data/{}", "e".repeat(60_000)), vec![0; 8])];
            torch_file::archive(&f.at("pytorch_model.bin"), b"\x80\x02}.", &entries);
        },
        &["pytorch_model.bin", "an entry has a name of 60"],
    ),
    (
        "one name for two tensors in a header",
        |f| {
            let tensor = r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#;
            let header = format!(r#"{{"x":{tensor},"x":{tensor}}}"#);
            let length = (header.len() as u64).to_le_bytes();
            f.write("model.safetensors", [&length[..], header.as_bytes()].concat());
        },
        &["model.safetensors", "tensor x is there twice"],
    ),
    (
        "a name of a megabyte in a header",
        |f| {
            let tensor = json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]});
            let mut header = json!({});
            header["n".repeat(1 << 20)] = tensor;
            f.write("model.safetensors", safetensors(&header, &[]));
        },
        &["model.safetensors", "a tensor's name has 1048576 bytes"],
    ),
    (
        "an index of two hundred thousand tensors in as many shards",
        |f| {
            f.write("s0.safetensors", "");
            let shards = (0..200_000).map(|n| (format!("t{n}"), json!("s0.safetensors")));
            let mut map: serde_json::Map<String, Value> = shards.collect();
            map.insert("last".into(), json!("s1.safetensors"));
            f.write("model.safetensors.index.json", json!({ "weight_map": map }).to_string());
        },
        &["index.json", "s1.safetensors", "not in the folder"],
    ),
    (
        "modules without end",
        |f| {
            f.write("model.safetensors", &*WEIGHTS);
            let module = json!({"path": "2_Dense", "type": "sentence_transformers.models.Dense"});
            f.write("modules.json", Value::from(vec![module; 10_000]).to_string());
        },
        &["modules.json", "lists 10000 modules"],
    ),
    (
        "weights that are a folder",
        |f| fs::create_dir(f.at("model.safetensors")).unwrap(),
        &["has no model.safetensors"],
    ),
];

/// Set in the process that is measured.
const ALONE: &str = "FROSTLINE_TEST_ALONE";

#[test]
fn every_damage_is_told_and_costs_little() {
    // The peak is one of a whole process.
    if std::env::var_os(ALONE).is_none() {
        let mut again = own_process::again(module_path!(), "every_damage_is_told_and_costs_little");
        let output = again.env(ALONE, "1").output().unwrap();
        let words = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success() && words[0].contains("1 passed"), "{}", words.concat());
        print!("{}", words[0]);
        return;
    }
    assert!(DAMAGES.len() >= 20);
    // What the fixtures and libtorch themselves take.
    let sound = Folder::new();
    sound.write("model.safetensors", &*WEIGHTS);
    Model::load(sound.0.path(), Device::Cpu).unwrap();
    assert!(TORCH_FILE.len() > 1000);
    for (what, damage, told) in DAMAGES {
        let folder = Folder::new();
        damage(&folder);
        let before = peak_bytes();
        let touched = bytes_touched();
        let error = Model::load(folder.0.path(), Device::Cpu).err();
        let text = error.unwrap_or_else(|| panic!("{what} is loaded")).to_string();
        let touched = bytes_touched() - touched;
        assert!(touched < LITTLE_WORK, "{what}: {} MB are touched for: {text}", touched >> 20);
        // The system counts in batches, so the peak may read a little lower than before.
        let grown = peak_bytes().saturating_sub(before);
        println!("{what}: {} kB are touched, {} MB are taken", touched >> 10, grown >> 20);
        assert!(grown < LITTLE, "{what}: {} MB for: {text}", grown >> 20);
        let is_sentence = !text.contains('\n') && !text.contains("panicked") && text.len() < 1500;
        assert!(is_sentence, "{what} is told as: {text}");
        for word in *told {
            assert!(text.contains(word), "{what}: \"{word}\" is not in: {text}");
        }
    }
    assert!(!Path::new("/tmp/harmed").exists(), "a pickle was run");
}

#[test]
fn a_spoiled_number_in_a_torch_file_is_named() {
    let folder = Folder::new();
    let mut tensors = saved();
    tensors[7].tensor = tensors[7].tensor.copy();
    let _spoiled = tensors[7].tensor.view([-1]).get(3).fill_(f64::NAN);
    torch_file::write(&folder.at("pytorch_model.bin"), &tensors);
    let text = Model::load(folder.0.path(), Device::Cpu).err().unwrap().to_string();
    assert!(text.contains(&tensors[7].name) && text.contains("not finite"), "{text}");
    tensors[7].tensor = Tensor::zeros(tensors[7].tensor.size(), (Kind::Int64, Device::Cpu));
    torch_file::write(&folder.at("pytorch_model.bin"), &tensors);
    let text = Model::load(folder.0.path(), Device::Cpu).err().unwrap().to_string();
    assert!(text.contains("holds LongStorage, expected floating-point"), "{text}");
}

/// Loading must come back, with a model or with a sentence.
fn loads_or_refuses(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let folder = Folder::new();
    folder.write(name, bytes);
    if let Err(error) = Model::load(folder.0.path(), Device::Cpu) {
        let text = error.to_string();
        prop_assert!(!text.contains('\n') && text.len() < 4000, "{text}");
    }
    Ok(())
}

fn changed(bytes: &[u8], changes: &[(prop::sample::Index, u8)], from: usize, to: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (place, byte) in changes {
        let at = from + place.index(to - from);
        bytes[at] = *byte;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_safetensors_header_of_changed_bytes(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let end = 8 + u64::from_le_bytes(WEIGHTS[..8].try_into().unwrap()) as usize;
        loads_or_refuses("model.safetensors", &changed(&WEIGHTS, &changes, 0, end))?;
    }

    #[test]
    fn a_safetensors_header_of_any_claims(
        dtype in prop::sample::select(vec!["F32", "F16", "BF16", "F64", "I64", "BOOL", "F8_E4M3", "F4", "X"]),
        shape in prop::collection::vec(prop_oneof![0..70_u64, Just(48), Just(272), any::<u64>()], 0..5),
        offsets in prop::array::uniform2(prop_oneof![0..400_u64, Just(52_224), any::<u64>()]),
    ) {
        let claim = json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
        let header = json!({"embeddings.word_embeddings.weight": claim});
        loads_or_refuses("model.safetensors", &safetensors(&header, &vec![0; 52_224]))?;
    }

    #[test]
    fn a_torch_pickle_of_changed_bytes(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let start = TORCH_FILE.windows(8).position(|name| name == b"data.pkl").unwrap();
        let end = TORCH_FILE.windows(9).position(|name| name == b"byteorder").unwrap();
        loads_or_refuses("pytorch_model.bin", &changed(&TORCH_FILE, &changes, start, end))?;
    }

    #[test]
    fn a_torch_archive_of_changed_bytes(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let directory = TORCH_FILE.windows(4).position(|mark| mark == b"PK\x01\x02").unwrap();
        loads_or_refuses("pytorch_model.bin", &changed(&TORCH_FILE, &changes, directory, TORCH_FILE.len()))?;
    }

    #[test]
    fn any_bytes_for_weights(bytes in prop::collection::vec(any::<u8>(), 0..600), torch in any::<bool>()) {
        let (name, start): (&str, &[u8]) = if torch { ("pytorch_model.bin", b"PK\x03\x04") } else { ("model.safetensors", b"") };
        loads_or_refuses(name, &[start, &bytes].concat())?;
    }
}

/// The most memory this process ever had, where the system tells.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
