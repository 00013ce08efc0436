//! Panels.
mod rate;
pub mod schedule;
