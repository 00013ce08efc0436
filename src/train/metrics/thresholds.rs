//! Figures of a task with any number of classes per row, had its classes to be more or less probable to be said.

use super::counts::{Count, mean};
use super::sets::THRESHOLD;

/// Thresholds that are tried: 0.05 to 0.95 in steps of 0.01.
const STEPS: usize = 91;

/// What is counted when a class is said to be there above a threshold, by the definitions of
/// [`TaskMetrics::of_sets`](super::TaskMetrics::of_sets).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThresholdFigures {
    /// A class is said to be there when its probability is above this.
    pub threshold: f32,
    /// Of all classes of all rows that are said to be there, the share that is.
    pub micro_precision: f64,
    /// Of all classes of all rows that are there, the share that is said to be.
    pub micro_recall: f64,
    /// Harmonic mean of the two.
    pub micro_f1: f64,
    /// Mean precision over the classes; 0 of a class that is never said.
    pub macro_precision: f64,
    /// Mean recall over the classes; 0 of a class that no row has.
    pub macro_recall: f64,
    /// Mean F1 over the classes.
    pub macro_f1: f64,
}

/// Figures at every threshold from 0.05 to 0.95, in steps of 0.01; a probability per class and the true classes for
/// every row. One of them is the program's own, so that its figures are those of the evaluation to the bit.
///
/// The rows are gone through once, however many thresholds there are, and nothing of them is kept.
#[must_use]
pub fn threshold_curve<'a>(
    classes: usize,
    rows: impl Iterator<Item = (&'a [f32], &'a [u32])>,
) -> Vec<ThresholdFigures> {
    let thresholds: Vec<f32> = (0..STEPS).map(threshold).collect();
    // Per number of thresholds that a probability is above, and per class.
    let mut above = vec![vec![Count::default(); classes]; STEPS + 1];
    for (probabilities, truth) in rows {
        for ((class, p), index) in probabilities.iter().take(classes).enumerate().zip(0..) {
            let is = u64::from(truth.contains(&index));
            let passed = thresholds.partition_point(|threshold| p > threshold);
            if let Some(count) = above.get_mut(passed).and_then(|counts| counts.get_mut(class)) {
                count.predicted += 1;
                count.right += is;
                count.labelled += is;
            }
        }
    }
    let labelled: Vec<u64> =
        (0..classes).map(|class| above.iter().filter_map(|at| Some(at.get(class)?.labelled)).sum()).collect();
    let mut said: Vec<Count> =
        labelled.iter().map(|labelled| Count { labelled: *labelled, ..Count::default() }).collect();
    // From the highest down, more and more is said.
    let mut curve: Vec<ThresholdFigures> = Vec::with_capacity(STEPS);
    for (threshold, more) in thresholds.iter().zip(above.iter().skip(1)).rev() {
        for (count, more) in said.iter_mut().zip(more) {
            count.predicted += more.predicted;
            count.right += more.right;
        }
        curve.push(figures(*threshold, &said));
    }
    curve.reverse();
    curve
}

/// The place of the figures with the best micro F1; of several the one nearest to the program's own threshold.
#[must_use]
pub fn best_threshold(curve: &[ThresholdFigures]) -> Option<usize> {
    let far = |figures: &ThresholdFigures| (figures.threshold - THRESHOLD).abs();
    let better = |a: &ThresholdFigures, b: &ThresholdFigures| {
        a.micro_f1.total_cmp(&b.micro_f1).then(far(b).total_cmp(&far(a)))
    };
    curve.iter().enumerate().max_by(|a, b| better(a.1, b.1)).map(|(place, _)| place)
}

fn threshold(step: usize) -> f32 {
    (5 + step) as f32 / 100.0
}

fn figures(threshold: f32, counts: &[Count]) -> ThresholdFigures {
    let sum = Count::sum(counts);
    let over = |figure: fn(Count) -> f64| mean(counts.iter().copied().map(figure));
    ThresholdFigures {
        threshold,
        micro_precision: sum.precision(),
        micro_recall: sum.recall(),
        micro_f1: sum.f1(),
        macro_precision: over(Count::precision),
        macro_recall: over(Count::recall),
        macro_f1: over(Count::f1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::TaskMetrics;

    const PROBABILITIES: [f32; 6] = [0.9, 0.2, 0.6, 0.7, 0.3, 0.4];

    fn truth() -> Vec<Vec<u32>> {
        vec![vec![0], vec![1], vec![0, 1]]
    }

    fn curve() -> Vec<ThresholdFigures> {
        let truth = truth();
        threshold_curve(2, PROBABILITIES.chunks(2).zip(truth.iter().map(Vec::as_slice)))
    }

    fn at(threshold: f32) -> [f64; 6] {
        let found = curve().into_iter().find(|found| (found.threshold - threshold).abs() < 1e-6).unwrap();
        [
            found.micro_precision,
            found.micro_recall,
            found.micro_f1,
            found.macro_precision,
            found.macro_recall,
            found.macro_f1,
        ]
    }

    fn assert_near(found: [f64; 6], wanted: [f64; 6]) {
        assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} is not {wanted:?}");
    }

    #[test]
    fn figures_are_those_counted_by_hand() {
        // Above 0.50 the rows are said to be {a}, {a, b} and {}. Class a: 2 said, 2 labelled, 1 of them right; class b:
        // 1 said, 2 labelled, 1 right. Together 3 said, 4 labelled, 2 right.
        assert_near(at(0.5), [2.0 / 3.0, 0.5, 4.0 / 7.0, 0.75, 0.5, 7.0 / 12.0]);
        // Above 0.25 they are {a}, {a, b} and {a, b}. Class a: 3 said, 2 right of 2; class b: 2 of 2. Together 5, 4, 4.
        assert_near(at(0.25), [0.8, 1.0, 8.0 / 9.0, 5.0 / 6.0, 1.0, 0.9]);
        assert_near(at(0.95), [0.0; 6]);
        // Nothing is above its own threshold: 0.9 is not said at 0.90.
        assert_near(at(0.9), [0.0; 6]);
        assert_near(at(0.89), [1.0, 0.25, 0.4, 0.5, 0.25, 1.0 / 3.0]);
    }

    #[test]
    fn the_program_s_own_threshold_gives_the_figures_of_the_evaluation() {
        let classes = ["a", "b"].map(str::to_owned);
        let whole = TaskMetrics::of_sets("themes", &classes, &PROBABILITIES, &truth());
        let multi = whole.multi.unwrap();
        let own = curve().into_iter().find(|found| found.threshold == THRESHOLD).unwrap();
        assert_eq!(own.micro_f1, multi.micro_f1);
        assert_eq!((own.micro_precision, own.micro_recall), (multi.micro_precision, multi.micro_recall));
        assert_eq!(own.macro_f1, whole.macro_f1);
    }

    #[test]
    fn the_best_is_the_highest_and_then_the_nearest_to_the_program_s_own() {
        let curve = curve();
        let best = curve[best_threshold(&curve).unwrap()];
        // From 0.20 up to 0.30 everything that is there is said, and `a` of the second row besides.
        assert_eq!((best.threshold, best.micro_f1), (0.29, 8.0 / 9.0));
        assert_eq!(best_threshold(&[]), None);
        assert_eq!((curve.len(), curve[0].threshold, curve[90].threshold), (91, 0.05, 0.95));
    }

    #[test]
    fn what_is_no_number_is_never_said_and_no_row_is_no_figure() {
        let nan = threshold_curve(1, [([f32::NAN].as_slice(), [0].as_slice())].into_iter());
        assert!(nan.iter().all(|found| found.micro_f1 == 0.0));
        let none = threshold_curve(2, std::iter::empty());
        assert!(none.iter().all(|found| found.micro_f1 == 0.0 && found.macro_f1 == 0.0));
    }
}
