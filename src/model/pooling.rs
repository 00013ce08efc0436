//! Token states to one vector per sentence, as sentence-transformers' `Pooling` module computes it.

use tch::{Kind, Tensor};

use super::batch::{Group, TokenBatch};
use super::error::ModelError;
use super::summary::Pooling;

/// Pools `hidden` `[batch, seq, dim]`, or `[tokens, dim]` of a packed batch, over the real tokens to `[batch, dim]`.
///
/// # Errors
/// When libtorch refuses the shapes.
pub fn pool(pooling: Pooling, hidden: &Tensor, batch: &TokenBatch) -> Result<Tensor, ModelError> {
    let hidden = &hidden.f_to_kind(Kind::Float)?; // no copy but of an encoder that was reduced to fewer bits
    let Some(groups) = &batch.groups else { return pool_padded(pooling, hidden, batch) };
    let dim = hidden.size().last().copied().unwrap_or(0);
    let pool_group = |group: &Group| {
        let states = group.of(hidden, dim)?;
        let root = (group.length as f64).sqrt();
        Ok(match pooling {
            Pooling::Mean => states.f_mean_dim([1i64].as_slice(), false, Kind::Float)?,
            Pooling::MeanSqrtLen => {
                states.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?.f_div_scalar(root)?
            }
            Pooling::Cls => states.f_select(1, 0)?,
            Pooling::Max => states.f_amax([1i64].as_slice(), false)?,
        })
    };
    let pooled = groups.iter().map(pool_group).collect::<Result<Vec<_>, ModelError>>()?;
    Ok(Tensor::f_cat(&pooled, 0)?)
}

fn pool_padded(pooling: Pooling, hidden: &Tensor, batch: &TokenBatch) -> Result<Tensor, ModelError> {
    let keep = &batch.keep; // [batch, seq, 1], 1 at real tokens
    let sum = || hidden.f_mul(keep)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let count = || keep.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?.f_clamp_min(1e-9);
    Ok(match pooling {
        Pooling::Mean => sum()?.f_div(&count()?)?,
        Pooling::MeanSqrtLen => sum()?.f_div(&count()?.f_sqrt()?)?,
        Pooling::Cls => hidden.f_select(1, 0)?,
        Pooling::Max => hidden.f_masked_fill(&keep.f_eq(0.0)?, -1e9)?.f_amax([1i64].as_slice(), false)?,
    })
}

/// Scales each row to length 1: `x / max(|x|, 1e-12)`, as `torch.nn.functional.normalize`.
///
/// # Errors
/// When libtorch refuses the shape.
pub fn normalize(embedding: &Tensor) -> Result<Tensor, ModelError> {
    let norm = embedding.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
    Ok(embedding.f_div(&norm)?)
}
