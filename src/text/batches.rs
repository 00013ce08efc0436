//! Which rows go through the model together.
//!
//! Rows of a batch are padded to its longest, so batches hold rows of about the same length: for training by
//! sorting within a window of shuffled rows, which keeps the order random; for inference by sorting all of them.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// Batches whose rows are sorted among each other by length. More gives less padding and a less random order.
const WINDOW_BATCHES: usize = 50;

/// The batches of a training epoch: every row once, in an order that seed and epoch fix.
///
/// Without the last rows when they do not fill a batch, an epoch would not see all data: one batch may be smaller.
#[must_use]
pub fn epoch_batches(lengths: &[u32], batch_size: usize, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
    let batch_size = batch_size.max(1);
    let mut rng = generator(seed, epoch);
    let mut rows: Vec<u32> = (0..lengths.len() as u32).collect();
    shuffle(&mut rows, &mut rng);
    let mut batches = Vec::with_capacity(rows.len().div_ceil(batch_size));
    for window in rows.chunks_mut(batch_size.saturating_mul(WINDOW_BATCHES)) {
        // Stable, so that rows of one length stay shuffled.
        window.sort_by_key(|row| lengths.get(*row as usize).copied());
        batches.extend(window.chunks(batch_size).map(<[u32]>::to_vec));
    }
    shuffle(&mut batches, &mut rng);
    batches
}

/// Batches for inference: longest rows first, each with as many rows as fit `token_budget` once padded.
///
/// The longest come first so that memory is at its highest at once and not at the end. A row that is longer than
/// the budget goes alone.
#[must_use]
pub fn inference_batches(lengths: &[u32], token_budget: usize) -> Vec<Vec<u32>> {
    let mut rows: Vec<(u32, u32)> = (0..).zip(lengths).map(|(row, length)| (row, (*length).max(1))).collect();
    rows.sort_by_key(|(row, length)| (std::cmp::Reverse(*length), *row));
    let mut batches: Vec<Vec<u32>> = Vec::new();
    let mut longest = 0;
    for (row, length) in rows {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * longest <= token_budget => batch.push(row),
            _ => {
                longest = length as usize;
                batches.push(vec![row]);
            }
        }
    }
    batches
}

/// The numbers below `count` in an order that seed and round fix.
#[must_use]
pub fn permutation(count: usize, seed: u64, round: u64) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count as u32).collect();
    shuffle(&mut numbers, &mut generator(seed, round));
    numbers
}

/// Fisher and Yates's shuffle, spelt out: a run must repeat after any library's update.
fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        // A 64-bit draw scaled to 0..=last; the bias is below 2^-32 for any number of rows there can be.
        let chosen = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        items.swap(last, chosen as usize);
    }
}

fn generator(seed: u64, epoch: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    let bytes = seed.to_le_bytes().into_iter().chain(epoch.to_le_bytes());
    key.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    // Named, as proptest's prelude brings a trait of the same name from another release.
    use rand_chacha::rand_core::RngCore as _;

    use super::*;

    fn every_row_once(batches: &[Vec<u32>], rows: usize) -> bool {
        let mut seen: Vec<u32> = batches.concat();
        seen.sort_unstable();
        seen == (0..rows as u32).collect::<Vec<_>>()
    }

    /// Share of padded positions among all.
    fn padding(batches: &[Vec<u32>], lengths: &[u32]) -> f64 {
        let (mut padded, mut real) = (0, 0);
        for batch in batches {
            let of = |row: &u32| lengths[*row as usize];
            padded += batch.iter().map(of).max().unwrap_or(0) as usize * batch.len();
            real += batch.iter().map(|row| of(row) as usize).sum::<usize>();
        }
        1.0 - real as f64 / padded as f64
    }

    /// Sentence lengths as they are met: many short, a long tail.
    fn sentence_lengths(rows: u64) -> Vec<u32> {
        let mut rng = generator(99, 0);
        (0..rows)
            .map(|_| {
                let uniform = f64::from(rng.next_u32()) / f64::from(u32::MAX).next_up();
                (6.0 - 14.0 * (1.0 - uniform).ln()).min(128.0) as u32
            })
            .collect()
    }

    proptest! {
        #[test]
        fn an_epoch_holds_every_row_once_in_full_batches(
            lengths in prop::collection::vec(0_u32..300, 0..700), batch_size in 1_usize..40, seed: u64, epoch: u64,
        ) {
            let batches = epoch_batches(&lengths, batch_size, seed, epoch);
            prop_assert!(every_row_once(&batches, lengths.len()));
            prop_assert_eq!(batches.len(), lengths.len().div_ceil(batch_size));
            let short = batches.iter().filter(|batch| batch.len() != batch_size).count();
            prop_assert_eq!(short, usize::from(lengths.len() % batch_size != 0));
            prop_assert_eq!(&batches, &epoch_batches(&lengths, batch_size, seed, epoch));
        }

        #[test]
        fn inference_keeps_to_the_budget(
            lengths in prop::collection::vec(0_u32..300, 0..500), budget in 0_usize..3000,
        ) {
            let batches = inference_batches(&lengths, budget);
            prop_assert!(every_row_once(&batches, lengths.len()));
            for batch in &batches {
                let longest = batch.iter().map(|row| lengths[*row as usize].max(1)).max().unwrap_or(0) as usize;
                prop_assert!(!batch.is_empty() && (batch.len() == 1 || batch.len() * longest <= budget));
            }
            let firsts: Vec<u32> = batches.iter().map(|batch| lengths[batch[0] as usize].max(1)).collect();
            prop_assert!(firsts.is_sorted_by(|a, b| a >= b), "longest first");
        }
    }

    #[test]
    fn little_is_padded() {
        let lengths = sentence_lengths(6000);
        let unsorted: Vec<Vec<u32>> =
            (0..6000).collect::<Vec<u32>>().chunks(16).map(<[u32]>::to_vec).collect();
        assert!(padding(&unsorted, &lengths) > 0.4, "the lengths must be worth sorting");
        let shares = (
            padding(&epoch_batches(&lengths, 16, 1, 1), &lengths),
            padding(&inference_batches(&lengths, 4096), &lengths),
        );
        assert!(shares.0 < 0.08 && shares.1 < 0.06, "{shares:?}");
    }

    #[test]
    fn epochs_differ_and_seeds_differ() {
        let lengths = sentence_lengths(400);
        let first = epoch_batches(&lengths, 8, 1, 0);
        assert_ne!(first, epoch_batches(&lengths, 8, 1, 1));
        assert_ne!(first, epoch_batches(&lengths, 8, 2, 0));
    }

    /// The order is a promise to old runs: it must not change with a dependency.
    #[test]
    fn the_order_is_the_one_it_always_was() {
        let batches = epoch_batches(&[3, 9, 4, 8, 5, 7, 6], 2, 7, 1);
        assert_eq!(batches, [vec![1], vec![5, 3], vec![0, 2], vec![4, 6]]);
    }
}
