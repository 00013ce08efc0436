//! What a GPU needs of the loop, shown on the CPU: losses that are read several steps at a time lead to the same run, and
//! bfloat16 products to nearly the same.

#![expect(clippy::expect_used, reason = "a test ends where its ground is missing")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::support::families::FAMILIES;
use frostline::model::Model;
use frostline::model::layers::Dropout;
use frostline::train::TrainError;
use frostline::train::optim::Kernel;
use frostline::train::plan::phase_spec::PhaseSpec;
use frostline::train::plan::recipe::{Decay, OptimizerKind, Precision, Recipe};
use frostline::train::report::RunOutcome;
use frostline::train::run::checkpoint::{Checkpoint, Checkpointer, best_path};
use frostline::train::run::dispatch::Dispatch;
use frostline::train::run::fit::Fit;
use frostline::train::run::fit_event::{FitEvent, Fitted};
use tch::{Device, Kind, Tensor};

use crate::support::recorded::{BATCH, STEPS, model, plan, rows};

/// Steps are read when there are 16 of them, whatever the time.
const LATE: Dispatch =
    Dispatch { kernel: Kernel::Memory, read_every: 16, read_within: Duration::from_hours(1) };
const QUEUED: Dispatch = Dispatch { kernel: Kernel::Queued, ..LATE };

/// Two epochs of 20 steps, with dropout.
fn recipe() -> Recipe {
    Recipe {
        epochs: 2,
        batch_size: BATCH,
        lr_encoder: 1e-3,
        encoder_dropout: Some(0.1),
        ema: Some(0.9),
        ..Recipe::default()
    }
}

/// How a fit ended, and the news of it without the seconds.
struct Told {
    ended: Result<Fitted, TrainError>,
    news: Vec<FitEvent>,
    weights: Vec<(String, Tensor)>,
}

impl Told {
    fn points(&self) -> Vec<usize> {
        let step = |event: &FitEvent| if let FitEvent::Step(point) = event { Some(point.step) } else { None };
        self.news.iter().filter_map(step).collect()
    }

    fn error(&self) -> String {
        self.ended.as_ref().expect_err("it was to fail").to_string()
    }
}

/// libtorch's generator is one for all threads of a process, and dropout draws from it.
static GENERATOR: Mutex<()> = Mutex::new(());

/// Fits by a recipe in a folder; stopped from outside when step `stop_at` is told of.
fn fit(
    recipe: &Recipe,
    dispatch: Dispatch,
    dir: &Path,
    stop_at: Option<usize>,
    from: Option<Checkpoint>,
) -> Told {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut model, rows) = (model(), rows(true));
    let plan = plan("run", recipe, &model, &rows);
    let mut checkpointer = Checkpointer::new(dir, Duration::from_hours(1));
    let (stop, mut news) = (AtomicBool::new(false), Vec::new());
    let report = &mut |event: FitEvent| {
        if let FitEvent::Step(point) = &event {
            stop.fetch_or(stop_at == Some(point.step), Ordering::Relaxed);
        }
        news.push(match event {
            FitEvent::Epoch(mut point) => {
                point.seconds = 0.0;
                FitEvent::Epoch(point)
            }
            other => other,
        });
        Ok(())
    };
    let (train, valid, checkpointer) = (&rows, &rows, &mut checkpointer);
    let ended =
        Fit { plan: &plan, model: &mut model, train, valid, dispatch, stop: &stop, checkpointer, report }
            .run(from);
    let weights = model.params.iter().map(|param| (param.name.clone(), param.tensor.detach())).collect();
    Told { ended, news, weights }
}

fn same_bytes(a: &Path, b: &Path) {
    let read = |dir: &Path| std::fs::read(best_path(dir)).expect("kept weights");
    assert!(read(a) == read(b), "the kept weights differ");
}

#[test]
fn steps_that_are_read_together_make_the_same_run() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let each = fit(&recipe(), Dispatch::STEPWISE, dirs[0].path(), None, None);
    let together = fit(&recipe(), LATE, dirs[1].path(), None, None);
    assert_eq!(each.points(), (1..=2 * STEPS).collect::<Vec<_>>());
    assert!(together.news == each.news, "the same news in the same order");
    same_bytes(dirs[0].path(), dirs[1].path());
    for ((name, ours), (_, theirs)) in together.weights.iter().zip(&each.weights) {
        assert!(ours.equal(theirs), "{name}");
    }
}

#[test]
fn a_queued_update_is_that_of_one_pass_over_memory() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let memory = fit(&recipe(), LATE, dirs[0].path(), None, None);
    let queued = fit(&recipe(), QUEUED, dirs[1].path(), None, None);
    assert_eq!(queued.points(), memory.points());
    for (ours, theirs) in queued.news.iter().zip(&memory.news) {
        let (FitEvent::Step(ours), FitEvent::Step(theirs)) = (ours, theirs) else { continue };
        assert!((ours.loss - theirs.loss).abs() < 1e-4, "step {}: {} {}", ours.step, ours.loss, theirs.loss);
        let off = (ours.grad_norm - theirs.grad_norm).abs() / theirs.grad_norm;
        assert!(off < 1e-3, "step {}: norm {} {}", ours.step, ours.grad_norm, theirs.grad_norm);
    }
}

#[test]
fn a_run_that_is_stopped_between_two_readings_loses_no_step() {
    let whole = tempfile::tempdir().expect("a folder");
    let dir = tempfile::tempdir().expect("a folder");
    let undisturbed = fit(&recipe(), QUEUED, whole.path(), None, None);
    // The first reading is after step 1, and the next one after step 17: the stop is seen after step 18 or so.
    let stopped = fit(&recipe(), QUEUED, dir.path(), Some(17), None);
    let Ok(Fitted { outcome: RunOutcome::Stopped { at_step }, .. }) = stopped.ended else {
        panic!("it was to be stopped");
    };
    assert_eq!(stopped.points(), (1..=at_step).collect::<Vec<_>>());
    let from = Checkpointer::new(dir.path(), Duration::ZERO).read_last().expect("a checkpoint");
    assert_eq!(from.as_ref().map(|from| from.progress.step), Some(at_step));
    let resumed = fit(&recipe(), QUEUED, dir.path(), None, from);
    assert_eq!(resumed.points(), (at_step + 1..=2 * STEPS).collect::<Vec<_>>());
    // The epoch's sums are whole again, and so are the bytes.
    let epochs = |told: &Told| {
        let epoch = |event: &&FitEvent| matches!(event, FitEvent::Epoch(point) if point.epoch > 0);
        told.news.iter().filter(epoch).cloned().collect::<Vec<_>>()
    };
    assert!(epochs(&resumed) == epochs(&undisturbed), "an epoch's sums lack steps");
    same_bytes(dir.path(), whole.path());
}

/// An epoch that learns, and one whose rate is beyond all reason: its first step still has a loss.
fn bursting() -> Recipe {
    let phase =
        |lr| PhaseSpec { lr_encoder: Some(lr), lr_heads: Some(lr), embeddings: true, ..PhaseSpec::default() };
    Recipe {
        phases: vec![phase(1e-3), phase(1e25)],
        optimizer: OptimizerKind::Sgd,
        decay: Decay::Constant,
        warmup: 0.0,
        clip_norm: None,
        ema: None,
        ..recipe()
    }
}

#[test]
fn a_loss_that_is_no_number_is_found_late_and_named_rightly() {
    let told = [Dispatch::STEPWISE, LATE, QUEUED].map(|drive| {
        let dir = tempfile::tempdir().expect("a folder");
        let told = fit(&bursting(), drive, dir.path(), None, None);
        let last = Checkpointer::new(dir.path(), Duration::ZERO)
            .read_last()
            .expect("readable")
            .expect("a checkpoint");
        assert_eq!(last.progress.step, STEPS, "no checkpoint of spoilt weights");
        assert!(last.tensors.iter().all(|(_, tensor)| tensor.isfinite().all().int64_value(&[]) == 1));
        let place = dir.path().display().to_string();
        (told.error().replace(&place, "DIR"), told.points())
    });
    let [(stepwise, points), late, queued] = told;
    assert!(stepwise.contains(&format!("at step {}", STEPS + 2)), "{stepwise}");
    assert!(stepwise.contains(&format!("of step {STEPS}, in DIR")), "{stepwise}");
    assert_eq!(points, (1..STEPS + 2).collect::<Vec<_>>());
    assert_eq!((&late.0, &late.1), (&stepwise, &points));
    assert_eq!((&queued.0, &queued.1), (&stepwise, &points));
}

#[test]
fn bfloat16_products_learn_what_float32_learns() {
    let with = |precision| Recipe { precision, ema: None, ..recipe() };
    let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let exact = fit(&with(Precision::Float32), Dispatch::STEPWISE, dirs[0].path(), None, None);
    let reduced = fit(&with(Precision::Bfloat16), Dispatch::STEPWISE, dirs[1].path(), None, None);
    let losses = |told: &Told| -> Vec<f64> {
        let loss = |event: &FitEvent| if let FitEvent::Step(point) = event { Some(point.loss) } else { None };
        told.news.iter().filter_map(loss).collect()
    };
    let (ours, theirs) = (losses(&reduced), losses(&exact));
    assert!(ours != theirs, "nothing was reduced");
    // 8 significant bits: a product is off by up to 1 in 256, a loss of about 2 by a hundredth.
    for (step, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert!((ours - theirs).abs() < 0.03, "step {step}: {ours}, in float32 {theirs}");
    }
    let moved = |told: &Told| {
        let name = "transformer.layer.1.ffn.lin2.weight";
        let start = model().params.get(name).expect("a weight");
        let (_, end) = told.weights.iter().find(|(known, _)| known == name).expect("a weight");
        end - start
    };
    let (ours, theirs) = (moved(&reduced), moved(&exact));
    let cosine = Tensor::cosine_similarity(&ours.flatten(0, -1), &theirs.flatten(0, -1), 0, 1e-8);
    assert!(cosine.double_value(&[]) > 0.9, "weights moved elsewhere: {cosine:?}");
    assert!(reduced.weights.iter().all(|(_, tensor)| tensor.kind() == Kind::Float), "float32 weights");

    // A break leads to the same bytes.
    let stopped = fit(&with(Precision::Bfloat16), Dispatch::STEPWISE, dirs[2].path(), Some(STEPS + 5), None);
    assert!(matches!(stopped.ended, Ok(Fitted { outcome: RunOutcome::Stopped { .. }, .. })));
    let from = Checkpointer::new(dirs[2].path(), Duration::ZERO).read_last().expect("a checkpoint");
    let from = from.expect("a checkpoint");
    assert!(from.tensors.iter().all(|(_, tensor)| tensor.kind() == Kind::Float), "float32 state");
    fit(&with(Precision::Bfloat16), Dispatch::STEPWISE, dirs[2].path(), None, Some(from));
    same_bytes(dirs[1].path(), dirs[2].path());
}

/// The kind of number is a matter of the shared layers, so that a family need not think of it; some have products of
/// their own.
#[test]
fn every_family_multiplies_bfloat16_numbers() {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    for name in FAMILIES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name);
        let model = Model::load(&folder, Device::Cpu).expect("a tiny model");
        let weights: Vec<Tensor> =
            model.params.iter().map(|param| param.tensor.set_requires_grad(true)).collect();
        let batch = model.batch(&[&[2, 7, 9, 11, 13, 3], &[2, 8, 10, 3]]).expect("a batch");
        let run = |products: Option<Kind>, dropout: Dropout| {
            tch::manual_seed(1);
            let encoder = model.encoder_for_steps(products).expect("an encoder");
            let hidden = encoder.embed(&batch, dropout).expect("embeddings");
            let layers = 0..model.summary.layers;
            let hidden = encoder.layers(layers, hidden, &batch, &|_| dropout).expect("states");
            let pooled = model.pool(&hidden, &batch).expect("a pooled vector");
            let loss = pooled.square().sum(Kind::Float);
            let gradients = Tensor::f_run_backward(&[loss], &weights, false, false).expect("gradients");
            (pooled.detach(), gradients)
        };
        for dropout in [Dropout::OFF, Dropout::all(0.1)] {
            let ((exact, wanted), (reduced, gradients)) =
                (run(None, dropout), run(Some(Kind::BFloat16), dropout));
            assert_eq!(reduced.kind(), Kind::Float, "{name}");
            let off = (&reduced - &exact).norm().double_value(&[]) / exact.norm().double_value(&[]);
            assert!(off > 0.0 && off < 0.03, "{name}: embeddings are {off} off");
            let (mut both, mut ours, mut theirs) = (0.0, 0.0, 0.0);
            for ((param, gradient), wanted) in model.params.iter().zip(&gradients).zip(&wanted) {
                assert_eq!(gradient.defined(), wanted.defined(), "{name}: {}", param.name);
                if gradient.defined() {
                    assert_eq!(gradient.kind(), Kind::Float, "{name}: {}", param.name);
                    let dot = |a: &Tensor, b: &Tensor| (a * b).sum(Kind::Double).double_value(&[]);
                    both += dot(gradient, wanted);
                    ours += dot(gradient, gradient);
                    theirs += dot(wanted, wanted);
                }
            }
            let cosine = both / (ours * theirs).sqrt();
            assert!(cosine > 0.99, "{name}: gradients point elsewhere, {cosine}");
        }
    }
}
