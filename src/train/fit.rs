//! THE loop: phase, batch, forward, losses, backward, step, report, stop check.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tch::{Kind, Reduction, Tensor};

use super::cache::{self, Prefix};
use super::error::TrainError;
use super::evaluate::{answers, probabilities, scores};
use super::loss::{Losses, Sums, TaskLoss};
use super::metrics::{EpochPoint, Score, StepPoint};
use super::optim::{Optimizer, Update, clip_factor, decays, global_norm};
use super::plan::{Phase, RunPlan, Thaw};
use super::preset::{OptimizerKind, Recipe};
use super::report::RunOutcome;
use super::rows::{NO_LABEL, Rows};
use super::schedule::{rate_factor, warmup_steps};
use crate::model::Model;
use crate::model::batch::TokenBatch;
use crate::model::layers::Dropout;
use crate::model::summary::Group;
use crate::model::vocabulary::CutVocabulary;
use crate::text::batches::epoch_batches;

/// Bytes that states kept at the frost line may take.
const CACHE_BUDGET: u64 = 2 << 30;

/// How often weights are kept while nothing says which are best.
const KEEP_EVERY: Duration = Duration::from_secs(30);

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
    /// Phases that had a part in the kept weights: a step of theirs moved something before these were kept.
    pub kept_phases: usize,
    /// Scores of the kept weights on the validation rows.
    pub valid: Vec<Score>,
}

/// Takes every parameter under its name.
pub type Keep<'a> = dyn FnMut(&[(String, Tensor)]) -> Result<(), TrainError> + 'a;

/// What the loop works with.
pub struct Fit<'a> {
    /// What to do.
    pub plan: &'a RunPlan,
    /// The model, with its heads.
    pub model: &'a mut Model,
    /// Rows that are trained on.
    pub train: &'a Rows,
    /// Rows that choose the kept weights; may be empty.
    pub valid: &'a Rows,
    /// Set from outside to stop within a batch.
    pub stop: &'a AtomicBool,
    /// Called with all parameters by name whenever they are the best so far on the validation rows.
    pub keep: &'a mut Keep<'a>,
    /// Takes the news.
    pub report: &'a mut dyn FnMut(FitEvent) -> Result<(), TrainError>,
}

/// The kept weights and how good they are.
struct Best {
    snapshot: Vec<Tensor>,
    quality: (f64, f64),
    epoch: u32,
    valid: Vec<Score>,
    unused: f64,
    phases: usize,
}

impl Fit<'_> {
    /// Trains by the plan.
    ///
    /// # Errors
    /// A loss that is not a number, a refusal of libtorch, or whatever `keep` and `report` say.
    pub fn run(&mut self) -> Result<Fitted, TrainError> {
        if self.plan.phases.iter().all(|phase| phase.embeddings == Thaw::Frozen) {
            return self.run_phases(None, &mut 1.0);
        }
        let rows = [self.train, self.valid];
        let used = rows
            .into_iter()
            .flat_map(|rows| (0..rows.len()).flat_map(|row| rows.tokens.ids(row).iter().copied()));
        let cut = self.model.cut_vocabulary(used)?;
        let mut unused = 1.0;
        let fitted = self.run_phases(Some(&cut), &mut unused);
        self.model.restore_vocabulary(cut, unused)?;
        fitted
    }

    /// The phases in order. `unused` becomes what weight decay leaves of embeddings that no text names.
    fn run_phases(&mut self, cut: Option<&CutVocabulary>, unused: &mut f64) -> Result<Fitted, TrainError> {
        let total_steps = self.plan.total_steps();
        let warmup = warmup_steps(&self.plan.recipe, total_steps);
        let mut optimizer = Optimizer::new(self.plan.recipe.optimizer);
        let mut best: Option<Best> = None;
        let (mut step, mut epoch, mut moved) = (0, 0, 0);
        let mut kept = Instant::now();

        let started = Instant::now();
        let Some(valid) = self.measure(&Prefix::None)? else { return Ok(stopped(0, 0)) };
        self.report_epoch(0, 0, 0, 0.0, Vec::new(), valid, started, false)?;

        for (index, phase) in self.plan.phases.iter().enumerate() {
            (self.report)(FitEvent::Phase(index))?;
            self.thaw(phase);
            let Some((train_prefix, valid_prefix)) = self.prefixes(phase)? else {
                return self.finish(stopped(step, moved), best, unused);
            };
            for _ in 0..phase.epochs {
                let started = Instant::now();
                let mut sums = Sums::new(self.plan.tasks.len());
                for rows in self.batches(epoch) {
                    if self.stop.load(Ordering::Relaxed) {
                        return self.finish(stopped(step, moved), best, unused);
                    }
                    let factor = rate_factor(step, total_steps, warmup, self.plan.recipe.decay);
                    let point = self.step(&mut optimizer, phase, &train_prefix, &rows, step, factor)?;
                    *unused *= self.decay_of_unused(phase, factor);
                    step += 1;
                    // The first step of a warm-up has rate 0 and moves nothing.
                    moved = if factor > 0.0 { index + 1 } else { moved };
                    sums.add(&point);
                    (self.report)(FitEvent::Step(point))?;
                }
                epoch += 1;
                let Some(valid) = self.measure(&valid_prefix)? else {
                    return self.finish(stopped(step, moved), best, unused);
                };
                let quality = self.quality(&valid);
                // Without validation rows nothing says which epoch is best: the last one is kept.
                let better = !valid.is_empty() && best.as_ref().is_none_or(|best| quality > best.quality);
                if better {
                    let snapshot = self.model.params.snapshot()?;
                    best = Some(Best {
                        snapshot,
                        quality,
                        epoch,
                        valid: valid.clone(),
                        unused: *unused,
                        phases: moved,
                    });
                }
                // Without validation rows, what there is is kept now and then, should the program be ended.
                if better || (valid.is_empty() && kept.elapsed() > KEEP_EVERY) {
                    kept = Instant::now();
                    let named = self.named(cut, *unused)?;
                    (self.keep)(&named)?;
                }
                self.report_epoch(epoch, step, index, sums.loss(), sums.tasks(), valid, started, better)?;
            }
        }
        let kept_epoch = Some(epoch);
        let fitted =
            Fitted { outcome: RunOutcome::Finished, kept_epoch, kept_phases: moved, valid: Vec::new() };
        self.finish(fitted, best, unused)
    }

    /// One optimiser step, the `step`-th from 0, on some rows of the training split: forward, losses, backward,
    /// clipping, update. `factor` multiplies the peak rates of the phase.
    ///
    /// # Errors
    /// A loss that is not a number, or a refusal of libtorch.
    pub fn step(
        &self,
        optimizer: &mut Optimizer,
        phase: &Phase,
        prefix: &Prefix,
        rows: &[u32],
        step: usize,
        factor: f64,
    ) -> Result<StepPoint, TrainError> {
        tch::manual_seed(step_seed(&self.plan.recipe, step));
        let losses = self.losses(phase, prefix, rows)?;
        let updates = self.gradients(phase, &losses.total, factor)?;
        let norm = global_norm(&updates)?;
        let point = losses.point(self.plan, step + 1, factor, norm)?;
        if !norm.is_finite() {
            return Err(TrainError::NotFinite {
                task: "all (its gradient)".into(),
                value: norm,
                step: step + 1,
            });
        }
        optimizer.step(&updates, clip_factor(norm, self.plan.recipe.clip_norm))?;
        Ok(point)
    }

    /// Puts the best weights back and says which they are.
    fn finish(&self, mut fitted: Fitted, best: Option<Best>, unused: &mut f64) -> Result<Fitted, TrainError> {
        if let Some(best) = best {
            self.model.params.restore(&best.snapshot)?;
            fitted.kept_epoch = Some(best.epoch);
            fitted.valid = best.valid;
            fitted.kept_phases = best.phases;
            *unused = best.unused;
        }
        self.freeze();
        Ok(fitted)
    }

    /// Every parameter under its name, with the full table of token embeddings.
    fn named(&self, cut: Option<&CutVocabulary>, unused: f64) -> Result<Vec<(String, Tensor)>, TrainError> {
        let words = cut.map(|cut| self.model.full_words(cut, unused)).transpose()?;
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
        match (self.plan.recipe.optimizer, phase.embeddings.lr()) {
            (OptimizerKind::AdamW, Some(lr)) => 1.0 - lr * factor * self.plan.recipe.weight_decay,
            _ => 1.0,
        }
    }

    /// Says of every parameter whether it takes part in the backward pass of a phase.
    pub fn thaw(&self, phase: &Phase) {
        for param in &self.model.params {
            drop(param.tensor.set_requires_grad(phase.thaw(param.group) != Thaw::Frozen));
        }
    }

    /// After the run nothing asks for gradients any more.
    fn freeze(&self) {
        for param in &self.model.params {
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
        let stop = self.stop;
        let model: &Model = self.model;
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
            if told.elapsed().as_millis() > 500 || before + done == total {
                told = Instant::now();
                // A full channel loses no training; the next note says more anyway.
                report(FitEvent::Note(format!("computing {what} once: {} of {total}", before + done)))
                    .unwrap_or(());
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
        let model: &Model = self.model;
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
            let (targets, labelled) = self.train.class_targets(task, rows, self.model.device)?;
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
            let decay =
                if decays(&param.name, &param.tensor.size()) { self.plan.recipe.weight_decay } else { 0.0 };
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
        let trains =
            |task: usize| self.plan.phases.iter().any(|phase| phase.thaw(Group::Head(task)) != Thaw::Frozen);
        let learning: Vec<&Score> = valid
            .iter()
            .enumerate()
            .filter(|(task, score)| trains(*task) && score.rows > 0)
            .map(|(_, s)| s)
            .collect();
        let of = if learning.is_empty() { valid.iter().collect() } else { learning };
        let n = of.len().max(1) as f64;
        (of.iter().map(|s| s.figure).sum::<f64>() / n, -of.iter().map(|s| s.loss).sum::<f64>() / n)
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

fn stopped(at_step: usize, kept_phases: usize) -> Fitted {
    Fitted { outcome: RunOutcome::Stopped { at_step }, kept_epoch: None, kept_phases, valid: Vec::new() }
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
