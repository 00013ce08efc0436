//! Widgets.
pub mod curves;
pub mod matrix;
pub mod scatter;
pub mod stack;
