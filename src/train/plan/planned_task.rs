//! A task as a plan fixes it.

use crate::data::task::{Scale, TaskKind};
use crate::model::heads::HeadSpec;

/// A task as the plan fixes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedTask {
    /// Name, also of its head.
    pub name: String,
    /// What it predicts.
    pub kind: TaskKind,
    /// How numbers are told to the model; for kinds that predict one.
    pub scale: Scale,
    /// Classes in the order of the logits.
    pub classes: Vec<String>,
    /// Training rows that carry a label for it.
    pub labelled_train: usize,
    /// Validation rows that carry a label for it.
    pub labelled_valid: usize,
}

impl PlannedTask {
    /// The task as its head knows it.
    #[must_use]
    pub fn head(&self, hidden_units: Option<usize>) -> HeadSpec {
        HeadSpec {
            task: self.name.clone(),
            kind: self.kind,
            classes: self.classes.clone(),
            scale: self.scale,
            // A kind without a head has no layer in it either.
            hidden_units: hidden_units.filter(|_| self.kind.has_head()),
        }
    }
}
