//! Training.

pub mod metrics;
pub mod plan;
pub mod preset;
