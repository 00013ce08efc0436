//! The seeded draw of validation and test rows, stratified over all tasks jointly.
//!
//! It knows texts and classes by number, and nothing of files, columns or names.

use std::cmp::Ordering;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::data::dataset::Split;
use crate::data::duplicates::exact;

/// Rows that are to be placed.
pub(in crate::data) struct Candidates<'a> {
    /// The text of each.
    pub(in crate::data) texts: Vec<&'a str>,
    /// What each belongs to with others that must be in its split, where the user said; blank for nothing.
    pub(in crate::data) groups: Option<Vec<&'a str>>,
    /// Number of tasks.
    pub(in crate::data) tasks: usize,
    /// The class of a row for a task.
    pub(in crate::data) class: &'a (dyn Fn(usize, usize) -> Option<u32> + Sync),
}

/// Places rows by parts for validation and test.
///
/// Stratified over all tasks jointly; equal texts, capitals and spaces aside, stay together; every class keeps at least one text to train
/// on; the same whatever the order of the rows, since a hash of seed and text draws the lots.
pub(in crate::data) fn place(rows: &Candidates, valid: f64, test: f64, seed: u64) -> Vec<Split> {
    if valid <= 0.0 && test <= 0.0 {
        return vec![Split::Train; rows.texts.len()];
    }
    if let Some(names) = &rows.groups {
        return crate::data::split::grouped::place(rows, names, [valid, test], seed);
    }
    let groups = Groups::of(rows, seed);
    let (strata, kept) = groups.strata(rows);
    let mut free = groups.in_order(&strata);
    free.retain(|group| kept.get(*group as usize) == Some(&false));

    let wanted = |part: f64| (part * groups.lots.len() as f64).round() as usize;
    let mut of_group = vec![Split::Train; groups.lots.len()];
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
struct Groups<'a> {
    /// The group of each row.
    of_row: Vec<u32>,
    /// The text of each group.
    texts: Vec<&'a str>,
    /// What each group has drawn; where two texts have drawn the same, the texts themselves decide.
    lots: Vec<u64>,
}

impl<'a> Groups<'a> {
    fn of(rows: &Candidates<'a>, seed: u64) -> Self {
        let (of_row, count) = exact::numbered(&rows.texts);
        let mut texts: Vec<&str> = Vec::with_capacity(count);
        for (text, group) in rows.texts.iter().zip(&of_row) {
            // Groups are numbered in the order of their first rows; the least of the texts stands for all.
            match texts.get_mut(*group as usize) {
                Some(least) => *least = (*least).min(text),
                None => texts.push(text),
            }
        }
        let lots = texts.par_iter().map(|text| lot(seed, text)).collect();
        Self { of_row, texts, lots }
    }

    /// The stratum of each group, and whether it trains in any case: of every class of every task the group with
    /// the lowest lot does, so that the class can be learnt. Strata are numbered in the order of their classes, none
    /// first.
    fn strata(&self, rows: &Candidates) -> (Vec<u32>, Vec<bool>) {
        let by_task: Vec<(Vec<u32>, Vec<u32>)> = (0..rows.tasks)
            .into_par_iter()
            .map(|task| {
                let classes = self.classes(rows, task);
                let keepers = self.keepers(&classes);
                (classes, keepers)
            })
            .collect();
        let mut kept = vec![false; self.lots.len()];
        for group in by_task.iter().flat_map(|(_, keepers)| keepers) {
            if let Some(slot) = kept.get_mut(*group as usize) {
                *slot = true;
            }
        }
        let mut strata = vec![0_u32; self.lots.len()];
        for (classes, _) in by_task {
            finer(&mut strata, &classes);
        }
        (strata, kept)
    }

    /// The class of each group for a task, counted from 1, or 0 where there is none; where its rows disagree, the
    /// smallest, so that their order does not matter.
    fn classes(&self, rows: &Candidates, task: usize) -> Vec<u32> {
        let mut classes = vec![0_u32; self.lots.len()];
        for (row, group) in self.of_row.iter().enumerate() {
            let (Some(mine), Some(class)) = (classes.get_mut(*group as usize), (rows.class)(task, row))
            else {
                continue;
            };
            *mine = if *mine == 0 { class + 1 } else { (class + 1).min(*mine) };
        }
        classes
    }

    /// Per class the group with the lowest lot.
    fn keepers(&self, classes: &[u32]) -> Vec<u32> {
        let count = classes.iter().max().map_or(0, |most| *most as usize + 1);
        let mut lowest: Vec<Option<(u64, u32)>> = vec![None; count];
        for ((class, lot), group) in classes.iter().zip(&self.lots).zip(0..) {
            let Some(keeper) = lowest.get_mut(*class as usize) else { continue };
            let is_lower = keeper.is_none_or(|(lowest, other)| {
                *lot < lowest || *lot == lowest && self.by_lot(group, other) == Ordering::Less
            });
            if is_lower {
                *keeper = Some((*lot, group));
            }
        }
        // The first are those without a class.
        lowest.into_iter().skip(1).flatten().map(|(_, group)| group).collect()
    }

    /// All groups, those of a stratum side by side, and among them by their lots.
    fn in_order(&self, strata: &[u32]) -> Vec<u32> {
        // Each group in one number, the upper bits of its lot above the group's own: small, and quickly sorted.
        let below = (self.lots.len() as u64).next_power_of_two().saturating_sub(1);
        let mut room = vec![0_usize; strata.iter().max().map_or(0, |most| *most as usize + 1)];
        for stratum in strata {
            if let Some(slot) = room.get_mut(*stratum as usize) {
                *slot += 1;
            }
        }
        let mut next = 0;
        let mut places: Vec<usize> = Vec::with_capacity(room.len());
        for count in &room {
            places.push(next);
            next += count;
        }
        let mut keys = vec![0_u64; self.lots.len()];
        for ((lot, stratum), group) in self.lots.iter().zip(strata).zip(0..) {
            let Some(place) = places.get_mut(*stratum as usize) else { continue };
            if let Some(slot) = keys.get_mut(*place) {
                *slot = lot & !below | group;
            }
            *place += 1;
        }
        let mut rest = keys.as_mut_slice();
        let mut slices = Vec::with_capacity(room.len());
        for count in room {
            let Some((slice, behind)) = rest.split_at_mut_checked(count) else { break };
            slices.push(slice);
            rest = behind;
        }
        slices.into_par_iter().for_each(|slice| {
            slice.par_sort_unstable();
            // Where the upper bits are the same, all of them decide.
            for alike in slice.chunk_by_mut(|one, other| one & !below == other & !below) {
                alike
                    .sort_unstable_by(|one, other| self.by_lot((one & below) as u32, (other & below) as u32));
            }
        });
        keys.into_iter().map(|key| (key & below) as u32).collect()
    }

    fn by_lot(&self, one: u32, other: u32) -> Ordering {
        let lot = |group: u32| self.lots.get(group as usize);
        let text = |group: u32| self.texts.get(group as usize);
        lot(one).cmp(&lot(other)).then_with(|| text(one).cmp(&text(other)))
    }
}

/// Divides strata by classes, and numbers them anew in order.
fn finer(strata: &mut [u32], classes: &[u32]) {
    let width = u64::from(classes.iter().max().copied().unwrap_or(0)) + 1;
    let key = |stratum: u32, class: u32| u64::from(stratum) * width + u64::from(class);
    let most = strata.iter().zip(classes).map(|(stratum, class)| key(*stratum, *class)).max().unwrap_or(0);
    if most < DENSE {
        let mut ranks = vec![0_u32; most as usize + 1];
        for (stratum, class) in strata.iter().zip(classes) {
            if let Some(slot) = ranks.get_mut(key(*stratum, *class) as usize) {
                *slot = 1;
            }
        }
        for (slot, rank) in ranks.iter_mut().filter(|slot| **slot == 1).zip(0..) {
            *slot = rank;
        }
        strata.par_iter_mut().zip(classes).for_each(|(stratum, class)| {
            *stratum = ranks.get(key(*stratum, *class) as usize).copied().unwrap_or_default();
        });
        return;
    }
    // Nearly every row has a stratum of its own.
    let mut met: Vec<u64> =
        strata.par_iter().zip(classes).map(|(stratum, class)| key(*stratum, *class)).collect();
    met.par_sort_unstable();
    met.dedup();
    strata.par_iter_mut().zip(classes).for_each(|(stratum, class)| {
        *stratum = met.binary_search(&key(*stratum, *class)).unwrap_or_default() as u32;
    });
}

/// Pairs of strata and classes up to which a table of all of them is kept.
const DENSE: u64 = 1 << 22;

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

/// The first bytes of a digest that is the same everywhere and in every release: a split stays what it is.
pub(super) fn lot(seed: u64, text: &str) -> u64 {
    let digest = Sha256::new_with_prefix(seed.to_le_bytes()).chain_update(text.as_bytes()).finalize();
    let mut lot = [0; 8];
    lot.iter_mut().zip(digest).for_each(|(slot, byte)| *slot = byte);
    u64::from_be_bytes(lot)
}

#[cfg(test)]
mod tests;
