//! The window.

pub mod actions;
pub mod theme;
pub mod widgets;
