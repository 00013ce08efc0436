//! Frostline

pub mod cli;
pub mod data;
pub mod explore;
pub mod export;
pub mod model;
pub mod project;
pub mod session;
pub mod text;
pub mod train;
#[cfg(feature = "window")]
pub mod ui;
