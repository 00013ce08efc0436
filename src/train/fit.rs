//! THE loop: phase, batch, forward, losses, backward, step, report, stop check.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tch::{Kind, Reduction, Tensor};

use super::cache::{self, Prefix};
use super::error::TrainError;
use super::evaluate::{answers, probabilities, scores};
use super::metrics::{EpochPoint, Score, StepPoint};
use super::optim::{clip_factor, decays, global_norm, Optimizer, Update};
use super::plan::{Phase, RunPlan, Thaw};
use super::preset::Recipe;
use super::report::RunOutcome;
use super::rows::{Rows, NO_LABEL};
use super::schedule::{rate_factor, warmup_steps};
use crate::model::batch::TokenBatch;
use crate::model::layers::Dropout;
use crate::model::summary::Group;
use crate::model::{Model, ModelError};
use crate::text::batches::epoch_batches;

/// Bytes that states kept at the frost line may take.
const CACHE_BUDGET: u64 = 2 << 30;

/// News from the loop.
#[derive(Clone, Debug, PartialEq)]
pub enum FitEvent {
    /// A phase begins.
    Phase(usize),
    /// What happens beside training.
    Note(String),
    /// A step is done.
    Step(StepPoint),
    /// An epoch is done.
    Epoch(EpochPoint),
}

/// How a fit ended. The model holds the kept weights: those of the best epoch on the validation rows, the last
/// ones where there are none, those of the moment when it was stopped within the first epoch.
#[derive(Debug)]
pub struct Fitted {
    /// Finished or stopped.
    pub outcome: RunOutcome,
    /// Epoch whose weights are kept; `None` when it was stopped before the first ended.
    pub kept_epoch: Option<u32>,
    /// Phases that were reached.
    pub phases_reached: usize,
    /// Scores of the kept weights on the validation rows.
    pub valid: Vec<Score>,
}

/// What the loop works with.
pub struct Fit<'a> {
    /// What to do.
    pub plan: &'a RunPlan,
    /// The model, with its heads.
    pub model: &'a Model,
    /// Rows that are trained on.
    pub train: &'a Rows,
    /// Rows that choose the kept weights; may be empty.
    pub valid: &'a Rows,
    /// Set from outside to stop within a batch.
    pub stop: &'a AtomicBool,
    /// Called whenever the weights are the best so far.
    pub keep: &'a mut dyn FnMut(&Model) -> Result<(), TrainError>,
    /// Takes the news.
    pub report: &'a mut dyn FnMut(FitEvent) -> Result<(), TrainError>,
}

/// The kept weights and how good they are.
struct Best {
    snapshot: Vec<Tensor>,
    quality: (f64, f64),
    epoch: u32,
    valid: Vec<Score>,
}

impl Fit<'_> {
    /// Trains by the plan.
    ///
    /// # Errors
    /// A loss that is not a number, a refusal of libtorch, or whatever `keep` and `report` say.
    pub fn run(&mut self) -> Result<Fitted, TrainError> {
        let total_steps = self.plan.total_steps();
        let warmup = warmup_steps(&self.plan.recipe, total_steps);
        let mut optimizer = Optimizer::new(self.plan.recipe.optimizer);
        let mut best: Option<Best> = None;
        let (mut step, mut epoch) = (0, 0);

        let started = Instant::now();
        let Some(valid) = self.measure(&Prefix::None)? else { return Ok(stopped(0, 0, best)) };
        self.report_epoch(0, 0, 0, 0.0, Vec::new(), valid, started, false)?;

        for (index, phase) in self.plan.phases.iter().enumerate() {
            (self.report)(FitEvent::Phase(index))?;
            self.thaw(phase);
            let Some((train_prefix, valid_prefix)) = self.prefixes(phase)? else {
                return self.finish(stopped(step, index + 1, best.take()), best);
            };
            for _ in 0..phase.epochs {
                let started = Instant::now();
                let mut sums = Sums::new(self.plan.tasks.len());
                for rows in self.batches(epoch) {
                    if self.stop.load(Ordering::Relaxed) {
                        return self.finish(stopped(step, index + 1, None), best);
                    }
                    tch::manual_seed(step_seed(&self.plan.recipe, step));
                    let factor = rate_factor(step, total_steps, warmup, self.plan.recipe.decay);
                    let losses = self.losses(phase, &train_prefix, &rows)?;
                    let updates = self.gradients(phase, &losses.total, factor)?;
                    let norm = global_norm(&updates)?;
                    optimizer.step(&updates, clip_factor(norm, self.plan.recipe.clip_norm))?;
                    step += 1;
                    let point = losses.point(self.plan, step, factor, norm)?;
                    sums.add(&point);
                    (self.report)(FitEvent::Step(point))?;
                }
                epoch += 1;
                let Some(valid) = self.measure(&valid_prefix)? else {
                    return self.finish(stopped(step, index + 1, None), best);
                };
                let quality = self.quality(&valid);
                let better = valid.is_empty() || best.as_ref().is_none_or(|best| quality > best.quality);
                if better {
                    let snapshot = self.model.params.snapshot()?;
                    best = Some(Best { snapshot, quality, epoch, valid: valid.clone() });
                    (self.keep)(self.model)?;
                }
                self.report_epoch(epoch, step, index, sums.loss(), sums.tasks(), valid, started, better)?;
            }
        }
        let reached = self.plan.phases.len();
        let fitted = Fitted { outcome: RunOutcome::Finished, kept_epoch: None, phases_reached: reached, valid: Vec::new() };
        self.finish(fitted, best)
    }

    /// Puts the best weights back and says which they are.
    fn finish(&self, mut fitted: Fitted, best: Option<Best>) -> Result<Fitted, TrainError> {
        if let Some(best) = best {
            self.model.params.restore(&best.snapshot)?;
            fitted.kept_epoch = Some(best.epoch);
            fitted.valid = best.valid;
        }
        self.freeze();
        Ok(fitted)
    }

    /// Says of every parameter whether it takes part in the backward pass of a phase.
    fn thaw(&self, phase: &Phase) {
        for param in self.model.params.iter() {
            drop(param.tensor.set_requires_grad(phase.thaw(param.group) != Thaw::Frozen));
        }
    }

    /// After the run nothing asks for gradients any more.
    fn freeze(&self) {
        for param in self.model.params.iter() {
            drop(param.tensor.set_requires_grad(false));
        }
    }

    /// Rows of each batch of an epoch: by length while tokens are encoded, so that little is padded; at random
    /// while pooled vectors are read, whose length is always the same.
    fn batches(&self, epoch: u32) -> Vec<Vec<u32>> {
        let recipe = &self.plan.recipe;
        epoch_batches(&self.train.tokens.lengths(), recipe.batch_size, recipe.seed, u64::from(epoch))
    }

    /// What can be computed once for a phase. `None` when it was stopped meanwhile.
    fn prefixes(&mut self, phase: &Phase) -> Result<Option<(Prefix, Prefix)>, TrainError> {
        let (stop, model) = (self.stop, self.model);
        let (train, valid) = (self.train, self.valid);
        let Some(depth) = phase.frozen_prefix().filter(|_| phase.epochs > 0) else {
            return Ok(Some((Prefix::None, Prefix::None)));
        };
        let total = train.len() + valid.len();
        let whole = phase.encoder_is_frozen();
        let what = if whole { "pooled vectors" } else { "token states at the frost line" };
        let fits = cache::state_bytes(train, model.summary.hidden) <= CACHE_BUDGET;
        if !whole && (phase.epochs < 2 || !fits) {
            return Ok(Some((Prefix::None, Prefix::None)));
        }
        let report = &mut self.report;
        let mut told = Instant::now();
        let mut progress = |before: usize, done: usize| {
            if told.elapsed().as_millis() > 200 || before + done == total {
                told = Instant::now();
                // A full channel loses no training; the next note says more anyway.
                report(FitEvent::Note(format!("computing {what} once: {} of {total}", before + done))).unwrap_or(());
            }
        };
        if !whole {
            let states = cache::states(model, train, depth, stop, &mut |done| progress(valid.len(), done))?;
            return Ok(states.map(|states| (Prefix::States(states), Prefix::None)));
        }
        let Some(train_pooled) = cache::pooled(model, train, stop, &mut |done| progress(0, done))? else {
            return Ok(None);
        };
        let valid_pooled = cache::pooled(model, valid, stop, &mut |done| progress(train.len(), done))?;
        Ok(valid_pooled.map(|valid_pooled| (Prefix::Pooled(train_pooled), Prefix::Pooled(valid_pooled))))
    }

    /// Pooled embeddings of a batch `[batch, hidden]`: frozen parts in eval mode, trained parts with dropout.
    fn embed(&self, phase: &Phase, prefix: &Prefix, rows: &[u32]) -> Result<Tensor, TrainError> {
        let model = self.model;
        if let Prefix::Pooled(pooled) = prefix {
            return Ok(pooled.f_index_select(0, &cache::places(rows, model)?)?);
        }
        let batch: TokenBatch = model.batch(&self.train.ids(rows))?;
        let trained = |thaw: Thaw| if thaw == Thaw::Frozen { Dropout::OFF } else { self.dropout() };
        let (hidden, from) = match (prefix, phase.frozen_prefix()) {
            (Prefix::States(states), Some(depth)) => (states.gather(rows, &batch)?, depth),
            (_, Some(depth)) => (cache::below(model, &batch, depth)?, depth),
            (_, None) => (model.embed(&batch, trained(phase.embeddings))?, 0),
        };
        let dropout = |layer| trained(phase.thaw(Group::Layer(layer)));
        let hidden = model.layers(from..model.summary.layers, hidden, &batch, &dropout)?;
        Ok(model.pool(&hidden, &batch)?)
    }

    fn dropout(&self) -> Dropout {
        let own = self.model.dropout;
        self.plan.recipe.encoder_dropout.map_or(own, |p| Dropout { hidden: p, attention: p })
    }

    /// Forward pass and the loss of every task over the batch's labelled rows.
    fn losses(&self, phase: &Phase, prefix: &Prefix, rows: &[u32]) -> Result<Losses, TrainError> {
        let pooled = self.embed(phase, prefix, rows)?;
        let mut total: Option<Tensor> = None;
        let mut tasks = Vec::with_capacity(self.model.heads.len());
        for (task, head) in self.model.heads.iter().enumerate() {
            let (targets, labelled) = self.train.targets(task, rows, self.model.device)?;
            if labelled == 0 {
                // Cross-entropy over no rows is 0/0; the task simply has no part in this batch.
                tasks.push(None);
                continue;
            }
            let frozen = phase.thaw(Group::Head(task)) == Thaw::Frozen;
            let p = if frozen { 0.0 } else { self.plan.recipe.head_dropout };
            let logits = head.forward(&pooled, p)?;
            let loss =
                logits.f_cross_entropy_loss(&targets, None::<&Tensor>, Reduction::Mean, NO_LABEL, 0.0)?;
            let right = logits.f_argmax(-1, false)?.f_eq_tensor(&targets)?.f_sum(Kind::Float)?;
            total = Some(match total {
                Some(total) => total.f_add(&loss)?,
                None => loss.shallow_clone(),
            });
            tasks.push(Some(TaskLoss { loss: loss.f_detach()?, right, labelled }));
        }
        let total = total.ok_or_else(|| TrainError::Unfit("a batch without any label".into()))?;
        Ok(Losses { total, tasks })
    }

    /// Backward pass: the gradient of every parameter that trains and had a part in the loss.
    fn gradients(&self, phase: &Phase, loss: &Tensor, factor: f64) -> Result<Vec<Update>, TrainError> {
        let mut updates = Vec::new();
        for (index, param) in self.model.params.iter().enumerate() {
            let Some(lr) = phase.thaw(param.group).lr() else { continue };
            let decay = if decays(&param.name, &param.tensor.size()) { self.plan.recipe.weight_decay } else { 0.0 };
            let param = param.tensor.shallow_clone();
            updates.push(Update { index, param, grad: Tensor::new(), lr: lr * factor, weight_decay: decay });
        }
        let inputs: Vec<&Tensor> = updates.iter().map(|update| &update.param).collect();
        if inputs.is_empty() || !loss.requires_grad() {
            return Ok(Vec::new());
        }
        let gradients = Tensor::f_run_backward(&[loss], &inputs, false, false)?;
        for (update, gradient) in updates.iter_mut().zip(gradients) {
            update.grad = gradient;
        }
        updates.retain(|update| update.grad.defined());
        Ok(updates)
    }

    /// Scores on the validation rows; empty without any, `None` when it was stopped.
    fn measure(&self, prefix: &Prefix) -> Result<Option<Vec<Score>>, TrainError> {
        if self.valid.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let probabilities = match prefix {
            Prefix::Pooled(pooled) => probabilities(self.model, pooled)?,
            _ => match answers(self.model, self.valid, self.stop, &mut |_| {})? {
                Some(answers) => answers.probabilities,
                None => return Ok(None),
            },
        };
        Ok(Some(scores(self.valid, &probabilities)))
    }

    /// What chooses the kept weights: mean validation accuracy of the tasks whose heads ever train (of all, when
    /// none does), then the smaller mean loss.
    fn quality(&self, valid: &[Score]) -> (f64, f64) {
        let trains = |task: usize| self.plan.phases.iter().any(|phase| phase.thaw(Group::Head(task)) != Thaw::Frozen);
        let learning: Vec<&Score> =
            valid.iter().enumerate().filter(|(task, score)| trains(*task) && score.rows > 0).map(|(_, s)| s).collect();
        let of = if learning.is_empty() { valid.iter().collect() } else { learning };
        let n = of.len().max(1) as f64;
        (of.iter().map(|s| s.accuracy).sum::<f64>() / n, -of.iter().map(|s| s.loss).sum::<f64>() / n)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the point, gathered in one place")]
    fn report_epoch(
        &mut self,
        epoch: u32,
        step: usize,
        phase: usize,
        loss: f64,
        train: Vec<Score>,
        valid: Vec<Score>,
        started: Instant,
        best: bool,
    ) -> Result<(), TrainError> {
        let seconds = started.elapsed().as_secs_f64();
        (self.report)(FitEvent::Epoch(EpochPoint { epoch, step, phase, loss, train, valid, seconds, best }))
    }
}

fn stopped(at_step: usize, phases_reached: usize, best: Option<Best>) -> Fitted {
    let valid = best.map(|best| best.valid).unwrap_or_default();
    Fitted { outcome: RunOutcome::Stopped { at_step }, kept_epoch: None, phases_reached, valid }
}

/// Dropout of a step depends on the run's seed and the step alone, so that a run that is taken up again draws
/// the same masks.
fn step_seed(recipe: &Recipe, step: usize) -> i64 {
    // SplitMix64 (Steele et al. 2014): neighbouring steps get unrelated seeds.
    let mut z = recipe.seed.wrapping_add((step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as i64
}

/// One task's share of a batch.
struct TaskLoss {
    loss: Tensor,
    right: Tensor,
    labelled: usize,
}

/// The losses of a batch; `None` for a task without a label in it.
struct Losses {
    total: Tensor,
    tasks: Vec<Option<TaskLoss>>,
}

impl Losses {
    fn point(&self, plan: &RunPlan, step: usize, factor: f64, norm: f64) -> Result<StepPoint, TrainError> {
        let read = |tensor: &Tensor| tensor.f_double_value(&[]).map_err(ModelError::from);
        let mut tasks = Vec::with_capacity(self.tasks.len());
        for (planned, task) in plan.tasks.iter().zip(&self.tasks) {
            let Some(task) = task else {
                tasks.push(Score::default());
                continue;
            };
            let loss = read(&task.loss)?;
            if !loss.is_finite() {
                return Err(TrainError::NotFinite { task: planned.name.clone(), value: loss, step });
            }
            let accuracy = read(&task.right)? / task.labelled as f64;
            tasks.push(Score { loss, accuracy, rows: task.labelled });
        }
        let epoch = step as f64 / plan.steps_per_epoch.max(1) as f64;
        let loss = read(&self.total.f_detach()?)?;
        Ok(StepPoint { step, epoch, loss, tasks, rate_factor: factor, grad_norm: norm })
    }
}

/// Running sums over an epoch.
struct Sums {
    loss: f64,
    steps: usize,
    tasks: Vec<Score>,
}

impl Sums {
    fn new(tasks: usize) -> Self {
        Self { loss: 0.0, steps: 0, tasks: vec![Score::default(); tasks] }
    }

    fn add(&mut self, point: &StepPoint) {
        self.loss += point.loss;
        self.steps += 1;
        for (sum, score) in self.tasks.iter_mut().zip(&point.tasks) {
            sum.loss += score.loss * score.rows as f64;
            sum.accuracy += score.accuracy * score.rows as f64;
            sum.rows += score.rows;
        }
    }

    fn loss(&self) -> f64 {
        self.loss / self.steps.max(1) as f64
    }

    fn tasks(&self) -> Vec<Score> {
        let mean = |sum: &Score| {
            let n = sum.rows.max(1) as f64;
            Score { loss: sum.loss / n, accuracy: sum.accuracy / n, rows: sum.rows }
        };
        self.tasks.iter().map(mean).collect()
    }
}
