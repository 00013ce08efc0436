//! `frostline inspect MODEL`: what a model folder holds.

use std::path::Path;

use serde_json::{Value, json};

use super::args::{DeviceArg, TrustArg};
use super::console::count;
use super::encode;
use super::init::shortened;
use crate::format::numbers::thousands;
use crate::model::memory::{ROWS, TOKENS};
use crate::model::summary::{Group, ModelSummary, TensorInfo};

/// A model for people, line by line, and for programs.
pub(super) fn describe(dir: &Path) -> anyhow::Result<(Vec<String>, Value)> {
    let opened = encode::open(dir, &DeviceArg { device: Some("cpu".to_owned()) }, TrustArg::default())?;
    let (summary, tasks) = (opened.summary(), opened.tasks());
    let mut lines = lines(summary);
    for head in &tasks {
        let classes: Vec<&str> = head.classes.iter().map(String::as_str).collect();
        let what = if head.kind.has_classes() { shortened(&classes) } else { head.kind.key().to_owned() };
        let untrained =
            if opened.untrained().contains(&head.task) { ", untrained: its weights are random" } else { "" };
        lines.push(format!("head {}: {what}{untrained}", head.task));
    }
    let heads = tasks.iter().map(|head| {
        let untrained = opened.untrained().contains(&head.task);
        json!({"task": head.task, "kind": head.kind.key(), "classes": head.classes, "untrained": untrained})
    });
    let object = object(summary, &heads.collect::<Vec<_>>());
    Ok((lines, object))
}

fn lines(summary: &ModelSummary) -> Vec<String> {
    let origin = &summary.origin;
    let mut lines = vec![
        format!("{}: {}, {} parameters", summary.name, summary.model_type, thousands(summary.parameters())),
        format!(
            "{}, {} dimensions, {} attention heads, vocabulary of {}",
            layers(summary),
            summary.embedding(),
            summary.attention_heads,
            thousands(summary.vocab_size as u64)
        ),
    ];
    let parts = parts(summary).into_iter().filter(|(_, parameters)| *parameters > 0);
    let parts: Vec<String> =
        parts.map(|(part, parameters)| format!("{part} {}", thousands(parameters))).collect();
    lines.push(format!("parameters: {}", parts.join(", ")));
    lines.push(format!(
        "{} pooling ({}){}",
        summary.pooling.name(),
        summary.pooling_source,
        if summary.normalize { ", scaled to length 1" } else { "" }
    ));
    lines.push(format!(
        "texts up to {} tokens; the positions allow {}",
        summary.max_seq_length, summary.max_positions
    ));
    if origin.lower_case {
        lines.push("texts are lower-cased first".into());
    }
    for prompt in &origin.prompts {
        lines.push(format!("prompt {}: {:?}", prompt.name, prompt.text));
    }
    lines.push(format!("licence: {}", origin.licence.as_deref().unwrap_or("not stated in the folder")));
    lines.push(format!(
        "weights: {} bytes in {}; SHA-256 {}",
        thousands(summary.file_bytes),
        count(summary.tensors.len() + origin.unexpected.len(), "tensor"),
        summary.sha256
    ));
    let memory = summary.memory();
    lines.push(format!(
        "memory: {} MB for the weights, about {} MB to train all of them on {ROWS} texts of {TOKENS} tokens at a time",
        memory.weights >> 20,
        memory.training >> 20
    ));
    lines.extend(origin.notes.iter().map(|note| format!("note: {note}")));
    lines
}

fn layers(summary: &ModelSummary) -> String {
    let layers = count(summary.layers, "layer");
    if summary.applications > summary.layers {
        format!("{layers} passed {} times in all", summary.applications)
    } else {
        layers
    }
}

fn object(summary: &ModelSummary, heads: &[Value]) -> Value {
    let (origin, memory) = (&summary.origin, summary.memory());
    let parts: serde_json::Map<String, Value> =
        parts(summary).into_iter().map(|(part, parameters)| (part, json!(parameters))).collect();
    let prompts = origin.prompts.iter().map(|prompt| (prompt.name.clone(), json!(prompt.text)));
    let files = origin.files.iter().map(|file| json!({"name": file.name, "bytes": file.bytes}));
    let dense = summary.dense.iter().map(|module| {
        json!({
            "in": module.input,
            "out": module.output,
            "bias": module.bias,
            "activation": module.activation.name(),
        })
    });
    let tensors = summary
        .tensors
        .iter()
        .map(|tensor| json!({"name": tensor.name, "shape": tensor.shape, "part": part(tensor.group)}));
    json!({
        "kind": "model",
        "path": summary.path,
        "name": summary.name,
        "model_type": summary.model_type,
        "parameters": summary.parameters(),
        "parameters_by_part": parts,
        "layers": summary.layers,
        "layers_passed": summary.applications,
        "dimensions": summary.embedding(),
        "hidden_size": summary.hidden,
        "dense": dense.collect::<Vec<_>>(),
        "attention_heads": summary.attention_heads,
        "vocabulary": summary.vocab_size,
        "max_positions": summary.max_positions,
        "max_seq_length": summary.max_seq_length,
        "lower_case": origin.lower_case,
        "pooling": summary.pooling.name(),
        "pooling_source": summary.pooling_source,
        "normalize": summary.normalize,
        "prompts": Value::Object(prompts.collect()),
        "default_prompt": origin.default_prompt,
        "licence": origin.licence,
        "sha256": summary.sha256,
        "file_bytes": summary.file_bytes,
        "memory": {"weights": memory.weights, "training": memory.training},
        "files": files.collect::<Vec<_>>(),
        "heads": heads,
        "notes": origin.notes,
        "tensors": tensors.collect::<Vec<_>>(),
        "tensors_left_aside": origin.unexpected,
    })
}

/// Parameters of each part, from the input upward; each tensor is counted once.
fn parts(summary: &ModelSummary) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = Vec::new();
    for tensor in &summary.tensors {
        let name = part(tensor.group);
        match parts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, parameters)) => *parameters += TensorInfo::elements(tensor),
            None => parts.push((name, tensor.elements())),
        }
    }
    parts
}

fn part(group: Group) -> String {
    match group {
        Group::Embeddings => "embeddings".into(),
        Group::Layer(index) => format!("layer {index}"),
        Group::Dense => "dense modules".into(),
        Group::Head(index) => format!("head {index}"),
        Group::LossWeight(index) => format!("loss weight {index}"),
        Group::Unused => "unused".into(),
    }
}
