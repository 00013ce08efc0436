//! Whether early stopping ended a run, and how that reads.

use super::state::{RunOutcome, RunView};
use crate::train::timeline::ended_early;

impl RunView {
    /// The last epoch of a run that early stopping ended, and its patience.
    #[must_use]
    pub fn ended_early(&self) -> Option<(u32, u32)> {
        let finished = self.outcome == Some(RunOutcome::Finished);
        ended_early(&self.plan, &self.epochs).filter(|_| finished)
    }

    /// The same as a sentence.
    #[must_use]
    pub fn early_end(&self) -> Option<String> {
        let (epoch, patience) = self.ended_early()?;
        let epochs = if patience == 1 { "epoch" } else { "epochs" };
        Some(format!("ended early after epoch {epoch}: no improvement for {patience} {epochs}"))
    }
}
