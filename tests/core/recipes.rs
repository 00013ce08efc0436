//! What a recipe promises, run through the session on a tiny model: which parameters move, which weights are kept, when
//! a run ends.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::fmt::Write as _;

use frostline::data::dataset::Split;
use frostline::model::files::safetensors::read_all;
use frostline::model::lora::{Lora, LoraTargets};
use frostline::project::DataFile;
use frostline::session::command::Command;
use frostline::session::state::{Loadable, RunOutcome, RunView, Severity};
use frostline::train::plan::monitor::Monitor;
use frostline::train::plan::phase_spec::{HeadSet, PhaseSpec};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::{OptimizerKind, Recipe, TaskSettings, Weighting};
use frostline::train::plan::{ParamFilter, Until};
use tch::{Kind, Tensor};

use crate::support::tiny_run::{place, recipe, report};

/// Names of the tensors that a run moved; each must be one that its plan trains, and all of these must have moved.
fn moved(run: &RunView) -> Vec<String> {
    let report = report(run);
    for change in &report.changes {
        assert_eq!(change.changed, change.planned, "{}", change.name);
    }
    report.changes.iter().filter(|change| change.changed).map(|change| change.name.clone()).collect()
}

fn kept(run: &RunView) -> Vec<(String, Tensor)> {
    let mut named = read_all(&run.dir.join("checkpoints/best.safetensors")).expect("the kept weights");
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    named
}

fn with_phases(phases: Vec<PhaseSpec>) -> Recipe {
    Recipe { phases, ..recipe(Preset::Full) }
}

#[test]
fn a_phase_moves_exactly_the_layers_and_heads_that_it_names() {
    let phase = PhaseSpec {
        layers: "0, 2".parse().expect("layers"),
        heads: HeadSet::Only(vec!["mood".into()]),
        epochs: 2,
        ..PhaseSpec::default()
    };
    let run = place("bert", with_phases(vec![phase])).train();
    let moved = moved(&run);
    assert!(!moved.is_empty());
    for name in &moved {
        let wanted = name.starts_with("encoder.layer.0.")
            || name.starts_with("encoder.layer.2.")
            || name.starts_with("heads.mood.");
        assert!(wanted, "{name}");
    }
    assert_eq!(moved.len(), 16 + 16 + 2);
}

#[test]
fn biases_alone_and_norms_alone_train() {
    for (part, wanted) in [(ParamFilter::Biases, "bias"), (ParamFilter::Norms, "LayerNorm")] {
        let run = place("bert", Recipe { part, ..recipe(Preset::Full) }).train();
        let moved = moved(&run);
        let encoder: Vec<&String> = moved.iter().filter(|name| !name.starts_with("heads.")).collect();
        assert!(encoder.len() > 6, "{encoder:?}");
        for name in encoder {
            assert!(name.contains(wanted), "{part:?} moved {name}");
        }
        assert_eq!(moved.iter().filter(|name| name.starts_with("heads.")).count(), 4, "heads train whole");
    }
}

#[test]
fn adapters_train_beside_frozen_weights_and_are_merged_on_export() {
    let lora = Lora { rank: 2, alpha: 8.0, targets: LoraTargets::QueryValue };
    let mut recipe = Recipe { part: ParamFilter::Lora, lora, ..recipe(Preset::Full) };
    recipe.lr_encoder = 1e-2;
    let mut place = place("bert", recipe);
    let run = place.train();
    let moved = moved(&run);
    let adapters = moved.iter().filter(|name| name.contains("lora_")).count();
    // Two matrices for query and value of each of 3 layers, and the heads.
    assert_eq!((adapters, moved.len()), (12, 12 + 4), "{moved:?}");
    let to = place.dir.path().join("exported");
    place.session.send(Command::Export(to.clone()));
    place.settle();
    let export = place.session.state().export.ready().cloned();
    let export = export.unwrap_or_else(|| panic!("{:?}", place.session.state().export));
    assert!(export.max_difference < 1e-5, "{export:?}");
    let written = read_all(&to.join("model.safetensors")).expect("weights");
    assert!(written.iter().all(|(name, _)| !name.contains("lora")), "adapters are merged");
    // W + alpha / r * B A, reckoned here from what the run kept.
    let kept = kept(&run);
    let find = |list: &[(String, Tensor)], wanted: &str| {
        let found = list.iter().find(|(name, _)| name == wanted);
        found.unwrap_or_else(|| panic!("no {wanted}")).1.shallow_clone()
    };
    let name = "encoder.layer.1.attention.self.query";
    let product = find(&kept, &format!("{name}.lora_B")).matmul(&find(&kept, &format!("{name}.lora_A")));
    let wanted = find(&kept, &format!("{name}.weight")) + product * 4.0;
    let off = (find(&written, &format!("{name}.weight")) - wanted).abs().max().double_value(&[]);
    assert!(off < 1e-6, "the merged weight is {off} off");
}

/// With missing labels, weights of classes, smoothing and dropout.
#[test]
fn gradients_of_small_batches_add_up_to_those_of_a_large_one() {
    let settings = TaskSettings { balance_classes: true, label_smoothing: 0.1, ..TaskSettings::default() };
    let base = Recipe {
        head_dropout: 0.1,
        encoder_dropout: Some(0.1),
        optimizer: OptimizerKind::Sgd,
        lr_encoder: 0.05,
        lr_heads: 0.05,
        epochs: 1,
        tasks: ["topic", "mood"].map(|task| (task.to_owned(), settings.clone())).into(),
        ..recipe(Preset::Full)
    };
    let mut weights = Vec::new();
    for (batch_size, accumulate) in [(21, 1), (7, 3)] {
        let mut place = place("bert", Recipe { batch_size, accumulate, ..base.clone() });
        let run = place.train();
        assert_eq!(run.outcome, Some(RunOutcome::Finished));
        weights.push((run.plan.steps_per_epoch, run.plan.train_rows, kept(&run)));
    }
    let [(steps, rows, whole), (accumulated_steps, _, accumulated)] = &weights[..] else { panic!() };
    assert_eq!(steps, accumulated_steps);
    assert_eq!(rows % 21, 0, "{rows} rows make no whole number of batches: the last step would differ");
    for ((name, a), (_, b)) in whole.iter().zip(accumulated) {
        let off = (a - b).abs().max().double_value(&[]);
        assert!(off < 2e-6, "{name} is {off} off");
    }
}

/// Words tell the classes apart, of which one is common and one is rare: balancing them or smoothing labels must not hide
/// what can be learnt, and doing both must not either.
#[test]
fn balanced_classes_and_smoothed_labels_learn_what_is_there_alone_and_together() {
    let mut text = String::from("text,topic\n");
    for row in 0..200 {
        let (words, class) = match row {
            0..180 => ("the train was cancelled", "common"),
            180..199 => ("my account starts tomorrow", "seldom"),
            _ => ("this recipe was wonderful", "rare"),
        };
        writeln!(text, "{words},{class}").expect("memory");
    }
    let learnt = |balance_classes, label_smoothing| {
        let settings = TaskSettings { balance_classes, label_smoothing, ..TaskSettings::default() };
        let recipe = Recipe {
            epochs: 6,
            lr_heads: 0.05,
            tasks: [("topic".to_owned(), settings)].into(),
            ..recipe(Preset::FreezeBackbone)
        };
        let mut place = place("bert", recipe);
        let data = place.dir.path().join("data.csv");
        std::fs::write(&data, &text).expect("rows");
        let mut draft = place.session.state().project.clone();
        draft.files = vec![DataFile::new(data)];
        (draft.valid_fraction, draft.test_fraction) = (0.0, 0.0);
        draft.save(&place.home()).expect("the project file");
        place.session.send(Command::OpenProject(place.home()));
        place.settle();
        let run = place.train();
        let figures = &report(&run).metrics[0];
        assert_eq!((figures.0, figures.1[0].rows), (Split::Train, 200), "{:?}", place.errors());
        figures.1[0].accuracy
    };
    for (balance, smoothing) in [(false, 0.0), (true, 0.0), (false, 0.2), (true, 0.2)] {
        let accuracy = learnt(balance, smoothing);
        assert!(accuracy > 0.98, "balanced: {balance}, smoothed: {smoothing}: {accuracy}");
    }
}

#[test]
fn weights_of_classes_are_capped_and_the_run_names_them() {
    let settings = TaskSettings { balance_classes: true, ..TaskSettings::default() };
    let recipe = Recipe {
        epochs: 1,
        tasks: [("topic".to_owned(), settings)].into(),
        ..recipe(Preset::FreezeBackbone)
    };
    let mut place = place("bert", recipe);
    let data = place.dir.path().join("data.csv");
    let common = "the train was cancelled,common\n".repeat(450);
    std::fs::write(&data, format!("text,topic\n{common}my account starts,rare\n")).expect("rows");
    let mut draft = place.session.state().project.clone();
    draft.files = vec![DataFile::new(data)];
    (draft.valid_fraction, draft.test_fraction) = (0.0, 0.0);
    draft.save(&place.home()).expect("the project file");
    place.session.send(Command::OpenProject(place.home()));
    place.settle();
    place.train();
    let warnings = place.session.state().notices.iter().filter(|notice| notice.severity == Severity::Warning);
    let warnings: Vec<&str> = warnings.map(|notice| notice.text.as_str()).collect();
    let wanted = "balancing the classes of task \"topic\": weights are capped at 100: \"rare\" (225.5)";
    assert!(warnings.contains(&wanted), "{warnings:?}");
}

#[test]
fn the_average_of_the_weights_is_what_is_kept() {
    let base = Recipe { epochs: 1, ..recipe(Preset::FreezeBackbone) };
    // With a decay next to 0 the average is the last weights; with one next to 1 it stays at the start.
    let learnt = |ema| {
        let mut place = place("bert", Recipe { ema, ..base.clone() });
        kept(&place.train())
    };
    let (plain, follows, between) = (learnt(None), learnt(Some(1e-9)), learnt(Some(0.5)));
    let distance = |a: &[(String, Tensor)], b: &[(String, Tensor)]| -> f64 {
        let square = |((_, a), (_, b)): (&(String, Tensor), &(String, Tensor))| {
            (a - b).square().sum(Kind::Double).double_value(&[])
        };
        a.iter().zip(b).map(square).sum()
    };
    assert!(distance(&plain, &follows) < 1e-10);
    assert!(distance(&plain, &between) > 1e-8, "the average lags behind");
}

#[test]
fn a_run_ends_early_where_nothing_gets_better() {
    let mut recipe = Recipe { patience: Some(2), epochs: 50, ..recipe(Preset::FreezeBackbone) };
    recipe.lr_heads = 1e-12; // nothing moves
    let run = place("bert", recipe).train();
    assert_eq!(run.outcome, Some(RunOutcome::Finished));
    assert!(run.epochs.len() <= 5, "{} epochs", run.epochs.len());
}

#[test]
fn a_plateau_ends_a_phase_and_steps_end_another() {
    let first = PhaseSpec {
        name: "until steps".into(),
        layers: "none".parse().expect("layers"),
        epochs: 5,
        until: Until::Steps(7),
        ..PhaseSpec::default()
    };
    let second = PhaseSpec {
        name: "until a plateau".into(),
        layers: "none".parse().expect("layers"),
        epochs: 40,
        lr_heads: Some(1e-12),
        until: Until::Plateau { patience: 2 },
        ..PhaseSpec::default()
    };
    let run = place("bert", with_phases(vec![first, second])).train();
    assert_eq!(run.outcome, Some(RunOutcome::Finished));
    let of_second: Vec<_> = run.epochs.iter().filter(|epoch| epoch.phase == 1).collect();
    assert!((2..=6).contains(&of_second.len()), "{} epochs at a plateau", of_second.len());
    let steps_of_first = run.epochs.iter().filter(|epoch| epoch.phase == 0).map(|epoch| epoch.step).max();
    assert_eq!(steps_of_first, Some(7));
}

#[test]
fn learnt_weights_of_the_losses_train_and_stay_in_the_run() {
    let recipe = Recipe { weighting: Weighting::Uncertainty, ..recipe(Preset::Full) };
    let mut place = place("bert", recipe);
    let run = place.train();
    let moved = moved(&run);
    assert_eq!(moved.iter().filter(|name| name.starts_with("log_var.")).count(), 2, "{moved:?}");
    place.session.send(Command::ShowRun(run.plan.name.clone()));
    place.session.send(Command::Export(place.dir.path().join("exported")));
    place.settle();
    assert!(matches!(place.session.state().export, Loadable::Ready(_)), "{:?}", place.session.state().export);
}

#[test]
fn a_loss_that_is_not_a_number_stops_the_run_and_names_what_is_left() {
    let recipe = Recipe {
        optimizer: OptimizerKind::Sgd,
        lr_encoder: 1e18,
        lr_heads: 1e18,
        warmup: 0.0,
        clip_norm: None,
        epochs: 3,
        ..recipe(Preset::Full)
    };
    let mut place = place("bert", recipe);
    place.session.checkpoint_every(std::time::Duration::ZERO);
    let run = place.train();
    let Some(RunOutcome::Failed(reason)) = &run.outcome else { panic!("{:?}", run.outcome) };
    assert!(reason.contains("step ") && reason.contains("last good checkpoint"), "{reason}");
    assert!(["topic", "mood", "all"].iter().any(|task| reason.contains(task)), "{reason}");
    assert!(run.dir.join("checkpoints/last.safetensors").is_file());
}

#[test]
fn settings_of_a_task_change_what_is_learnt() {
    let base = Recipe { epochs: 1, ..recipe(Preset::FreezeBackbone) };
    let learnt = |recipe: &Recipe| {
        let mut place = place("bert", recipe.clone());
        let run = place.train();
        assert_eq!(run.outcome, Some(RunOutcome::Finished), "{recipe:?}");
        std::fs::read(run.dir.join("checkpoints/best.safetensors")).expect("the kept weights")
    };
    let plain = learnt(&base);
    let topic =
        |settings: TaskSettings| Recipe { tasks: [("topic".to_owned(), settings)].into(), ..base.clone() };
    for recipe in [
        topic(TaskSettings { weight: 0.5, ..TaskSettings::default() }),
        topic(TaskSettings { label_smoothing: 0.2, ..TaskSettings::default() }),
        topic(TaskSettings { hidden_units: Some(6), ..TaskSettings::default() }),
    ] {
        assert!(learnt(&recipe) != plain, "{recipe:?} made no difference");
    }
}

#[test]
fn the_watched_figure_chooses_the_kept_epoch() {
    let base = Recipe { epochs: 6, lr_heads: 0.2, ..recipe(Preset::FreezeBackbone) };
    let watch = |figure: &str| Monitor { task: Some("topic".into()), figure: Some(figure.into()) };
    let run = place("bert", Recipe { watch: watch("loss"), ..base }).train();
    let best = run.epochs.iter().rev().find(|epoch| epoch.best).expect("a best epoch");
    let lowest = run.epochs.iter().map(|epoch| epoch.valid[0].loss).fold(f64::INFINITY, f64::min);
    assert!(
        (best.valid[0].loss - lowest).abs() < 1e-12,
        "kept {}, the lowest is {lowest}",
        best.valid[0].loss
    );
}

#[test]
fn states_kept_as_float16_train_nearly_the_same() {
    let phase = PhaseSpec { layers: "top 1".parse().expect("layers"), epochs: 2, ..PhaseSpec::default() };
    let learnt = |half_cache| {
        let recipe = Recipe { half_cache, optimizer: OptimizerKind::Sgd, ..with_phases(vec![phase.clone()]) };
        let mut place = place("bert", recipe);
        kept(&place.train())
    };
    let (exact, half) = (learnt(false), learnt(true));
    let furthest = exact
        .iter()
        .zip(&half)
        .map(|((_, a), (_, b))| (a - b).abs().max().double_value(&[]))
        .fold(0.0, f64::max);
    assert!(furthest > 0.0 && furthest < 1e-3, "{furthest}");
}
