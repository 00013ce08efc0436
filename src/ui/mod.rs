//! The window.

pub mod actions;
pub mod explain;
pub mod panels;
pub mod theme;
pub mod widgets;
