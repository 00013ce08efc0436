//! `run.toml`: the mirror of a [`RunPlan`] on disk. Written once, when the run starts.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{parse_toml, path_from_text, path_to_text, to_toml};
use super::error::ProjectError;
use super::numbers::{Frozen, NumberOr};
use super::recipe_file::RecipeFile;
use crate::model::summary::{Group, TensorInfo};
use crate::train::plan::{Phase, PlannedTask, RunPlan, Thaw};

const VERSION: u32 = 1;

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
    train_rows: usize,
    steps_per_epoch: usize,
    tensors: Vec<String>,
    recipe: RecipeFile,
    tasks: Vec<TaskTable>,
    phases: Vec<PhaseTable>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TaskTable {
    name: String,
    labelled_train: usize,
    labelled_valid: usize,
    classes: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PhaseTable {
    name: String,
    epochs: u32,
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
        embeddings: thaw(&phase.embeddings),
        layers: phase.layers.iter().map(thaw).collect(),
        heads: phase.heads.iter().map(thaw).collect(),
    };
    let task = |task: &PlannedTask| TaskTable {
        name: task.name.clone(),
        labelled_train: task.labelled_train,
        labelled_valid: task.labelled_valid,
        classes: task.classes.clone(),
    };
    let file = PlanFile {
        version: VERSION,
        name: plan.name.clone(),
        device: plan.device.clone(),
        model: path_to_text(&plan.model_path, project_dir)?,
        model_sha256: plan.model_sha256.clone(),
        train_rows: plan.train_rows,
        steps_per_epoch: plan.steps_per_epoch,
        tensors: plan.tensors.iter().map(tensor_to_line).collect(),
        recipe: RecipeFile::from(&plan.recipe),
        tasks: plan.tasks.iter().map(task).collect(),
        phases: plan.phases.iter().map(phase).collect(),
    };
    to_toml(path, HEADER, &file, true)
}

/// The plan in the text of the `run.toml` at `path`.
pub(super) fn read(text: &str, path: &Path, project_dir: &Path) -> Result<RunPlan, ProjectError> {
    let file: PlanFile = parse_toml(path, text, VERSION)?;
    let tensor = |line: &String| {
        tensor_from_line(line).ok_or_else(|| {
            ProjectError::malformed(path, None, format!("the tensor \"{line}\" is not \"GROUP SHAPE NAME\""))
        })
    };
    let thaw = |rate: NumberOr<Frozen>| rate.0.map_or(Thaw::Frozen, |lr| Thaw::Trains { lr });
    let phase = |phase: PhaseTable| Phase {
        name: phase.name,
        embeddings: thaw(phase.embeddings),
        layers: phase.layers.into_iter().map(thaw).collect(),
        heads: phase.heads.into_iter().map(thaw).collect(),
        epochs: phase.epochs,
    };
    let task = |task: TaskTable| PlannedTask {
        name: task.name,
        classes: task.classes,
        labelled_train: task.labelled_train,
        labelled_valid: task.labelled_valid,
        ..PlannedTask::default()
    };
    Ok(RunPlan {
        name: file.name,
        model_path: path_from_text(&file.model, project_dir),
        model_sha256: file.model_sha256,
        tensors: file.tensors.iter().map(tensor).collect::<Result<_, _>>()?,
        tasks: file.tasks.into_iter().map(task).collect(),
        recipe: file.recipe.into(),
        phases: file.phases.into_iter().map(phase).collect(),
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
        Group::Head(index) => format!("head:{index}"),
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
        ("unused", _) => Group::Unused,
        (_, Some(("layer", index))) => Group::Layer(index.parse().ok()?),
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
