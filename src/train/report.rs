//! How a run ended and what it proved: plain data. It must never know a tensor, a file or a window.

use std::fmt;

use super::metrics::{Probe, TaskMetrics};
use super::plan::RunPlan;
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
    /// Its headline figure on validation rows before the first step.
    pub before: f64,
    /// And with the kept weights.
    pub after: f64,
}

/// What is said of a head that is as random as it started.
pub const UNTRAINED: &str = "untrained";

/// What is said of a run of which no epoch was better than its start.
pub const START_KEPT: &str = "no epoch was better than the start; the starting weights are kept";

/// The proof and the figures of a run that ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunReport {
    /// Epoch whose weights are kept, 0 for the start; `None` for those of a moment within an epoch, and in reports of
    /// releases that did not record it.
    pub kept_epoch: Option<u32>,
    /// Tasks whose heads are as random in the kept weights as they started; `None` in reports of releases that did not
    /// record it.
    pub untrained: Option<Vec<String>>,
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

impl RunReport {
    /// Whether the figures of a task are those of a head that is as random as it started.
    #[must_use]
    pub fn is_untrained(&self, plan: &RunPlan, task: &str) -> bool {
        if let Some(tasks) = &self.untrained {
            return tasks.iter().any(|name| name == task);
        }
        let index = plan.tasks.iter().position(|known| known.name == task);
        index.is_some_and(|index| plan.head_is_untrained(index, plan.phases.len()))
    }

    /// The tasks whose heads are as random as they started, in the order of the plan.
    #[must_use]
    pub fn untrained_tasks(&self, plan: &RunPlan) -> Vec<String> {
        let tasks = plan.tasks.iter().filter(|task| self.is_untrained(plan, &task.name));
        tasks.map(|task| task.name.clone()).collect()
    }

    /// Whether a run that was to train kept the weights that it started with.
    #[must_use]
    pub fn keeps_the_start(&self, plan: &RunPlan) -> bool {
        self.kept_epoch == Some(0) && plan.epochs() > 0
    }
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
