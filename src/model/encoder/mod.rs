//! What every encoder family offers, and the table of those that are built in.

pub mod albert;
pub mod bert;
pub(in crate::model) mod config;
pub mod deberta;
pub mod distilbert;
pub mod electra;
pub mod modernbert;
pub mod mpnet;
pub mod roberta;

use std::ops::Range;

use serde_json::Value;
use tch::Tensor;

use super::batch::TokenBatch;
use super::error::ModelError;
use super::layers::Dropout;
use super::params::Params;
use super::summary::TensorInfo;

/// An encoder runs by ranges of layers, so that what lies below the frost line can be computed once and kept.
pub trait Encoder: Send {
    /// Ids to the states below the first layer: `[batch, seq, hidden]`, or `[tokens, hidden]` of a packed batch.
    fn embed(&self, batch: &TokenBatch, dropout: Dropout) -> Result<Tensor, ModelError>;

    /// Layers `range` in order, the same shape in and out; `dropout` says of each layer what is dropped in it.
    fn layers(
        &self,
        range: Range<usize>,
        hidden: Tensor,
        batch: &TokenBatch,
        dropout: &dyn Fn(usize) -> Dropout,
    ) -> Result<Tensor, ModelError>;
}

/// Runs layers `range` of a list one after the other: `run` gets a layer, its index and what comes from below.
pub(super) fn in_order<L>(
    layers: &[L],
    range: Range<usize>,
    hidden: Tensor,
    run: impl Fn(&L, usize, &Tensor) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    let missing =
        || ModelError::Unfit(format!("the encoder has {} layers, no layer {}", layers.len(), range.end));
    let chosen = layers.get(range.clone()).ok_or_else(missing)?;
    range.clone().zip(chosen).try_fold(hidden, |hidden, (index, layer)| run(layer, index, &hidden))
}

/// Sizes of an encoder, whatever its family calls them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Encoder layers with weights of their own: what can be frozen or trained by itself.
    pub layers: usize,
    /// How many layers a text passes through: more than `layers` where layers share their weights.
    pub applications: usize,
    /// Size of a token state.
    pub hidden: usize,
    /// Attention heads per layer.
    pub attention_heads: usize,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Most tokens in a text.
    pub max_positions: usize,
    /// Dropout in training, as config.json says.
    pub dropout: Dropout,
}

/// Builds an encoder over parameters of the family's names.
pub type Build = Box<dyn Fn(&Params) -> Result<Box<dyn Encoder>, ModelError> + Send>;

/// A family's reading of a config.json: what the weights file must hold, and how to build the encoder from it.
pub struct Blueprint {
    /// Sizes.
    pub shape: Shape,
    /// Every tensor the encoder needs, in order from the input upward.
    pub tensors: Vec<TensorInfo>,
    /// Tensors that are kept for export when the file has them, though the embedding does not depend on them.
    pub optional: Vec<TensorInfo>,
    /// Tensors that are kept side by side in memory, in this order, because one product is made of them.
    pub together: Vec<[String; 3]>,
    /// What the user should know of the architecture, a sentence each.
    pub notes: Vec<String>,
    /// Builds the encoder over parameters of those names.
    pub build: Build,
}

/// A family of encoders.
pub struct Family {
    /// `model_type` in config.json.
    pub model_type: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// What its tensors' names start with in checkpoints that were saved with a head.
    pub prefix: &'static str,
    /// Whether exported tensors carry the prefix: some readers of `DistilBERT` want it.
    pub prefix_on_export: bool,
    /// `architectures` of an exported config.json.
    pub architecture: &'static str,
    /// Whether its `...ForTokenClassification` is dropout and one linear layer, as a token head here is.
    pub token_classifier: bool,
    /// The tensor of token embeddings, `[vocabulary, ...]`.
    pub words: &'static str,
    /// Reads a config.json; the error is a reason in words.
    pub read: fn(&Value) -> Result<Blueprint, String>,
}

/// Every family that is built in. To add one: a file beside `bert.rs`, and a line here.
pub const FAMILIES: &[Family] = &[
    albert::FAMILY,
    bert::FAMILY,
    roberta::CAMEMBERT,
    deberta::FAMILY,
    distilbert::FAMILY,
    electra::FAMILY,
    modernbert::FAMILY,
    mpnet::FAMILY,
    roberta::FAMILY,
    roberta::XLM_ROBERTA,
];

/// The family of a `model_type`.
#[must_use]
pub fn family(model_type: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.model_type == model_type)
}

/// The built-in model types, for messages: `bert, distilbert`.
#[must_use]
pub fn known_types() -> String {
    FAMILIES.iter().map(|family| family.model_type).collect::<Vec<_>>().join(", ")
}
