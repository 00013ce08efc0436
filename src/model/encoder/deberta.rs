//! `DeBERTa` v2 and v3 (He et al. 2021): attention that is disentangled, in which content looks at content, at the
//! distance, and distance at content. The embeddings of distances are shared by all layers.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::config;
use super::config::{Common, check_size, default};
use super::{Blueprint, Encoder, Family, in_order};
use crate::model::batch::TokenBatch;
use crate::model::device::send;
use crate::model::error::ModelError;
use crate::model::layers::conv::{Conv, ConvShape};
use crate::model::layers::positions::{Absolute, Positions, Seen, corner, learned};
use crate::model::layers::post_norm::{PostNormLayer, PostNormNames, hidden_dropout};
use crate::model::layers::{Dropout, LayerNorm, Linear, dropout, dropout_shared};
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "deberta-v2",
    title: "DeBERTa v2 or v3",
    prefix: "deberta.",
    prefix_on_export: false,
    architecture: "DebertaV2Model",
    token_classifier: true,
    words: "embeddings.word_embeddings.weight",
    read,
};

const NAMES: PostNormNames = PostNormNames {
    qkv: ["attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"],
    out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    output_norm: "output.LayerNorm",
    attention_dropout: hidden_dropout,
    output_dropout: hidden_dropout,
};

/// Projections of distances, where they do not share those of content.
const POSITION_KEYS: &str = "attention.self.pos_key_proj";
const POSITION_QUERIES: &str = "attention.self.pos_query_proj";

/// The part of config.json that the encoder depends on.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    common: Common,
    embedding_size: Option<usize>,
    #[serde(default)]
    type_vocab_size: usize,
    #[serde(default = "default::small_eps", deserialize_with = "crate::model::encoder::config::epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "default::yes")]
    position_biased_input: bool,
    #[serde(default)]
    relative_attention: bool,
    #[serde(default = "default::unset")]
    max_relative_positions: i64,
    #[serde(default = "default::unset")]
    position_buckets: i64,
    #[serde(default)]
    share_att_key: bool,
    pos_att_type: Option<Attends>,
    norm_rel_ebd: Option<String>,
    #[serde(default)]
    conv_kernel_size: usize,
    conv_act: Option<String>,
    conv_groups: Option<usize>,
}

/// What attention looks at beside content: a list, or in older files a text (`c2p|p2c`).
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "pos_att_type is not a list such as [\"c2p\", \"p2c\"] or a text such as \"c2p|p2c\""
)]
enum Attends {
    List(Vec<String>),
    Text(String),
}

impl Config {
    fn attends(&self, what: &str) -> bool {
        match &self.pos_att_type {
            None => false,
            Some(Attends::List(list)) => list.iter().any(|one| one.trim() == what),
            Some(Attends::Text(text)) => text.split('|').any(|one| one.trim() == what),
        }
    }

    fn distances(&self) -> Option<DistanceShape> {
        let farthest = if self.max_relative_positions < 1 {
            self.common.max_position_embeddings as i64
        } else {
            self.max_relative_positions
        };
        let buckets = (self.position_buckets > 0).then_some(self.position_buckets);
        self.relative_attention.then_some(DistanceShape { farthest, buckets })
    }

    fn norms_distances(&self) -> bool {
        let norms = self.norm_rel_ebd.as_deref().unwrap_or("none").to_ascii_lowercase();
        norms.split('|').any(|norm| norm.trim() == "layer_norm")
    }

    fn conv(&self) -> Option<ConvShape> {
        (self.conv_kernel_size > 0).then_some(ConvShape {
            width: self.conv_kernel_size as i64,
            groups: self.conv_groups.unwrap_or(1) as i64,
        })
    }
}

fn read(config: &Value) -> Result<Blueprint, String> {
    let config: Config = config::parse(config)?;
    let activation = config.common.activation()?;
    let shape = config.common.shape(0)?;
    let embedding = config.embedding_size.unwrap_or(config.common.hidden_size);
    check_size("the size of the embeddings", embedding)?;
    if !config.relative_attention && (config.attends("c2p") || config.attends("p2c")) {
        return Err("pos_att_type asks for distances, and relative_attention is off".into());
    }
    if let Some(distances) = config.distances() {
        check_size("the number of distances", distances.span().max(0) as usize)?;
    }
    let conv_activation = match config.conv() {
        Some(conv) => {
            conv.check(config.common.hidden_size)?;
            Some((conv, config::activation("conv_act", config.conv_act.as_deref().unwrap_or("tanh"))?))
        }
        None => None,
    };
    let tensors = tensors(&config, embedding);
    let together = (0..shape.layers).flat_map(|i| NAMES.together(&layer_name(i))).collect();
    let build = move |params: &Params| -> Result<Box<dyn Encoder>, ModelError> {
        let (heads, eps) = (shape.attention_heads, config.layer_norm_eps);
        let layer = |i| {
            let own = |name: &str| {
                let name = format!("{}.{name}", layer_name(i));
                params.find(&format!("{name}.weight")).map(|_| Linear::new(params, &name)).transpose()
            };
            Ok(Layer {
                inner: PostNormLayer::new(params, &layer_name(i), &NAMES, heads, eps, activation)?,
                position_keys: own(POSITION_KEYS)?,
                position_queries: own(POSITION_QUERIES)?,
            })
        };
        let norm = |name: &str| LayerNorm::new(params, name, eps);
        let distances = config.distances().map(|shape| -> Result<_, ModelError> {
            let norm = config.norms_distances().then(|| norm("encoder.LayerNorm")).transpose()?;
            let table = params.get("encoder.rel_embeddings.weight")?;
            Ok(Distances {
                shape,
                table,
                norm,
                content_to_place: config.attends("c2p"),
                place_to_content: config.attends("p2c"),
                heads: heads as i64,
            })
        });
        let conv = conv_activation
            .map(|(shape, activation)| Conv::new(params, "encoder.conv", shape, activation, eps));
        Ok(Box::new(Deberta {
            words: params.get("embeddings.word_embeddings.weight")?,
            positions: params.find("embeddings.position_embeddings.weight"),
            types: params.find("embeddings.token_type_embeddings.weight"),
            projection: params.find("embeddings.embed_proj.weight"),
            norm: norm("embeddings.LayerNorm")?,
            distances: distances.transpose()?,
            conv: conv.transpose()?,
            layers: (0..shape.layers).map(layer).collect::<Result<_, ModelError>>()?,
        }))
    };
    Ok(Blueprint {
        shape,
        tensors,
        optional: Vec::new(),
        together,
        notes: Vec::new(),
        build: Box::new(build),
    })
}

fn layer_name(index: usize) -> String {
    format!("encoder.layer.{index}")
}

/// Embeddings of distances count as embeddings: no layer owns them, and they say where tokens are.
fn tensors(config: &Config, embedding: usize) -> Vec<TensorInfo> {
    let (size, hidden, inner) =
        (embedding as i64, config.common.hidden_size as i64, config.common.intermediate_size as i64);
    let info =
        |name: &str, shape: Vec<i64>| TensorInfo { name: name.into(), shape, group: Group::Embeddings };
    let norm = |name: &str| ["weight", "bias"].map(|part| info(&format!("{name}.{part}"), vec![hidden]));
    let mut tensors =
        vec![info("embeddings.word_embeddings.weight", vec![config.common.vocab_size as i64, size])];
    if config.position_biased_input {
        let rows = config.common.max_position_embeddings as i64;
        tensors.push(info("embeddings.position_embeddings.weight", vec![rows, size]));
    }
    if config.type_vocab_size > 0 {
        let rows = config.type_vocab_size as i64;
        tensors.push(info("embeddings.token_type_embeddings.weight", vec![rows, size]));
    }
    if size != hidden {
        tensors.push(info("embeddings.embed_proj.weight", vec![hidden, size]));
    }
    tensors.extend(norm("embeddings.LayerNorm"));
    if let Some(distances) = config.distances() {
        tensors.push(info("encoder.rel_embeddings.weight", vec![2 * distances.span(), hidden]));
        if config.norms_distances() {
            tensors.extend(norm("encoder.LayerNorm"));
        }
    }
    for i in 0..config.common.num_hidden_layers {
        let (name, group) = (layer_name(i), Group::Layer(i));
        tensors.extend(NAMES.tensors(&name, hidden, inner, group));
        let own = [("c2p", POSITION_KEYS), ("p2c", POSITION_QUERIES)];
        let apart = config.relative_attention && !config.share_att_key;
        for (_, linear) in own.into_iter().filter(|(what, _)| apart && config.attends(what)) {
            let tensor =
                |part: &str, shape| TensorInfo { name: format!("{name}.{linear}.{part}"), shape, group };
            tensors.extend([tensor("weight", vec![hidden, hidden]), tensor("bias", vec![hidden])]);
        }
        if let (0, Some(conv)) = (i, config.conv()) {
            tensors.extend(conv.tensors("encoder.conv", hidden, group));
        }
    }
    tensors
}

struct Deberta {
    words: Tensor,
    positions: Option<Tensor>,
    types: Option<Tensor>,
    projection: Option<Tensor>,
    norm: LayerNorm,
    distances: Option<Distances>,
    conv: Option<Conv>,
    layers: Vec<Layer>,
}

struct Layer {
    inner: PostNormLayer,
    position_keys: Option<Linear>,
    position_queries: Option<Linear>,
}

impl Encoder for Deberta {
    fn embed(&self, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        let mut states = Tensor::f_embedding(&self.words, &batch.ids, -1, false, false)?;
        if let Some(positions) = &self.positions {
            states = states.f_add(&learned(positions, batch, 0)?)?;
        }
        if let Some(types) = &self.types {
            // Sentences are single, so every token is of type 0.
            states = states.f_add(&types.f_select(0, 0)?)?;
        }
        if let Some(projection) = &self.projection {
            states = states.f_linear(projection, None::<&Tensor>)?;
        }
        dropout(self.norm.forward(&states)?, p.embeddings)
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
        let met = self.distances.as_ref().map(|distances| distances.met(batch)).transpose()?;
        in_order(&self.layers, range, hidden, |layer, index, hidden| {
            let p = dropout(index);
            let states = match (&self.distances, &met) {
                (Some(distances), Some(met)) => {
                    layer.inner.forward(hidden, batch, p, &distances.seen_by(layer, met, p)?)?
                }
                _ => layer.inner.forward(hidden, batch, p, &Absolute)?,
            };
            match &self.conv {
                Some(conv) if index == 0 => conv.forward(hidden, &states, batch, p),
                _ => Ok(states),
            }
        })
    }
}

/// How many distances are told apart.
#[derive(Clone, Copy, Debug)]
struct DistanceShape {
    /// Distances beyond this one are all alike.
    farthest: i64,
    /// Buckets in each direction, widening with the logarithm; `None` where every distance has its own.
    buckets: Option<i64>,
}

impl DistanceShape {
    /// Distances that are told apart in each direction.
    fn span(self) -> i64 {
        self.buckets.unwrap_or(self.farthest)
    }

    /// The row of the table for every pair of places, `[longest, longest]`: the middle of the table for a token and
    /// itself, less where the token that looks comes first. On the CPU, for the reach of it is read.
    fn rows(self, longest: i64) -> Result<Tensor, ModelError> {
        let places = Tensor::f_arange(longest, (Kind::Int64, Device::Cpu))?;
        let distance = places.f_unsqueeze(1)?.f_sub(&places.f_unsqueeze(0)?)?;
        let bucket = match self.buckets {
            Some(buckets) => self.widening(&distance, buckets / 2)?,
            None => distance,
        };
        Ok(bucket.f_add_scalar(self.span())?.f_clamp(0, 2 * self.span() - 1)?)
    }

    /// A bucket for every distance up to `exact`, and then buckets that widen with the logarithm.
    fn widening(self, distance: &Tensor, exact: i64) -> Result<Tensor, ModelError> {
        let far = distance.f_abs()?.f_clamp_min(exact)?;
        // In the order and the precision in which PyTorch computes it: a bucket ends where a float32 rounds.
        let all = Tensor::from((self.farthest - 1) as f32 / exact as f32);
        let bucket = far
            .f_to_kind(Kind::Float)?
            .f_div_scalar(exact as f64)?
            .f_log()?
            .f_div(&all.f_log()?)?
            .f_mul_scalar((exact - 1) as f64)?
            .f_ceil()?
            .f_add_scalar(exact as f64)?
            .f_to_kind(Kind::Int64)?
            .f_mul(&distance.f_sign()?)?;
        Ok(distance.f_where_self(&distance.f_abs()?.f_le(exact)?, &bucket)?)
    }
}

/// The embeddings of distances.
struct Distances {
    shape: DistanceShape,
    /// `[2 span, hidden]`.
    table: Tensor,
    norm: Option<LayerNorm>,
    content_to_place: bool,
    place_to_content: bool,
    heads: i64,
}

/// What a batch needs of the embeddings of distances, whichever layer asks.
struct Met {
    /// The embeddings of the distances that are met, `[met, hidden]`.
    embeddings: Tensor,
    /// Row of the first of them in the table.
    first: i64,
    /// For every pair of places the row in `embeddings`, `[longest, longest]`.
    rows: Tensor,
}

impl Distances {
    fn met(&self, batch: &TokenBatch) -> Result<Met, ModelError> {
        let rows = self.shape.rows(batch.longest as i64)?;
        // Rows fall and rise with the distance, so what is met is one piece of the table.
        let span = self.shape.span();
        let reach = rows.f_sub_scalar(span)?.f_abs()?.f_max()?.f_int64_value(&[])?;
        let (first, end) = ((span - reach).max(0), (span + reach + 1).min(2 * span));
        let table = self.table.f_narrow(0, first, end - first)?;
        let embeddings = match &self.norm {
            Some(norm) => norm.forward(&table)?,
            None => table,
        };
        Ok(Met { embeddings, first, rows: send(rows.f_sub_scalar(first)?, self.table.device())? })
    }

    /// The distances as keys and queries of a layer.
    fn seen_by<'a>(&self, layer: &Layer, met: &'a Met, p: Dropout) -> Result<Disentangled<'a>, ModelError> {
        let shared = layer.inner.attention().queries_and_keys();
        let embeddings = dropout_shared(met.embeddings.shallow_clone(), p.hidden, met.first)?;
        let project = |own: Option<&Linear>, shared: Option<&Linear>| -> Result<Option<Tensor>, ModelError> {
            let Some(linear) = own.or(shared) else { return Ok(None) };
            let embeddings = embeddings.f_to_kind(linear.weight().kind())?;
            let projected = linear.forward(&embeddings)?;
            let (rows, dim) = projected.size2()?;
            Ok(Some(projected.f_view([rows, self.heads, dim / self.heads])?.f_permute([1, 2, 0])?))
        };
        let keys = || project(layer.position_keys.as_ref(), shared.map(|(_, k)| k));
        let queries = || project(layer.position_queries.as_ref(), shared.map(|(q, _)| q));
        Ok(Disentangled {
            keys: if self.content_to_place { keys()? } else { None },
            queries: if self.place_to_content { queries()? } else { None },
            rows: &met.rows,
        })
    }
}

/// Distances as an attention sees them.
struct Disentangled<'a> {
    /// Distances as keys, `[heads, size, met]`.
    keys: Option<Tensor>,
    /// Distances as queries, the same.
    queries: Option<Tensor>,
    /// See [`Met::rows`].
    rows: &'a Tensor,
}

impl Positions for Disentangled<'_> {
    /// `score = (q k + q r_k + k r_q) / sqrt(parts size)` (He et al. 2021, equation 4).
    fn see(&self, q: Tensor, k: Tensor) -> Result<Seen, ModelError> {
        let (rows, heads, seq, size) = q.size4()?;
        let parts = 1.0 + [&self.keys, &self.queries].into_iter().flatten().count() as f64;
        let of_pair = corner(self.rows, seq)?;
        // What each token has to do with every distance, then that with the distance it is at.
        let at_distance = |content: &Tensor, distances: &Tensor| -> Result<Tensor, ModelError> {
            let every = content.f_matmul(distances)?;
            Ok(every.f_gather(-1, &of_pair.f_expand([rows, heads, seq, seq], false)?, false)?)
        };
        let mut bias: Option<Tensor> = None;
        if let Some(keys) = &self.keys {
            bias = Some(at_distance(&q, keys)?);
        }
        if let Some(queries) = &self.queries {
            // Row: the key. The distance is still that of the query from the key.
            let of_key = k.f_matmul(queries)?;
            let of_pair = of_pair.f_transpose(0, 1)?.f_expand([rows, heads, seq, seq], false)?;
            let looked_at = of_key.f_gather(-1, &of_pair, false)?.f_transpose(-1, -2)?;
            bias = Some(match bias {
                Some(bias) => bias.f_add(&looked_at)?,
                None => looked_at,
            });
        }
        let bias = bias.map(|bias| bias.f_mul_scalar(1.0 / (parts * size as f64).sqrt())).transpose()?;
        // The attention divides by the root of the size alone.
        let q = if parts > 1.0 { q.f_mul_scalar(1.0 / parts.sqrt())? } else { q };
        Ok(Seen { q, k, bias })
    }
}
