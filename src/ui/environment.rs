//! What the app knows of the place where it runs.

use std::path::PathBuf;

/// What the app is told about the place where it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Folder of the model that comes with the app, when it is there.
    pub default_model: Option<PathBuf>,
    /// Folder of the demo project, when it is there.
    pub demo: Option<PathBuf>,
    /// Version and place of libtorch, for the diagnostics.
    pub libtorch: String,
}
