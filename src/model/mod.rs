//! Encoder families, pooling, heads, and weights in and out. It must never know a file of data, a training
//! step or a window.
//!
//! # Adding a family
//!
//! One new file and one line in [`encoder::FAMILIES`]. The file has three parts, of which [`mpnet`] is a good model:
//!
//! 1. `FAMILY`, the registration: its `model_type` in config.json, the prefix of its tensors in checkpoints with a
//!    head, the table of token embeddings, and `read`.
//! 2. `Config`, which mirrors the fields of the Hugging Face JSON that the encoder depends on, and `read`, which
//!    refuses what is not supported in words and gives a [`encoder::Blueprint`]: the sizes, *every tensor with its
//!    name, shape and part* (embeddings, or a layer: that is what a freeze plan, the cache, adapters and the export
//!    go by), and how to build the encoder from them.
//! 3. The encoder: `embed`, then `layers` of a range, built from [`layers`] (linear layers, norms, activations),
//!    [`post_norm`] (BERT's whole layer) and [`attention`], to which a family says through
//!    [`layers::positions::Positions`] what it adds to scores. All of these take padded and packed batches alike.
//!
//! A relative of BERT that differs in names or counting is a dozen lines: see [`electra`] and [`roberta`]. Then put
//! the family's recorded outputs beside the others in `tests/fixtures/models` and its name into `tests/core/parity.rs`.

pub mod batch;
pub mod cuda;
pub mod dense;
pub mod device;
pub mod encoder;
pub mod error;
pub mod files;
pub mod heads;
pub mod layers;
pub mod lora;
pub mod memory;
#[expect(clippy::module_inception, reason = "the model is what the module is about")]
pub mod model;
pub mod parallel_encoder;
pub mod params;
pub mod pooling;
pub mod room;
pub mod summary;
pub mod vocabulary;

pub use self::model::Model;
pub use error::ModelError;
