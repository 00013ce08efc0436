//! The layers that families are built from. Each knows its tensors and its formula, and no name in a file.

use tch::{Kind, Tensor};

use super::attention::SelfAttention;
use super::batch::TokenBatch;
use super::error::ModelError;
use super::mask::add_dropped;
pub(super) use super::mask::dropout;
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

/// `y = x W^T + b`, and beside it a low-rank adapter where the parameters hold one.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
    adapter: Option<Adapter>,
    /// Kind of number that is multiplied; that of the weights when `None`.
    kind: Option<Kind>,
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
            kind: params.products,
        })
    }

    /// `[out, in]`.
    pub(super) fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[out]`.
    pub(super) fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Whether a low-rank adapter stands beside it.
    pub(super) fn is_adapted(&self) -> bool {
        self.adapter.is_some()
    }

    /// Whether a gradient is asked for.
    pub(super) fn trains(&self) -> bool {
        self.weight.requires_grad() || self.bias.requires_grad()
    }

    /// Kind of number that is multiplied; that of the weights when `None`.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// `[..., in]` to `[..., out]`, of the same kind of number.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(self.product(x)?.f_to_kind(x.kind())?)
    }

    /// The same, of the kind of number that is multiplied: for what goes into the next product, or is added to something
    /// more exact.
    pub fn product(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let y = linear(x, &self.weight, Some(&self.bias), self.kind)?;
        let Some(Adapter { down, up, scale }) = &self.adapter else { return Ok(y) };
        let added = linear(&linear(x, down, None, self.kind)?, up, None, self.kind)?;
        Ok(y.f_add(&added.f_mul_scalar(*scale)?)?)
    }
}

/// `x W^T + b`, multiplied as `kind` where one is given. The copies that this takes are part of the graph, so gradients
/// arrive at weights and `x` in the kinds of these.
pub(super) fn linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    kind: Option<Kind>,
) -> Result<Tensor, ModelError> {
    let Some(kind) = kind else { return Ok(x.f_linear(weight, bias)?) };
    let bias = bias.map(|bias| bias.f_to_kind(kind)).transpose()?;
    Ok(x.f_to_kind(kind)?.f_linear(&weight.f_to_kind(kind)?, bias.as_ref())?)
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
        })
    }

    /// `[batch, seq, dim]`, or `[tokens, dim]` of a packed batch, in and out.
    pub fn forward(&self, x: &Tensor, batch: &TokenBatch, p: Dropout) -> Result<Tensor, ModelError> {
        // No copy but below the first layer of an encoder that was reduced to fewer bits.
        let x = &x.f_to_kind(self.up.weight().kind())?;
        // Where products have fewer bits than weights, sums and norms keep those of the weights.
        let attended = self.attention.forward(x, batch, p.attention)?;
        let x = self.attention_norm.forward(&add_dropped(x, &attended, p.hidden)?)?;
        let inner = self.activation.forward(&self.up.product(&x)?)?;
        let outer = self.down.product(&inner)?;
        self.output_norm.forward(&add_dropped(&x, &outer, p.hidden)?)
    }
}
