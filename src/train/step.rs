//! One optimiser step: forward, losses, backward, clipping, update.

use tch::{Kind, Tensor};

use super::backlog::Pending;
use super::cache::{self, Prefix};
use super::error::TrainError;
use super::loss::{LossRules, Losses, TaskLoss};
use super::optim::{Optimizer, Update, decays};
use super::plan::{Phase, RunPlan, Thaw};
use super::recipe::Precision;
use super::rows::{Rows, Targets};
use super::task_loss::{Encoded, TaskBatch};
use crate::data::task::TaskKind;
use crate::model::batch::TokenBatch;
use crate::model::encoder::Encoder;
use crate::model::layers::Dropout;
use crate::model::summary::Group;
use crate::model::{Model, ModelError};

/// What a step works with: nothing in it changes but the values of the parameters.
pub struct Stepper<'a> {
    plan: &'a RunPlan,
    model: &'a Model,
    /// Over the model's parameters, at the recipe's precision.
    encoder: Box<dyn Encoder>,
    train: &'a Rows,
    rules: LossRules,
    /// Whether a task reads token states, so that pooled vectors alone are not enough.
    on_tokens: bool,
}

/// Which step it is, and its rate.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// Optimiser steps before it.
    pub step: usize,
    /// What the peak rates of the phase are multiplied by.
    pub factor: f64,
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
    pub fn new(plan: &'a RunPlan, model: &'a Model, train: &'a Rows) -> Result<Self, TrainError> {
        let rules = LossRules::new(plan, train, model.device)?;
        let products = match plan.recipe.precision {
            Precision::Float32 => None,
            Precision::Bfloat16 => Some(Kind::BFloat16),
        };
        let encoder = model.encoder_for_steps(products)?;
        Ok(Self { plan, model, encoder, train, rules, on_tokens: reads_tokens(plan) })
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
        at: At,
    ) -> Result<Pending, TrainError> {
        tch::manual_seed(step_seed(self.plan.recipe.seed, at.step));
        let mut updates = self.updates(phase, at.factor);
        let mut losses = Vec::with_capacity(batches.len());
        let of_step = (batches.len() > 1).then(|| self.labelled(&batches.concat()));
        for rows in batches {
            let encoded = self.encode(phase, prefix, rows)?;
            let (total, told) = self.losses(phase, &encoded, rows, of_step.as_deref())?;
            if let Some(total) = total {
                add_gradients(&mut updates, &total)?;
            }
            losses.push(told);
        }
        updates.retain(|update| update.grad.defined());
        let norm = optimizer.step(&updates, self.plan.recipe.clip_norm)?;
        Ok(Pending { at, norm, updated: !updates.is_empty(), losses })
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

    /// What is descended, `None` where no row is labelled, and the loss of every task over the batch's labelled rows.
    /// `of_step` are the labels that the batches of the step have together, where there are several: the loss of a batch
    /// is then its part of the mean over all of them.
    fn losses(
        &self,
        phase: &Phase,
        encoded: &Encoded,
        rows: &[u32],
        of_step: Option<&[Labelled]>,
    ) -> Result<(Option<Tensor>, Losses), TrainError> {
        let mut tasks = Vec::with_capacity(self.model.heads.len());
        let mut losses = Vec::new();
        let of_batch = of_step.map(|_| self.labelled(rows));
        let of = |all: Option<&[Labelled]>, task| all.and_then(|all: &[Labelled]| all.get(task).copied());
        for (task, (head, targets)) in self.model.heads.iter().zip(&self.train.targets).enumerate() {
            let frozen = phase.thaw(Group::Head(task)) == Thaw::Frozen;
            let dropout = if frozen { 0.0 } else { self.plan.recipe.head_dropout };
            let (rules, train) = (&self.rules, self.train);
            let batch = TaskBatch { task, head, dropout, rules, targets, train, rows, encoded };
            let Some(TaskLoss { loss, figure, labelled }) = batch.loss()? else {
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
            tasks.push(Some(TaskLoss { loss: told, figure, labelled }));
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
    fn encode(&self, phase: &Phase, prefix: &Prefix, rows: &[u32]) -> Result<Encoded, TrainError> {
        let model = self.model;
        let mut texts = rows.to_vec();
        let mut second = Vec::with_capacity(rows.len());
        for row in rows {
            let there = self.has_second(*row);
            second.push(there.then_some(texts.len() as i64));
            texts.extend(there.then_some(self.train.len() as u32 + row));
        }
        let first = (0..rows.len() as i64).collect();
        if let Prefix::Pooled(pooled) = prefix {
            let pooled = pooled.f_index_select(0, &cache::places(&texts, model)?)?;
            return Ok(Encoded { pooled, first, second, states: None });
        }
        let batch: TokenBatch = model.batch(&self.train.text_ids(&texts))?;
        let trained = |thaw: Thaw| if thaw == Thaw::Frozen { Dropout::OFF } else { self.dropout() };
        let (hidden, from) = match (prefix, phase.frozen_prefix()) {
            (Prefix::States(states), Some(depth)) => (states.gather(&texts, &batch)?, depth),
            (_, Some(depth)) => (cache::below(model, &batch, depth)?, depth),
            (_, None) => (self.encoder.embed(&batch, trained(phase.embeddings))?, 0),
        };
        let dropout = |layer| trained(phase.thaw(Group::Layer(layer)));
        let hidden = self.encoder.layers(from..model.summary.layers, hidden, &batch, &dropout)?;
        let pooled = model.pool(&hidden, &batch)?;
        Ok(Encoded { pooled, first, second, states: self.on_tokens.then_some((hidden, batch)) })
    }

    fn dropout(&self) -> Dropout {
        let own = self.model.dropout;
        self.plan.recipe.encoder_dropout.map_or(own, |p| Dropout { hidden: p, attention: p })
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
fn add_gradients(updates: &mut [Update], loss: &Tensor) -> Result<(), ModelError> {
    let inputs: Vec<&Tensor> = updates.iter().map(|update| &update.param).collect();
    if inputs.is_empty() || !loss.requires_grad() {
        return Ok(());
    }
    let gradients = Tensor::f_run_backward(&[loss], &inputs, false, false)?;
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
    Ok(())
}

/// Whether a task of the plan reads token states.
pub(super) fn reads_tokens(plan: &RunPlan) -> bool {
    plan.tasks.iter().any(|task| task.kind == TaskKind::TokenLabels)
}

/// Dropout of a step depends on the run's seed and the step alone, so that a run that is taken up again draws
/// the same masks.
fn step_seed(seed: u64, step: usize) -> i64 {
    // SplitMix64 (Steele et al. 2014): neighbouring steps get unrelated seeds.
    let mut z = seed.wrapping_add((step as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as i64
}
