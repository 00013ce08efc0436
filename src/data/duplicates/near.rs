//! Texts that are nearly the same: equal but for signs, or sharing most of their runs of letters.
//!
//! Two texts are near when the Jaccard similarity of their runs is 0.8 or more, or their runs are the same. Candidates
//! are found by minimal hashes (Broder 1997) in bands (Indyk and Motwani 1998), and then compared in truth. All of it
//! depends on the texts alone: neither on their order nor on how often each occurs. It knows texts, and no label.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::exact;
use crate::data::dataset::Dataset;
use crate::random;

/// More texts than these are not compared: the card must not keep anybody waiting.
pub(in crate::data) const MOST_TEXTS: usize = 200_000;
/// Letters of a run.
const RUN: usize = 5;
/// Share of the runs of both together that are the runs of each, from which on texts are nearly the same (Jaccard).
const ALIKE: f64 = 0.8;
/// A text with fewer runs than these says too little.
const FEWEST_RUNS: usize = 12;
/// Letters of a text that are looked at.
const LONGEST: usize = 1 << 22;
/// Runs of a text that are kept before repeats among them are dropped.
const FIRST_ROOM: usize = 1 << 16;
const BANDS: usize = 8;
const ROWS_PER_BAND: usize = 4;
/// Texts of one band that are all compared with each other. Of more, each is compared with as many of those next to
/// it when they are sorted by their hashes.
const MOST_IN_BAND: usize = 64;

/// Which splits hold a text that is nearly a row's, but not the same: a bit for each, `1 << split`.
pub(in crate::data) type Near = Vec<u8>;

/// Rows with the same runs, and the same second text.
struct Node<'a> {
    runs: &'a [u64],
    sketch: [u64; BANDS],
    second: &'a str,
    rows: Vec<usize>,
}

/// For every row the splits in which a text is nearly the same. `None` for more than [`MOST_TEXTS`].
pub(in crate::data) fn of(dataset: &Dataset) -> Option<Near> {
    let rows = dataset.rows();
    if rows > MOST_TEXTS {
        return None;
    }
    let normal: Vec<Cow<str>> =
        (0..rows).into_par_iter().map(|row| exact::normal(dataset.text(row))).collect();
    // The same text next to another one is another pair.
    let second: Vec<Cow<str>> =
        (0..rows).into_par_iter().map(|row| exact::normal(dataset.second_text(row))).collect();
    let runs: Vec<Vec<u64>> = normal.par_iter().map(|text| runs_of(text)).collect();
    let mut by_runs: BTreeMap<(&[u64], &str), Vec<usize>> = BTreeMap::new();
    for (row, (runs, second)) in runs.iter().zip(&second).enumerate() {
        if runs.len() >= FEWEST_RUNS {
            by_runs.entry((runs, second)).or_default().push(row);
        }
    }
    let nodes: Vec<Node> = by_runs
        .into_par_iter()
        .map(|((runs, second), rows)| Node { runs, sketch: bands_of(runs), second, rows })
        .collect();
    let bit = |row: usize| dataset.splits.get(row).map_or(0, |split| 1_u8 << *split as u8);
    let splits: Vec<u8> =
        nodes.iter().map(|node| node.rows.iter().fold(0, |all, row| all | bit(*row))).collect();
    let mut near_nodes = vec![0_u8; nodes.len()];
    for (one, other) in edges(&nodes) {
        for (here, there) in [(one, other), (other, one)] {
            if let (Some(near), Some(splits)) = (near_nodes.get_mut(here), splits.get(there)) {
                *near |= splits;
            }
        }
    }
    let mut near = vec![0_u8; rows];
    for (node, from_others) in nodes.iter().zip(near_nodes) {
        let mut met: [Met; 3] = Default::default();
        for row in &node.rows {
            let split = dataset.splits.get(*row).map_or(0, |split| *split as usize);
            if let (Some(met), Some(normal)) = (met.get_mut(split), normal.get(*row)) {
                met.take(dataset.text(*row), normal);
            }
        }
        for row in &node.rows {
            let (Some(near), Some(normal)) = (near.get_mut(*row), normal.get(*row)) else { continue };
            let own = bit(*row);
            let other_in = |met: &Met, bit: u8| {
                if bit == own { met.differs_from_text(dataset.text(*row)) } else { met.differs_from(normal) }
            };
            let from_own = met.iter().zip([1, 2, 4]).filter(|(met, bit)| other_in(met, *bit));
            *near = from_own.fold(from_others, |all, (_, bit)| all | bit);
        }
    }
    Some(near)
}

/// The texts of one split that have the same runs: the first of them, and whether there is another. In different splits
/// texts of one normal form are a leak, which is reported as such.
#[derive(Default)]
struct Met<'a> {
    text: Option<&'a str>,
    normal: Option<&'a str>,
    other_text: bool,
    other_normal: bool,
}

impl<'a> Met<'a> {
    fn take(&mut self, text: &'a str, normal: &'a str) {
        self.other_text |= *self.text.get_or_insert(text) != text;
        self.other_normal |= *self.normal.get_or_insert(normal) != normal;
    }

    fn differs_from_text(&self, text: &str) -> bool {
        self.other_text || self.text.is_some_and(|known| known != text)
    }

    fn differs_from(&self, normal: &str) -> bool {
        self.other_normal || self.normal.is_some_and(|known| known != normal)
    }
}

/// Pairs of nodes that are nearly the same.
fn edges(nodes: &[Node]) -> Vec<(usize, usize)> {
    let mut bands: BTreeMap<(usize, u64, u64), Vec<usize>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let second = exact::hash(node.second);
        for (band, hash) in node.sketch.iter().enumerate() {
            bands.entry((band, *hash, second)).or_default().push(index);
        }
    }
    let mut candidates: Vec<(usize, usize)> = bands
        .into_values()
        .collect::<Vec<_>>()
        .into_par_iter()
        .flat_map_iter(|band| pairs_of(band, nodes))
        .collect();
    candidates.par_sort_unstable();
    candidates.dedup();
    let is_near = |(one, other): &(usize, usize)| {
        let (Some(one), Some(other)) = (nodes.get(*one), nodes.get(*other)) else { return false };
        one.second == other.second && similarity(one.runs, other.runs) >= ALIKE
    };
    candidates.into_par_iter().filter(is_near).collect()
}

/// The pairs of a band that are compared. Nodes are in the order of their runs, so that it is the same whatever the
/// order of the rows.
fn pairs_of(mut band: Vec<usize>, nodes: &[Node]) -> Vec<(usize, usize)> {
    if band.len() > MOST_IN_BAND {
        band.sort_by_key(|index| nodes.get(*index).map(|node| (node.sketch, *index)));
    }
    let reach = if band.len() > MOST_IN_BAND { MOST_IN_BAND / 4 } else { MOST_IN_BAND };
    let mut pairs = Vec::new();
    for (at, one) in band.iter().enumerate() {
        let next = band.iter().skip(at + 1).take(reach);
        pairs.extend(next.map(|other| (*one.min(other), *one.max(other))));
    }
    pairs
}

/// Hashes of the runs of letters and digits of a normal form, sorted, each once. What is between words counts for
/// nothing, nor does what is behind the first [`LONGEST`] letters.
fn runs_of(text: &str) -> Vec<u64> {
    let mut runs = Vec::with_capacity(text.len().min(FIRST_ROOM));
    let mut room = FIRST_ROOM;
    let (mut window, mut run) = ([' '; RUN], String::with_capacity(4 * RUN));
    for (number, letter) in (1..=LONGEST).zip(letters_of(text)) {
        window.rotate_left(1);
        if let Some(last) = window.last_mut() {
            *last = letter;
        }
        if number < RUN {
            continue;
        }
        run.clear();
        run.extend(window);
        runs.push(exact::hash(&run));
        // A long text has few runs that are not in it many times: no more room than for those.
        if runs.len() == room {
            runs.sort_unstable();
            runs.dedup();
            room = room.max(2 * runs.len());
        }
    }
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// Letters and digits, and a single space between words.
fn letters_of(text: &str) -> impl Iterator<Item = char> {
    let (mut any, mut gap) = (false, false);
    text.chars().flat_map(move |c| {
        let is_letter = c.is_alphanumeric();
        let space = (is_letter && gap && any).then_some(' ');
        (any, gap) = (any || is_letter, !is_letter);
        space.into_iter().chain(is_letter.then_some(c))
    })
}

/// A hash for each band of minimal hashes.
fn bands_of(runs: &[u64]) -> [u64; BANDS] {
    let mut bands = [0_u64; BANDS];
    for (band, slot) in bands.iter_mut().enumerate() {
        for row in 0..ROWS_PER_BAND {
            let salt = random::mix((band * ROWS_PER_BAND + row) as u64 + 1, 1);
            let least = runs.iter().map(|run| random::mix(run ^ salt, 1)).min().unwrap_or_default();
            *slot = random::mix(*slot ^ least, 1);
        }
    }
    bands
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
    use crate::data::dataset::Split;

    const TEXTS: [&str; 8] = [
        "Where is the parcel that I ordered three weeks ago from your shop?",
        "where is the parcel that I ordered three weeks ago from your shop",
        "Where is the parcel that we ordered three weeks ago from your shop?",
        "Please tell me how to change the password of my account, thank you.",
        "Where is the parcel that I ordered three weeks ago from your shop?",
        "WHERE is the parcel that I ordered three weeks ago from your shop?",
        "ok",
        "OK",
    ];

    fn found(order: &[usize], splits: [Split; 8]) -> Vec<u8> {
        let dataset = Dataset {
            texts: order.iter().map(|row| TEXTS[*row]).collect(),
            splits: order.iter().map(|row| splits[*row]).collect(),
            ..Dataset::default()
        };
        let near = of(&dataset).expect("few texts");
        // By the row of `TEXTS`, whatever the order.
        (0..8).map(|row| near[order.iter().position(|at| *at == row).unwrap()]).collect()
    }

    #[test]
    fn texts_that_differ_in_signs_or_a_word_are_found_and_equal_ones_are_not() {
        assert_eq!(found(&[0, 1, 2, 3, 4, 5, 6, 7], [Split::Train; 8]), [1, 1, 1, 0, 1, 1, 0, 0]);
        // In another split the same text, capitals aside, is a leak and no near duplicate.
        let (train, test) = (Split::Train, Split::Test);
        let splits = [train, train, train, train, test, test, train, train];
        assert_eq!(found(&[0, 1, 2, 3, 4, 5, 6, 7], splits), [1, 5, 5, 0, 5, 5, 0, 0]);
        let alone = Dataset {
            texts: TEXTS[..1].iter().chain(&TEXTS[4..6]).collect(),
            splits: vec![train, test, test],
            ..Dataset::default()
        };
        assert_eq!(of(&alone).expect("few"), [0, 4, 4]);
    }

    #[test]
    fn what_is_near_does_not_depend_on_the_order() {
        let (train, valid, test) = (Split::Train, Split::Valid, Split::Test);
        let splits = [train, valid, train, test, test, train, valid, train];
        let expected = found(&[0, 1, 2, 3, 4, 5, 6, 7], splits);
        for order in [[7, 6, 5, 4, 3, 2, 1, 0], [4, 2, 0, 6, 1, 3, 5, 7], [2, 5, 7, 1, 0, 4, 6, 3]] {
            assert_eq!(found(&order, splits), expected, "{order:?}");
        }
        // More texts than are all compared with each other.
        let texts: Vec<String> = (0..300)
            .map(|number| {
                format!("the order {number:03} of our customer has not arrived at its address so far")
            })
            .collect();
        let near = |texts: Vec<&String>| {
            let splits = vec![train; texts.len()];
            let near = of(&Dataset { texts: texts.iter().collect(), splits, ..Dataset::default() }).unwrap();
            texts.into_iter().cloned().zip(near).collect::<BTreeMap<String, u8>>()
        };
        let forward = near(texts.iter().collect());
        assert_eq!(forward, near(texts.iter().rev().collect()));
        assert!(forward.values().all(|near| *near == 1), "{forward:?}");
    }

    #[test]
    fn the_same_text_next_to_another_one_is_another_pair() {
        let second = ["yes", "no", "Yes "];
        let dataset = Dataset {
            texts: TEXTS[..3].iter().collect(),
            second: second.iter().collect(),
            splits: vec![Split::Train; 3],
            ..Dataset::default()
        };
        assert_eq!(of(&dataset).expect("few"), [1, 0, 1]);
    }

    #[test]
    fn runs_are_those_of_the_letters_and_take_no_more_room_than_there_are() {
        let plain = |text: &str| {
            let letters: Vec<char> = letters_of(text).collect();
            let runs = letters.windows(RUN).map(|run| exact::hash(&run.iter().collect::<String>()));
            runs.collect::<std::collections::BTreeSet<u64>>().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(letters_of(" -- one, two--3 ").collect::<String>(), "one two 3");
        for text in ["", "four", "fives", "one, two; three -- 4?", "Grüße, 東京 und ελλάδα"] {
            assert_eq!(runs_of(text), plain(text), "{text}");
        }
        let long = "ab cd ".repeat(1 << 18);
        let runs = runs_of(&long);
        assert_eq!(runs, plain(&long));
        assert!(runs.capacity() <= FIRST_ROOM, "{}", runs.capacity());
    }

    #[test]
    fn the_similarity_is_the_share_of_what_both_have() {
        assert!((similarity(&[1, 2, 3], &[2, 3, 4]) - 0.5).abs() < 1e-9);
        assert_eq!(similarity(&[], &[]), 0.0);
    }
}
