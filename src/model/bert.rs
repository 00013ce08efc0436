//! BERT (Devlin et al. 2019), and with it `MiniLM`, E5, BGE, GTE and others that kept its architecture.

use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::batch::TokenBatch;
use super::encoder::{Blueprint, Encoder, Family, Shape, check_sizes};
use super::error::ModelError;
use super::layers::{Activation, Dropout, LayerNorm, PostNormLayer, PostNormNames, dropout};
use super::params::Params;
use super::summary::{Group, TensorInfo};

/// The registration.
pub const FAMILY: Family = Family {
    model_type: "bert",
    prefix: "bert.",
    prefix_on_export: false,
    architecture: "BertModel",
    words: "embeddings.word_embeddings.weight",
    read,
};

const NAMES: PostNormNames = PostNormNames {
    qkv: ["attention.self.query", "attention.self.key", "attention.self.value"],
    out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    output_norm: "output.LayerNorm",
};

/// The part of config.json that the encoder depends on.
#[derive(Clone, Debug, Deserialize)]
struct Config {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "tenth")]
    hidden_dropout_prob: f64,
    #[serde(default = "tenth")]
    attention_probs_dropout_prob: f64,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "small")]
    layer_norm_eps: f64,
    position_embedding_type: Option<String>,
}

fn gelu() -> String {
    "gelu".into()
}
const fn tenth() -> f64 {
    0.1
}
const fn two() -> usize {
    2
}
const fn small() -> f64 {
    1e-12
}

fn read(config: &Value) -> Result<Blueprint, String> {
    let config: Config = serde_json::from_value(config.clone()).map_err(|error| error.to_string())?;
    if let Some(kind) = config.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
        return Err(format!("position_embedding_type \"{kind}\" is not supported, only \"absolute\""));
    }
    let activation = Activation::from_name(&config.hidden_act)
        .ok_or_else(|| format!("hidden_act \"{}\" is not supported", config.hidden_act))?;
    let shape = Shape {
        layers: config.num_hidden_layers,
        hidden: config.hidden_size,
        attention_heads: config.num_attention_heads,
        vocab_size: config.vocab_size,
        max_positions: config.max_position_embeddings,
        dropout: Dropout {
            hidden: config.hidden_dropout_prob,
            attention: config.attention_probs_dropout_prob,
        },
    };
    check_sizes(&shape, config.intermediate_size)?;
    let (tensors, optional) = tensors(&config);
    let build = move |params: &Params| -> Result<Box<dyn Encoder>, ModelError> {
        let layer = |i| {
            let prefix = format!("encoder.layer.{i}");
            PostNormLayer::new(
                params,
                &prefix,
                &NAMES,
                shape.attention_heads,
                config.layer_norm_eps,
                activation,
            )
        };
        Ok(Box::new(Bert {
            words: params.get("embeddings.word_embeddings.weight")?,
            positions: params.get("embeddings.position_embeddings.weight")?,
            types: params.get("embeddings.token_type_embeddings.weight")?,
            norm: LayerNorm::new(params, "embeddings.LayerNorm", config.layer_norm_eps)?,
            layers: (0..shape.layers).map(layer).collect::<Result<_, _>>()?,
        }))
    };
    let together = (0..shape.layers).flat_map(|i| NAMES.together(&format!("encoder.layer.{i}"))).collect();
    Ok(Blueprint { shape, tensors, optional, together, build: Box::new(build) })
}

fn tensors(config: &Config) -> (Vec<TensorInfo>, Vec<TensorInfo>) {
    let (hidden, inner) = (config.hidden_size as i64, config.intermediate_size as i64);
    let info = |name: String, shape: Vec<i64>, group| TensorInfo { name, shape, group };
    let embedding = |name: &str, rows: usize| {
        info(format!("embeddings.{name}.weight"), vec![rows as i64, hidden], Group::Embeddings)
    };
    let mut tensors = vec![
        embedding("word_embeddings", config.vocab_size),
        embedding("position_embeddings", config.max_position_embeddings),
        embedding("token_type_embeddings", config.type_vocab_size),
        info("embeddings.LayerNorm.weight".into(), vec![hidden], Group::Embeddings),
        info("embeddings.LayerNorm.bias".into(), vec![hidden], Group::Embeddings),
    ];
    for i in 0..config.num_hidden_layers {
        tensors.extend(NAMES.tensors(&format!("encoder.layer.{i}"), hidden, inner, Group::Layer(i)));
    }
    let pooler = vec![
        info("pooler.dense.weight".into(), vec![hidden, hidden], Group::Unused),
        info("pooler.dense.bias".into(), vec![hidden], Group::Unused),
    ];
    (tensors, pooler)
}

struct Bert {
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    norm: LayerNorm,
    layers: Vec<PostNormLayer>,
}

impl Encoder for Bert {
    fn embed(&self, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        let positions = learned_positions(&self.positions, batch)?;
        let words = Tensor::f_embedding(&self.words, &batch.ids, -1, false, false)?;
        // Sentences are single, so every token is of type 0.
        let sum = words.f_add(&self.types.f_select(0, 0)?)?.f_add(&positions)?;
        dropout(self.norm.forward(&sum)?, p.hidden)
    }

    fn layer(
        &self,
        index: usize,
        hidden: &Tensor,
        batch: &TokenBatch,
        p: Dropout,
    ) -> Result<Tensor, ModelError> {
        let layer = self.layers.get(index).ok_or_else(|| ModelError::Unfit(format!("no layer {index}")))?;
        layer.forward(hidden, batch, p)
    }
}

/// Position embeddings of every place, `[seq, hidden]`, or `[tokens, hidden]` of a packed batch.
pub(super) fn learned_positions(table: &Tensor, batch: &TokenBatch) -> Result<Tensor, ModelError> {
    let rows = table.size().first().map_or(0, |d| *d as usize);
    if batch.longest > rows {
        return Err(ModelError::TooLong { tokens: batch.longest, positions: rows });
    }
    // Gathered rather than sliced, so that in the backward pass only these rows are touched.
    let places = batch.places()?;
    Ok(Tensor::f_embedding(table, &places, -1, false, false)?)
}
