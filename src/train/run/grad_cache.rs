//! Gradient caching (Gao et al. 2021): a step in several batches whose ranking losses see the texts of all of them.
//!
//! First every batch is encoded without a graph. The ranking losses over all embeddings have a gradient by each embedding;
//! then each batch is encoded again, with the same masks, and its embeddings pass their gradients on. The memory is that
//! of one batch, and each batch is encoded twice.

use tch::{Device, Kind};

use super::loss::Losses;
use super::step::{StepBatch, StepPass, Stepper, add_gradients, backward};
use crate::data::task::TaskKind;
use crate::random::mix;
use crate::train::error::TrainError;
use crate::train::kinds::Encoded;
use crate::train::optim::Update;

impl Stepper<'_> {
    /// Forward and backward of all batches of a step: the gradient is that of one graph over all of them.
    pub(in crate::train) fn cached_batches(
        &self,
        pass: &StepPass<'_>,
        batches: &[Vec<u32>],
        updates: &mut [Update],
    ) -> Result<Vec<Losses>, TrainError> {
        let parts: Vec<StepBatch<'_>> = batches
            .iter()
            .scan(0, |start, rows| {
                let part = StepBatch { rows, start: *start };
                *start += rows.len();
                Some(part)
            })
            .collect();
        let mut cached = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let _guard = tch::no_grad_guard();
            let encoded = self.encode_part(pass, *part, index)?;
            cached.push(Encoded { states: None, ..encoded });
        }
        let all = Encoded::joined(&cached)?;
        let pooled = all.pooled.set_requires_grad(true);
        let rows = batches.concat();
        let whole = StepBatch { rows: &rows, start: 0 };
        let (total, told) = self.losses(pass, whole, &all, |kind| kind == TaskKind::Ranking)?;
        let gradient = match &total {
            Some(total) => backward(updates, total, Some(&pooled))?,
            None => None,
        };

        let (mut losses, mut start) = (vec![told], 0);
        for (index, part) in parts.iter().enumerate() {
            let encoded = self.encode_part(pass, *part, index)?;
            let (total, told) = self.losses(pass, *part, &encoded, |kind| kind != TaskKind::Ranking)?;
            losses.push(told);
            // Its gradient by the embeddings is theirs of the ranking losses.
            let ranked = match &gradient {
                Some(gradient) if encoded.pooled.requires_grad() => {
                    let own = gradient.f_narrow(0, start, encoded.texts())?;
                    Some(encoded.pooled.f_mul(&own)?.f_sum(Kind::Float)?)
                }
                _ => None,
            };
            start += encoded.texts();
            let descended = match (total, ranked) {
                (Some(total), Some(ranked)) => Some(total.f_add(&ranked)?),
                (total, ranked) => total.or(ranked),
            };
            if let Some(descended) = descended {
                add_gradients(updates, &descended)?;
            }
        }
        Ok(losses)
    }

    /// Encodes a batch of the step, with the same masks each time.
    fn encode_part(
        &self,
        pass: &StepPass<'_>,
        part: StepBatch<'_>,
        index: usize,
    ) -> Result<Encoded, TrainError> {
        if self.device() != Device::Cpu {
            // Such a device draws the masks of a batch one after the other.
            tch::manual_seed(mix(pass.seed, index as u64) as i64);
        }
        self.encode(pass, part)
    }
}
