//! What a model says of rows, per kind of task, and what it is worth.

use super::points::Score;
use super::spans::TagScheme;
use super::task_metrics::TaskMetrics;
use crate::data::task::TaskKind;
use crate::model::heads::HeadSpec;
use crate::train::examples::{LabelledWord, NO_TAG, Targets, UnreadWord, labelled_words};

/// What a model says of some rows for one task: one answer per row, labelled or not.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// Single-label: a softmax over the classes.
    Probabilities {
        /// Number of classes.
        classes: usize,
        /// Row-major `[rows, classes]`.
        values: Vec<f32>,
    },
    /// Multi-label: a sigmoid per class.
    Sigmoids {
        /// Number of classes.
        classes: usize,
        /// Row-major `[rows, classes]`.
        values: Vec<f32>,
    },
    /// Score: a number as the data holds it, so after [`Scale::to_data`](crate::data::task::Scale::to_data).
    Numbers(Vec<f32>),
    /// Similarity: the cosine of the row's two embeddings.
    Cosines(Vec<f32>),
    /// Token labels: the most probable class of every token of every row, as the row's targets are.
    Tags {
        /// Per row a class per token; what is said of tokens without a target is passed over.
        tags: Vec<Vec<u32>>,
        /// Mean cross-entropy over the tokens with a target; 0 where it is not known.
        loss: f64,
    },
    /// Ranking: where the true partner of every pair came.
    Ranks {
        /// Per row the rank from 1, as [`rank_in_pool`](super::rank_in_pool) counts it.
        ranks: Vec<u32>,
        /// Texts in the pool.
        pool: usize,
        /// Mean cross-entropy over the pool; 0 where it is not known.
        loss: f64,
    },
}

impl Predictions {
    /// Rows that were answered.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Probabilities { classes, values } | Self::Sigmoids { classes, values } => {
                values.len().checked_div(*classes).unwrap_or(0)
            }
            Self::Numbers(values) | Self::Cosines(values) => values.len(),
            Self::Tags { tags, .. } => tags.len(),
            Self::Ranks { ranks, .. } => ranks.len(),
        }
    }
}

/// All figures of a task over its labelled rows. Of a kind's answers that do not fit its targets nothing is
/// measured: the figures are those of no row.
#[must_use]
pub fn metrics_of(spec: &HeadSpec, targets: &Targets, predictions: &Predictions) -> TaskMetrics {
    metrics_with_unread(spec, targets, predictions, &[])
}

/// The same, with the labelled words of every row that have no token: they count as missed.
#[must_use]
pub fn metrics_with_unread(
    spec: &HeadSpec,
    targets: &Targets,
    predictions: &Predictions,
    unread: &[Vec<UnreadWord>],
) -> TaskMetrics {
    let task = spec.task.as_str();
    match (targets, predictions) {
        (Targets::Class(labels), Predictions::Probabilities { classes, values }) => {
            let (kept, truth) = labelled(values, *classes, labels);
            TaskMetrics::from_probabilities(task, &spec.classes, &kept, &truth)
        }
        (Targets::Classes(labels), Predictions::Sigmoids { classes, values }) => {
            let (kept, truth) = labelled(values, *classes, labels);
            TaskMetrics::of_sets(task, &spec.classes, &kept, &truth)
        }
        (Targets::Number(labels), Predictions::Numbers(values)) => {
            let (predicted, truth) = labelled(values, 1, labels);
            scaled(TaskMetrics::of_numbers(task, TaskKind::Score, &predicted, &truth), spec)
        }
        (Targets::Number(labels), Predictions::Cosines(values)) => {
            let (cosines, truth) = labelled(values, 1, labels);
            let predicted: Vec<f32> = cosines.into_iter().map(|cosine| spec.scale.to_data(cosine)).collect();
            scaled(TaskMetrics::of_numbers(task, TaskKind::Similarity, &predicted, &truth), spec)
        }
        (Targets::Tags(labels), Predictions::Tags { tags, loss }) => {
            let outside = TagScheme::of(&spec.classes).outside().unwrap_or(NO_TAG);
            let rows = labels.iter().zip(tags).enumerate();
            let rows = rows.filter_map(|(row, (truth, said))| {
                let unread = unread.get(row).map(Vec::as_slice).unwrap_or_default();
                Some(words(truth.as_ref()?, said, unread, outside))
            });
            let (said, truth): (Vec<_>, Vec<_>) = rows.unzip();
            let mut found =
                TaskMetrics { loss: *loss, ..TaskMetrics::of_tags(task, &spec.classes, &said, &truth) };
            if let Some(spans) = &mut found.spans {
                let is_labelled = |row: usize| labels.get(row).is_some_and(Option::is_some);
                let rows = unread.iter().enumerate().filter(|(row, _)| is_labelled(*row));
                spans.unread_words = rows.map(|(_, words)| words.len()).sum();
            }
            found
        }
        (Targets::Pair(pairs), Predictions::Ranks { ranks, pool, loss }) => {
            let kept: Vec<u32> =
                ranks.iter().zip(pairs).filter(|(_, is)| **is == Some(true)).map(|(rank, _)| *rank).collect();
            TaskMetrics::of_ranking(task, &kept, *pool, *loss)
        }
        _ => TaskMetrics::none(task, spec.kind),
    }
}

/// Loss and headline figure of a task, for the curve.
#[must_use]
pub fn score_of(spec: &HeadSpec, targets: &Targets, predictions: &Predictions) -> Score {
    metrics_of(spec, targets, predictions).score()
}

/// The answers of labelled rows, and their labels.
fn labelled<T: Clone>(values: &[f32], width: usize, labels: &[Option<T>]) -> (Vec<f32>, Vec<T>) {
    let mut kept = Vec::new();
    let mut truth = Vec::new();
    for (row, label) in values.chunks_exact(width.max(1)).zip(labels) {
        if let Some(label) = label {
            kept.extend_from_slice(row);
            truth.push(label.clone());
        }
    }
    (kept, truth)
}

/// What the loss is in training: of numbers as they are told to the model.
fn scaled(found: TaskMetrics, spec: &HeadSpec) -> TaskMetrics {
    TaskMetrics { loss: found.loss / spec.scale.factor.powi(2), ..found }
}

/// The labelled words of a row: what is predicted of them, `outside` of those that are not read, and what is true.
fn words(truth: &[u32], said: &[u32], unread: &[UnreadWord], outside: u32) -> (Vec<u32>, Vec<u32>) {
    let words = labelled_words(truth, unread).into_iter().map(|(word, tag)| match word {
        LabelledWord::Token(token) => (said.get(token).copied().unwrap_or(NO_TAG), tag),
        LabelledWord::Unread(_) => (outside, tag),
    });
    words.unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::task::Scale;

    fn spec(kind: TaskKind, classes: &[&str]) -> HeadSpec {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        HeadSpec {
            task: "task".into(),
            kind,
            classes,
            scale: Scale { offset: 2.0, factor: 4.0 },
            hidden_units: None,
        }
    }

    #[test]
    fn only_labelled_rows_are_measured() {
        let found = metrics_of(
            &spec(TaskKind::SingleLabel, &["a", "b"]),
            &Targets::Class(vec![Some(1), None, Some(0)]),
            &Predictions::Probabilities { classes: 2, values: vec![0.1, 0.9, 1.0, 0.0, 0.4, 0.6] },
        );
        assert_eq!((found.rows, found.figure()), (2, 0.5));
        let found = metrics_of(
            &spec(TaskKind::MultiLabel, &["a", "b"]),
            &Targets::Classes(vec![Some(vec![]), None, Some(vec![0, 1])]),
            &Predictions::Sigmoids { classes: 2, values: vec![0.1, 0.2, 1.0, 0.0, 0.9, 0.1] },
        );
        assert_eq!((found.rows, found.accuracy, found.kind), (2, 0.5, TaskKind::MultiLabel));
        let pairs = Targets::Pair(vec![Some(true), Some(false), Some(true)]);
        let ranks = Predictions::Ranks { ranks: vec![1, 1, 3], pool: 3, loss: 0.25 };
        let found = metrics_of(&spec(TaskKind::Ranking, &[]), &pairs, &ranks);
        assert_eq!((found.rows, found.figure(), found.loss), (2, 0.5, 0.25));
    }

    #[test]
    fn numbers_are_the_data_s_and_the_loss_is_training_s() {
        let targets = Targets::Number(vec![Some(6.0), None, Some(2.0)]);
        let score = spec(TaskKind::Score, &[]);
        let found = metrics_of(&score, &targets, &Predictions::Numbers(vec![6.0, 0.0, 4.0]));
        let numbers = found.numbers.unwrap();
        assert_eq!((found.rows, numbers.mae, found.loss), (2, 1.0, 2.0 / 16.0));
        let similarity = spec(TaskKind::Similarity, &[]);
        let found = score_of(&similarity, &targets, &Predictions::Cosines(vec![1.0, 0.0, 0.5]));
        assert_eq!((found.rows, found.figure, found.loss), (2, 1.0, 0.125), "0.5 stands for 4");
    }

    #[test]
    fn tags_are_those_of_words() {
        let entities = spec(TaskKind::TokenLabels, &["B-X", "I-X", "O"]);
        let targets = Targets::Tags(vec![Some(vec![NO_TAG, 0, NO_TAG, 1, NO_TAG]), None]);
        let said = Predictions::Tags { tags: vec![vec![2, 0, 2, 1, 0], vec![0]], loss: 0.5 };
        let found = metrics_of(&entities, &targets, &said);
        assert_eq!((found.rows, found.figure(), found.loss, found.accuracy), (1, 1.0, 0.5, 1.0));
    }

    /// Nothing is predicted of words without a token: their entities are missed, and one that is read in part is not
    /// found from end to end.
    #[test]
    fn labelled_words_that_are_not_read_count_as_missed() {
        let entities = spec(TaskKind::TokenLabels, &["B-X", "I-X", "O"]);
        let targets = Targets::Tags(vec![Some(vec![NO_TAG, 0, 2, 0, NO_TAG]), None, Some(vec![0])]);
        let said = Predictions::Tags { tags: vec![vec![2, 0, 2, 0, 2], vec![0], vec![0]], loss: 0.0 };
        let unread = |word, tag, before| UnreadWord { word, tag, before };
        let rows = [
            // One entity is cut in two, one lies beyond, and a word in the middle has no token.
            vec![unread(1, 2, 1), unread(4, 1, 3), unread(5, 2, 3), unread(6, 0, 3)],
            vec![unread(1, 0, 1)],
            vec![],
        ];
        let found = metrics_with_unread(&entities, &targets, &said, &rows);
        let spans = found.spans.unwrap();
        assert_eq!((spans.words, spans.unread_words, spans.entities), (8, 4, 4));
        assert_eq!((spans.precision, spans.recall), (2.0 / 3.0, 0.5));
        assert_eq!(found.accuracy, 6.0 / 8.0, "two of the words that are not read are labelled O");
        let without = metrics_of(&entities, &targets, &said).spans.unwrap();
        assert_eq!((without.words, without.unread_words, without.recall), (4, 0, 1.0));
    }

    #[test]
    fn answers_of_another_kind_measure_nothing() {
        let found = metrics_of(
            &spec(TaskKind::Score, &[]),
            &Targets::Number(vec![Some(1.0)]),
            &Predictions::Probabilities { classes: 1, values: vec![1.0] },
        );
        assert_eq!((found.rows, found.kind, found.figure()), (0, TaskKind::Score, 0.0));
    }
}
