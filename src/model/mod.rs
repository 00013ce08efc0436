//! Encoder families, pooling, heads, and weights in and out. It must never know a file of data, a training
//! step or a window.
//!
//! To add a family, write one file like [`bert`] (its `Config` mirrors the Hugging Face JSON; `read` lists the
//! tensors and says how to build the encoder from them) and add one line to [`encoder::FAMILIES`].

pub mod attention;
pub mod batch;
pub mod bert;
pub mod device;
pub mod distilbert;
pub mod encoder;
pub mod error;
pub mod folder;
pub mod heads;
pub mod layers;
pub mod lora;
mod mask;
mod modules;
mod origin;
pub mod params;
mod pickle;
pub mod pooling;
pub mod reader;
pub mod sentence;
pub mod stored;
pub mod summary;
mod torch_file;
pub mod vocabulary;
pub mod weights;

pub use error::ModelError;
pub use sentence::Model;
