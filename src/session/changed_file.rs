//! What becomes of data files after they were read, as it is told to the window.

use std::path::PathBuf;

/// A data file that is not what was read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// Where it was read.
    pub path: PathBuf,
    /// Nothing is found there: it was deleted or moved, or its disk is not connected.
    pub is_gone: bool,
}

/// What became of a file since it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileState {
    Same,
    Changed,
    Gone,
}
