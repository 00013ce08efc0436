//! What the recorded runs of `tests/fixtures/trajectories` start from: two tiny models, and rows with a label for
//! every kind of task.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::path::{Path, PathBuf};

use frostline::data::task::{Scale, TaskKind};
use frostline::model::Model;
use frostline::model::files::safetensors::read_all;
use frostline::model::lora::{Lora, LoraTargets};
use frostline::text::token_set::TokenSet;
use frostline::train::examples::{Examples, NO_TAG, Targets};
use frostline::train::plan::phase_spec::{LayerSet, PhaseSpec};
use frostline::train::plan::recipe::{Decay, OptimizerKind, Recipe, TaskSettings, Weighting};
use frostline::train::plan::{ParamFilter, PlannedTask, RunPlan};
use serde_json::Value;
use tch::Device;

/// Rows of a step.
pub(crate) const ROWS: usize = 12;
pub(crate) const STEPS: usize = 15;
pub(crate) const WARMUP: usize = 3;
const LAYERS: usize = 3;

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/trajectories")
}

/// A recorded run, the plan of it, and the model and rows that it starts with.
pub(crate) struct Recorded {
    pub(crate) name: &'static str,
    pub(crate) record: Value,
    pub(crate) recipe: Recipe,
    pub(crate) tasks: Vec<String>,
    pub(crate) model: Model,
    pub(crate) rows: Examples,
    pub(crate) plan: RunPlan,
}

fn json(file: &str) -> Value {
    let bytes = std::fs::read(fixtures().join(file)).expect("a recording");
    serde_json::from_slice(&bytes).expect("a recording in JSON")
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// `batches` are the batches of a step.
pub(crate) fn recorded(name: &'static str, batches: usize) -> Recorded {
    let (record, all) = (json(&format!("{name}.json")), json("rows.json"));
    let variant = &record["variant"];
    let tasks: Vec<String> =
        list(&variant["tasks"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let planned: Vec<PlannedTask> = tasks.iter().map(|task| planned(task, &all["tasks"][task])).collect();
    let hidden = |task: &String| all["tasks"][task]["hidden"].as_u64().map(|units| units as usize);
    let mut recipe = Recipe { accumulate: batches, ..recipe(variant) };
    for task in &tasks {
        recipe.tasks.entry(task.clone()).or_default().hidden_units = hidden(task);
    }
    // An average is recorded of steps on the same rows, so that an epoch is a step.
    let count = if recipe.ema.is_some() { ROWS } else { ROWS * STEPS };
    let rows = rows(&list(&all["rows"])[..count], &planned);

    let folder = fixtures().join(variant["family"].as_str().expect("a family"));
    let mut model = Model::load(&folder, Device::Cpu).expect("a model");
    let plan = RunPlan::build(name, &recipe, &model.summary, planned, rows.len(), "cpu").expect("a plan");
    model.start_heads(&plan.head_specs(), 0).expect("heads");
    let mut starts = vec!["heads.safetensors"];
    if recipe.uses_lora() {
        model.attach_lora(&recipe.lora, 0).expect("adapters");
        starts.push("adapters.safetensors");
    }
    for (name, recorded) in starts.iter().flat_map(|file| read_all(&folder.join(file)).expect("a start")) {
        if let Ok(param) = model.params.get(&name) {
            tch::no_grad(|| param.detach().copy_(&recorded));
        }
    }
    model.start_loss_weights(&plan).expect("weights of the losses");
    Recorded { name, record, recipe, tasks, model, rows, plan }
}

fn planned(name: &str, spec: &Value) -> PlannedTask {
    let kind = TaskKind::from_key(spec["kind"].as_str().expect("a kind")).expect("a known kind");
    let classes = spec["classes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let part = |key: &str, other: f64| spec[key].as_f64().unwrap_or(other);
    PlannedTask {
        name: name.into(),
        kind,
        classes: classes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        scale: Scale { offset: part("offset", 0.0), factor: part("factor", 1.0) },
        labelled_train: ROWS * STEPS,
        ..PlannedTask::default()
    }
}

fn recipe(variant: &Value) -> Recipe {
    let lr = number(&variant["lr"]);
    // What is frozen lies below the frost line.
    let frozen = variant["frozen"].as_u64().map(|frozen| PhaseSpec {
        layers: LayerSet::Top(LAYERS - frozen as usize),
        epochs: STEPS as u32,
        ..PhaseSpec::default()
    });
    let settings = |(task, settings): (&String, &Value)| {
        let settings = TaskSettings {
            weight: settings["weight"].as_f64().unwrap_or(1.0),
            balance_classes: settings["balance_classes"] == true,
            label_smoothing: settings["label_smoothing"].as_f64().unwrap_or(0.0),
            ..TaskSettings::default()
        };
        (task.clone(), settings)
    };
    Recipe {
        optimizer: match variant["optimizer"].as_str() {
            Some("sgd") => OptimizerKind::Sgd,
            _ => OptimizerKind::AdamW,
        },
        phases: frozen.into_iter().collect(),
        part: *ParamFilter::ALL
            .iter()
            .find(|part| Some(part.key()) == variant["part"].as_str())
            .expect("a known part"),
        lora: Lora { rank: 2, alpha: 6.0, targets: LoraTargets::All },
        layer_decay: number(&variant["layer_decay"]),
        lr_encoder: lr,
        lr_heads: lr,
        epochs: STEPS as u32,
        batch_size: ROWS,
        weight_decay: number(&variant["weight_decay"]),
        decay: if variant["decay"] == "cosine" { Decay::Cosine } else { Decay::Linear },
        warmup: WARMUP as f64 / STEPS as f64,
        clip_norm: variant["clip"].as_f64(),
        ema: variant["ema"].as_f64(),
        head_dropout: 0.0,
        encoder_dropout: Some(0.0),
        max_length: 16,
        weighting: match variant["weighting"].as_str() {
            Some("uncertainty") => Weighting::Uncertainty,
            _ => Weighting::Fixed,
        },
        tasks: variant["settings"].as_object().expect("settings").iter().map(settings).collect(),
        ..Recipe::default()
    }
}

/// Step s has rows 12 s to 12 s + 11.
fn rows(all: &[Value], tasks: &[PlannedTask]) -> Examples {
    let tokens = |key: &str| {
        let mut tokens = TokenSet::default();
        for row in all {
            let ids: Vec<u32> = list(&row[key]).iter().map(|id| id.as_u64().expect("an id") as u32).collect();
            tokens.push(&ids, ids.len());
        }
        tokens
    };
    let class = |label: &Value| label.as_u64().map(|class| class as u32);
    let targets = |task: &PlannedTask| {
        let labels = all.iter().map(|row| &row[&task.name]);
        match task.kind {
            TaskKind::SingleLabel => Targets::Class(labels.map(class).collect()),
            TaskKind::MultiLabel => {
                let set = |label: &Value| Some(label.as_array()?.iter().filter_map(class).collect());
                Targets::Classes(labels.map(set).collect())
            }
            TaskKind::TokenLabels => {
                let tag = |tag: &Value| class(tag).unwrap_or(NO_TAG);
                let tags = |label: &Value| Some(label.as_array()?.iter().map(tag).collect());
                Targets::Tags(labels.map(tags).collect())
            }
            TaskKind::Score | TaskKind::Similarity => {
                Targets::Number(labels.map(|label| label.as_f64().map(|n| n as f32)).collect())
            }
            TaskKind::Ranking => Targets::Pair(labels.map(|label| Some(label.as_u64()? == 1)).collect()),
        }
    };
    let pairs = tasks.iter().any(|task| task.kind.takes_pairs());
    Examples {
        tokens: tokens("ids"),
        second: if pairs { tokens("second") } else { TokenSet::default() },
        targets: tasks.iter().map(targets).collect(),
        ..Examples::default()
    }
}
