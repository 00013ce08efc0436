//! Files on the disk: opened to be read ([`regular_file`]), written whole or not at all ([`atomic_file`]), locked
//! ([`lock`]), kept within a folder that may come from someone else ([`inside`]), named as every platform allows
//! ([`names`]); and the boundary to libraries that panic on what files hold ([`guard`]). It knows nothing of what is in
//! them.

pub mod atomic_file;
pub mod guard;
pub mod inside;
pub mod lock;
pub mod names;
pub mod private_dir;
pub mod regular_file;
