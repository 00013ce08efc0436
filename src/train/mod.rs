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

pub mod average;
pub mod backlog;
pub mod cache;
pub mod checkpoint;
mod class_weights;
mod course;
pub mod diagnosis;
pub mod drive;
pub mod error;
pub mod evaluate;
pub mod finder;
pub mod fit;
mod grad_cache;
pub mod loss;
pub mod metrics;
pub mod optim;
pub mod phase;
pub mod phase_edits;
pub mod phases;
pub mod place;
pub mod plan;
pub mod preset;
pub mod recipe;
pub mod report;
mod room;
pub mod rows;
pub mod running;
pub mod sampler;
pub mod schedule;
pub mod settings;
mod states;
pub mod step;
mod task_loss;
pub mod timeline;
pub mod watch;

pub use error::TrainError;
