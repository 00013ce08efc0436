//! The model card of an export, as a whole: compared with a page that was read and found right.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use std::fs;
use std::path::{Path, PathBuf};

use frostline::data::dataset::Split;
use frostline::export::card::{CardInputs, known_base_model, model_card};
use frostline::model::summary::{Group, ModelSummary, Origin, Pooling, TensorInfo};
use frostline::train::metrics::{Probe, TaskMetrics};
use frostline::train::plan::{PlannedTask, RunPlan};
use frostline::train::preset::{Preset, Recipe};
use frostline::train::report::{HeadDrift, RunOutcome, RunReport, TensorChange};

const MINILM: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";

fn model(normalize: bool) -> ModelSummary {
    let tensor =
        |name: &str, shape: &[i64], group| TensorInfo { name: name.into(), shape: shape.into(), group };
    let mut tensors = vec![
        tensor("embeddings.word_embeddings.weight", &[30522, 384], Group::Embeddings),
        tensor("pooler.dense.weight", &[384, 384], Group::Unused),
    ];
    for layer in 0..6 {
        tensors.push(tensor(
            &format!("encoder.layer.{layer}.output.dense.weight"),
            &[384, 1536],
            Group::Layer(layer),
        ));
    }
    ModelSummary {
        path: PathBuf::from("/models/all-MiniLM-L6-v2"),
        name: "all-MiniLM-L6-v2".into(),
        model_type: "bert".into(),
        layers: 6,
        applications: 6,
        dense: Vec::new(),
        hidden: 384,
        attention_heads: 12,
        vocab_size: 30522,
        max_positions: 512,
        max_seq_length: 256,
        pooling: Pooling::Mean,
        pooling_source: "from 1_Pooling/config.json".into(),
        normalize,
        tensors,
        sha256: MINILM.into(),
        file_bytes: 90_868_376,
        origin: Origin::default(),
    }
}

fn plan(recipe: &Recipe, model: &ModelSummary) -> RunPlan {
    let task = |name: &str, classes: &[&str], labelled_train, labelled_valid| PlannedTask {
        name: name.into(),
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        labelled_train,
        labelled_valid,
        ..PlannedTask::default()
    };
    let tasks = vec![
        task("topic", &["billing", "delivery", "say \"other\""], 1200, 150),
        task("mood|tone", &["calm", "größer"], 900, 140),
    ];
    RunPlan::build("run-01", recipe, model, tasks, 1200, "cpu").unwrap()
}

fn figures(task: &str, classes: usize) -> TaskMetrics {
    let names: Vec<String> = (0..classes).map(|index| format!("class {index}")).collect();
    let probs: Vec<f32> =
        (0..classes * 4).map(|i| if i % (classes + 1) == 0 { 0.75 } else { 0.125 }).collect();
    TaskMetrics::from_probabilities(task, &names, &probs, &[0, 1, 1, 0])
}

/// Compares with the committed page; with `UPDATE_FIXTURES=1` set, writes it, to be read before it is committed.
fn compare(name: &str, card: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/card").join(name);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        fs::write(&path, card).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    let differing = card.lines().zip(expected.lines()).position(|(a, b)| a != b);
    assert_eq!(card, expected, "{name} differs, first at line {:?}", differing.map(|index| index + 1));
}

#[test]
fn a_gradual_run_of_a_known_model() {
    let model = model(true);
    let mut recipe = Recipe::default();
    recipe.choose(Preset::Gradual);
    let plan = plan(&recipe, &model);
    let change = |name: &str, changed, planned| TensorChange { name: name.into(), changed, planned };
    let report = RunReport {
        metrics: vec![
            (Split::Valid, vec![figures("topic", 3), figures("mood|tone", 2)]),
            (Split::Test, vec![figures("topic", 3), TaskMetrics::default()]),
        ],
        changes: vec![change("heads.topic.weight", true, true), change("pooler.dense.weight", false, false)],
        truncated_rows: 12,
        seconds: 93.4,
        ..RunReport::default()
    };
    let card = model_card(&CardInputs {
        title: "Customer messages",
        base_model: known_base_model(&model.sha256),
        license: Some("apache-2.0"),
        model: &model,
        plan: &plan,
        report: &report,
        outcome: &RunOutcome::Finished,
        rows: [1200, 150, 160],
        versions: &[("Frostline", "0.1.0"), ("libtorch", "2.11.0")],
    });
    compare("gradual.md", &card);
}

#[test]
fn a_run_with_a_frozen_head_of_an_unknown_model() {
    let model = ModelSummary { sha256: "00ff".into(), name: "our model".into(), ..model(false) };
    let recipe = Recipe {
        preset: Preset::FreezeHead,
        frozen_head: Some("mood|tone".into()),
        clip_norm: None,
        encoder_dropout: Some(0.1),
        ..Recipe::default()
    };
    let plan = plan(&recipe, &model);
    let report = RunReport {
        drifts: vec![HeadDrift { task: "mood|tone".into(), before: 0.875, after: 0.625 }],
        changes: vec![TensorChange { name: "x".into(), changed: true, planned: false }],
        probes: vec![Probe {
            task: "topic".into(),
            rows: 150,
            nearest_centroid: 0.9,
            nearest_neighbours: 0.85,
            k: 5,
            majority: 0.4,
        }],
        ..RunReport::default()
    };
    let card = model_card(&CardInputs {
        title: "Messages,\nfrozen",
        base_model: known_base_model(&model.sha256),
        license: None,
        model: &model,
        plan: &plan,
        report: &report,
        outcome: &RunOutcome::Stopped { at_step: 12 },
        rows: [1200, 150, 0],
        versions: &[("Frostline", "0.1.0")],
    });
    compare("frozen_head.md", &card);
}
