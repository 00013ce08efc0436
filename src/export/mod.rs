//! Writing what leaves the app: the folder that the Python ecosystem loads, and the proof that it loads.

pub mod card;

use std::path::PathBuf;

/// What was written, and how close what is read back comes to what was meant.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportReport {
    /// The folder.
    pub dir: PathBuf,
    /// Files written, relative to it, with their bytes.
    pub files: Vec<(String, u64)>,
    /// Probe sentences that were encoded again by the reloaded model.
    pub probes: usize,
    /// Largest absolute difference of any value of any embedding.
    pub max_difference: f64,
    /// The same over the logits of all heads.
    pub max_logit_difference: f64,
}
