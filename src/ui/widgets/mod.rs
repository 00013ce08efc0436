//! Widgets.
pub mod curves;
pub mod matrix;
pub mod stack;
