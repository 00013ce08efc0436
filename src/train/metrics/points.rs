//! What a run is told by while it goes: a point per step and per epoch, and probes of embeddings.

use crate::data::task::TaskKind;

/// Loss and headline figure of one task over some rows, as the training curve shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Mean loss over the labelled rows.
    pub loss: f64,
    /// What [`TaskKind::figure`] names: accuracy, micro F1, Spearman ...
    pub figure: f64,
    /// Labelled rows; 0 when there was none, and the other two mean nothing.
    pub rows: usize,
}

/// The headline figure of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Headline {
    /// The task.
    pub task: String,
    /// What it predicts, which says what the figure is.
    pub kind: TaskKind,
    /// The figure.
    pub value: f64,
}

/// One optimiser step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPoint {
    /// Steps done, from 1.
    pub step: usize,
    /// Fractional epoch reached.
    pub epoch: f64,
    /// Weighted sum of the task losses; NaN where no row of the step has a label that counts.
    pub loss: f64,
    /// Per task over the labelled rows of the step, which the figure is of too; NaN where it is of none.
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
    /// Mean of the weighted sum of the task losses over the epoch's steps that have one; NaN where none has.
    pub loss: f64,
    /// Per task over the epoch's training rows as they were met, by the figure that
    /// [`training_key`](super::training_key) names; rows 0 for epoch 0.
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

impl Probe {
    /// Why tasks of a kind have no probe, as the end of a sentence; `None` for the kind that has.
    #[must_use]
    pub const fn none_of(kind: TaskKind) -> Option<&'static str> {
        match kind {
            TaskKind::SingleLabel => None,
            TaskKind::TokenLabels => {
                Some("a probe reads one embedding for the whole text, and the labels are those of its words")
            }
            TaskKind::MultiLabel => {
                Some("a probe gives a text one class, and its labels are any number of them")
            }
            TaskKind::Score => Some("a probe gives a text a class, and its label is a number"),
            TaskKind::Similarity | TaskKind::Ranking => {
                Some("a probe gives one text a class, and the labels are those of pairs")
            }
        }
    }

    /// The same as a whole sentence on a task.
    #[must_use]
    pub fn none_in_words(task: &str, kind: TaskKind) -> Option<String> {
        let why = Self::none_of(kind)?;
        Some(format!("{task} ({}) has no probe: {why}.", kind.key()))
    }
}
