//! Texts that are nearly the same: equal but for capitals and signs, or sharing most of their runs of letters.
//!
//! Candidates are found by minimal hashes (Broder 1997) in bands (Indyk and Motwani 1998), and then compared in truth. It
//! knows texts, and no label or split.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::column::StrColumn;
use super::same;

/// More texts than these are not compared: the card must not keep anybody waiting.
pub(super) const MOST_TEXTS: usize = 200_000;
/// Letters of a run.
const RUN: usize = 5;
/// Share of the runs of both together that are the runs of each, from which on texts are nearly the same (Jaccard).
const ALIKE: f64 = 0.8;
/// A text with fewer runs than these says too little.
const FEWEST_RUNS: usize = 12;
const BANDS: usize = 8;
const ROWS_PER_BAND: usize = 4;
/// Texts of one band that are compared with the first of them at most.
const MOST_IN_BAND: usize = 64;

/// Pairs of rows with different texts that are nearly the same, the earlier row first; each later row once, with the
/// earliest that was found. `None` for more than [`MOST_TEXTS`].
pub(super) fn pairs(texts: &StrColumn) -> Option<Vec<(usize, usize)>> {
    if texts.len() > MOST_TEXTS {
        return None;
    }
    let all: Vec<&str> = texts.iter().map(Option::unwrap_or_default).collect();
    let runs: Vec<Vec<u64>> = all.par_iter().map(|text| runs_of(text)).collect();
    let sketches: Vec<[u64; BANDS]> = runs.par_iter().map(|runs| bands_of(runs)).collect();
    let mut bands: BTreeMap<(usize, u64), Vec<usize>> = BTreeMap::new();
    let telling = sketches.iter().zip(&runs).enumerate().filter(|(_, (_, runs))| runs.len() >= FEWEST_RUNS);
    for (row, (sketch, _)) in telling {
        for (band, hash) in sketch.iter().enumerate() {
            bands.entry((band, *hash)).or_default().push(row);
        }
    }
    let candidates: BTreeSet<(usize, usize)> = bands
        .into_values()
        .filter(|rows| rows.len() > 1)
        .flat_map(|rows| {
            let first = rows.first().copied().unwrap_or_default();
            rows.into_iter().skip(1).take(MOST_IN_BAND).map(move |row| (first, row)).collect::<Vec<_>>()
        })
        .collect();
    let mut found: BTreeMap<usize, usize> = BTreeMap::new();
    for (one, other) in candidates {
        let (Some(a), Some(b)) = (runs.get(one), runs.get(other)) else { continue };
        if all.get(one) != all.get(other) && similarity(a, b) >= ALIKE {
            found.entry(other).or_insert(one);
        }
    }
    Some(found.into_iter().map(|(later, earlier)| (earlier, later)).collect())
}

/// Hashes of the runs of letters and digits, sorted, each once. Capitals and everything between words count for nothing.
fn runs_of(text: &str) -> Vec<u64> {
    let mut letters = Vec::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            letters.extend(c.to_lowercase());
        } else if letters.last().is_some_and(|last| *last != ' ') {
            letters.push(' ');
        }
    }
    if letters.last() == Some(&' ') {
        letters.pop();
    }
    let mut runs: Vec<u64> =
        letters.windows(RUN).map(|run| same::hash(&run.iter().collect::<String>())).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// A hash for each band of minimal hashes.
fn bands_of(runs: &[u64]) -> [u64; BANDS] {
    let mut bands = [0_u64; BANDS];
    for (band, slot) in bands.iter_mut().enumerate() {
        for row in 0..ROWS_PER_BAND {
            let salt = mixed((band * ROWS_PER_BAND + row) as u64 + 1);
            let least = runs.iter().map(|run| mixed(run ^ salt)).min().unwrap_or_default();
            *slot = mixed(*slot ^ least);
        }
    }
    bands
}

/// The finaliser of `SplitMix64` (Steele et al. 2014): every bit of the input moves half of the output's.
const fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Jaccard similarity of two sorted lists.
fn similarity(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut both) = (0, 0, 0_usize);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        both += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    both as f64 / (a.len() + b.len() - both).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_signs_or_a_word_are_found_and_equal_ones_are_not() {
        let texts: StrColumn = [
            "Where is the parcel that I ordered three weeks ago from your shop?",
            "where is the parcel that I ordered three weeks ago from your shop",
            "Where is the parcel that we ordered three weeks ago from your shop?",
            "Please tell me how to change the password of my account, thank you.",
            "Where is the parcel that I ordered three weeks ago from your shop?",
            "ok",
            "OK",
        ]
        .iter()
        .collect();
        let found = pairs(&texts).expect("few texts");
        assert!(found.contains(&(0, 1)), "{found:?}");
        assert!(found.iter().any(|(_, later)| *later == 2), "{found:?}");
        assert!(found.iter().all(|(_, later)| ![3, 5, 6].contains(later)), "{found:?}");
        assert!(!found.contains(&(0, 4)), "the same text is no near duplicate");
    }

    #[test]
    fn the_similarity_is_the_share_of_what_both_have() {
        assert!((similarity(&[1, 2, 3], &[2, 3, 4]) - 0.5).abs() < 1e-9);
        assert_eq!(similarity(&[], &[]), 0.0);
    }
}
