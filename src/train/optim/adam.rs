//! What both ways of updating share: the constants of Adam, the state of a parameter, and the scalars of its update.

use std::collections::BTreeMap;

use tch::Tensor;

use crate::train::plan::recipe::OptimizerKind;

pub(super) const BETA1: f64 = 0.9;
pub(super) const BETA2: f64 = 0.999;
/// Added after the square root of the bias-corrected second moment.
pub(super) const EPS: f64 = 1e-8;
/// Added to the norm before dividing by it, as `torch.nn.utils.clip_grad_norm_` does.
pub(super) const CLIP_EPS: f64 = 1e-6;

/// One parameter's part in a step.
#[derive(Debug)]
pub struct Update {
    /// Index of the parameter: its state is kept by it.
    pub index: usize,
    /// The parameter.
    pub param: Tensor,
    /// Its gradient.
    pub grad: Tensor,
    /// Rate of this step.
    pub lr: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

/// Moments and step count of one parameter.
#[derive(Debug)]
pub(super) struct State {
    pub(super) first: Tensor,
    pub(super) second: Tensor,
    pub(super) steps: i32,
}

pub(super) type States = BTreeMap<usize, State>;

/// Scalars of one parameter's update by Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Factors {
    /// See [`keep`].
    pub(super) keep: f64,
    /// Rate over the first moment's bias correction.
    pub(super) step: f64,
    /// Square root of the second moment's bias correction.
    pub(super) correction2: f64,
}

impl Factors {
    /// Of the step with this number, from 1.
    pub(super) fn new(kind: OptimizerKind, update: &Update, steps: i32) -> Self {
        Self {
            keep: keep(kind, update),
            step: update.lr / (1.0 - BETA1.powi(steps)),
            correction2: (1.0 - BETA2.powi(steps)).sqrt(),
        }
    }
}

/// What decoupled decay leaves of a parameter.
pub(super) fn keep(kind: OptimizerKind, update: &Update) -> f64 {
    if kind == OptimizerKind::AdamW { 1.0 - update.lr * update.weight_decay } else { 1.0 }
}
