//! ALBERT (Lan et al. 2020): layers that share their weights, and embeddings of a size of their own.
//!
//! What can be frozen or trained is a set of weights, so the layers of an ALBERT are counted by these: the published
//! ones have a single layer, which a text passes twelve times and more.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::config;
use super::config::{check_size, check_sizes, default};
use super::{Blueprint, Encoder, Family, Shape, in_order};
use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;
use crate::model::layers::positions::{Absolute, learned};
use crate::model::layers::post_norm::{PostNormLayer, PostNormNames, hidden_dropout, no_dropout};
use crate::model::layers::{Dropout, LayerNorm, Linear, dropout};
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "albert",
    title: "ALBERT",
    prefix: "albert.",
    prefix_on_export: false,
    architecture: "AlbertModel",
    token_classifier: true,
    words: "embeddings.word_embeddings.weight",
    read,
};

const NAMES: PostNormNames = PostNormNames {
    qkv: ["attention.query", "attention.key", "attention.value"],
    out: "attention.dense",
    attention_norm: "attention.LayerNorm",
    up: "ffn",
    down: "ffn_output",
    output_norm: "full_layer_layer_norm",
    attention_dropout: hidden_dropout,
    output_dropout: no_dropout,
};

const PROJECTION: &str = "encoder.embedding_hidden_mapping_in";

/// The part of config.json that the encoder depends on.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    vocab_size: usize,
    embedding_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    #[serde(default = "default::one")]
    num_hidden_groups: usize,
    #[serde(default = "default::one")]
    inner_group_num: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "default::gelu_new")]
    hidden_act: String,
    #[serde(default)]
    hidden_dropout_prob: f64,
    #[serde(default)]
    attention_probs_dropout_prob: f64,
    max_position_embeddings: usize,
    #[serde(default = "default::two")]
    type_vocab_size: usize,
    #[serde(default = "default::eps", deserialize_with = "crate::model::encoder::config::epsilon")]
    layer_norm_eps: f64,
    position_embedding_type: Option<String>,
}

impl Config {
    /// How often the weights of group `group` are passed in a row.
    fn times(&self, group: usize) -> usize {
        let group_of = |layer: usize| layer * self.num_hidden_groups / self.num_hidden_layers;
        (0..self.num_hidden_layers).filter(|layer| group_of(*layer) == group).count()
    }

    /// What the user should know of sharing.
    fn note(&self) -> String {
        let (layers, groups) = (self.num_hidden_layers, self.num_hidden_groups);
        let what = if groups == 1 { "one layer".to_owned() } else { format!("{groups} layers") };
        format!(
            "A text passes {layers} layers, but they share the weights of {what}: what is frozen or trained is \
             frozen or trained in all of its passes."
        )
    }
}

fn read(config: &Value) -> Result<Blueprint, String> {
    let config: Config = config::parse(config)?;
    config::only_absolute_positions(config.position_embedding_type.as_deref())?;
    let activation = config::activation("hidden_act", &config.hidden_act)?;
    let shape = Shape {
        layers: config.num_hidden_groups,
        applications: config.num_hidden_layers.saturating_mul(config.inner_group_num),
        hidden: config.hidden_size,
        attention_heads: config.num_attention_heads,
        vocab_size: config.vocab_size,
        max_positions: config.max_position_embeddings,
        dropout: Dropout::new(config.hidden_dropout_prob, config.attention_probs_dropout_prob),
    };
    check_sizes(&shape, config.intermediate_size)?;
    check_size("the size of the embeddings", config.embedding_size)?;
    check_size("type_vocab_size", config.type_vocab_size)?;
    check_size("inner_group_num", config.inner_group_num)?;
    if config.num_hidden_groups > config.num_hidden_layers {
        return Err(format!(
            "num_hidden_groups is {}, more than the {} layers",
            config.num_hidden_groups, config.num_hidden_layers
        ));
    }
    let tensors = tensors(&config);
    let optional = ["weight", "bias"].map(|part| {
        let hidden = config.hidden_size as i64;
        let shape = if part == "weight" { vec![hidden, hidden] } else { vec![hidden] };
        TensorInfo { name: format!("pooler.{part}"), shape, group: Group::Unused }
    });
    let names = |group| (0..config.inner_group_num).map(move |inner| layer_name(group, inner));
    let together = (0..shape.layers).flat_map(names).flat_map(|name| NAMES.together(&name)).collect();
    let notes = vec![config.note()];
    let build = move |params: &Params| -> Result<Box<dyn Encoder>, ModelError> {
        let (heads, eps) = (shape.attention_heads, config.layer_norm_eps);
        let group = |group| {
            let names = (0..config.inner_group_num).map(|inner| layer_name(group, inner));
            let layer = |name: String| PostNormLayer::new(params, &name, &NAMES, heads, eps, activation);
            let layers = names.map(layer).collect::<Result<_, ModelError>>()?;
            Ok(SharedLayers { layers, times: config.times(group) })
        };
        Ok(Box::new(Albert {
            words: params.get("embeddings.word_embeddings.weight")?,
            positions: params.get("embeddings.position_embeddings.weight")?,
            types: params.get("embeddings.token_type_embeddings.weight")?,
            norm: LayerNorm::new(params, "embeddings.LayerNorm", eps)?,
            projection: Linear::new(params, PROJECTION)?,
            groups: (0..shape.layers).map(group).collect::<Result<_, ModelError>>()?,
        }))
    };
    Ok(Blueprint { shape, tensors, optional: optional.into(), together, notes, build: Box::new(build) })
}

fn layer_name(group: usize, inner: usize) -> String {
    format!("encoder.albert_layer_groups.{group}.albert_layers.{inner}")
}

fn tensors(config: &Config) -> Vec<TensorInfo> {
    let (size, hidden, inner) =
        (config.embedding_size as i64, config.hidden_size as i64, config.intermediate_size as i64);
    let info =
        |name: &str, shape: Vec<i64>| TensorInfo { name: name.into(), shape, group: Group::Embeddings };
    let mut tensors = vec![
        info("embeddings.word_embeddings.weight", vec![config.vocab_size as i64, size]),
        info("embeddings.position_embeddings.weight", vec![config.max_position_embeddings as i64, size]),
        info("embeddings.token_type_embeddings.weight", vec![config.type_vocab_size as i64, size]),
        info("embeddings.LayerNorm.weight", vec![size]),
        info("embeddings.LayerNorm.bias", vec![size]),
        info(&format!("{PROJECTION}.weight"), vec![hidden, size]),
        info(&format!("{PROJECTION}.bias"), vec![hidden]),
    ];
    for group in 0..config.num_hidden_groups {
        for at in 0..config.inner_group_num {
            tensors.extend(NAMES.tensors(&layer_name(group, at), hidden, inner, Group::Layer(group)));
        }
    }
    tensors
}

struct Albert {
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    norm: LayerNorm,
    projection: Linear,
    groups: Vec<SharedLayers>,
}

/// Layers that are passed one after the other, and then again.
struct SharedLayers {
    layers: Vec<PostNormLayer>,
    times: usize,
}

impl Encoder for Albert {
    fn embed(&self, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        let positions = learned(&self.positions, batch, 0)?;
        let words = Tensor::f_embedding(&self.words, &batch.ids, -1, false, false)?;
        // Sentences are single, so every token is of type 0.
        let sum = words.f_add(&self.types.f_select(0, 0)?)?.f_add(&positions)?;
        self.projection.forward(&dropout(self.norm.forward(&sum)?, p.embeddings)?)
    }

    fn layers(
        &self,
        range: Range<usize>,
        hidden: Tensor,
        batch: &TokenBatch,
        dropout: &dyn Fn(usize) -> Dropout,
    ) -> Result<Tensor, ModelError> {
        in_order(&self.groups, range, hidden, |group, index, hidden| {
            let passes = (0..group.times).flat_map(|_| &group.layers);
            passes.into_iter().try_fold(hidden.shallow_clone(), |hidden, layer| {
                layer.forward(&hidden, batch, dropout(index), &Absolute)
            })
        })
    }
}
