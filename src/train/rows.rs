//! Rows as the loop reads them: token ids, and per task a label or none.

use tch::{Device, Tensor};

use crate::model::ModelError;
use crate::text::token_set::TokenSet;

/// The class index that `cross_entropy` leaves out.
pub const NO_LABEL: i64 = -100;

/// The rows of one split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Token ids, as cut.
    pub tokens: TokenSet,
    /// `labels[task][row]`.
    pub labels: Vec<Vec<Option<u32>>>,
}

impl Rows {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.rows()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Token ids of some rows.
    #[must_use]
    pub fn ids(&self, rows: &[u32]) -> Vec<&[u32]> {
        rows.iter().map(|row| self.tokens.ids(*row as usize)).collect()
    }

    /// Labels of some rows for a task, int64 `[rows]` with [`NO_LABEL`] where there is none, and how many there are.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn targets(&self, task: usize, rows: &[u32], device: Device) -> Result<(Tensor, usize), ModelError> {
        let labels = self.labels.get(task).map(Vec::as_slice).unwrap_or_default();
        let label = |row: &u32| labels.get(*row as usize).copied().flatten().map_or(NO_LABEL, i64::from);
        let targets: Vec<i64> = rows.iter().map(label).collect();
        let labelled = targets.iter().filter(|target| **target != NO_LABEL).count();
        Ok((Tensor::f_from_slice(&targets)?.f_to_device(device)?, labelled))
    }
}
