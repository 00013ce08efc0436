//! Token ids of many texts in one allocation.

/// Ids end to end, and how long each text was before it was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSet {
    ids: Vec<u32>,
    /// End of row `i` in `ids`.
    ends: Vec<usize>,
    full_lengths: Vec<u32>,
}

impl TokenSet {
    /// An empty set with room for `rows` texts.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self { ids: Vec::new(), ends: Vec::with_capacity(rows), full_lengths: Vec::with_capacity(rows) }
    }

    /// Appends a text: its ids, and the number it would have uncut.
    pub fn push(&mut self, ids: &[u32], full_length: usize) {
        self.ids.extend_from_slice(ids);
        self.ends.push(self.ids.len());
        self.full_lengths.push(u32::try_from(full_length).unwrap_or(u32::MAX));
    }

    /// Number of texts.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Ids of a text, special tokens included; empty past the end.
    #[must_use]
    pub fn ids(&self, row: usize) -> &[u32] {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(row).and_then(|end| self.ids.get(start..*end)).unwrap_or_default()
    }

    /// Number of ids of a text, as cut.
    #[must_use]
    pub fn len(&self, row: usize) -> usize {
        self.ids(row).len()
    }

    /// Number of ids of every text, as cut: what batches are made from.
    #[must_use]
    pub fn lengths(&self) -> Vec<u32> {
        (0..self.rows()).map(|row| self.len(row) as u32).collect()
    }

    /// Number of ids that every text would have uncut; at least so many where it was not tokenized to its end.
    #[must_use]
    pub fn full_lengths(&self) -> &[u32] {
        &self.full_lengths
    }

    /// True where the end of a text did not fit.
    #[must_use]
    pub fn is_truncated(&self, row: usize) -> bool {
        self.full_lengths.get(row).is_some_and(|full| *full as usize > self.len(row))
    }

    /// Number of texts whose end did not fit.
    #[must_use]
    pub fn truncated_rows(&self) -> usize {
        (0..self.rows()).filter(|row| self.is_truncated(*row)).count()
    }

    /// Ids of all texts together, as cut.
    #[must_use]
    pub fn total_tokens(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_ids_and_remember_what_was_cut() {
        let mut set = TokenSet::with_capacity(3);
        set.push(&[101, 7, 102], 3);
        set.push(&[], 0);
        set.push(&[101, 8, 102], 9);
        assert_eq!((set.ids(0), set.ids(1), set.ids(2)), (&[101, 7, 102][..], &[][..], &[101, 8, 102][..]));
        assert_eq!(set.ids(3), &[] as &[u32]);
        assert_eq!(set.lengths(), [3, 0, 3]);
        assert_eq!([0, 1, 2, 3].map(|row| set.is_truncated(row)), [false, false, true, false]);
        assert_eq!((set.truncated_rows(), set.total_tokens()), (1, 6));
    }
}
