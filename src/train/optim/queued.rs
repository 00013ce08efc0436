//! Norm, clipping and update as operations that a device does in its own time. Nothing is read back, and a device that
//! is told of each operation is told of few: parameters of one rate are updated end to end, as if they were one.

use tch::{Kind, Tensor};

use super::adam::{BETA1, BETA2, CLIP_EPS, EPS, Factors, State, States, Update, keep};
use crate::model::ModelError;
use crate::model::params::in_one_piece;
use crate::train::plan::recipe::OptimizerKind;

/// See [`Optimizer::step`](super::Optimizer::step).
pub(super) fn step(
    kind: OptimizerKind,
    updates: &[Update],
    states: &mut States,
    max_norm: Option<f64>,
) -> Result<Tensor, ModelError> {
    if updates.is_empty() {
        return Ok(Tensor::from(0f64));
    }
    let mut grads = end_to_end(updates.iter().map(|update| &update.grad))?;
    let norm = grads.f_square()?.f_sum(Kind::Double)?.f_sqrt()?;
    if let Some(max) = max_norm {
        let scale = norm.f_add_scalar(CLIP_EPS)?.f_reciprocal()?.f_mul_scalar(max)?.f_clamp_max(1.0)?;
        drop(grads.f_mul_(&scale)?);
    }
    let mut start = 0;
    let steps_on = |states: &States, update: &Update| states.get(&update.index).map(|state| state.steps);
    let alike = |a: &&Update, b: &&Update| a.lr == b.lr && steps_on(states, a) == steps_on(states, b);
    let updates: Vec<&Update> = updates.iter().collect();
    let runs: Vec<&[&Update]> = updates.chunk_by(alike).collect();
    for run in runs {
        let sizes: Vec<i64> = run.iter().map(|update| update.param.numel() as i64).collect();
        let values = sizes.iter().sum::<i64>();
        let grad = grads.f_narrow(0, start, values)?;
        start += values;
        let moves = match kind {
            OptimizerKind::Sgd => grad.f_mul_scalar(run.first().map_or(0.0, |update| -update.lr))?,
            OptimizerKind::Adam | OptimizerKind::AdamW => adam(kind, run, states, &grad)?,
        };
        for (update, moved) in run.iter().zip(moves.f_split_with_sizes(&sizes, 0)?) {
            let mut param = update.param.shallow_clone();
            let keep = keep(kind, update);
            if keep < 1.0 {
                drop(param.f_mul_scalar_(keep)?);
            }
            drop(param.f_add_(&moved.f_view_as(&param)?)?);
        }
    }
    Ok(norm)
}

/// What is added to parameters of one rate and step count, end to end: `grad` is theirs, `[values]`.
fn adam(
    kind: OptimizerKind,
    run: &[&Update],
    states: &mut States,
    grad: &Tensor,
) -> Result<Tensor, ModelError> {
    let mut first = moments(run, states, |state| &mut state.first)?;
    let mut second = moments(run, states, |state| &mut state.second)?;
    let Some((update, state)) = run.first().and_then(|update| Some((update, states.get(&update.index)?)))
    else {
        return Err(ModelError::Unfit("an update without moments".into()));
    };
    let Factors { step, correction2, .. } = Factors::new(kind, update, state.steps);
    drop(first.f_lerp_(grad, 1.0 - BETA1)?);
    drop(second.f_lerp_(&grad.f_square()?, 1.0 - BETA2)?);
    let denominator = second.f_sqrt()?.f_div_scalar_(correction2)?.f_add_scalar_(EPS)?;
    Ok(first.f_div(&denominator)?.f_mul_scalar_(-step)?)
}

/// A moment of some parameters end to end, `[values]`. It is the memory of the states themselves: where they lie apart,
/// because they are new or come from a checkpoint, they are put together first, and stay so.
fn moments(
    run: &[&Update],
    states: &mut States,
    of: impl Fn(&mut State) -> &mut Tensor,
) -> Result<Tensor, ModelError> {
    let mut parts = Vec::with_capacity(run.len());
    for update in run {
        parts.extend(states.get_mut(&update.index).map(|state| of(state).shallow_clone()));
    }
    if let Some(piece) = in_one_piece(&parts) {
        return Ok(piece);
    }
    let piece = end_to_end(&parts)?;
    let mut start = 0;
    for (update, part) in run.iter().zip(&parts) {
        let values = part.numel() as i64;
        if let Some(state) = states.get_mut(&update.index) {
            *of(state) = piece.f_narrow(0, start, values)?.f_view_as(part)?;
        }
        start += values;
    }
    Ok(piece)
}

/// Copies tensors end to end, `[values]`.
fn end_to_end<'a>(parts: impl IntoIterator<Item = &'a Tensor>) -> Result<Tensor, ModelError> {
    let flat = parts.into_iter().map(|part| part.f_reshape([-1])).collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_cat(&flat, 0)?)
}
