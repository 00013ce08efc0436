//! Files on the disk: opened to be read ([`regular_file`]), and written whole or not at all ([`atomic_file`]). It
//! knows nothing of what is in them.

pub mod atomic_file;
pub mod regular_file;
