//! The prefix cache: everything below the frost line is a pure function of the text, so it is computed once.
//!
//! While the whole encoder is frozen that is one pooled vector per text; above a frost line within the encoder
//! it is the token states there. Texts are numbered as [`Examples::texts`] counts them. States that would not fit the
//! memory budget go to a temporary file, or are computed batch by batch, as before, without gradients.

pub(in crate::train) mod hidden_states;

use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Kind, Tensor};

pub(super) use self::hidden_states::wrong_memory;
pub use self::hidden_states::{Budget, HiddenStates, Room};
use super::examples::Examples;
use super::interrupt::Interrupt;
use crate::model::batch::TokenBatch;
use crate::model::device::upload;
use crate::model::layers::Dropout;
use crate::model::parallel_encoder::{Reader, each_batch};
use crate::model::{Model, ModelError};
use crate::text::batches::inference_batches;

/// Tokens that are encoded at a time: what stays in a processor's cache.
pub const TOKEN_BUDGET: usize = 1024;

/// What is kept of each text.
#[derive(Debug)]
pub enum Prefix {
    /// Nothing: the embeddings train, or the states would not fit.
    None,
    /// Sentence embeddings before normalisation, `[texts, embedding]`: the whole encoder is frozen.
    Pooled(Tensor),
    /// Token states at the frost line.
    HiddenStates(HiddenStates),
}

/// How much of the encoder is computed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All of it, and the pooling.
    Pooled,
    /// The embeddings and so many layers.
    Layer(usize),
}

/// Computes what is kept of every text of some rows, in eval mode. [`Prefix::None`] where
/// the budget has no room. `progress` is told how many texts are done.
///
/// # Errors
/// When it is stopped, the model refuses a text, or the temporary file cannot be written.
pub fn build(
    model: &Model,
    rows: &Examples,
    depth: Depth,
    budget: &Budget,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Prefix, Interrupt<ModelError>> {
    let Depth::Layer(depth) = depth else {
        return pooled(model, rows, stop, progress).map(Prefix::Pooled);
    };
    let _guard = tch::no_grad_guard();
    let lengths = rows.text_lengths();
    let Some(mut states) = HiddenStates::new(depth, model.summary.hidden, &lengths, budget, model.device)?
    else {
        return Ok(Prefix::None);
    };
    let batches = text_batches(rows);
    let (mut done, mut stopped) = (0, false);
    // A text without a token has no states, and would have the batch padded.
    let with_tokens = |texts: &[u32]| {
        texts.iter().copied().filter(|text| lengths[*text as usize] > 0).collect::<Vec<u32>>()
    };
    let work = |reader: &Reader, texts: &[u32]| {
        let texts = with_tokens(texts);
        if texts.is_empty() {
            return Ok(None);
        }
        let batch = reader.packed(&rows.text_ids(&texts))?;
        Ok(Some((reader.below(&batch, depth)?, texts)))
    };
    each_batch(model.readers(batches.len())?, &batches, &work, &mut |all, made| {
        if let Some((below, texts)) = made {
            states.put(&texts, &below)?;
        }
        done += all.len();
        progress(done);
        stopped = stop.load(Ordering::Relaxed);
        Ok(!stopped)
    })?;
    if stopped { Err(Interrupt::Stopped) } else { Ok(Prefix::HiddenStates(states)) }
}

/// Bytes that the states of some rows take at the frost line, as float32.
#[must_use]
pub fn state_bytes(rows: &Examples, hidden: usize) -> u64 {
    Budget::default().bytes(rows.tokens.total_tokens() + rows.second.total_tokens(), hidden)
}

/// Sentence embeddings of all texts before normalisation, `[texts, embedding]`, in eval mode.
///
/// # Errors
/// When it is stopped, or the model refuses a text.
pub fn pooled(
    model: &Model,
    rows: &Examples,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Tensor, Interrupt<ModelError>> {
    pooled_above(model, rows, &Prefix::None, None, stop, progress)
}

/// Shown the texts of a batch, their last token states, shaped as the batch is, and the batch. Batches come in any
/// order.
pub type Look<'a> = dyn FnMut(&[u32], &Tensor, &TokenBatch) -> Result<(), ModelError> + 'a;

/// The same from what is kept already: only what lies above the frost line is computed. `look` is shown the token states
/// on the way, unless pooled vectors are all that was kept.
///
/// # Errors
/// When it is stopped, the model refuses a text, the temporary file cannot be read, or whatever `look` says.
pub fn pooled_above(
    model: &Model,
    rows: &Examples,
    prefix: &Prefix,
    mut look: Option<&mut Look<'_>>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Tensor, Interrupt<ModelError>> {
    let _guard = tch::no_grad_guard();
    if let Prefix::Pooled(pooled) = prefix {
        return Ok(pooled.shallow_clone());
    }
    let shape = [rows.texts() as i64, model.summary.embedding() as i64];
    let mut all = Tensor::f_zeros(shape, (Kind::Float, model.device))?;
    let batches = text_batches(rows);
    let (mut done, mut stopped) = (0, stop.load(Ordering::Relaxed));
    let looks = look.is_some();
    let mut take = |texts: &[u32], (pooled, states): Encoded| {
        drop(all.f_index_copy_(0, &places(texts, model)?, &pooled)?);
        if let (Some(look), Some((states, batch))) = (&mut look, states) {
            look(texts, &states, &batch)?;
        }
        done += texts.len();
        progress(done);
        stopped = stop.load(Ordering::Relaxed);
        Ok(!stopped)
    };
    if let Prefix::HiddenStates(states) = prefix {
        // A file is read by one thread: its handles are not shared.
        for texts in &batches {
            let batch = model.packed(&rows.text_ids(texts))?;
            let hidden = states.gather(texts, &batch)?;
            let above = states.depth()..model.summary.layers;
            let last = model.layers(above, hidden, &batch, &|_| Dropout::OFF)?;
            let pooled = model.pool(&last, &batch)?;
            if !take(texts, (pooled, looks.then_some((last, batch))))? {
                break;
            }
        }
    } else {
        let work = |reader: &Reader, texts: &[u32]| {
            let batch = reader.packed(&rows.text_ids(texts))?;
            let last = reader.last(&batch)?;
            let pooled = reader.pooled(&last, &batch)?;
            Ok((pooled, looks.then_some((last, batch))))
        };
        each_batch(model.readers(batches.len())?, &batches, &work, &mut take)?;
    }
    if stopped { Err(Interrupt::Stopped) } else { Ok(all) }
}

/// Pooled vectors of a batch, and its token states where they are looked at.
type Encoded = (Tensor, Option<(Tensor, TokenBatch)>);

/// Texts of the rows in batches, longest first; second texts that are not there are left out.
fn text_batches(rows: &Examples) -> Vec<Vec<u32>> {
    let is_there =
        |text: &u32| (*text as usize).checked_sub(rows.len()).is_none_or(|row| rows.second.len(row) > 0);
    let mut batches = inference_batches(&rows.text_lengths(), TOKEN_BUDGET);
    for batch in &mut batches {
        batch.retain(is_there);
    }
    batches.retain(|batch| !batch.is_empty());
    batches
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

/// Numbers of texts as an int64 tensor on the model's device.
///
/// # Errors
/// When libtorch cannot allocate.
pub fn places(texts: &[u32], model: &Model) -> Result<Tensor, ModelError> {
    let places: Vec<i64> = texts.iter().map(|text| i64::from(*text)).collect();
    Ok(upload(&places, model.device)?)
}
