//! Figures of a classifier from its probabilities: plain numbers, no tensor.

/// Precision, recall and F1 of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMetrics {
    /// Class name.
    pub name: String,
    /// Right among those predicted as this class; 0 when none was.
    pub precision: f64,
    /// Right among those labelled as this class; 0 when none is.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Rows labelled as this class.
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

/// Figures of one task on one split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskMetrics {
    /// The task.
    pub task: String,
    /// Labelled rows that were measured.
    pub rows: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Share of rows whose most probable class is the label.
    pub accuracy: f64,
    /// Mean F1 over the classes that occur as label or prediction.
    pub macro_f1: f64,
    /// Mean F1 over the classes, weighted by support.
    pub weighted_f1: f64,
    /// Matthews correlation coefficient, multi-class form (Gorodkin 2004).
    pub mcc: f64,
    /// Expected calibration error, 15 equal bins of confidence (Guo et al. 2017).
    pub ece: f64,
    /// Per class, in class order.
    pub classes: Vec<ClassMetrics>,
    /// `confusion[label][predicted]`: rows.
    pub confusion: Vec<Vec<u32>>,
    /// The bins behind `ece`.
    pub calibration: Vec<CalibrationBin>,
}

/// Loss and accuracy of one task over some rows, as the training curve shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Mean loss over the labelled rows.
    pub loss: f64,
    /// Share of them that are right.
    pub accuracy: f64,
    /// Labelled rows; 0 when there was none, and the other two mean nothing.
    pub rows: usize,
}

/// One optimiser step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPoint {
    /// Steps done, from 1.
    pub step: usize,
    /// Fractional epoch reached.
    pub epoch: f64,
    /// Weighted sum of the task losses.
    pub loss: f64,
    /// Per task over the batch's labelled rows.
    pub tasks: Vec<Score>,
    /// Factor of the schedule at this step, 0 to 1.
    pub rate_factor: f64,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochPoint {
    /// Epochs done, from 1; 0 for the measurement before the first step.
    pub epoch: u32,
    /// Steps done.
    pub step: usize,
    /// Index of the phase it belongs to.
    pub phase: usize,
    /// Mean over the epoch of the weighted sum of the task losses.
    pub loss: f64,
    /// Per task over the epoch's training batches, as they were met; rows 0 for epoch 0.
    pub train: Vec<Score>,
    /// Per task on the validation split; empty without one.
    pub valid: Vec<Score>,
    /// Seconds it took, validation included.
    pub seconds: f64,
    /// Whether these are the weights kept so far.
    pub best: bool,
}

/// A frozen encoder measured without training a head, by what its embeddings alone tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The task.
    pub task: String,
    /// Rows measured.
    pub rows: usize,
    /// Share of rows nearest to the mean embedding of their own class.
    pub nearest_centroid: f64,
    /// Share of rows whose k nearest training rows mostly carry their label.
    pub nearest_neighbours: f64,
    /// The k of the above.
    pub k: usize,
    /// Share of the commonest class: what guessing it always would reach.
    pub majority: f64,
}
