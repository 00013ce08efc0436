//! Writing what leaves the app: the folder that the Python ecosystem loads, and the proof that it loads.
//!
//! [`folder`] writes it aside, [`load`] reads it back, and only what computes the same is put in its place.
//! [`card`] is its README. It must never know a project, a session or a window.

pub mod card;
pub mod error;
pub mod folder;
mod layout;
pub mod load;
mod place;
mod proof;
mod settings_text;
mod usage;

use std::path::PathBuf;

pub use error::ExportError;
pub use folder::{ExportRequest, write_folder};
pub use load::load_exported;

/// What was written, and how close what is read back comes to what was meant.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportReport {
    /// The folder.
    pub dir: PathBuf,
    /// Files written, relative to it, with their bytes. The weights in a task's folder are a second name of the
    /// same bytes wherever the disk can do that.
    pub files: Vec<(String, u64)>,
    /// Probe sentences that were encoded again by the reloaded model.
    pub probes: usize,
    /// Largest absolute difference of any value of any embedding.
    pub max_difference: f64,
    /// The same over the logits of all heads.
    pub max_logit_difference: f64,
}
