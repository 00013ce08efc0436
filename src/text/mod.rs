//! Tokeniser, truncation and batches: text to ids as integers. It must never know a tensor.
