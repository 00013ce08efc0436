//! Encoding many batches without gradients: a thread for each of libtorch's, and each thread a batch of its own.
//!
//! Threads that share every product wait for each other hundreds of times in a batch, and when another program takes
//! one processor all of them wait for it. Batches have nothing to wait for. The values do not depend on the number of
//! threads: a batch is always computed by one.

use std::sync::Mutex;
use std::sync::mpsc::sync_channel;

use tch::{Device, Tensor};

use super::batch::TokenBatch;
use super::dense::DenseLayers;
use super::encoder::Encoder;
use super::error::ModelError;
use super::layers::Dropout;
use super::pooling::pool;
use super::summary::Pooling;

/// A model's encoder in eval mode: handles to the same parameters, which another thread may hold.
pub struct Reader {
    pub(super) encoder: Box<dyn Encoder>,
    pub(super) layers: usize,
    pub(super) pooling: Pooling,
    pub(super) dense: DenseLayers,
    pub(super) device: Device,
    pub(super) vocabulary: Option<Vec<u32>>,
}

impl Reader {
    /// Rows of token ids as a packed batch; they should be sorted by length.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn packed(&self, rows: &[&[u32]]) -> Result<TokenBatch, ModelError> {
        with_places(rows, self.vocabulary.as_deref(), self.device, TokenBatch::packed)
    }

    /// Token states after `depth` layers, shaped as the batch.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn below(&self, batch: &TokenBatch, depth: usize) -> Result<Tensor, ModelError> {
        let hidden = self.encoder.embed(batch, Dropout::OFF)?;
        self.encoder.layers(0..depth, hidden, batch, &|_| Dropout::OFF)
    }

    /// The last token states, shaped as the batch.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn last(&self, batch: &TokenBatch) -> Result<Tensor, ModelError> {
        self.below(batch, self.layers)
    }

    /// Embeddings `[batch, embedding]` of the last token states, before they are scaled.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn pooled(&self, last: &Tensor, batch: &TokenBatch) -> Result<Tensor, ModelError> {
        self.dense.forward(pool(self.pooling, last, batch)?)
    }
}

/// A batch of rows whose ids are looked up in the map of a cut vocabulary, where there is one.
pub(super) fn with_places(
    rows: &[&[u32]],
    map: Option<&[u32]>,
    device: Device,
    batch: impl Fn(&[&[u32]], Device) -> Result<TokenBatch, ModelError>,
) -> Result<TokenBatch, ModelError> {
    let Some(map) = map else { return batch(rows, device) };
    let place = |id: &u32| map.get(*id as usize).copied().unwrap_or(0);
    let rows: Vec<Vec<u32>> = rows.iter().map(|row| row.iter().map(place).collect()).collect();
    batch(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>(), device)
}

/// Takes what came of a batch, and says whether to go on.
pub type Take<'a, T> = dyn FnMut(&[u32], T) -> Result<bool, ModelError> + 'a;

/// Does `work` for every batch on as many threads as libtorch has, and hands what comes of it to `take` on this one,
/// in any order. `take` says whether to go on.
///
/// # Errors
/// The first that `work` or `take` gives.
pub fn each_batch<T: Send>(
    readers: Vec<Reader>,
    batches: &[Vec<u32>],
    work: &(impl Fn(&Reader, &[u32]) -> Result<T, ModelError> + Sync),
    take: &mut Take<'_, T>,
) -> Result<(), ModelError> {
    let _guard = tch::no_grad_guard();
    if let [reader] = &readers[..] {
        for batch in batches {
            if !take(batch, work(reader, batch)?)? {
                break;
            }
        }
        return Ok(());
    }
    let threads = tch::get_num_threads();
    let waiting = Mutex::new(batches.iter());
    let outcome = std::thread::scope(|scope| {
        let (done, arrived) = sync_channel(readers.len());
        for reader in readers {
            let (done, waiting) = (done.clone(), &waiting);
            scope.spawn(move || {
                tch::set_num_threads(1);
                let _guard = tch::no_grad_guard();
                loop {
                    let next = waiting.lock().ok().and_then(|mut waiting| waiting.next());
                    let Some(batch) = next else { break };
                    // Nobody listens any more: it was stopped, or failed.
                    if done.send((batch, work(&reader, batch))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        for (batch, made) in arrived {
            if !take(batch, made?)? {
                break;
            }
        }
        Ok(())
    });
    // The number is kept per thread, but those to come would take over the last that was set.
    tch::set_num_threads(threads);
    outcome
}
