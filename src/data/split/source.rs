//! Who says of a row which split it is in: the user, a column, a file's name, or else the seeded draw.
//!
//! It must never know a file or a cell; the names of splits are read elsewhere.

use std::collections::BTreeSet;

use super::SplitRule;
use super::stratified;
use super::stratified::Candidates;
use crate::data::column::StrColumn;
use crate::data::dataset::{Dataset, Split};

/// Who said of a row which split it is in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::data) enum Said {
    Nothing,
    /// The user, for the whole file.
    Chosen(Split),
    Column(Split),
    Name(Split),
}

impl Said {
    const fn split(self) -> Option<Split> {
        match self {
            Self::Nothing => None,
            Self::Chosen(split) | Self::Column(split) | Self::Name(split) => Some(split),
        }
    }
}

/// Gives every row its split, and says how in a sentence.
pub(in crate::data) fn decide_splits(
    dataset: &mut Dataset,
    said: &[Said],
    groups: &StrColumn,
    rule: &SplitRule,
) -> String {
    let mut said = said.to_vec();
    let has = |said: &[Said], split| said.iter().any(|s| s.split() == Some(split));
    let undecided = said.contains(&Said::Nothing);
    let by_name_only = said.iter().all(|s| matches!(s, Said::Nothing | Said::Name(_)));
    // A lone file called test.csv, opened to be trained on: its name is no reason to refuse it.
    let names_passed_over = by_name_only && !undecided && !has(&said, Split::Train);
    if names_passed_over {
        said.fill(Said::Nothing);
    }

    let (valid_given, test_given) = (has(&said, Split::Valid), has(&said, Split::Test));
    // Where validation rows are given, the rest was meant for training, and no test rows are taken from it.
    let valid = if valid_given { 0.0 } else { rule.valid };
    let test = if valid_given || test_given { 0.0 } else { rule.test };
    let no_train = said.iter().all(|s| matches!(s.split(), Some(Split::Valid | Split::Test)));
    let mut splits: Vec<Split> = said.iter().map(|s| s.split().unwrap_or(Split::Train)).collect();
    if valid > 0.0 || test > 0.0 {
        draw_from(dataset, groups, &mut splits, &said, [valid, test], rule.seed);
    }
    dataset.splits = splits;
    let together = if groups.is_empty() { "equal texts" } else { "rows of one group, and equal texts," };
    let how = format!("drawn by seed {} in proportion to the classes, {together} kept together", rule.seed);
    let note = sentence(&said, no_train, valid, test, &how);
    if names_passed_over {
        return format!("No file is named as training data, so the names are passed over. {note}");
    }
    note
}

/// Draws validation and test rows from those that nothing else is said of than that they may train.
fn draw_from<'a>(
    dataset: &'a Dataset,
    groups: &'a StrColumn,
    splits: &mut [Split],
    said: &[Said],
    [valid, test]: [f64; 2],
    seed: u64,
) {
    let is_pool = |said: &Said| matches!(said.split(), None | Some(Split::Train));
    let pool: Vec<u32> = said.iter().zip(0..).filter(|(said, _)| is_pool(said)).map(|(_, row)| row).collect();
    let of_pool = |cells: &'a StrColumn| -> Vec<&'a str> {
        let cells = cells.iter().zip(said).filter(|(_, said)| is_pool(said));
        cells.map(|(cell, _)| cell.unwrap_or_default()).collect()
    };
    let texts = of_pool(&dataset.texts);
    let groups = (!groups.is_empty()).then(|| of_pool(groups));
    // Of several classes the first: as good a share of each as one number per row can give.
    let class = |task: usize, place: usize| dataset.tasks.get(task)?.first_class(*pool.get(place)? as usize);
    let candidates = Candidates { texts, groups, tasks: dataset.tasks.len(), class: &class };
    for (row, split) in pool.iter().zip(stratified::place(&candidates, valid, test, seed)) {
        if let Some(slot) = splits.get_mut(*row as usize) {
            *slot = split;
        }
    }
}

fn sentence(said: &[Said], no_train: bool, valid: f64, test: f64, how: &str) -> String {
    let mut sources = BTreeSet::new();
    for s in said {
        match s {
            Said::Nothing => {}
            Said::Chosen(_) => drop(sources.insert("as you chose per file")),
            Said::Column(_) => drop(sources.insert("by the split column")),
            Said::Name(_) => drop(sources.insert("by the files' names")),
        }
    }
    let given = sources.into_iter().collect::<Vec<_>>().join(" and ");
    let percent = |part: f64| format!("{} %", (part * 1000.0).round() / 10.0);
    let drawn = match (valid > 0.0, test > 0.0) {
        (true, true) => format!("{} for validation and {} for test", percent(valid), percent(test)),
        (true, false) => format!("{} for validation", percent(valid)),
        (false, true) => format!("{} for test", percent(test)),
        (false, false) => String::new(),
    };
    match (given.is_empty(), drawn.is_empty()) {
        (true, true) => "All rows are training rows.".to_owned(),
        (true, false) => format!("{drawn} {how}; the rest trains."),
        (false, _) if no_train => format!("Rows are split {given}; none of them trains."),
        (false, true) if said.contains(&Said::Nothing) => {
            format!("Rows are split {given}; rows that nothing is said of train.")
        }
        (false, true) => format!("Rows are split {given}."),
        (false, false) => format!("Rows are split {given}; of the training rows, {drawn} {how}."),
    }
}
