//! Files on the disk: opened to be read ([`regular_file`]), and written whole or not at all ([`atomic_file`]); and the
//! boundary to libraries that panic on what is in them ([`guard`]). It knows
//! nothing of what is in them.

pub mod atomic_file;
pub mod guard;
pub mod regular_file;
