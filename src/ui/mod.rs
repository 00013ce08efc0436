//! The window.

pub mod explain;
pub mod panels;
pub mod widgets;
