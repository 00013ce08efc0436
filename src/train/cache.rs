//! The prefix cache: everything below the frost line is a pure function of the text, so it is computed once.
//!
//! While the whole encoder is frozen that is one pooled vector per text; above a frost line within the encoder
//! it is the token states there. States that would not fit the memory budget are computed batch by batch, as
//! before, without gradients.

use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Kind, Tensor};

use super::rows::Rows;
use crate::model::batch::TokenBatch;
use crate::model::layers::Dropout;
use crate::model::{Model, ModelError};
use crate::text::batches::inference_batches;

/// Tokens, padding included, that are encoded at a time: what stays in a processor's cache.
pub const TOKEN_BUDGET: usize = 1024;

/// What is kept of each row.
#[derive(Debug)]
pub enum Prefix {
    /// Nothing: the embeddings train, or the states would not fit.
    None,
    /// Pooled embeddings `[texts, hidden]`: the whole encoder is frozen.
    Pooled(Tensor),
    /// Token states at the frost line.
    States(States),
}

/// Token states of all texts end to end.
#[derive(Debug)]
pub struct States {
    /// `[tokens + 1, hidden]`; the last row is zero, for padding.
    packed: Tensor,
    /// First token of each text, and one past the last.
    starts: Vec<usize>,
}

impl States {
    /// States of some texts, padded to the longest: `[batch, seq, hidden]`.
    pub fn gather(&self, rows: &[u32], batch: &TokenBatch) -> Result<Tensor, ModelError> {
        let padding = self.starts.last().copied().unwrap_or(0) as i64;
        let mut places = vec![padding; rows.len() * batch.longest];
        for (row, places) in rows.iter().zip(places.chunks_mut(batch.longest)) {
            let row = *row as usize;
            let (Some(start), Some(end)) = (self.starts.get(row), self.starts.get(row + 1)) else { continue };
            for (place, token) in places.iter_mut().zip(*start..*end) {
                *place = token as i64;
            }
        }
        let places = Tensor::f_from_slice(&places)?.f_to_device(self.packed.device())?;
        let hidden = self.packed.size().get(1).copied().unwrap_or(0);
        Ok(self.packed.f_index_select(0, &places)?.f_view([
            rows.len() as i64,
            batch.longest as i64,
            hidden,
        ])?)
    }
}

/// Bytes that the states of some rows take at the frost line.
#[must_use]
pub fn state_bytes(rows: &Rows, hidden: usize) -> u64 {
    ((rows.tokens.total_tokens() + rows.second.total_tokens()) as u64 + 1) * hidden as u64 * 4
}

/// Texts of the rows in batches; second texts that are not there are left out.
fn text_batches(rows: &Rows) -> Vec<Vec<u32>> {
    let is_there =
        |text: &u32| (*text as usize).checked_sub(rows.len()).is_none_or(|row| rows.second.len(row) > 0);
    let mut batches = inference_batches(&rows.text_lengths(), TOKEN_BUDGET);
    for batch in &mut batches {
        batch.retain(is_there);
    }
    batches.retain(|batch| !batch.is_empty());
    batches
}

/// Pooled embeddings of all texts, `[texts, hidden]` as [`Rows::texts`] counts them, in eval mode. `None` when it
/// was stopped.
///
/// # Errors
/// When the model refuses a row.
pub fn pooled(
    model: &Model,
    rows: &Rows,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Option<Tensor>, ModelError> {
    encode(model, rows, stop, progress, &mut |_, _, _| Ok(()))
}

/// Shown the texts of a batch, their token states `[texts, longest, hidden]`, and the batch.
pub type Look<'a> = dyn FnMut(&[u32], &Tensor, &TokenBatch) -> Result<(), ModelError> + 'a;

/// The same, and `look` is shown the token states on the way.
///
/// # Errors
/// When the model refuses a row, or whatever `look` says.
pub fn encode(
    model: &Model,
    rows: &Rows,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
    look: &mut Look<'_>,
) -> Result<Option<Tensor>, ModelError> {
    let _guard = tch::no_grad_guard();
    let shape = [rows.texts() as i64, model.summary.hidden as i64];
    let mut all = Tensor::f_zeros(shape, (Kind::Float, model.device))?;
    let mut done = 0;
    for texts in text_batches(rows) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let batch = model.batch(&rows.text_ids(&texts))?;
        let states = model.last_hidden_state(&batch)?;
        let vectors = model.pool(&states, &batch)?;
        drop(all.f_index_copy_(0, &places(&texts, model)?, &vectors)?);
        look(&texts, &states, &batch)?;
        done += texts.len();
        progress(done);
    }
    Ok(Some(all))
}

/// Token states of all texts after `depth` layers, in eval mode. `None` when it was stopped.
///
/// # Errors
/// When the model refuses a row.
pub fn states(
    model: &Model,
    rows: &Rows,
    depth: usize,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Option<States>, ModelError> {
    let _guard = tch::no_grad_guard();
    let mut starts = vec![0];
    let mut tokens = 0;
    for length in rows.text_lengths() {
        tokens += length as usize;
        starts.push(tokens);
    }
    let tokens = tokens as i64;
    let shape = [tokens + 1, model.summary.hidden as i64];
    let packed = Tensor::f_zeros(shape, (Kind::Float, model.device))?;
    let mut done = 0;
    for texts in text_batches(rows) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let batch = model.batch(&rows.text_ids(&texts))?;
        let hidden = below(model, &batch, depth)?;
        for (at, row) in texts.iter().enumerate() {
            let (start, length) = (starts[*row as usize] as i64, batch.lengths[at] as i64);
            let mut target = packed.f_narrow(0, start, length)?;
            target.f_copy_(&hidden.f_get(at as i64)?.f_narrow(0, 0, length)?)?;
        }
        done += texts.len();
        progress(done);
    }
    Ok(Some(States { packed, starts }))
}

/// Token states after `depth` layers, in eval mode.
///
/// # Errors
/// When the model refuses the batch.
pub fn below(model: &Model, batch: &TokenBatch, depth: usize) -> Result<Tensor, ModelError> {
    let _guard = tch::no_grad_guard();
    let hidden = model.embed(batch, Dropout::OFF)?;
    model.layers(0..depth, hidden, batch, &|_| Dropout::OFF)
}

/// Row numbers as an int64 tensor on the model's device.
///
/// # Errors
/// When libtorch cannot allocate.
pub fn places(rows: &[u32], model: &Model) -> Result<Tensor, ModelError> {
    let places: Vec<i64> = rows.iter().map(|row| i64::from(*row)).collect();
    Ok(Tensor::f_from_slice(&places)?.f_to_device(model.device)?)
}
