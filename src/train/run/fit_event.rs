//! What the training loop reports, and what it returns.

use std::rc::Rc;

use crate::train::cache::Prefix;
use crate::train::error::TrainError;
use crate::train::metrics::{EpochPoint, Score, StepPoint};
use crate::train::report::RunOutcome;

/// An event of the loop.
#[derive(Clone, Debug, PartialEq)]
pub enum FitEvent {
    /// The run resumes from a checkpoint: reports of later steps no longer count.
    Resumed {
        /// Steps done at the checkpoint.
        at_step: usize,
    },
    /// A phase begins, by its index.
    Phase(usize),
    /// What happens besides steps: caching, an early end.
    Note(String),
    /// What the user should know of the run.
    Warning(String),
    /// A step is done.
    Step(StepPoint),
    /// An epoch is done.
    Epoch(EpochPoint),
    /// A checkpoint follows. A run that resumes from it reports no earlier step again, so everything that was reported
    /// so far must be on disk first.
    Saving,
}

/// Takes the events.
pub type Report<'a> = dyn FnMut(FitEvent) -> Result<(), TrainError> + 'a;

/// How a fit ended. The model holds the kept weights: those of the best epoch on the validation rows, where the untrained
/// model counts as epoch 0; the last ones where nothing could be measured.
#[derive(Debug)]
pub struct Fitted {
    /// Finished or stopped.
    pub outcome: RunOutcome,
    /// Epoch whose weights are kept, 0 for the untrained model; `None` for weights from within an epoch.
    pub kept_epoch: Option<u32>,
    /// Phases that had a part in the kept weights: a step of theirs moved something before these were kept.
    pub kept_phases: usize,
    /// Scores of the kept weights on the validation rows.
    pub valid: Vec<Score>,
    /// Seconds of all processes that worked on the run.
    pub seconds: f64,
    /// What was cached of the training and of the validation texts, where nothing below it ever trained: it holds for
    /// the kept weights too.
    pub prefixes: Option<Rc<[Prefix; 2]>>,
}
