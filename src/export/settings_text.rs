//! A recipe in words, for the model card.

use crate::format::markdown;
use crate::model::lora::Lora;
use crate::train::plan::recipe::{
    Decay, OptimizerKind, Precision, Recipe, Sampling, TaskSettings, Weighting,
};
use crate::train::plan::settings::{Around, RECIPE};
use crate::train::plan::{ParamFilter, RunPlan};

/// The recipe of a run in sentences, for people who would repeat it by other means.
pub(super) fn settings_text(plan: &RunPlan) -> String {
    let recipe = &plan.recipe;
    let optimizer = match recipe.optimizer {
        OptimizerKind::Adam => "Adam",
        OptimizerKind::AdamW => "AdamW",
        OptimizerKind::Sgd => "SGD",
    };
    let decay = match recipe.decay {
        Decay::Constant => "constant afterwards",
        Decay::Linear => "then linear decay to 0",
        Decay::Cosine => "then cosine decay to 0",
    };
    let clipping = match recipe.clip_norm {
        Some(norm) => format!("gradients clipped to a global norm of {norm}"),
        None => "no gradient clipping".into(),
    };
    let encoder_dropout = recipe.encoder_dropout.map_or("the model's own".into(), |p| p.to_string());
    let steps = match recipe.accumulate {
        0 | 1 => String::new(),
        count => format!(", {count} of them to a step"),
    };
    // Phases of the user's own have epochs of their own.
    let epochs = match plan.epochs() {
        1 => "1 epoch".to_owned(),
        count => format!("{count} epochs"),
    };
    let weight_decay = match recipe.optimizer {
        OptimizerKind::AdamW => format!(", weight decay {}", recipe.weight_decay),
        OptimizerKind::Adam | OptimizerKind::Sgd => String::new(),
    };
    let text = format!(
        "{losses}; {optimizer}, batches of {batch}{steps}, {epochs}{weight_decay}; warm-up over {warmup} % of the steps, {decay}; {clipping}; dropout {head} \
         before the heads, {encoder_dropout} in trained layers; frozen parts run without dropout. Seed {seed}.",
        batch = recipe.batch_size,
        warmup = (recipe.warmup * 1000.0).round() / 10.0,
        head = recipe.head_dropout,
        losses = losses(recipe),
        seed = recipe.seed,
    );
    [vec![text], further(recipe)].concat().join(" ")
}

/// How the losses become one.
fn losses(recipe: &Recipe) -> String {
    let weighing = match recipe.weighting {
        Weighting::Uncertainty => {
            "with weights learnt from each task's uncertainty (Kendall et al. 2018)".into()
        }
        Weighting::Fixed => {
            let weight = |(task, settings): (&String, &TaskSettings)| {
                (settings.weight != 1.0)
                    .then(|| format!("{} for {}", settings.weight, markdown::inline(task)))
            };
            let weights: Vec<String> = recipe.tasks.iter().filter_map(weight).collect();
            if weights.is_empty() {
                "with equal weights".to_owned()
            } else {
                format!("with weights of {} and 1 for others", weights.join(", "))
            }
        }
    };
    format!("Each task's loss averaged over its labelled rows, summed over the tasks {weighing}")
}

/// Whether a setting has an effect with the others as they are.
fn is_in_force(key: &str, recipe: &Recipe) -> bool {
    let setting = RECIPE.iter().find(|setting| setting.key == key);
    setting.is_some_and(|setting| setting.idle_because(recipe, Around::default()).is_none())
}

/// What is not as it is by default.
fn further(recipe: &Recipe) -> Vec<String> {
    let mut said = Vec::new();
    if recipe.uses_lora() {
        let Lora { rank, alpha, targets } = recipe.lora;
        said.push(format!(
            "The encoder's layers were trained through low-rank adapters (LoRA, rank {rank}, alpha {alpha}, beside: \
             {}), which are merged into the weights.",
            targets.key()
        ));
    }
    // Phases of the user's own say it each for itself.
    match recipe.part {
        _ if !recipe.phases.is_empty() => {}
        ParamFilter::Biases => said.push("Of the thawed layers, biases alone were trained (BitFit).".into()),
        ParamFilter::Norms => said.push("Of the thawed layers, LayerNorms alone were trained.".into()),
        ParamFilter::All | ParamFilter::Lora => {}
    }
    match recipe.sampling {
        Sampling::Proportional => {}
        Sampling::Temperature(t) => {
            said.push(format!("Rows were drawn from the files at a temperature of {t}."));
        }
        Sampling::RoundRobin => said.push("Batches were drawn from the files by turns.".into()),
    }
    if recipe.precision == Precision::Bfloat16 && is_in_force("precision", recipe) {
        said.push(
            "Trained layers multiplied bfloat16 numbers; weights, optimiser and losses were float32.".into(),
        );
    }
    if recipe.half_cache && is_in_force("half_cache", recipe) {
        said.push("Token states below the lowest thawed layer were kept as float16.".into());
    }
    if let Some(decay) = recipe.ema {
        said.push(format!("What is kept is a moving average of the weights, with a decay of {decay}."));
    }
    if let Some(patience) = recipe.patience {
        said.push(format!("The run was to end after {patience} epochs without an improvement."));
    }
    for (task, settings) in &recipe.tasks {
        let mut parts = Vec::new();
        if settings.balance_classes {
            parts.push("classes weighed against how often they occur".to_owned());
        }
        if settings.label_smoothing > 0.0 {
            parts.push(format!("label smoothing of {}", settings.label_smoothing));
        }
        if let Some(units) = settings.hidden_units {
            parts.push(format!("a hidden layer of {units} units with tanh"));
        }
        if !parts.is_empty() {
            said.push(format!("The task {}: {}.", markdown::inline(task), parts.join(", ")));
        }
    }
    said
}
