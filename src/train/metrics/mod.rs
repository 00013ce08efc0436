//! Figures of a task from what its model says: plain numbers. It must never know a tensor or a file.
//!
//! A file per way of counting: [`classes`] for one class per row, [`sets`] for several (and [`thresholds`] for what
//! other thresholds would make of them), [`values`] for numbers,
//! [`spans`] for tags of words (and [`span_errors`] for what became of each entity), [`ranks`] for pairs. [`answers`] says what a model may say and leads it to the
//! right one; [`points`] holds what the curves are drawn from, and [`figures`] writes any figure for people. The definitions are those of scikit-learn, scipy
//! and seqeval, on whose recorded figures `tests/metrics.rs` checks them.

mod answers;
mod classes;
mod figures;
mod points;
mod ranks;
mod sets;
mod span_errors;
mod spans;
mod thresholds;
mod values;

pub use answers::{Predictions, metrics_of, metrics_with_unread, score_of};
pub use classes::MOST_MATRIX_CLASSES;
pub use figures::{Unit, format_figure, format_headline, mean_loss, share, unit};
pub use points::{EpochPoint, Headline, Probe, Score, StepPoint};
pub use ranks::{RankFigures, rank_in_pool};
pub use sets::{SetFigures, THRESHOLD};
pub use span_errors::{JudgedSpan, SpanVerdict, judge_spans};
pub use spans::{Span, SpanFigures, TagScheme};
pub use thresholds::{ThresholdFigures, best_threshold, threshold_curve};
pub use values::{NumberFigures, pearson, spearman};

use crate::data::task::TaskKind;

/// Smallest probability whose logarithm is taken: below it, `f32` holds no normal number, and 0 would make the
/// mean infinite. A row can thus cost 87.3 nats at most.
const SMALLEST_PROBABILITY: f64 = f32::MIN_POSITIVE as f64;

/// Precision, recall and F1 of one class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassMetrics {
    /// Class name; of tags of words the type of entity.
    pub name: String,
    /// Right among those predicted as this class; 0 when none was.
    pub precision: f64,
    /// Right among those labelled as this class; 0 when none is.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Rows labelled as this class; of tags of words the entities of this type.
    pub support: usize,
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CalibrationBin {
    /// Mean confidence of the rows in the bin.
    pub confidence: f64,
    /// Share of them that are right.
    pub accuracy: f64,
    /// How many.
    pub count: usize,
}

/// Figures of one task on one split. What a kind of task does not define is 0 or empty, and
/// [`get`](Self::get) says that it is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskMetrics {
    /// The task.
    pub task: String,
    /// What it predicts.
    pub kind: TaskKind,
    /// Labelled rows that were measured.
    pub rows: usize,
    /// Mean loss as training computes it: cross-entropy in nats, or the squared error of the scaled numbers.
    pub loss: f64,
    /// Share of rows whose most probable class is the label; of sets of classes those that are right as a whole,
    /// of words those whose tag is right, of pairs those whose partner comes first.
    pub accuracy: f64,
    /// Mean F1 over the classes: those that occur as label or prediction where a row has one of them, all of
    /// them where it has several; over the types of entities that occur.
    pub macro_f1: f64,
    /// Mean F1 over the classes, weighted by support.
    pub weighted_f1: f64,
    /// Matthews correlation coefficient, multi-class form (Gorodkin 2004).
    pub mcc: f64,
    /// Expected calibration error, 15 equal bins of confidence (Guo et al. 2017).
    pub ece: f64,
    /// Per class, in class order; per type of entity, by name.
    pub classes: Vec<ClassMetrics>,
    /// `confusion[label][predicted]`: rows. Empty with more than [`MOST_MATRIX_CLASSES`] classes.
    pub confusion: Vec<Vec<u32>>,
    /// The bins behind `ece`.
    pub calibration: Vec<CalibrationBin>,
    /// What else is counted where a row has several classes.
    pub multi: Option<SetFigures>,
    /// What is counted of scores and similarities.
    pub numbers: Option<NumberFigures>,
    /// What else is counted of tagged words.
    pub spans: Option<SpanFigures>,
    /// What else is counted of pairs.
    pub ranking: Option<RankFigures>,
}

impl TaskMetrics {
    /// Figures of no row.
    #[must_use]
    pub fn none(task: &str, kind: TaskKind) -> Self {
        Self { task: task.to_owned(), kind, ..Self::default() }
    }

    /// The headline: what [`TaskKind::figure`] names. Larger is better.
    #[must_use]
    pub fn figure(&self) -> f64 {
        self.get(figure_key(self.kind)).unwrap_or(0.0)
    }

    /// The figure of a key, where this kind of task has it:
    ///
    /// | kind | keys |
    /// |---|---|
    /// | all | `loss`, and `figure` for the headline |
    /// | single-label | `accuracy`, `macro-f1`, `weighted-f1`, `mcc`, `ece` |
    /// | multi-label | `micro-f1`, `macro-f1`, `weighted-f1`, `samples-f1`, `micro-precision`, `micro-recall`, `subset-accuracy`, `hamming-loss` |
    /// | score, similarity | `spearman`, `pearson`, `mse`, `mae`, `rmse` |
    /// | token-labels | `span-f1`, `span-precision`, `span-recall`, `macro-f1`, `weighted-f1`, `token-accuracy` |
    /// | ranking | `accuracy-at-1`, `accuracy-at-10`, `mrr` |
    #[must_use]
    pub fn get(&self, key: &str) -> Option<f64> {
        match key {
            "loss" => return Some(self.loss),
            "figure" => return Some(self.figure()),
            _ => {}
        }
        if !keys(self.kind).contains(&key) {
            return None;
        }
        let (multi, numbers) = (self.multi.as_ref(), self.numbers.as_ref());
        let (spans, ranking) = (self.spans.as_ref(), self.ranking.as_ref());
        match key {
            "accuracy" | "subset-accuracy" | "token-accuracy" | "accuracy-at-1" => Some(self.accuracy),
            "macro-f1" => Some(self.macro_f1),
            "weighted-f1" => Some(self.weighted_f1),
            "mcc" => Some(self.mcc),
            "ece" => Some(self.ece),
            "micro-f1" => multi.map(|multi| multi.micro_f1),
            "samples-f1" => multi.map(|multi| multi.samples_f1),
            "micro-precision" => multi.map(|multi| multi.micro_precision),
            "micro-recall" => multi.map(|multi| multi.micro_recall),
            "hamming-loss" => multi.map(|multi| multi.hamming_loss),
            "spearman" => numbers.map(|numbers| numbers.spearman),
            "pearson" => numbers.map(|numbers| numbers.pearson),
            "mse" => numbers.map(|numbers| numbers.rmse * numbers.rmse),
            "mae" => numbers.map(|numbers| numbers.mae),
            "rmse" => numbers.map(|numbers| numbers.rmse),
            "span-f1" => spans.map(|spans| spans.f1),
            "span-precision" => spans.map(|spans| spans.precision),
            "span-recall" => spans.map(|spans| spans.recall),
            "mrr" => ranking.map(|ranking| ranking.mrr),
            "accuracy-at-10" => ranking.map(|ranking| ranking.accuracy_at_10),
            _ => None,
        }
    }

    /// Every figure of this kind of task under its key: the loss, then the headline, then the others.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        let all = ["loss"].into_iter().chain(keys(self.kind).iter().copied());
        all.filter_map(|key| Some((key, self.get(key)?))).collect()
    }

    /// Loss and headline, for the curve.
    #[must_use]
    pub fn score(&self) -> Score {
        Score { loss: self.loss, figure: self.figure(), rows: self.rows }
    }

    /// Whether a larger value of a figure is the better one.
    #[must_use]
    pub fn larger_is_better(key: &str) -> bool {
        larger_is_better(key)
    }
}

/// The keys of a kind's figures, `loss` and `figure` apart, the headline first.
#[must_use]
pub const fn keys(kind: TaskKind) -> &'static [&'static str] {
    match kind {
        TaskKind::SingleLabel => &["accuracy", "macro-f1", "weighted-f1", "mcc", "ece"],
        TaskKind::MultiLabel => &[
            "micro-f1",
            "macro-f1",
            "weighted-f1",
            "samples-f1",
            "micro-precision",
            "micro-recall",
            "subset-accuracy",
            "hamming-loss",
        ],
        TaskKind::Score | TaskKind::Similarity => &["spearman", "pearson", "mse", "mae", "rmse"],
        TaskKind::TokenLabels => {
            &["span-f1", "span-precision", "span-recall", "macro-f1", "weighted-f1", "token-accuracy"]
        }
        TaskKind::Ranking => &["accuracy-at-1", "accuracy-at-10", "mrr"],
    }
}

/// The key of a kind's headline figure.
#[must_use]
pub const fn figure_key(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::SingleLabel => "accuracy",
        TaskKind::MultiLabel => "micro-f1",
        TaskKind::Score | TaskKind::Similarity => "spearman",
        TaskKind::TokenLabels => "span-f1",
        TaskKind::Ranking => "accuracy-at-1",
    }
}

/// The key of the figure that training rows have while they are trained on: the headline, but for a ranking, whose pool
/// is then the step's own and not all texts.
#[must_use]
pub const fn training_key(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Ranking => "in-batch-accuracy-at-1",
        _ => figure_key(kind),
    }
}

/// Whether that figure can stand on one axis with the headline of validation rows.
#[must_use]
pub fn training_is_comparable(kind: TaskKind) -> bool {
    training_key(kind) == figure_key(kind)
}

/// How a key is written for people: `macro F1`, `Spearman`. The key itself where it is not known.
#[must_use]
pub fn title(key: &str) -> &str {
    match key {
        "macro-f1" => "macro F1",
        "weighted-f1" => "weighted F1",
        "micro-f1" => "micro F1",
        "micro-precision" => "micro precision",
        "micro-recall" => "micro recall",
        "subset-accuracy" => "subset accuracy",
        "token-accuracy" => "word accuracy",
        "hamming-loss" => "Hamming loss",
        "span-f1" => "span F1",
        "span-precision" => "span precision",
        "span-recall" => "span recall",
        "spearman" => "Spearman",
        "pearson" => "Pearson",
        "mcc" => "MCC",
        "ece" => "ECE",
        "samples-f1" => "samples F1",
        "accuracy-at-1" => "accuracy@1",
        "in-batch-accuracy-at-1" => "in-batch accuracy@1",
        "accuracy-at-10" => "accuracy@10",
        "mse" => "MSE",
        "mae" => "MAE",
        "rmse" => "RMSE",
        "mrr" => "MRR@10",
        other => other,
    }
}

/// Whether a larger value of a figure is the better one.
#[must_use]
pub fn larger_is_better(key: &str) -> bool {
    !matches!(key, "loss" | "ece" | "hamming-loss" | "mse" | "mae" | "rmse")
}

/// Sums for precision and recall of one class.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    right: u64,
    predicted: u64,
    labelled: u64,
}

impl Count {
    fn precision(self) -> f64 {
        ratio(self.right, self.predicted)
    }

    fn recall(self) -> f64 {
        ratio(self.right, self.labelled)
    }

    fn f1(self) -> f64 {
        ratio(2 * self.right, self.labelled + self.predicted)
    }

    fn of_class(self, name: &str) -> ClassMetrics {
        ClassMetrics {
            name: name.to_owned(),
            precision: self.precision(),
            recall: self.recall(),
            f1: self.f1(),
            support: self.labelled as usize,
        }
    }

    fn sum(counts: &[Self]) -> Self {
        counts.iter().fold(Self::default(), |sum, count| Self {
            right: sum.right + count.right,
            predicted: sum.predicted + count.predicted,
            labelled: sum.labelled + count.labelled,
        })
    }
}

/// A part of a whole; 0 of nothing.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The mean of some numbers; 0 without any.
fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = numbers.fold((0_usize, 0.0), |(count, sum), number| (count + 1, sum + number));
    if count == 0 { 0.0 } else { sum / count as f64 }
}

/// F1 weighted by support; 0 where nothing is labelled.
fn weighted_f1(classes: &[ClassMetrics]) -> f64 {
    let support: usize = classes.iter().map(|class| class.support).sum();
    let sum: f64 = classes.iter().map(|class| class.f1 * class.support as f64).sum();
    if support == 0 { 0.0 } else { sum / support as f64 }
}
