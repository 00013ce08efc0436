//! The JSON files of an exported folder, in the layout that every release of sentence-transformers since 3
//! reads, and inference servers too. It must never know a tensor or a disk.

use serde_json::{Map, Value, json};

use crate::data::task::TaskKind;
use crate::files::names;
use crate::model::dense::DenseSpec;
use crate::model::encoder::Family;
use crate::model::heads::HeadSpec;
use crate::model::summary::{ModelSummary, Pooling, Prompt};

/// Version of `heads/config.json`.
pub(super) const HEADS_VERSION: u64 = 2;

/// The modules behind the encoder, as sentence-transformers names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    Pooling,
    Normalize,
    Dense,
}

impl Module {
    /// Name of its class and, behind its index, of its folder.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pooling => "Pooling",
            Self::Normalize => "Normalize",
            Self::Dense => "Dense",
        }
    }
}

/// `modules.json`: the encoder, then the modules behind it.
pub(super) fn modules(behind: &[Module]) -> Value {
    let entry = |index: usize, path: &str, class: &str| {
        let kind = format!("sentence_transformers.models.{class}");
        json!({"idx": index, "name": index.to_string(), "path": path, "type": kind})
    };
    let mut list = vec![entry(0, "", "Transformer")];
    for (index, module) in (1..).zip(behind) {
        list.push(entry(index, &module_folder(index, *module), module.name()));
    }
    Value::Array(list)
}

/// `1_Pooling`, `2_Normalize`.
pub(super) fn module_folder(index: usize, module: Module) -> String {
    format!("{index}_{}", module.name())
}

/// `1_Pooling/config.json`. The booleans are what older releases and inference servers read.
pub(super) fn pooling(pooling: Pooling, hidden: usize) -> Value {
    json!({
        "word_embedding_dimension": hidden,
        "pooling_mode_cls_token": pooling == Pooling::Cls,
        "pooling_mode_mean_tokens": pooling == Pooling::Mean,
        "pooling_mode_max_tokens": pooling == Pooling::Max,
        "pooling_mode_mean_sqrt_len_tokens": pooling == Pooling::MeanSqrtLen,
        "pooling_mode_weightedmean_tokens": pooling == Pooling::WeightedMean,
        "pooling_mode_lasttoken": pooling == Pooling::LastToken,
        "include_prompt": true,
    })
}

/// `2_Dense/config.json`: a linear layer and what follows it.
pub(super) fn dense(spec: &DenseSpec) -> Value {
    json!({
        "in_features": spec.input,
        "out_features": spec.output,
        "bias": spec.bias,
        "activation_function": spec.activation.class(),
    })
}

/// What transformers needs to know of a classifier of tokens.
pub(super) fn token_classifier(config: &Value, architecture: &str, classes: &[String]) -> Value {
    let mut config = self::config(config, &format!("{}ForTokenClassification", base_name(architecture)));
    if let Some(fields) = config.as_object_mut() {
        let names = classes.iter().enumerate();
        fields.insert(
            "id2label".into(),
            names.clone().map(|(id, name)| (id.to_string(), json!(name))).collect::<Map<_, _>>().into(),
        );
        fields.insert(
            "label2id".into(),
            names.map(|(id, name)| (name.clone(), json!(id))).collect::<Map<_, _>>().into(),
        );
    }
    config
}

/// `Bert` of `BertModel`.
fn base_name(architecture: &str) -> &str {
    architecture.strip_suffix("Model").unwrap_or(architecture)
}

/// The name of a kind of task in `heads/config.json`: that of transformers' `problem_type` where it has one.
const KINDS: [(TaskKind, &str); 6] = [
    (TaskKind::SingleLabel, "single_label_classification"),
    (TaskKind::MultiLabel, "multi_label_classification"),
    (TaskKind::Score, "regression"),
    (TaskKind::TokenLabels, "token_classification"),
    (TaskKind::Similarity, "similarity"),
    (TaskKind::Ranking, "ranking"),
];

fn kind_name(kind: TaskKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name)
}

/// The kind of that name.
pub(super) fn kind_of(name: &str) -> Option<TaskKind> {
    KINDS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
}

/// Whether a task's head can be written as a folder of its own that Python loads: one on pairs has no parameters, and
/// transformers' classifiers of tokens know no hidden layer, or in some families a fixed one.
pub(super) fn has_folder(spec: &HeadSpec, family: &Family) -> bool {
    let plain = spec.hidden_units.is_none() && family.token_classifier;
    spec.kind.has_head() && (spec.kind != TaskKind::TokenLabels || plain)
}

/// `sentence_bert_config.json`.
pub(super) fn sentence_bert(max_seq_length: usize, lower_case: bool) -> Value {
    json!({"max_seq_length": max_seq_length, "do_lower_case": lower_case})
}

/// `config_sentence_transformers.json`. The versions are those of the layout, not of what is installed here:
/// a reader that is older than what stands here warns.
///
/// The model's prompts are handed on under their names; the one that was before every text in training becomes the
/// default, a text of the user's own under a name that is free.
pub(super) fn sentence_transformers(prompts: &[Prompt], trained: Option<&Prompt>) -> Value {
    let mut prompts: Map<String, Value> =
        prompts.iter().map(|prompt| (prompt.name.clone(), json!(prompt.text))).collect();
    let default = trained.map(|prompt| {
        let is_free = |name: &&str| prompts.get(*name).is_none_or(|text| text == &prompt.text);
        let own = ["default", "frostline", "frostline default"].into_iter().find(is_free);
        let name = if prompt.name.is_empty() { own.unwrap_or("frostline") } else { &prompt.name }.to_owned();
        prompts.insert(name.clone(), json!(prompt.text));
        name
    });
    json!({
        "__version__": {"sentence_transformers": "3.0.0", "transformers": "4.40.0", "pytorch": "2.2.0"},
        "prompts": prompts,
        "default_prompt_name": default,
        "similarity_fn_name": "cosine",
    })
}

/// What a pretrained classifier says of classes that are not those of any head here.
const OF_CLASSIFIER: [&str; 4] = ["num_labels", "problem_type", "finetuning_task", "task_specific_params"];

/// `config.json`: the pretrained model's, with what the export changes.
///
/// It names no classes, on purpose: where transformers finds none it assumes two, and its `pipeline` then answers with
/// a head of random weights. With an empty list, which is the truth for an encoder, it fails.
pub(super) fn config(base: &Value, architecture: &str) -> Value {
    let mut config = base.as_object().cloned().unwrap_or_else(Map::new);
    config.insert("architectures".into(), json!([architecture]));
    // The weights are written as float32, whatever they were read as; readers take the type from here.
    for key in ["torch_dtype", "dtype"] {
        if let Some(kind) = config.get_mut(key) {
            *kind = "float32".into();
        }
    }
    // Names Python files that are not copied.
    config.shift_remove("auto_map");
    for key in OF_CLASSIFIER {
        config.shift_remove(key);
    }
    for key in ["id2label", "label2id"] {
        config.insert(key.into(), json!({}));
    }
    Value::Object(config)
}

/// `heads/config.json`: what the tensors beside it mean.
pub(super) fn heads(
    specs: &[&HeadSpec],
    folders: &[String],
    untrained: &[String],
    summary: &ModelSummary,
    family: &Family,
) -> Value {
    let tasks: Vec<Value> = specs
        .iter()
        .zip(folders)
        .map(|(spec, folder)| {
            let name = format!("heads.{}", spec.task);
            let mut task = json!({"name": spec.task, "type": kind_name(spec.kind)});
            let mut add =
                |key: &str, value: Value| task.as_object_mut().map(|task| task.insert(key.into(), value));
            if spec.kind.has_classes() {
                add("classes", json!(spec.classes));
            } else {
                // number = output * factor + offset
                add("offset", json!(spec.scale.offset));
                add("factor", json!(spec.scale.factor));
            }
            if let Some(units) = spec.hidden_units.filter(|_| spec.kind.has_head()) {
                add("hidden_units", json!(units));
                add("hidden_weight", json!(format!("{name}.hidden.weight")));
                add("hidden_bias", json!(format!("{name}.hidden.bias")));
            }
            if spec.kind.has_head() {
                add("weight", json!(format!("{name}.weight")));
                add("bias", json!(format!("{name}.bias")));
            }
            if untrained.contains(&spec.task) {
                add("untrained", json!(true));
            }
            if has_folder(spec, family) {
                add("folder", json!(format!("tasks/{folder}")));
            }
            task
        })
        .collect();
    json!({
        "version": HEADS_VERSION,
        "written_by": concat!("Frostline ", env!("CARGO_PKG_VERSION")),
        "input": "the sentence embedding before it is scaled to length 1, for token_classification the last hidden \
                  states; output = input @ weight.T + bias, behind tanh(input @ hidden_weight.T + hidden_bias) where \
                  there is a hidden layer",
        "pooling": summary.pooling.name(),
        "hidden_size": summary.hidden,
        "embedding_size": summary.embedding(),
        "tasks": tasks,
    })
}

/// `tasks/TASK/labels.json`: the classes in the order of the logits.
pub(super) fn labels(spec: &HeadSpec) -> Value {
    json!({"task": spec.task, "type": kind_name(spec.kind), "classes": spec.classes})
}

/// A folder's name for every task: what a disk allows, and no two alike even where case does not count.
pub(super) fn task_folders(names: &[&str]) -> Vec<String> {
    let mut taken: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let plain = folder_name(name);
        let mut candidates =
            std::iter::once(plain.clone()).chain((2_u32..).map(|count| format!("{plain}-{count}")));
        let free = |candidate: &String| !taken.iter().any(|t| t.to_lowercase() == candidate.to_lowercase());
        let chosen = candidates.find(free).unwrap_or(plain);
        taken.push(chosen);
    }
    taken
}

/// Longest name in characters; a disk allows 255 bytes, and a character can have four.
const LONGEST: usize = 48;

fn folder_name(task: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') { c } else { '_' };
    let name: String = task.trim().chars().map(allowed).take(LONGEST).collect();
    let name = name.trim_matches(['.', ' ']);
    if name.is_empty() {
        "task".into()
    } else if names::is_device(name) {
        // Windows keeps these for devices.
        format!("_{name}")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_of_any_name_gets_a_folder_of_its_own() {
        let names =
            ["topic", "../../etc", "Topic", "a/b", "a\\b", "..", "", "NUL", "com1.x", "größe €", "comedy"];
        assert_eq!(
            task_folders(&names),
            [
                "topic",
                "_.._etc",
                "Topic-2",
                "a_b",
                "a_b-2",
                "task",
                "task-2",
                "_NUL",
                "_com1.x",
                "größe _",
                "comedy"
            ]
        );
        assert_eq!(task_folders(&["x".repeat(400).as_str()])[0].len(), LONGEST);
    }

    #[test]
    fn the_prompt_of_training_becomes_the_default() {
        let prompt = |name: &str, text: &str| Prompt { name: name.into(), text: text.into() };
        let of_model = [prompt("query", "query: "), prompt("default", "")];
        for (trained, name, count) in [
            (None, Value::Null, 2),
            (Some(prompt("query", "query: ")), json!("query"), 2),
            (Some(prompt("", "Sort this: ")), json!("frostline"), 3),
        ] {
            let file = sentence_transformers(&of_model, trained.as_ref());
            assert_eq!(
                (&file["default_prompt_name"], file["prompts"].as_object().unwrap().len()),
                (&name, count)
            );
            if let (Some(trained), Some(name)) = (trained, name.as_str()) {
                assert_eq!(file["prompts"][name], json!(trained.text));
            }
        }
    }

    #[test]
    fn one_pooling_mode_is_on() {
        for mode in [
            Pooling::Mean,
            Pooling::Cls,
            Pooling::Max,
            Pooling::MeanSqrtLen,
            Pooling::WeightedMean,
            Pooling::LastToken,
        ] {
            let config = pooling(mode, 8);
            let on: Vec<&String> = config
                .as_object()
                .unwrap()
                .iter()
                .filter(|(key, value)| key.starts_with("pooling_mode") && **value == true)
                .map(|(key, _)| key)
                .collect();
            assert_eq!(on.len(), 1);
            assert!(on[0].contains(mode.name()), "{on:?} for {mode:?}");
        }
    }

    #[test]
    fn the_configuration_says_what_the_weights_are() {
        let base = json!({
            "model_type": "bert",
            "architectures": ["BertForMaskedLM"],
            "torch_dtype": "float16",
            "auto_map": {"AutoModel": "code.py"},
            "hidden_size": 8,
            "problem_type": "single_label_classification",
            "num_labels": 2,
            "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
            "label2id": {"NEGATIVE": 0, "POSITIVE": 1},
        });
        let expected = json!({
            "model_type": "bert", "architectures": ["BertModel"], "torch_dtype": "float32", "hidden_size": 8,
            "id2label": {}, "label2id": {},
        });
        assert_eq!(config(&base, "BertModel"), expected);
        let of_tokens = token_classifier(&base, "BertModel", &["O".to_owned(), "B-X".to_owned()]);
        assert_eq!(of_tokens["architectures"], json!(["BertForTokenClassification"]));
        assert_eq!(of_tokens["id2label"], json!({"0": "O", "1": "B-X"}));
        assert_eq!(of_tokens.get("problem_type"), None);
    }
}
