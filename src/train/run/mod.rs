//! A run while it goes on: the loop, its steps, and everything that changes from one to the next.

pub mod checkpoint;
pub(in crate::train) mod class_weights;
pub mod dispatch;
pub mod ema;
pub mod fit;
pub(in crate::train) mod grad_cache;
pub mod loss;
pub mod metric_queue;
pub mod progress;
pub mod running_figures;
pub mod sampler;
pub(in crate::train) mod state;
pub mod step;
