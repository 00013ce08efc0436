//! The training loop: for every phase, every epoch and every batch: forward, losses, backward, update, report.
//!
//! [`Stepper::step`] is one optimiser step. [`Progress`](super::progress::Progress) is what the loop remembers between
//! two steps; it goes to disk with weights and moments, so that a run that was stopped, killed or crashed resumes to the
//! same bytes.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::checkpoint::{Checkpoint, Checkpointer};
use super::dispatch::Dispatch;
use super::fit_event::{FitEvent, Fitted, Report};
use super::kept_weights::{self, Measured};
use super::loss::Sums;
use super::metric_queue::{MetricQueue, StepRate};
use super::phase_cache;
use super::sampler;
use super::state::TrainState;
use super::step::Stepper;
use crate::model::files::safetensors::read_all;
use crate::model::vocabulary::CutVocabulary;
use crate::model::{Model, ModelError};
use crate::train::cache::{self, Prefix};
use crate::train::error::TrainError;
use crate::train::examples::Examples;
use crate::train::interrupt::Interrupt;
use crate::train::metrics::{EpochPoint, Score};
use crate::train::plan::recipe::OptimizerKind;
use crate::train::plan::{Phase, RunPlan, Thaw, Until};
use crate::train::report::RunOutcome;

/// What the loop works with.
pub struct Fit<'a> {
    /// What to do.
    pub plan: &'a RunPlan,
    /// The model, with its heads.
    pub model: &'a mut Model,
    /// Rows that are trained on.
    pub train: &'a Examples,
    /// Rows that choose the kept weights; may be empty.
    pub valid: &'a Examples,
    /// How the device is driven; [`Dispatch::of`] knows what suits it.
    pub dispatch: Dispatch,
    /// Set from outside to stop within a batch.
    pub stop: &'a AtomicBool,
    /// Writes the checkpoints.
    pub checkpointer: &'a mut Checkpointer,
    /// Takes the events.
    pub report: &'a mut Report<'a>,
}

impl Fit<'_> {
    /// Trains by the plan, from its beginning or from a checkpoint of it.
    ///
    /// # Errors
    /// A loss that is not a number, a checkpoint that cannot be written or does not fit, a refusal of libtorch, or
    /// an error of `report`.
    pub fn run(self, checkpoint: Option<Checkpoint>) -> Result<Fitted, TrainError> {
        let Self { plan, model, train, valid, dispatch, stop, checkpointer, report } = self;
        let trains_embeddings = plan.phases.iter().any(|phase| phase.embeddings != Thaw::Frozen);
        let cut = trains_embeddings.then(|| model.cut_vocabulary(used_ids([train, valid]))).transpose()?;
        let is_resumed = checkpoint.is_some();
        let mut state = TrainState::begin(plan, model, [train, valid], dispatch.kernel, checkpoint)?;
        if is_resumed {
            report(FitEvent::Resumed { at_step: state.progress.step })?;
        }
        let stepper = Stepper::new(plan, model, train)?;
        for warning in stepper.warnings().into_iter().chain(cache::wrong_memory()) {
            report(FitEvent::Warning(warning))?;
        }
        let mut training = Training {
            plan,
            model,
            cut: cut.as_ref(),
            train,
            valid,
            stop,
            stepper,
            metrics: MetricQueue::new(dispatch),
            checkpointer,
            report,
            lasting_cache: None,
        };
        let outcome = training.run(&mut state);
        let (best_path, prefixes) = (training.checkpointer.best_path(), training.lasting_cache.take());
        if let Some(cut) = cut {
            model.restore_vocabulary(cut, state.progress.unused)?;
        }
        for param in &model.params {
            drop(param.tensor.set_requires_grad(false));
        }
        Ok(Fitted { prefixes, ..restore_best(model, outcome?, state, &best_path)? })
    }
}

/// A fit at work. The model is borrowed for all of it, so its tensors stay where they are.
struct Training<'a, 'b> {
    plan: &'a RunPlan,
    model: &'a Model,
    /// The token embeddings that no text uses, taken out while embeddings train.
    cut: Option<&'a CutVocabulary>,
    train: &'a Examples,
    valid: &'a Examples,
    stop: &'a AtomicBool,
    stepper: Stepper<'a>,
    /// Steps whose losses are still on the device.
    metrics: MetricQueue,
    checkpointer: &'b mut Checkpointer,
    report: &'b mut Report<'b>,
    /// See [`Fitted::prefixes`].
    lasting_cache: Option<Rc<[Prefix; 2]>>,
}

/// What follows an epoch.
enum Next {
    Epoch,
    Phase,
    End,
}

impl Training<'_, '_> {
    /// Trains until the plan is done or the user stops, which leaves a checkpoint to resume from.
    fn run(&mut self, state: &mut TrainState) -> Result<RunOutcome, TrainError> {
        let outcome = match self.train(state) {
            Ok(()) => Ok(RunOutcome::Finished),
            // Before the first measurement there is nothing to resume.
            Err(Interrupt::Stopped) if !state.progress.measured => Ok(stopped(state)),
            Err(Interrupt::Stopped) => self.save(state).map(|()| stopped(state)),
            Err(Interrupt::Failed(error)) => Err(error),
        };
        outcome.map_err(|error| self.explain(state, error))
    }

    /// Trains the phases that are left.
    fn train(&mut self, state: &mut TrainState) -> Result<(), Interrupt<TrainError>> {
        let plan = self.plan;
        let mut first_cache = None;
        if !state.progress.measured {
            // The cache of the first phase serves the measurement of the untrained model too.
            let cache = plan.phases.get(state.progress.phase).map(|phase| self.cache(phase)).transpose()?;
            self.measure_untrained(state, cache.as_ref().map_or(&Prefix::None, |[_, valid]| valid))?;
            first_cache = cache;
        }
        while let Some(phase) = plan.phases.get(state.progress.phase) {
            (self.report)(FitEvent::Phase(state.progress.phase))?;
            self.stepper.thaw(phase);
            let cache = match first_cache.take() {
                Some(cache) => cache,
                None => self.cache(phase)?,
            };
            let cache = Rc::new(cache);
            self.lasting_cache = phase_cache::holds_throughout(plan, &cache[0]).then(|| cache.clone());
            let [train_cache, valid_cache] = &*cache;
            while !state.progress.phase_is_full(phase) {
                let started = Instant::now();
                self.train_epoch(state, phase, train_cache)?;
                match self.end_epoch(state, phase, valid_cache, started)? {
                    Next::Epoch => {}
                    Next::Phase => break,
                    Next::End => return Ok(()),
                }
            }
            state.progress.next_phase(plan);
        }
        self.save(state)?;
        // Without validation rows no epoch is the best one: the average is kept, where there is one.
        state.swap_ema(self.model)?;
        Ok(())
    }

    /// Trains the batches of an epoch that are left, as far as the phase goes.
    fn train_epoch(
        &mut self,
        state: &mut TrainState,
        phase: &Phase,
        cache: &Prefix,
    ) -> Result<(), Interrupt<TrainError>> {
        let epoch = state.progress.epoch;
        let steps = sampler::steps(self.train, &self.plan.recipe, epoch);
        let of_epoch = state.progress.steps_of_epoch(phase, steps.len());
        for batches in steps.iter().skip(state.progress.epoch_step) {
            if state.progress.steps_are_over(phase) {
                break;
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(Interrupt::Stopped);
            }
            let factor = self.plan.rate_factor(state.progress.position);
            let rate = StepRate { step: state.progress.step, factor };
            let done = self.stepper.step(&mut state.optimizer, phase, cache, batches, rate)?;
            let decay = done.updated.then(|| self.decay_of_unused(phase, factor));
            state.progress.stepped(factor, decay);
            if done.updated {
                state.update_ema(self.model)?;
            }
            let part = state.progress.epoch_step as f64 / of_epoch.max(1) as f64;
            self.metrics.push(done, f64::from(epoch) + part);
            if self.metrics.is_due() {
                self.report_steps(state)?;
            }
            if self.checkpointer.is_due() {
                self.save(state)?;
            }
        }
        Ok(())
    }

    /// Measures the epoch, keeps its weights where they are the best so far, and saves.
    fn end_epoch(
        &mut self,
        state: &mut TrainState,
        phase: &Phase,
        cache: &Prefix,
        started: Instant,
    ) -> Result<Next, Interrupt<TrainError>> {
        self.report_steps(state)?;
        state.swap_ema(self.model)?;
        // The cache is of the weights, not of their average.
        let measured = self.measure_epoch(state, if state.has_ema() { &Prefix::None } else { cache });
        state.swap_ema(self.model)?;
        let (measured, sums, is_best) = measured?;
        let patience = self.plan.recipe.patience;
        let ends_early =
            patience.is_some_and(|patience| state.progress.early_stopping.take(measured.quality, patience));
        let is_plateau = match phase.until {
            Until::Plateau { patience } => state.progress.plateau.take(measured.quality, patience),
            Until::Epochs | Until::Steps(_) => false,
        };
        let train = sums.scores(&self.plan.tasks);
        self.report_epoch(state, sums.loss(), train, measured.scores, started, is_best)?;
        if ends_early {
            let (epoch, patience) = (state.progress.epoch, patience.unwrap_or_default());
            let note = format!("ended early after epoch {epoch}: no improvement for {patience} epochs");
            (self.report)(FitEvent::Note(note))?;
            state.progress.phase = self.plan.phases.len();
        }
        self.save(state)?;
        Ok(match (ends_early, is_plateau) {
            (true, _) => Next::End,
            (false, true) => Next::Phase,
            (false, false) => Next::Epoch,
        })
    }

    /// Measures the untrained model: epoch 0 of the choice, which the first epoch has to improve on.
    fn measure_untrained(
        &mut self,
        state: &mut TrainState,
        cache: &Prefix,
    ) -> Result<(), Interrupt<TrainError>> {
        let measured = kept_weights::measure(self.plan, self.model, self.valid, cache, self.stop)?;
        state.progress.measured = true;
        let is_best = self.keep_if_best(state, &measured)?;
        state.progress.early_stopping.best = is_best.then_some(measured.quality);
        state.progress.plateau.best = state.progress.early_stopping.best;
        Ok(self.report_epoch(state, 0.0, Vec::new(), measured.scores, Instant::now(), is_best)?)
    }

    /// The epoch's figures, the sums over its steps, and whether its weights are the best so far and were kept.
    fn measure_epoch(
        &self,
        state: &mut TrainState,
        cache: &Prefix,
    ) -> Result<(Measured, Sums, bool), Interrupt<TrainError>> {
        let measured = kept_weights::measure(self.plan, self.model, self.valid, cache, self.stop)?;
        let sums = state.progress.end_epoch();
        let is_best = self.keep_if_best(state, &measured)?;
        Ok((measured, sums, is_best))
    }

    fn keep_if_best(&self, state: &mut TrainState, measured: &Measured) -> Result<bool, TrainError> {
        let named = |unused| kept_weights::named(self.model, self.cut, unused);
        kept_weights::keep_if_best(&mut state.progress, measured, self.checkpointer, named)
    }

    fn cache(&mut self, phase: &Phase) -> Result<[Prefix; 2], Interrupt<ModelError>> {
        let report = &mut self.report;
        // A full channel loses no training step, and a later note repeats this one.
        let mut note = |event| report(event).unwrap_or(());
        let (rows, dir) = ([self.train, self.valid], self.checkpointer.dir());
        phase_cache::build(self.plan, phase, self.model, rows, dir, self.stop, &mut note)
    }

    /// Reads the steps that are pending, and reports them.
    fn report_steps(&mut self, state: &mut TrainState) -> Result<(), TrainError> {
        let (points, read) = self.metrics.read(self.plan);
        for (point, tallies) in points {
            state.progress.sums.add(&point, tallies);
            (self.report)(FitEvent::Step(point))?;
        }
        read
    }

    fn report_epoch(
        &mut self,
        state: &TrainState,
        loss: f64,
        train: Vec<Score>,
        valid: Vec<Score>,
        started: Instant,
        best: bool,
    ) -> Result<(), TrainError> {
        let (epoch, step, phase) = (state.progress.epoch, state.progress.step, state.progress.phase);
        let seconds = started.elapsed().as_secs_f64();
        (self.report)(FitEvent::Epoch(EpochPoint { epoch, step, phase, loss, train, valid, seconds, best }))
    }

    /// Writes a checkpoint. Pending steps are read first: weights that are no numbers any more must not replace good ones,
    /// and the sums of an epoch are part of a checkpoint.
    fn save(&mut self, state: &mut TrainState) -> Result<(), TrainError> {
        self.report_steps(state)?;
        (self.report)(FitEvent::Saving)?;
        state.save(self.model, self.checkpointer)
    }

    /// The real cause of an error, with the checkpoint that is left. Pending steps are read first: where one of them has a
    /// loss that is no number, that is the cause.
    fn explain(&mut self, state: &mut TrainState, error: TrainError) -> TrainError {
        let cause = self.report_steps(state).err().unwrap_or(error);
        let TrainError::NotFinite { task, value, step, .. } = cause else { return cause };
        let kept = self.checkpointer.last_step().map(|step| {
            format!(
                "The last good checkpoint is that of step {step}, in {}",
                self.checkpointer.dir().display()
            )
        });
        TrainError::NotFinite { task, value, step, kept }
    }

    /// What a step's decoupled weight decay leaves of an embedding without a gradient.
    fn decay_of_unused(&self, phase: &Phase, factor: f64) -> f64 {
        let words = self.plan.tensors.iter().find(|tensor| tensor.name == self.model.family.words);
        match (self.plan.recipe.optimizer, words.and_then(|words| phase.rate(words))) {
            (OptimizerKind::AdamW, Some(lr)) => 1.0 - lr * factor * self.plan.recipe.weight_decay,
            _ => 1.0,
        }
    }
}

fn stopped(state: &TrainState) -> RunOutcome {
    RunOutcome::Stopped { at_step: state.progress.step }
}

/// Every token id of the rows.
fn used_ids(rows: [&Examples; 2]) -> BTreeSet<u32> {
    let ids = |rows: &Examples| rows.text_ids(&(0..rows.texts() as u32).collect::<Vec<_>>()).concat();
    rows.into_iter().flat_map(ids).collect()
}

/// Puts the best weights back into the model.
fn restore_best(
    model: &Model,
    outcome: RunOutcome,
    state: TrainState,
    best_path: &Path,
) -> Result<Fitted, TrainError> {
    let seconds = state.seconds();
    let progress = state.progress;
    let Some(best) = progress.best else {
        let kept_epoch = (outcome == RunOutcome::Finished).then_some(progress.epoch);
        let (kept_phases, valid) = (progress.moved, Vec::new());
        return Ok(Fitted { outcome, kept_epoch, kept_phases, valid, seconds, prefixes: None });
    };
    model.fill(&read_all(best_path)?, best_path)?;
    let (kept_epoch, kept_phases) = (Some(best.epoch), best.phases);
    Ok(Fitted { outcome, kept_epoch, kept_phases, valid: best.valid, seconds, prefixes: None })
}
