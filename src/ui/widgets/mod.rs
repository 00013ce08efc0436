//! Widgets.
pub mod curves;
pub mod stack;
