//! BERT (Devlin et al. 2019), and with it `MiniLM`, E5, BGE, GTE and others that kept its architecture. Relatives that
//! differ in a detail (`RoBERTa`, ELECTRA) are read here as a [`Dialect`].

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::config;
use super::config::{Common, default};
use super::{Blueprint, Encoder, Family, in_order};
use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;
use crate::model::layers::positions::{Absolute, learned};
use crate::model::layers::post_norm::{PostNormLayer, PostNormNames, hidden_dropout};
use crate::model::layers::{Dropout, LayerNorm, Linear, dropout};
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "bert",
    title: "BERT",
    prefix: "bert.",
    prefix_on_export: false,
    architecture: "BertModel",
    token_classifier: true,
    words: "embeddings.word_embeddings.weight",
    read: |config| read_as(config, Dialect { counts_from_padding: false, projection: None }),
};

/// The names of a layer's parts.
pub(in crate::model) const NAMES: PostNormNames = PostNormNames {
    qkv: ["attention.self.query", "attention.self.key", "attention.self.value"],
    out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    output_norm: "output.LayerNorm",
    attention_dropout: hidden_dropout,
    output_dropout: hidden_dropout,
};

/// In what a relative of BERT differs from it.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Dialect {
    /// Whether the first token is at the row of the position table that follows the padding token's id.
    pub(in crate::model) counts_from_padding: bool,
    /// The linear layer that leads from embeddings of a size of their own to the states.
    pub(in crate::model) projection: Option<&'static str>,
}

/// The part of config.json that the encoder depends on.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    common: Common,
    embedding_size: Option<usize>,
    #[serde(default = "default::two")]
    type_vocab_size: usize,
    #[serde(default = "default::eps", deserialize_with = "crate::model::encoder::config::epsilon")]
    layer_norm_eps: f64,
    pad_token_id: Option<usize>,
    position_embedding_type: Option<String>,
}

impl Config {
    /// Size of the embeddings, and whether a projection leads from there to the states.
    fn embedding(&self, dialect: Dialect) -> (usize, Option<&'static str>) {
        let size = self.embedding_size.unwrap_or(self.common.hidden_size);
        match dialect.projection {
            Some(name) if size != self.common.hidden_size => (size, Some(name)),
            _ => (self.common.hidden_size, None),
        }
    }
}

/// Reads the config.json of BERT or of a relative.
pub(in crate::model) fn read_as(config: &Value, dialect: Dialect) -> Result<Blueprint, String> {
    let config: Config = config::parse(config)?;
    config::only_absolute_positions(config.position_embedding_type.as_deref())?;
    let activation = config.common.activation()?;
    let first =
        if dialect.counts_from_padding { config.pad_token_id.unwrap_or(1).saturating_add(1) } else { 0 };
    let (embedding, projection) = config.embedding(dialect);
    let shape = config.common.shape(first)?;
    config::check_size("the size of the embeddings", embedding)?;
    config::check_size("type_vocab_size", config.type_vocab_size)?;
    let tensors = tensors(&config, embedding, projection);
    let optional = pooler(config.common.hidden_size as i64);
    let build = move |params: &Params| -> Result<Box<dyn Encoder>, ModelError> {
        let (heads, eps) = (shape.attention_heads, config.layer_norm_eps);
        let layer = |i| PostNormLayer::new(params, &layer_name(i), &NAMES, heads, eps, activation);
        Ok(Box::new(Bert {
            words: params.get("embeddings.word_embeddings.weight")?,
            positions: params.get("embeddings.position_embeddings.weight")?,
            first,
            types: params.get("embeddings.token_type_embeddings.weight")?,
            norm: LayerNorm::new(params, "embeddings.LayerNorm", eps)?,
            projection: projection.map(|name| Linear::new(params, name)).transpose()?,
            layers: (0..shape.layers).map(layer).collect::<Result<_, _>>()?,
        }))
    };
    let together = (0..shape.layers).flat_map(|i| NAMES.together(&layer_name(i))).collect();
    Ok(Blueprint { shape, tensors, optional, together, notes: Vec::new(), build: Box::new(build) })
}

fn layer_name(index: usize) -> String {
    format!("encoder.layer.{index}")
}

fn tensors(config: &Config, embedding: usize, projection: Option<&str>) -> Vec<TensorInfo> {
    let (size, hidden, inner) =
        (embedding as i64, config.common.hidden_size as i64, config.common.intermediate_size as i64);
    let info = |name: String, shape: Vec<i64>| TensorInfo { name, shape, group: Group::Embeddings };
    let table = |name: &str, rows: usize| info(format!("embeddings.{name}.weight"), vec![rows as i64, size]);
    let mut tensors = vec![
        table("word_embeddings", config.common.vocab_size),
        table("position_embeddings", config.common.max_position_embeddings),
        table("token_type_embeddings", config.type_vocab_size),
        info("embeddings.LayerNorm.weight".into(), vec![size]),
        info("embeddings.LayerNorm.bias".into(), vec![size]),
    ];
    if let Some(name) = projection {
        tensors.push(info(format!("{name}.weight"), vec![hidden, size]));
        tensors.push(info(format!("{name}.bias"), vec![hidden]));
    }
    for i in 0..config.common.num_hidden_layers {
        tensors.extend(NAMES.tensors(&layer_name(i), hidden, inner, Group::Layer(i)));
    }
    tensors
}

/// What many checkpoints hold beside the encoder, and no pooling of ours looks at.
pub(in crate::model) fn pooler(hidden: i64) -> Vec<TensorInfo> {
    let info =
        |part: &str, shape| TensorInfo { name: format!("pooler.dense.{part}"), shape, group: Group::Unused };
    vec![info("weight", vec![hidden, hidden]), info("bias", vec![hidden])]
}

struct Bert {
    words: Tensor,
    positions: Tensor,
    first: usize,
    types: Tensor,
    norm: LayerNorm,
    projection: Option<Linear>,
    layers: Vec<PostNormLayer>,
}

impl Encoder for Bert {
    fn embed(&self, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        let positions = learned(&self.positions, batch, self.first)?;
        let words = Tensor::f_embedding(&self.words, &batch.ids, -1, false, false)?;
        // Sentences are single, so every token is of type 0.
        let sum = words.f_add(&self.types.f_select(0, 0)?)?.f_add(&positions)?;
        let states = dropout(self.norm.forward(&sum)?, p.embeddings)?;
        match &self.projection {
            Some(projection) => projection.forward(&states),
            None => Ok(states),
        }
    }

    fn layers(
        &self,
        range: Range<usize>,
        hidden: Tensor,
        batch: &TokenBatch,
        dropout: &dyn Fn(usize) -> Dropout,
    ) -> Result<Tensor, ModelError> {
        in_order(&self.layers, range, hidden, |layer, index, hidden| {
            layer.forward(hidden, batch, dropout(index), &Absolute)
        })
    }
}
