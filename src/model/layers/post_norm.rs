//! The encoder layer of BERT and most of its relatives, normalised after each sub-layer. Families bring the names
//! of its tensors; it knows no configuration.

use tch::Tensor;

use super::attention::SelfAttention;
use super::positions::Positions;
use super::{Activation, Dropout, LayerNorm, Linear, add_dropped};
use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// The names of a post-norm layer's parts in a family's files, and where the family drops values.
#[derive(Clone, Copy, Debug)]
pub struct PostNormNames {
    /// Queries, keys, values.
    pub qkv: [&'static str; 3],
    /// Output projection of the attention.
    pub out: &'static str,
    /// `LayerNorm` after the attention.
    pub attention_norm: &'static str,
    /// First feed-forward projection.
    pub up: &'static str,
    /// Second feed-forward projection.
    pub down: &'static str,
    /// `LayerNorm` after the feed-forward sub-layer.
    pub output_norm: &'static str,
    /// Which dropout the output of the attention gets.
    pub attention_dropout: fn(Dropout) -> f64,
    /// Which dropout the output of the feed-forward sub-layer gets.
    pub output_dropout: fn(Dropout) -> f64,
}

/// The dropout of sub-layers.
pub(in crate::model) const fn hidden_dropout(p: Dropout) -> f64 {
    p.hidden
}

/// None, whatever the settings.
pub(in crate::model) const fn no_dropout(_: Dropout) -> f64 {
    0.0
}

impl PostNormNames {
    /// The tensors that are kept side by side in memory, so that one product can be made of three: weights, biases.
    #[must_use]
    pub fn together(&self, prefix: &str) -> [[String; 3]; 2] {
        ["weight", "bias"].map(|part| self.qkv.map(|name| format!("{prefix}.{name}.{part}")))
    }

    /// Names and shapes of a layer's tensors: linear weights `[out, in]`, biases and norms `[dim]`.
    #[must_use]
    pub fn tensors(&self, prefix: &str, hidden: i64, inner: i64, group: Group) -> Vec<TensorInfo> {
        let mut tensors = Vec::with_capacity(16);
        let mut both = |name: &str, weight: Vec<i64>, bias: i64| {
            tensors.push(TensorInfo { name: format!("{prefix}.{name}.weight"), shape: weight, group });
            tensors.push(TensorInfo { name: format!("{prefix}.{name}.bias"), shape: vec![bias], group });
        };
        for name in self.qkv {
            both(name, vec![hidden, hidden], hidden);
        }
        both(self.out, vec![hidden, hidden], hidden);
        both(self.attention_norm, vec![hidden], hidden);
        both(self.up, vec![inner, hidden], inner);
        both(self.down, vec![hidden, inner], hidden);
        both(self.output_norm, vec![hidden], hidden);
        tensors
    }
}

/// Self-attention, then a feed-forward sub-layer, each added to its input and normalised (Vaswani et al. 2017;
/// the layout of BERT and `DistilBERT`).
#[derive(Debug)]
pub struct PostNormLayer {
    attention: SelfAttention,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    output_norm: LayerNorm,
    activation: Activation,
    attention_dropout: fn(Dropout) -> f64,
    output_dropout: fn(Dropout) -> f64,
}

impl PostNormLayer {
    /// The layer whose tensors start with `prefix`.
    pub fn new(
        params: &Params,
        prefix: &str,
        names: &PostNormNames,
        heads: usize,
        eps: f64,
        activation: Activation,
    ) -> Result<Self, ModelError> {
        let linear = |name: &str| Linear::new(params, &format!("{prefix}.{name}"));
        let norm = |name: &str| LayerNorm::new(params, &format!("{prefix}.{name}"), eps);
        let full = |name: &str| format!("{prefix}.{name}");
        Ok(Self {
            attention: SelfAttention::new(params, &names.qkv.map(full), &full(names.out), heads as i64)?,
            attention_norm: norm(names.attention_norm)?,
            up: linear(names.up)?,
            down: linear(names.down)?,
            output_norm: norm(names.output_norm)?,
            activation,
            attention_dropout: names.attention_dropout,
            output_dropout: names.output_dropout,
        })
    }

    /// The attention, for positions that are projected as queries and keys are.
    pub(in crate::model) fn attention(&self) -> &SelfAttention {
        &self.attention
    }

    /// `[batch, seq, dim]`, or `[tokens, dim]` of a packed batch, in and out.
    pub fn forward(
        &self,
        x: &Tensor,
        batch: &TokenBatch,
        p: Dropout,
        positions: &dyn Positions,
    ) -> Result<Tensor, ModelError> {
        // No copy but below the first layer of an encoder that was reduced to fewer bits.
        let x = &x.f_to_kind(self.up.weight().kind())?;
        let attended = self.attention.forward(x, batch, p.attention, positions)?;
        let x = self.attention_norm.forward(&add_dropped(x, &attended, (self.attention_dropout)(p))?)?;
        let inner = self.activation.forward(&self.up.forward(&x)?)?;
        let outer = self.down.forward(&inner)?;
        self.output_norm.forward(&add_dropped(&x, &outer, (self.output_dropout)(p))?)
    }
}
