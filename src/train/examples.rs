//! Rows as the loop reads them: token ids, and per task what it is told of each.

use tch::{Device, Tensor};

use crate::model::ModelError;
use crate::model::device::upload;
use crate::text::token_set::TokenSet;

/// The class index that `cross_entropy` leaves out.
pub const NO_LABEL: i64 = -100;

/// A token that carries no tag: a special token, or the second and later pieces of a word.
pub const NO_TAG: u32 = u32::MAX;

/// What a task is told of every row; `None` where a row is not annotated for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Single-label: the class.
    Class(Vec<Option<u32>>),
    /// Multi-label: the classes, sorted; none of them is an annotation too.
    Classes(Vec<Option<Vec<u32>>>),
    /// Score and similarity: the number, as the data holds it.
    Number(Vec<Option<f32>>),
    /// Token labels: a class, or [`NO_TAG`], for every token of the row as cut.
    Tags(Vec<Option<Vec<u32>>>),
    /// Ranking: whether the row's two texts belong together. The second text of two that do not is a hard negative.
    Pair(Vec<Option<bool>>),
}

impl Default for Targets {
    fn default() -> Self {
        Self::Class(Vec::new())
    }
}

impl Targets {
    /// True where a row is annotated: is learnt from and measured. Two texts that do not belong together are not asked
    /// for each other.
    #[must_use]
    pub fn is_labelled(&self, row: usize) -> bool {
        match self {
            Self::Class(labels) => labels.get(row).is_some_and(Option::is_some),
            Self::Classes(labels) | Self::Tags(labels) => labels.get(row).is_some_and(Option::is_some),
            Self::Number(labels) => labels.get(row).is_some_and(Option::is_some),
            Self::Pair(labels) => labels.get(row).copied().flatten().unwrap_or(false),
        }
    }

    /// Labels of a row: tags of its tokens where they are tagged, else one or none.
    #[must_use]
    pub fn labels(&self, row: usize) -> usize {
        match self {
            Self::Tags(labels) => labels
                .get(row)
                .and_then(Option::as_ref)
                .map_or(0, |tags| tags.iter().filter(|tag| **tag != NO_TAG).count()),
            _ => usize::from(self.is_labelled(row)),
        }
    }

    /// The single class of a row.
    #[must_use]
    pub fn class(&self, row: usize) -> Option<u32> {
        match self {
            Self::Class(labels) => labels.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// The classes of a single-label task; nothing for other kinds.
    #[must_use]
    pub fn classes(&self) -> &[Option<u32>] {
        match self {
            Self::Class(labels) => labels,
            _ => &[],
        }
    }
}

/// The rows of one split.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examples {
    /// Token ids of the (first) text of every row, as cut.
    pub tokens: TokenSet,
    /// Token ids of the second text of every row; no rows at all where no task takes pairs.
    pub second: TokenSet,
    /// Per task what it is told.
    pub targets: Vec<Targets>,
    /// Per row the file it came from, for sampling over files; empty when all are of one.
    pub sources: Vec<u32>,
    /// Per task of token labels and per row the labelled words that have no token. Nothing is trained on them, so they
    /// are no part of the fingerprint.
    pub unread: Vec<Vec<Vec<UnreadWord>>>,
}

/// A labelled word that has no token in its row: it lies beyond the maximum length, or the tokenizer leaves nothing of
/// it. A model cannot find it, so it counts as missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnreadWord {
    /// Index of the word in the text.
    pub word: u32,
    /// Its class.
    pub tag: u32,
    /// Labelled words with a token that stand before it.
    pub before: u32,
}

/// Where a labelled word is found in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelledWord {
    /// It begins at this token.
    Token(usize),
    /// It has no token; this is its index in the text.
    Unread(usize),
}

/// The labelled words of a row with their classes, in the order of the text: `tags` are of its tokens.
#[must_use]
pub fn labelled_words(tags: &[u32], unread: &[UnreadWord]) -> Vec<(LabelledWord, u32)> {
    let mut unread = unread.iter().peekable();
    let mut words = Vec::new();
    let read = tags.iter().enumerate().filter(|(_, tag)| **tag != NO_TAG);
    for (before, (token, tag)) in (0..).zip(read) {
        while let Some(word) = unread.next_if(|word| word.before <= before) {
            words.push((LabelledWord::Unread(word.word as usize), word.tag));
        }
        words.push((LabelledWord::Token(token), *tag));
    }
    words.extend(unread.map(|word| (LabelledWord::Unread(word.word as usize), word.tag)));
    words
}

impl Examples {
    /// Tells whether two runs have the same rows: SHA-256 over ids and targets, in hexadecimal, and over files where
    /// what is drawn depends on them.
    #[must_use]
    pub fn fingerprint(&self, with_sources: bool) -> String {
        use sha2::{Digest as _, Sha256};
        let mut digest = Sha256::new();
        for tokens in [&self.tokens, &self.second] {
            digest.update(tokens.rows().to_le_bytes());
            for row in 0..tokens.rows() {
                digest.update(tokens.len(row).to_le_bytes());
                tokens.ids(row).iter().for_each(|id| digest.update(id.to_le_bytes()));
            }
        }
        let sources = self.sources.iter().filter(|_| with_sources);
        sources.for_each(|source| digest.update(source.to_le_bytes()));
        for targets in &self.targets {
            match targets {
                // As it was written before there were hard negatives: runs without any can be resumed.
                Targets::Pair(labels) if !labels.contains(&Some(false)) => {
                    let pairs: Vec<bool> = labels.iter().map(Option::is_some).collect();
                    digest.update(format!("Pair({pairs:?})"));
                }
                _ => digest.update(format!("{targets:?}")),
            }
        }
        format!("{:x}", digest.finalize())
    }

    /// Whether pairs are labelled as not belonging together: hard negatives.
    #[must_use]
    pub fn has_negatives(&self) -> bool {
        let is_negative =
            |targets: &Targets| matches!(targets, Targets::Pair(labels) if labels.contains(&Some(false)));
        self.targets.iter().any(is_negative)
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.rows()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labelled words of a task that have no token, per row; nothing where there are none.
    #[must_use]
    pub fn unread(&self, task: usize) -> &[Vec<UnreadWord>] {
        self.unread.get(task).map(Vec::as_slice).unwrap_or_default()
    }

    /// Rows of which a text was cut at the maximum length.
    #[must_use]
    pub fn truncated_rows(&self) -> usize {
        let is_cut = |row: &usize| self.tokens.is_truncated(*row) || self.second.is_truncated(*row);
        (0..self.len()).filter(is_cut).count()
    }

    /// Texts in all: the first one of every row, then, where tasks take pairs, the second one of every row.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.tokens.rows() + self.second.rows()
    }

    /// Token ids of some texts, numbered as [`texts`](Self::texts) counts them.
    #[must_use]
    pub fn text_ids(&self, texts: &[u32]) -> Vec<&[u32]> {
        let ids = |text: &u32| {
            let text = *text as usize;
            text.checked_sub(self.len()).map_or_else(|| self.tokens.ids(text), |row| self.second.ids(row))
        };
        texts.iter().map(ids).collect()
    }

    /// Tokens of every text, numbered as [`texts`](Self::texts) counts them.
    #[must_use]
    pub fn text_lengths(&self) -> Vec<u32> {
        let mut lengths = self.tokens.lengths();
        lengths.extend(self.second.lengths());
        lengths
    }

    /// Tokens of every row, both texts together: what batches are made from.
    #[must_use]
    pub fn lengths(&self) -> Vec<u32> {
        let mut lengths = self.tokens.lengths();
        for (length, second) in lengths.iter_mut().zip(self.second.lengths()) {
            *length += second;
        }
        lengths
    }

    /// Token ids of the first texts of some rows.
    #[must_use]
    pub fn ids(&self, rows: &[u32]) -> Vec<&[u32]> {
        rows.iter().map(|row| self.tokens.ids(*row as usize)).collect()
    }

    /// Labels of some rows for a task, int64 `[rows]` with [`NO_LABEL`] where there is none, and how many there are.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn class_targets(
        &self,
        task: usize,
        rows: &[u32],
        device: Device,
    ) -> Result<(Tensor, usize), ModelError> {
        let labels = self.targets.get(task).map(Targets::classes).unwrap_or_default();
        let label = |row: &u32| labels.get(*row as usize).copied().flatten().map_or(NO_LABEL, i64::from);
        let targets: Vec<i64> = rows.iter().map(label).collect();
        let labelled = targets.iter().filter(|target| **target != NO_LABEL).count();
        Ok((upload(&targets, device)?, labelled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checkpoints hold it: what earlier versions computed must stay what it was.
    #[test]
    fn the_fingerprint_is_the_one_it_always_was() {
        let mut tokens = TokenSet::default();
        tokens.push(&[2, 7, 3], 3);
        tokens.push(&[2, 9, 8, 3], 6);
        let targets = vec![
            Targets::Class(vec![Some(1), None]),
            Targets::Pair(vec![Some(true), None]),
            Targets::Tags(vec![Some(vec![NO_TAG, 0, NO_TAG]), None]),
        ];
        let rows = Examples { tokens, targets, ..Examples::default() };
        assert_eq!(
            rows.fingerprint(true),
            "152e699611fed65720e1ffaa9a8db7b0b9901991aa6aa47cd154201dfe605a2d"
        );
        let of_files = Examples { sources: vec![0, 1], ..rows.clone() };
        assert_eq!(
            of_files.fingerprint(false),
            rows.fingerprint(true),
            "files say nothing where none is drawn from"
        );
        assert_ne!(of_files.fingerprint(true), rows.fingerprint(true));
        let negatives = Targets::Pair(vec![Some(true), Some(false)]);
        let negatives = Examples { targets: vec![negatives], ..rows.clone() };
        let pairs = Examples { targets: vec![Targets::Pair(vec![Some(true), None])], ..rows };
        assert_ne!(negatives.fingerprint(true), pairs.fingerprint(true));
        assert!(negatives.has_negatives() && !pairs.has_negatives());
    }
}
