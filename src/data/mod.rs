//! Files to data sets: reading, mapping, splitting, and the card that says what is in them.
//!
//! The road: [`read::read_table`] makes a [`table::Table`] of strings and says how it understood the file;
//! [`mapping::guess`] says which columns are text and tasks; [`assemble::assemble`] makes the
//! [`dataset::Dataset`] that training reads, every row with its split; [`card::DataCard`] says what to look at
//! before training. Plain Rust: it must never know a tensor or a window.

pub mod assemble;
pub mod card;
pub mod column;
pub mod dataset;
mod duplicates;
pub mod edit;
pub mod error;
pub mod labels;
pub mod mapping;
pub mod query;
pub mod read;
pub mod split;
pub mod table;
pub mod task;
mod work;
