//! The classes of transformers whose tokenizers are built from a sentencepiece model.

/// The classes that are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    XlmRoberta,
    Camembert,
    Albert,
    DebertaV2,
}
