//! Files to data sets. Plain Rust: it must never know a tensor or a window.

pub mod card;
pub mod column;
pub mod dataset;
pub mod mapping;
pub mod table;
