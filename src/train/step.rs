//! One optimiser step: forward, losses, backward, clipping, update.

use tch::{Kind, Tensor};

use super::backlog::Pending;
use super::cache::{self, Prefix};
use super::error::TrainError;
use super::loss::{LossRules, Losses, TaskLoss, cosine, number_targets, numbers, ranking};
use super::optim::{Optimizer, Update, decays};
use super::plan::{Phase, RunPlan, Thaw};
use super::recipe::Precision;
use super::rows::{NO_LABEL, NO_TAG, Rows, Targets};
use crate::data::task::TaskKind;
use crate::model::batch::TokenBatch;
use crate::model::device::upload;
use crate::model::encoder::Encoder;
use crate::model::heads::Head;
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

/// Texts of a batch as the heads read them.
struct Encoded {
    /// Pooled embeddings of the rows' first texts, then of the second texts of those that have one: `[texts, embedding]`.
    pooled: Tensor,
    /// Token states, and the longest text's number of tokens; `None` where only pooled vectors are read.
    states: Option<(Tensor, TokenBatch)>,
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
        let of_step = (batches.len() > 1).then(|| self.labels(&batches.concat()));
        for rows in batches {
            let (total, told) = self.losses(phase, prefix, rows, of_step.as_deref())?;
            if let Some(total) = total {
                add_gradients(&mut updates, &total)?;
            }
            losses.push(told);
        }
        updates.retain(|update| update.grad.defined());
        let norm = optimizer.step(&updates, self.plan.recipe.clip_norm)?;
        Ok(Pending { at, norm, losses })
    }

    /// Labels of some rows, per task.
    fn labels(&self, rows: &[u32]) -> Vec<usize> {
        let count = |targets: &Targets| rows.iter().map(|row| targets.labels(*row as usize)).sum();
        self.train.targets.iter().map(count).collect()
    }

    /// Forward pass: what is descended, `None` where no row is labelled, and the loss of every task over the batch's
    /// labelled rows. `of_step` are the labels that the batches of the step have together, where there are several.
    fn losses(
        &self,
        phase: &Phase,
        prefix: &Prefix,
        rows: &[u32],
        of_step: Option<&[usize]>,
    ) -> Result<(Option<Tensor>, Losses), TrainError> {
        let second: Vec<usize> = (0..rows.len()).filter(|at| self.has_second(rows[*at])).collect();
        let encoded = self.encode(phase, prefix, rows, &second)?;
        let mut tasks = Vec::with_capacity(self.model.heads.len());
        let mut losses = Vec::new();
        for (task, head) in self.model.heads.iter().enumerate() {
            let frozen = phase.thaw(Group::Head(task)) == Thaw::Frozen;
            let p = if frozen { 0.0 } else { self.plan.recipe.head_dropout };
            let Some((loss, figure, labelled)) = self.task_loss(task, head, p, &encoded, rows, &second)?
            else {
                // A mean over no rows is 0/0; the task simply has no part in this batch.
                tasks.push(None);
                continue;
            };
            tasks.push(Some(TaskLoss { loss: loss.f_detach()?, figure, labelled }));
            let all = of_step.and_then(|all| all.get(task).copied()).unwrap_or(labelled);
            losses.push((task, loss, labelled as f64 / all.max(1) as f64));
        }
        let total = self.rules.total(self.model, &losses)?;
        let told = total.as_ref().map(Tensor::f_detach).transpose()?;
        Ok((total, Losses { total: told, tasks }))
    }

    /// A task's loss, the figure of its curve, and how many rows are labelled; `None` when none is.
    fn task_loss(
        &self,
        task: usize,
        head: &Head,
        p: f64,
        encoded: &Encoded,
        rows: &[u32],
        second: &[usize],
    ) -> Result<Option<(Tensor, Tensor, usize)>, ModelError> {
        let Some(targets) = self.train.targets.get(task) else { return Ok(None) };
        let device = self.model.device;
        let first = encoded.pooled.f_narrow(0, 0, rows.len() as i64)?;
        let kind = head.spec.kind;
        let (loss, figure, labelled) = match kind {
            TaskKind::SingleLabel => {
                let (targets, labelled) = self.train.class_targets(task, rows, device)?;
                if labelled == 0 {
                    return Ok(None);
                }
                let (loss, right) = self.rules.classes(task, &head.forward(&first, p)?, &targets)?;
                (loss, right, labelled)
            }
            TaskKind::MultiLabel => {
                let Some((places, sets)) = set_targets(targets, rows, head.spec.outputs()) else {
                    return Ok(None);
                };
                let shape = [places.len() as i64, head.spec.outputs() as i64];
                let sets = upload(&sets, device)?.f_view(shape)?;
                let chosen = select(&first, &places)?;
                let (loss, figure) = self.rules.sets(task, &head.forward(&chosen, p)?, &sets)?;
                (loss, figure, places.len())
            }
            TaskKind::TokenLabels => {
                let Some((states, batch)) = &encoded.states else {
                    return Err(ModelError::Unfit("a head on tokens without token states".into()));
                };
                let Some((tags, labelled)) = tag_targets(targets, rows, batch.longest) else {
                    return Ok(None);
                };
                let logits = head.forward(&states.f_narrow(0, 0, rows.len() as i64)?, p)?;
                let tags = upload(&tags, device)?;
                let flat = logits.f_reshape([-1, head.spec.outputs() as i64])?;
                let (loss, right) = self.rules.classes(task, &flat, &tags)?;
                (loss, right, labelled)
            }
            TaskKind::Score => {
                let (places, wanted) = number_targets(targets, rows, kind, head.spec.scale);
                if places.is_empty() {
                    return Ok(None);
                }
                let said = head.forward(&select(&first, &places)?, p)?.f_squeeze_dim(1)?;
                let (loss, figure) = numbers(&said, &upload(&wanted, device)?)?;
                (loss, figure, places.len())
            }
            TaskKind::Similarity | TaskKind::Ranking => {
                let (places, wanted) = number_targets(targets, rows, kind, head.spec.scale);
                let partner = |place: &i64| second.iter().position(|at| *at as i64 == *place);
                let (places, wanted): (Vec<i64>, Vec<f32>) =
                    places.into_iter().zip(wanted).filter(|(place, _)| partner(place).is_some()).unzip();
                // One pair has nothing to be told from.
                if places.len() < if kind == TaskKind::Ranking { 2 } else { 1 } {
                    return Ok(None);
                }
                let partners: Vec<i64> = places
                    .iter()
                    .filter_map(|place| partner(place).map(|at| (rows.len() + at) as i64))
                    .collect();
                let (a, b) = (select(&encoded.pooled, &places)?, select(&encoded.pooled, &partners)?);
                let (loss, figure) = if kind == TaskKind::Ranking {
                    ranking(&a, &b)?
                } else {
                    numbers(&cosine(&a, &b)?, &upload(&wanted, device)?)?
                };
                (loss, figure, places.len())
            }
        };
        Ok(Some((loss, figure.f_detach()?, labelled)))
    }

    fn has_second(&self, row: u32) -> bool {
        self.train.second.rows() > 0 && self.train.second.len(row as usize) > 0
    }

    /// Embeddings of a batch: what lies below the frost line in eval mode and float32, as it is when it is kept, trained
    /// parts with dropout and at the recipe's precision.
    fn encode(
        &self,
        phase: &Phase,
        prefix: &Prefix,
        rows: &[u32],
        second: &[usize],
    ) -> Result<Encoded, TrainError> {
        let model = self.model;
        let behind = second.iter().map(|at| self.train.len() as u32 + rows[*at]);
        let texts: Vec<u32> = rows.iter().copied().chain(behind).collect();
        if let Prefix::Pooled(pooled) = prefix {
            let pooled = pooled.f_index_select(0, &cache::places(&texts, model)?)?;
            return Ok(Encoded { pooled, states: None });
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
        Ok(Encoded { pooled, states: self.on_tokens.then_some((hidden, batch)) })
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

/// Rows of a matrix; the same tensor back where all of them are asked for in order.
fn select(pooled: &Tensor, places: &[i64]) -> Result<Tensor, ModelError> {
    let all = pooled.size().first().is_some_and(|n| *n as usize == places.len());
    if all && places.iter().enumerate().all(|(at, place)| at as i64 == *place) {
        return Ok(pooled.shallow_clone());
    }
    Ok(pooled.f_index_select(0, &upload(places, pooled.device())?)?)
}

/// Zeros and ones `[labelled, classes]`, and where among `rows` the labelled ones stand.
fn set_targets(targets: &Targets, rows: &[u32], classes: usize) -> Option<(Vec<i64>, Vec<f32>)> {
    let Targets::Classes(labels) = targets else { return None };
    let (mut places, mut ones) = (Vec::new(), Vec::new());
    for (place, row) in rows.iter().enumerate() {
        let Some(set) = labels.get(*row as usize).and_then(Option::as_ref) else { continue };
        places.push(place as i64);
        ones.extend((0..classes as u32).map(|class| f32::from(u8::from(set.contains(&class)))));
    }
    (!places.is_empty()).then_some((places, ones))
}

/// Classes of all tokens `[rows * longest]`, `NO_LABEL` where there is none, and how many there are.
fn tag_targets(targets: &Targets, rows: &[u32], longest: usize) -> Option<(Vec<i64>, usize)> {
    let Targets::Tags(labels) = targets else { return None };
    let mut all = vec![NO_LABEL; rows.len() * longest];
    let mut labelled = 0;
    for (row, all) in rows.iter().zip(all.chunks_mut(longest.max(1))) {
        let tags = labels.get(*row as usize).and_then(Option::as_ref);
        for (slot, tag) in all.iter_mut().zip(tags.into_iter().flatten()) {
            if *tag != NO_TAG {
                *slot = i64::from(*tag);
                labelled += 1;
            }
        }
    }
    (labelled > 0).then_some((all, labelled))
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
