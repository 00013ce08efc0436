//! Figures of a task with one class per row, from the probabilities of its classes.

use super::counts::{self, Count, SMALLEST_PROBABILITY, weighted_f1};
use super::task_metrics::{CalibrationBin, ClassMetrics, TaskMetrics};
use crate::data::task::TaskKind;

/// Classes from which on no confusion matrix is kept: it grows with their square, and nobody could read it.
pub const MOST_MATRIX_CLASSES: usize = 1000;

/// Bins of the calibration error.
const CALIBRATION_BINS: usize = 15;

impl TaskMetrics {
    /// Figures of a task from the probabilities of its labelled rows.
    ///
    /// `probs` is row-major `[rows, classes]`; `labels` holds an index into `classes` per row. The definitions
    /// are scikit-learn's: the prediction is the first of the most probable classes; what divides by zero is 0;
    /// the macro mean is taken over the classes that occur as label or prediction. Bins of the calibration
    /// error are open below and closed above. A label that is no class is left out of everything.
    #[must_use]
    pub fn from_probabilities(task: &str, classes: &[String], probs: &[f32], labels: &[u32]) -> Self {
        let mut tally = Tally::new(classes.len());
        for (row, label) in probs.chunks_exact(classes.len().max(1)).zip(labels) {
            tally.add(row, *label as usize);
        }
        tally.figures(task, classes)
    }
}

/// Sums over the rows, from which every figure follows.
struct Tally {
    /// Empty where there are too many classes.
    confusion: Vec<Vec<u32>>,
    counts: Vec<Count>,
    rows: usize,
    loss: f64,
    /// Per bin: sum of confidences, rows that are right, rows.
    bins: [(f64, usize, usize); CALIBRATION_BINS],
}

impl Tally {
    fn new(classes: usize) -> Self {
        let lines = if classes > MOST_MATRIX_CLASSES { 0 } else { classes };
        let (confusion, counts) = (vec![vec![0; lines]; lines], vec![Count::default(); classes]);
        Self { confusion, counts, rows: 0, loss: 0.0, bins: [(0.0, 0, 0); CALIBRATION_BINS] }
    }

    fn add(&mut self, row: &[f32], label: usize) {
        let (predicted, confidence) = most_probable(row);
        if label >= self.counts.len() || predicted >= self.counts.len() {
            return;
        }
        if let Some(class) = self.counts.get_mut(label) {
            class.labelled += 1;
            class.right += u64::from(label == predicted);
        }
        if let Some(class) = self.counts.get_mut(predicted) {
            class.predicted += 1;
        }
        if let Some(cell) = self.confusion.get_mut(label).and_then(|line| line.get_mut(predicted)) {
            *cell += 1;
        }
        self.rows += 1;
        let probability = f64::from(row.get(label).copied().unwrap_or(0.0));
        self.loss -= probability.clamp(SMALLEST_PROBABILITY, 1.0).ln();
        if let Some((sum, right, count)) = self.bins.get_mut(bin_of(confidence)) {
            *sum += confidence;
            *right += usize::from(predicted == label);
            *count += 1;
        }
    }

    fn figures(self, task: &str, names: &[String]) -> TaskMetrics {
        let of = |part: fn(&Count) -> u64| self.counts.iter().map(part).collect::<Vec<u64>>();
        let (right, labelled, predicted) =
            (of(|count| count.right), of(|count| count.labelled), of(|count| count.predicted));
        let classes: Vec<ClassMetrics> =
            names.iter().zip(&self.counts).map(|(name, count)| count.of_class(name)).collect();

        let rows = self.rows as f64;
        let mean = |sum: f64| if self.rows == 0 { 0.0 } else { sum / rows };
        let occurring = classes
            .iter()
            .zip(&predicted)
            .filter(|(class, predicted)| class.support > 0 || **predicted > 0)
            .map(|(class, _)| class.f1);
        let calibration: Vec<CalibrationBin> = self.bins.iter().map(|bin| bin_figures(*bin)).collect();
        let gap = |bin: &CalibrationBin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
        TaskMetrics {
            rows: self.rows,
            loss: mean(self.loss),
            accuracy: mean(right.iter().sum::<u64>() as f64),
            macro_f1: counts::mean(occurring),
            weighted_f1: weighted_f1(&classes),
            mcc: matthews(&right, &labelled, &predicted),
            ece: mean(calibration.iter().map(gap).sum()),
            classes,
            confusion: self.confusion,
            calibration,
            ..TaskMetrics::none(task, TaskKind::SingleLabel)
        }
    }
}

/// The first of the largest values, with its index; the first class when none compares as larger (all NaN).
fn most_probable(row: &[f32]) -> (usize, f64) {
    let mut best = (0, row.first().copied().unwrap_or(0.0));
    for (index, value) in row.iter().copied().enumerate() {
        if value > best.1 || best.1.is_nan() && !value.is_nan() {
            best = (index, value);
        }
    }
    (best.0, f64::from(best.1))
}

/// The bin `(i / 15, (i + 1) / 15]` of a confidence; 0 belongs to the first.
fn bin_of(confidence: f64) -> usize {
    let upper = (confidence * CALIBRATION_BINS as f64).ceil() as usize;
    upper.saturating_sub(1).min(CALIBRATION_BINS - 1)
}

fn bin_figures((sum, right, count): (f64, usize, usize)) -> CalibrationBin {
    if count == 0 {
        return CalibrationBin::default();
    }
    CalibrationBin { confidence: sum / count as f64, accuracy: right as f64 / count as f64, count }
}

/// The multi-class correlation (Gorodkin 2004); 0 where it is not defined, as when one class is always guessed.
fn matthews(right: &[u64], labelled: &[u64], predicted: &[u64]) -> f64 {
    let sum = |counts: &[u64]| counts.iter().map(|n| *n as f64).sum::<f64>();
    let products = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(x, y)| *x as f64 * *y as f64).sum::<f64>();
    let rows = sum(labelled);
    let covariance = sum(right) * rows - products(labelled, predicted);
    let spread = |counts: &[u64]| rows * rows - products(counts, counts);
    let scale = (spread(labelled) * spread(predicted)).sqrt();
    if scale > 0.0 { covariance / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(classes: usize, probs: &[f32], labels: &[u32]) -> TaskMetrics {
        let names: Vec<String> = (0..classes).map(|i| format!("class {i}")).collect();
        TaskMetrics::from_probabilities("task", &names, probs, labels)
    }

    #[test]
    fn equals_scikit_learn_on_the_recorded_cases() {
        let text = include_str!("../../../tests/fixtures/metrics/sklearn.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert!(cases.len() >= 8);
        for case in cases {
            let name = case["name"].as_str().unwrap();
            let numbers = |value: &serde_json::Value| -> Vec<f64> {
                value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let probs: Vec<f32> = numbers(&case["probs"]).into_iter().map(|x| x as f32).collect();
            let labels: Vec<u32> = numbers(&case["labels"]).into_iter().map(|x| x as u32).collect();
            let found = figures(case["classes"].as_u64().unwrap() as usize, &probs, &labels);
            let wanted = &case["figures"];

            let near = |what: &str, found: f64, wanted: &serde_json::Value, tolerance: f64| {
                let wanted = wanted.as_f64().unwrap();
                assert!((found - wanted).abs() <= tolerance, "{name}, {what}: {found}, expected {wanted}");
            };
            near("loss", found.loss, &wanted["loss"], 1e-6);
            near("accuracy", found.accuracy, &wanted["accuracy"], 1e-9);
            near("macro_f1", found.macro_f1, &wanted["macro_f1"], 1e-9);
            near("weighted_f1", found.weighted_f1, &wanted["weighted_f1"], 1e-9);
            near("mcc", found.mcc, &wanted["mcc"], 1e-9);
            near("ece", found.ece, &wanted["ece"], 1e-9);
            for (index, class) in found.classes.iter().enumerate() {
                near("precision", class.precision, &wanted["precision"][index], 1e-9);
                near("recall", class.recall, &wanted["recall"][index], 1e-9);
                near("f1", class.f1, &wanted["f1"][index], 1e-9);
                near("support", class.support as f64, &wanted["support"][index], 0.0);
            }
            for (index, line) in found.confusion.iter().enumerate() {
                let line: Vec<f64> = line.iter().map(|n| f64::from(*n)).collect();
                assert_eq!(line, numbers(&wanted["confusion"][index]), "{name}, confusion of class {index}");
            }
            assert_eq!(found.calibration.len(), CALIBRATION_BINS);
            for (index, bin) in found.calibration.iter().enumerate() {
                near("bin confidence", bin.confidence, &wanted["bins"][index][0], 1e-9);
                near("bin accuracy", bin.accuracy, &wanted["bins"][index][1], 1e-9);
                near("bin count", bin.count as f64, &wanted["bins"][index][2], 0.0);
            }
        }
    }

    #[test]
    fn no_rows_gives_zeros_in_the_right_shape() {
        let none = figures(3, &[], &[]);
        assert_eq!(
            (none.rows, none.loss, none.accuracy, none.macro_f1, none.mcc, none.ece),
            (0, 0., 0., 0., 0., 0.)
        );
        assert_eq!((none.classes.len(), none.confusion.len(), none.calibration.len()), (3, 3, 15));
        assert_eq!(figures(0, &[], &[0, 1]).rows, 0);
    }

    #[test]
    fn of_many_classes_no_matrix_is_kept_and_the_rest_is_the_same() {
        let classes = MOST_MATRIX_CLASSES + 1;
        let mut probs = vec![0.0; 2 * classes];
        (probs[5], probs[classes + 7]) = (1.0, 1.0);
        let found = figures(classes, &probs, &[5, 6]);
        assert!(found.confusion.is_empty());
        assert_eq!(
            (found.rows, found.accuracy, found.classes[5].f1, found.classes[6].support),
            (2, 0.5, 1.0, 1)
        );
    }

    #[test]
    fn a_certain_mistake_costs_much_but_not_everything() {
        let sure = figures(2, &[1.0, 0.0, 1.0, 0.0], &[1, 0]);
        assert!((sure.loss - 87.3 / 2.0).abs() < 0.1, "{}", sure.loss);
    }

    #[test]
    fn labels_that_are_no_class_and_broken_numbers_do_not_panic() {
        let found = figures(2, &[0.9, 0.1, 0.2, 0.8], &[7, 1]);
        assert_eq!((found.rows, found.accuracy), (1, 1.0));
        let broken = figures(2, &[f32::NAN, f32::NAN, f32::NAN, 0.5], &[0, 1]);
        assert!(broken.loss.is_nan());
        assert_eq!((broken.rows, broken.accuracy), (2, 1.0));
    }
}
