//! THE loop: phase, batch, forward, losses, backward, step, report, stop check.
//!
//! A step itself is [`Stepper::step`]; what the loop remembers between two steps is a [`Progress`], which goes to disk
//! with weights and moments, so that a run that was stopped, killed or crashed goes on to the same bytes.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tch::Tensor;

use super::checkpoint::{Checkpoint, Store};
use super::dispatch::Dispatch;
use super::loss::Sums;
use super::metric_queue::At;
use super::metric_queue::MetricQueue;
use super::progress::{Best, Progress};
use super::sampler;
use super::state::TrainState;
use super::step::Stepper;
use crate::model::Model;
use crate::model::files::safetensors::read_all;
use crate::model::vocabulary::CutVocabulary;
use crate::train::cache;
use crate::train::cache::{Budget, Depth, Prefix};
use crate::train::error::TrainError;
use crate::train::evaluate::{answers_above, metrics};
use crate::train::examples::Examples;
use crate::train::metrics::{EpochPoint, Score, StepPoint, TaskMetrics};
use crate::train::plan::quality::Quality;
use crate::train::plan::recipe::OptimizerKind;
use crate::train::plan::{Phase, RunPlan, Thaw, Until};
use crate::train::report::RunOutcome;

/// News from the loop.
#[derive(Clone, Debug, PartialEq)]
pub enum FitEvent {
    /// The run goes on from a checkpoint: what was told of later steps no longer counts.
    Resumed {
        /// Steps done at the checkpoint.
        at_step: usize,
    },
    /// A phase begins.
    Phase(usize),
    /// What happens beside training.
    Note(String),
    /// What the user should know of the run.
    Warning(String),
    /// A step is done.
    Step(StepPoint),
    /// An epoch is done.
    Epoch(EpochPoint),
    /// A checkpoint follows: a run that resumes from it reports no earlier step again, so what was reported so far
    /// must be on disk first.
    Saving,
}

/// How a fit ended. The model holds the kept weights: those of the best epoch on the validation rows, among which the
/// start counts as epoch 0; the last ones where nothing could be measured.
#[derive(Debug)]
pub struct Fitted {
    /// Finished or stopped.
    pub outcome: RunOutcome,
    /// Epoch whose weights are kept, 0 for the start; `None` for those of a moment within an epoch.
    pub kept_epoch: Option<u32>,
    /// Phases that had a part in the kept weights: a step of theirs moved something before these were kept.
    pub kept_phases: usize,
    /// Scores of the kept weights on the validation rows.
    pub valid: Vec<Score>,
    /// Seconds of all processes that worked on the run.
    pub seconds: f64,
    /// What was kept of the training and of the validation rows' texts, where nothing below it ever trained: it holds for
    /// the kept weights too.
    pub prefixes: Option<Rc<[Prefix; 2]>>,
}

/// Takes the news.
pub type Report<'a> = dyn FnMut(FitEvent) -> Result<(), TrainError> + 'a;

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
    /// How the device is driven; [`Dispatch::of`] says what suits it.
    pub drive: Dispatch,
    /// Set from outside to stop within a batch.
    pub stop: &'a AtomicBool,
    /// Where checkpoints go.
    pub store: &'a mut Store,
    /// Takes the news.
    pub report: &'a mut Report<'a>,
}

impl Fit<'_> {
    /// Trains by the plan, from its beginning or from a checkpoint of it.
    ///
    /// # Errors
    /// A loss that is not a number, a checkpoint that cannot be written or does not fit, a refusal of libtorch, or
    /// whatever `report` says.
    pub fn run(self, from: Option<Checkpoint>) -> Result<Fitted, TrainError> {
        let Self { plan, model, train, valid, drive, stop, store, report } = self;
        let trains_embeddings = plan.phases.iter().any(|phase| phase.embeddings != Thaw::Frozen);
        let cut =
            if trains_embeddings { Some(model.cut_vocabulary(used_ids([train, valid]))?) } else { None };
        let resumes = from.is_some();
        let mut course = TrainState::begin(plan, model, [train, valid], drive.pass, from)?;
        if resumes {
            report(FitEvent::Resumed { at_step: course.place.step })?;
        }
        let stepper = Stepper::new(plan, model, train)?;
        let mut warnings = stepper.warnings().into_iter().chain(cache::wrong_memory());
        warnings.try_for_each(|warning| report(FitEvent::Warning(warning)))?;
        let (model_now, cut_now) = (&*model, cut.as_ref());
        let mut run = Run {
            plan,
            model: model_now,
            cut: cut_now,
            train,
            valid,
            stop,
            stepper,
            backlog: MetricQueue::new(drive),
            store,
            report,
            prefixes: None,
        };
        let ended = run.phases(&mut course);
        // Where it broke off, the steps before that are still told of; what is wrong with them is what came first.
        let ended = ended.map_err(|error| run.tell_steps(&mut course).err().unwrap_or(error));
        let ended = ended.map_err(|error| run.name_the_checkpoint(error));
        let (best_path, prefixes) = (run.store.best_path(), run.prefixes.take());
        if let Some(cut) = cut {
            model.restore_vocabulary(cut, course.place.unused)?;
        }
        for param in &model.params {
            drop(param.tensor.set_requires_grad(false));
        }
        Ok(Fitted { prefixes, ..fitted(model, ended?, course, &best_path)? })
    }
}

/// A fit at work: the model's tensors stay where they are, so everything here may look at them.
struct Run<'a, 'b> {
    plan: &'a RunPlan,
    model: &'a Model,
    cut: Option<&'a CutVocabulary>,
    train: &'a Examples,
    valid: &'a Examples,
    stop: &'a AtomicBool,
    stepper: Stepper<'a>,
    /// Steps that are not told of yet.
    backlog: MetricQueue,
    store: &'b mut Store,
    report: &'b mut Report<'b>,
    /// See [`Fitted`].
    prefixes: Option<Rc<[Prefix; 2]>>,
}

impl Run<'_, '_> {
    /// The phases in order, from wherever the run stands.
    fn phases(&mut self, course: &mut TrainState) -> Result<RunOutcome, TrainError> {
        let plan = self.plan;
        // What the first phase keeps serves the measurement of the untrained model too.
        let mut ready = None;
        if !course.place.measured {
            let prefixes = match plan.phases.get(course.place.phase) {
                Some(phase) => self.prefixes(phase)?,
                None => Some((Prefix::None, Prefix::None)),
            };
            let Some(prefixes) = prefixes else { return Ok(stopped(course)) };
            let Some(valid) = self.measure(&prefixes.1)? else { return Ok(stopped(course)) };
            ready = Some(prefixes);
            course.place.measured = true;
            // The start is epoch 0 of the choice, and what the first epoch has to improve on.
            let quality = Quality::of_run(plan, &valid);
            let better = self.keep_if_better(course, quality, &curve(&valid))?;
            course.place.stall.best = better.then_some(quality);
            course.place.plateau.best = course.place.stall.best;
            self.tell_epoch(course, 0.0, Vec::new(), curve(&valid), Instant::now(), better)?;
        }
        while let Some(phase) = plan.phases.get(course.place.phase) {
            (self.report)(FitEvent::Phase(course.place.phase))?;
            self.stepper.thaw(phase);
            let prefixes = match ready.take() {
                Some(prefixes) => Some(prefixes),
                None => self.prefixes(phase)?,
            };
            let Some((train_prefix, valid_prefix)) = prefixes else { return Ok(stopped(course)) };
            let prefixes = Rc::new([train_prefix, valid_prefix]);
            self.prefixes = self.holds_throughout(&prefixes[0]).then(|| prefixes.clone());
            let [train_prefix, valid_prefix] = &*prefixes;
            while !course.place.phase_is_full(phase) {
                let started = Instant::now();
                let steps = sampler::steps(self.train, &plan.recipe, course.place.epoch);
                let (epoch, of_epoch) = (course.place.epoch, course.place.steps_of_epoch(phase, steps.len()));
                for batches in steps.iter().skip(course.place.epoch_step) {
                    if course.place.steps_are_over(phase) {
                        break;
                    }
                    if self.stop.load(Ordering::Relaxed) {
                        self.save(course)?;
                        return Ok(stopped(course));
                    }
                    let factor = plan.rate_factor(course.place.position);
                    let at = At { step: course.place.step, factor };
                    let done = self.stepper.step(&mut course.optimizer, phase, train_prefix, batches, at)?;
                    let kept = done.updated.then(|| self.decay_of_unused(phase, factor));
                    course.place.stepped(factor, kept);
                    if done.updated {
                        course.follow(self.model)?;
                    }
                    let part = course.place.epoch_step as f64 / of_epoch.max(1) as f64;
                    self.backlog.push(done, f64::from(epoch) + part);
                    if self.backlog.is_due() {
                        self.tell_steps(course)?;
                    }
                    if self.store.is_due() {
                        self.save(course)?;
                    }
                }
                match self.end_epoch(course, phase, valid_prefix, started)? {
                    Next::Epoch => {}
                    Next::Phase => break,
                    Next::Nothing => return Ok(RunOutcome::Finished),
                    Next::Stopped => {
                        self.save(course)?;
                        return Ok(stopped(course));
                    }
                }
            }
            course.place.next_phase(plan);
        }
        self.save(course)?;
        course.exchange(self.model)?; // a run without validation rows keeps the average, where there is one
        Ok(RunOutcome::Finished)
    }

    /// Reads what the last steps told, and tells of them.
    fn tell_steps(&mut self, course: &mut TrainState) -> Result<(), TrainError> {
        let (points, read) = self.backlog.read(self.plan);
        for (point, tallies) in points {
            course.place.sums.add(&point, tallies);
            (self.report)(FitEvent::Step(point))?;
        }
        read
    }

    /// Writes a checkpoint. Steps are read before: weights that are no numbers any more must not take the place of good
    /// ones, and the sums of an epoch are part of it.
    fn save(&mut self, course: &mut TrainState) -> Result<(), TrainError> {
        self.tell_steps(course)?;
        (self.report)(FitEvent::Saving)?;
        course.save(self.model, self.store)
    }

    /// Whether nothing below a prefix trains in any phase.
    fn holds_throughout(&self, prefix: &Prefix) -> bool {
        let frozen = |depth: usize| {
            self.plan.phases.iter().all(|phase| phase.frozen_prefix().is_some_and(|frozen| frozen >= depth))
        };
        match prefix {
            Prefix::None => false,
            Prefix::Pooled(_) => self.plan.phases.iter().all(Phase::encoder_is_frozen),
            Prefix::HiddenStates(states) => frozen(states.depth()),
        }
    }

    /// Measures, keeps the weights where they are the best so far, tells, and says what comes next.
    fn end_epoch(
        &mut self,
        course: &mut TrainState,
        phase: &Phase,
        prefix: &Prefix,
        started: Instant,
    ) -> Result<Next, TrainError> {
        self.tell_steps(course)?;
        course.exchange(self.model)?;
        let kept = self.measure_and_keep(course, if course.averages() { &Prefix::None } else { prefix });
        course.exchange(self.model)?;
        let Some(Measured { valid, quality, sums, better }) = kept? else { return Ok(Next::Stopped) };
        let patience = self.plan.recipe.patience;
        let early = patience.is_some_and(|patience| course.place.stall.take(quality, patience));
        let plateau = match phase.until {
            Until::Plateau { patience } => course.place.plateau.take(quality, patience),
            Until::Epochs | Until::Steps(_) => false,
        };
        self.tell_epoch(course, sums.loss(), sums.scores(&self.plan.tasks), valid, started, better)?;
        if early {
            let (epoch, patience) = (course.place.epoch, patience.unwrap_or_default());
            let note = format!("ended early after epoch {epoch}: no improvement for {patience} epochs");
            (self.report)(FitEvent::Note(note))?;
            course.place.phase = self.plan.phases.len();
        }
        self.save(course)?;
        Ok(match (early, plateau) {
            (true, _) => Next::Nothing,
            (false, true) => Next::Phase,
            (false, false) => Next::Epoch,
        })
    }

    /// Measures an epoch, and keeps its weights where they are the best so far. `None` when it was stopped meanwhile.
    fn measure_and_keep(
        &self,
        course: &mut TrainState,
        prefix: &Prefix,
    ) -> Result<Option<Measured>, TrainError> {
        let Some(valid) = self.measure(prefix)? else { return Ok(None) };
        let quality = Quality::of_run(self.plan, &valid);
        let valid = curve(&valid);
        let sums = course.place.end_epoch();
        let better = self.keep_if_better(course, quality, &valid)?;
        Ok(Some(Measured { valid, quality, sums, better }))
    }

    /// Keeps the weights where they are the best so far. Where nothing was ever measured, nothing says which epoch is
    /// best: the last one is kept.
    fn keep_if_better(
        &self,
        course: &mut TrainState,
        quality: Quality,
        valid: &[Score],
    ) -> Result<bool, TrainError> {
        let better = !valid.is_empty() && quality.beats(course.place.best.as_ref().map(|best| best.quality));
        if better {
            let Progress { epoch, moved: phases, .. } = course.place;
            course.place.best = Some(Best { quality, epoch, phases, valid: valid.to_vec() });
        }
        if better || (course.place.best.is_none() && course.place.epoch > 0) {
            self.store.write_best(&self.named(course.place.unused)?)?;
        }
        Ok(better)
    }

    /// A run that broke off says which checkpoint is left of it.
    fn name_the_checkpoint(&self, error: TrainError) -> TrainError {
        let TrainError::NotFinite { task, value, step, .. } = error else { return error };
        let kept = self.store.last_step().map(|step| {
            format!("The last good checkpoint is that of step {step}, in {}", self.store.dir().display())
        });
        TrainError::NotFinite { task, value, step, kept }
    }

    /// Every parameter under its name, with the full table of token embeddings.
    fn named(&self, unused: f64) -> Result<Vec<(String, Tensor)>, TrainError> {
        let words = self.cut.map(|cut| self.model.full_words(cut, unused)).transpose()?;
        let named = self.model.params.iter().map(|param| {
            let tensor = match &words {
                Some(words) if param.name == self.model.family.words => words.shallow_clone(),
                _ => param.tensor.shallow_clone(),
            };
            (param.name.clone(), tensor)
        });
        Ok(named.collect())
    }

    /// What a step's decoupled weight decay leaves of an embedding without a gradient.
    fn decay_of_unused(&self, phase: &Phase, factor: f64) -> f64 {
        let words = self.plan.tensors.iter().find(|tensor| tensor.name == self.model.family.words);
        match (self.plan.recipe.optimizer, words.and_then(|words| phase.rate(words))) {
            (OptimizerKind::AdamW, Some(lr)) => 1.0 - lr * factor * self.plan.recipe.weight_decay,
            _ => 1.0,
        }
    }

    /// What can be computed once for a phase. `None` when it was stopped meanwhile.
    fn prefixes(&mut self, phase: &Phase) -> Result<Option<(Prefix, Prefix)>, TrainError> {
        let stop = self.stop;
        let model: &Model = self.model;
        let (train, valid) = (self.train, self.valid);
        let Some(depth) = phase.frozen_prefix().filter(|_| phase.epochs > 0) else {
            return Ok(Some((Prefix::None, Prefix::None)));
        };
        let total = train.texts() + valid.texts();
        let whole = phase.encoder_is_frozen() && !super::step::reads_tokens(self.plan);
        let what = if whole { "pooled vectors" } else { "token states at the frost line" };
        if !whole && phase.epochs < 2 {
            return Ok(Some((Prefix::None, Prefix::None)));
        }
        let report = &mut self.report;
        let mut told = Instant::now();
        let mut progress = |before: usize, done: usize| {
            if told.elapsed().as_millis() > 500 || before + done == total {
                told = Instant::now();
                // A full channel loses no training; the next note says more anyway.
                report(FitEvent::Note(format!("computing {what} once: {} of {total}", before + done)))
                    .unwrap_or(());
            }
        };
        let depth = if whole { Depth::Pooled } else { Depth::Layer(depth) };
        let half = self.plan.recipe.half_cache;
        let budget = Budget { half, spill: Some(self.store.dir().to_owned()), ..Budget::default() };
        let before = train.texts();
        let train = cache::build(model, train, depth, &budget, stop, &mut |done| progress(0, done))?;
        let Some(train) = train else { return Ok(None) };
        let valid = cache::build(model, valid, depth, &budget, stop, &mut |done| progress(before, done))?;
        Ok(valid.map(|valid| (train, valid)))
    }

    /// Figures on the validation rows; empty without any, `None` when it was stopped.
    fn measure(&self, prefix: &Prefix) -> Result<Option<Vec<TaskMetrics>>, TrainError> {
        if self.valid.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let answers = answers_above(self.model, self.valid, prefix, self.stop, &mut |_| {})?;
        Ok(answers.map(|answers| metrics(self.model, self.valid, &answers.predictions)))
    }

    fn tell_epoch(
        &mut self,
        course: &TrainState,
        loss: f64,
        train: Vec<Score>,
        valid: Vec<Score>,
        started: Instant,
        best: bool,
    ) -> Result<(), TrainError> {
        let Progress { epoch, step, phase, .. } = course.place;
        let seconds = started.elapsed().as_secs_f64();
        (self.report)(FitEvent::Epoch(EpochPoint { epoch, step, phase, loss, train, valid, seconds, best }))
    }
}

/// An epoch, measured.
struct Measured {
    valid: Vec<Score>,
    quality: Quality,
    sums: Sums,
    /// Its weights were kept.
    better: bool,
}

/// What comes after an epoch.
enum Next {
    Epoch,
    Phase,
    Nothing,
    Stopped,
}

fn stopped(course: &TrainState) -> RunOutcome {
    RunOutcome::Stopped { at_step: course.place.step }
}

/// The points of the curves.
fn curve(found: &[TaskMetrics]) -> Vec<Score> {
    found.iter().map(TaskMetrics::score).collect()
}

/// Every token id of the rows.
fn used_ids(rows: [&Examples; 2]) -> BTreeSet<u32> {
    let ids = |rows: &Examples| rows.text_ids(&(0..rows.texts() as u32).collect::<Vec<_>>()).concat();
    rows.into_iter().flat_map(ids).collect()
}

/// Puts the best weights back, and says which they are.
fn fitted(model: &Model, outcome: RunOutcome, course: TrainState, best: &Path) -> Result<Fitted, TrainError> {
    let seconds = course.seconds();
    let place = course.place;
    let Some(kept) = place.best else {
        let kept_epoch = (outcome == RunOutcome::Finished).then_some(place.epoch);
        let valid = Vec::new();
        return Ok(Fitted { outcome, kept_epoch, kept_phases: place.moved, valid, seconds, prefixes: None });
    };
    model.fill(&read_all(best)?, best)?;
    let (kept_epoch, kept_phases) = (Some(kept.epoch), kept.phases);
    Ok(Fitted { outcome, kept_epoch, kept_phases, valid: kept.valid, seconds, prefixes: None })
}
