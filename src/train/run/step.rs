//! One optimiser step: forward, losses, backward, clipping, update.

use tch::{Device, Kind, Tensor};

use super::loss::{LossRules, Losses, TaskLoss};
use super::metric_queue::{PendingStep, StepRate};
use crate::data::task::TaskKind;
use crate::model::batch::TokenBatch;
use crate::model::encoder::Encoder;
use crate::model::layers::Dropout;
use crate::model::layers::dropout::with_masks;
use crate::model::summary::Group;
use crate::model::{Model, ModelError};
use crate::random;
use crate::train::cache;
use crate::train::cache::Prefix;
use crate::train::error::TrainError;
use crate::train::examples::{Examples, Targets};
use crate::train::kinds::{Encoded, TaskBatch};
use crate::train::optim::{Optimizer, Update, decays};
use crate::train::plan::recipe::Precision;
use crate::train::plan::{Phase, RunPlan, Thaw};

/// What a step works with: nothing in it changes but the values of the parameters.
pub struct Stepper<'a> {
    plan: &'a RunPlan,
    model: &'a Model,
    /// Over the model's parameters, at the recipe's precision.
    encoder: Box<dyn Encoder>,
    train: &'a Examples,
    rules: LossRules,
    /// Whether a task reads token states, so that pooled vectors alone are not enough.
    on_tokens: bool,
    /// Whether a task learns from the other rows of its batch.
    ranks: bool,
}

/// What the batches of a step have in common.
pub(in crate::train) struct StepPass<'a> {
    phase: &'a Phase,
    prefix: &'a Prefix,
    /// Of the step's dropout.
    pub(in crate::train) seed: u64,
    /// Labels of all batches together, per task, where there are several.
    labelled: Option<Vec<Labelled>>,
}

/// A batch of a step.
#[derive(Clone, Copy)]
pub(in crate::train) struct StepBatch<'a> {
    pub(in crate::train) rows: &'a [u32],
    /// Rows of the step before it.
    pub(in crate::train) start: usize,
}

/// Labels of some rows for a task.
#[derive(Clone, Copy, Debug)]
struct Labelled {
    labels: usize,
    /// Their class weights together, where classes are balanced; else their number.
    weight: f64,
}

impl<'a> Stepper<'a> {
    /// Prepares what the steps have in common.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn new(plan: &'a RunPlan, model: &'a Model, train: &'a Examples) -> Result<Self, TrainError> {
        let rules = LossRules::new(plan, train, model.device)?;
        let products = match plan.recipe.precision {
            Precision::Float32 => None,
            Precision::Bfloat16 => Some(Kind::BFloat16),
        };
        let encoder = model.encoder_for_steps(products)?;
        let ranks = plan.tasks.iter().any(|task| task.kind == TaskKind::Ranking);
        Ok(Self { plan, model, encoder, train, rules, on_tokens: reads_tokens(plan), ranks })
    }

    /// What the user should know of the classes' weights.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.rules.warnings(self.plan)
    }

    /// Says of every parameter whether it takes part in the backward pass of a phase.
    pub fn thaw(&self, phase: &Phase) {
        for param in &self.model.params {
            drop(param.tensor.set_requires_grad(phase.rate(&param.info()).is_some()));
        }
    }

    /// One optimiser step on some batches of training rows: the gradient is that of one large batch of all of them.
    /// Nothing moves where no row is labelled. The device may still be at work on it when this returns: whether its
    /// losses are numbers is seen when they are read.
    ///
    /// # Errors
    /// A refusal of libtorch.
    pub fn step(
        &self,
        optimizer: &mut Optimizer,
        phase: &Phase,
        prefix: &Prefix,
        batches: &[Vec<u32>],
        rate: StepRate,
    ) -> Result<PendingStep, TrainError> {
        let seed = random::mix(self.plan.recipe.seed, rate.step as u64 + 1);
        tch::manual_seed(seed as i64);
        let mut updates = self.updates(phase, rate.factor);
        let labelled = (batches.len() > 1).then(|| self.labelled(&batches.concat()));
        let pass = StepPass { phase, prefix, seed, labelled };
        let losses = if batches.len() > 1 && self.ranks {
            self.cached_batches(&pass, batches, &mut updates)?
        } else {
            self.batches(&pass, batches, &mut updates)?
        };
        updates.retain(|update| update.grad.defined());
        let norm = optimizer.step(&updates, self.plan.recipe.clip_norm)?;
        Ok(PendingStep { rate, norm, updated: !updates.is_empty(), losses })
    }

    /// Forward and backward, one batch after the other.
    fn batches(
        &self,
        pass: &StepPass<'_>,
        batches: &[Vec<u32>],
        updates: &mut [Update],
    ) -> Result<Vec<Losses>, TrainError> {
        let (mut losses, mut start) = (Vec::with_capacity(batches.len()), 0);
        for rows in batches {
            let batch = StepBatch { rows, start };
            let encoded = self.encode(pass, batch)?;
            let (total, told) = self.losses(pass, batch, &encoded, |_| true)?;
            if let Some(total) = total {
                add_gradients(updates, &total)?;
            }
            losses.push(told);
            start += rows.len();
        }
        Ok(losses)
    }

    /// Where the model is.
    pub(in crate::train) fn device(&self) -> Device {
        self.model.device
    }

    /// Labels of some rows, per task.
    fn labelled(&self, rows: &[u32]) -> Vec<Labelled> {
        let of_task = |(task, targets): (usize, &Targets)| {
            let kind = self.model.heads.get(task).map(|head| head.spec.kind).unwrap_or_default();
            let has_texts = |row: &&u32| !kind.takes_pairs() || self.has_second(**row);
            let rows = || rows.iter().filter(has_texts).map(|row| *row as usize);
            Labelled {
                labels: rows().map(|row| targets.labels(row)).sum(),
                weight: rows().map(|row| self.rules.weight_of(task, targets, row)).sum(),
            }
        };
        self.train.targets.iter().enumerate().map(of_task).collect()
    }

    /// What is descended, `None` where no row is labelled, and the loss of every task over the batch's labelled rows: of
    /// the tasks whose kind is asked for. Where a step has several batches, the loss of one is its part of the mean over
    /// the labels of all.
    pub(in crate::train) fn losses(
        &self,
        pass: &StepPass<'_>,
        batch: StepBatch<'_>,
        encoded: &Encoded,
        is_asked: impl Fn(TaskKind) -> bool,
    ) -> Result<(Option<Tensor>, Losses), TrainError> {
        let mut tasks = Vec::with_capacity(self.model.heads.len());
        let mut losses = Vec::new();
        let of_step = pass.labelled.as_deref();
        let of_batch = of_step.map(|_| self.labelled(batch.rows));
        let of = |all: Option<&[Labelled]>, task| all.and_then(|all: &[Labelled]| all.get(task).copied());
        let (rules, train, StepBatch { rows, start }, seed) = (&self.rules, self.train, batch, pass.seed);
        for (task, (head, targets)) in self.model.heads.iter().zip(&self.train.targets).enumerate() {
            if !is_asked(head.spec.kind) {
                tasks.push(None);
                continue;
            }
            let frozen = pass.phase.thaw(Group::Head(task)) == Thaw::Frozen;
            let dropout = if frozen { 0.0 } else { self.plan.recipe.head_dropout };
            let batch = TaskBatch { task, head, dropout, rules, targets, train, rows, start, seed, encoded };
            let Some(TaskLoss { loss, shown, labelled }) = batch.loss()? else {
                // A mean over no rows is 0/0; the task simply has no part in this batch.
                tasks.push(None);
                continue;
            };
            let mut told = loss.f_detach()?;
            let mut part = 1.0;
            if let (Some(all), Some(own)) = (of(of_step, task), of(of_batch.as_deref(), task)) {
                part = own.weight / all.weight;
                // The curve's mean over the batches of the step is over their numbers of labels.
                let by_labels = own.weight * all.labels as f64 / (all.weight * own.labels as f64);
                if by_labels != 1.0 {
                    told = told.f_mul_scalar(by_labels)?;
                }
            }
            tasks.push(Some(TaskLoss { loss: told, shown, labelled }));
            losses.push((task, loss, part));
        }
        let total = self.rules.total(self.model, &losses)?;
        let told = total.as_ref().map(Tensor::f_detach).transpose()?;
        Ok((total, Losses { total: told, tasks }))
    }

    fn has_second(&self, row: u32) -> bool {
        self.train.second.rows() > 0 && self.train.second.len(row as usize) > 0
    }

    /// Embeddings of a batch: what lies below the frost line in eval mode and float32, as it is when it is kept, trained
    /// parts with dropout and at the recipe's precision.
    pub(in crate::train) fn encode(
        &self,
        pass: &StepPass<'_>,
        batch: StepBatch<'_>,
    ) -> Result<Encoded, TrainError> {
        let StepBatch { rows, start } = batch;
        let (phase, prefix) = (pass.phase, pass.prefix);
        let model = self.model;
        let mut texts = rows.to_vec();
        let mut second = Vec::with_capacity(rows.len());
        // What the masks of each text depend on: its row's place in the step.
        let mut places: Vec<u64> = (2 * start as u64..).step_by(2).take(rows.len()).collect();
        for (at, row) in rows.iter().enumerate() {
            let there = self.has_second(*row);
            second.push(there.then_some(texts.len() as i64));
            texts.extend(there.then_some(self.train.len() as u32 + row));
            places.extend(there.then_some(2 * (start + at) as u64 + 1));
        }
        let first = (0..rows.len() as i64).collect();
        if let Prefix::Pooled(pooled) = prefix {
            let pooled = pooled.f_index_select(0, &cache::places(&texts, model)?)?;
            return Ok(Encoded { pooled, first, second, states: None });
        }
        let batch: TokenBatch = model.batch(&self.train.text_ids(&texts))?;
        let trained = |thaw: Thaw| if thaw == Thaw::Frozen { Dropout::OFF } else { self.dropout() };
        let dropout = |layer| trained(phase.thaw(Group::Layer(layer)));
        let hidden = with_masks(pass.seed, places, || {
            let (hidden, from) = match (prefix, phase.frozen_prefix()) {
                (Prefix::HiddenStates(states), Some(depth)) => (states.gather(&texts, &batch)?, depth),
                (_, Some(depth)) => (cache::below(model, &batch, depth)?, depth),
                (_, None) => (self.encoder.embed(&batch, trained(phase.embeddings))?, 0),
            };
            self.encoder.layers(from..model.summary.layers, hidden, &batch, &dropout)
        })?;
        let pooled = model.pool(&hidden, &batch)?;
        Ok(Encoded { pooled, first, second, states: self.on_tokens.then_some((hidden, batch)) })
    }

    fn dropout(&self) -> Dropout {
        let own = self.model.dropout;
        self.plan.recipe.encoder_dropout.map_or(own, Dropout::all)
    }

    /// Every parameter that trains in a phase, without its gradient yet.
    fn updates(&self, phase: &Phase, factor: f64) -> Vec<Update> {
        let mut updates = Vec::new();
        for (index, param) in self.model.params.iter().enumerate() {
            // Asked first, as it costs nothing: where heads train alone, most parameters are frozen.
            if phase.thaw(param.group) == Thaw::Frozen {
                continue;
            }
            let Some(lr) = phase.rate(&param.info()) else { continue };
            let decay =
                if decays(&param.name, &param.tensor.size()) { self.plan.recipe.weight_decay } else { 0.0 };
            let param = param.tensor.shallow_clone();
            updates.push(Update { index, param, grad: Tensor::new(), lr: lr * factor, weight_decay: decay });
        }
        updates
    }
}

/// Backward pass: adds a batch's part to the gradient of every parameter that had a part in its loss.
pub(in crate::train) fn add_gradients(updates: &mut [Update], loss: &Tensor) -> Result<(), ModelError> {
    backward(updates, loss, None).map(drop)
}

/// The same, and gives back the gradient of `also`, where that had a part in the loss.
pub(in crate::train) fn backward(
    updates: &mut [Update],
    loss: &Tensor,
    also: Option<&Tensor>,
) -> Result<Option<Tensor>, ModelError> {
    let inputs: Vec<&Tensor> = updates.iter().map(|update| &update.param).chain(also).collect();
    if inputs.is_empty() || !loss.requires_grad() {
        return Ok(None);
    }
    let mut gradients = Tensor::f_run_backward(&[loss], &inputs, false, false)?;
    let of_also = also.and_then(|_| gradients.pop()).filter(Tensor::defined);
    let _guard = tch::no_grad_guard();
    for (update, gradient) in updates.iter_mut().zip(gradients) {
        if !gradient.defined() {
            continue;
        }
        if update.grad.defined() {
            drop(update.grad.f_add_(&gradient)?);
        } else {
            update.grad = gradient;
        }
    }
    Ok(of_also)
}

/// Whether a task of the plan reads token states.
pub(in crate::train) fn reads_tokens(plan: &RunPlan) -> bool {
    plan.tasks.iter().any(|task| task.kind == TaskKind::TokenLabels)
}
