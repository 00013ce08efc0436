//! The losses of a batch, how they become one, and their sums over an epoch.

use tch::{Device, Kind, Reduction, Tensor};

use super::class_weights::{ClassWeights, MOST};
use super::running_figures::{Shown, Tally};
use crate::model::params::Param;
use crate::model::summary::TensorInfo;
use crate::model::{Model, ModelError};
use crate::train::examples::{Examples, NO_LABEL, NO_TAG, Targets};
use crate::train::metrics::{Score, StepPoint};
use crate::train::plan::recipe::{TaskSettings, Weighting};
use crate::train::plan::{PlannedTask, RunPlan};

/// Cosines are multiplied by this before the softmax of the ranking loss, as sentence-transformers does.
pub(in crate::train) const RANKING_SCALE: f64 = 20.0;

/// One task's share of a batch. Its numbers are still on the device, so that nothing waits for them.
pub(in crate::train) struct TaskLoss {
    pub(in crate::train) loss: Tensor,
    /// What its figure is computed from.
    pub(in crate::train) shown: Shown,
    pub(in crate::train) labelled: usize,
}

/// The losses of a batch as the curves tell of them: nothing holds on to what they were computed from. `None` for a
/// task without a label in it.
pub(in crate::train) struct Losses {
    /// `None` where no row of the batch is labelled for any task.
    pub(in crate::train) total: Option<Tensor>,
    pub(in crate::train) tasks: Vec<Option<TaskLoss>>,
}

/// Settings of every task's loss, with what they need from the training rows.
pub(in crate::train) struct LossRules {
    weighting: Weighting,
    tasks: Vec<TaskRule>,
}

struct TaskRule {
    settings: TaskSettings,
    /// Where classes are balanced.
    weights: Option<ClassWeights>,
}

impl LossRules {
    pub(in crate::train) fn new(plan: &RunPlan, rows: &Examples, device: Device) -> Result<Self, ModelError> {
        let rule = |(index, task): (usize, &PlannedTask)| {
            let settings = plan.recipe.task(&task.name);
            let targets = rows.targets.get(index).filter(|_| settings.balance_classes);
            let weights = targets.map(|targets| ClassWeights::balanced(targets, task.classes.len(), device));
            Ok::<_, ModelError>(TaskRule { settings, weights: weights.transpose()?.flatten() })
        };
        let tasks = plan.tasks.iter().enumerate().map(rule).collect::<Result<_, _>>()?;
        Ok(Self { weighting: plan.recipe.weighting, tasks })
    }

    /// What the user should know of the classes' weights: a sentence for every task with a class whose weight is capped.
    pub(in crate::train) fn warnings(&self, plan: &RunPlan) -> Vec<String> {
        let warning = |(task, rule): (&PlannedTask, &TaskRule)| {
            let capped = &rule.weights.as_ref()?.capped;
            let class = |(class, weight): &(usize, f64)| {
                let name = task.classes.get(*class).map_or("?", String::as_str);
                format!("\"{name}\" ({weight:.1})")
            };
            let classes = capped.iter().map(class).collect::<Vec<_>>().join(", ");
            (!capped.is_empty()).then(|| {
                format!(
                    "balancing the classes of task \"{}\": weights are capped at {MOST}: {classes}",
                    task.name
                )
            })
        };
        plan.tasks.iter().zip(&self.tasks).filter_map(warning).collect()
    }

    /// The sum that is minimised; `None` when no task that counts has a label. Losses come with the part of their task's labels
    /// that their batch has among those of the step.
    pub(in crate::train) fn total(
        &self,
        model: &Model,
        losses: &[(usize, Tensor, f64)],
    ) -> Result<Option<Tensor>, ModelError> {
        let mut total: Option<Tensor> = None;
        for (task, loss, part) in losses {
            let Some(rule) = self.tasks.get(*task) else { continue };
            let weighed = match self.weighting {
                // Nothing is learnt from it, not even that it is no number.
                Weighting::Fixed if rule.settings.weight == 0.0 => continue,
                Weighting::Fixed if rule.settings.weight == 1.0 => loss.shallow_clone(),
                Weighting::Fixed => loss.f_mul_scalar(rule.settings.weight)?,
                Weighting::Uncertainty => {
                    let head = model.heads.get(*task).map(|head| head.spec.task.as_str()).unwrap_or_default();
                    let log_var = model.params.get(&format!("log_var.{head}"))?;
                    log_var.f_neg()?.f_exp()?.f_mul(loss)?.f_add(&log_var.f_div_scalar(2.0)?)?
                }
            };
            let weighed = if *part == 1.0 { weighed } else { weighed.f_mul_scalar(*part)? };
            total = Some(match total {
                Some(total) => total.f_add(&weighed)?,
                None => weighed,
            });
        }
        Ok(total)
    }

    /// What the labels of a row weigh in the mean that is a task's loss: the sum of its labels' class weights, 1 for
    /// each label where classes are not balanced.
    pub(in crate::train) fn weight_of(&self, task: usize, targets: &Targets, row: usize) -> f64 {
        let weights = self.tasks.get(task).and_then(|rule| rule.weights.as_ref());
        match (weights, targets) {
            (Some(weights), Targets::Class(_)) => targets.class(row).map_or(0.0, |class| weights.of(class)),
            (Some(weights), Targets::Tags(labels)) => {
                let tags = labels.get(row).and_then(Option::as_ref).into_iter().flatten();
                tags.filter(|tag| **tag != NO_TAG).map(|tag| weights.of(*tag)).sum()
            }
            // The weights of a set are not divided by, as those of PyTorch's `pos_weight`.
            _ => targets.labels(row) as f64,
        }
    }

    /// Weights of a task's classes, where they are balanced, and its label smoothing.
    fn of_classes(&self, task: usize) -> (Option<&ClassWeights>, f64) {
        let rule = self.tasks.get(task);
        let weights = rule.and_then(|rule| rule.weights.as_ref());
        (weights, rule.map_or(0.0, |rule| rule.settings.label_smoothing))
    }

    /// Cross-entropy of logits `[n, classes]` against classes `[n]`, mean over those that are labelled, each weighed by
    /// its class where classes are balanced.
    pub(in crate::train) fn classes(
        &self,
        task: usize,
        logits: &Tensor,
        targets: &Tensor,
    ) -> Result<Tensor, ModelError> {
        let (weights, smoothing) = self.of_classes(task);
        let entropy =
            |reduction| logits.f_cross_entropy_loss(targets, None::<&Tensor>, reduction, NO_LABEL, smoothing);
        match weights {
            None => Ok(entropy(Reduction::Mean)?),
            // libtorch would weigh the smoothed part of every class too, so that a rare class drew all rows to itself.
            Some(weights) => {
                let weights = weights.of_labels(targets)?;
                let sum = entropy(Reduction::None)?.f_mul(&weights)?.f_sum(Kind::Float)?;
                Ok(sum.f_div(&weights.f_sum(Kind::Float)?)?)
            }
        }
    }

    /// Binary cross-entropy of logits `[n, classes]` against zeros and ones, mean over rows and classes, weighed by the
    /// class where it is 1 and classes are balanced.
    pub(in crate::train) fn sets(
        &self,
        task: usize,
        logits: &Tensor,
        targets: &Tensor,
    ) -> Result<Tensor, ModelError> {
        let (weights, smoothing) = self.of_classes(task);
        let smooth = targets.f_mul_scalar(1.0 - smoothing)?.f_add_scalar(smoothing / 2.0)?;
        // By the label itself: `pos_weight` would weigh the smoothed part of what is absent too.
        let weights = weights.map(|weights| weights.of_sets(targets)).transpose()?;
        Ok(logits.f_binary_cross_entropy_with_logits(
            &smooth,
            weights.as_ref(),
            None::<&Tensor>,
            Reduction::Mean,
        )?)
    }
}

impl Model {
    /// Puts the weights in that the losses learn for themselves, each at 0; none unless the plan asks for them.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn start_loss_weights(&mut self, plan: &RunPlan) -> Result<(), ModelError> {
        if plan.recipe.weighting != Weighting::Uncertainty {
            return Ok(());
        }
        for (index, task) in plan.tasks.iter().enumerate() {
            let info = TensorInfo::of_loss_weight(index, &task.name);
            let tensor = Tensor::f_zeros(info.shape.as_slice(), (Kind::Float, self.device))?;
            self.params.push(Param { name: info.name, group: info.group, tensor });
        }
        Ok(())
    }
}

/// Mean squared error of numbers `[n]` as the model learns them.
pub(in crate::train) fn numbers(predicted: &Tensor, targets: &Tensor) -> Result<Tensor, ModelError> {
    Ok(predicted.f_mse_loss(targets, Reduction::Mean)?)
}

/// Cosine of each row of `a` with the same row of `b`, both `[n, hidden]`: `[n]`.
pub(in crate::train) fn cosine(a: &Tensor, b: &Tensor) -> Result<Tensor, ModelError> {
    Ok(Tensor::f_cosine_similarity(a, b, 1, 1e-8)?)
}

/// Each of the `queries` `[n, hidden]` must be nearest to its own among the `candidates` `[m, hidden]`, the one with the
/// index `own`: cross-entropy over scaled cosines (Henderson et al. 2017), and the number for which it is. Where `repeats`
/// `[n, m]` is true, a candidate is no wrong answer and left out.
pub(in crate::train) fn ranking(
    queries: &Tensor,
    candidates: &Tensor,
    own: &Tensor,
    repeats: Option<&Tensor>,
) -> Result<(Tensor, Tensor), ModelError> {
    let unit = |x: &Tensor| crate::model::pooling::normalize(x);
    let cosines = unit(queries)?.f_matmul(&unit(candidates)?.f_transpose(0, 1)?)?;
    let scores = cosines.f_mul_scalar(RANKING_SCALE)?;
    let scores = match repeats {
        Some(repeats) => scores.f_masked_fill(repeats, f64::NEG_INFINITY)?,
        None => scores,
    };
    let loss = scores.f_cross_entropy_loss(own, None::<&Tensor>, Reduction::Mean, NO_LABEL, 0.0)?;
    let right = scores.f_argmax(-1, false)?.f_eq_tensor(own)?.f_sum(Kind::Float)?;
    Ok((loss, right))
}

/// Running sums over an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Of the total losses.
    pub loss: f64,
    /// Steps in it: those that have a loss.
    pub steps: usize,
    /// Per task, its losses times rows and the rows; its figure comes from the tally.
    pub tasks: Vec<Score>,
    /// Per task, what its figure comes from.
    pub tallies: Vec<Tally>,
}

impl Sums {
    /// Of nothing.
    #[must_use]
    pub fn new(tasks: usize) -> Self {
        Self {
            loss: 0.0,
            steps: 0,
            tasks: vec![Score::default(); tasks],
            tallies: vec![Tally::default(); tasks],
        }
    }

    /// Adds a step, with what its figures come from.
    pub fn add(&mut self, point: &StepPoint, tallies: Vec<Tally>) {
        // A step without a label of a task that counts has no loss.
        if point.loss.is_finite() {
            self.loss += point.loss;
            self.steps += 1;
        }
        for (sum, score) in self.tasks.iter_mut().zip(&point.tasks) {
            sum.loss += score.loss * score.rows as f64;
            sum.rows += score.rows;
        }
        for (sum, tally) in self.tallies.iter_mut().zip(tallies) {
            sum.add(tally);
        }
    }

    /// Mean of the total losses; NaN where no step has one.
    #[must_use]
    pub fn loss(&self) -> f64 {
        if self.steps == 0 { f64::NAN } else { self.loss / self.steps as f64 }
    }

    /// Mean loss and figure of every task over the labelled rows.
    #[must_use]
    pub fn scores(&self, tasks: &[PlannedTask]) -> Vec<Score> {
        let score = |((sum, tally), task): ((&Score, &Tally), &PlannedTask)| Score {
            loss: sum.loss / sum.rows.max(1) as f64,
            figure: if sum.rows == 0 { 0.0 } else { tally.figure(task.kind) },
            rows: sum.rows,
        };
        self.tasks.iter().zip(&self.tallies).zip(tasks).map(score).collect()
    }
}

#[cfg(test)]
mod tests;
