//! Training: the plan, the loop and what they rest on. It must never know a project's files or a window.
//!
//! Before a run: [`recipe`] is what the user sets, [`settings`] the table of all of it, [`preset`] and [`phases`] say
//! what thaws when ([`phase_edits`]: by hand), [`plan`] freezes all of it, a [`phase`] at a time. In it: [`fit`] is the
//! loop, [`step`] one step of it, [`sampler`] its batches, [`loss`] what is descended (`task_loss` for each kind of task,
//! `class_weights` where classes are balanced, `grad_cache` where batches of a step see each other), [`running`] what the
//! figures of its rows are, [`optim`] how, [`drive`] how a device is kept at work meanwhile, [`backlog`] what steps told,
//! [`mod@cache`] what is computed once, [`place`] and [`checkpoint`] what survives the process, [`watch`] what is kept.
//! After it: [`evaluate`] and [`metrics`] measure, [`report`] and [`diagnosis`] say what came of it; [`timeline`] says
//! where its phases were. [`finder`] looks for a rate.

pub mod cache;
pub mod diagnosis;
pub mod error;
pub mod evaluate;
pub mod examples;
mod kinds;
pub mod lr_finder;
pub mod metrics;
pub mod optim;
pub mod plan;
pub mod report;
pub mod run;

pub use error::TrainError;
