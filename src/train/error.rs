//! Why training could not start or go on, in words for the user.

use thiserror::Error;

use crate::model::ModelError;
use crate::train::interrupt::Interrupt;
use crate::train::plan::PlanError;
use crate::train::run::checkpoint::CheckpointError;

/// Training could not start or go on.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The model or libtorch refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The loss is no longer a number.
    #[error(
        "the loss of task \"{task}\" became {value} at step {step}, so training stopped before the weights were spoilt. \
         {}. Lower the learning rate, or switch clipping on",
        kept.as_deref().unwrap_or("No earlier weights of this run were kept")
    )]
    NotFinite {
        /// The task.
        task: String,
        /// What it was.
        value: f64,
        /// The step, from 1.
        step: usize,
        /// The last good checkpoint, in a sentence.
        kept: Option<String>,
    },
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The data and the plan disagree.
    #[error("{0}")]
    Unfit(String),
}

impl From<tch::TchError> for TrainError {
    fn from(error: tch::TchError) -> Self {
        Self::Model(ModelError::Torch(error))
    }
}

impl From<ModelError> for Interrupt<TrainError> {
    fn from(error: ModelError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Interrupt<ModelError>> for Interrupt<TrainError> {
    fn from(interrupt: Interrupt<ModelError>) -> Self {
        match interrupt {
            Interrupt::Stopped => Self::Stopped,
            Interrupt::Failed(error) => Self::Failed(error.into()),
        }
    }
}
