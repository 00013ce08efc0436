//! Encoder families.

pub mod summary;
