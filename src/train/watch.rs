//! The figure that a run is judged by: which weights are kept, when it has stopped getting better.

use super::metrics::Score;

/// What is looked at after each epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The task; the mean over all tasks whose heads ever train when `None`.
    pub task: Option<String>,
    /// `loss`, or the name of a figure such as `accuracy` or `macro-f1`; each task's own headline figure when
    /// `None`.
    pub figure: Option<String>,
}

impl Watch {
    /// True when the loss decides, which is better the smaller it is.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        self.figure.as_deref() == Some("loss")
    }
}

/// How good weights are: the watched figure, then the smaller mean loss. Compares like a number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Quality {
    /// The watched figure, turned so that larger is better.
    pub figure: f64,
    /// Mean loss of the tasks, negative.
    pub minus_loss: f64,
}

impl Quality {
    /// From the scores of the tasks that count.
    #[must_use]
    pub fn of(figures: &[f64], scores: &[&Score]) -> Self {
        let mean = |values: &mut dyn Iterator<Item = f64>, n: usize| values.sum::<f64>() / n.max(1) as f64;
        Self {
            figure: mean(&mut figures.iter().copied(), figures.len()),
            minus_loss: -mean(&mut scores.iter().map(|score| score.loss), scores.len()),
        }
    }

    /// True when it is better than `other`; anything is better than nothing, and nothing that is no number is
    /// better than anything.
    #[must_use]
    pub fn beats(self, other: Option<Self>) -> bool {
        other.is_none_or(|other| self > other)
    }
}

/// Epochs since the last improvement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// The best so far.
    pub best: Option<Quality>,
    /// Epochs since.
    pub epochs: u32,
}

impl Stall {
    /// Takes an epoch's quality; true once there was no improvement for `patience` epochs.
    pub fn take(&mut self, quality: Quality, patience: u32) -> bool {
        if quality.beats(self.best) {
            *self = Self { best: Some(quality), epochs: 0 };
        } else {
            self.epochs += 1;
        }
        self.epochs >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_epochs_without_improvement() {
        let quality = |figure| Quality { figure, minus_loss: 0.0 };
        let mut stall = Stall::default();
        let ended: Vec<bool> =
            [0.5, 0.6, 0.6, 0.55, 0.7].iter().map(|figure| stall.take(quality(*figure), 2)).collect();
        assert_eq!(ended, [false, false, false, true, false]);
    }

    #[test]
    fn equal_figures_are_told_apart_by_the_loss() {
        let (a, b) = (Quality { figure: 0.9, minus_loss: -0.3 }, Quality { figure: 0.9, minus_loss: -0.2 });
        assert!(b.beats(Some(a)) && !a.beats(Some(b)) && !a.beats(Some(a)) && a.beats(None));
    }
}
