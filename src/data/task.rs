//! What a task asks of a text: the kinds there are, under the field's own names.

/// What a task predicts, and from what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskKind {
    /// One class per text: softmax and cross-entropy on the sentence embedding.
    #[default]
    SingleLabel,
    /// Any number of classes per text: a sigmoid and binary cross-entropy per class on the sentence embedding.
    MultiLabel,
    /// A number per text: linear regression on the sentence embedding, mean squared error.
    Score,
    /// One class per word (named entities, parts of speech): softmax and cross-entropy on the token states.
    TokenLabels,
    /// A number per pair of texts, learnt by the cosine of their embeddings; no parameters of its own.
    Similarity,
    /// Pairs that belong together, told from all others of the batch (multiple negatives ranking, Henderson et
    /// al. 2017); no parameters of its own.
    Ranking,
}

impl TaskKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::SingleLabel,
        Self::MultiLabel,
        Self::Score,
        Self::TokenLabels,
        Self::Similarity,
        Self::Ranking,
    ];

    /// The name in project files and on the command line.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::SingleLabel => "single-label",
            Self::MultiLabel => "multi-label",
            Self::Score => "score",
            Self::TokenLabels => "token-labels",
            Self::Similarity => "similarity",
            Self::Ranking => "ranking",
        }
    }

    /// The kind of that key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// The one figure that stands for a task of this kind in curves, lists and the choice of the best epoch;
    /// larger is better for all of them.
    #[must_use]
    pub const fn figure(self) -> &'static str {
        match self {
            Self::SingleLabel => "accuracy",
            Self::MultiLabel => "micro F1",
            Self::Score | Self::Similarity => "Spearman",
            Self::TokenLabels => "span F1",
            Self::Ranking => "accuracy@1",
        }
    }

    /// True when a row holds two texts.
    #[must_use]
    pub const fn takes_pairs(self) -> bool {
        matches!(self, Self::Similarity | Self::Ranking)
    }

    /// True when the labels are classes with names.
    #[must_use]
    pub const fn has_classes(self) -> bool {
        matches!(self, Self::SingleLabel | Self::MultiLabel | Self::TokenLabels)
    }

    /// With fewer classes there is nothing to learn.
    #[must_use]
    pub const fn fewest_classes(self) -> usize {
        match self {
            Self::MultiLabel => 1,
            Self::SingleLabel | Self::TokenLabels => 2,
            Self::Score | Self::Similarity | Self::Ranking => 0,
        }
    }

    /// True when the task has parameters of its own.
    #[must_use]
    pub const fn has_head(self) -> bool {
        !self.takes_pairs()
    }
}

/// How a number is told to a model: `target = (number - offset) / factor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The mean of a regression's training numbers; the lowest of a similarity's.
    pub offset: f64,
    /// Their standard deviation; the highest less the lowest.
    pub factor: f64,
}

impl Default for Scale {
    fn default() -> Self {
        Self { offset: 0.0, factor: 1.0 }
    }
}

impl Scale {
    /// A number as the model learns it.
    #[must_use]
    pub fn to_model(self, number: f32) -> f32 {
        ((f64::from(number) - self.offset) / self.factor) as f32
    }

    /// What the model says, as a number of the data.
    #[must_use]
    pub fn to_data(self, target: f32) -> f32 {
        (f64::from(target) * self.factor + self.offset) as f32
    }
}
