//! What the families' readings of config.json have in common: defaults, and refusals in words. It knows no
//! family and no tensor.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Shape;
use crate::model::layers::{Activation, Dropout};

/// The fields that a family asks for; the error names the one that is missing or of another type.
pub(in crate::model) fn parse<T: DeserializeOwned>(config: &Value) -> Result<T, String> {
    T::deserialize(config).map_err(|error| error.to_string())
}

/// The fields that BERT and most of its relatives have under the same names, with the defaults of transformers.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::model) struct Common {
    pub(in crate::model) vocab_size: usize,
    pub(in crate::model) hidden_size: usize,
    pub(in crate::model) num_hidden_layers: usize,
    pub(in crate::model) num_attention_heads: usize,
    pub(in crate::model) intermediate_size: usize,
    #[serde(default = "default::gelu")]
    hidden_act: String,
    #[serde(default = "default::one_tenth")]
    hidden_dropout_prob: f64,
    #[serde(default = "default::one_tenth")]
    attention_probs_dropout_prob: f64,
    pub(in crate::model) max_position_embeddings: usize,
}

impl Common {
    /// The sizes, checked. The first token is at row `first` of the position table.
    pub(in crate::model) fn shape(&self, first: usize) -> Result<Shape, String> {
        let shape = Shape {
            layers: self.num_hidden_layers,
            applications: self.num_hidden_layers,
            hidden: self.hidden_size,
            attention_heads: self.num_attention_heads,
            vocab_size: self.vocab_size,
            max_positions: self.max_position_embeddings.saturating_sub(first),
            dropout: Dropout::new(self.hidden_dropout_prob, self.attention_probs_dropout_prob),
        };
        check_sizes(&shape, self.intermediate_size)?;
        Ok(shape)
    }

    pub(in crate::model) fn activation(&self) -> Result<Activation, String> {
        activation("hidden_act", &self.hidden_act)
    }
}

/// The activation of that name, given under `key`.
pub(in crate::model) fn activation(key: &str, name: &str) -> Result<Activation, String> {
    Activation::from_name(name).ok_or_else(|| format!("{key} \"{name}\" is not supported"))
}

/// Positions that are added to the embeddings are the only ones that BERT and its relatives are read with.
pub(in crate::model) fn only_absolute_positions(kind: Option<&str>) -> Result<(), String> {
    match kind {
        None | Some("absolute") => Ok(()),
        Some(kind) => Err(format!("position_embedding_type \"{kind}\" is not supported, only \"absolute\"")),
    }
}

/// Defaults that transformers fills in where config.json leaves a field out.
pub(in crate::model) mod default {
    pub(in crate::model) fn gelu() -> String {
        "gelu".into()
    }
    pub(in crate::model) fn gelu_new() -> String {
        "gelu_new".into()
    }
    pub(in crate::model) const fn one_tenth() -> f64 {
        0.1
    }
    pub(in crate::model) const fn one() -> usize {
        1
    }
    /// Of distances between tokens.
    pub(in crate::model) const fn buckets() -> usize {
        32
    }
    pub(in crate::model) const fn two() -> usize {
        2
    }
    /// Of `ModernBERT`: its `LayerNorm`, its layers and windows, the bases of its rotations.
    pub(in crate::model) const fn rough_eps() -> f64 {
        1e-5
    }
    pub(in crate::model) const fn every_third() -> usize {
        3
    }
    pub(in crate::model) const fn window() -> usize {
        128
    }
    pub(in crate::model) const fn global_theta() -> f64 {
        160_000.0
    }
    #[expect(clippy::unnecessary_wraps, reason = "the field is null where it is left to the global one")]
    pub(in crate::model) const fn local_theta() -> Option<f64> {
        Some(10_000.0)
    }
    pub(in crate::model) const fn yes() -> bool {
        true
    }
    /// Of the `LayerNorm` of `DeBERTa`.
    pub(in crate::model) const fn small_eps() -> f64 {
        1e-7
    }
    /// Where `DeBERTa` leaves a number to others.
    pub(in crate::model) const fn unset() -> i64 {
        -1
    }
    /// Of the `LayerNorm` of BERT.
    pub(in crate::model) const fn eps() -> f64 {
        1e-12
    }
}

/// The number that keeps a `LayerNorm` from a division by zero; below 0 its outputs are no numbers.
pub(in crate::model) fn epsilon<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let eps = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&eps) {
        Ok(eps)
    } else {
        Err(D::Error::custom(format!(
            "the epsilon of its layer norms is {eps}, expected a number from 0 to 1"
        )))
    }
}

/// Sizes that no encoder can have, refused before anything is allocated by them.
pub(in crate::model) fn check_sizes(shape: &Shape, intermediate: usize) -> Result<(), String> {
    // A list of tensors is made for every layer before the weights file is even looked at.
    const MOST_LAYERS: usize = 1024;
    if shape.layers == 0 || shape.applications > MOST_LAYERS {
        return Err(format!("the number of layers is {}", shape.applications));
    }
    let named = [
        ("the hidden size", shape.hidden),
        ("the number of attention heads", shape.attention_heads),
        ("the vocabulary size", shape.vocab_size),
        ("the number of positions", shape.max_positions),
        ("the intermediate size", intermediate),
    ];
    for (what, size) in named {
        check_size(what, size)?;
    }
    let Dropout { embeddings, hidden, attention } = shape.dropout;
    if let Some(p) = [embeddings, hidden, attention].into_iter().find(|p| !(0.0..=1.0).contains(p)) {
        return Err(format!("a dropout probability is {p}, expected a number from 0 to 1"));
    }
    if !shape.hidden.is_multiple_of(shape.attention_heads) {
        return Err(format!(
            "{} attention heads do not divide the hidden size {}",
            shape.attention_heads, shape.hidden
        ));
    }
    Ok(())
}

/// A size that a family has beside those of every encoder.
pub(in crate::model) fn check_size(what: &str, size: usize) -> Result<(), String> {
    // Beyond every published model by orders of magnitude, and small enough that no product of two overflows.
    const LARGEST: usize = 1 << 24;
    if size == 0 || size > LARGEST { Err(format!("{what} is {size}")) } else { Ok(()) }
}
