//! `run.toml`: the mirror of a [`RunPlan`] on disk. Written once, when the run starts.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{parse_toml, to_toml};
use super::error::ProjectError;
use super::model_ref::{model_from_text, model_to_text};
use super::recipe_file::RecipeFile;
use super::serde_enum::Keyed;
use super::serde_number::{Frozen, NumberOr};
use crate::data::task::{Scale, TaskKind};
use crate::model::summary::{Group, Prompt, TensorInfo};
use crate::train::plan::recipe::Recipe;
use crate::train::plan::{ParamFilter, Parent, Phase, PlannedTask, RunPlan, Thaw, Until};

/// 2 added kinds of tasks, parts of groups, ends of phases and the run that a run goes on from.
const VERSION: u32 = 2;

const HEADER: &str = "\
# The frozen plan of a run: what trained, when and at which rate. It is a record; changing it changes nothing.
# Paths are relative to the project's folder. A tensor is \"GROUP SHAPE NAME\".
";

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    version: u32,
    name: String,
    device: String,
    model: String,
    model_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenizer_sha256: Option<String>,
    /// The run that it goes on from.
    parent: Option<String>,
    parent_sha256: Option<String>,
    /// Heads that are not taken from it: task and reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_fresh_heads: Option<Vec<(String, String)>>,
    train_rows: usize,
    steps_per_epoch: usize,
    /// What is put before every text, and what the model calls it.
    prompt: Option<String>,
    prompt_name: Option<String>,
    tensors: Vec<String>,
    recipe: RecipeFile,
    tasks: Vec<TaskTable>,
    phases: Vec<PhaseTable>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TaskTable {
    name: String,
    kind: Option<String>,
    offset: Option<f64>,
    factor: Option<f64>,
    labelled_train: usize,
    labelled_valid: usize,
    classes: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PhaseTable {
    name: String,
    epochs: u32,
    /// Ends the phase before its epochs are over.
    steps: Option<usize>,
    patience: Option<u32>,
    /// Which parameters of thawed layers and embeddings train.
    part: Option<Keyed<ParamFilter>>,
    /// Peak rate of the learnt weights of the losses.
    loss_weights: Option<f64>,
    /// `"frozen"` or the peak learning rate, here and below.
    embeddings: NumberOr<Frozen>,
    layers: Vec<NumberOr<Frozen>>,
    heads: Vec<NumberOr<Frozen>>,
}

/// The text of `run.toml` at `path`, for the project in `project_dir`.
pub(super) fn write(plan: &RunPlan, path: &Path, project_dir: &Path) -> Result<String, ProjectError> {
    let thaw = |thaw: &Thaw| NumberOr::new(thaw.lr());
    let phase = |phase: &Phase| PhaseTable {
        name: phase.name.clone(),
        epochs: phase.epochs,
        steps: match phase.until {
            Until::Steps(steps) => Some(steps),
            Until::Epochs | Until::Plateau { .. } => None,
        },
        patience: match phase.until {
            Until::Plateau { patience } => Some(patience),
            Until::Epochs | Until::Steps(_) => None,
        },
        part: part_of(phase).filter(|part| *part != ParamFilter::All).map(Keyed),
        loss_weights: Some(phase.loss_weights),
        embeddings: thaw(&phase.embeddings),
        layers: phase.layers.iter().map(thaw).collect(),
        heads: phase.heads.iter().map(thaw).collect(),
    };
    let task = |task: &PlannedTask| TaskTable {
        name: task.name.clone(),
        kind: Some(task.kind.key().to_owned()),
        offset: (task.scale != Scale::default()).then_some(task.scale.offset),
        factor: (task.scale != Scale::default()).then_some(task.scale.factor),
        labelled_train: task.labelled_train,
        labelled_valid: task.labelled_valid,
        classes: task.classes.clone(),
    };
    let file = PlanFile {
        version: VERSION,
        name: plan.name.clone(),
        device: plan.device.clone(),
        model: model_to_text(&plan.model_path, project_dir)?,
        model_sha256: plan.model_sha256.clone(),
        tokenizer_sha256: plan.tokenizer_sha256.clone(),
        parent: plan.parent.as_ref().map(|parent| parent.run.clone()),
        parent_sha256: plan.parent.as_ref().map(|parent| parent.sha256.clone()),
        parent_fresh_heads: plan.parent.as_ref().and_then(|parent| parent.fresh.clone()),
        train_rows: plan.train_rows,
        steps_per_epoch: plan.steps_per_epoch,
        prompt: plan.prompt.as_ref().map(|prompt| prompt.text.clone()),
        prompt_name: plan.prompt.as_ref().map(|prompt| prompt.name.clone()).filter(|name| !name.is_empty()),
        tensors: plan.tensors.iter().map(tensor_to_line).collect(),
        recipe: RecipeFile::from(&plan.recipe),
        tasks: plan.tasks.iter().map(task).collect(),
        phases: plan.phases.iter().map(phase).collect(),
    };
    to_toml(path, HEADER, &file, true)
}

/// The part of the encoder that trains in a phase: one for all of its layers and its embeddings.
fn part_of(phase: &Phase) -> Option<ParamFilter> {
    phase.layers.iter().chain([&phase.embeddings]).find_map(|thaw| match thaw {
        Thaw::Trains { part, .. } => Some(*part),
        Thaw::Frozen => None,
    })
}

/// The plan in the text of the `run.toml` at `path`.
pub(super) fn read(text: &str, path: &Path, project_dir: &Path) -> Result<RunPlan, ProjectError> {
    let file: PlanFile = parse_toml(path, text, VERSION)?;
    let tensor = |line: &String| {
        tensor_from_line(line).ok_or_else(|| {
            ProjectError::malformed(path, None, format!("the tensor \"{line}\" is not \"GROUP SHAPE NAME\""))
        })
    };
    let recipe: Recipe = file.recipe.into();
    let phase = |phase: PhaseTable| {
        let part = phase.part.map_or(ParamFilter::All, |part| part.0);
        let thaw = |rate: NumberOr<Frozen>, part| rate.0.map_or(Thaw::Frozen, |lr| Thaw::Trains { lr, part });
        Phase {
            name: phase.name,
            embeddings: thaw(phase.embeddings, part),
            layers: phase.layers.into_iter().map(|rate| thaw(rate, part)).collect(),
            heads: phase.heads.into_iter().map(|rate| thaw(rate, ParamFilter::All)).collect(),
            loss_weights: phase.loss_weights.unwrap_or(recipe.lr_heads),
            epochs: phase.epochs,
            until: match (phase.steps, phase.patience) {
                (Some(steps), _) => Until::Steps(steps),
                (None, Some(patience)) => Until::Plateau { patience },
                (None, None) => Until::Epochs,
            },
        }
    };
    let task = |task: TaskTable| {
        let kind = match task.kind.as_deref() {
            None => TaskKind::SingleLabel,
            Some(key) => TaskKind::from_key(key).ok_or_else(|| {
                ProjectError::malformed(path, None, format!("there is no kind of task called \"{key}\""))
            })?,
        };
        let defaults = Scale::default();
        Ok(PlannedTask {
            name: task.name,
            kind,
            scale: Scale {
                offset: task.offset.unwrap_or(defaults.offset),
                factor: task.factor.unwrap_or(defaults.factor),
            },
            classes: task.classes,
            labelled_train: task.labelled_train,
            labelled_valid: task.labelled_valid,
        })
    };
    let parent = file.parent.map(|run| Parent {
        run,
        sha256: file.parent_sha256.unwrap_or_default(),
        fresh: file.parent_fresh_heads,
    });
    let prompt = file.prompt.map(|text| Prompt { name: file.prompt_name.unwrap_or_default(), text });
    Ok(RunPlan {
        prompt,
        name: file.name,
        model_path: model_from_text(&file.model, project_dir),
        model_sha256: file.model_sha256,
        tokenizer_sha256: file.tokenizer_sha256,
        tensors: file.tensors.iter().map(tensor).collect::<Result<_, _>>()?,
        tasks: file.tasks.into_iter().map(task).collect::<Result<_, ProjectError>>()?,
        phases: file.phases.into_iter().map(phase).collect(),
        recipe,
        parent,
        train_rows: file.train_rows,
        steps_per_epoch: file.steps_per_epoch,
        device: file.device,
    })
}

/// `layer:3 384x1536 encoder.layer.3.output.dense.weight`; the name last, as a task's may hold spaces.
fn tensor_to_line(tensor: &TensorInfo) -> String {
    let group = match tensor.group {
        Group::Embeddings => "embeddings".to_owned(),
        Group::Layer(index) => format!("layer:{index}"),
        Group::Dense => "dense".to_owned(),
        Group::Head(index) => format!("head:{index}"),
        Group::LossWeight(index) => format!("loss-weight:{index}"),
        Group::Unused => "unused".to_owned(),
    };
    let sizes: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
    let shape = if sizes.is_empty() { "scalar".to_owned() } else { sizes.join("x") };
    format!("{group} {shape} {}", tensor.name)
}

fn tensor_from_line(line: &str) -> Option<TensorInfo> {
    let mut parts = line.splitn(3, ' ');
    let group = parts.next()?;
    let group = match (group, group.split_once(':')) {
        ("embeddings", _) => Group::Embeddings,
        ("dense", _) => Group::Dense,
        ("unused", _) => Group::Unused,
        (_, Some(("layer", index))) => Group::Layer(index.parse().ok()?),
        (_, Some(("loss-weight", index))) => Group::LossWeight(index.parse().ok()?),
        (_, Some(("head", index))) => Group::Head(index.parse().ok()?),
        _ => return None,
    };
    let shape = match parts.next()? {
        "scalar" => Vec::new(),
        sizes => sizes.split('x').map(|size| size.parse().ok()).collect::<Option<_>>()?,
    };
    Some(TensorInfo { name: parts.next()?.to_owned(), shape, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_a_line_each_and_come_back() {
        for (line, group, shape) in [
            ("embeddings 30522x384 embeddings.word_embeddings.weight", Group::Embeddings, vec![30522, 384]),
            ("layer:11 384 encoder.layer.11.output.dense.bias", Group::Layer(11), vec![384]),
            ("dense 512x384 dense.0.weight", Group::Dense, vec![512, 384]),
            ("head:1 3x384 heads.my mood x.weight", Group::Head(1), vec![3, 384]),
            ("unused scalar step", Group::Unused, vec![]),
        ] {
            let tensor = tensor_from_line(line).unwrap();
            assert_eq!((tensor.group, &tensor.shape), (group, &shape));
            assert_eq!(tensor_to_line(&tensor), line);
        }
        for line in ["", "layer 3 x", "layer:a 3 x", "head:0 3xx3 x", "body 3 x", "unused 3", "body:1 3 x"] {
            assert_eq!(tensor_from_line(line), None, "{line}");
        }
    }
}
