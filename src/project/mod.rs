//! The project: what the user decided, as a folder with `frostline.toml` and `runs/`; and the user's settings.
//!
//! The live types are here; what is written to disk are versioned mirrors of them: [`mod@file`], [`runs`],
//! [`settings`], [`unsaved`]. What a project names outside its folder is looked for in [`outside`] and agreed to in
//! [`trust`]. It must never know a tensor, a session or a window.

mod changes_file;
pub mod demo;
mod disk;
pub mod error;
pub mod file;
mod history;
pub mod model_ref;
pub mod output_file;
pub mod outside;
mod phase_file;
mod plan_file;
mod recipe_file;
mod report_file;
pub mod runs;
mod serde_enum;
mod serde_number;
pub mod settings;
pub mod trust;
pub mod unsaved;
pub mod user_dirs;

pub use error::ProjectError;

use std::path::PathBuf;

use crate::data::dataset::Split;
use crate::data::edit::Changes;
use crate::data::mapping::Mapping;
use crate::data::read::overrides::Overrides;
use crate::train::plan::recipe::Recipe;

/// A data file and the split its rows belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFile {
    /// The file or folder, absolute.
    pub path: PathBuf,
    /// Its split; `None`: a split column or the split rule decides.
    pub split: Option<Split>,
    /// What the user says of its format, encoding ... instead of what would be found out.
    pub overrides: Overrides,
}

impl DataFile {
    /// A file of which nothing is said.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}

/// What the user decided: the draft that is edited, undone and saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    /// Name.
    pub name: String,
    /// The files.
    pub files: Vec<DataFile>,
    /// Mapping of columns; guessed when `None`.
    pub mapping: Option<Mapping>,
    /// Cells that were corrected and fixes of what was found, on top of what the files say.
    pub changes: Changes,
    /// Bad rows are skipped (and counted) instead of stopping the load.
    pub skip_bad_rows: bool,
    /// Part of the rows that become validation rows when no file or column says so.
    pub valid_fraction: f64,
    /// The same for test rows.
    pub test_fraction: f64,
    /// Folder of the pretrained model; of one from the hub, that in the cache.
    pub model: Option<PathBuf>,
    /// Settings of the next run.
    pub recipe: Recipe,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            name: "Untitled".into(),
            files: Vec::new(),
            mapping: None,
            changes: Changes::default(),
            skip_bad_rows: false,
            valid_fraction: 0.1,
            test_fraction: 0.2,
            model: None,
            recipe: Recipe::default(),
        }
    }
}
