//! Figures of training rows while they are trained on: of the epoch's own predictions, by the definitions of the figures on
//! validation rows. Counts add up over batches, and numbers that are to be ranked are kept until the epoch ends.
//!
//! The one that cannot be computed so is a ranking's: a batch is not the pool of an evaluation. It has a name of its own,
//! see [`training_key`](crate::train::metrics::training_key).

use tch::{Kind, Tensor};

use crate::data::task::TaskKind;
use crate::model::ModelError;
use crate::model::device::upload;
use crate::train::examples::{NO_LABEL, NO_TAG};
use crate::train::metrics::{TagScheme, spearman};
use crate::train::plan::PlannedTask;

/// What a batch shows of a task's predictions. The values are still on the device, so that nothing waits for them.
pub(in crate::train) struct Shown {
    /// One dimension; what they mean, the truth says.
    pub(in crate::train) values: Tensor,
    truth: Truth,
}

/// What the host knows of the rows.
enum Truth {
    /// So many labels; the value is how many of them the predictions got right.
    Labels(u64),
    /// So many classes that the rows have; the values are how many of them are predicted, and how many are in all.
    Sets(u64),
    /// The labelled words of each row, each with its class and whether it has a token; a value per word with a token is
    /// its most probable class.
    Words(Vec<Vec<(bool, u32)>>),
    /// The numbers of the data; a value per row is what is predicted, as the model learns it.
    Numbers(Vec<f32>),
}

impl Shown {
    /// Of `labels` labels the predictions got `right` right, a scalar.
    pub(in crate::train) fn right(right: &Tensor, labels: usize) -> Result<Self, ModelError> {
        Ok(Self { values: right.f_detach()?.f_view([1])?, truth: Truth::Labels(labels as u64) })
    }

    /// Logits `[n, classes]` against classes `[n]`, of which so many are labelled.
    pub(in crate::train) fn classes(
        logits: &Tensor,
        targets: &Tensor,
        labels: usize,
    ) -> Result<Self, ModelError> {
        let right = logits.f_detach()?.f_argmax(-1, false)?.f_eq_tensor(targets)?.f_sum(Kind::Float)?;
        Self::right(&right, labels)
    }

    /// Logits `[n, classes]` against zeros and ones, of which so many are ones.
    pub(in crate::train) fn sets(logits: &Tensor, targets: &Tensor, ones: usize) -> Result<Self, ModelError> {
        let predicted = logits.f_detach()?.f_gt(0.0)?.f_to_kind(Kind::Float)?;
        let both = predicted.f_mul(targets)?.f_sum(Kind::Float)?;
        let values = Tensor::f_stack(&[both, predicted.f_sum(Kind::Float)?], 0)?;
        Ok(Self { values, truth: Truth::Sets(ones as u64) })
    }

    /// Logits `[n, classes]` of all tokens against their classes; `words` are the same by rows, without tokens that have
    /// none, and with the labelled words that have no token.
    pub(in crate::train) fn words(
        logits: &Tensor,
        tags: &[i64],
        words: Vec<Vec<(bool, u32)>>,
    ) -> Result<Self, ModelError> {
        let labelled = (0..).zip(tags).filter(|(_, tag)| **tag != NO_LABEL).map(|(token, _)| token);
        let labelled = upload(&labelled.collect::<Vec<i64>>(), logits.device())?;
        let values = logits.f_detach()?.f_argmax(-1, false)?.f_index_select(0, &labelled)?;
        Ok(Self { values, truth: Truth::Words(words) })
    }

    /// Predicted numbers `[n]` as the model learns them, and those of the data.
    pub(in crate::train) fn numbers(predicted: &Tensor, wanted: Vec<f32>) -> Result<Self, ModelError> {
        Ok(Self { values: predicted.f_detach()?, truth: Truth::Numbers(wanted) })
    }

    /// What it comes to, from its values as they were read.
    pub(in crate::train) fn tally(&self, task: &PlannedTask, values: &mut dyn Iterator<Item = f64>) -> Tally {
        let mut count = || values.next().unwrap_or(f64::NAN) as u64;
        match &self.truth {
            Truth::Labels(labels) => Tally { right: count(), labelled: *labels, ..Tally::default() },
            Truth::Sets(labelled) => {
                Tally { right: count(), predicted: count(), labelled: *labelled, ..Tally::default() }
            }
            Truth::Words(rows) => {
                let scheme = TagScheme::of(&task.classes);
                let mut tally = Tally::default();
                for words in rows {
                    // No class stands outside of all entities: a word that is not read counts as missed.
                    let said = |(is_read, _): &(bool, u32)| if *is_read { count() as u32 } else { NO_TAG };
                    let predicted: Vec<u32> = words.iter().map(said).collect();
                    let truth: Vec<u32> = words.iter().map(|(_, tag)| *tag).collect();
                    tally.add_spans(&scheme, &predicted, &truth);
                }
                tally
            }
            Truth::Numbers(wanted) => {
                let predicted = |wanted: &f32| {
                    let told = values.next().unwrap_or(f64::NAN) as f32;
                    (task.scale.to_data(told), *wanted)
                };
                Tally { numbers: wanted.iter().map(predicted).collect(), ..Tally::default() }
            }
        }
    }
}

/// What is known of a task's predictions on some rows: enough for its figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Labels that are predicted: rows, classes of rows or entities, by the kind of task.
    pub right: u64,
    /// Classes or entities that are predicted.
    pub predicted: u64,
    /// Labels that there are.
    pub labelled: u64,
    /// What is predicted and what is true, of kinds that predict a number.
    pub numbers: Vec<(f32, f32)>,
    /// Whether some of the rows are missing: those before a checkpoint of an earlier release.
    pub in_part: bool,
}

impl Tally {
    /// Adds the entities of a row, from the classes of its words.
    fn add_spans(&mut self, scheme: &TagScheme, predicted: &[u32], truth: &[u32]) {
        let (predicted, truth) = (scheme.spans(predicted), scheme.spans(truth));
        self.right += truth.iter().filter(|span| predicted.contains(span)).count() as u64;
        self.predicted += predicted.len() as u64;
        self.labelled += truth.len() as u64;
    }

    /// Takes further rows in.
    pub(in crate::train) fn add(&mut self, more: Self) {
        self.right += more.right;
        self.predicted += more.predicted;
        self.labelled += more.labelled;
        self.numbers.extend(more.numbers);
        self.in_part |= more.in_part;
    }

    /// The figure of a kind of task; NaN where it is not known.
    #[must_use]
    pub fn figure(&self, kind: TaskKind) -> f64 {
        let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        match kind {
            TaskKind::SingleLabel | TaskKind::Ranking => ratio(self.right, self.labelled),
            _ if self.in_part => f64::NAN,
            TaskKind::MultiLabel | TaskKind::TokenLabels => {
                ratio(2 * self.right, self.labelled + self.predicted)
            }
            TaskKind::Score | TaskKind::Similarity => {
                let both = self.numbers.iter().map(|(p, t)| (f64::from(*p), f64::from(*t)));
                let (predicted, truth): (Vec<f64>, Vec<f64>) = both.unzip();
                spearman(&predicted, &truth)
            }
        }
    }

    /// The same of a single step, of which one row has no rank among others.
    #[must_use]
    pub fn step_figure(&self, kind: TaskKind) -> f64 {
        if matches!(kind, TaskKind::Score | TaskKind::Similarity) && self.numbers.len() < 2 {
            return f64::NAN;
        }
        self.figure(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::heads::HeadSpec;
    use crate::train::examples::{Targets, UnreadWord};
    use crate::train::metrics::{Predictions, metrics_of, metrics_with_unread};

    fn task(kind: TaskKind, classes: &[&str]) -> PlannedTask {
        let classes = classes.iter().map(|class| (*class).to_owned()).collect();
        PlannedTask { name: "task".into(), kind, classes, ..PlannedTask::default() }
    }

    /// The figure of several batches together, each with its values.
    fn running(task: &PlannedTask, batches: &[Shown]) -> f64 {
        let mut all = Tally::default();
        for batch in batches {
            let values = Vec::<f64>::try_from(batch.values.to_kind(Kind::Double)).unwrap();
            all.add(batch.tally(task, &mut values.into_iter()));
        }
        all.figure(task.kind)
    }

    fn evaluated(task: &PlannedTask, targets: &Targets, predictions: &Predictions) -> f64 {
        let spec: HeadSpec = task.head(None);
        metrics_of(&spec, targets, predictions).figure()
    }

    #[test]
    fn entities_add_up_to_the_figure_of_the_validation_and_tokens_do_not() {
        let task = task(TaskKind::TokenLabels, &["B-X", "I-X", "O"]);
        let truth = [vec![0, 1, 2, 2], vec![2, 0, 2, 2], vec![2, 2, 2, 2]];
        // The first entity is found in part only, the second whole; one is predicted where there is none.
        let predicted = [vec![0, 2, 2, 2], vec![2, 0, 2, 2], vec![2, 2, 0, 2]];
        let logits = |row: &[u32]| {
            let one_hot =
                row.iter().flat_map(|tag| (0..3).map(move |class| f32::from(u8::from(class == *tag))));
            Tensor::from_slice(&one_hot.collect::<Vec<_>>()).view([-1, 3])
        };
        // A special token in front of every row has no class.
        let batch = |rows: std::ops::Range<usize>| {
            let (mut tags, mut all) = (Vec::new(), Vec::new());
            for row in rows.clone() {
                tags.push(NO_LABEL);
                tags.extend(truth[row].iter().map(|tag| i64::from(*tag)));
                all.push(1);
                all.extend(&predicted[row]);
            }
            let words = |row: &Vec<u32>| row.iter().map(|tag| (true, *tag)).collect();
            Shown::words(&logits(&all), &tags, truth[rows].iter().map(words).collect()).unwrap()
        };
        let figure = running(&task, &[batch(0..1), batch(1..3)]);
        let with_special = |row: &Vec<u32>, first: u32| [&[first], row.as_slice()].concat();
        let targets = Targets::Tags(truth.iter().map(|row| Some(with_special(row, NO_TAG))).collect());
        let tags = predicted.iter().map(|row| with_special(row, 1)).collect();
        assert_eq!(figure, evaluated(&task, &targets, &Predictions::Tags { tags, loss: 0.0 }));
        assert_eq!(figure, 0.4, "one of two entities, three predicted; ten of twelve tokens are right");
    }

    #[test]
    fn an_entity_that_is_cut_off_is_missed_in_training_as_in_validation() {
        let task = task(TaskKind::TokenLabels, &["B-X", "I-X", "O"]);
        // Both words with a token are found; the end of the first entity and all of the second lie beyond the cut.
        let words = vec![(true, 2), (true, 0), (false, 1), (false, 2), (false, 0)];
        let logits = Tensor::from_slice(&[0.0_f32, 0.0, 1.0, 1.0, 0.0, 0.0]).view([-1, 3]);
        let figure = running(&task, &[Shown::words(&logits, &[2, 0], vec![words]).unwrap()]);
        let unread = |word, tag| UnreadWord { word, tag, before: 2 };
        let unread = [vec![unread(2, 1), unread(3, 2), unread(4, 0)]];
        let targets = Targets::Tags(vec![Some(vec![2, 0])]);
        let said = Predictions::Tags { tags: vec![vec![2, 0]], loss: 0.0 };
        assert_eq!(figure, metrics_with_unread(&task.head(None), &targets, &said, &unread).figure());
        assert_eq!(figure, 0.0, "neither entity is found from end to end");
    }

    #[test]
    fn scores_are_ranked_over_the_epoch_and_not_batch_by_batch() {
        let task = task(TaskKind::Score, &[]);
        // Within each batch the order is perfect, and across them it is not.
        let (predicted, truth) = ([[0.1_f32, 0.2], [0.0, 0.05]], [[1.0_f32, 2.0], [3.0, 4.0]]);
        let batch =
            |at: usize| Shown::numbers(&Tensor::from_slice(&predicted[at]), truth[at].to_vec()).unwrap();
        let figure = running(&task, &[batch(0), batch(1)]);
        let targets = Targets::Number(truth.concat().into_iter().map(Some).collect());
        assert_eq!(figure, evaluated(&task, &targets, &Predictions::Numbers(predicted.concat())));
        assert!((figure + 0.6).abs() < 1e-12, "{figure}");
        let one = Tally { numbers: vec![(1.0, 1.0)], ..Tally::default() };
        assert!(one.step_figure(TaskKind::Score).is_nan(), "one row has no rank");
    }

    #[test]
    fn sets_are_counted_over_the_epoch_and_not_batch_by_batch() {
        let task = task(TaskKind::MultiLabel, &["a", "b"]);
        let logits = [[1.0_f32, -1.0], [1.0, 1.0], [-1.0, -1.0]];
        let truth = [[1.0_f32, 0.0], [0.0, 1.0], [1.0, 1.0]];
        let batch = |rows: std::ops::Range<usize>| {
            let ones = truth[rows.clone()].concat().iter().filter(|one| **one > 0.0).count();
            let matrix = |rows: &[[f32; 2]]| Tensor::from_slice(&rows.concat()).view([-1, 2]);
            Shown::sets(&matrix(&logits[rows.clone()]), &matrix(&truth[rows]), ones).unwrap()
        };
        let figure = running(&task, &[batch(0..1), batch(1..3)]);
        let targets = Targets::Classes(vec![Some(vec![0]), Some(vec![1]), Some(vec![0, 1])]);
        let values = logits.concat().iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
        assert_eq!(figure, evaluated(&task, &targets, &Predictions::Sigmoids { classes: 2, values }));
        assert_eq!(figure, 4.0 / 7.0);
    }

    #[test]
    fn what_an_earlier_release_left_out_is_not_made_up() {
        let half = Tally { right: 3, predicted: 4, labelled: 4, in_part: true, ..Tally::default() };
        assert_eq!(half.figure(TaskKind::SingleLabel), 0.75);
        assert!(half.figure(TaskKind::TokenLabels).is_nan() && half.figure(TaskKind::Score).is_nan());
    }
}
