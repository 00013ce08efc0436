//! Which rows an epoch consists of, and which of them go through the model together.
//!
//! Everything is drawn from seed and epoch alone, so that a run that is taken up again goes on with the same rows.

use std::collections::BTreeMap;

use crate::text::batches::{epoch_batches, permutation};
use crate::train::examples::Examples;
use crate::train::plan::recipe::{Recipe, Sampling};

/// The batches of an epoch, counted from 0, grouped by optimiser step.
#[must_use]
pub fn steps(rows: &Examples, recipe: &Recipe, epoch: u32) -> Vec<Vec<Vec<u32>>> {
    let (size, epoch) = (recipe.batch_size.max(1), u64::from(epoch));
    let accumulate = recipe.accumulate.max(1);
    if recipe.sampling == Sampling::RoundRobin {
        // A step then sees several files.
        let batches = batches(rows, recipe, size, epoch);
        return batches.chunks(accumulate).map(<[Vec<u32>]>::to_vec).collect();
    }
    // The rows of a step are those of one large batch, which is merely computed in parts.
    let batches = batches(rows, recipe, size.saturating_mul(accumulate), epoch);
    batches.iter().map(|batch| batch.chunks(size).map(<[u32]>::to_vec).collect()).collect()
}

fn batches(rows: &Examples, recipe: &Recipe, size: usize, epoch: u64) -> Vec<Vec<u32>> {
    let lengths = rows.lengths();
    let sources = by_source(&rows.sources);
    if recipe.sampling == Sampling::Proportional || sources.len() < 2 {
        return epoch_batches(&lengths, size, recipe.seed, epoch);
    }
    let wanted = |epoch| match recipe.sampling {
        Sampling::RoundRobin => turns(rows.len().div_ceil(size), sources.len(), epoch, size),
        Sampling::Temperature(temperature) => shares(&sources, rows.len(), temperature),
        Sampling::Proportional => Vec::new(),
    };
    let mut drawn = vec![0; sources.len()];
    for epoch in 0..epoch {
        drawn.iter_mut().zip(wanted(epoch)).for_each(|(drawn, count)| *drawn += count);
    }
    let mut chosen: Vec<Vec<u32>> = Vec::with_capacity(sources.len());
    for (source, ((members, count), drawn)) in sources.iter().zip(wanted(epoch)).zip(drawn).enumerate() {
        chosen.push(draw(members, drawn, count, recipe.seed, source as u64));
    }
    let in_batches = |chosen: &[u32], salt: u64| -> Vec<Vec<u32>> {
        let lengths: Vec<u32> =
            chosen.iter().map(|row| lengths.get(*row as usize).copied().unwrap_or(0)).collect();
        let batches = epoch_batches(&lengths, size, recipe.seed ^ salt, epoch);
        let row = |at: u32| chosen.get(at as usize).copied().unwrap_or(0);
        batches.into_iter().map(|batch| batch.into_iter().map(row).collect()).collect()
    };
    match recipe.sampling {
        Sampling::RoundRobin => {
            let salted = chosen.iter().zip(1..).map(|(rows, salt)| in_batches(rows, salt));
            let mut queues: Vec<_> = salted.map(Vec::into_iter).collect();
            let first = epoch as usize % queues.len();
            let mut all = Vec::new();
            for turn in 0.. {
                let at = (first + turn) % queues.len();
                match queues.get_mut(at).and_then(Iterator::next) {
                    Some(batch) => all.push(batch),
                    None => break,
                }
            }
            all
        }
        _ => in_batches(&chosen.concat(), 0),
    }
}

/// Rows of each file, in order.
fn by_source(sources: &[u32]) -> Vec<Vec<u32>> {
    let mut found: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (row, source) in (0..).zip(sources) {
        found.entry(*source).or_default().push(row);
    }
    found.into_values().collect()
}

/// Rows of each file when batches are taken by turns; who begins changes with the epoch.
fn turns(batches: usize, sources: usize, epoch: u64, size: usize) -> Vec<usize> {
    let first = epoch as usize % sources;
    let turn = |source: usize| {
        let place = (source + sources - first) % sources;
        (batches + sources - 1 - place) / sources
    };
    (0..sources).map(|source| turn(source) * size).collect()
}

/// Rows of each file in proportion to `n^(1/temperature)`, `total` together, by the largest remainders.
fn shares(sources: &[Vec<u32>], total: usize, temperature: f64) -> Vec<usize> {
    let weights: Vec<f64> =
        sources.iter().map(|rows| (rows.len() as f64).powf(1.0 / temperature.max(1.0))).collect();
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| total as f64 * weight / sum).collect();
    let mut counts: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..exact.len()).collect();
    let remainder = |index: &usize| exact.get(*index).map_or(0.0, |share| share.fract());
    by_remainder.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
    let left = total.saturating_sub(counts.iter().sum());
    for index in by_remainder.into_iter().take(left) {
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }
    counts
}

/// `count` rows of a file from place `start` on, in an endless row of its shuffles: none comes twice before all came.
fn draw(members: &[u32], start: usize, count: usize, seed: u64, source: u64) -> Vec<u32> {
    let mut drawn = Vec::with_capacity(count);
    let mut place = start;
    while drawn.len() < count && !members.is_empty() {
        let (round, within) = (place / members.len(), place % members.len());
        let order = permutation(members.len(), seed.wrapping_add(source << 32), round as u64);
        let rest = order.iter().skip(within).take(count - drawn.len());
        let before = drawn.len();
        drawn.extend(rest.filter_map(|at| members.get(*at as usize)));
        place += drawn.len() - before;
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::token_set::TokenSet;

    fn rows(sizes: &[usize]) -> Examples {
        let mut tokens = TokenSet::default();
        let mut sources = Vec::new();
        for (source, size) in (0..).zip(sizes) {
            for row in 0..*size {
                let length = 3 + row % 7;
                tokens.push(&vec![1; length], length);
                sources.push(source);
            }
        }
        Examples { tokens, sources, ..Examples::default() }
    }

    fn recipe(sampling: Sampling) -> Recipe {
        Recipe { sampling, batch_size: 10, ..Recipe::default() }
    }

    fn by_file(rows: &Examples, batches: &[Vec<u32>]) -> Vec<usize> {
        let mut counts = vec![0; 3];
        batches.concat().iter().for_each(|row| counts[rows.sources[*row as usize] as usize] += 1);
        counts
    }

    #[test]
    fn proportional_takes_every_row_once() {
        let rows = rows(&[100, 40, 10]);
        let mut all = batches(&rows, &recipe(Sampling::Proportional), 10, 0).concat();
        all.sort_unstable();
        assert_eq!(all, (0..150).collect::<Vec<_>>());
    }

    #[test]
    fn a_temperature_lifts_small_files_and_keeps_the_epoch_as_long() {
        let rows = rows(&[100, 40, 10]);
        let cold = batches(&rows, &recipe(Sampling::Temperature(1.0)), 10, 0);
        assert_eq!(by_file(&rows, &cold), [100, 40, 10]);
        let hot = by_file(&rows, &batches(&rows, &recipe(Sampling::Temperature(5.0)), 10, 0));
        assert!(hot[2] > 30 && hot[0] < 70, "{hot:?}");
        assert_eq!(hot.iter().sum::<usize>(), 150);
    }

    #[test]
    fn files_take_turns() {
        let rows = rows(&[100, 40, 10]);
        let all = batches(&rows, &recipe(Sampling::RoundRobin), 10, 1);
        let files: Vec<u32> = all.iter().map(|batch| rows.sources[batch[0] as usize]).collect();
        assert_eq!(files, [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
        for (batch, file) in all.iter().zip(files) {
            assert!(batch.len() == 10 && batch.iter().all(|row| rows.sources[*row as usize] == file));
        }
    }

    /// Turns change from epoch to epoch, and with them how many rows of a file an epoch has.
    #[test]
    fn no_row_of_a_file_comes_twice_before_all_came_whatever_the_epoch() {
        let rows = rows(&[100, 40, 10]);
        for sampling in [Sampling::RoundRobin, Sampling::Temperature(3.0)] {
            let mut counts = vec![0_usize; 150];
            for epoch in 0..7 {
                let all = batches(&rows, &recipe(sampling), 20, epoch).concat();
                for row in all {
                    counts[row as usize] += 1;
                }
            }
            for file in [&counts[..100], &counts[100..140], &counts[140..]] {
                let (least, most) = (file.iter().min().unwrap(), file.iter().max().unwrap());
                assert!(most - least <= 1, "{sampling:?}: {least} to {most} times");
            }
        }
    }

    #[test]
    fn no_row_comes_twice_before_all_came() {
        let members: Vec<u32> = (5..12).collect();
        let drawn: Vec<u32> = (0..7).flat_map(|epoch| draw(&members, epoch * 3, 3, 1, 0)).collect();
        for round in drawn.chunks(7) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, members);
        }
    }

    #[test]
    fn batches_are_grouped_by_step() {
        let rows = rows(&[45]);
        let steps = steps(&rows, &Recipe { accumulate: 2, ..recipe(Sampling::Proportional) }, 0);
        assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    }
}
