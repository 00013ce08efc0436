//! Which texts are the same, for millions of them: found by sorting hashes, and checked letter by letter.

use std::hash::BuildHasher;

use rayon::prelude::*;

use super::column::StrColumn;

/// A hash that is the same in every run.
pub(super) fn hash(text: &str) -> u64 {
    foldhash::fast::FixedState::default().hash_one(text)
}

/// The rows of every text that occurs more than once, in order; the texts by their first row. Absent cells count as
/// the empty text.
pub(super) fn repeated(texts: &StrColumn) -> Vec<Vec<usize>> {
    let mut keyed: Vec<(u64, u32)> = texts
        .numbered_segments()
        .into_par_iter()
        .flat_map_iter(|(first, segment)| {
            segment.iter().zip(first as u32..).map(|(text, row)| (hash(text.unwrap_or_default()), row))
        })
        .collect();
    keyed.par_sort_unstable();
    let mut groups = Vec::new();
    for alike in keyed.chunk_by(|(one, _), (other, _)| one == other).filter(|alike| alike.len() > 1) {
        let text = |row: usize| texts.get(row).unwrap_or_default();
        let mut rows: Vec<usize> = alike.iter().map(|(_, row)| *row as usize).collect();
        // Different texts hardly ever share a hash, but they may.
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
    let mut keyed: Vec<(u64, u32)> =
        texts.par_iter().zip(0..texts.len() as u32).map(|(text, row)| (hash(text), row)).collect();
    keyed.par_sort_unstable();
    // The first row of the text at each row.
    let mut firsts: Vec<u32> = (0..texts.len() as u32).collect();
    for alike in keyed.chunk_by(|(one, _), (other, _)| one == other).filter(|alike| alike.len() > 1) {
        let mut met: Vec<u32> = Vec::new();
        for (_, row) in alike {
            let text = texts.get(*row as usize);
            match met.iter().find(|first| texts.get(**first as usize) == text) {
                Some(first) => {
                    if let Some(slot) = firsts.get_mut(*row as usize) {
                        *slot = *first;
                    }
                }
                None => met.push(*row),
            }
        }
    }
    drop(keyed);
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
