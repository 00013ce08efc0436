//! Figures of a task that predicts a number: how it correlates, and how far it is off.

use super::counts::mean;
use super::task_metrics::{NumberFigures, TaskMetrics};
use crate::data::task::TaskKind;

impl TaskMetrics {
    /// Figures of a task that predicts a number, `kind` being a score or a similarity. Both sides are numbers as
    /// the data holds them, and the loss is their mean squared error.
    #[must_use]
    pub fn of_numbers(task: &str, kind: TaskKind, predicted: &[f32], truth: &[f32]) -> Self {
        let pairs: Vec<(f64, f64)> =
            predicted.iter().zip(truth).map(|(p, t)| (f64::from(*p), f64::from(*t))).collect();
        let (p, t): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let squared = mean(pairs.iter().map(|(p, t)| (p - t).powi(2)));
        let numbers = NumberFigures {
            pearson: pearson(&p, &t),
            spearman: spearman(&p, &t),
            mae: mean(pairs.iter().map(|(p, t)| (p - t).abs())),
            rmse: squared.sqrt(),
        };
        Self { rows: pairs.len(), loss: squared, numbers: Some(numbers), ..Self::none(task, kind) }
    }
}

/// Pearson's correlation of two lists; 0 where it is not defined: below two numbers, or where one list is
/// constant. What is not finite makes it NaN.
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    if a.iter().chain(b).any(|number| !number.is_finite()) {
        return f64::NAN;
    }
    let constant = |list: &[f64]| list.windows(2).all(|pair| matches!(pair, [x, y] if x == y));
    if a.len() < 2 || constant(a) || constant(b) {
        return 0.0;
    }
    let (mean_a, mean_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        both += x * y;
        of_a += x * x;
        of_b += y * y;
    }
    let scale = (of_a * of_b).sqrt();
    // Rounding may lead a hair beyond the bounds.
    if scale > 0.0 { (both / scale).clamp(-1.0, 1.0) } else { 0.0 }
}

/// Spearman's correlation of two lists: Pearson's of their ranks. NaN where a number is NaN.
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    if a.iter().chain(b).any(|number| number.is_nan()) {
        return f64::NAN;
    }
    pearson(&ranks(a), &ranks(b))
}

/// Ranks from 1; equal numbers share the mean of theirs.
fn ranks(list: &[f64]) -> Vec<f64> {
    let mut order: Vec<(f64, usize)> =
        list.iter().copied().enumerate().map(|(index, x)| (x, index)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; list.len()];
    let mut below = 0;
    // Not by total order: 0 and -0 are equal.
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        let rank = below as f64 + (group.len() + 1) as f64 / 2.0;
        for (_, index) in group {
            if let Some(slot) = ranks.get_mut(*index) {
                *slot = rank;
            }
        }
        below += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(ranks(&[0.0, -0.0]), [1.5, 1.5]);
        assert_eq!(ranks(&[]), [0.0; 0]);
    }

    #[test]
    fn what_is_not_a_number_is_not_passed_over() {
        assert!(spearman(&[f64::NAN, 1.0], &[1.0, 2.0]).is_nan());
        assert!(pearson(&[f64::INFINITY, 1.0], &[1.0, 2.0]).is_nan());
        assert_eq!(spearman(&[f64::INFINITY, 1.0], &[2.0, 1.0]), 1.0);
    }
}
