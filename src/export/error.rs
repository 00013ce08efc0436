//! What can go wrong with an export, in words for the user: what, where, what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::ModelError;
use crate::text::tokenizer::TokenizerError;

/// A folder could not be exported. What was at its place before is still there, unless said otherwise.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The user stopped it.
    #[error("the export was stopped, and nothing was changed")]
    Stopped,
    /// The place is a file.
    #[error("{} is a file. Choose a folder, or a name that is not taken", .0.display())]
    TargetIsFile(PathBuf),
    /// The place is a folder with something else in it.
    #[error(
        "{} is not empty and no earlier export of Frostline: it holds {found}. Choose an empty folder or a new \
         name; nothing was changed",
        path.display()
    )]
    TargetInUse {
        /// The folder.
        path: PathBuf,
        /// One of the things in it.
        found: String,
    },
    /// The export would take the place of the pretrained model.
    #[error(
        "{} holds the pretrained model that this run started from; the export would replace it. Choose another \
         folder",
        .0.display()
    )]
    TargetHoldsBase(PathBuf),
    /// No tokenizer to copy.
    #[error(
        "{} has no tokenizer.json to copy. Put the pretrained model's folder back where it was",
        .0.display()
    )]
    NoTokenizer(PathBuf),
    /// Weights that nothing can be computed from.
    #[error(
        "tensor {0} of the trained model holds values that are not finite numbers, so it was not exported. Train \
         again with a lower learning rate, or from an earlier checkpoint"
    )]
    NotFinite(String),
    /// The computer refused to read a file.
    #[error("{} cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why, as the system says it.
        reason: io::Error,
    },
    /// The computer refused to write.
    #[error("{} cannot be written: {reason}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// The last step failed, and so did taking it back.
    #[error(
        "the new export could not be put at {} ({reason}), and the earlier one could not be put back: both are \
         kept in {}",
        path.display(),
        kept.display()
    )]
    Stranded {
        /// Where the export belongs.
        path: PathBuf,
        /// Where the folders are.
        kept: PathBuf,
        /// Why.
        reason: String,
    },
    /// The model refuses, or what was written cannot be loaded again.
    #[error("the export was given up: {0}")]
    Model(#[from] ModelError),
    /// The tokenizer refuses.
    #[error("the export was given up: {0}")]
    Tokenizer(#[from] TokenizerError),
    /// What was written computes something else.
    #[error(
        "the export was given up: loaded again, it differs by {embeddings:.1e} in an embedding and by \
         {logits:.1e} in a logit. Please report this with the name of the pretrained model"
    )]
    Differs {
        /// Largest difference of any value of any embedding.
        embeddings: f64,
        /// The same of the logits.
        logits: f64,
    },
}

impl ExportError {
    /// For a failed write, with what to do about the usual causes.
    pub(super) fn write(path: &Path, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let reason = match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
                "there is no room left. Free some, or choose a folder on another disk".to_owned()
            }
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
                "writing there is not allowed. Choose a folder of your own".to_owned()
            }
            Kind::NotADirectory | Kind::AlreadyExists => {
                "a file lies where a folder is needed. Choose another folder".to_owned()
            }
            _ => error.to_string(),
        };
        Self::Write { path: path.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_causes_come_with_advice() {
        for (kind, advice) in [
            (io::ErrorKind::StorageFull, "no room left"),
            (io::ErrorKind::ReadOnlyFilesystem, "folder of your own"),
            (io::ErrorKind::PermissionDenied, "folder of your own"),
            (io::ErrorKind::NotADirectory, "a file lies"),
        ] {
            let text = ExportError::write(Path::new("out/model.safetensors"), &kind.into()).to_string();
            assert!(
                text.contains("out/model.safetensors cannot be written") && text.contains(advice),
                "{text}"
            );
        }
    }
}
