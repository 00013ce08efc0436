//! What the model card is written from.

use crate::model::summary::ModelSummary;
use crate::train::plan::RunPlan;
use crate::train::report::{RunOutcome, RunReport};

/// What the card is written from.
#[derive(Clone, Copy, Debug)]
pub struct CardInputs<'a> {
    /// Name of the exported model.
    pub title: &'a str,
    /// Name of the pretrained model on the hub, where it is known; see [`known_base_model`](super::card::known_base_model).
    pub base_model: Option<&'a str>,
    /// Licence of the exported weights, as hubs write it (`apache-2.0`), where the user named one.
    pub license: Option<&'a str>,
    /// The pretrained model.
    pub model: &'a ModelSummary,
    /// What trained.
    pub plan: &'a RunPlan,
    /// What came of it.
    pub report: &'a RunReport,
    /// How the run ended.
    pub outcome: &'a RunOutcome,
    /// Rows of the data in train, valid, test.
    pub rows: [usize; 3],
    /// Programs and libraries with their versions, the program first.
    pub versions: &'a [(&'a str, &'a str)],
}
