//! The convolution that some `DeBERTa` v2 have beside their first layer. It knows nothing of attention.

use tch::Tensor;

use super::{Activation, Dropout, LayerNorm, dropout};
use crate::model::batch::TokenBatch;
use crate::model::encoder::config::check_size;
use crate::model::error::ModelError;
use crate::model::params::Params;
use crate::model::summary::{Group, TensorInfo};

/// Sizes of the convolution.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct ConvShape {
    /// Tokens that are looked at together.
    pub(in crate::model) width: i64,
    /// Parts of the states that do not mix.
    pub(in crate::model) groups: i64,
}

impl ConvShape {
    /// Refuses what no convolution can be, and what would change the number of tokens.
    pub(in crate::model) fn check(self, hidden: usize) -> Result<(), String> {
        check_size("conv_kernel_size", self.width.max(0) as usize)?;
        check_size("conv_groups", self.groups.max(0) as usize)?;
        if self.width % 2 == 0 {
            return Err(format!("conv_kernel_size is {}, expected an odd number", self.width));
        }
        if hidden as i64 % self.groups != 0 {
            return Err(format!("conv_groups {} does not divide the hidden size {hidden}", self.groups));
        }
        Ok(())
    }

    /// Its tensors, which start with `prefix`.
    pub(in crate::model) fn tensors(self, prefix: &str, hidden: i64, group: Group) -> [TensorInfo; 4] {
        let info = |name: &str, shape| TensorInfo { name: format!("{prefix}.{name}"), shape, group };
        [
            info("conv.weight", vec![hidden, hidden / self.groups, self.width]),
            info("conv.bias", vec![hidden]),
            info("LayerNorm.weight", vec![hidden]),
            info("LayerNorm.bias", vec![hidden]),
        ]
    }
}

/// `norm(layer(x) + activation(conv(x)))`.
pub(in crate::model) struct Conv {
    weight: Tensor,
    bias: Tensor,
    shape: ConvShape,
    activation: Activation,
    norm: LayerNorm,
}

impl Conv {
    pub(in crate::model) fn new(
        params: &Params,
        prefix: &str,
        shape: ConvShape,
        activation: Activation,
        eps: f64,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            weight: params.get(&format!("{prefix}.conv.weight"))?,
            bias: params.get(&format!("{prefix}.conv.bias"))?,
            shape,
            activation,
            norm: LayerNorm::new(params, &format!("{prefix}.LayerNorm"), eps)?,
        })
    }

    /// `below` is what went into the layer beside it, `above` what came out; shapes as those of the batch.
    pub(in crate::model) fn forward(
        &self,
        below: &Tensor,
        above: &Tensor,
        batch: &TokenBatch,
        p: Dropout,
    ) -> Result<Tensor, ModelError> {
        let below = below.f_to_kind(self.weight.kind())?;
        let mixed = match &batch.groups {
            // Past the end of a row there is nothing, as past the end of the batch.
            None => self.convolve(&below.f_mul(&batch.keep.f_to_kind(self.weight.kind())?)?)?,
            Some(groups) => {
                let dim = below.size().last().copied().unwrap_or(0);
                let part = |group: &crate::model::batch::Group| -> Result<Tensor, ModelError> {
                    Ok(self.convolve(&group.of(&below, dim)?)?.f_reshape([-1, dim])?)
                };
                Tensor::f_cat(&groups.iter().map(part).collect::<Result<Vec<_>, _>>()?, 0)?
            }
        };
        let mixed = self.activation.forward(&dropout(mixed, p.hidden)?)?;
        self.norm.forward(&above.f_add(&mixed)?)
    }

    /// Along the rows of `[rows, seq, dim]`, the same shape out.
    fn convolve(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let x = x.f_transpose(1, 2)?;
        let padding = (self.shape.width - 1) / 2;
        let mixed = x.f_conv1d(&self.weight, Some(&self.bias), [1], [padding], [1], self.shape.groups)?;
        Ok(mixed.f_transpose(1, 2)?)
    }
}
