//! Dropout on the CPU.
//!
//! libtorch draws a dropout mask one number after the other on one thread, unless the processor is Intel's; at small
//! batches that was a twentieth of a training step. Here one number is drawn from libtorch's generator, so that its
//! seed still says everything, and all threads expand it.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::error::ModelError;

/// Values that a thread draws at a time: below that, waking another would take longer.
const CHUNK: usize = 1 << 16;
/// Step of `SplitMix64` (Steele et al. 2014).
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Drops values with probability `p` and scales the others by `1 / (1 - p)`, or gives the same tensor back where `p`
/// is 0. `p` counts in 65,536ths.
pub(super) fn dropout(x: Tensor, p: f64) -> Result<Tensor, ModelError> {
    if p <= 0.0 {
        return Ok(x);
    }
    #[cfg(test)]
    tests::record(p, &x);
    match drawn(&x, p)? {
        Some(mask) => Ok(x.f_mul(&mask)?),
        None => Ok(x.f_dropout(p, true)?),
    }
}

/// `x + dropout(y)`, in one pass where that can be.
pub(super) fn add_dropped(x: &Tensor, y: &Tensor, p: f64) -> Result<Tensor, ModelError> {
    if p <= 0.0 {
        return Ok(y.f_add(x)?);
    }
    #[cfg(test)]
    tests::record(p, y);
    match drawn(y, p)? {
        Some(mask) => Ok(x.f_addcmul(y, &mask)?),
        None => Ok(y.f_dropout(p, true)?.f_add(x)?),
    }
}

/// A mask of the shape of `x`; `None` where libtorch draws its own.
fn drawn(x: &Tensor, p: f64) -> Result<Option<Tensor>, ModelError> {
    if x.device() != Device::Cpu || p >= 1.0 {
        return Ok(None);
    }
    let seed = Tensor::f_randint(i64::MAX, [1], (Kind::Int64, Device::Cpu))?.f_int64_value(&[0])?;
    let mask = Tensor::f_from_slice(&mask(x.numel(), p, seed as u64))?;
    Ok(Some(mask.f_view(x.size().as_slice())?))
}

/// 0 with probability `p`, else what keeps the mean; the same for the same seed, whatever the number of threads.
fn mask(values: usize, p: f64, seed: u64) -> Vec<f32> {
    let dropped = (p * 65536.0).round().min(65535.0);
    let scale = (65536.0 / (65536.0 - dropped)) as f32;
    let dropped = dropped as u16;
    let mut mask = vec![0f32; values];
    let draw = |(chunk, mask): (usize, &mut [f32])| {
        let first = (chunk * CHUNK / 4) as u64;
        for (four, mask) in (first..).zip(mask.chunks_mut(4)) {
            let bits = mix(seed.wrapping_add(four.wrapping_mul(GOLDEN)));
            for (at, value) in mask.iter_mut().enumerate() {
                *value = if (bits >> (16 * at)) as u16 >= dropped { scale } else { 0.0 };
            }
        }
    };
    if values <= CHUNK * 2 {
        mask.chunks_mut(CHUNK).enumerate().for_each(draw);
    } else {
        mask.par_chunks_mut(CHUNK).enumerate().for_each(draw);
    }
    mask
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
