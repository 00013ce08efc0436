//! Training.

pub mod metrics;
pub mod plan;
pub mod preset;
pub mod report;
