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
            Pooling::WeightedMean => {
                let size = [group.rows as i64, group.length as i64, 1];
                weighted_mean(&states, &Tensor::f_ones(size, (Kind::Float, states.device()))?)?
            }
            Pooling::LastToken => states.f_select(1, group.length as i64 - 1)?,
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
        Pooling::WeightedMean => weighted_mean(hidden, keep)?,
        Pooling::LastToken => last_token(hidden, keep)?,
    })
}

/// Mean over the real tokens, each weighed by its place counted from 1: `[batch, seq, dim]` to `[batch, dim]`.
fn weighted_mean(hidden: &Tensor, keep: &Tensor) -> Result<Tensor, ModelError> {
    let seq = hidden.size().get(1).copied().unwrap_or(1);
    let places = Tensor::f_arange(seq, (Kind::Float, hidden.device()))?.f_add_scalar(1.0)?;
    let weights = keep.f_mul(&places.f_view([1, seq, 1])?)?;
    let sum = hidden.f_mul(&weights)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?;
    let count = weights.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Float)?.f_clamp_min(1e-9)?;
    Ok(sum.f_div(&count)?)
}

/// The state of each row's last real token, zeros for a row without one: `[batch, seq, dim]` to `[batch, dim]`.
fn last_token(hidden: &Tensor, keep: &Tensor) -> Result<Tensor, ModelError> {
    let dim = hidden.size().last().copied().unwrap_or(0);
    let count = keep.f_sum_dim_intlist([1i64].as_slice(), true, Kind::Float)?; // [batch, 1, 1]
    let last =
        count.f_sub_scalar(1.0)?.f_clamp_min(0.0)?.f_to_kind(Kind::Int64)?.f_expand([-1, 1, dim], true)?;
    Ok(hidden.f_mul(keep)?.f_gather(1, &last, false)?.f_squeeze_dim(1)?)
}

/// Scales each row to length 1: `x / max(|x|, 1e-12)`, as `torch.nn.functional.normalize`.
///
/// # Errors
/// When libtorch refuses the shape.
pub fn normalize(embedding: &Tensor) -> Result<Tensor, ModelError> {
    let norm = embedding.f_norm_scalaropt_dim(2.0, [-1i64].as_slice(), true)?.f_clamp_min(1e-12)?;
    Ok(embedding.f_div(&norm)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As sentence-transformers' Pooling computes them, by hand.
    #[test]
    fn later_tokens_weigh_more_and_the_last_one_counts() {
        let batch = TokenBatch::new(&[&[5, 6, 7], &[5], &[]], tch::Device::Cpu).expect("a batch");
        let states = Tensor::from_slice(&[1.0_f32, 2.0, 6.0, 3.0, 9.0, 9.0, 9.0, 9.0, 9.0]).view([3, 3, 1]);
        let pooled = |mode| {
            Vec::<f32>::try_from(pool(mode, &states, &batch).expect("pooled").view([-1])).expect("values")
        };
        assert_eq!(pooled(Pooling::WeightedMean), [(1.0 + 4.0 + 18.0) / 6.0, 3.0, 0.0]);
        assert_eq!(pooled(Pooling::LastToken), [6.0, 3.0, 0.0]);

        let packed = TokenBatch::packed(&[&[5, 6, 7], &[5]], tch::Device::Cpu).expect("a batch");
        let states = Tensor::from_slice(&[1.0_f32, 2.0, 6.0, 3.0]).view([4, 1]);
        let pooled = |mode| {
            Vec::<f32>::try_from(pool(mode, &states, &packed).expect("pooled").view([-1])).expect("values")
        };
        assert_eq!(pooled(Pooling::WeightedMean), [(1.0 + 4.0 + 18.0) / 6.0, 3.0]);
        assert_eq!(pooled(Pooling::LastToken), [6.0, 3.0]);
    }
}
