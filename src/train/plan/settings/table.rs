//! The table: an entry per setting, in the order in which settings are listed.

use super::setting::{Around, Group, Setting};
use super::value::Value as _;
use crate::data::task::TaskKind;
use crate::model::lora::Lora;
use crate::train::plan::ParamFilter;
use crate::train::plan::monitor::Monitor;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{OptimizerKind, Recipe, TaskSettings, Weighting};

/// An entry whose value is a field.
macro_rules! entry {
    ($key:literal, $($field:ident).+, $group:ident, $label:literal, $idle:expr, $hint:literal) => {
        Setting {
            key: $key,
            label: $label,
            hint: $hint,
            group: Group::$group,
            show: |of| of.$($field).+.show(),
            parse: |of, text| {
                of.$($field).+ = super::value::Value::parse(text)?;
                Ok(())
            },
            idle: $idle,
        }
    };
}

/// The entries of a struct's fields. A field that is not listed does not compile.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident of $struct:ident: $($field:ident => [$($entry:expr),* $(,)?]),+ $(,)?) => {
        $(#[$doc])*
        pub static $name: &[Setting<$struct>] = &[$($($entry,)*)+];
        const _: fn($struct) = |$struct { $($field: _),+ }| {};
    };
}

// What has entries under the name of its fields: one that is added there needs one, too.
const _: fn(Lora) = |Lora { rank: _, alpha: _, targets: _ }| {};
const _: fn(Monitor) = |Monitor { task: _, figure: _ }| {};

table! {
    /// The settings of a run. Those of single tasks are in [`TASK`].
    RECIPE of Recipe:
    preset => [entry!(
        "preset", preset, Trains, "preset", own_phases,
        "What is frozen, and when it thaws"
    )],
    phases => [entry!(
        "phases", phases, Trains, "own phases", always,
        "Phases in place of the preset's"
    )],
    frozen_head => [entry!(
        "frozen_head", frozen_head, Trains, "frozen head",
        |recipe, around| own_phases(recipe, around).or((recipe.preset != Preset::FreezeHead)
            .then_some("Used only by the freeze-head preset")),
        "The task whose head stays as it is; the first one where none is named"
    )],
    part => [entry!(
        "part", part, Trains, "what trains in a layer",
        |recipe, around| without_encoder(recipe, around).or((!recipe.phases.is_empty())
            .then_some("Set per phase")),
        "All weights of a thawed layer, adapters beside them, biases alone, or norms alone"
    )],
    lora => [
        entry!(
            "lora_rank", lora.rank, Trains, "adapters' rank", without_adapters,
            "Rows of the small matrices of an adapter"
        ),
        entry!(
            "lora_alpha", lora.alpha, Trains, "adapters' alpha", without_adapters,
            "What an adapter adds is multiplied by alpha / rank"
        ),
        entry!(
            "lora_targets", lora.targets, Trains, "adapter targets", without_adapters,
            "Which linear layers have adapters"
        ),
    ],
    epochs => [entry!(
        "epochs", epochs, Steps, "epochs",
        |recipe, around| without_training(recipe, around).or((!recipe.phases.is_empty())
            .then_some("Set per phase")),
        "Passes over the training rows, all phases together"
    )],
    batch_size => [entry!(
        "batch_size", batch_size, Steps, "batch size", without_training,
        "Rows that go through the model together"
    )],
    accumulate => [entry!(
        "accumulate", accumulate, Steps, "batches per step", without_training,
        "Batches whose gradients are averaged for one optimiser step"
    )],
    sampling => [entry!(
        "sampling", sampling, Rows, "rows of several files",
        |recipe, around| without_training(recipe, around).or(around.files.is_some_and(|files| files < 2)
            .then_some("There is one file of training rows")),
        "Every row once, by a temperature, or the files by turns"
    )],
    max_length => [entry!(
        "max_length", max_length, Rows, "maximum length", always,
        "Most tokens of a text; the rest is cut, and counted"
    )],
    prompt => [entry!(
        "prompt", prompt, Rows, "prompt", always,
        "What is put before every text: a prompt of the model by its name, or a text"
    )],
    half_cache => [entry!(
        "half_cache", half_cache, Steps, "states below the frost line as float16",
        |recipe, around| without_training(recipe, around).or(nothing_below(recipe)
            .then_some("Nothing lies below what trains, so nothing is computed once")),
        "Token states that are computed once take half the room, and are no longer exact"
    )],
    precision => [entry!(
        "precision", precision, Steps, "precision", without_encoder,
        "Numbers that trained layers multiply"
    )],
    optimizer => [entry!(
        "optimizer", optimizer, Steps, "optimizer", without_training,
        "The rule that turns gradients into steps"
    )],
    lr_encoder => [entry!(
        "lr_encoder", lr_encoder, Steps, "encoder rate", without_encoder,
        "Peak learning rate of the encoder's top layer"
    )],
    lr_heads => [entry!(
        "lr_heads", lr_heads, Steps, "heads' rate", without_training,
        "Peak learning rate of the heads"
    )],
    layer_decay => [entry!(
        "layer_decay", layer_decay, Steps, "decay per layer", without_encoder,
        "Each layer's rate is that of the layer above times this"
    )],
    weight_decay => [entry!(
        "weight_decay", weight_decay, Guards, "weight decay",
        |recipe, around| without_training(recipe, around).or((recipe.optimizer != OptimizerKind::AdamW)
            .then_some("This optimizer is used without weight decay: choose AdamW")),
        "How strongly weights are shrunk each step; biases and norms are not"
    )],
    decay => [entry!(
        "decay", decay, Steps, "after the warm-up", without_training,
        "How the rate moves from its peak"
    )],
    warmup => [entry!(
        "warmup", warmup, Steps, "warm-up", without_training,
        "Part of the run during which the rate rises from zero"
    )],
    clip_norm => [entry!(
        "clip_norm", clip_norm, Guards, "clip gradients at", without_training,
        "Longest gradient of all parameters together; a longer one is scaled down"
    )],
    ema => [entry!(
        "ema", ema, Keeps, "average of the weights", without_training,
        "Decay of a moving average of the weights, which is then measured and kept"
    )],
    watch => [
        entry!(
            "watch", watch.figure, Keeps, "keep the best by", without_training,
            "The figure that chooses the kept epoch; each task's headline figure where none is named"
        ),
        entry!(
            "watch_task", watch.task, Keeps, "keep the best of", without_training,
            "The task whose figure it is; the mean over all tasks where none is named"
        ),
    ],
    patience => [entry!(
        "patience", patience, Keeps, "end early after", without_training,
        "Epochs without an improvement after which the run ends"
    )],
    weighting => [entry!(
        "weighting", weighting, Guards, "losses of the tasks", without_training,
        "Their sum by set weights, or by weights that are learnt"
    )],
    tasks => [],
    head_dropout => [entry!(
        "head_dropout", head_dropout, Guards, "dropout before heads", without_training,
        "Share of the embedding's values that is zeroed while a head trains"
    )],
    encoder_dropout => [entry!(
        "encoder_dropout", encoder_dropout, Guards, "dropout in the encoder", without_encoder,
        "Dropout inside layers that train; the model's own where none is set"
    )],
    seed => [entry!(
        "seed", seed, Steps, "seed", always,
        "Fixes everything random"
    )],
}

table! {
    /// The settings of a task.
    TASK of TaskSettings:
    weight => [entry!(
        "weight", weight, Task, "weight",
        |recipe, around| without_training(recipe, around).or((recipe.weighting == Weighting::Uncertainty)
            .then_some("The weights of the tasks are learnt")),
        "What the task's loss is multiplied by"
    )],
    balance_classes => [entry!(
        "balance_classes", balance_classes, Task, "balanced classes", without_classes,
        "Weighs classes against how often they occur"
    )],
    label_smoothing => [entry!(
        "label_smoothing", label_smoothing, Task, "label smoothing", without_classes,
        "Part of the target that is spread over all classes"
    )],
    hidden_units => [entry!(
        "hidden_units", hidden_units, Task, "hidden units",
        |_, around| around.kind.is_some_and(|kind| !kind.has_head())
            .then_some("Tasks on pairs have no head"),
        "Units of a hidden layer before the logits; none for a linear head"
    )],
}

const fn always(_: &Recipe, _: Around) -> Option<&'static str> {
    None
}

fn own_phases(recipe: &Recipe, _: Around) -> Option<&'static str> {
    (!recipe.phases.is_empty()).then_some("Your own phases stand in place of the preset's")
}

fn without_training(recipe: &Recipe, _: Around) -> Option<&'static str> {
    recipe.trains_nothing().then_some("Nothing trains with this preset")
}

fn without_encoder(recipe: &Recipe, around: Around) -> Option<&'static str> {
    let frozen = recipe.phases.is_empty() && recipe.preset == Preset::FreezeBackbone;
    without_training(recipe, around)
        .or_else(|| frozen.then_some("The encoder does not train with this preset"))
}

fn without_adapters(recipe: &Recipe, around: Around) -> Option<&'static str> {
    without_encoder(recipe, around)
        .or_else(|| (!recipe.uses_lora()).then_some("Only adapters have these: choose LoRA"))
}

fn without_classes(recipe: &Recipe, around: Around) -> Option<&'static str> {
    let classless = around.kind.is_some_and(|kind: TaskKind| !kind.has_classes());
    without_training(recipe, around).or_else(|| classless.then_some("The task has no classes"))
}

/// Whether the embeddings train from the first step to the last.
fn nothing_below(recipe: &Recipe) -> bool {
    let whole =
        matches!(recipe.preset, Preset::Full | Preset::FreezeHead) && recipe.part != ParamFilter::Lora;
    recipe.phases.is_empty() && whole
}
