//! The layers that families are built from. Each knows its tensors and its formula, and no name in a file.

use tch::Tensor;

use super::batch::TokenBatch;
use super::error::ModelError;
use super::params::Params;
use super::summary::{Group, LORA_DOWN, LORA_UP, TensorInfo};

/// Dropout of a part of the encoder: its probabilities when it trains, zeros in eval mode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropout {
    /// On the outputs of sub-layers and on the embeddings.
    pub hidden: f64,
    /// On the attention probabilities.
    pub attention: f64,
}

impl Dropout {
    /// Eval mode.
    pub const OFF: Self = Self { hidden: 0.0, attention: 0.0 };
}

/// Drops values with probability `p`, or gives the same tensor back where `p` is 0.
pub(super) fn dropout(x: Tensor, p: f64) -> Result<Tensor, ModelError> {
    if p > 0.0 { Ok(x.f_dropout(p, true)?) } else { Ok(x) }
}

/// `y = x W^T + b`, and beside it a low-rank adapter where the parameters hold one.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
    adapter: Option<Adapter>,
}

/// Adds `scale * (x down^T) up^T`.
#[derive(Debug)]
struct Adapter {
    down: Tensor,
    up: Tensor,
    scale: f64,
}

impl Linear {
    /// From `NAME.weight` `[out, in]` and `NAME.bias` `[out]`.
    pub fn new(params: &Params, name: &str) -> Result<Self, ModelError> {
        let part = |part: &str| params.find(&format!("{name}.{part}"));
        let adapter = part(LORA_DOWN).zip(part(LORA_UP));
        Ok(Self {
            weight: params.get(&format!("{name}.weight"))?,
            bias: params.get(&format!("{name}.bias"))?,
            adapter: adapter.map(|(down, up)| Adapter { down, up, scale: params.adapter_scale }),
        })
    }

    /// `[..., in]` to `[..., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let y = x.f_linear(&self.weight, Some(&self.bias))?;
        let Some(Adapter { down, up, scale }) = &self.adapter else { return Ok(y) };
        let added = x.f_linear(down, None::<&Tensor>)?.f_linear(up, None::<&Tensor>)?;
        Ok(y.f_add(&added.f_mul_scalar(*scale)?)?)
    }
}

/// Layer normalisation over the last dimension (Ba et al. 2016).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// From `NAME.weight` and `NAME.bias`, both `[dim]`.
    pub fn new(params: &Params, name: &str, eps: f64) -> Result<Self, ModelError> {
        let (weight, bias) = (params.get(&format!("{name}.weight"))?, params.get(&format!("{name}.bias"))?);
        Ok(Self { weight, bias, eps })
    }

    /// Same shape in and out.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, false)?)
    }
}

/// The activation inside the feed-forward sub-layer, by its name in config.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x Phi(x)`.
    Gelu,
    /// The tanh approximation, `gelu_new` or `gelu_pytorch_tanh`.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
}

impl Activation {
    /// The activation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            _ => None,
        }
    }

    /// Same shape in and out.
    pub fn forward(self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(match self {
            Self::Gelu => x.f_gelu("none")?,
            Self::GeluTanh => x.f_gelu("tanh")?,
            Self::Relu => x.f_relu()?,
        })
    }
}

/// The names of a post-norm layer's parts in a family's files.
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
}

impl PostNormNames {
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
    qkv: [Linear; 3],
    out: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    output_norm: LayerNorm,
    activation: Activation,
    heads: i64,
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
        let [q, k, v] = names.qkv;
        Ok(Self {
            qkv: [linear(q)?, linear(k)?, linear(v)?],
            out: linear(names.out)?,
            attention_norm: norm(names.attention_norm)?,
            up: linear(names.up)?,
            down: linear(names.down)?,
            output_norm: norm(names.output_norm)?,
            activation,
            heads: heads as i64,
        })
    }

    /// `[batch, seq, dim]` in and out.
    pub fn forward(&self, x: &Tensor, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        let attended = dropout(self.attend(x, batch, p.attention)?, p.hidden)?;
        let x = self.attention_norm.forward(&attended.f_add(x)?)?;
        let inner = self.activation.forward(&self.up.forward(&x)?)?;
        let outer = dropout(self.down.forward(&inner)?, p.hidden)?;
        self.output_norm.forward(&outer.f_add(&x)?)
    }

    fn attend(&self, x: &Tensor, batch: &TokenBatch, p: f64) -> Result<Tensor, ModelError> {
        let (rows, seq, dim) = x.size3()?;
        let split = |linear: &Linear| -> Result<Tensor, ModelError> {
            Ok(linear.forward(x)?.f_view([rows, seq, self.heads, dim / self.heads])?.f_transpose(1, 2)?)
        };
        let [q, k, v] = &self.qkv;
        let (q, k, v) = (split(q)?, split(k)?, split(v)?);
        let mixed =
            Tensor::f_scaled_dot_product_attention(&q, &k, &v, batch.bias.as_ref(), p, false, None, false)?;
        self.out.forward(&mixed.f_transpose(1, 2)?.f_reshape([rows, seq, dim])?)
    }
}
