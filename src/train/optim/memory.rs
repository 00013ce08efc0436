//! Norm and update in one pass each over the values in memory, on all threads: parameter, gradient and both moments go
//! through the cache once, where operations of libtorch would each walk over them.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::adam::{BETA1, BETA2, CLIP_EPS, EPS, Factors, State, States, Update};
use crate::model::ModelError;
use crate::train::plan::recipe::OptimizerKind;

/// Values a thread takes at a time: small enough that a chunk of all four arrays stays in its cache.
const CHUNK: usize = 1 << 15;
/// So many chunks are done before another thread is awake.
const FEW: usize = 4;
/// First moments below this are 0: denormal numbers would slow every later step.
const FLUSH: f32 = 1e-36;

/// See [`Optimizer::step`](super::Optimizer::step).
pub(super) fn step(
    kind: OptimizerKind,
    updates: &[Update],
    states: &mut States,
    max_norm: Option<f64>,
) -> Result<Tensor, ModelError> {
    let norm = global_norm(updates)?;
    let scale = max_norm.map_or(1.0, |max| (max / (norm + CLIP_EPS)).min(1.0));
    if kind == OptimizerKind::Sgd {
        for update in updates {
            let step = update.grad.f_mul_scalar(-update.lr * scale)?;
            drop(update.param.shallow_clone().f_add_(&step)?);
        }
    } else {
        adam(kind, updates, states, scale)?;
    }
    Ok(Tensor::from(norm))
}

/// A part of a parameter with its gradient and moments, and what becomes of it.
struct Part<'a> {
    param: &'a mut [f32],
    grad: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    factors: Factors,
    /// Of the gradient, by clipping.
    scale: f64,
}

impl Part<'_> {
    fn step(self) {
        let Factors { keep, step, correction2 } = self.factors;
        let (keep, step, correction, scale) =
            (keep as f32, step as f32, correction2 as f32, self.scale as f32);
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
fn adam(kind: OptimizerKind, updates: &[Update], states: &mut States, scale: f64) -> Result<(), ModelError> {
    let mut states: BTreeMap<usize, &mut State> =
        states.iter_mut().map(|(index, state)| (*index, state)).collect();
    let grads = updates.iter().map(|update| update.grad.f_contiguous()).collect::<Result<Vec<_>, _>>()?;
    let mut params: Vec<Tensor> = updates.iter().map(|update| update.param.shallow_clone()).collect();
    let mut parts = Vec::new();
    for ((update, param), grad) in updates.iter().zip(&mut params).zip(&grads) {
        let Some(state) = states.remove(&update.index) else { continue };
        let factors = Factors::new(kind, update, state.steps);
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
            scale,
        }));
    }
    if parts.len() <= FEW {
        parts.into_iter().for_each(Part::step);
    } else {
        parts.into_par_iter().for_each(Part::step);
    }
    Ok(())
}

/// The 2-norm of all gradients together.
fn global_norm(updates: &[Update]) -> Result<f64, ModelError> {
    let grads = updates.iter().map(|update| update.grad.f_contiguous()).collect::<Result<Vec<_>, _>>()?;
    let grads = grads.iter().map(values).collect::<Result<Vec<_>, _>>()?;
    let chunks: Vec<&[f32]> = grads.into_iter().flat_map(|grad| grad.chunks(CHUNK)).collect();
    // Collected in order before they are added, so that the sum does not depend on the threads.
    let parts: Vec<f64> = if chunks.len() <= FEW {
        chunks.into_iter().map(squares).collect()
    } else {
        chunks.into_par_iter().map(squares).collect()
    };
    Ok(parts.iter().sum::<f64>().sqrt())
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
