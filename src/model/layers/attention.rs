//! Self-attention. Queries, keys and values come out of one product where their weights lie side by side in memory.

use tch::{Device, Kind, Tensor};

use super::positions::{Positions, Seen};
use super::{Linear, dropout, linear};
use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;
use crate::model::params::{Params, in_one_piece};

/// Multi-head self-attention with its output projection.
#[derive(Debug)]
pub struct SelfAttention {
    qkv: Qkv,
    out: Linear,
    heads: i64,
}

/// Where queries, keys and values come from.
#[derive(Debug)]
enum Qkv {
    /// A linear layer each.
    Three {
        parts: [Linear; 3],
        /// Weight `[3 dim, dim]` and bias `[3 dim]` over the memory of the parts; `None` where these lie apart.
        fused: Option<(Tensor, Tensor)>,
    },
    /// One linear layer that gives the three side by side.
    One(Linear),
}

impl SelfAttention {
    /// From the linear layers `qkv` and `out`.
    pub fn new(params: &Params, qkv: &[String; 3], out: &str, heads: i64) -> Result<Self, ModelError> {
        let [q, k, v] = qkv;
        let parts = [Linear::new(params, q)?, Linear::new(params, k)?, Linear::new(params, v)?];
        let fused = side_by_side(&parts)?;
        Ok(Self { qkv: Qkv::Three { parts, fused }, out: Linear::new(params, out)?, heads })
    }

    /// From a linear layer `[3 dim, dim]` for queries, keys and values, and `out`.
    pub fn of_one(params: &Params, qkv: &str, out: &str, heads: i64) -> Result<Self, ModelError> {
        Ok(Self { qkv: Qkv::One(Linear::new(params, qkv)?), out: Linear::new(params, out)?, heads })
    }

    /// The layers of queries and keys, where each has its own.
    pub(in crate::model) fn queries_and_keys(&self) -> Option<(&Linear, &Linear)> {
        match &self.qkv {
            Qkv::Three { parts: [q, k, _], .. } => Some((q, k)),
            Qkv::One(_) => None,
        }
    }

    /// `[batch, seq, dim]`, or `[tokens, dim]` of a packed batch, in and out; `p` is the dropout on the
    /// probabilities.
    pub fn forward(
        &self,
        x: &Tensor,
        batch: &TokenBatch,
        p: f64,
        positions: &dyn Positions,
    ) -> Result<Tensor, ModelError> {
        let dim = x.size().last().copied().unwrap_or(0);
        let [q, k, v] = self.project(x, dim)?;
        let Some(groups) = &batch.groups else {
            let mixed = self.mix([&q, &k, &v], batch.bias.as_ref(), p, positions)?;
            return self.out.forward(&mixed);
        };
        let mixed = groups
            .iter()
            .map(|group| {
                let [q, k, v] = [group.of(&q, dim)?, group.of(&k, dim)?, group.of(&v, dim)?];
                Ok(self.mix([&q, &k, &v], None, p, positions)?.f_reshape([-1, dim])?)
            })
            .collect::<Result<Vec<_>, ModelError>>()?;
        match &mixed[..] {
            [one] => self.out.forward(one),
            several => self.out.forward(&Tensor::f_cat(several, 0)?),
        }
    }

    /// Queries, keys and values, each shaped as `x`.
    fn project(&self, x: &Tensor, dim: i64) -> Result<[Tensor; 3], ModelError> {
        let together = match &self.qkv {
            Qkv::One(all) => all.forward(x)?,
            Qkv::Three { parts: [q, k, v], fused: None } => {
                return Ok([q.forward(x)?, k.forward(x)?, v.forward(x)?]);
            }
            Qkv::Three { parts: [q, k, v], fused: Some(_) } if q.trains() => {
                // Put together anew in each step, so that the gradients find their way to each of the parts.
                let weight = Tensor::f_cat(&[q.weight(), k.weight(), v.weight()], 0)?;
                let biases: Vec<&Tensor> = [q, k, v].into_iter().filter_map(Linear::bias).collect();
                linear(x, &weight, Some(&Tensor::f_cat(&biases, 0)?), q.kind())?
            }
            Qkv::Three { parts: [q, ..], fused: Some((weight, bias)) } => {
                linear(x, weight, Some(bias), q.kind())?
            }
        };
        let part = |at: i64| together.f_narrow(-1, at * dim, dim);
        Ok([part(0)?, part(1)?, part(2)?])
    }

    /// Attention within rows: `[rows, seq, dim]` in and out.
    fn mix(
        &self,
        qkv: [&Tensor; 3],
        padding: Option<&Tensor>,
        p: f64,
        positions: &dyn Positions,
    ) -> Result<Tensor, ModelError> {
        let [q, k, v] = qkv;
        let (rows, seq, dim) = q.size3()?;
        let split = |x: &Tensor| -> Result<Tensor, ModelError> {
            Ok(x.f_view([rows, seq, self.heads, dim / self.heads])?.f_transpose(1, 2)?)
        };
        let (Seen { q, k, bias }, v) = (positions.see(split(q)?, split(k)?)?, split(v)?);
        let bias = match (padding, bias) {
            (Some(padding), Some(bias)) => Some(bias.f_add(padding)?),
            (padding, bias) => bias.or(padding.map(Tensor::shallow_clone)),
        };
        if p > 0.0 && q.device() == Device::Cpu {
            return mix_with_dropout([&q, &k, &v], bias.as_ref(), p)?
                .f_transpose(1, 2)?
                .f_reshape([rows, seq, dim])
                .map_err(ModelError::from);
        }
        // Its floor must stay finite with fewer bits too.
        let bias = match bias {
            Some(bias) if bias.kind() != q.kind() => Some(bias.f_clamp_min(-3e38)?.f_to_kind(q.kind())?),
            bias => bias,
        };
        let mixed = Tensor::f_scaled_dot_product_attention(&q, &k, &v, bias, p, false, None, false)?;
        Ok(mixed.f_transpose(1, 2)?.f_reshape([rows, seq, dim])?)
    }
}

/// What libtorch does step by step where probabilities are dropped, in fewer steps, and with masks that are drawn on
/// all threads. `[rows, heads, seq, size]` in and out.
fn mix_with_dropout(qkv: [&Tensor; 3], bias: Option<&Tensor>, p: f64) -> Result<Tensor, ModelError> {
    let [q, k, v] = qkv;
    let (rows, heads, seq, size) = q.size4()?;
    let flat = |x: &Tensor| x.f_reshape([rows * heads, seq, size]);
    let (q, k, v) = (flat(q)?, flat(k)?, flat(v)?);
    let scores = q.f_mul_scalar(1.0 / (size as f64).sqrt())?.f_bmm(&k.f_transpose(1, 2)?)?;
    let scores = match bias {
        Some(bias) => {
            scores.f_view([rows, heads, seq, seq])?.f_add(bias)?.f_view([rows * heads, seq, seq])?
        }
        None => scores,
    };
    // Probabilities of few bits would not add up to 1.
    let probabilities = dropout(scores.f_softmax(-1, Kind::Float)?, p)?.f_to_kind(v.kind())?;
    Ok(probabilities.f_bmm(&v)?.f_view([rows, heads, seq, size])?)
}

/// One weight and one bias over three that follow each other in memory; nothing is copied, so what is written to
/// the parts is read here. `None` where they do not, or where adapters stand beside them.
fn side_by_side(parts: &[Linear; 3]) -> Result<Option<(Tensor, Tensor)>, ModelError> {
    if parts.iter().any(Linear::is_adapted) {
        return Ok(None);
    }
    let weights = parts.each_ref().map(Linear::weight);
    let [Some(q), Some(k), Some(v)] = parts.each_ref().map(Linear::bias) else { return Ok(None) };
    let (out, input) = weights[0].size2()?;
    if weights.iter().any(|weight| weight.size() != [out, input]) {
        return Ok(None);
    }
    let Some((weight, bias)) = in_one_piece(&weights).zip(in_one_piece(&[q, k, v])) else { return Ok(None) };
    Ok(Some((weight.f_view([3 * out, input])?, bias)))
}
