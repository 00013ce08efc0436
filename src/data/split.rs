//! Which rows train, validate and test: by the files' names, a column, or a seeded stratified rule.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::dataset::Split;
use super::same;

/// The seed of the split. It is not the run's: runs of several seeds must be measured on the same rows.
pub const SPLIT_SEED: u64 = 1;

/// Parts that are taken for validation and test where nothing says which rows these are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitRule {
    /// Part for validation, 0 to 1.
    pub valid: f64,
    /// Part for test, 0 to 1.
    pub test: f64,
    /// Another seed gives other rows.
    pub seed: u64,
}

impl SplitRule {
    /// True when both are parts and something is left to train on.
    pub(super) fn is_sensible(&self) -> bool {
        let part = 0.0..1.0;
        part.contains(&self.valid) && part.contains(&self.test) && self.valid + self.test < 1.0
    }
}

/// The split that a word names: `train`, `Training`, `dev`, `validation`, `test`, `eval` ...
pub(super) fn split_of_word(word: &str) -> Option<Split> {
    match word.trim().to_lowercase().as_str() {
        "train" | "training" => Some(Split::Train),
        "valid" | "validation" | "dev" | "val" => Some(Split::Valid),
        "test" | "testing" | "eval" | "evaluation" => Some(Split::Test),
        _ => None,
    }
}

/// The split that a file's name says, or its folder's: `train.csv`, `sst2-dev.tsv`, `test-00000-of-00001.csv`,
/// `valid/part1.jsonl`. A name that says two things, such as `train_test.csv`, says nothing.
#[must_use]
pub fn split_of_name(path: &Path) -> Option<Split> {
    let stem = path.file_stem()?.to_string_lossy();
    let mut named = stem
        .split(|c: char| matches!(c, '-' | '.' | '_' | ' ') || c.is_ascii_digit())
        .filter_map(split_of_word)
        .collect::<Vec<_>>();
    named.dedup();
    match named.as_slice() {
        [one] => Some(*one),
        [] => {
            // Of a folder, the whole name must say it: `test` does, `my-test-project` does not.
            let folder = path.parent()?.file_name()?.to_string_lossy();
            split_of_word(folder.trim_end_matches(|c: char| c.is_ascii_digit()))
        }
        _ => None,
    }
}

/// A row that the rule is to place: its text, and its class per task.
pub(super) struct Candidate<'a> {
    pub(super) text: &'a str,
    pub(super) labels: &'a [Option<u32>],
}

/// Places rows by the rule: `split[i]` for `rows[i]`.
///
/// Stratified over all tasks jointly; equal texts stay together; every class keeps at least one text to train
/// on; the same whatever the order of the rows, since a hash of seed and text draws the lots.
pub(super) fn place(rows: &[Candidate], valid: f64, test: f64, seed: u64) -> Vec<Split> {
    if valid <= 0.0 && test <= 0.0 {
        return vec![Split::Train; rows.len()];
    }
    let groups = Groups::of(rows, seed);
    let order = groups.by_stratum_and_lot();
    let kept = groups.kept_for_training();
    let free: Vec<u32> = order.into_iter().filter(|group| !is_set(&kept, *group)).collect();

    let wanted = |part: f64| (part * groups.count as f64).round() as usize;
    let mut of_group = vec![Split::Train; groups.count];
    let mut assign = |chosen: &[u32], split: Split| {
        for group in chosen {
            if let Some(slot) = of_group.get_mut(*group as usize) {
                *slot = split;
            }
        }
    };
    let (tests, rest) = evenly(&free, wanted(test));
    let (valids, _) = evenly(&rest, wanted(valid));
    assign(&tests, Split::Test);
    assign(&valids, Split::Valid);
    groups.of_row.iter().map(|group| of_group.get(*group as usize).copied().unwrap_or(Split::Train)).collect()
}

/// Rows of one text, which stay together.
struct Groups {
    count: usize,
    /// The group of each row.
    of_row: Vec<u32>,
    /// Classes per group and task; where the rows disagree, the smallest, so that their order does not matter.
    labels: Vec<Option<u32>>,
    tasks: usize,
    /// What each group has drawn. No two texts draw the same.
    lots: Vec<[u8; 16]>,
}

impl Groups {
    fn of(rows: &[Candidate], seed: u64) -> Self {
        let texts: Vec<&str> = rows.iter().map(|row| row.text).collect();
        let (of_row, count) = same::numbered(&texts);
        let tasks = rows.first().map_or(0, |row| row.labels.len());
        let mut labels = vec![None; count * tasks];
        let mut first_texts = vec![None; count];
        for (row, group) in rows.iter().zip(&of_row) {
            let start = *group as usize * tasks;
            for (mine, other) in labels.iter_mut().skip(start).zip(row.labels) {
                *mine = mine.iter().chain(other).min().copied();
            }
            if let Some(slot) = first_texts.get_mut(*group as usize) {
                *slot = Some(row.text);
            }
        }
        let lots = first_texts.par_iter().map(|text| lot(seed, text.unwrap_or_default())).collect();
        Self { count, of_row, labels, tasks, lots }
    }

    fn labels_of(&self, group: usize) -> &[Option<u32>] {
        self.labels.get(group * self.tasks..(group + 1) * self.tasks).unwrap_or_default()
    }

    /// All groups, those of equal labels side by side, and among them by their lots.
    fn by_stratum_and_lot(&self) -> Vec<u32> {
        let mut strata: Vec<&[Option<u32>]> =
            (0..self.count).map(|group| self.labels_of(group)).collect::<HashSet<_>>().into_iter().collect();
        strata.sort_unstable();
        let ranks: HashMap<&[Option<u32>], u32> = strata.into_iter().zip(0..).collect();
        let mut keyed: Vec<(u32, [u8; 16], u32)> = self
            .lots
            .iter()
            .zip(0..)
            .map(|(lot, group)| {
                let rank = ranks.get(self.labels_of(group as usize)).copied().unwrap_or_default();
                (rank, *lot, group)
            })
            .collect();
        keyed.par_sort_unstable();
        keyed.into_iter().map(|(_, _, group)| group).collect()
    }

    /// Per class of every task the group with the lowest lot: it stays in train, so that the class can be learnt.
    fn kept_for_training(&self) -> Vec<bool> {
        let mut lowest: HashMap<(usize, u32), usize> = HashMap::new();
        let lot = |group: usize| self.lots.get(group);
        for group in 0..self.count {
            for (task, class) in self.labels_of(group).iter().enumerate() {
                let Some(class) = class else { continue };
                let keeper = lowest.entry((task, *class)).or_insert(group);
                if lot(group) < lot(*keeper) {
                    *keeper = group;
                }
            }
        }
        let keepers: HashSet<usize> = lowest.into_values().collect();
        (0..self.count).map(|group| keepers.contains(&group)).collect()
    }
}

fn is_set(flags: &[bool], group: u32) -> bool {
    flags.get(group as usize).copied().unwrap_or(false)
}

/// `count` of the items, evenly spaced, and the rest: over items sorted by stratum, that is a stratified draw.
fn evenly(items: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let count = count.min(items.len());
    let picked = |index: usize| (index + 1) * count / items.len() > index * count / items.len();
    let (mut chosen, mut rest) = (Vec::with_capacity(count), Vec::with_capacity(items.len() - count));
    for (index, item) in items.iter().enumerate() {
        if picked(index) { chosen.push(*item) } else { rest.push(*item) }
    }
    (chosen, rest)
}

fn lot(seed: u64, text: &str) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(seed.to_le_bytes()).chain_update(text.as_bytes()).finalize();
    let mut lot = [0; 16];
    lot.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
    lot
}

#[cfg(test)]
mod tests;
