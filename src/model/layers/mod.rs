//! The small layers that families are built from. Each knows its tensors and its formula, and no name in a file.

pub mod attention;
pub(in crate::model) mod conv;
pub mod dropout;
pub mod positions;
pub mod post_norm;

use tch::{Kind, Tensor};

pub(super) use self::dropout::{add_dropped, dropout, dropout_shared};
use super::error::ModelError;
use super::params::Params;
use super::summary::{LORA_DOWN, LORA_UP};

/// Dropout of a part of the encoder: its probabilities when it trains, zeros in eval mode. Where a family applies
/// each of them is its own affair.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropout {
    /// On the embeddings.
    pub embeddings: f64,
    /// On the outputs of sub-layers.
    pub hidden: f64,
    /// On the attention probabilities.
    pub attention: f64,
}

impl Dropout {
    /// Eval mode.
    pub const OFF: Self = Self::all(0.0);

    /// One probability wherever the family has dropout.
    #[must_use]
    pub const fn all(p: f64) -> Self {
        Self { embeddings: p, hidden: p, attention: p }
    }

    /// The embeddings are dropped like the outputs of sub-layers.
    #[must_use]
    pub const fn new(hidden: f64, attention: f64) -> Self {
        Self { embeddings: hidden, hidden, attention }
    }
}

/// `y = x W^T + b`, and beside it a low-rank adapter where the parameters hold one.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
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
    /// From `NAME.weight` `[out, in]` and `NAME.bias` `[out]`, where the family has declared one.
    pub fn new(params: &Params, name: &str) -> Result<Self, ModelError> {
        let part = |part: &str| params.find(&format!("{name}.{part}"));
        let adapter = part(LORA_DOWN).zip(part(LORA_UP));
        Ok(Self {
            weight: params.get(&format!("{name}.weight"))?,
            bias: part("bias"),
            adapter: adapter.map(|(down, up)| Adapter { down, up, scale: params.adapter_scale }),
            kind: params.products,
        })
    }

    /// `[out, in]`.
    pub(super) fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// `[out]`.
    pub(super) fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Whether a low-rank adapter stands beside it.
    pub(super) fn is_adapted(&self) -> bool {
        self.adapter.is_some()
    }

    /// Whether a gradient is asked for.
    pub(super) fn trains(&self) -> bool {
        self.weight.requires_grad() || self.bias.as_ref().is_some_and(Tensor::requires_grad)
    }

    /// Kind of number that is multiplied; that of the weights when `None`.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// `[..., in]` to `[..., out]`, of the kind of number that is multiplied: what is added to it may be more exact.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let y = linear(x, &self.weight, self.bias.as_ref(), self.kind)?;
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
    bias: Option<Tensor>,
    eps: f64,
}

impl LayerNorm {
    /// From `NAME.weight` and, where the family has declared one, `NAME.bias`, both `[dim]`.
    pub fn new(params: &Params, name: &str, eps: f64) -> Result<Self, ModelError> {
        let weight = params.get(&format!("{name}.weight"))?;
        Ok(Self { weight, bias: params.find(&format!("{name}.bias")), eps })
    }

    /// Same shape in and out.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(x.f_layer_norm(self.weight.size(), Some(&self.weight), self.bias.as_ref(), self.eps, false)?)
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
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// The activation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            "tanh" => Some(Self::Tanh),
            _ => None,
        }
    }

    /// Same shape in and out.
    pub fn forward(self, x: &Tensor) -> Result<Tensor, ModelError> {
        Ok(match self {
            Self::Gelu => x.f_gelu("none")?,
            Self::GeluTanh => x.f_gelu("tanh")?,
            Self::Relu => x.f_relu()?,
            Self::Tanh => x.f_tanh()?,
        })
    }
}
