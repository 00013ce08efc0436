//! Which texts are the same, for millions of them: found by sorting hashes, and checked letter by letter.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use icu_normalizer::ComposingNormalizerBorrowed;
use rayon::prelude::*;

use crate::data::dataset::{Dataset, Labels, Split, TaskLabels};
use crate::data::labels::is_invisible;

/// A hash that is the same in every run.
pub(in crate::data) fn hash(text: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(text)
}

/// Hashes and rows in one number each, sorted: the upper bits of a text's hash, and below them its row, so that
/// millions of them are small and quickly sorted.
struct Keys {
    sorted: Vec<u64>,
    /// The bits of the row.
    row: u64,
}

impl Keys {
    /// The keys of so many texts from hashes and rows.
    fn of(rows: usize, hashed: impl ParallelIterator<Item = (u64, usize)>) -> Self {
        let row = (rows as u64).next_power_of_two().saturating_sub(1);
        let mut sorted: Vec<u64> = hashed.map(|(hash, index)| hash & !row | index as u64 & row).collect();
        sorted.par_sort_unstable();
        Self { sorted, row }
    }

    /// The rows, in order, of the hashes that occur more than once. Different texts hardly ever share a hash, but
    /// they may.
    fn repeated(&self) -> impl Iterator<Item = Vec<usize>> {
        let groups = self.sorted.chunk_by(|one, other| one & !self.row == other & !self.row);
        let repeated = groups.filter(|alike| alike.len() > 1);
        repeated.map(|alike| alike.iter().map(|key| (key & self.row) as usize).collect())
    }
}

/// A text without what people do not mean: capitals, the width and form of letters (Unicode's NFKC), what cannot be
/// seen, and how much space is between words. Texts with the same normal form are the same text.
pub(in crate::data) fn normal(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    let single_spaces = || {
        let bytes = text.as_bytes();
        bytes.windows(2).all(|pair| pair != b"  ")
            && bytes.first() != Some(&b' ')
            && bytes.last() != Some(&b' ')
    };
    if text.bytes().all(|byte| is_plain(byte) || byte == b' ') && single_spaces() {
        return Cow::Borrowed(text);
    }
    let mut normal = String::with_capacity(text.len());
    for c in ComposingNormalizerBorrowed::new_nfkc().normalize(text).chars() {
        if c.is_whitespace() {
            if !normal.is_empty() && !normal.ends_with(' ') {
                normal.push(' ');
            }
        } else if !is_invisible(c) {
            normal.extend(c.to_lowercase());
        }
    }
    if normal.ends_with(' ') {
        normal.pop();
    }
    Cow::Owned(normal)
}

/// The rows of every key that occurs more than once, in order; the keys by their first row.
fn groups_of<'a>(rows: usize, key: impl Fn(usize) -> Cow<'a, str> + Sync) -> Vec<Vec<usize>> {
    let keys = Keys::of(rows, (0..rows).into_par_iter().map(|row| (hash(&key(row)), row)));
    let mut groups: Vec<Vec<usize>> = keys.repeated().flat_map(|alike| divided(alike, &key)).collect();
    groups.par_sort_unstable_by_key(|group| group.first().copied());
    groups
}

/// Rows divided by their keys, without those that stand alone.
fn divided<'a>(mut rows: Vec<usize>, key: impl Fn(usize) -> Cow<'a, str>) -> Vec<Vec<usize>> {
    let mut groups = Vec::new();
    while let Some(first) = rows.first().copied() {
        let wanted = key(first);
        let (same, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| key(**row) == wanted);
        if same.len() > 1 {
            groups.push(same);
        }
        rows = others;
    }
    groups
}

/// Rows that share a text, and those that share a pair of texts.
pub(in crate::data) struct SameTexts {
    /// Rows whose texts are the same, for each text that occurs more than once.
    texts: Vec<Vec<usize>>,
    /// The same for pairs, in either order; of rows with a second text alone.
    pairs: Vec<Vec<usize>>,
    /// No task is about a text alone.
    only_pairs: bool,
}

impl SameTexts {
    pub(in crate::data) fn of(dataset: &Dataset) -> Self {
        let texts = groups_of(dataset.rows(), |row| normal(dataset.text(row)));
        let takes_pairs = |task: &TaskLabels| task.kind.takes_pairs();
        let pairs = if dataset.tasks.iter().any(takes_pairs) {
            let pair = |row: usize| {
                let (one, other) = (normal(dataset.text(row)), normal(dataset.second_text(row)));
                let (one, other) = if one <= other { (one, other) } else { (other, one) };
                Cow::Owned(format!("{one}\0{other}"))
            };
            // Whoever shares a pair in this order shares its first text; in the other order it need not be so.
            let mut pairs = groups_of(dataset.rows(), pair);
            pairs.retain(|group| group.iter().any(|row| !dataset.second_text(*row).is_empty()));
            pairs
        } else {
            Vec::new()
        };
        let only_pairs = !dataset.tasks.is_empty() && dataset.tasks.iter().all(takes_pairs);
        Self { texts, pairs, only_pairs }
    }

    /// Rows that a model sees the same of: of pairs where all tasks are about pairs, else of texts.
    pub(in crate::data) fn seen_alike(&self) -> &[Vec<usize>] {
        if self.only_pairs { &self.pairs } else { &self.texts }
    }

    /// The rows of the texts, or pairs, that carry different labels of one task. Numbers may differ by a tenth of the
    /// range of all.
    pub(in crate::data) fn conflicting(&self, task: &TaskLabels) -> Vec<&Vec<usize>> {
        let tolerance = tolerance(task);
        let groups = if task.kind.takes_pairs() { &self.pairs } else { &self.texts };
        groups.iter().filter(|group| disagrees(group, task, tolerance)).collect()
    }

    /// Training rows that say what an earlier one says, text and labels, to the letter.
    pub(in crate::data) fn repeated_rows(&self, dataset: &Dataset) -> Vec<usize> {
        let labels = |row: usize| -> (Vec<Option<String>>, &str) {
            (dataset.tasks.iter().map(|task| task.in_words(row)).collect(), dataset.second_text(row))
        };
        let to_the_letter =
            |group: &Vec<usize>| divided(group.clone(), |row| Cow::Borrowed(dataset.text(row)));
        let mut rows = Vec::new();
        for group in self.texts.iter().flat_map(to_the_letter) {
            let mut seen = BTreeSet::new();
            let training = group.into_iter().filter(|row| dataset.splits.get(*row) == Some(&Split::Train));
            rows.extend(training.filter(|row| !seen.insert(labels(*row))));
        }
        rows.sort_unstable();
        rows
    }
}

/// By how much two numbers of a task may differ and still agree.
fn tolerance(task: &TaskLabels) -> f32 {
    let Labels::Number(numbers) = &task.labels else { return 0.0 };
    let found = || numbers.iter().flatten().copied();
    let (least, most) = (found().min_by(f32::total_cmp), found().max_by(f32::total_cmp));
    (most.unwrap_or_default() - least.unwrap_or_default()) / 10.0
}

fn disagrees(group: &[usize], task: &TaskLabels, tolerance: f32) -> bool {
    match &task.labels {
        Labels::Number(_) => {
            let numbers = || group.iter().filter_map(|row| task.number(*row));
            let (least, most) = (numbers().min_by(f32::total_cmp), numbers().max_by(f32::total_cmp));
            most.zip(least).is_some_and(|(most, least)| most - least > tolerance)
        }
        Labels::Class(_) => {
            let mut classes = group.iter().filter_map(|row| task.class(*row));
            let first = classes.next();
            classes.any(|class| Some(class) != first)
        }
        Labels::Tags(rows) => {
            // Texts that differ in their spaces may be of different words.
            let mut by_words: BTreeMap<usize, &[u32]> = BTreeMap::new();
            let mut tags = group.iter().filter_map(|row| rows.get(*row)?.as_deref());
            tags.any(|tags| *by_words.entry(tags.len()).or_insert(tags) != tags)
        }
        Labels::Classes(_) | Labels::Pair(_) => {
            let labelled = group.iter().filter(|row| task.is_labelled(**row));
            let mut labels = labelled.map(|row| task.in_words(*row));
            let first = labels.next();
            labels.any(|label| Some(label) != first)
        }
    }
}

/// For each text the number of its group, counted from 0 in the order of first rows; and the number of groups. Texts
/// with the same normal form are of one group.
pub(in crate::data) fn numbered(texts: &[&str]) -> (Vec<u32>, usize) {
    let normal: Vec<Cow<str>> = texts.par_iter().map(|text| normal(text)).collect();
    numbered_exactly(&normal.iter().map(Cow::as_ref).collect::<Vec<_>>())
}

fn numbered_exactly(texts: &[&str]) -> (Vec<u32>, usize) {
    let keys = Keys::of(texts.len(), texts.par_iter().enumerate().map(|(row, text)| (hash(text), row)));
    // The first row of the text at each row.
    let mut firsts: Vec<u32> = (0..texts.len() as u32).collect();
    for alike in keys.repeated() {
        let mut met: Vec<usize> = Vec::new();
        for row in alike {
            let text = texts.get(row);
            match met.iter().find(|first| texts.get(**first) == text) {
                Some(first) => {
                    if let Some(slot) = firsts.get_mut(row) {
                        *slot = *first as u32;
                    }
                }
                None => met.push(row),
            }
        }
    }
    drop(keys);
    let mut count = 0;
    for row in 0..firsts.len() {
        let first = firsts.get(row).map_or(row, |first| *first as usize);
        // Rows before this one hold numbers of groups already.
        let number = if first == row {
            count += 1;
            count - 1
        } else {
            firsts.get(first).copied().unwrap_or_default()
        };
        if let Some(slot) = firsts.get_mut(row) {
            *slot = number;
        }
    }
    (firsts, count as usize)
}

/// A character that no person typed: a control character, or the mark of bytes that could not be decoded.
pub(in crate::data) fn is_odd(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || c == '\u{fffd}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_found_in_order() {
        let texts = ["b", "a", "", "b", "c", "a", "b"];
        assert_eq!(groups_of(7, |row| Cow::Borrowed(texts[row])), [vec![0, 3, 6], vec![1, 5]]);
        assert_eq!(numbered(&texts), (vec![0, 1, 2, 0, 3, 1, 0], 4));
        assert_eq!(numbered(&[]), (vec![], 0));
        assert_eq!(numbered(&["B a", "c", "b  A"]), (vec![0, 1, 0], 2));
    }

    #[test]
    fn the_normal_form_leaves_out_case_space_and_form() {
        for (text, normal_form) in [
            ("plain text, as it is", "plain text, as it is"),
            (" Two\t lines\n", "two lines"),
            ("CAFE\u{301} \u{a0}ﬁne", "café fine"),
            ("ｗｉｄｅ\u{200b}", "wide"),
            ("", ""),
            ("C++ or C#?", "c++ or c#?"),
        ] {
            assert_eq!(normal(text), normal_form, "{text:?}");
        }
        assert!(matches!(normal("plain"), Cow::Borrowed(_)));
    }
}
