//! How a run ended and what it proved: plain data. It must never know a tensor, a file or a window.

use std::fmt;

use super::metrics::{Probe, TaskMetrics};
use crate::data::dataset::Split;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunOutcome {
    /// All epochs done.
    Finished,
    /// The user stopped it.
    Stopped {
        /// Steps done by then.
        at_step: usize,
    },
    /// The user paused it: it is to be gone on with.
    Paused {
        /// Steps done by then.
        at_step: usize,
    },
    /// It could not go on.
    Failed(String),
}

impl RunOutcome {
    /// Whether something is left to do.
    #[must_use]
    pub const fn can_be_resumed(&self) -> bool {
        !matches!(self, Self::Finished)
    }
}

/// A tensor whose bytes were compared before and after the run.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorChange {
    /// Its name.
    pub name: String,
    /// Whether its bytes differ.
    pub changed: bool,
    /// Whether the plan meant it to train in a phase that was reached.
    pub planned: bool,
}

/// A frozen head whose encoder moved below it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadDrift {
    /// The task.
    pub task: String,
    /// Validation accuracy before the first step.
    pub before: f64,
    /// And with the kept weights.
    pub after: f64,
}

/// The proof and the figures of a run that ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunReport {
    /// Figures of the kept weights, per split, per task.
    pub metrics: Vec<(Split, Vec<TaskMetrics>)>,
    /// Probes of the embeddings, on validation rows (test rows without any).
    pub probes: Vec<Probe>,
    /// Every tensor and whether it changed.
    pub changes: Vec<TensorChange>,
    /// Frozen heads over a moved encoder.
    pub drifts: Vec<HeadDrift>,
    /// Training rows and validation rows whose text was cut at the maximum length.
    pub truncated_rows: usize,
    /// Wall-clock seconds of the run.
    pub seconds: f64,
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => write!(f, "finished"),
            Self::Stopped { at_step } => write!(f, "stopped at step {at_step}"),
            Self::Paused { at_step } => write!(f, "paused at step {at_step}"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}
