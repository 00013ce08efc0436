//! An exported folder holds what its readers look for, computes what the model in memory computes, and takes
//! nothing away that is not an earlier export.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]
#![expect(clippy::print_stdout, reason = "the figures are what a reader of the test's output wants")]

use crate::support::dense_folder;
use crate::support::skip;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::families::FAMILIES;
use frostline::data::task::{Scale, TaskKind};
use frostline::export::CardInputs;
use frostline::export::card::{known_base_model, model_card};
use frostline::export::{ExportError, ExportReport, ExportRequest, load_exported, write_folder};
use frostline::model::Model;
use frostline::model::batch::TokenBatch;
use frostline::model::files::safetensors::list_tensors;
use frostline::model::heads::HeadSpec;
use frostline::model::model::to_vec;
use frostline::model::summary::{Group, Pooling};
use frostline::text::tokenizer::Tokenizer;
use frostline::train::plan::recipe::{Recipe, TaskSettings};
use frostline::train::plan::{PlannedTask, RunPlan};
use frostline::train::report::{RunOutcome, RunReport};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
}

fn specs() -> Vec<HeadSpec> {
    let spec = |task: &str, classes: &[&str]| HeadSpec {
        task: task.into(),
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
        ..HeadSpec::default()
    };
    vec![spec("topic", &["billing", "delivery", "größer"]), spec("mood/tone", &["calm", "upset"])]
}

/// A head of every kind that there is.
fn specs_of_all_kinds() -> Vec<HeadSpec> {
    let spec = |task: &str, kind: TaskKind, classes: &[&str]| HeadSpec {
        task: task.into(),
        kind,
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
        ..HeadSpec::default()
    };
    vec![
        HeadSpec { hidden_units: Some(6), ..spec("topic", TaskKind::SingleLabel, &["a", "b", "c"]) },
        spec("tags", TaskKind::MultiLabel, &["x", "y"]),
        HeadSpec { scale: Scale { offset: 2.5, factor: 1.5 }, ..spec("stars", TaskKind::Score, &[]) },
        spec("entities", TaskKind::TokenLabels, &["O", "B-PER", "I-PER"]),
        HeadSpec { scale: Scale { offset: 0.0, factor: 5.0 }, ..spec("alike", TaskKind::Similarity, &[]) },
        spec("pairs", TaskKind::Ranking, &[]),
    ]
}

/// A model with heads whose weights are not those of the file it came from, as after training.
fn tuned(base: &Path) -> Model {
    tuned_with(base, &specs())
}

fn tuned_with(base: &Path, specs: &[HeadSpec]) -> Model {
    let mut model = Model::load(base, Device::Cpu).unwrap();
    model.start_heads(specs, 7).unwrap();
    tch::manual_seed(7);
    let _guard = tch::no_grad_guard();
    for param in model.params.iter().filter(|param| param.group != Group::Unused) {
        let noise = Tensor::randn(param.tensor.size(), (Kind::Float, Device::Cpu)) * 1e-2;
        let _moved = param.tensor.shallow_clone().f_add_(&noise).unwrap();
    }
    model
}

fn card(model: &Model) -> String {
    let specs: Vec<HeadSpec> = model.heads.iter().map(|head| head.spec.clone()).collect();
    let settings = specs.iter().map(|spec| {
        (spec.task.clone(), TaskSettings { hidden_units: spec.hidden_units, ..TaskSettings::default() })
    });
    let recipe = Recipe { tasks: settings.collect(), ..Recipe::default() };
    let tasks = specs.into_iter().map(|spec| PlannedTask {
        name: spec.task,
        kind: spec.kind,
        scale: spec.scale,
        classes: spec.classes,
        labelled_train: 8,
        labelled_valid: 4,
    });
    let plan = RunPlan::build("run-01", &recipe, &model.summary, tasks.collect(), 8, "cpu").unwrap();
    model_card(&CardInputs {
        title: "Messages",
        base_model: known_base_model(&model.summary.sha256),
        license: None,
        model: &model.summary,
        plan: &plan,
        report: &RunReport::default(),
        outcome: &RunOutcome::Finished,
        rows: [8, 4, 0],
        versions: &[("Frostline", env!("CARGO_PKG_VERSION"))],
    })
}

fn export(model: &Model, base: &Path, to: &Path) -> Result<ExportReport, ExportError> {
    let max_seq_length = model.summary.max_seq_length;
    write_folder(&ExportRequest {
        model,
        base,
        to,
        max_seq_length,
        prompt: None,
        card: &card(model),
        untrained: &[],
    })
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn names(path: &Path) -> Vec<String> {
    let names = |file: (String, Vec<usize>)| file.0;
    let mut names: Vec<String> = list_tensors(path).unwrap().into_iter().map(names).collect();
    names.sort();
    names
}

/// Every file below a folder, with slashes, in order.
fn files(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, "", &mut found);
    found.sort();
    found
}

/// `[embeddings, logits of each head]` of texts, row-major.
fn encode(model: &Model, tokenizer_of: &Path, texts: &[String], max_length: usize) -> Vec<Vec<f32>> {
    let set = Tokenizer::load(tokenizer_of).unwrap().encode(texts, max_length, &|_, _| true).unwrap();
    let rows: Vec<&[u32]> = (0..set.rows()).map(|row| set.ids(row)).collect();
    let outputs = model.infer(&TokenBatch::new(&rows, Device::Cpu).unwrap()).unwrap();
    let embeddings = to_vec(&model.finish(&outputs.pooled).unwrap()).unwrap();
    std::iter::once(embeddings).chain(outputs.logits.iter().map(|logits| to_vec(logits).unwrap())).collect()
}

fn texts_of(base: &Path) -> Vec<String> {
    serde_json::from_value(read_json(&base.join("texts.json"))).unwrap()
}

#[test]
fn the_folder_holds_what_its_readers_look_for() {
    for name in ["bert", "bert_mlm_prefixed", "distilbert"] {
        let (base, dir) = (fixture(name), tempfile::tempdir().unwrap());
        let model = tuned(&base);
        let to = dir.path().join("out");
        let report = export(&model, &base, &to).unwrap();
        assert_eq!(report.dir, fs::canonicalize(&to).unwrap());

        let encoder = [
            "1_Pooling/config.json",
            "config.json",
            "config_sentence_transformers.json",
            "model.safetensors",
            "modules.json",
            "sentence_bert_config.json",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ];
        let mut expected: Vec<String> = encoder.iter().map(|&file| file.to_owned()).collect();
        let once = ["README.md", "heads/config.json", "heads/model.safetensors", "heads/written.json"];
        expected.extend(once.map(str::to_owned));
        for task in ["topic", "mood_tone"] {
            expected.extend(encoder.iter().map(|file| format!("tasks/{task}/{file}")));
            for file in ["2_Dense/config.json", "2_Dense/model.safetensors", "labels.json"] {
                expected.push(format!("tasks/{task}/{file}"));
            }
        }
        expected.sort();
        assert_eq!(files(&to), expected, "{name}");
        assert!(to.join("2_Normalize").is_dir() && !to.join("tasks/topic/2_Normalize").exists());
        let mut told = report.files.clone();
        told.sort();
        let on_disk = |file: &String| (file.clone(), fs::metadata(to.join(file)).unwrap().len());
        assert_eq!(told, expected.iter().map(on_disk).collect::<Vec<_>>(), "{name}");

        for folder in [to.clone(), to.join("tasks/topic")] {
            for file in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"] {
                assert_eq!(
                    fs::read(folder.join(file)).unwrap(),
                    fs::read(base.join(file)).unwrap(),
                    "{file}"
                );
            }
        }
        assert_eq!(
            fs::read(to.join("tasks/topic/model.safetensors")).unwrap(),
            fs::read(to.join("model.safetensors")).unwrap()
        );
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

#[test]
fn heads_of_every_kind_are_written_and_read_back() {
    for name in ["bert", "distilbert"] {
        let (base, dir) = (fixture(name), tempfile::tempdir().unwrap());
        let specs = specs_of_all_kinds();
        let model = tuned_with(&base, &specs);
        let to = dir.path().join("out");
        let report = export(&model, &base, &to).unwrap();
        assert!(report.max_difference < 1e-6 && report.max_logit_difference < 1e-6, "{report:?}");
        let (read_back, found) = load_exported(&to, Device::Cpu).unwrap();
        assert_eq!(found, specs);
        let texts = texts_of(&base);
        let length = model.summary.max_seq_length;
        let (meant, read) = (encode(&model, &base, &texts, length), encode(&read_back, &to, &texts, length));
        for (a, b) in meant.iter().zip(&read) {
            assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        let mut folders: Vec<String> = fs::read_dir(to.join("tasks"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        folders.sort();
        // A task on pairs has no parameters of its own.
        assert_eq!(folders, ["entities", "stars", "tags", "topic"]);
        let entities = read_json(&to.join("tasks/entities/config.json"));
        let architecture = entities["architectures"][0].as_str().unwrap();
        assert!(architecture.ends_with("ForTokenClassification"), "{architecture}");
        assert_eq!(entities["id2label"], json!({"0": "O", "1": "B-PER", "2": "I-PER"}));
        assert_eq!(entities["label2id"], json!({"O": 0, "B-PER": 1, "I-PER": 2}));
        let tensors = names(&to.join("tasks/entities/model.safetensors"));

        assert_eq!(tensors.iter().filter(|name| name.starts_with("classifier.")).count(), 2);
        assert!(tensors.iter().all(|name| !name.contains("pooler")), "{tensors:?}");
        assert!(to.join("tasks/topic/3_Dense/model.safetensors").is_file());
        let hidden = read_json(&to.join("tasks/topic/2_Dense/config.json"));
        assert_eq!(hidden["activation_function"], "torch.nn.modules.activation.Tanh");
    }
}

/// Its classifier of tokens in transformers has a hidden layer of its own kind, which a linear head is not.
#[test]
fn a_token_head_on_modernbert_has_no_folder_and_is_read_back_all_the_same() {
    let (base, dir) = (fixture("modernbert"), tempfile::tempdir().unwrap());
    let specs = specs_of_all_kinds();
    export(&tuned_with(&base, &specs), &base, dir.path()).unwrap();
    assert!(!dir.path().join("tasks/entities").exists());
    let told = read_json(&dir.path().join("heads/config.json"));
    let entities = told["tasks"].as_array().unwrap().iter().find(|task| task["name"] == "entities").unwrap();
    assert_eq!((&entities["folder"], &entities["weight"]), (&Value::Null, &json!("heads.entities.weight")));
    assert_eq!(load_exported(dir.path(), Device::Cpu).unwrap().1, specs);
}

#[test]
fn the_files_say_what_the_model_is() {
    for (name, architecture, prefix) in [
        ("bert", "BertModel", ""),
        ("bert_mlm_prefixed", "BertModel", ""),
        ("distilbert", "DistilBertModel", "distilbert."),
    ] {
        let (base, dir) = (fixture(name), tempfile::tempdir().unwrap());
        let model = tuned(&base);
        let to = dir.path();
        export(&model, &base, to).unwrap();

        let mut config = read_json(&base.join("config.json"));
        config["architectures"] = json!([architecture]);
        // No classes: a pipeline of transformers fails on it, rather than inventing two.
        (config["id2label"], config["label2id"]) = (json!({}), json!({}));
        assert_eq!(read_json(&to.join("config.json")), config);
        assert_eq!(read_json(&to.join("tasks/topic/config.json")), config);
        let kinds = |file: &str| -> Vec<(String, String)> {
            let list = read_json(&to.join(file));
            let text = |module: &Value, key: &str| module[key].as_str().unwrap().to_owned();
            list.as_array().unwrap().iter().map(|m| (text(m, "path"), text(m, "type"))).collect()
        };
        let module =
            |path: &str, class: &str| (path.to_owned(), format!("sentence_transformers.models.{class}"));
        let behind = |last| vec![module("", "Transformer"), module("1_Pooling", "Pooling"), last];
        assert_eq!(kinds("modules.json"), behind(module("2_Normalize", "Normalize")));
        assert_eq!(kinds("tasks/topic/modules.json"), behind(module("2_Dense", "Dense")));
        assert_eq!(
            read_json(&to.join("tasks/topic/2_Dense/config.json")),
            json!({
                "in_features": model.summary.hidden, "out_features": 3, "bias": true,
                "activation_function": "torch.nn.modules.linear.Identity",
            })
        );
        assert_eq!(read_json(&to.join("sentence_bert_config.json"))["max_seq_length"], 48);

        let in_memory = model.params.iter().filter(|p| !matches!(p.group, Group::Head(_)));
        let mut expected: Vec<String> = in_memory.map(|p| format!("{prefix}{}", p.name)).collect();
        expected.sort();
        let written = names(&to.join("model.safetensors"));
        assert_eq!(written, expected, "{name}");
        assert_eq!(written.contains(&"pooler.dense.weight".to_owned()), name == "bert", "{name}");
        let heads = ["mood/tone.bias", "mood/tone.weight", "topic.bias", "topic.weight"];
        assert_eq!(names(&to.join("heads/model.safetensors")), heads.map(|head| format!("heads.{head}")));
        assert_eq!(
            names(&to.join("tasks/topic/2_Dense/model.safetensors")),
            ["linear.bias", "linear.weight"]
        );
        let bytes = fs::read(to.join("model.safetensors")).unwrap();
        let header = &bytes[8..8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize];
        let header: Value = serde_json::from_slice(header).unwrap();
        assert_eq!(header["__metadata__"], json!({"format": "pt"}));
    }
}

#[test]
fn what_is_read_back_is_the_same_to_the_bit() {
    for name in FAMILIES.into_iter().chain(["bert_mlm_prefixed", "distilbert_sinusoidal"]) {
        let (base, dir) = (fixture(name), tempfile::tempdir().unwrap());
        let model = tuned(&base);
        let report = export(&model, &base, dir.path()).unwrap();
        assert_eq!((report.max_difference, report.max_logit_difference), (0.0, 0.0), "{name}");
        assert!(report.probes >= 16);

        let (read_back, found) = load_exported(dir.path(), Device::Cpu).unwrap();
        assert_eq!(found, specs());
        let texts = texts_of(&base);
        let [meant, found, untuned] = [
            encode(&model, &base, &texts, 48),
            encode(&read_back, dir.path(), &texts, read_back.summary.max_seq_length),
            encode(&Model::load(&base, Device::Cpu).unwrap(), &base, &texts, 48),
        ];
        assert_eq!(meant, found, "{name}");
        assert_eq!((found.len(), found[1].len(), found[2].len()), (3, texts.len() * 3, texts.len() * 2));
        assert_ne!(meant[0], untuned[0], "the test must not export what it loaded");
    }
}

#[test]
fn without_normalisation_and_with_another_pooling() {
    let (base, dir) = (fixture("bert"), tempfile::tempdir().unwrap());
    let mut model = tuned(&base);
    model.summary.normalize = false;
    model.summary.pooling = Pooling::Cls;
    let report = export(&model, &base, dir.path()).unwrap();
    assert_eq!((report.max_difference, report.max_logit_difference), (0.0, 0.0));
    let (read_back, _) = load_exported(dir.path(), Device::Cpu).unwrap();
    assert_eq!((read_back.summary.pooling, read_back.summary.normalize), (Pooling::Cls, false));
    assert!(!dir.path().join("2_Normalize").exists());
    assert_eq!(read_json(&dir.path().join("modules.json")).as_array().unwrap().len(), 2);
}

#[test]
fn a_model_without_heads_is_an_export_too() {
    let (base, dir) = (fixture("distilbert"), tempfile::tempdir().unwrap());
    let model = Model::load(&base, Device::Cpu).unwrap();
    let request = ExportRequest {
        model: &model,
        base: &base,
        to: dir.path(),
        max_seq_length: 24,
        prompt: None,
        card: "# Card\n",
        untrained: &[],
    };
    for _ in 0..2 {
        assert_eq!(write_folder(&request).unwrap().max_logit_difference, 0.0);
    }
    let (read_back, specs) = load_exported(dir.path(), Device::Cpu).unwrap();
    assert!(specs.is_empty() && read_back.heads.is_empty() && !dir.path().join("tasks").exists());
    assert_eq!(read_back.summary.max_seq_length, 24);
    assert_eq!(load_exported(&base, Device::Cpu).unwrap().1, []);
}

#[test]
fn an_earlier_export_is_replaced_whole() {
    let (base, dir) = (fixture("bert"), tempfile::tempdir().unwrap());
    let to = dir.path().join("deep/inside/out");
    export(&tuned(&base), &base, &to).unwrap();
    let other = fixture("distilbert");
    let mut model = Model::load(&other, Device::Cpu).unwrap();
    model.start_heads(&specs()[..1], 1).unwrap();
    export(&model, &other, &to).unwrap();
    let (read_back, specs) = load_exported(&to, Device::Cpu).unwrap();
    assert_eq!((read_back.family.model_type, specs.len()), ("distilbert", 1));
    assert!(!to.join("tasks/mood_tone").exists());
    assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_is_not_an_export_stays() {
    let (base, dir) = (fixture("bert"), tempfile::tempdir().unwrap());
    let model = tuned(&base);
    let to = dir.path().join("out");
    let refused = |to: &Path, told: &str| {
        let before = to.is_dir().then(|| files(to));
        let text = export(&model, &base, to).unwrap_err().to_string();
        assert!(text.contains(told), "{text}");
        assert_eq!(to.is_dir().then(|| files(to)), before);
        assert!(!files(dir.path()).iter().any(|file| file.contains(".frostline")));
    };

    fs::create_dir(&to).unwrap();
    fs::write(to.join("thesis.tex"), "years of work").unwrap();
    refused(&to, "it holds thesis.tex");
    refused(&to.join("thesis.tex"), "is a file");
    refused(&to.join("thesis.tex/out"), "a file lies where a folder is needed");
    fs::remove_file(to.join("thesis.tex")).unwrap();

    // Someone else's model, whose files have the names of ours.
    fs::copy(base.join("config.json"), to.join("config.json")).unwrap();
    fs::copy(base.join("modules.json"), to.join("modules.json")).unwrap();
    refused(&to, "no earlier export of Frostline");
    fs::remove_dir_all(&to).unwrap();

    export(&model, &base, &to).unwrap();

    // The pretrained model may be an export itself; it is not to be replaced by what came of it.
    let again = tuned(&to);
    for place in [to.clone(), to.join("../out")] {
        let text = export(&again, &to, &place).unwrap_err().to_string();
        assert!(text.contains("holds the pretrained model"), "{text}");
    }
    let text = export(&again, &to.join("tasks/topic"), &to).unwrap_err().to_string();
    assert!(text.contains("holds the pretrained model"), "{text}");
    load_exported(&to, Device::Cpu).unwrap();
}

#[test]
fn an_earlier_export_with_what_is_the_users_is_kept_whole() {
    let (base, dir) = (fixture("bert"), tempfile::tempdir().unwrap());
    let model = tuned(&base);
    let to = dir.path().join("out");
    let mut earlier = export(&model, &base, &to).unwrap();
    assert_eq!(earlier.kept, None);
    let edits: [(&str, &str); 5] = [
        ("README.md", "README.md, which was edited"),
        ("tasks/notes.md", "tasks/notes.md"),
        ("1_Pooling/mine.json", "1_Pooling/mine.json"),
        ("heads/thoughts.txt", "heads/thoughts.txt"),
        (".git/HEAD", ".git/"),
    ];
    for (number, (file, told)) in (1..).zip(edits) {
        fs::create_dir_all(to.join(file).parent().unwrap()).unwrap();
        fs::write(to.join(file), "mine").unwrap();
        let before = files(&to);
        earlier = export(&model, &base, &to).unwrap();
        let kept = earlier.kept.clone().unwrap();
        assert_eq!(kept.dir, dir.path().canonicalize().unwrap().join(format!("out.before-{number}")));
        assert_eq!(kept.additions, [told]);
        assert!(kept.in_words().contains(told), "{}", kept.in_words());
        assert_eq!(files(&kept.dir), before);
        assert_eq!(fs::read(kept.dir.join(file)).unwrap(), b"mine");
        assert_ne!(fs::read(to.join(file)).ok().as_deref(), Some(b"mine".as_slice()));
        // What is kept is still a model.
        load_exported(&kept.dir, Device::Cpu).unwrap();
    }

    // Exports of versions that kept no list: whether their model card was edited cannot be told.
    fs::remove_file(to.join("heads/written.json")).unwrap();
    let kept = export(&model, &base, &to).unwrap().kept.unwrap();
    assert!(kept.additions.is_empty() && kept.dir.join("README.md").is_file());

    assert_eq!(export(&model, &base, &to).unwrap().kept, None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1 + edits.len() + 1, "nothing else is left");
    load_exported(&to, Device::Cpu).unwrap();
}

#[test]
fn an_export_that_fails_leaves_the_earlier_one() {
    let (base, dir) = (fixture("bert"), tempfile::tempdir().unwrap());
    let to = dir.path().join("out");
    let model = tuned(&base);
    export(&model, &base, &to).unwrap();
    let before = fs::read(to.join("model.safetensors")).unwrap();

    let spoiled = tuned(&base);
    let param = spoiled.params.at(3).unwrap();
    let _spoiled = tch::no_grad(|| param.tensor.shallow_clone().f_fill_(f64::NAN).unwrap());
    let text = export(&spoiled, &base, &to).unwrap_err().to_string();
    assert!(text.contains(&param.name) && text.contains("lower learning rate"), "{text}");

    let text = export(&model, &dir.path().join("gone"), &to).unwrap_err().to_string();
    assert!(text.contains("gone has no tokenizer.json"), "{text}");

    // Noticed by the proof: the tokenizer at the base does not belong to the model.
    let foreign = tempfile::tempdir().unwrap();
    fs::write(foreign.path().join("tokenizer.json"), "{}").unwrap();
    let text = export(&model, foreign.path(), &to).unwrap_err().to_string();
    assert!(text.contains("given up") && text.contains("tokenizer.json"), "{text}");

    assert_eq!(fs::read(to.join("model.safetensors")).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_stays_a_link_and_anyone_may_read_the_export() {
    use std::os::unix::fs::PermissionsExt as _;
    let (base, dir) = (fixture("bert"), tempfile::tempdir().unwrap());
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).unwrap();
    let plain = fs::metadata(&real).unwrap().permissions().mode();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    export(&tuned(&base), &base, &link).unwrap();
    assert!(link.is_symlink());
    load_exported(&real, Device::Cpu).unwrap();
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode(), plain);
}

#[test]
fn heads_that_are_damaged_are_refused() {
    let (base, dir) = (fixture("distilbert"), tempfile::tempdir().unwrap());
    let to = dir.path();
    export(&tuned(&base), &base, to).unwrap();
    let config = read_json(&to.join("heads/config.json"));
    let refused = |told: &str| {
        let text = load_exported(to, Device::Cpu).err().expect("should be refused").to_string();
        assert!(text.contains("heads") && text.contains(told), "{text}");
    };
    let with = |pointer: &str, value: Value| {
        let mut changed = config.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        fs::write(to.join("heads/config.json"), changed.to_string()).unwrap();
    };
    for (pointer, value, told) in [
        ("/version", json!(9), "newer Frostline"),
        ("/version", json!("1"), "expected \"version\""),
        ("/tasks", json!({}), "list of tasks"),
        ("/tasks/0", json!(null), "no name"),
        ("/tasks/0/classes", json!(["a", 1, "c"]), "no list of classes"),
        ("/tasks/0/classes", json!([]), "no list of classes"),
        ("/tasks/0/classes", json!(["a", "b"]), "heads.topic.weight has shape"),
        ("/tasks/0/name", json!("mood/tone"), "there twice"),
        ("/tasks/0/name", json!("subject"), "heads.subject.weight is missing"),
        ("/tasks/0/type", json!("clairvoyance"), "of the type \"clairvoyance\""),
    ] {
        with(pointer, value);
        refused(told);
    }
    // What earlier releases wrote is read.
    with("/version", json!(1));
    load_exported(to, Device::Cpu).unwrap();
    fs::remove_file(to.join("heads/model.safetensors")).unwrap();
    refused("model.safetensors");
}

/// A Python that has sentence-transformers; `cargo xtask test --python` names one.
fn python() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FROSTLINE_PYTHON") {
        return Some(named.into());
    }
    let has = Command::new("python3").args(["-c", "import sentence_transformers"]).output();
    has.is_ok_and(|output| output.status.success()).then(|| "python3".into())
}

/// Exports a tuned model and has Python open it.
fn python_agrees(python: &Path, base: &Path, probes: &[String], specs: &[HeadSpec], name: &str) {
    let dir = tempfile::tempdir().unwrap();
    let model = tuned_with(base, specs);
    let to = dir.path().join("out");
    let report = export(&model, base, &to).unwrap();
    println!(
        "{name}: read back, {} probes, embeddings {:e}, logits {:e}",
        report.probes, report.max_difference, report.max_logit_difference
    );
    let outputs = encode(&model, base, probes, model.summary.max_seq_length);
    let rows = |values: &[f32]| -> Vec<Vec<f32>> {
        values.chunks(values.len() / probes.len()).map(<[f32]>::to_vec).collect()
    };
    let folders = read_json(&to.join("heads/config.json"));
    let in_data = |spec: &HeadSpec, logits: &[f32]| -> Vec<f32> {
        logits
            .iter()
            .map(|value| if spec.kind == TaskKind::Score { spec.scale.to_data(*value) } else { *value })
            .collect()
    };
    let tasks: Vec<Value> = specs
        .iter()
        .zip(&outputs[1..])
        .enumerate()
        .map(|(index, (spec, logits))| {
            let task = &folders["tasks"][index];
            let logits = rows(&in_data(spec, logits));
            json!({
                "name": spec.task, "type": task["type"], "folder": task["folder"], "classes": spec.classes,
                "linear": spec.hidden_units.is_none(), "logits": logits,
            })
        })
        .collect();
    let expected = json!({"probes": probes, "embeddings": rows(&outputs[0]), "tasks": tasks});
    let expected_path = dir.path().join("expected.json");
    fs::write(&expected_path, expected.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_export.py");
    let output = Command::new(python).arg(script).arg(&to).arg(&expected_path).output().unwrap();
    let (told, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{name}: {told}");
    assert!(output.status.success(), "{name}: {told}\n{complaints}");
}

#[test]
fn python_opens_the_folder_and_computes_the_same() {
    let Some(python) = python() else {
        skip::skip("no Python with sentence-transformers (run `cargo xtask test --python`)");
        return;
    };
    for name in FAMILIES {
        python_agrees(&python, &fixture(name), &texts_of(&fixture(name)), &specs(), name);
        let all = specs_of_all_kinds();
        python_agrees(
            &python,
            &fixture(name),
            &texts_of(&fixture(name)),
            &all,
            &format!("{name}, all kinds"),
        );
    }
    let dense = dense_folder::dense_folder();
    for (specs, what) in [(specs(), "Dense modules"), (specs_of_all_kinds(), "Dense modules, all kinds")] {
        python_agrees(&python, dense.path(), &texts_of(dense.path()), &specs, what);
    }
    let minilm = Path::new(env!("CARGO_MANIFEST_DIR")).join(".models/all-MiniLM-L6-v2");
    if skip::is_set_up(&minilm.join("model.safetensors")) {
        let sentences = fixture("../minilm/sentences.json");
        let sentences: Vec<String> = serde_json::from_value(read_json(&sentences)).unwrap();
        python_agrees(&python, &minilm, &sentences, &specs(), "all-MiniLM-L6-v2");
    }
}
