//! Training: the plan, the loop and what they rest on. It must never know a project's files or a window.
//!
//! - Before a run: [`plan`]. A recipe holds what the user sets, a preset which layers thaw when, and a run plan freezes
//!   both.
//! - The run: [`run`]. `fit` is the loop, `step` one optimiser step; [`examples`] are its rows, [`optim`] its optimisers,
//!   `kinds` the losses and predictions of each kind of task, [`mod@cache`] what is computed once.
//! - After it: [`evaluate`] and [`metrics`] measure; [`report`] and [`diagnosis`] sum the run up.
//! - Without a run: [`lr_finder`] looks for a learning rate.

pub mod cache;
pub mod diagnosis;
pub mod error;
pub mod evaluate;
pub mod examples;
pub mod interrupt;
mod kinds;
pub mod lr_finder;
pub mod metrics;
pub mod optim;
pub mod plan;
pub mod report;
pub mod run;

pub use error::TrainError;
