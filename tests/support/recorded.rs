//! What the recorded runs of `PyTorch` start from: the tiny model, and the rows of its 20 steps.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::path::{Path, PathBuf};

use frostline::model::Model;
use frostline::model::files::safetensors::read_all;
use frostline::model::heads::HeadSpec;
use frostline::text::token_set::TokenSet;
use frostline::train::examples::{Examples, Targets};
use frostline::train::plan::recipe::Recipe;
use frostline::train::plan::{PlannedTask, RunPlan};
use tch::{Device, Tensor};

pub(crate) const STEPS: usize = 20;
pub(crate) const BATCH: usize = 8;
pub(crate) const TASKS: [&str; 2] = ["task_a", "task_b"];

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/training")
}

/// The recorded start: backbone and both heads.
pub(crate) fn model() -> Model {
    let mut model = Model::load(&fixtures().join("backbone"), Device::Cpu).expect("the backbone");
    let specs = TASKS.map(|task| HeadSpec {
        task: task.into(),
        classes: ["a", "b", "c"].map(str::to_owned).into(),
        ..HeadSpec::default()
    });
    model.start_heads(&specs, 0).expect("heads");
    let path = fixtures().join("initial.safetensors");
    model.fill(&own_names(read_all(&path).expect("the start")), &path).expect("the recorded start fits");
    model
}

/// Under the names that the model has for them.
pub(crate) fn own_names(tensors: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    let name = |name: String| name.strip_prefix("backbone.").map(str::to_owned).unwrap_or(name);
    tensors.into_iter().map(|(from, tensor)| (name(from), tensor)).collect()
}

/// All batches as rows: step s has rows 8 s to 8 s + 7.
pub(crate) fn rows(missing: bool) -> Examples {
    let tensors = read_all(&fixtures().join("batches.safetensors")).expect("the batches");
    let get = |name: String| {
        let (_, tensor) = tensors.iter().find(|(known, _)| *known == name).expect("a tensor of the batches");
        let width = tensor.size().get(1).map_or(1, |width| *width as usize);
        let values = Vec::<i64>::try_from(tensor.flatten(0, -1)).expect("integers");
        (values, width)
    };
    let mut tokens = TokenSet::default();
    let mut labels = vec![Vec::new(); TASKS.len()];
    for step in 0..STEPS {
        let (ids, width) = get(format!("step{step:02}.input_ids"));
        let (mask, _) = get(format!("step{step:02}.attention_mask"));
        for (ids, mask) in ids.chunks(width).zip(mask.chunks(width)) {
            let row: Vec<u32> =
                ids.iter().zip(mask).filter(|(_, m)| **m == 1).map(|(id, _)| *id as u32).collect();
            tokens.push(&row, row.len());
        }
        for (task, labels) in TASKS.iter().zip(&mut labels) {
            let name = format!("step{step:02}.{task}{}", if missing { "_missing" } else { "" });
            labels.extend(get(name).0.into_iter().map(|label| u32::try_from(label).ok()));
        }
    }
    Examples { tokens, targets: labels.into_iter().map(Targets::Class).collect(), ..Examples::default() }
}

/// The plan of a recipe for them.
pub(crate) fn plan(name: &str, recipe: &Recipe, model: &Model, rows: &Examples) -> RunPlan {
    let planned = |name: &&str| PlannedTask {
        name: (*name).into(),
        classes: ["a", "b", "c"].map(str::to_owned).into(),
        labelled_train: rows.len(),
        labelled_valid: 0,
        ..PlannedTask::default()
    };
    let tasks = TASKS.iter().map(planned).collect();
    RunPlan::build(name, recipe, &model.summary, tasks, rows.len(), "cpu").expect("a plan")
}
