//! How many labelled rows each file gives to each task, by split. It knows rows, not how they were read.

use std::path::PathBuf;

use rayon::prelude::*;

use super::coverage::LeftOut;
use crate::data::dataset::Dataset;

/// What one file gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCounts {
    /// The file.
    pub path: PathBuf,
    /// Its rows in train, valid, test.
    pub rows: [usize; 3],
    /// What of it was left out, in words.
    pub left_out: Option<String>,
    /// Per task of the data set: its labelled rows in train, valid, test.
    pub labelled: Vec<[usize; 3]>,
}

/// Counts of every file, in the order of the data set's files.
#[must_use]
pub fn by_source(dataset: &Dataset) -> Vec<SourceCounts> {
    let rows = count(dataset, |_| true);
    let labelled: Vec<Vec<[usize; 3]>> =
        dataset.tasks.par_iter().map(|task| count(dataset, |row| task.is_labelled(row))).collect();
    let of_file = |index: usize| labelled.iter().filter_map(|task| task.get(index).copied()).collect();
    let sources = dataset.files.iter().zip(rows).enumerate();
    sources
        .map(|(index, (path, rows))| {
            let left_out = dataset.left_out.get(index).and_then(LeftOut::in_words);
            SourceCounts { path: path.clone(), rows, left_out, labelled: of_file(index) }
        })
        .collect()
}

/// Per file: the rows that count, in train, valid, test.
fn count(dataset: &Dataset, counts: impl Fn(usize) -> bool) -> Vec<[usize; 3]> {
    let mut found = vec![[0; 3]; dataset.files.len()];
    for (row, ((file, _), split)) in dataset.origins.iter().zip(&dataset.splits).enumerate() {
        if let Some(file) = found.get_mut(*file as usize).filter(|_| counts(row)) {
            file[*split as usize] += 1;
        }
    }
    found
}
