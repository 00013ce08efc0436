//! What a run's curves say, in words: overfitting, a plateau, a run that ended while it still learned.
//!
//! Rules of thumb on the losses per epoch; it changes nothing in a run and knows nothing of how it is drawn.

use super::metrics::EpochPoint;

/// Rise of the validation loss over its lowest value that counts: less is the noise of small splits.
const RISE: f64 = 0.05;
/// Relative improvement over [`PLATEAU_EPOCHS`] below which nothing is won any more.
const IMPROVEMENT: f64 = 0.01;
/// Epochs in a row for a plateau, and for overfitting after the lowest value.
const PLATEAU_EPOCHS: usize = 3;
const OVERFIT_EPOCHS: usize = 2;
/// Relative improvement of the last epoch from which on more of them are worth a try.
const STILL_LEARNING: f64 = 0.03;

/// Something that the curves say.
#[derive(Clone, Debug, PartialEq)]
pub enum Diagnosis {
    /// The validation loss of a task rises while its training loss falls.
    Overfitting {
        /// Index of the task.
        task: usize,
        /// Epoch of the lowest validation loss.
        since: u32,
        /// That loss, and the latest.
        valid: (f64, f64),
        /// Training losses of the same epochs.
        train: (f64, f64),
    },
    /// No task's validation loss got lower for some epochs.
    Plateau {
        /// So many.
        epochs: usize,
    },
    /// The last epoch was the best, by more than noise.
    StillLearning {
        /// Relative improvement of the summed validation losses by it.
        by: f64,
    },
}

/// Reads the epochs of a run so far; `finished` when no more will come. Only where the training loss of a task `compares`
/// with its validation loss does the one say whether the other overfits.
#[must_use]
pub fn diagnose(epochs: &[EpochPoint], finished: bool, compares: impl Fn(usize) -> bool) -> Vec<Diagnosis> {
    let trained: Vec<&EpochPoint> = epochs.iter().filter(|epoch| epoch.epoch > 0).collect();
    let tasks = trained.last().map_or(0, |epoch| epoch.valid.len());
    let mut said: Vec<Diagnosis> =
        (0..tasks).filter(|task| compares(*task)).filter_map(|task| overfitting(&trained, task)).collect();
    if !said.is_empty() {
        return said;
    }
    let sums: Vec<f64> =
        trained.iter().map(|epoch| epoch.valid.iter().map(|score| score.loss).sum()).collect();
    if tasks == 0 || sums.iter().any(|sum| !sum.is_finite()) {
        return said;
    }
    let lowest = |sums: &[f64]| sums.iter().copied().fold(f64::INFINITY, f64::min);
    if let Some(before) = sums.len().checked_sub(PLATEAU_EPOCHS).filter(|before| *before > 0) {
        let (earlier, later) = sums.split_at(before);
        if lowest(later) > lowest(earlier) * (1.0 - IMPROVEMENT) {
            said.push(Diagnosis::Plateau { epochs: PLATEAU_EPOCHS });
        }
    }
    if let (true, [earlier @ .., last]) = (finished && said.is_empty(), sums.as_slice())
        && !earlier.is_empty()
    {
        let by = 1.0 - last / lowest(earlier);
        if by > STILL_LEARNING {
            said.push(Diagnosis::StillLearning { by });
        }
    }
    said
}

/// Overfitting of one task: past its lowest validation loss for some epochs, clearly above it, training still lower.
fn overfitting(trained: &[&EpochPoint], task: usize) -> Option<Diagnosis> {
    let losses = |epoch: &&EpochPoint| {
        let (valid, train) = (epoch.valid.get(task)?, epoch.train.get(task)?);
        let told = valid.rows > 0 && train.rows > 0 && valid.loss.is_finite() && train.loss.is_finite();
        told.then_some((epoch.epoch, valid.loss, train.loss))
    };
    let points: Vec<(u32, f64, f64)> = trained.iter().filter_map(losses).collect();
    let place =
        points.iter().enumerate().min_by(|(_, a), (_, b)| a.1.total_cmp(&b.1)).map(|(place, _)| place)?;
    let (lowest, last) = (points.get(place)?, points.last()?);
    let past = points.len() - 1 - place >= OVERFIT_EPOCHS;
    let overfits = past && last.1 > lowest.1 * (1.0 + RISE) && last.2 < lowest.2;
    overfits.then_some(Diagnosis::Overfitting {
        task,
        since: lowest.0,
        valid: (lowest.1, last.1),
        train: (lowest.2, last.2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::Score;

    /// Epochs from pairs of training and validation losses of one task.
    fn epochs(losses: &[(f64, f64)]) -> Vec<EpochPoint> {
        let score = |loss| vec![Score { loss, figure: 0.5, rows: 10 }];
        let point = |(index, (train, valid)): (usize, &(f64, f64))| EpochPoint {
            epoch: index as u32 + 1,
            step: index,
            phase: 0,
            loss: *train,
            train: score(*train),
            valid: score(*valid),
            seconds: 1.0,
            best: false,
        };
        losses.iter().enumerate().map(point).collect()
    }

    #[test]
    fn a_rising_validation_loss_is_overfitting_only_while_training_falls() {
        let falls = epochs(&[(1.0, 1.0), (0.6, 0.8), (0.4, 0.9), (0.2, 1.1)]);
        let expected = Diagnosis::Overfitting { task: 0, since: 2, valid: (0.8, 1.1), train: (0.6, 0.2) };
        assert_eq!(diagnose(&falls, false, |_| true), [expected]);
        assert_eq!(diagnose(&falls, false, |_| false), [], "an objective of another definition says nothing");
        let both_rise = epochs(&[(1.0, 1.0), (0.6, 0.8), (0.8, 0.9), (0.9, 1.1)]);
        assert!(
            !diagnose(&both_rise, false, |_| true).iter().any(|d| matches!(d, Diagnosis::Overfitting { .. }))
        );
        let noise = epochs(&[(1.0, 1.0), (0.6, 0.80), (0.4, 0.81), (0.3, 0.82)]);
        assert!(
            !diagnose(&noise, false, |_| true).iter().any(|d| matches!(d, Diagnosis::Overfitting { .. }))
        );
    }

    #[test]
    fn a_plateau_needs_epochs_without_improvement() {
        let flat = epochs(&[(1.0, 1.0), (0.5, 0.5), (0.5, 0.499), (0.5, 0.498), (0.5, 0.499)]);
        assert_eq!(diagnose(&flat, false, |_| true), [Diagnosis::Plateau { epochs: 3 }]);
        let falling = epochs(&[(1.0, 1.0), (0.8, 0.8), (0.7, 0.7), (0.6, 0.6), (0.5, 0.5)]);
        assert_eq!(diagnose(&falling, false, |_| true), []);
    }

    #[test]
    fn a_run_that_ended_too_early_is_told_of_at_its_end() {
        let falling = epochs(&[(1.0, 1.0), (0.8, 0.8)]);
        assert!(
            matches!(diagnose(&falling, true, |_| true)[..], [Diagnosis::StillLearning { by }] if (by - 0.2).abs() < 1e-9)
        );
        assert_eq!(diagnose(&falling[..1], true, |_| true), []);
        assert_eq!(diagnose(&[], true, |_| true), []);
    }
}
