//! Training: the plan, the loop and what they rest on. It must never know a file format or a window.
//!
//! The road: [`preset`] turns a recipe into phases, [`plan`] freezes them, [`rows`] and [`mod@cache`] hold what the
//! heads and the thawed layers read, [`fit`] is the loop, and [`report`] says what came of it.

mod average;
pub mod cache;
pub mod checkpoint;
mod course;
pub mod error;
pub mod evaluate;
pub mod finder;
pub mod fit;
pub mod loss;
pub mod metrics;
pub mod optim;
pub mod phases;
pub mod place;
pub mod plan;
pub mod preset;
pub mod recipe;
pub mod report;
pub mod rows;
pub mod sampler;
pub mod schedule;
mod states;
pub mod step;
pub mod watch;

pub use error::TrainError;
