//! Files to data sets: reading, mapping, splitting, and the card that says what is in them.
//!
//! The road: [`read::read_table`] makes a [`table::Table`] of strings and says how it understood the file;
//! [`mapping::guess`] says which columns are text and tasks; [`assemble::assemble`] makes the
//! [`dataset::Dataset`] that training reads, every row with its split; [`card::DataCard`] says what to look at
//! before training. Plain Rust: it must never know a tensor or a window.

mod align;
pub mod assemble;
pub mod blocks;
pub mod card;
pub mod changes;
mod classes;
pub mod column;
mod conll;
pub mod coverage;
pub mod dataset;
mod decode;
mod delimited;
pub mod describe;
mod draw;
pub mod error;
mod fasttext;
pub mod fix;
pub mod folder;
mod header;
mod json;
mod json_columns;
mod json_layout;
mod json_row;
mod json_whole;
mod labels;
mod legacy;
mod letters;
mod lists;
mod literal;
pub mod mapping;
mod meter;
mod named;
mod near;
mod offsets;
pub mod overrides;
mod parquet;
mod parquet_cells;
mod parts;
mod profile;
pub mod query;
pub mod read;
mod said;
mod same;
mod scan;
mod shapes;
mod sniff;
pub mod sources;
pub mod spans;
pub mod split;
pub mod stamp;
pub mod table;
pub mod task;
mod work;
