//! Why long work has no result: its user stopped it, or it failed.

use thiserror::Error;

use crate::model::ModelError;

/// Why long work has no result. A stop is no failure, so it is not one of the errors.
#[derive(Debug, Error)]
pub enum Interrupt<E> {
    /// The user stopped it.
    #[error("it was stopped")]
    Stopped,
    /// It failed.
    #[error(transparent)]
    Failed(E),
}

impl<E> Interrupt<E> {
    /// `None` when it was stopped.
    ///
    /// # Errors
    /// When it failed.
    pub fn stopped_is_none<T>(result: Result<T, Self>) -> Result<Option<T>, E> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(Self::Stopped) => Ok(None),
            Err(Self::Failed(error)) => Err(error),
        }
    }
}

impl<E> From<E> for Interrupt<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

impl From<tch::TchError> for Interrupt<ModelError> {
    fn from(error: tch::TchError) -> Self {
        Self::Failed(error.into())
    }
}
