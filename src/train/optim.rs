//! Adam, `AdamW` and clipping by the global norm, equal to `torch.optim` step by step.
//!
//! The state of a parameter is made when its first gradient arrives and waits while it is frozen; a parameter
//! without a gradient is skipped wholly, as `PyTorch` skips one whose gradient is `None`. On the CPU an update is
//! one pass over parameter, gradient and both moments; elsewhere it is tensor operations.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::preset::OptimizerKind;
use crate::model::ModelError;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
/// Added after the square root of the bias-corrected second moment.
const EPS: f64 = 1e-8;
/// Added to the norm before dividing by it, as `torch.nn.utils.clip_grad_norm_` does.
const CLIP_EPS: f64 = 1e-6;
/// Values a thread takes at a time: small enough that a chunk of all four arrays stays in its cache.
const CHUNK: usize = 1 << 15;
/// So many chunks are done before another thread is awake.
const FEW: usize = 4;
/// First moments below this are 0: denormal numbers would slow every later step.
const FLUSH: f32 = 1e-36;

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
struct State {
    first: Tensor,
    second: Tensor,
    steps: i32,
}

/// The optimiser: a rule, and a state per parameter that ever had a gradient.
#[derive(Debug)]
pub struct Optimizer {
    kind: OptimizerKind,
    states: BTreeMap<usize, State>,
}

impl Optimizer {
    /// Without any state yet.
    #[must_use]
    pub fn new(kind: OptimizerKind) -> Self {
        Self { kind, states: BTreeMap::new() }
    }

    /// What it remembers of each parameter, by index: first moment, second moment, steps done on it.
    pub fn states(&self) -> impl Iterator<Item = (usize, &Tensor, &Tensor, i32)> {
        self.states.iter().map(|(index, state)| (*index, &state.first, &state.second, state.steps))
    }

    /// Puts back what it remembered of a parameter.
    pub fn restore(&mut self, index: usize, first: Tensor, second: Tensor, steps: i32) {
        self.states.insert(index, State { first, second, steps });
    }

    /// Updates every parameter, with gradients scaled by `scale` (see [`clip_factor`]).
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn step(&mut self, updates: &[Update], scale: f64) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        if self.kind == OptimizerKind::Sgd {
            for update in updates {
                let step = update.grad.f_mul_scalar(-update.lr * scale)?;
                drop(update.param.shallow_clone().f_add_(&step)?);
            }
            return Ok(());
        }
        let mut factors = BTreeMap::new();
        for update in updates {
            let state = match self.states.entry(update.index) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let (first, second) = (update.param.f_zeros_like()?, update.param.f_zeros_like()?);
                    new.insert(State { first, second, steps: 0 })
                }
            };
            state.steps += 1;
            let decay = match self.kind {
                OptimizerKind::Adam | OptimizerKind::Sgd => 0.0,
                OptimizerKind::AdamW => update.weight_decay,
            };
            let correction2 = (1.0 - BETA2.powi(state.steps)).sqrt();
            let own = Factors {
                keep: 1.0 - update.lr * decay,
                step: update.lr / (1.0 - BETA1.powi(state.steps)),
                correction2,
                scale,
            };
            match update.param.device() {
                Device::Cpu => drop(factors.insert(update.index, own)),
                _ => adam_with_tensors(update, state, &own)?,
            }
        }
        adam_on_cpu(updates, &mut self.states, &factors)
    }
}

/// Scalars of one parameter's update.
struct Factors {
    /// What decoupled decay leaves of a parameter.
    keep: f64,
    /// Rate over the first moment's bias correction.
    step: f64,
    /// Square root of the second moment's bias correction.
    correction2: f64,
    /// Clipping.
    scale: f64,
}

/// A part of a parameter with its gradient and moments, and what becomes of it.
struct Part<'a> {
    param: &'a mut [f32],
    grad: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    factors: &'a Factors,
}

impl Part<'_> {
    fn step(self) {
        let Factors { keep, step, correction2, scale } = *self.factors;
        let (keep, step, correction, scale) = (keep as f32, step as f32, correction2 as f32, scale as f32);
        let (beta2, left1, left2) = (BETA2 as f32, (1.0 - BETA1) as f32, (1.0 - BETA2) as f32);
        let eps = EPS as f32;
        for (((p, g), m), v) in self.param.iter_mut().zip(self.grad).zip(self.first).zip(self.second) {
            let g = g * scale;
            let first = *m + (g - *m) * left1;
            *m = if first.abs() < FLUSH { 0.0 } else { first };
            *v = *v * beta2 + g * g * left2;
            *p = *p * keep - step * *m / (v.sqrt() / correction + eps);
        }
    }
}

/// The parts of all parameters are handed to the threads together: a hundred parameters one after the other would
/// wake them a hundred times.
fn adam_on_cpu(
    updates: &[Update],
    states: &mut BTreeMap<usize, State>,
    factors: &BTreeMap<usize, Factors>,
) -> Result<(), ModelError> {
    let here: Vec<&Update> = updates.iter().filter(|update| factors.contains_key(&update.index)).collect();
    let mut states: BTreeMap<usize, &mut State> =
        states.iter_mut().map(|(index, state)| (*index, state)).collect();
    let grads = here.iter().map(|update| update.grad.f_contiguous()).collect::<Result<Vec<_>, _>>()?;
    let mut params: Vec<Tensor> = here.iter().map(|update| update.param.shallow_clone()).collect();
    let mut parts = Vec::new();
    for ((update, param), grad) in here.iter().zip(&mut params).zip(&grads) {
        let (Some(state), Some(factors)) = (states.remove(&update.index), factors.get(&update.index)) else {
            continue;
        };
        let (p, g) = (values_mut(param)?, values(grad)?);
        if p.len() != g.len() {
            return Err(ModelError::Unfit(format!(
                "a gradient of {} values for {} parameters",
                g.len(),
                p.len()
            )));
        }
        let (m, v) = (values_mut(&mut state.first)?, values_mut(&mut state.second)?);
        let chunks =
            p.chunks_mut(CHUNK).zip(g.chunks(CHUNK)).zip(m.chunks_mut(CHUNK)).zip(v.chunks_mut(CHUNK));
        parts.extend(chunks.map(|(((param, grad), first), second)| Part {
            param,
            grad,
            first,
            second,
            factors,
        }));
    }
    if parts.len() <= FEW {
        parts.into_iter().for_each(Part::step);
    } else {
        parts.into_par_iter().for_each(Part::step);
    }
    Ok(())
}

fn adam_with_tensors(update: &Update, state: &mut State, factors: &Factors) -> Result<(), ModelError> {
    let grad = update.grad.f_mul_scalar(factors.scale)?;
    let mut param = update.param.shallow_clone();
    if factors.keep < 1.0 {
        drop(param.f_mul_scalar_(factors.keep)?);
    }
    drop(state.first.f_lerp_(&grad, 1.0 - BETA1)?);
    drop(state.second.f_mul_scalar_(BETA2)?.f_add_(&grad.f_square()?.f_mul_scalar_(1.0 - BETA2)?)?);
    let denominator = state.second.f_sqrt()?.f_div_scalar_(factors.correction2)?.f_add_scalar_(EPS)?;
    drop(param.f_add_(&state.first.f_div(&denominator)?.f_mul_scalar_(-factors.step)?)?);
    Ok(())
}

/// Sum of squares. Side by side in several sums, since one sum would wait for each addition.
fn squares(values: &[f32]) -> f64 {
    let mut sums = [0f64; 16];
    let mut groups = values.chunks_exact(16);
    for group in groups.by_ref() {
        for (sum, g) in sums.iter_mut().zip(group) {
            *sum += f64::from(*g) * f64::from(*g);
        }
    }
    let rest: f64 = groups.remainder().iter().map(|g| f64::from(*g) * f64::from(*g)).sum();
    sums.iter().sum::<f64>() + rest
}

/// The 2-norm of all gradients together.
///
/// # Errors
/// When libtorch refuses.
pub fn global_norm(updates: &[Update]) -> Result<f64, ModelError> {
    let _guard = tch::no_grad_guard();
    let (here, elsewhere): (Vec<&Update>, Vec<&Update>) =
        updates.iter().partition(|update| update.grad.device() == Device::Cpu);
    let grads = here.iter().map(|update| update.grad.f_contiguous()).collect::<Result<Vec<_>, _>>()?;
    let grads = grads.iter().map(values).collect::<Result<Vec<_>, _>>()?;
    let chunks: Vec<&[f32]> = grads.into_iter().flat_map(|grad| grad.chunks(CHUNK)).collect();
    // Collected in order before they are added, so that the sum does not depend on the threads.
    let parts: Vec<f64> = if chunks.len() <= FEW {
        chunks.into_iter().map(squares).collect()
    } else {
        chunks.into_par_iter().map(squares).collect()
    };
    let mut sum = parts.iter().sum::<f64>();
    if !elsewhere.is_empty() {
        // Added up where the gradients are, so that there is one thing to wait for and not one per tensor.
        let squares = |update: &&Update| Ok(update.grad.f_square()?.f_sum(Kind::Double)?);
        let squares = elsewhere.iter().map(squares).collect::<Result<Vec<_>, ModelError>>()?;
        sum += Tensor::f_stack(&squares, 0)?.f_sum(Kind::Double)?.f_double_value(&[])?;
    }
    Ok(sum.sqrt())
}

/// What gradients of this norm are multiplied by, so that they are not longer than `max_norm`.
#[must_use]
pub fn clip_factor(norm: f64, max_norm: Option<f64>) -> f64 {
    max_norm.map_or(1.0, |max| (max / (norm + CLIP_EPS)).min(1.0))
}

/// Whether weight decay applies to a tensor: not to biases and not to the gains of norms.
#[must_use]
pub fn decays(name: &str, shape: &[i64]) -> bool {
    shape.len() > 1 && !name.ends_with("bias")
}

fn check(tensor: &Tensor) -> Result<(), ModelError> {
    let fits = tensor.f_kind()? == Kind::Float && tensor.is_contiguous() && tensor.device() == Device::Cpu;
    if fits {
        Ok(())
    } else {
        Err(ModelError::Unfit("a parameter is not contiguous float32 in memory".into()))
    }
}

#[expect(
    unsafe_code,
    reason = "a view of a tensor's own memory, checked to be contiguous float32 on the CPU"
)]
fn values(tensor: &Tensor) -> Result<&[f32], ModelError> {
    check(tensor)?;
    // SAFETY: checked above; the tensor outlives the view, and nothing writes to it meanwhile.
    Ok(unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<f32>(), tensor.numel()) })
}

#[expect(
    unsafe_code,
    reason = "a view of a tensor's own memory, checked to be contiguous float32 on the CPU"
)]
fn values_mut(tensor: &mut Tensor) -> Result<&mut [f32], ModelError> {
    check(tensor)?;
    // SAFETY: checked above; parameter, gradient and moments never share memory, and the worker thread alone
    // holds them while the view lives.
    Ok(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<f32>(), tensor.numel()) })
}
