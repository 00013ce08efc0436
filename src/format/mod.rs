//! Values and texts as people read them. It knows nothing of what they are about.
//!
//! A text that came from a file passes one of these before it leaves the program other than as data: [`visible`] on its
//! way to a terminal, [`markdown`] into a page, [`literal`] into Python or YAML, [`shell`] into a command line, and
//! [`spreadsheet`] where a table is meant for one.

pub mod literal;
pub mod markdown;
pub mod numbers;
pub mod shell;
pub mod spreadsheet;
pub mod visible;
