//! The model card's examples: how an exported folder is used from Python. It knows the layout of the folder, and no
//! figure of the run.

use super::card_inputs::CardInputs;
use super::layout;
use crate::data::task::TaskKind;
use crate::format::literal::quoted;
use crate::format::markdown::inline;
use crate::model::encoder;
use crate::model::heads::HeadSpec;

/// Without the heads: sentences to embeddings.
pub(super) fn as_encoder(inputs: &CardInputs<'_>) -> String {
    let similarity = "print(model.similarity(embeddings, embeddings))";
    let prompt = inputs.plan.prompt.as_ref().map_or_else(String::new, |prompt| {
        format!(
            "Every text gets {} in front, as in training: sentence-transformers puts it there by itself, as the default \
             prompt of this folder; with anything else, put it there.\n\n",
            inline(&prompt.told())
        )
    });
    format!(
        "{prompt}\
         As a sentence encoder, with sentence-transformers 3 or later:\n\n```python\n\
         from sentence_transformers import SentenceTransformer\n\n\
         model = SentenceTransformer(\"path/to/this/folder\")\n\
         sentences = [\"The first sentence.\", \"Another one.\"]\n\
         embeddings = model.encode(sentences)  # [2, {}]\n{similarity}\n```",
        inputs.model.embedding()
    )
}

/// With the heads: how each task is asked.
pub(super) fn of_heads(inputs: &CardInputs<'_>) -> String {
    let linear = |spec: &HeadSpec| spec.kind == TaskKind::SingleLabel && spec.hidden_units.is_none();
    let specs = inputs.plan.head_specs();
    if specs.iter().all(linear) { linear_heads(inputs) } else { folders_of_heads(inputs, &specs) }
}

/// Heads of every kind through the folders of their own.
fn folders_of_heads(inputs: &CardInputs<'_>, specs: &[HeadSpec]) -> String {
    let family = encoder::family(&inputs.model.model_type);
    let has_folder = |spec: &HeadSpec| family.is_none_or(|family| layout::has_folder(spec, family));
    let names: Vec<&str> = specs.iter().map(|spec| spec.task.as_str()).collect();
    let folders = layout::task_folders(&names);
    let usage = specs.iter().zip(&folders).filter(|(spec, _)| has_folder(spec)).map(|(spec, folder)| {
        let path = quoted(&format!("path/to/this/folder/tasks/{folder}"));
        let what = match spec.kind {
            TaskKind::TokenLabels => {
                return format!("print(pipeline(\"token-classification\", {path})(sentences))");
            }
            TaskKind::MultiLabel => "a logit per class of labels.json; a class applies where it is above 0",
            TaskKind::Score => "the number",
            _ => "a logit per class of labels.json; the largest tells the class",
        };
        format!("print(SentenceTransformer({path}).encode(sentences))  # {what}")
    });
    let usage: Vec<String> = usage.collect();
    if usage.is_empty() {
        let in_heads = specs.iter().any(|spec| spec.kind.has_head());
        let where_to = if in_heads {
            "The heads are in `heads/`: `heads/config.json` says what their tensors mean."
        } else {
            "The tasks have no heads of their own: they are learnt by the embedding itself."
        };
        return where_to.to_owned();
    }
    // Only taggers run in a pipeline of transformers.
    let has_tagger = specs.iter().any(|spec| spec.kind == TaskKind::TokenLabels && has_folder(spec));
    let import = if has_tagger { "from transformers import pipeline\n\n" } else { "" };
    format!("With the heads, each in a folder of its own:\n\n```python\n{import}{}\n```", usage.join("\n"))
}

fn linear_heads(inputs: &CardInputs<'_>) -> String {
    let classes = inputs.plan.tasks.iter().map(|task| {
        let names: Vec<String> = task.classes.iter().map(|class| quoted(class)).collect();
        format!("    {}: [{}],", quoted(&task.name), names.join(", "))
    });
    let classes = classes.collect::<Vec<_>>().join("\n");
    let pooled = if inputs.model.normalize {
        let before = (0..2 + inputs.model.dense.len()).map(|module| format!("model[{module}]"));
        // A model of modules knows no prompts unless it is told.
        let prompt = if inputs.plan.prompt.is_some() {
            ", prompt=model.prompts[model.default_prompt_name]"
        } else {
            ""
        };
        format!(
            "# The heads read the embedding before it is scaled to length 1.\n\
             pooled = SentenceTransformer(modules=[{}]).encode(sentences{prompt})",
            before.collect::<Vec<_>>().join(", ")
        )
    } else {
        "pooled = model.encode(sentences)".to_owned()
    };
    format!(
        "With the heads, each a linear layer on the embedding:\n\n```python\n\
         from safetensors.numpy import load_file\n\n\
         heads = load_file(\"path/to/this/folder/heads/model.safetensors\")\n\
         tasks = {{\n{classes}\n}}\n{pooled}\n\
         for task, classes in tasks.items():\n    \
             logits = pooled @ heads[f\"heads.{{task}}.weight\"].T + heads[f\"heads.{{task}}.bias\"]\n    \
             for sentence, row in zip(sentences, logits):\n        \
                 print(sentence, task, classes[row.argmax()])\n```"
    )
}
