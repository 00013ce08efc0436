//! Which rows train, validate and test: by the files' names, a column, or a seeded stratified rule.

mod grouped;
pub(in crate::data) mod source;
pub(in crate::data) mod stratified;

use std::path::Path;

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

#[cfg(test)]
mod tests;
