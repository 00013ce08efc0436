//! Which texts are the same, for millions of them: found by sorting hashes, and checked letter by letter.

use std::hash::BuildHasher;

use rayon::prelude::*;

use super::column::StrColumn;

/// A hash that is the same in every run.
pub(super) fn hash(text: &str) -> u64 {
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

/// The rows of every text that occurs more than once, in order; the texts by their first row. Absent cells count as
/// the empty text.
pub(super) fn repeated(texts: &StrColumn) -> Vec<Vec<usize>> {
    let hashed = texts.numbered_segments().into_par_iter().flat_map_iter(|(first, segment)| {
        segment.iter().zip(first..).map(|(text, row)| (hash(text.unwrap_or_default()), row))
    });
    let keys = Keys::of(texts.len(), hashed);
    let text = |row: usize| texts.get(row).unwrap_or_default();
    let mut groups = Vec::new();
    for mut rows in keys.repeated() {
        while let Some(first) = rows.first().copied() {
            let (same, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| text(**row) == text(first));
            if same.len() > 1 {
                groups.push(same);
            }
            rows = others;
        }
    }
    groups.par_sort_unstable_by_key(|group| group.first().copied());
    groups
}

/// For each text the number of its group, counted from 0 in the order of first rows; and the number of groups.
pub(super) fn numbered(texts: &[&str]) -> (Vec<u32>, usize) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_found_in_order() {
        let texts = ["b", "a", "", "b", "c", "a", "b"];
        let column: StrColumn = texts.iter().collect();
        assert_eq!(repeated(&column), [vec![0, 3, 6], vec![1, 5]]);
        assert_eq!(numbered(&texts), (vec![0, 1, 2, 0, 3, 1, 0], 4));
        assert_eq!(numbered(&[]), (vec![], 0));
    }
}
