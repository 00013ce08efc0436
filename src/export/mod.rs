//! Writing what leaves the app: the folder that the Python ecosystem loads, and the proof that it loads.
//!
//! [`folder`] writes it aside, [`load`] reads it back, and only what computes the same is put in its place.
//! [`card`] is its README. It must never know a project, a session or a window.

pub mod card;
mod card_inputs;
mod destination;
pub mod error;
pub mod folder;
mod layout;
pub mod load;
mod report;
mod settings_text;
mod usage;
mod verify;
mod written;

pub use card_inputs::CardInputs;
pub use destination::is_export;
pub use error::ExportError;
pub use folder::{ExportRequest, write_folder};
pub use load::load_exported;
pub use report::{ExportReport, KeptExport};
