//! Panels.
pub mod evaluate;
pub mod explore;
mod neighbours;
mod parts;
mod probes;
mod rate;
pub mod schedule;
pub mod train;
