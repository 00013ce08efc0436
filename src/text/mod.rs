//! Texts to token ids, and ids to batches.
//!
//! [`tokenizer::Tokenizer`] makes a [`token_set::TokenSet`] of integers; [`batches`] says which rows go through
//! the model together. It must never know a tensor, a label or a window.

pub mod batches;
pub mod encoder_dir;
pub mod error;
pub mod fingerprint;
mod long_text;
mod sentencepiece;
mod soundness;
mod spm_class;
mod spm_classes;
mod spm_tokens;
pub mod token_set;
pub mod tokenizer;
pub mod tokenizer_class;
mod vocab_files;
mod vocab_settings;
