//! Why texts could not be tokenized, in words for the user.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why texts cannot be turned into ids.
#[derive(Debug, Error)]
pub enum TokenizerError {
    /// No tokenizer.json in the model's folder.
    #[error("{} has no tokenizer.json. {advice}", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
        /// Where to get one.
        advice: &'static str,
    },
    /// The file is there and cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file was read and makes no sense.
    #[error(
        "{} is damaged or of an unknown kind: {reason}. Fetch the model again, or save its tokenizer again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Vocabulary files that are used in a way of their own.
    #[error(
        "{} has no tokenizer.json, and its older files belong to a {class}, which is not built from them here. Load \
         it with transformers' AutoTokenizer and save it again, which writes tokenizer.json",
        dir.display()
    )]
    UnknownClass {
        /// The folder.
        dir: PathBuf,
        /// What its `tokenizer_config.json` names.
        class: String,
    },
    /// Vocabulary files that may belong to several classes.
    #[error(
        "{} has no tokenizer.json, and nothing in the folder says which class of transformers its sentencepiece model \
         belongs to. Name it in tokenizer_config.json, as in {{\"tokenizer_class\": \"XLMRobertaTokenizer\"}}",
        path.display()
    )]
    NoClass {
        /// The vocabulary.
        path: PathBuf,
    },
    /// Ids without an embedding.
    #[error(
        "the tokenizer knows ids up to {max_id}, but the model has {embeddings} embeddings: they do not belong \
         together. Put the tokenizer.json of this very model into its folder"
    )]
    DoesNotFit {
        /// The highest id of the vocabulary.
        max_id: u32,
        /// Rows of the model's embedding matrix.
        embeddings: usize,
    },
    /// No room for text between the special tokens.
    #[error("a maximum length of {max_length} leaves no room for text: it must be at least {least}")]
    TooShort {
        /// The length asked for.
        max_length: usize,
        /// The smallest one that works.
        least: usize,
    },
    /// The tokenizer gave up on a text.
    #[error("text {} cannot be tokenized: {reason}", row + 1)]
    Text {
        /// Index of the text among those given.
        row: usize,
        /// What it said.
        reason: String,
    },
    /// The user stopped it.
    #[error("tokenizing was stopped")]
    Cancelled,
}
