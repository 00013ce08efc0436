//! Dropout on the CPU.
//!
//! libtorch draws a dropout mask one number after the other on one thread, unless the processor is Intel's; at small
//! batches that was a twentieth of a training step. Here all threads expand one number: drawn from libtorch's generator,
//! or, in a training step, told by [`with_masks`]. What is dropped of a row then depends on that row alone, and not on
//! those that go through the model with it or on how far it is padded: a step can be cut into batches of any size.

use std::cell::RefCell;

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::model::error::ModelError;
use crate::random::{GOLDEN, finalise};

/// Values that a thread draws at a time: below that, waking another would take longer.
const CHUNK: usize = 1 << 16;

thread_local! {
    /// What the masks of this thread are drawn from; libtorch's generator where there is nothing.
    static DRAWN_FROM: RefCell<Option<Masks>> = const { RefCell::new(None) };
}

/// What masks are drawn from.
struct Masks {
    seed: u64,
    /// Masks drawn so far.
    calls: u64,
    /// What the rows of the batch are known by.
    rows: Vec<u64>,
}

/// Does some work on a batch, with masks that depend on `seed`, on the order of the calls for one, and on what each of the
/// batch's rows is known by. Another device than the CPU draws its own masks.
pub fn with_masks<T>(seed: u64, rows: Vec<u64>, work: impl FnOnce() -> T) -> T {
    let before = DRAWN_FROM.with(|drawn| drawn.replace(Some(Masks { seed, calls: 0, rows })));
    let _restored = Restored(before);
    work()
}

/// What the masks of the thread were drawn from before, put back however the work ends: also where it panics, and the
/// thread goes on.
struct Restored(Option<Masks>);

impl Drop for Restored {
    fn drop(&mut self) {
        DRAWN_FROM.with(|drawn| drawn.replace(self.0.take()));
    }
}

/// Drops values with probability `p` and scales the others by `1 / (1 - p)`, or gives the same tensor back where `p`
/// is 0. `p` counts in 65,536ths.
pub(in crate::model) fn dropout(x: Tensor, p: f64) -> Result<Tensor, ModelError> {
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
pub(in crate::model) fn add_dropped(x: &Tensor, y: &Tensor, p: f64) -> Result<Tensor, ModelError> {
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

/// Drops values of a table that all rows of a batch share, whose first row has the index `first` in a larger one.
pub(in crate::model) fn dropout_shared(x: Tensor, p: f64, first: i64) -> Result<Tensor, ModelError> {
    if p <= 0.0 {
        return Ok(x);
    }
    #[cfg(test)]
    tests::record(p, &x);
    let rows = x.size().first().copied().unwrap_or(0);
    match drawn_for(&x, p, Some((first..first + rows).map(|row| row as u64).collect()))? {
        Some(mask) => Ok(x.f_mul(&mask)?),
        None => Ok(x.f_dropout(p, true)?),
    }
}

/// A mask of the shape of `x`; `None` where libtorch draws its own.
fn drawn(x: &Tensor, p: f64) -> Result<Option<Tensor>, ModelError> {
    drawn_for(x, p, None)
}

/// The same where the rows of `x` are not those of the batch.
fn drawn_for(x: &Tensor, p: f64, rows: Option<Vec<u64>>) -> Result<Option<Tensor>, ModelError> {
    if x.device() != Device::Cpu || p >= 1.0 {
        return Ok(None);
    }
    let told = DRAWN_FROM.with_borrow_mut(|drawn| {
        let masks = drawn.as_mut()?;
        masks.calls += 1;
        let seed = finalise(masks.seed.wrapping_add(masks.calls.wrapping_mul(GOLDEN)));
        Some((seed, rows.unwrap_or_else(|| masks.rows.clone())))
    });
    let (seed, rows) = if let Some(told) = told {
        told
    } else {
        let seed = Tensor::f_randint(i64::MAX, [1], (Kind::Int64, Device::Cpu))?.f_int64_value(&[0])?;
        (seed as u64, Vec::new())
    };
    let size = x.size();
    let mask = Tensor::f_from_slice(&mask(&size, p, seed, &rows))?;
    Ok(Some(mask.f_view(size.as_slice())?))
}

/// 0 with probability `p`, else what keeps the mean, for a tensor of that size; the same for the same seed and rows,
/// whatever the number of threads. The first dimension are the rows, or as many pieces of each: attention heads. A value
/// knows its place within the row by the indices of the last two dimensions, so that padding behind it changes nothing.
fn mask(size: &[i64], p: f64, seed: u64, rows: &[u64]) -> Vec<f32> {
    let pieces = size.first().map_or(1, |pieces| (*pieces as usize).max(1));
    let width = size.last().map_or(1, |width| (*width as usize).max(1));
    let values = size.iter().product::<i64>() as usize;
    let of_row = if rows.is_empty() { 1 } else { (pieces / rows.len()).max(1) };
    let dropped = (p * 65536.0).round().min(65535.0);
    let scale = (65536.0 / (65536.0 - dropped)) as f32;
    let dropped = dropped as u16;
    let mut mask = vec![0f32; values];
    let length = (values / pieces).max(1);
    let draw = |(piece, mask): (usize, &mut [f32])| {
        let row = rows.get(piece / of_row).copied().unwrap_or(piece as u64);
        let seed = finalise(seed.wrapping_add(finalise((row << 16) + (piece % of_row) as u64)));
        for (line, mask) in mask.chunks_mut(width).enumerate() {
            let first = (line as u64) << 32;
            for (four, mask) in (first..).zip(mask.chunks_mut(4)) {
                let bits = finalise(seed.wrapping_add(four.wrapping_mul(GOLDEN)));
                for (at, value) in mask.iter_mut().enumerate() {
                    *value = if (bits >> (16 * at)) as u16 >= dropped { scale } else { 0.0 };
                }
            }
        }
    };
    if values <= CHUNK * 2 {
        mask.chunks_mut(length).enumerate().for_each(draw);
    } else {
        mask.par_chunks_mut(length).enumerate().with_min_len((CHUNK / length).max(1)).for_each(draw);
    }
    mask
}

#[cfg(test)]
mod tests;
