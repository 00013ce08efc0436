//! Dense modules behind the pooling: they compute what sentence-transformers computes, train with the encoder's last
//! layer, and are exported.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs;
use std::path::Path;

use frostline::model::Model;
use frostline::model::dense::DenseActivation;
use frostline::model::model::to_vec;
use frostline::session::command::Command;
use frostline::session::state::RunView;
use frostline::text::tokenizer::Tokenizer;
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use serde_json::{Value, json};
use tch::Device;

use crate::support::dense_folder::dense_folder;
use crate::support::tiny_run::{place_on, recipe, report};

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn embeddings(dir: &Path, texts: &[String]) -> Vec<f32> {
    let model = Model::load(dir, Device::Cpu).unwrap();
    let tokens = Tokenizer::load(dir).unwrap().encode(texts, 48, &|_, _| true).unwrap();
    let ids: Vec<&[u32]> = (0..texts.len()).map(|row| tokens.ids(row)).collect();
    to_vec(&model.finish(&model.infer(&model.batch(&ids).unwrap()).unwrap().pooled).unwrap()).unwrap()
}

fn largest_difference(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn recorded() -> (Vec<String>, Vec<f32>) {
    let encoded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sentence_transformers_dense/encoded.json");
    let encoded = read(&encoded);
    let rows: Vec<Vec<f32>> = serde_json::from_value(encoded["embeddings"].clone()).unwrap();
    (serde_json::from_value(encoded["texts"].clone()).unwrap(), rows.concat())
}

#[test]
fn they_encode_as_their_writer_does() {
    let dir = dense_folder();
    let summary = Model::load(dir.path(), Device::Cpu).unwrap().summary;
    assert_eq!((summary.hidden, summary.embedding(), summary.normalize), (48, 20, true));
    let [first, second] = summary.dense[..] else { panic!("{:?}", summary.dense) };
    assert_eq!((first.output, first.bias, first.activation), (32, true, DenseActivation::Tanh));
    assert_eq!((second.output, second.bias, second.activation), (20, false, DenseActivation::Gelu));
    assert!(summary.origin.notes.iter().any(|note| note.contains("48 to 32, Tanh; 32 to 20, GELU")));
    let (texts, theirs) = recorded();
    let difference = largest_difference(&embeddings(dir.path(), &texts), &theirs);
    assert!(difference < 2e-5, "{difference}");
    // The newest layout names the same classes by other packages.
    let text = fs::read_to_string(dir.path().join("modules.json")).unwrap();
    let newest =
        text.replace("sentence_transformers.models.Dense", "sentence_transformers.base.modules.dense.Dense");
    fs::write(dir.path().join("modules.json"), newest).unwrap();
    assert!(largest_difference(&embeddings(dir.path(), &texts), &theirs) < 2e-5);
}

#[test]
fn what_is_wrong_with_one_is_told_by_name() {
    let refused = |change: &dyn Fn(&Path), told: &[&str]| {
        let dir = dense_folder();
        change(dir.path());
        let text = Model::load(dir.path(), Device::Cpu).err().expect("refused").to_string();
        for word in told {
            assert!(text.contains(word), "{word:?} is not in: {text}");
        }
    };
    let with = |key: &'static str, value: Value| {
        move |dir: &Path| {
            let path = dir.join("2_Dense/config.json");
            let mut config = read(&path);
            config[key] = value.clone();
            fs::write(path, config.to_string()).unwrap();
        }
    };
    refused(
        &with("activation_function", json!("my_code.Mish")),
        &["2_Dense/config.json", "my_code.Mish", "Tanh"],
    );
    refused(&with("activation_function", json!("torch.nn.modules.activation.PReLU")), &["PReLU", "GELU"]);
    refused(&with("activation_function", json!(3)), &["activation_function is 3"]);
    refused(&with("in_features", json!(47)), &["2_Dense/config.json", "in_features is 47", "48 values"]);
    refused(&with("out_features", json!(0)), &["out_features is 0"]);
    refused(&with("bias", json!("yes")), &["bias is \"yes\""]);
    refused(&with("out_features", json!(31)), &["3_Dense/config.json", "in_features is 32", "31 values"]);
    refused(
        &with("module_input_name", json!("token_embeddings")),
        &["token_embeddings", "sentence_embedding"],
    );
    refused(
        &|dir| fs::remove_file(dir.join("3_Dense/model.safetensors")).unwrap(),
        &["3_Dense", "model.safetensors"],
    );
    refused(&|dir| fs::remove_file(dir.join("2_Dense/config.json")).unwrap(), &["2_Dense/config.json"]);
    refused(
        &|dir| {
            fs::copy(dir.join("2_Dense/model.safetensors"), dir.join("3_Dense/model.safetensors")).unwrap();
        },
        &["3_Dense", "shape [32, 48]", "[20, 32]"],
    );
    let order = |order: &'static [usize]| {
        move |dir: &Path| {
            let path = dir.join("modules.json");
            let modules = read(&path);
            let chosen: Vec<&Value> = order.iter().map(|at| &modules[at]).collect();
            fs::write(path, json!(chosen).to_string()).unwrap();
        }
    };
    refused(&order(&[0, 2, 1]), &["2_Dense", "before the Pooling"]);
    refused(&order(&[0, 1, 4, 2]), &["2_Dense", "behind a Normalize"]);
}

/// Which of the Dense modules' tensors a run moved; all that its plan trains, and nothing else, must have moved.
fn moved(run: &RunView) -> usize {
    let report = report(run);
    for change in &report.changes {
        assert_eq!(change.changed, change.planned, "{}", change.name);
    }
    let dense = report.changes.iter().filter(|change| change.name.starts_with("dense."));
    assert_eq!(dense.clone().count(), 3);
    dense.filter(|change| change.changed).count()
}

#[test]
fn they_train_with_the_last_layer_and_freeze_with_it() {
    let dir = dense_folder();
    let run = place_on(dir.path(), recipe(Preset::FreezeBackbone)).train();
    assert_eq!(moved(&run), 0, "heads on cached embeddings");
    let head = run.plan.tensors.iter().find(|tensor| tensor.name == "heads.topic.weight").expect("a head");
    assert_eq!(head.shape, [3, 20]);
    let run = place_on(dir.path(), Recipe { epochs: 4, ..recipe(Preset::Gradual) }).train();
    assert_eq!(moved(&run), 3);
}

#[test]
fn an_export_keeps_what_a_run_made_of_them() {
    let dir = dense_folder();
    let mut recipe = recipe(Preset::Full);
    recipe.lr_encoder = 1e-3;
    recipe.tasks.entry("topic".into()).or_default().hidden_units = Some(6);
    let mut place = place_on(dir.path(), recipe);
    assert_eq!(moved(&place.train()), 3);
    let to = place.dir.path().join("exported");
    // The second time it takes the place of the first.
    for _ in 0..2 {
        place.session.send(Command::Export(to.clone()));
        place.settle();
        let export = place.session.state().export.ready().cloned();
        let export = export.unwrap_or_else(|| panic!("{:?}", place.session.state().export));
        assert!(export.max_difference < 1e-6 && export.max_logit_difference < 1e-6, "{export:?}");
    }
    let classes = |at: &str| -> Vec<String> {
        let modules = read(&to.join(at).join("modules.json"));
        let class = |module: &Value| module["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        modules.as_array().unwrap().iter().map(class).collect()
    };
    assert_eq!(classes(""), ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]);
    assert_eq!(classes("tasks/topic"), ["Transformer", "Pooling", "Dense", "Dense", "Dense", "Dense"]);
    let config = |at: &str| read(&to.join(at).join("config.json"));
    let dense = |input: usize, output: usize, bias: bool, class: &str| {
        json!({
            "in_features": input, "out_features": output, "bias": bias,
            "activation_function": format!("torch.nn.modules.{class}"),
        })
    };
    assert_eq!(config("2_Dense"), dense(48, 32, true, "activation.Tanh"));
    assert_eq!(config("tasks/topic/3_Dense"), dense(32, 20, false, "activation.GELU"));
    assert_eq!(config("tasks/topic/4_Dense"), dense(20, 6, true, "activation.Tanh"));
    assert_eq!(config("tasks/topic/5_Dense"), dense(6, 3, true, "linear.Identity"));
    assert_eq!(config("1_Pooling")["word_embedding_dimension"], json!(48));
    let (texts, untrained) = recorded();
    assert!(largest_difference(&embeddings(&to, &texts), &untrained) > 1e-3, "what was trained is exported");
}
