//! `MPNet` (Song et al. 2020): BERT without token types, and with a bias on the attention for how far apart two tokens
//! are, which all layers share.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::bert::pooler;
use super::config;
use super::config::{Common, check_size, default};
use super::{Blueprint, Encoder, Family, in_order};
use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;
use crate::model::layers::positions::{Positions, Seen, corner, learned};
use crate::model::layers::post_norm::{PostNormLayer, PostNormNames, hidden_dropout};
use crate::model::layers::{Dropout, LayerNorm, dropout};
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "mpnet",
    title: "MPNet",
    prefix: "mpnet.",
    prefix_on_export: false,
    architecture: "MPNetModel",
    token_classifier: true,
    words: "embeddings.word_embeddings.weight",
    read,
};

const NAMES: PostNormNames = PostNormNames {
    qkv: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    out: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    output_norm: "output.LayerNorm",
    attention_dropout: hidden_dropout,
    output_dropout: hidden_dropout,
};

/// Fixed by the architecture; config.json does not say it. The padding token is 1 and positions follow it.
const FIRST_POSITION: usize = 2;
/// Fixed by the architecture: tokens further apart than this are all alike.
const FARTHEST: f64 = 128.0;
/// The table of biases, `[buckets, heads]`.
const BIASES: &str = "encoder.relative_attention_bias.weight";

/// The part of config.json that the encoder depends on.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    common: Common,
    #[serde(default = "default::eps", deserialize_with = "crate::model::encoder::config::epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "default::buckets")]
    relative_attention_num_buckets: usize,
}

fn read(config: &Value) -> Result<Blueprint, String> {
    let config: Config = config::parse(config)?;
    let activation = config.common.activation()?;
    let shape = config.common.shape(FIRST_POSITION)?;
    // Half of the buckets are for each direction, and half of these for single distances.
    check_size("relative_attention_num_buckets", config.relative_attention_num_buckets / 4)?;
    let tensors = tensors(&config);
    let optional = pooler(config.common.hidden_size as i64);
    let build = move |params: &Params| -> Result<Box<dyn Encoder>, ModelError> {
        let (heads, eps) = (shape.attention_heads, config.layer_norm_eps);
        let layer = |i| PostNormLayer::new(params, &layer_name(i), &NAMES, heads, eps, activation);
        Ok(Box::new(MpNet {
            words: params.get("embeddings.word_embeddings.weight")?,
            positions: params.get("embeddings.position_embeddings.weight")?,
            norm: LayerNorm::new(params, "embeddings.LayerNorm", eps)?,
            biases: params.get(BIASES)?,
            layers: (0..shape.layers).map(layer).collect::<Result<_, _>>()?,
        }))
    };
    let together = (0..shape.layers).flat_map(|i| NAMES.together(&layer_name(i))).collect();
    Ok(Blueprint { shape, tensors, optional, together, notes: Vec::new(), build: Box::new(build) })
}

fn layer_name(index: usize) -> String {
    format!("encoder.layer.{index}")
}

/// The biases count as embeddings: no layer owns them, and they say where tokens are.
fn tensors(config: &Config) -> Vec<TensorInfo> {
    let (hidden, inner) = (config.common.hidden_size as i64, config.common.intermediate_size as i64);
    let info = |name: &str, shape| TensorInfo { name: name.into(), shape, group: Group::Embeddings };
    let mut tensors = vec![
        info("embeddings.word_embeddings.weight", vec![config.common.vocab_size as i64, hidden]),
        info(
            "embeddings.position_embeddings.weight",
            vec![config.common.max_position_embeddings as i64, hidden],
        ),
        info("embeddings.LayerNorm.weight", vec![hidden]),
        info("embeddings.LayerNorm.bias", vec![hidden]),
        info(
            BIASES,
            vec![config.relative_attention_num_buckets as i64, config.common.num_attention_heads as i64],
        ),
    ];
    for i in 0..config.common.num_hidden_layers {
        tensors.extend(NAMES.tensors(&layer_name(i), hidden, inner, Group::Layer(i)));
    }
    tensors
}

struct MpNet {
    words: Tensor,
    positions: Tensor,
    norm: LayerNorm,
    biases: Tensor,
    layers: Vec<PostNormLayer>,
}

impl Encoder for MpNet {
    fn embed(&self, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        let positions = learned(&self.positions, batch, FIRST_POSITION)?;
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
        if range.is_empty() {
            return Ok(hidden);
        }
        let distances = Distances::new(&self.biases, batch.longest as i64)?;
        in_order(&self.layers, range, hidden, |layer, index, hidden| {
            layer.forward(hidden, batch, dropout(index), &distances)
        })
    }
}

/// The bias of every head for every pair of places, `[1, heads, longest, longest]`.
struct Distances(Tensor);

impl Distances {
    fn new(biases: &Tensor, longest: i64) -> Result<Self, ModelError> {
        let buckets = biases.size().first().copied().unwrap_or(0);
        let pairs =
            Tensor::f_embedding(biases, &bucket_of(longest, buckets, biases.device())?, -1, false, false)?;
        Ok(Self(pairs.f_permute([2, 0, 1])?.f_unsqueeze(0)?))
    }
}

impl Positions for Distances {
    fn see(&self, q: Tensor, k: Tensor) -> Result<Seen, ModelError> {
        let (_, _, seq, _) = q.size4()?;
        Ok(Seen { q, k, bias: Some(corner(&self.0, seq)?) })
    }
}

/// The bucket of the distance from every place to every other, `[longest, longest]` (Raffel et al. 2020, section
/// 2.1): half of the buckets for what stands before, half for what follows; in each, one for every small distance,
/// and for larger ones buckets that widen with the logarithm.
fn bucket_of(longest: i64, buckets: i64, device: Device) -> Result<Tensor, ModelError> {
    let half = buckets / 2;
    let exact = half / 2;
    let places = Tensor::f_arange(longest, (Kind::Int64, device))?;
    // Row: the token that looks; column: the one that is looked at.
    let ahead = places.f_unsqueeze(0)?.f_sub(&places.f_unsqueeze(1)?)?;
    let distance = ahead.f_abs()?;
    let widening = distance
        .f_to_kind(Kind::Float)?
        .f_div_scalar(exact as f64)?
        .f_log()?
        .f_div_scalar((FARTHEST / exact as f64).ln())?
        .f_mul_scalar((half - exact) as f64)?
        .f_to_kind(Kind::Int64)?
        .f_add_scalar(exact)?
        .f_clamp_max(half - 1)?;
    let bucket = distance.f_where_self(&distance.f_lt(exact)?, &widening)?;
    Ok(bucket.f_add(&ahead.f_gt(0)?.f_to_kind(Kind::Int64)?.f_mul_scalar(half)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_distances_have_buckets_of_their_own_and_far_ones_share() {
        let buckets = Vec::<Vec<i64>>::try_from(bucket_of(400, 32, Device::Cpu).unwrap()).unwrap();
        assert_eq!(buckets[10][..12], [8, 8, 8, 7, 6, 5, 4, 3, 2, 1, 0, 17].map(|b: i64| b));
        assert_eq!(buckets[0][7], 16 + 7);
        assert_eq!(buckets[399][0], 15, "128 and farther are alike");
        assert_eq!(buckets[0][399], 16 + 15);
        assert_eq!(buckets[0][200], buckets[0][399]);
    }
}
