//! A run at work: the loop ([`fit`]), its steps, and everything that changes from one to the next.

pub mod checkpoint;
pub(in crate::train) mod class_weights;
pub mod dispatch;
pub mod ema;
pub mod fit;
pub mod fit_event;
pub(in crate::train) mod grad_cache;
mod kept_weights;
pub mod loss;
pub mod metric_queue;
mod phase_cache;
pub mod progress;
pub mod running_figures;
pub mod sampler;
pub(in crate::train) mod state;
pub mod step;
