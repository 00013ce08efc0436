//! The draw where rows of one author, document ... must stay together: whole groups are dealt out.
//!
//! Like the draw of texts it is stratified over all tasks jointly and the same whatever the order of the rows; since
//! groups are of many sizes, they are dealt one by one, the largest first, each to the split whose counts come nearest
//! to what they should be by it (the greedy rule of Sechidis et al. 2011, for groups of rows).

use std::collections::BTreeMap;

use super::stratified::{Candidates, lot};
use crate::data::dataset::Split;
use crate::data::duplicates::exact;

/// Rows of a group by class of every task; the first counts all of its rows.
type Counts = BTreeMap<(usize, u32), f64>;

/// What is counted of rows whatever their labels.
const ALL_ROWS: (usize, u32) = (usize::MAX, 0);

/// Places rows so that equal names, and equal texts, are in one split. A blank name is none.
pub(in crate::data::split) fn place(
    rows: &Candidates,
    names: &[&str],
    [valid, test]: [f64; 2],
    seed: u64,
) -> Vec<Split> {
    let of_row = joined(rows, names);
    let groups = of_row.iter().max().map_or(0, |most| *most as usize + 1);
    let mut counts: Vec<Counts> = vec![Counts::new(); groups];
    // What a group is called by: the least of its texts, whatever the order of the rows.
    let mut least: Vec<Option<&str>> = vec![None; groups];
    let mut totals = Counts::new();
    for ((row, group), text) in of_row.iter().enumerate().zip(&rows.texts) {
        let classes = (0..rows.tasks).filter_map(|task| Some((task, (rows.class)(task, row)?)));
        for key in classes.chain([ALL_ROWS]) {
            *totals.entry(key).or_default() += 1.0;
            if let Some(counts) = counts.get_mut(*group as usize) {
                *counts.entry(key).or_default() += 1.0;
            }
        }
        if let Some(least) = least.get_mut(*group as usize) {
            *least = Some(least.map_or(*text, |known| known.min(text)));
        }
    }
    let size = |group: usize| counts.get(group).and_then(|counts| counts.get(&ALL_ROWS)).copied();
    let mut order: Vec<usize> = (0..groups).collect();
    order.sort_by_cached_key(|group| {
        let text = least.get(*group).copied().flatten().unwrap_or_default();
        (std::cmp::Reverse(size(*group).unwrap_or_default() as u64), lot(seed, text), text)
    });

    let mut dealt: [Counts; 3] = Default::default();
    let mut of_group = vec![Split::Train; groups];
    for group in order {
        let Some(mine) = counts.get(group) else { continue };
        let split = nearest(mine, &dealt, &totals, [1.0 - valid - test, valid, test]);
        if let Some(dealt) = dealt.get_mut(split as usize) {
            for (key, count) in mine {
                *dealt.entry(*key).or_default() += count;
            }
        }
        if let Some(slot) = of_group.get_mut(group) {
            *slot = split;
        }
    }
    of_row.iter().map(|group| of_group.get(*group as usize).copied().unwrap_or(Split::Train)).collect()
}

/// The split whose distance from its shares falls most, or grows least, where it takes a group; of equal ones the
/// first.
fn nearest(group: &Counts, dealt: &[Counts; 3], totals: &Counts, parts: [f64; 3]) -> Split {
    let growth = |split: Split| -> f64 {
        let (dealt, part) = (dealt.get(split as usize), parts.get(split as usize).copied().unwrap_or(0.0));
        if part <= 0.0 {
            return f64::INFINITY;
        }
        let of_key = |(key, count): (&(usize, u32), &f64)| {
            let has = dealt.and_then(|dealt| dealt.get(key)).copied().unwrap_or(0.0);
            let total = totals.get(key).copied().unwrap_or(1.0);
            // The square of the distance from the wanted count, as a part of the class.
            let distance = |rows: f64| ((rows - part * total) / total).powi(2);
            distance(has + count) - distance(has)
        };
        group.iter().map(of_key).sum()
    };
    let mut splits = Split::ALL.into_iter().map(|split| (growth(split), split));
    let first = splits.next().unwrap_or((0.0, Split::Train));
    splits.fold(first, |best, next| if next.0 < best.0 { next } else { best }).1
}

/// The group of each row: rows of one name or of one text are in one, and so are those that are joined by others.
fn joined(rows: &Candidates, names: &[&str]) -> Vec<u32> {
    let (by_text, texts) = exact::numbered(&rows.texts);
    // Names and texts are nodes, and a row joins its two.
    let mut named: BTreeMap<&str, u32> = BTreeMap::new();
    let mut parent: Vec<u32> = (0..texts as u32).collect();
    for (name, text) in names.iter().zip(&by_text).filter(|(name, _)| !name.is_empty()) {
        let next = parent.len() as u32;
        let node = *named.entry(name).or_insert(next);
        if node == next {
            parent.push(node);
        }
        let (one, other) = (root(&mut parent, node), root(&mut parent, *text));
        if let Some(slot) = parent.get_mut(one.max(other) as usize) {
            *slot = one.min(other);
        }
    }
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    by_text
        .into_iter()
        .map(|text| {
            let next = numbers.len() as u32;
            *numbers.entry(root(&mut parent, text)).or_insert(next)
        })
        .collect()
}

/// The node that stands for a node's group; the way there is halved.
fn root(parent: &mut [u32], node: u32) -> u32 {
    let mut node = node;
    while let Some(above) = parent.get(node as usize).copied().filter(|above| *above != node) {
        let next = parent.get(above as usize).copied().unwrap_or(above);
        if let Some(slot) = parent.get_mut(node as usize) {
            *slot = next;
        }
        node = next;
    }
    node
}
