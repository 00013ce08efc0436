//! What is measured of one task on one split, as plain numbers: the fields of every kind of task.

use crate::data::task::TaskKind;

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
/// `get` says that it is not there.
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
    /// `confusion[label][predicted]`: rows. Empty with more than [`MOST_MATRIX_CLASSES`](super::MOST_MATRIX_CLASSES) classes.
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
}

/// What is counted of sets of classes beside the F1 of every class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SetFigures {
    /// Of all classes of all rows that are said to be there, the share that is.
    pub micro_precision: f64,
    /// Of all classes of all rows that are there, the share that is said to be.
    pub micro_recall: f64,
    /// Harmonic mean of the two.
    pub micro_f1: f64,
    /// Mean over the rows of the F1 of a row's own classes; 0 for a row that has none and is said to have none.
    pub samples_f1: f64,
    /// Share of wrong answers, over all classes of all rows.
    pub hamming_loss: f64,
}

/// What is counted of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NumberFigures {
    /// Pearson's correlation of prediction and label; 0 where one of them is constant.
    pub pearson: f64,
    /// Spearman's correlation of their ranks, equal numbers at the mean of their ranks; 0 where one is constant.
    pub spearman: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Square root of the mean squared error.
    pub rmse: f64,
}

/// What is counted of entities beside the F1 of every type.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpanFigures {
    /// Of all entities that are predicted, the share that is right: same words, same type.
    pub precision: f64,
    /// Of all entities that are labelled, the share that is found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Words that were looked at.
    pub words: usize,
    /// Entities that are labelled.
    pub entities: usize,
    /// Labelled words that the model did not read, most of them beyond the maximum length. They count among the words
    /// and their entities among the labelled ones, as missed.
    pub unread_words: usize,
}

/// What is counted of ranks beside how often the true partner comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RankFigures {
    /// Mean of `1 / rank`, 0 beyond the tenth.
    pub mrr: f64,
    /// Share of pairs whose true partner is among the ten nearest.
    pub accuracy_at_10: f64,
    /// Texts that were ranked for each row.
    pub pool: usize,
}
