//! Reading an exported folder again: the encoder, and the heads where there are any.

use std::path::Path;

use serde_json::Value;
use tch::Device;

use super::destination::HEADS;
use super::layout::{HEADS_VERSION, kind_of};
use crate::data::task::Scale;
use crate::model::files::read_json;
use crate::model::files::safetensors::read_params;
use crate::model::heads::{Head, HeadSpec};
use crate::model::summary::TensorInfo;
use crate::model::{Model, ModelError};

/// Loads an exported folder, or any model folder: one without `heads/` gives a model without heads.
///
/// # Errors
/// Whatever is wrong with the folder, its encoder or its heads; see [`ModelError`].
pub fn load_exported(dir: &Path, device: Device) -> Result<(Model, Vec<HeadSpec>), ModelError> {
    let mut model = Model::load(dir, device)?;
    let heads = dir.join(HEADS);
    let config = heads.join("config.json");
    if !config.is_file() {
        return Ok((model, Vec::new()));
    }
    let bad = |reason: String| ModelError::BadJson { path: config.clone(), reason };
    let specs = read_specs(&read_json(&config)?).map_err(bad)?;
    if specs.is_empty() {
        return Ok((model, specs));
    }
    let expected: Vec<TensorInfo> = specs
        .iter()
        .enumerate()
        .flat_map(|(index, spec)| spec.tensors(index, model.summary.head_input(spec.kind)))
        .collect();
    // Tasks on pairs have no tensors of their own: where there is nothing else, there is no file of them.
    if !expected.is_empty() {
        for param in read_params(&heads.join("model.safetensors"), "", &expected, device)? {
            model.params.push(param);
        }
    }
    for spec in &specs {
        model.heads.push(Head::over(&model.params, spec.clone())?);
    }
    Ok((model, specs))
}

/// The tasks of an exported folder whose heads never trained; none of a folder without heads.
///
/// # Errors
/// When the file that describes the heads cannot be read.
pub fn untrained_heads(dir: &Path) -> Result<Vec<String>, ModelError> {
    let config = dir.join(HEADS).join("config.json");
    if !config.is_file() {
        return Ok(Vec::new());
    }
    let config = read_json(&config)?;
    let tasks = config.get("tasks").and_then(Value::as_array).into_iter().flatten();
    let untrained = tasks.filter(|task| task.get("untrained").and_then(Value::as_bool) == Some(true));
    Ok(untrained.filter_map(|task| Some(task.get("name")?.as_str()?.to_owned())).collect())
}

fn read_specs(config: &Value) -> Result<Vec<HeadSpec>, String> {
    match config.get("version").and_then(Value::as_u64) {
        Some(1..=HEADS_VERSION) => {}
        Some(newer) if newer > HEADS_VERSION => {
            return Err(format!(
                "it is of version {newer}, written by a newer Frostline; this one knows version {HEADS_VERSION}"
            ));
        }
        _ => return Err(format!("expected \"version\": {HEADS_VERSION}")),
    }
    let tasks = config.get("tasks").and_then(Value::as_array).ok_or("expected a list of tasks")?;
    let mut specs: Vec<HeadSpec> = Vec::with_capacity(tasks.len());
    for entry in tasks {
        let task = entry.get("name").and_then(Value::as_str).ok_or("a task has no name")?;
        let kind = entry.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = kind_of(kind).ok_or_else(|| {
            format!("task \"{task}\" is of the type \"{kind}\", which this Frostline does not know")
        })?;
        let classes = entry.get("classes").and_then(Value::as_array);
        let classes: Option<Vec<String>> = classes
            .and_then(|classes| classes.iter().map(|class| class.as_str().map(str::to_owned)).collect());
        let classes = if kind.has_classes() {
            let classes = classes.filter(|classes| !classes.is_empty());
            classes.ok_or_else(|| format!("task \"{task}\" has no list of classes"))?
        } else {
            Vec::new()
        };
        let number = |key: &str, default: f64| entry.get(key).and_then(Value::as_f64).unwrap_or(default);
        let scale = Scale { offset: number("offset", 0.0), factor: number("factor", 1.0) };
        let hidden_units = entry.get("hidden_units").and_then(Value::as_u64).map(|units| units as usize);
        if specs.iter().any(|spec| spec.task == task) {
            return Err(format!("task \"{task}\" is there twice"));
        }
        specs.push(HeadSpec { task: task.to_owned(), kind, classes, scale, hidden_units });
    }
    Ok(specs)
}
