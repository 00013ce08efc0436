//! Training is equal to `PyTorch` for every kind of task, loss, cut of a step, frozen part and average: runs recorded
//! by `tests/fixtures/trajectories/make.py`, repeated step by step.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use frostline::model::files::safetensors::read_all;
use frostline::model::summary::Group;
use frostline::train::cache::{self, Budget, Depth, Prefix};
use frostline::train::examples::Examples;
use frostline::train::metrics::StepPoint;
use frostline::train::optim::{Kernel, Optimizer};
use frostline::train::plan::recipe::OptimizerKind;
use frostline::train::plan::schedule::rate_factor;
use frostline::train::plan::{Phase, Thaw};
use frostline::train::run::checkpoint::Checkpointer;
use frostline::train::run::dispatch::Dispatch;
use frostline::train::run::fit::Fit;
use frostline::train::run::fit_event::FitEvent;
use frostline::train::run::metric_queue::StepRate;
use frostline::train::run::step::Stepper;
use tch::Tensor;

use crate::support::recorded_kinds::{ROWS, Recorded, STEPS, WARMUP, fixtures, number, recorded};

/// Ways to cut the 12 rows of a step into batches.
const CUTS: [&[usize]; 3] = [&[12], &[5, 4, 3], &[1, 8, 2, 1]];

/// What of the encoder is computed once, below its frost line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kept {
    Nothing,
    InMemory,
    OnDisk,
    Pooled,
}

fn close(what: &str, ours: f64, recorded: f64) {
    assert!(
        (ours - recorded).abs() <= 1e-4 * recorded.abs().max(1.0),
        "{what}: {ours}, PyTorch has {recorded}"
    );
}

fn prefix(run: &Recorded, phase: &Phase, kept: Kept) -> Prefix {
    let dir = tempfile::tempdir().expect("a folder");
    let depth = match kept {
        Kept::Nothing => return Prefix::None,
        Kept::Pooled => Depth::Pooled,
        Kept::InMemory | Kept::OnDisk => Depth::Layer(phase.frozen_prefix().expect("a frost line")),
    };
    let memory = if kept == Kept::OnDisk { 0 } else { 1 << 20 };
    let budget = Budget { memory, spill: Some(dir.path().to_owned()), ..Budget::default() };
    let stop = AtomicBool::new(false);
    let prefix = cache::build(&run.model, &run.rows, depth, &budget, &stop, &mut |_| {});
    let prefix = prefix.expect("states");
    match &prefix {
        Prefix::HiddenStates(states) => assert_eq!(states.is_on_disk(), kept == Kept::OnDisk),
        Prefix::Pooled(_) => assert_eq!(kept, Kept::Pooled),
        Prefix::None => panic!("nothing is kept"),
    }
    prefix
}

/// Repeats a run in every way that must come to the same: on the CPU's one pass over memory and on what a GPU is told
/// to do, with steps whole and cut.
fn repeat(name: &'static str, kept: Kept) {
    for cut in CUTS {
        for pass in [Kernel::Memory, Kernel::Queued] {
            repeat_by(name, kept, cut, pass);
        }
    }
}

fn repeat_by(name: &'static str, kept: Kept, cut: &[usize], pass: Kernel) {
    let mut run = recorded(name, cut.len());
    let [phase] = run.plan.phases.as_slice() else { panic!("{name}: one phase") };
    let phase = phase.clone();
    let prefix = prefix(&run, &phase, kept);
    let words = run.plan.tensors.iter().find(|tensor| tensor.name == run.model.family.words);
    let rate_of_words = words.and_then(|words| phase.rate(words));
    // The loop works on a cut vocabulary whenever embeddings train.
    let texts: Vec<u32> = (0..run.rows.texts() as u32).collect();
    let used = run.rows.text_ids(&texts).concat();
    let vocabulary =
        (phase.embeddings != Thaw::Frozen).then(|| run.model.cut_vocabulary(used).expect("a cut vocabulary"));
    let mut unused = 1.0;

    let mut optimizer = Optimizer::new(run.recipe.optimizer, pass);
    let stepper = Stepper::new(&run.plan, &run.model, &run.rows).expect("a stepper");
    stepper.thaw(&phase);
    for step in 0..STEPS {
        let factor = rate_factor(step, STEPS, WARMUP, run.recipe.decay);
        let mut row = (step * ROWS) as u32..;
        let batches: Vec<Vec<u32>> = cut.iter().map(|size| row.by_ref().take(*size).collect()).collect();
        let at = StepRate { step, factor };
        let done = stepper.step(&mut optimizer, &phase, &prefix, &batches, at).expect("a step");
        compare_step(&run, &format!("{name} {cut:?} step {step}"), &done.read(&run.plan).expect("numbers"));
        if let (OptimizerKind::AdamW, Some(lr)) = (run.recipe.optimizer, rate_of_words) {
            unused *= 1.0 - lr * factor * run.recipe.weight_decay;
        }
    }
    drop(stepper);
    if let Some(cut) = vocabulary {
        run.model.restore_vocabulary(cut, unused).expect("the full vocabulary");
    }
    compare_end(&run, &format!("{name} {cut:?}"));
}

fn compare_step(run: &Recorded, what: &str, point: &StepPoint) {
    let recorded = &run.record["steps"][point.step - 1];
    close(&format!("{what} rate"), run.recipe.lr_encoder * point.rate_factor, number(&recorded["rate"]));
    close(&format!("{what} loss"), point.loss, number(&recorded["total"]));
    close(&format!("{what} norm"), point.grad_norm, number(&recorded["norm"]));
    for (task, score) in run.tasks.iter().zip(&point.tasks) {
        let labels = recorded["labels"][task].as_u64().expect("a count") as usize;
        assert_eq!(score.rows, labels, "{what}: labels of {task}");
        if let Some(loss) = recorded["loss"][task].as_f64() {
            close(&format!("{what} {task}"), score.loss, loss);
        }
    }
}

/// Every parameter is where `PyTorch` has it, and exactly those moved that did there.
fn compare_end(run: &Recorded, what: &str) {
    let named = |file: String| -> Vec<(String, Tensor)> {
        let tensors = read_all(&fixtures().join(file)).expect("recorded weights");
        let own = |name: String| name.strip_prefix("backbone.").map(str::to_owned).unwrap_or(name);
        tensors.into_iter().map(|(name, tensor)| (own(name), tensor)).collect()
    };
    let end = named(format!("final/{}.safetensors", run.name));
    let family = run.record["variant"]["family"].as_str().expect("a family");
    let mut start = named(format!("{family}/model.safetensors"));
    start.extend(named(format!("{family}/heads.safetensors")));
    start.extend(named("distilbert/adapters.safetensors".into()));
    let find = |list: &[(String, Tensor)], name: &str| {
        list.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor.shallow_clone())
    };
    let mut compared = 0;
    for param in run.model.params.iter().filter(|param| param.group != Group::Unused) {
        let ours = param.tensor.detach();
        let Some(recorded) = find(&end, &param.name) else {
            let start = find(&start, &param.name).expect("a start");
            assert!(ours.equal(&start), "{what}: {} moved, and not in PyTorch", param.name);
            continue;
        };
        compared += 1;
        let off = (&ours - recorded).abs().max().double_value(&[]);
        // Softmax does not see a constant added to every score: the key bias has no gradient but rounding noise,
        // which Adam blows up; it is bounded by the sum of the rates.
        let is_noise = param.name.ends_with("k_lin.bias") || param.name.ends_with("key.bias");
        let allowed = if is_noise { run.recipe.lr_encoder * STEPS as f64 } else { 1e-5 };
        assert!(off <= allowed, "{what}: {} is {off} off", param.name);
    }
    assert_eq!(compared, end.len(), "{what}: every tensor that moves in PyTorch");
}

/// The loop itself, whose kept weights are the average where nothing chooses among them.
fn average(name: &'static str) {
    let mut run = recorded(name, 1);
    let dir = tempfile::tempdir().expect("a folder");
    let mut checkpointer = Checkpointer::new(dir.path(), Duration::from_hours(1));
    let (stop, mut points) = (AtomicBool::new(false), Vec::new());
    let report = &mut |event: FitEvent| {
        if let FitEvent::Step(point) = event {
            points.push(point);
        }
        Ok(())
    };
    let (train, valid, dispatch, checkpointer) =
        (&run.rows, &Examples::default(), Dispatch::STEPWISE, &mut checkpointer);
    let (plan, model, stop) = (&run.plan, &mut run.model, &stop);
    Fit { plan, model, train, valid, dispatch, stop, checkpointer, report }.run(None).expect("a fit");
    assert_eq!(points.len(), STEPS);
    for point in &points {
        compare_step(&run, &format!("{name} step {}", point.step), point);
    }
    compare_end(&run, name);
}

macro_rules! trajectories {
    ($($test:ident, $kept:ident;)*) => {$(
        #[test]
        fn $test() {
            repeat(stringify!($test), Kept::$kept);
        }
    )*};
}

trajectories! {
    class_weights, Nothing;
    label_smoothing, Nothing;
    class_weights_and_smoothing, Nothing;
    sgd_class_weights_and_smoothing, Nothing;
    missing_labels, Nothing;
    missing_labels_and_weights, Nothing;
    multi_label, Nothing;
    multi_label_weights, Nothing;
    multi_label_weights_and_smoothing, Nothing;
    score, Nothing;
    token_labels, Nothing;
    token_labels_weights_and_smoothing, Nothing;
    similarity, Nothing;
    ranking, Nothing;
    mixed, Nothing;
    uncertainty, Nothing;
    hidden_layer_of_a_head, Nothing;
    layer_decay_and_cosine, Nothing;
    adapters, Nothing;
    biases_alone, Nothing;
    norms_alone, Nothing;
    frozen_layers, Nothing;
    frozen_encoder, Nothing;
    bert, Nothing;
}

#[test]
fn frozen_layers_that_are_kept() {
    repeat("frozen_layers", Kept::InMemory);
    repeat("frozen_layers", Kept::OnDisk);
}

#[test]
fn a_frozen_encoder_that_is_kept() {
    repeat("frozen_encoder", Kept::Pooled);
}

#[test]
fn the_average_of_the_weights() {
    average("average_of_a_slow_decay");
    average("average_of_a_quick_decay");
}
