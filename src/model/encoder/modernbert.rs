//! `ModernBERT` (Warner et al. 2024): normalised before each sub-layer, positions as rotations of queries and keys,
//! attention within a window in most layers, and a gated feed-forward sub-layer; no biases.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::config;
use super::config::{check_sizes, default};
use super::{Blueprint, Encoder, Family, Shape, in_order};
use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;
use crate::model::layers::attention::SelfAttention;
use crate::model::layers::positions::{Positions, Seen, corner};
use crate::model::layers::{Activation, Dropout, LayerNorm, Linear, add_dropped, dropout};
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "modernbert",
    title: "ModernBERT",
    prefix: "model.",
    prefix_on_export: false,
    architecture: "ModernBertModel",
    token_classifier: false,
    words: "embeddings.tok_embeddings.weight",
    read,
};

/// The part of config.json that the encoder depends on.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "default::gelu")]
    hidden_activation: String,
    max_position_embeddings: usize,
    #[serde(default = "default::rough_eps", deserialize_with = "crate::model::encoder::config::epsilon")]
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    attention_dropout: f64,
    #[serde(default)]
    embedding_dropout: f64,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    mlp_dropout: f64,
    #[serde(default = "default::every_third")]
    global_attn_every_n_layers: usize,
    #[serde(default = "default::window")]
    local_attention: usize,
    #[serde(default = "default::global_theta")]
    global_rope_theta: f64,
    /// `null` where it is that of the layers that look everywhere.
    #[serde(default = "default::local_theta")]
    local_rope_theta: Option<f64>,
    /// Since transformers 5: what each layer is, and the rotations of each kind.
    layer_types: Option<Vec<String>>,
    rope_parameters: Option<Rotations>,
    rope_scaling: Option<Value>,
}

/// Rotations as transformers 5 writes them.
#[derive(Clone, Debug, Deserialize)]
struct Rotations {
    full_attention: Option<Rotation>,
    sliding_attention: Option<Rotation>,
}

#[derive(Clone, Debug, Deserialize)]
struct Rotation {
    rope_theta: f64,
    rope_type: Option<String>,
}

impl Config {
    /// Whether a layer looks at its neighbourhood only.
    fn is_local(&self, layer: usize) -> Result<bool, String> {
        let Some(types) = &self.layer_types else {
            return Ok(!layer.is_multiple_of(self.global_attn_every_n_layers.max(1)));
        };
        match types.get(layer).map(String::as_str) {
            Some("full_attention") => Ok(false),
            Some("sliding_attention") => Ok(true),
            Some(other) => Err(format!("layer_types names \"{other}\", which is not supported")),
            None => Err(format!("layer_types has {} entries, and there are more layers", types.len())),
        }
    }

    /// Base of the rotations in layers that look everywhere and in those that do not.
    fn thetas(&self) -> Result<[f64; 2], String> {
        if self.rope_scaling.as_ref().is_some_and(|scaling| !scaling.is_null()) {
            return Err("rope_scaling is not supported".into());
        }
        let plain = [self.global_rope_theta, self.local_rope_theta.unwrap_or(self.global_rope_theta)];
        let Some(rotations) = &self.rope_parameters else { return Ok(plain) };
        let mut thetas = plain;
        for (theta, rotation) in
            thetas.iter_mut().zip([&rotations.full_attention, &rotations.sliding_attention])
        {
            let Some(rotation) = rotation else { continue };
            match rotation.rope_type.as_deref() {
                None | Some("default") => *theta = rotation.rope_theta,
                Some(other) => return Err(format!("rope_type \"{other}\" is not supported")),
            }
        }
        Ok(thetas)
    }
}

fn read(config: &Value) -> Result<Blueprint, String> {
    let config: Config = config::parse(config)?;
    let activation = config::activation("hidden_activation", &config.hidden_activation)?;
    let shape = Shape {
        layers: config.num_hidden_layers,
        applications: config.num_hidden_layers,
        hidden: config.hidden_size,
        attention_heads: config.num_attention_heads,
        vocab_size: config.vocab_size,
        max_positions: config.max_position_embeddings,
        dropout: Dropout {
            embeddings: config.embedding_dropout,
            hidden: config.mlp_dropout,
            attention: config.attention_dropout,
        },
    };
    check_sizes(&shape, config.intermediate_size)?;
    if !(shape.hidden / shape.attention_heads).is_multiple_of(2) {
        return Err("the size of an attention head is odd, so its states cannot be turned in pairs".into());
    }
    let local = (0..shape.layers).map(|layer| config.is_local(layer)).collect::<Result<Vec<_>, _>>()?;
    let thetas = config.thetas()?;
    let tensors = tensors(&config);
    let build = move |params: &Params| -> Result<Box<dyn Encoder>, ModelError> {
        let norm = |name: &str| LayerNorm::new(params, name, config.norm_eps);
        let layer = |(index, local): (usize, &bool)| -> Result<_, ModelError> {
            let name = |part: &str| format!("layers.{index}.{part}");
            let heads = shape.attention_heads as i64;
            Ok(Layer {
                local: *local,
                // The embeddings are normalised already.
                attention_norm: (index > 0).then(|| norm(&name("attn_norm"))).transpose()?,
                attention: SelfAttention::of_one(params, &name("attn.Wqkv"), &name("attn.Wo"), heads)?,
                norm: norm(&name("mlp_norm"))?,
                up: Linear::new(params, &name("mlp.Wi"))?,
                down: Linear::new(params, &name("mlp.Wo"))?,
                activation,
            })
        };
        Ok(Box::new(ModernBert {
            words: params.get(FAMILY.words)?,
            norm: norm("embeddings.norm")?,
            layers: local.iter().enumerate().map(layer).collect::<Result<_, _>>()?,
            last_norm: norm("final_norm")?,
            thetas,
            window: (config.local_attention / 2) as i64,
            head_size: (shape.hidden / shape.attention_heads) as i64,
            max_positions: shape.max_positions,
        }))
    };
    Ok(Blueprint {
        shape,
        tensors,
        optional: Vec::new(),
        together: Vec::new(),
        notes: Vec::new(),
        build: Box::new(build),
    })
}

/// The last norm trains with the top layer, whose output it is.
fn tensors(config: &Config) -> Vec<TensorInfo> {
    let (hidden, inner) = (config.hidden_size as i64, config.intermediate_size as i64);
    let mut tensors = Vec::new();
    let mut add = |name: String, weight: Vec<i64>, with_bias: bool, group| {
        let bias = with_bias.then(|| TensorInfo {
            name: format!("{name}.bias"),
            shape: weight.iter().take(1).copied().collect(),
            group,
        });
        tensors.push(TensorInfo { name: format!("{name}.weight"), shape: weight, group });
        tensors.extend(bias);
    };
    add("embeddings.tok_embeddings".into(), vec![config.vocab_size as i64, hidden], false, Group::Embeddings);
    add("embeddings.norm".into(), vec![hidden], config.norm_bias, Group::Embeddings);
    for i in 0..config.num_hidden_layers {
        let (name, group) = (|part: &str| format!("layers.{i}.{part}"), Group::Layer(i));
        if i > 0 {
            add(name("attn_norm"), vec![hidden], config.norm_bias, group);
        }
        add(name("attn.Wqkv"), vec![3 * hidden, hidden], config.attention_bias, group);
        add(name("attn.Wo"), vec![hidden, hidden], config.attention_bias, group);
        add(name("mlp_norm"), vec![hidden], config.norm_bias, group);
        add(name("mlp.Wi"), vec![2 * inner, hidden], config.mlp_bias, group);
        add(name("mlp.Wo"), vec![hidden, inner], config.mlp_bias, group);
    }
    let top = Group::Layer(config.num_hidden_layers.saturating_sub(1));
    add("final_norm".into(), vec![hidden], config.norm_bias, top);
    tensors
}

struct ModernBert {
    words: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    last_norm: LayerNorm,
    /// Base of the rotations: of layers that look everywhere, of those that do not.
    thetas: [f64; 2],
    /// Tokens to each side that a local layer looks at.
    window: i64,
    head_size: i64,
    max_positions: usize,
}

struct Layer {
    local: bool,
    attention_norm: Option<LayerNorm>,
    attention: SelfAttention,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl Encoder for ModernBert {
    fn embed(&self, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        if batch.longest > self.max_positions {
            return Err(ModelError::TooLong { tokens: batch.longest, positions: self.max_positions });
        }
        let words = Tensor::f_embedding(&self.words, &batch.ids, -1, false, false)?;
        dropout(self.norm.forward(&words)?, p.embeddings)
    }

    fn layers(
        &self,
        range: Range<usize>,
        hidden: Tensor,
        batch: &TokenBatch,
        dropout: &dyn Fn(usize) -> Dropout,
    ) -> Result<Tensor, ModelError> {
        let (longest, device) = (batch.longest as i64, self.words.device());
        let [everywhere, nearby] = self.thetas;
        let everywhere = Turned::new(everywhere, self.head_size, longest, None, device)?;
        let nearby = Turned::new(nearby, self.head_size, longest, Some(self.window), device)?;
        let top = self.layers.len();
        in_order(&self.layers, range, hidden, |layer, index, hidden| {
            let positions = if layer.local { &nearby } else { &everywhere };
            let states = layer.forward(hidden, batch, dropout(index), positions)?;
            if index + 1 == top { self.last_norm.forward(&states) } else { Ok(states) }
        })
    }
}

impl Layer {
    fn forward(
        &self,
        x: &Tensor,
        batch: &TokenBatch,
        p: Dropout,
        positions: &Turned,
    ) -> Result<Tensor, ModelError> {
        // No copy but below the first layer of an encoder that was reduced to fewer bits.
        let x = &x.f_to_kind(self.up.weight().kind())?;
        let attended = match &self.attention_norm {
            Some(norm) => self.attention.forward(&norm.forward(x)?, batch, p.attention, positions)?,
            None => self.attention.forward(x, batch, p.attention, positions)?,
        };
        let x = add_dropped(x, &attended, p.attention)?;
        let both = self.up.forward(&self.norm.forward(&x)?)?.f_chunk(2, -1)?;
        let [inner, gate] = &both[..] else {
            return Err(ModelError::Unfit("a gated sub-layer is not made of two halves".into()));
        };
        let gated = dropout(self.activation.forward(inner)?.f_mul(gate)?, p.hidden)?;
        Ok(x.f_add(&self.down.forward(&gated)?)?)
    }
}

/// Positions as rotations of queries and keys (Su et al. 2021), and the window that is looked through.
struct Turned {
    /// Cosines and sines of the angle of every place, `[longest, size]`, each angle for two of the states.
    cos: Tensor,
    sin: Tensor,
    /// Added to the scores of every pair, `[longest, longest]`; `None` where every token sees every other.
    window: Option<Tensor>,
}

impl Turned {
    fn new(
        theta: f64,
        size: i64,
        longest: i64,
        window: Option<i64>,
        device: Device,
    ) -> Result<Self, ModelError> {
        let floats = (Kind::Float, device);
        let exponents = Tensor::f_arange_start_step(0, size, 2, floats)?.f_div_scalar(size as f64)?;
        let frequencies = Tensor::f_pow_scalar(theta, &exponents)?.f_reciprocal()?;
        let places = Tensor::f_arange(longest, floats)?;
        let angles = places.f_unsqueeze(1)?.f_mul(&frequencies)?;
        let angles = Tensor::f_cat(&[&angles, &angles], -1)?;
        let window = match window.filter(|window| longest > window + 1) {
            None => None,
            Some(window) => {
                let apart = places.f_unsqueeze(0)?.f_sub(&places.f_unsqueeze(1)?)?.f_abs()?;
                let beyond = apart.f_gt(window)?;
                Some(apart.f_zeros_like()?.f_masked_fill(&beyond, f64::from(f32::MIN))?)
            }
        };
        Ok(Self { cos: angles.f_cos()?, sin: angles.f_sin()?, window })
    }
}

impl Positions for Turned {
    fn see(&self, q: Tensor, k: Tensor) -> Result<Seen, ModelError> {
        let (_, _, seq, size) = q.size4()?;
        let of_rows = |table: &Tensor| -> Result<Tensor, ModelError> {
            Ok(table.f_narrow(0, 0, seq)?.f_to_kind(q.kind())?)
        };
        let (cos, sin) = (of_rows(&self.cos)?, of_rows(&self.sin)?);
        let turn = |x: &Tensor| -> Result<Tensor, ModelError> {
            let half = size / 2;
            let crossed =
                Tensor::f_cat(&[x.f_narrow(-1, half, half)?.f_neg()?, x.f_narrow(-1, 0, half)?], -1)?;
            Ok(x.f_mul(&cos)?.f_add(&crossed.f_mul(&sin)?)?)
        };
        let bias = self.window.as_ref().map(|window| corner(window, seq)).transpose()?;
        Ok(Seen { q: turn(&q)?, k: turn(&k)?, bias })
    }
}
