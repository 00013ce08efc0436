//! Measuring: probabilities of every head over the rows of a split, in eval mode.

use std::sync::atomic::AtomicBool;

use tch::{Kind, Tensor};

use super::cache;
use super::metrics::{Score, TaskMetrics};
use super::rows::{Rows, Targets};
use crate::model::sentence::to_vec;
use crate::model::{Model, ModelError};

/// What a model says of some rows.
#[derive(Debug)]
pub struct Answers {
    /// Pooled embeddings before normalisation, `[rows, hidden]`.
    pub pooled: Tensor,
    /// Per task: probabilities, row-major `[rows, classes]`.
    pub probabilities: Vec<Vec<f32>>,
}

/// Encodes rows and asks every head. `None` when it was stopped.
///
/// # Errors
/// When the model refuses a row.
pub fn answers(
    model: &Model,
    rows: &Rows,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Option<Answers>, ModelError> {
    let Some(texts) = cache::pooled(model, rows, stop, progress)? else { return Ok(None) };
    let pooled = texts.f_narrow(0, 0, rows.len() as i64)?;
    let probabilities = probabilities(model, &pooled)?;
    Ok(Some(Answers { pooled, probabilities }))
}

/// Every head's probabilities from pooled embeddings, row-major.
///
/// # Errors
/// When libtorch refuses the shape.
pub fn probabilities(model: &Model, pooled: &Tensor) -> Result<Vec<Vec<f32>>, ModelError> {
    let _guard = tch::no_grad_guard();
    let head =
        |head: &crate::model::heads::Head| to_vec(&head.forward(pooled, 0.0)?.f_softmax(-1, Kind::Float)?);
    model.heads.iter().map(head).collect()
}

/// Loss and accuracy per task, for the curve.
#[must_use]
pub fn scores(rows: &Rows, probabilities: &[Vec<f32>]) -> Vec<Score> {
    let score = |(targets, probabilities): (&Targets, &Vec<f32>)| {
        let labels = targets.classes();
        let classes = probabilities.len().checked_div(labels.len()).unwrap_or(0).max(1);
        let (mut loss, mut right, mut count) = (0.0, 0usize, 0usize);
        for (label, row) in labels.iter().zip(probabilities.chunks(classes)) {
            let Some(label) = label.map(|label| label as usize) else { continue };
            let p = row.get(label).copied().unwrap_or(0.0).max(f32::MIN_POSITIVE);
            loss -= f64::from(p).ln();
            right += usize::from(argmax(row) == label);
            count += 1;
        }
        let n = count.max(1) as f64;
        Score { loss: loss / n, accuracy: right as f64 / n, rows: count }
    };
    rows.targets.iter().zip(probabilities).map(score).collect()
}

/// All figures per task over the labelled rows.
#[must_use]
pub fn metrics(model: &Model, rows: &Rows, probabilities: &[Vec<f32>]) -> Vec<TaskMetrics> {
    let mut all = Vec::new();
    for ((head, targets), probabilities) in model.heads.iter().zip(&rows.targets).zip(probabilities) {
        let classes = head.spec.classes.len().max(1);
        let mut kept = Vec::new();
        let mut truth = Vec::new();
        for (label, row) in targets.classes().iter().zip(probabilities.chunks(classes)) {
            if let Some(label) = label {
                truth.push(*label);
                kept.extend_from_slice(row);
            }
        }
        all.push(TaskMetrics::from_probabilities(&head.spec.task, &head.spec.classes, &kept, &truth));
    }
    all
}

/// Index of the largest value; the first of equals, 0 when empty.
#[must_use]
pub fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row.get(best).copied().unwrap_or(f32::NEG_INFINITY) {
            best = index;
        }
    }
    best
}
