//! Which rows train, validate and test: by the files' names, a column, or a seeded stratified rule.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::dataset::Split;

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
    pub(super) labels: Vec<Option<u32>>,
}

/// Rows of one text, which stay together.
struct Group<'a> {
    /// Classes per task; where the rows disagree, the smallest, so that their order does not matter.
    labels: Vec<Option<u32>>,
    order: [u8; 16],
    rows: Vec<usize>,
    text: &'a str,
}

/// Places rows by the rule: `split[i]` for `rows[i]`.
///
/// Stratified over all tasks jointly; equal texts stay together; every class keeps at least one text to train
/// on; the same whatever the order of the rows, since a hash of seed and text draws the lots.
pub(super) fn place(rows: &[Candidate], valid: f64, test: f64, seed: u64) -> Vec<Split> {
    if valid <= 0.0 && test <= 0.0 {
        return vec![Split::Train; rows.len()];
    }
    let mut groups = groups(rows, seed);
    groups.sort_by(|a, b| (&a.labels, a.order, a.text).cmp(&(&b.labels, b.order, b.text)));
    let kept = kept_for_training(&groups);
    let free: Vec<usize> = (0..groups.len()).filter(|index| !kept.contains(index)).collect();

    let wanted = |part: f64| (part * groups.len() as f64).round() as usize;
    let tests = evenly(&free, wanted(test));
    let rest: Vec<usize> = free.iter().copied().filter(|index| tests.binary_search(index).is_err()).collect();
    let valids = evenly(&rest, wanted(valid));

    let mut splits = vec![Split::Train; rows.len()];
    let mut assign = |chosen: &[usize], split: Split| {
        for row in chosen.iter().filter_map(|index| groups.get(*index)).flat_map(|group| &group.rows) {
            if let Some(slot) = splits.get_mut(*row) {
                *slot = split;
            }
        }
    };
    assign(&tests, Split::Test);
    assign(&valids, Split::Valid);
    splits
}

fn groups<'a>(rows: &[Candidate<'a>], seed: u64) -> Vec<Group<'a>> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(rows.len());
    let mut groups: Vec<Group> = Vec::new();
    for (row, candidate) in rows.iter().enumerate() {
        let place = *places.entry(candidate.text).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => {
                group.rows.push(row);
                for (mine, other) in group.labels.iter_mut().zip(&candidate.labels) {
                    *mine = mine.iter().chain(other).min().copied();
                }
            }
            None => groups.push(Group {
                labels: candidate.labels.clone(),
                order: lot(seed, candidate.text),
                rows: vec![row],
                text: candidate.text,
            }),
        }
    }
    groups
}

/// Per class of every task the group with the lowest lot: it stays in train, so that the class can be learnt.
fn kept_for_training(groups: &[Group]) -> BTreeSet<usize> {
    let mut lowest: BTreeMap<(usize, u32), usize> = BTreeMap::new();
    for (index, group) in groups.iter().enumerate() {
        for (task, class) in group.labels.iter().enumerate() {
            let Some(class) = class else { continue };
            let keeper = lowest.entry((task, *class)).or_insert(index);
            if groups.get(*keeper).is_some_and(|other| (group.order, group.text) < (other.order, other.text))
            {
                *keeper = index;
            }
        }
    }
    lowest.into_values().collect()
}

/// `count` of the items, evenly spaced: over items sorted by stratum, that is a stratified draw.
fn evenly(items: &[usize], count: usize) -> Vec<usize> {
    let count = count.min(items.len());
    let picked = |index: usize| (index + 1) * count / items.len() > index * count / items.len();
    items.iter().enumerate().filter(|(index, _)| picked(*index)).map(|(_, item)| *item).collect()
}

fn lot(seed: u64, text: &str) -> [u8; 16] {
    let digest = Sha256::new_with_prefix(seed.to_le_bytes()).chain_update(text.as_bytes()).finalize();
    let mut lot = [0; 16];
    lot.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
    lot
}

#[cfg(test)]
mod tests;
