//! Figures of a task with any number of classes per row, from a probability per class.

use super::counts::{Count, SMALLEST_PROBABILITY, mean, ratio, weighted_f1};
use super::task_metrics::{ClassMetrics, SetFigures, TaskMetrics};
use crate::data::task::TaskKind;

/// A class is said to be there when its probability is above this: when its logit is positive.
pub const THRESHOLD: f32 = 0.5;

impl TaskMetrics {
    /// Figures of a task with any number of classes per row.
    ///
    /// `probs` is row-major `[rows, classes]`, a sigmoid each; `truth` holds indices into `classes` per row. The
    /// definitions are scikit-learn's for an indicator matrix: the macro mean is taken over all classes, and what
    /// divides by zero is 0. The loss is binary cross-entropy, averaged over all classes of all rows. An index
    /// that is no class is passed over.
    #[must_use]
    pub fn of_sets(task: &str, classes: &[String], probs: &[f32], truth: &[Vec<u32>]) -> Self {
        let mut counts = vec![Count::default(); classes.len()];
        let (mut rows, mut exact, mut wrong, mut loss) = (0_usize, 0_u64, 0_u64, 0.0);
        let mut samples = 0.0;
        for (row, labels) in probs.chunks_exact(classes.len().max(1)).zip(truth) {
            let mut missed = 0;
            let mut own = Count::default();
            for ((p, count), class) in row.iter().zip(&mut counts).zip(0..) {
                let (said, is) = (*p > THRESHOLD, labels.contains(&class));
                for count in [count, &mut own] {
                    count.right += u64::from(said && is);
                    count.predicted += u64::from(said);
                    count.labelled += u64::from(is);
                }
                missed += u64::from(said != is);
                let p = f64::from(*p);
                loss -= (if is { p } else { 1.0 - p }).clamp(SMALLEST_PROBABILITY, 1.0).ln();
            }
            rows += 1;
            exact += u64::from(missed == 0);
            wrong += missed;
            samples += own.f1();
        }
        let sum = Count::sum(&counts);
        let answers = (rows * classes.len()) as u64;
        let classes: Vec<ClassMetrics> =
            classes.iter().zip(&counts).map(|(name, count)| count.of_class(name)).collect();
        Self {
            rows,
            loss: if answers == 0 { 0.0 } else { loss / answers as f64 },
            accuracy: ratio(exact, rows as u64),
            macro_f1: mean(classes.iter().map(|class| class.f1)),
            weighted_f1: weighted_f1(&classes),
            multi: Some(SetFigures {
                micro_precision: sum.precision(),
                micro_recall: sum.recall(),
                micro_f1: sum.f1(),
                samples_f1: if rows == 0 { 0.0 } else { samples / rows as f64 },
                hamming_loss: ratio(wrong, answers),
            }),
            classes,
            ..Self::none(task, TaskKind::MultiLabel)
        }
    }
}
