//! Sums and means that several kinds of figures are made of.

use super::task_metrics::ClassMetrics;

/// Smallest probability whose logarithm is taken: below it, `f32` holds no normal number, and 0 would make the
/// mean infinite. A row can thus cost 87.3 nats at most.
pub(super) const SMALLEST_PROBABILITY: f64 = f32::MIN_POSITIVE as f64;

/// Sums for precision and recall of one class.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) right: u64,
    pub(super) predicted: u64,
    pub(super) labelled: u64,
}

impl Count {
    pub(super) fn precision(self) -> f64 {
        ratio(self.right, self.predicted)
    }

    pub(super) fn recall(self) -> f64 {
        ratio(self.right, self.labelled)
    }

    pub(super) fn f1(self) -> f64 {
        ratio(2 * self.right, self.labelled + self.predicted)
    }

    pub(super) fn of_class(self, name: &str) -> ClassMetrics {
        ClassMetrics {
            name: name.to_owned(),
            precision: self.precision(),
            recall: self.recall(),
            f1: self.f1(),
            support: self.labelled as usize,
        }
    }

    pub(super) fn sum(counts: &[Self]) -> Self {
        counts.iter().fold(Self::default(), |sum, count| Self {
            right: sum.right + count.right,
            predicted: sum.predicted + count.predicted,
            labelled: sum.labelled + count.labelled,
        })
    }
}

/// A part of a whole; 0 of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The mean of some numbers; 0 without any.
pub(super) fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = numbers.fold((0_usize, 0.0), |(count, sum), number| (count + 1, sum + number));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// F1 weighted by support; 0 where nothing is labelled.
pub(super) fn weighted_f1(classes: &[ClassMetrics]) -> f64 {
    let support: usize = classes.iter().map(|class| class.support).sum();
    let sum: f64 = classes.iter().map(|class| class.f1 * class.support as f64).sum();
    if support == 0 { 0.0 } else { sum / support as f64 }
}
