//! The average of the weights, and steps that have nothing to learn from.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use frostline::train::examples::{Examples, Targets};
use frostline::train::plan::recipe::{OptimizerKind, Recipe};
use frostline::train::run::checkpoint::Checkpointer;
use frostline::train::run::dispatch::Dispatch;
use frostline::train::run::fit::Fit;
use tch::{Kind, Tensor};

use crate::support::recorded::{BATCH, STEPS, model, plan, rows};

const WORDS: &str = "embeddings.word_embeddings.weight";

/// libtorch's generator is one for all threads of a process, and dropout draws from it.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Weights decay fast, so that it shows where they do.
fn recipe(ema: Option<f64>) -> Recipe {
    Recipe {
        epochs: 1,
        batch_size: BATCH,
        optimizer: OptimizerKind::AdamW,
        lr_encoder: 1e-3,
        weight_decay: 20.0,
        ema,
        ..Recipe::default()
    }
}

/// What a run on some rows ends with.
fn fitted(recipe: &Recipe, rows: &Examples, dir: &Path) -> Vec<(String, Tensor)> {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let mut model = model();
    let plan = plan("run", recipe, &model, rows);
    let mut checkpointer = Checkpointer::new(dir, Duration::from_hours(1));
    let stop = AtomicBool::new(false);
    let fit = Fit {
        plan: &plan,
        model: &mut model,
        train: rows,
        valid: &Examples::default(),
        dispatch: Dispatch::STEPWISE,
        stop: &stop,
        checkpointer: &mut checkpointer,
        report: &mut |_| Ok(()),
    };
    fit.run(None).expect("a run");
    model.params.iter().map(|param| (param.name.clone(), param.tensor.detach())).collect()
}

fn run(recipe: &Recipe, rows: &Examples) -> Vec<(String, Tensor)> {
    let dir = tempfile::tempdir().expect("a folder");
    fitted(recipe, rows, dir.path())
}

fn named<'a>(weights: &'a [(String, Tensor)], wanted: &str) -> &'a Tensor {
    &weights.iter().find(|(name, _)| name == wanted).expect("a weight").1
}

/// The rows, and behind them one without a label, which holds the token.
fn with_unlabelled(token: u32) -> Examples {
    let mut rows = rows(false);
    let mut ids = rows.tokens.ids(0).to_vec();
    ids[1] = token;
    rows.tokens.push(&ids, ids.len());
    for targets in &mut rows.targets {
        let Targets::Class(labels) = targets else { panic!("single labels") };
        labels.push(None);
    }
    rows
}

#[test]
fn an_average_of_few_steps_is_not_the_start() {
    let (start, last) = (model(), run(&recipe(None), &rows(false)));
    let averaged = run(&recipe(Some(0.999)), &rows(false));
    let name = "heads.task_a.weight";
    let start = start.params.get(name).expect("a weight");
    let distance = |a: &Tensor, b: &Tensor| (a - b).square().sum(Kind::Double).double_value(&[]).sqrt();
    let whole = distance(&start, named(&last, name));
    // After 20 steps the decay is 20 / 29 at most: the average has gone most of the way, and not all of it.
    let left = distance(named(&averaged, name), named(&last, name)) / whole;
    assert!((0.01..0.4).contains(&left), "{left} of the way is left");
}

#[test]
fn embeddings_that_no_text_names_are_averaged_as_those_that_have_no_gradient() {
    let used: Vec<u32> = (0..STEPS * BATCH).flat_map(|row| rows(false).tokens.ids(row).to_vec()).collect();
    let vocabulary = named(&run(&recipe(None), &rows(false)), WORDS).size()[0] as u32;
    let token = (5..vocabulary).find(|id| !used.contains(id)).expect("a token that no text names");
    for ema in [None, Some(0.8), Some(0.9999)] {
        let of_token = |rows: &Examples| named(&run(&recipe(ema), rows), WORDS).select(0, i64::from(token));
        // A text without a label gives its tokens a gradient of zero; a token without a text has none.
        let (met, unmet) = (of_token(&with_unlabelled(token)), of_token(&with_unlabelled(used[1])));
        let off = (&met - &unmet).abs().max().double_value(&[]);
        let start = model().params.get(WORDS).expect("the embeddings").select(0, i64::from(token));
        let moved = (&met - &start).abs().max().double_value(&[]);
        assert!(moved > 1e-3, "nothing decayed");
        assert!(off < 1e-6, "{ema:?}: {off} off, where {moved} was moved");
    }
}

#[test]
fn a_step_without_labels_moves_nothing() {
    let mut unlabelled = rows(false);
    for targets in &mut unlabelled.targets {
        *targets = Targets::Class(vec![None; STEPS * BATCH]);
    }
    let start = model();
    for ema in [None, Some(0.9)] {
        for (name, weights) in run(&recipe(ema), &unlabelled) {
            assert!(weights.equal(&start.params.get(&name).expect("the same weights")), "{name} moved");
        }
    }
}

#[test]
fn steps_without_labels_leave_no_trace_in_moments_and_average() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut unlabelled = rows(false);
    for targets in &mut unlabelled.targets {
        *targets = Targets::Class(vec![None; STEPS * BATCH]);
    }
    fitted(&recipe(Some(0.99)), &unlabelled, dir.path());
    let checkpoint =
        Checkpointer::new(dir.path(), Duration::ZERO).read_last().expect("readable").expect("a checkpoint");
    assert_eq!(checkpoint.updates.len(), 0, "no moments");
    assert_eq!(checkpoint.ema.map(|ema| (ema.updates, ema.unused)), Some((0, 1.0)));
    assert_eq!(
        (checkpoint.progress.step, checkpoint.progress.moved, checkpoint.progress.unused),
        (STEPS, 0, 1.0)
    );
}
