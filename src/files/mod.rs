//! Files on the disk: opened to be read ([`regular_file`]), written whole or not at all ([`atomic_file`]), locked
//! ([`lock`]), and kept within a folder that may come from someone else ([`inside`]). It knows nothing of what is in them.

pub mod atomic_file;
pub mod inside;
pub mod lock;
pub mod names;
pub mod private_dir;
pub mod regular_file;
