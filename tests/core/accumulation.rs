//! A step does not depend on how its rows are cut into batches, whatever the kinds of tasks and their settings.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use frostline::data::task::{Scale, TaskKind};
use frostline::model::Model;
use frostline::text::token_set::TokenSet;
use frostline::train::cache::{self, Budget, Depth, Prefix};
use frostline::train::examples::{Examples, NO_TAG, Targets};
use frostline::train::metrics::StepPoint;
use frostline::train::optim::{Kernel, Optimizer};
use frostline::train::plan::phase_spec::PhaseSpec;
use frostline::train::plan::recipe::{OptimizerKind, Recipe, TaskSettings, Weighting};
use frostline::train::plan::{PlannedTask, RunPlan};
use frostline::train::run::metric_queue::StepRate;
use frostline::train::run::step::Stepper;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use crate::support::families::FAMILIES;

/// Rows of a step.
const ROWS: usize = 12;
const STEPS: usize = 3;
const CUTS: [usize; 4] = [6, 4, 3, 1];

/// libtorch's generator is one for all threads of a process, and dropout draws from it.
static GENERATOR: Mutex<()> = Mutex::new(());

/// A class of which rare ones are rare, so that weights differ.
fn class(rng: &mut ChaCha8Rng) -> u32 {
    [0, 0, 0, 0, 0, 0, 0, 1, 1, 2][rng.random_range(0..10)]
}

fn task(kind: TaskKind) -> PlannedTask {
    let classes = if kind.has_classes() { &["a", "b", "c", "never"][..] } else { &[] };
    PlannedTask {
        name: kind.key().into(),
        kind,
        scale: Scale { offset: 2.0, factor: 3.0 },
        classes: classes.iter().map(|class| (*class).to_owned()).collect(),
        labelled_train: ROWS,
        labelled_valid: 0,
    }
}

/// Rows of the tasks, a third of whose labels are missing.
fn rows(kinds: &[TaskKind], seed: u64) -> Examples {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut tokens, mut second) = (TokenSet::default(), TokenSet::default());
    let text = |rng: &mut ChaCha8Rng, length: usize| -> Vec<u32> {
        (0..length).map(|_| rng.random_range(5..200)).collect()
    };
    let answers: Vec<Vec<u32>> = (0..5).map(|length| text(&mut rng, 3 + length)).collect();
    let mut lengths = Vec::new();
    for _ in 0..ROWS * STEPS {
        let length = rng.random_range(3..9);
        tokens.push(&text(&mut rng, length), length);
        lengths.push(length);
        let answer = &answers[rng.random_range(0..answers.len())];
        let is_there = rng.random_bool(0.85);
        if is_there { second.push(answer, answer.len()) } else { second.push(&[], 0) }
    }
    let targets = kinds.iter().map(|kind| {
        let mut each = |label: &mut dyn FnMut(&mut ChaCha8Rng, usize)| {
            (0..ROWS * STEPS).for_each(|row| label(&mut rng, row));
        };
        match kind {
            TaskKind::SingleLabel => {
                let mut all = Vec::new();
                each(&mut |rng, _| all.push(rng.random_bool(0.66).then(|| class(rng))));
                Targets::Class(all)
            }
            TaskKind::MultiLabel => {
                let mut all = Vec::new();
                each(&mut |rng, _| {
                    let set = [0.7, 0.3, 0.1].iter().zip(0..).filter(|(p, _)| rng.random_bool(**p));
                    let set = set.map(|(_, class)| class).collect();
                    all.push(rng.random_bool(0.66).then_some(set));
                });
                Targets::Classes(all)
            }
            TaskKind::TokenLabels => {
                let mut all = Vec::new();
                each(&mut |rng, row| {
                    let tag = |rng: &mut ChaCha8Rng| if rng.random_bool(0.3) { NO_TAG } else { class(rng) };
                    let tags = (0..lengths[row]).map(|_| tag(rng)).collect();
                    all.push(rng.random_bool(0.66).then_some(tags));
                });
                Targets::Tags(all)
            }
            TaskKind::Score | TaskKind::Similarity => {
                let mut all = Vec::new();
                each(&mut |rng, _| all.push(rng.random_bool(0.66).then(|| rng.random_range(2.0..5.0))));
                Targets::Number(all)
            }
            TaskKind::Ranking => {
                let mut all = Vec::new();
                each(&mut |rng, _| all.push(rng.random_bool(0.85).then(|| rng.random_bool(0.75))));
                Targets::Pair(all)
            }
        }
    });
    let targets = targets.collect();
    Examples { tokens, second, targets, ..Examples::default() }
}

/// The model's weights after the steps, each cut into batches of so many rows, and the points of the curve.
fn learnt(
    family: &str,
    kinds: &[TaskKind],
    recipe: &Recipe,
    size: usize,
) -> (Vec<(String, Tensor)>, Vec<StepPoint>) {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(family);
    let mut model = Model::load(&folder, Device::Cpu).expect("a tiny model");
    let rows = rows(kinds, 7);
    let recipe = Recipe { batch_size: size, accumulate: ROWS / size, ..recipe.clone() };
    let tasks = kinds.iter().map(|kind| task(*kind)).collect();
    let plan = RunPlan::build("run", &recipe, &model.summary, tasks, ROWS * STEPS, "cpu").expect("a plan");
    model.start_heads(&plan.head_specs(), 1).expect("heads");
    model.start_loss_weights(&plan).expect("weights of the losses");
    let mut optimizer = Optimizer::new(recipe.optimizer, Kernel::Memory);
    let stepper = Stepper::new(&plan, &model, &rows).expect("a stepper");
    let phase = &plan.phases[0];
    stepper.thaw(phase);
    let prefix = match phase.frozen_prefix() {
        Some(depth) => {
            let stop = AtomicBool::new(false);
            let depth = if phase.encoder_is_frozen() { Depth::Pooled } else { Depth::Layer(depth) };
            let prefix = cache::build(&model, &rows, depth, &Budget::default(), &stop, &mut |_| {});
            prefix.expect("a prefix")
        }
        None => Prefix::None,
    };
    let mut points = Vec::new();
    for step in 0..STEPS {
        let all: Vec<u32> = (step * ROWS..(step + 1) * ROWS).map(|row| row as u32).collect();
        let batches: Vec<Vec<u32>> = all.chunks(size).map(<[u32]>::to_vec).collect();
        let at = StepRate { step, factor: 1.0 };
        let done = stepper.step(&mut optimizer, phase, &prefix, &batches, at).expect("a step");
        points.push(done.read(&plan).expect("losses that are numbers"));
    }
    let weights = model.params.iter().map(|param| (param.name.clone(), param.tensor.detach().copy()));
    (weights.collect(), points)
}

/// Every way to cut the steps leads to the weights and the losses of the uncut ones.
fn compare(kinds: &[TaskKind], recipe: &Recipe) {
    compare_on("bert", kinds, recipe, &CUTS);
}

fn compare_on(family: &str, kinds: &[TaskKind], recipe: &Recipe, cuts: &[usize]) {
    let what = format!("{family} {kinds:?} {:?} {:?}", recipe.tasks.values().next(), recipe.weighting);
    let (whole, told) = learnt(family, kinds, recipe, ROWS);
    for size in cuts {
        let (cut, points) = learnt(family, kinds, recipe, *size);
        for ((name, a), (_, b)) in whole.iter().zip(&cut) {
            let off = (a - b).abs().max().double_value(&[]);
            assert!(off <= 1e-6, "{what}, cut to {size}: {name} is {off} off");
        }
        for (a, b) in told.iter().zip(&points) {
            assert!(
                (a.loss - b.loss).abs() <= 2e-6 * a.loss.max(1.0),
                "{what}, cut to {size}: loss {} and {}",
                a.loss,
                b.loss
            );
            for (a, b) in a.tasks.iter().zip(&b.tasks) {
                assert_eq!(a.rows, b.rows, "{what}, cut to {size}");
                let off = (a.loss - b.loss).abs();
                assert!(
                    off <= 2e-6 * a.loss.max(1.0),
                    "{what}, cut to {size}: loss {} and {}",
                    a.loss,
                    b.loss
                );
            }
        }
    }
}

fn recipe(kinds: &[TaskKind], settings: &TaskSettings) -> Recipe {
    Recipe {
        head_dropout: 0.0,
        encoder_dropout: Some(0.0),
        optimizer: OptimizerKind::Sgd,
        lr_encoder: 0.05,
        lr_heads: 0.05,
        tasks: kinds.iter().map(|kind| (kind.key().to_owned(), settings.clone())).collect(),
        ..Recipe::default()
    }
}

/// With and without balanced classes and smoothing.
fn settings() -> impl Iterator<Item = TaskSettings> {
    [(false, 0.0), (true, 0.0), (false, 0.15), (true, 0.15)].into_iter().map(
        |(balance_classes, label_smoothing)| TaskSettings {
            balance_classes,
            label_smoothing,
            weight: 0.8,
            ..TaskSettings::default()
        },
    )
}

#[test]
fn each_kind_with_and_without_balanced_classes_and_smoothing() {
    for kind in TaskKind::ALL {
        let has_classes = kind.has_classes();
        for settings in settings().take(if has_classes { 4 } else { 1 }) {
            compare(&[kind], &recipe(&[kind], &settings));
        }
    }
}

#[test]
fn several_kinds_together_with_fixed_and_with_learnt_weights() {
    let kinds = TaskKind::ALL;
    for settings in settings() {
        for weighting in [Weighting::Fixed, Weighting::Uncertainty] {
            compare(&kinds, &Recipe { weighting, ..recipe(&kinds, &settings) });
        }
    }
}

#[test]
fn above_a_frost_line_with_dropout() {
    let settings = TaskSettings::default();
    for (layers, kinds) in
        [("top 1", &TaskKind::ALL[..]), ("none", &[TaskKind::SingleLabel, TaskKind::Ranking])]
    {
        let phase = PhaseSpec { layers: layers.parse().expect("layers"), ..PhaseSpec::default() };
        let recipe = Recipe {
            phases: vec![phase],
            head_dropout: 0.2,
            encoder_dropout: Some(0.15),
            weighting: Weighting::Uncertainty,
            ..recipe(kinds, &settings)
        };
        compare(kinds, &recipe);
    }
}

/// What is dropped of a row does not depend on the rows that go through the model with it, nor on its padding.
#[test]
fn every_family_with_dropout() {
    let kinds = TaskKind::ALL;
    let settings = TaskSettings { hidden_units: Some(6), ..TaskSettings::default() };
    let dropped = Recipe {
        head_dropout: 0.2,
        encoder_dropout: Some(0.15),
        lr_encoder: 0.02,
        lr_heads: 0.02,
        ..recipe(&kinds, &settings)
    };
    let without = Recipe { head_dropout: 0.0, encoder_dropout: Some(0.0), ..dropped.clone() };
    for family in FAMILIES {
        compare_on(family, &kinds, &dropped, &[4]);
        let (with, _) = learnt(family, &kinds, &dropped, ROWS);
        let (without, _) = learnt(family, &kinds, &without, ROWS);
        let off =
            |((_, a), (_, b)): (&(String, Tensor), &(String, Tensor))| (a - b).abs().max().double_value(&[]);
        let off = with.iter().zip(&without).map(off).fold(0.0, f64::max);
        assert!(off > 1e-4, "{family}: nothing was dropped");
    }
}
