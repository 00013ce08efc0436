//! Model folders as sentence-transformers has written them over the years, and as transformers writes them.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs;
use std::path::{Path, PathBuf};

use frostline::export::folder::{ExportRequest, write_folder};
use frostline::model::Model;
use frostline::model::model::to_vec;
use frostline::model::summary::{ModelSummary, Pooling, Prompt};
use frostline::text::tokenizer::Tokenizer;
use serde_json::{Value, json};
use tch::Device;
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    /// Files of the fixture, below a folder of the model.
    fn of(files: &[&str], below: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/bert");
        fs::create_dir_all(folder.at(below)).unwrap();
        for file in files {
            fs::copy(from.join(file), folder.at(below).join(file)).unwrap();
        }
        folder
    }

    fn plain() -> Self {
        Self::of(&["config.json", "model.safetensors", "tokenizer.json"], "")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, json: &Value) {
        fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        fs::write(self.at(name), json.to_string()).unwrap();
    }

    fn modules(&self, modules: &[(&str, &str)]) {
        let entry = |(index, (path, kind)): (usize, &(&str, &str))| json!({"idx": index, "name": index.to_string(), "path": path, "type": kind});
        self.write("modules.json", &modules.iter().enumerate().map(entry).collect());
    }

    fn load(&self) -> Model {
        Model::load(self.0.path(), Device::Cpu).unwrap()
    }

    fn summary(&self) -> ModelSummary {
        self.load().summary
    }

    fn refused(&self, told: &[&str]) {
        let text = Model::load(self.0.path(), Device::Cpu).err().unwrap().to_string();
        for word in told {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    }
}

const OLD: [(&str, &str); 3] = [
    ("0_Transformer", "sentence_transformers.models.Transformer"),
    ("1_Pooling", "sentence_transformers.models.Pooling"),
    ("2_Normalize", "sentence_transformers.models.Normalize"),
];

const NEWEST: [(&str, &str); 3] = [
    ("", "sentence_transformers.base.modules.transformer.Transformer"),
    ("1_Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling"),
    ("2_Normalize", "sentence_transformers.base.modules.normalize.Normalize"),
];

#[test]
fn a_plain_folder_gets_mean_pooling_and_says_so() {
    let folder = Folder::plain();
    let summary = folder.summary();
    assert_eq!((summary.pooling, summary.normalize, summary.max_seq_length), (Pooling::Mean, false, 64));
    assert!(summary.pooling_source.starts_with("not stated"));
    assert!(
        summary.origin.notes.iter().any(|note| note.contains("no modules.json") && note.contains("mean"))
    );
    // Without sentence-transformers' limit, the tokenizer's own counts.
    folder.write("tokenizer_config.json", &json!({"model_max_length": 32}));
    assert_eq!(folder.summary().max_seq_length, 32);
    fs::write(folder.at("tokenizer_config.json"), r#"{"model_max_length": 1000000000000000019884624838656}"#)
        .unwrap();
    assert_eq!(folder.summary().max_seq_length, 64);
}

#[test]
fn an_encoder_in_a_folder_of_its_own_is_found() {
    let folder = Folder::of(
        &["config.json", "model.safetensors", "tokenizer.json", "sentence_bert_config.json"],
        "0_Transformer",
    );
    folder.modules(&OLD);
    folder.write(
        "1_Pooling/config.json",
        &json!({"word_embedding_dimension": 48, "pooling_mode_cls_token": true}),
    );
    let model = folder.load();
    let summary = &model.summary;
    assert_eq!((summary.pooling, summary.normalize, summary.max_seq_length), (Pooling::Cls, true, 48));
    assert_eq!(summary.path, folder.0.path());
    assert!(summary.origin.notes.is_empty(), "{:?}", summary.origin.notes);
    assert!(
        summary
            .origin
            .files
            .iter()
            .any(|file| file.name == "0_Transformer/model.safetensors" && file.bytes > 1000)
    );
    Tokenizer::load(folder.0.path()).unwrap().check_fits(summary.vocab_size).unwrap();
}

#[test]
fn every_pooling_mode_is_read_in_both_layouts() {
    for (switch, name, pooling) in [
        ("pooling_mode_mean_tokens", "mean", Pooling::Mean),
        ("pooling_mode_cls_token", "cls", Pooling::Cls),
        ("pooling_mode_max_tokens", "max", Pooling::Max),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
        ("pooling_mode_weightedmean_tokens", "weightedmean", Pooling::WeightedMean),
        ("pooling_mode_lasttoken", "lasttoken", Pooling::LastToken),
    ] {
        let folder = Folder::plain();
        folder.modules(&NEWEST);
        for config in [
            json!({"embedding_dimension": 48, "pooling_mode": name, "include_prompt": true}),
            json!({"embedding_dimension": 48, "pooling_mode": [name]}),
            json!({"word_embedding_dimension": 48, switch: true}),
        ] {
            folder.write("1_Pooling/config.json", &config);
            let summary = folder.summary();
            assert_eq!((summary.pooling, summary.normalize), (pooling, true), "{config}");
        }
    }
}

#[test]
fn what_cannot_be_pooled_or_run_is_refused_by_name() {
    let folder = Folder::plain();
    folder.modules(&NEWEST);
    for (config, told) in [
        (json!({"pooling_mode": ["mean", "max"]}), &["exactly one pooling mode", "mean and max"][..]),
        (json!({"pooling_mode": "attention"}), &["attention", "weightedmean"]),
        (json!({"pooling_mode": 3}), &["pooling_mode is 3"]),
        (json!({"pooling_mode_max_tokens": true, "pooling_mode_cls_token": true}), &["cls and max"]),
        (json!({}), &["exactly one pooling mode", "none"]),
    ] {
        folder.write("1_Pooling/config.json", &config);
        folder.refused(told);
    }
    for (path, kind, told) in [
        ("", "custom_st.Transformer", &["custom_st.Transformer", "code of the model's own"][..]),
        ("", "sentence_transformers.models.CLIPModel", &["CLIPModel", "not supported"]),
        ("../elsewhere", "sentence_transformers.models.Pooling", &["outside the folder"]),
        ("/etc", "sentence_transformers.models.Transformer", &["outside the folder"]),
        ("x", "sentence_transformers.models.Transformer", &["more than one Transformer"]),
    ] {
        folder.modules(&[NEWEST[0], (path, kind)]);
        folder.refused(&[told, &["modules.json"]].concat());
    }
    folder.modules(&[("0_Transformer", "sentence_transformers.models.Transformer")]);
    folder.refused(&["0_Transformer has no config.json"]);
}

#[test]
fn limits_and_prompts_are_read_and_checked() {
    let folder = Folder::plain();
    folder.write("sentence_roberta_config.json", &json!({"max_seq_length": 20, "do_lower_case": true}));
    folder.write("config_sentence_transformers.json", &json!({
        "prompts": {"query": "query: ", "passage": "passage: ", "none": null}, "default_prompt_name": "query"
    }));
    let summary = folder.summary();
    assert_eq!(summary.max_seq_length, 20);
    assert!(summary.origin.lower_case);
    let prompt = |name: &str, text: &str| Prompt { name: name.into(), text: text.into() };
    assert_eq!(summary.origin.prompts, [prompt("query", "query: "), prompt("passage", "passage: ")]);
    assert_eq!(summary.origin.default_prompt.as_deref(), Some("query"));
    assert!(summary.origin.notes.iter().any(|note| note.contains("\"query\"")));
    for (file, json, told) in [
        ("sentence_roberta_config.json", json!({"max_seq_length": "long"}), "max_seq_length is \"long\""),
        ("sentence_roberta_config.json", json!({"max_seq_length": 0}), "max_seq_length is 0"),
        ("sentence_roberta_config.json", json!({"do_lower_case": 1}), "do_lower_case is 1"),
        ("sentence_roberta_config.json", json!({"transformer_task": "fill-mask"}), "set up for fill-mask"),
        ("config_sentence_transformers.json", json!({"prompts": ["query"]}), "prompts is"),
        ("config_sentence_transformers.json", json!({"prompts": {"query": 1}}), "prompt \"query\" is 1"),
        (
            "config_sentence_transformers.json",
            json!({"prompts": {}, "default_prompt_name": "q"}),
            "default_prompt_name is \"q\"",
        ),
        ("config_sentence_transformers.json", json!("text"), ""),
    ] {
        let before = fs::read(folder.at(file)).unwrap();
        folder.write(file, &json);
        if told.is_empty() {
            drop(folder.summary());
        } else {
            folder.refused(&[file, told]);
        }
        fs::write(folder.at(file), before).unwrap();
    }
}

#[test]
fn the_licence_comes_from_the_readme_or_the_configuration() {
    let folder = Folder::plain();
    assert_eq!(folder.summary().origin.licence, None);
    let mut config: Value = serde_json::from_slice(&fs::read(folder.at("config.json")).unwrap()).unwrap();
    config["license"] = json!("mit");
    folder.write("config.json", &config);
    assert_eq!(folder.summary().origin.licence.as_deref(), Some("mit"));
    fs::write(folder.at("README.md"), "---\ntags: [x]\nlicense: apache-2.0\n---\n# Model\n").unwrap();
    assert_eq!(folder.summary().origin.licence.as_deref(), Some("apache-2.0"));
}

/// An export of a model that came with an encoder folder, a vocabulary and prompts stands on its own.
#[test]
fn an_export_keeps_what_the_folder_said() {
    let folder = Folder::of(&["config.json", "model.safetensors", "tokenizer_config.json"], "0_Transformer");
    folder.modules(&OLD);
    folder.write("1_Pooling/config.json", &json!({"pooling_mode_lasttoken": true}));
    folder.write(
        "0_Transformer/sentence_bert_config.json",
        &json!({"max_seq_length": 40, "do_lower_case": true}),
    );
    folder.write("config_sentence_transformers.json", &json!({"prompts": {"query": "query: "}}));
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/bert/tokenizer.json");
    let json: Value = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
    let mut vocab: Vec<(u64, &String)> = json["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(token, id)| (id.as_u64().unwrap(), token))
        .collect();
    vocab.sort();
    let lines: Vec<&str> = vocab.into_iter().map(|(_, token)| token.as_str()).collect();
    fs::write(folder.at("0_Transformer/vocab.txt"), lines.join("\n")).unwrap();

    let model = folder.load();
    let to = tempfile::tempdir().unwrap();
    let to = to.path().join("out");
    let request = ExportRequest {
        model: &model,
        base: folder.0.path(),
        to: &to,
        max_seq_length: 40,
        prompt: None,
        card: "# Card\n",
        untrained: &[],
    };
    let report = write_folder(&request).unwrap();
    assert_eq!(report.max_difference, 0.0);
    let read = |name: &str| -> Value { serde_json::from_slice(&fs::read(to.join(name)).unwrap()).unwrap() };
    assert_eq!(read("sentence_bert_config.json"), json!({"max_seq_length": 40, "do_lower_case": true}));
    assert_eq!(read("config_sentence_transformers.json")["prompts"], json!({"query": "query: "}));
    assert_eq!(read("1_Pooling/config.json")["pooling_mode_lasttoken"], json!(true));
    assert_eq!(read("tokenizer.json")["model"]["type"], json!("WordPiece"));
    assert!(to.join("vocab.txt").is_file() && to.join("model.safetensors").is_file());
    assert_eq!(Model::load(&to, Device::Cpu).unwrap().summary.pooling, Pooling::LastToken);
}

/// A folder as sentence-transformers 6.2 saves it, and what it encodes with every pooling mode.
#[test]
fn the_newest_layout_encodes_as_its_writer_does() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sentence_transformers_6");
    let encoded: Value = serde_json::from_slice(&fs::read(fixtures.join("encoded.json")).unwrap()).unwrap();
    let texts: Vec<String> = serde_json::from_value(encoded["texts"].clone()).unwrap();
    let folder = Folder::plain();
    for file in [
        "modules.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "tokenizer_config.json",
        "1_Pooling/config.json",
        "2_Normalize/config.json",
    ] {
        fs::create_dir_all(folder.at(file).parent().unwrap()).unwrap();
        fs::copy(fixtures.join(file), folder.at(file)).unwrap();
    }
    let summary = folder.summary();
    assert_eq!((summary.pooling, summary.normalize, summary.max_seq_length), (Pooling::Mean, true, 48));
    assert_eq!(summary.origin.prompts.len(), 2);
    for (mode, rows) in encoded["embeddings"].as_object().unwrap() {
        folder.write("1_Pooling/config.json", &json!({"embedding_dimension": 48, "pooling_mode": mode}));
        let model = folder.load();
        let tokens = Tokenizer::load(folder.0.path()).unwrap().encode(&texts, 48, &|_, _| true).unwrap();
        let ids: Vec<&[u32]> = (0..texts.len()).map(|row| tokens.ids(row)).collect();
        let pooled = model.infer(&model.batch(&ids).unwrap()).unwrap().pooled;
        let ours = to_vec(&model.finish(&pooled).unwrap()).unwrap();
        let theirs: Vec<Vec<f32>> = serde_json::from_value(rows.clone()).unwrap();
        let difference =
            ours.iter().zip(theirs.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
        assert_eq!(ours.len(), theirs.len() * 48);
        assert!(difference < 2e-5, "{mode}: {difference}");
    }
}
