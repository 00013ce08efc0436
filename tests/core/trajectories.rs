//! Training is equal to `PyTorch`: recorded runs of 20 steps, repeated step by step by the real loop's own step.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use frostline::model::Model;
use frostline::model::files::safetensors::read_all;
use frostline::model::summary::Group;
use frostline::train::cache::Prefix;
use frostline::train::optim::{Kernel, Optimizer};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::{Decay, OptimizerKind, Recipe, TaskSettings, Weighting};
use frostline::train::plan::schedule::rate_factor;
use frostline::train::plan::{Phase, Thaw, Until};
use frostline::train::run::metric_queue::StepRate;
use frostline::train::run::step::Stepper;
use tch::{Kind, Tensor};

use crate::support::recorded::{BATCH, STEPS, TASKS, fixtures, model, own_names, plan, rows};

/// What a recorded freeze plan trains at a step.
fn phase(freeze: &str, step: usize, lr: f64) -> Phase {
    let on = Thaw::whole(lr);
    let all = Phase {
        name: freeze.into(),
        embeddings: on,
        layers: vec![on; 3],
        heads: vec![on; 2],
        loss_weights: lr,
        epochs: 1,
        until: Until::Epochs,
    };
    let backbone = Phase { embeddings: Thaw::Frozen, layers: vec![Thaw::Frozen; 3], ..all.clone() };
    match freeze {
        "backbone" => backbone,
        "head_b" => Phase { heads: vec![on, Thaw::Frozen], ..all },
        "gradual" if step < 5 => backbone,
        "gradual" if step < 10 => Phase { layers: vec![Thaw::Frozen, Thaw::Frozen, on], ..backbone },
        "refreeze" if (7..14).contains(&step) => backbone,
        "none" | "gradual" | "refreeze" => all,
        other => panic!("no such freeze plan: {other}"),
    }
}

fn close(what: &str, ours: f64, recorded: f64) {
    assert!(
        (ours - recorded).abs() <= 1e-4 * recorded.abs().max(1.0),
        "{what}: {ours}, PyTorch has {recorded}"
    );
}

/// On the CPU's one pass over memory, and on what a GPU is told to do.
fn repeat(variant: &str) {
    for pass in [Kernel::Memory, Kernel::Queued] {
        repeat_by(variant, pass);
    }
}

fn repeat_by(variant: &str, pass: Kernel) {
    let path = fixtures().join(format!("{variant}.json"));
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a record")).expect("a record in JSON");
    let settings = &record["variant"];
    let lr = settings["lr"].as_f64().expect("a rate");
    let decay = match settings["schedule"].as_str().expect("a schedule") {
        "linear_warmup_decay" => Decay::Linear,
        "constant" => Decay::Constant,
        other => panic!("no such schedule: {other}"),
    };
    let warmup = if decay == Decay::Linear { 4 } else { 0 };
    let kind = match settings["optimizer"].as_str().expect("an optimizer") {
        "adam" => OptimizerKind::Adam,
        "adamw" => OptimizerKind::AdamW,
        "sgd" => OptimizerKind::Sgd,
        other => panic!("no such optimizer: {other}"),
    };
    let task_settings = |(task, index): (&&str, usize)| {
        let weight = settings["task_weights"][index].as_f64().unwrap_or(1.0);
        ((*task).to_owned(), TaskSettings { weight, ..TaskSettings::default() })
    };
    let recipe = Recipe {
        preset: Preset::Full,
        optimizer: kind,
        lr_encoder: lr,
        lr_heads: lr,
        batch_size: BATCH,
        weight_decay: settings["weight_decay"].as_f64().unwrap_or(0.0),
        clip_norm: settings["clip"].as_f64(),
        head_dropout: 0.0,
        encoder_dropout: Some(0.0),
        max_length: 48,
        weighting: match settings["weighting"].as_str() {
            Some("uncertainty") => Weighting::Uncertainty,
            _ => Weighting::Fixed,
        },
        tasks: TASKS.iter().zip(0..).map(task_settings).collect(),
        ..Recipe::default()
    };
    let (mut model, rows) = (model(), rows(settings["missing_labels"] == true));
    let plan = plan(variant, &recipe, &model, &rows);
    // The loop works on a cut vocabulary whenever embeddings train, so its parity is part of the promise.
    let used: Vec<u32> = (0..rows.len()).flat_map(|row| rows.tokens.ids(row).to_vec()).collect();
    let cut = model.cut_vocabulary(used).expect("a cut vocabulary");
    let mut unused = 1.0;

    model.start_loss_weights(&plan).expect("weights of the losses");
    let mut optimizer = Optimizer::new(kind, pass);
    let stepper = Stepper::new(&plan, &model, &rows).expect("a stepper");
    for step in 0..STEPS {
        let phase = phase(settings["freeze"].as_str().expect("a freeze plan"), step, lr);
        stepper.thaw(&phase);
        let factor = rate_factor(step, STEPS, warmup, decay);
        let batches = [(step * BATCH..(step + 1) * BATCH).map(|row| row as u32).collect::<Vec<u32>>()];
        let at = StepRate { step, factor };
        let done = stepper.step(&mut optimizer, &phase, &Prefix::None, &batches, at).expect("a step");
        let point = done.read(&plan).expect("losses that are numbers");
        let recorded = &record["steps"][step];
        let number = |value: &serde_json::Value| value.as_f64().expect("a number");
        close("rate", lr * factor, number(&recorded["lr"]));
        close(&format!("{variant} step {step} loss"), point.loss, number(&recorded["total"]));
        close(
            &format!("{variant} step {step} norm"),
            point.grad_norm,
            number(&recorded["grad_norm_before_clip"]),
        );
        for (task, score) in TASKS.iter().zip(&point.tasks) {
            match recorded["loss"][task].as_f64() {
                Some(loss) => close(&format!("{variant} step {step} {task}"), score.loss, loss),
                None => assert_eq!(score.rows, 0, "{variant} step {step}: {task} has no label in the batch"),
            }
            if let Some(log_var) = recorded["log_var_after"][task].as_f64() {
                let ours = model.params.get(&format!("log_var.{task}")).expect("a weight").double_value(&[]);
                close(&format!("{variant} step {step} log variance of {task}"), ours, log_var);
            }
        }
        if kind == OptimizerKind::AdamW && phase.embeddings != Thaw::Frozen {
            unused *= 1.0 - lr * factor * recipe.weight_decay;
        }
    }
    model.restore_vocabulary(cut, unused).expect("the full vocabulary");
    compare_end(variant, &model, &record, lr);
}

fn compare_end(variant: &str, model: &Model, record: &serde_json::Value, lr: f64) {
    let path = fixtures().join(format!("final/{variant}.safetensors"));
    let recorded = own_names(read_all(&path).expect("the end"));
    let start = own_names(read_all(&fixtures().join("initial.safetensors")).expect("the start"));
    let value = |list: &[(String, Tensor)], name: &str| {
        list.iter().find(|(known, _)| known == name).expect("a recorded tensor").1.shallow_clone()
    };
    let unmoved: Vec<&str> =
        record["unmoved_tensors"].as_array().expect("a list").iter().filter_map(|n| n.as_str()).collect();
    for param in
        model.params.iter().filter(|param| !matches!(param.group, Group::Unused | Group::LossWeight(_)))
    {
        let ours = param.tensor.detach();
        let off = (&ours - value(&recorded, &param.name)).abs();
        let furthest = off.max().double_value(&[]);
        let far = off.gt(1e-5).sum(Kind::Int64).int64_value(&[]) as f64 / ours.numel() as f64;
        // Softmax does not see a constant added to every score: the key bias has no gradient but rounding noise,
        // which Adam blows up; it is bounded by the sum of the rates.
        // Adam moves a weight by the rate times g / (|g| + 1e-8): where a gradient is as small as rounding noise,
        // float order decides the step. Where the reference itself (float32 against float64) has such weights, one in
        // 500 may be further off than 1e-5, and none by more than a tenth of a step.
        let noise =
            record["numeric_noise_of_the_reference_itself"]["final_params_except_k_lin_bias"].as_f64();
        if param.name.ends_with("k_lin.bias") {
            assert!(furthest <= lr * STEPS as f64, "{variant}: {} is {furthest} off", param.name);
        } else if noise.expect("the reference's noise") <= 1e-5 {
            assert!(furthest <= 1e-5, "{variant}: {} is {furthest} off", param.name);
        } else {
            assert!(furthest <= lr / 10.0, "{variant}: {} is {furthest} off", param.name);
            assert!(far <= 0.002, "{variant}: {far} of {} is off", param.name);
        }
        let full_name = if param.name.starts_with("heads.") {
            param.name.clone()
        } else {
            format!("backbone.{}", param.name)
        };
        let same = ours.equal(&value(&start, &param.name));
        if unmoved.contains(&full_name.as_str()) {
            assert!(same, "{variant}: {full_name} moved though it was frozen");
        } else {
            assert!(!same, "{variant}: {full_name} did not move");
        }
    }
}

macro_rules! trajectories {
    ($($test:ident = $variant:literal;)*) => {$(
        #[test]
        fn $test() {
            repeat($variant);
        }
    )*};
}

trajectories! {
    adam_full = "adam_lr1e-3__none";
    adam_full_low_rate = "adam_lr2e-5__none";
    adam_frozen_backbone = "adam_lr1e-3__backbone";
    adam_frozen_head = "adam_lr1e-3__head_b";
    adam_gradual = "adam_lr1e-3__gradual";
    adam_constant_without_clipping = "adam_lr1e-3__constant_noclip";
    adam_clipped_now_and_then = "adam_lr1e-3__clip6";
    adamw_full = "adamw_lr1e-3__none";
    adamw_full_low_rate = "adamw_lr2e-5__none";
    adamw_frozen_backbone = "adamw_lr1e-3__backbone";
    adamw_frozen_head = "adamw_lr1e-3__head_b";
    adamw_gradual = "adamw_lr1e-3__gradual";
    adamw_gradual_low_rate = "adamw_lr2e-5__gradual";
    adamw_frozen_again = "adamw_lr1e-3__refreeze";
    adamw_missing_labels_and_task_weights = "adamw_lr1e-3__missing_weighted";
    adamw_uncertainty_weighting = "adamw_lr1e-3__uncertainty";
    adamw_uncertainty_weighting_with_missing_labels = "adamw_lr1e-3__missing_uncertainty";
    adam_low_rate_frozen_backbone = "adam_lr2e-5__backbone";
    adam_low_rate_frozen_head = "adam_lr2e-5__head_b";
    adam_low_rate_gradual = "adam_lr2e-5__gradual";
    adamw_low_rate_frozen_backbone = "adamw_lr2e-5__backbone";
    adamw_low_rate_frozen_head = "adamw_lr2e-5__head_b";
    sgd_clipped_now_and_then = "sgd_lr2e-2__clip4";
}
