//! `DistilBERT` (Sanh et al. 2019): BERT without token types and pooler, at half the layers.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::config;
use super::config::{check_sizes, default};
use super::{Blueprint, Encoder, Family, Shape, in_order};
use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;
use crate::model::layers::positions::{Absolute, learned};
use crate::model::layers::post_norm::{PostNormLayer, PostNormNames, hidden_dropout, no_dropout};
use crate::model::layers::{Dropout, LayerNorm, dropout};
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "distilbert",
    title: "DistilBERT",
    prefix: "distilbert.",
    prefix_on_export: true,
    architecture: "DistilBertModel",
    token_classifier: true,
    words: "embeddings.word_embeddings.weight",
    read,
};

const NAMES: PostNormNames = PostNormNames {
    qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    out: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    output_norm: "output_layer_norm",
    attention_dropout: no_dropout,
    output_dropout: hidden_dropout,
};

/// Fixed by the architecture; config.json does not say it.
const EPS: f64 = 1e-12;

/// The part of config.json that the encoder depends on. Sinusoidal positions are saved in the weights like
/// learned ones, so `sinusoidal_pos_embds` changes nothing here.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    vocab_size: usize,
    dim: usize,
    n_layers: usize,
    n_heads: usize,
    hidden_dim: usize,
    #[serde(default = "default::gelu")]
    activation: String,
    #[serde(default = "default::one_tenth")]
    dropout: f64,
    #[serde(default = "default::one_tenth")]
    attention_dropout: f64,
    max_position_embeddings: usize,
}

fn read(config: &Value) -> Result<Blueprint, String> {
    let config: Config = config::parse(config)?;
    let activation = config::activation("activation", &config.activation)?;
    let shape = Shape {
        layers: config.n_layers,
        applications: config.n_layers,
        hidden: config.dim,
        attention_heads: config.n_heads,
        vocab_size: config.vocab_size,
        max_positions: config.max_position_embeddings,
        dropout: Dropout::new(config.dropout, config.attention_dropout),
    };
    check_sizes(&shape, config.hidden_dim)?;
    let tensors = tensors(&config);
    let build = move |params: &Params| -> Result<Box<dyn Encoder>, ModelError> {
        let layer = |i| {
            let prefix = format!("transformer.layer.{i}");
            PostNormLayer::new(params, &prefix, &NAMES, shape.attention_heads, EPS, activation)
        };
        Ok(Box::new(DistilBert {
            words: params.get("embeddings.word_embeddings.weight")?,
            positions: params.get("embeddings.position_embeddings.weight")?,
            norm: LayerNorm::new(params, "embeddings.LayerNorm", EPS)?,
            layers: (0..shape.layers).map(layer).collect::<Result<_, _>>()?,
        }))
    };
    let together =
        (0..shape.layers).flat_map(|i| NAMES.together(&format!("transformer.layer.{i}"))).collect();
    Ok(Blueprint {
        shape,
        tensors,
        optional: Vec::new(),
        together,
        notes: Vec::new(),
        build: Box::new(build),
    })
}

fn tensors(config: &Config) -> Vec<TensorInfo> {
    let (hidden, inner) = (config.dim as i64, config.hidden_dim as i64);
    let info = |name: &str, shape| TensorInfo {
        name: format!("embeddings.{name}"),
        shape,
        group: Group::Embeddings,
    };
    let mut tensors = vec![
        info("word_embeddings.weight", vec![config.vocab_size as i64, hidden]),
        info("position_embeddings.weight", vec![config.max_position_embeddings as i64, hidden]),
        info("LayerNorm.weight", vec![hidden]),
        info("LayerNorm.bias", vec![hidden]),
    ];
    for i in 0..config.n_layers {
        tensors.extend(NAMES.tensors(&format!("transformer.layer.{i}"), hidden, inner, Group::Layer(i)));
    }
    tensors
}

struct DistilBert {
    words: Tensor,
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<PostNormLayer>,
}

impl Encoder for DistilBert {
    fn embed(&self, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        let positions = learned(&self.positions, batch, 0)?;
        let words = Tensor::f_embedding(&self.words, &batch.ids, -1, false, false)?;
        dropout(self.norm.forward(&words.f_add(&positions)?)?, p.embeddings)
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
