//! The loss of each kind of task on a batch: which of its rows are labelled, what the head predicts for them, and what
//! that costs.

use std::collections::{HashMap, HashSet};

use tch::{Device, Tensor};

use super::examples::{Examples, LabelledWord, NO_LABEL, NO_TAG, Targets, labelled_words};
use super::run::loss::{LossRules, TaskLoss, cosine, numbers, ranking};
use super::run::running_figures::Shown;
use crate::data::task::TaskKind;
use crate::model::ModelError;
use crate::model::batch::TokenBatch;
use crate::model::device::upload;
use crate::model::heads::Head;
use crate::model::layers::dropout::with_masks;
use crate::random::mix;

/// The texts of some rows as the heads read them.
pub(super) struct Encoded {
    /// Sentence embeddings, `[texts, embedding]`.
    pub(super) pooled: Tensor,
    /// Per row the index of its first text among them.
    pub(super) first: Vec<i64>,
    /// Per row the index of its second text, where it has one.
    pub(super) second: Vec<Option<i64>>,
    /// Token states, first texts first; `None` where only sentence embeddings are read.
    pub(super) states: Option<(Tensor, TokenBatch)>,
}

impl Encoded {
    /// The sentence embeddings of several batches together, without the graphs that led to them.
    pub(super) fn joined(batches: &[Self]) -> Result<Self, ModelError> {
        let (mut first, mut second, mut texts) = (Vec::new(), Vec::new(), 0);
        for batch in batches {
            first.extend(batch.first.iter().map(|text| text + texts));
            second.extend(batch.second.iter().map(|text| text.map(|text| text + texts)));
            texts += batch.texts();
        }
        let pooled: Vec<&Tensor> = batches.iter().map(|batch| &batch.pooled).collect();
        Ok(Self { pooled: Tensor::f_cat(&pooled, 0)?.f_detach()?, first, second, states: None })
    }

    /// Number of texts.
    pub(super) fn texts(&self) -> i64 {
        self.pooled.size().first().copied().unwrap_or(0)
    }
}

/// A task and the batch that its loss is computed on.
pub(super) struct TaskBatch<'a> {
    pub(super) task: usize,
    pub(super) head: &'a Head,
    /// Dropout before the head.
    pub(super) dropout: f64,
    pub(super) rules: &'a LossRules,
    pub(super) targets: &'a Targets,
    pub(super) train: &'a Examples,
    /// Rows of the batch, among those of `train`.
    pub(super) rows: &'a [u32],
    /// Rows of the step before them, and its seed.
    pub(super) start: usize,
    pub(super) seed: u64,
    pub(super) encoded: &'a Encoded,
}

impl TaskBatch<'_> {
    /// The task's mean loss over the labels of the batch, what it shows of the predictions, and the number of labels;
    /// `None` without any.
    pub(super) fn loss(&self) -> Result<Option<TaskLoss>, ModelError> {
        let found = match self.head.spec.kind {
            TaskKind::SingleLabel => self.single_label()?,
            TaskKind::MultiLabel => self.multi_label()?,
            TaskKind::TokenLabels => self.token_labels()?,
            TaskKind::Score => self.score()?,
            TaskKind::Similarity => self.similarity()?,
            TaskKind::Ranking => self.ranking()?,
        };
        Ok(found.map(|(loss, shown, labelled)| TaskLoss { loss, shown, labelled }))
    }

    fn single_label(&self) -> Result<Option<Found>, ModelError> {
        let (targets, labelled) = self.train.class_targets(self.task, self.rows, self.device())?;
        if labelled == 0 {
            return Ok(None);
        }
        let all: Vec<usize> = (0..self.rows.len()).collect();
        let logits = self.predict(&all)?;
        let shown = Shown::classes(&logits, &targets, labelled)?;
        Ok(Some((self.rules.classes(self.task, &logits, &targets)?, shown, labelled)))
    }

    fn multi_label(&self) -> Result<Option<Found>, ModelError> {
        let Targets::Classes(labels) = self.targets else { return Ok(None) };
        let classes = self.head.spec.outputs();
        let (places, sets) = self.labelled(|row| labels.get(row)?.as_ref());
        if places.is_empty() {
            return Ok(None);
        }
        let is_in = |set: &&Vec<u32>, class: u32| f32::from(u8::from(set.contains(&class)));
        let ones: Vec<f32> =
            sets.iter().flat_map(|set| (0..classes as u32).map(move |class| is_in(set, class))).collect();
        let targets = upload(&ones, self.device())?.f_view([places.len() as i64, classes as i64])?;
        let logits = self.predict(&places)?;
        let shown = Shown::sets(&logits, &targets, ones.iter().filter(|one| **one > 0.0).count())?;
        Ok(Some((self.rules.sets(self.task, &logits, &targets)?, shown, places.len())))
    }

    fn token_labels(&self) -> Result<Option<Found>, ModelError> {
        let Some((states, batch)) = &self.encoded.states else {
            return Err(ModelError::Unfit("a head on tokens without token states".into()));
        };
        let Some((tags, labelled)) = tag_targets(self.targets, self.rows, batch.longest) else {
            return Ok(None);
        };
        let first = states.f_narrow(0, 0, self.rows.len() as i64)?;
        let logits = self.with_masks(0..self.rows.len(), || self.head.forward(&first, self.dropout))?;
        let logits = logits.f_reshape([-1, self.head.spec.outputs() as i64])?;
        let shown = Shown::words(&logits, &tags, self.words())?;
        Ok(Some((self.rules.classes(self.task, &logits, &upload(&tags, self.device())?)?, shown, labelled)))
    }

    fn score(&self) -> Result<Option<Found>, ModelError> {
        let Targets::Number(labels) = self.targets else { return Ok(None) };
        let (places, wanted) = self.labelled(|row| labels.get(row).copied().flatten());
        if places.is_empty() {
            return Ok(None);
        }
        let predicted = self.predict(&places)?.f_squeeze_dim(1)?;
        let loss = numbers(&predicted, &self.scaled(&wanted)?)?;
        Ok(Some((loss, Shown::numbers(&predicted, wanted)?, places.len())))
    }

    fn similarity(&self) -> Result<Option<Found>, ModelError> {
        let Targets::Number(labels) = self.targets else { return Ok(None) };
        let (first, second, wanted) = self.pairs(|row| labels.get(row).copied().flatten());
        if first.is_empty() {
            return Ok(None);
        }
        let pooled = &self.encoded.pooled;
        let cosines = cosine(&select(pooled, &first)?, &select(pooled, &second)?)?;
        let loss = numbers(&cosines, &self.scaled(&wanted)?)?;
        Ok(Some((loss, Shown::numbers(&cosines, wanted)?, first.len())))
    }

    /// The first text of every pair that belongs together is a query for its second one, among the second texts of all
    /// pairs of the batch. Pairs that are labelled 0 are hard negatives and no queries; what is right for an equal first
    /// text is no wrong answer.
    fn ranking(&self) -> Result<Option<Found>, ModelError> {
        let Targets::Pair(labels) = self.targets else { return Ok(None) };
        let (first, second, pairs) = self.pairs(|row| Some((row, labels.get(row).copied().flatten()?)));
        let mut known: HashMap<&[u32], usize> = HashMap::new();
        let texts: Vec<usize> = pairs
            .iter()
            .map(|(row, _)| {
                let next = known.len();
                *known.entry(self.train.second.ids(*row)).or_insert(next)
            })
            .collect();
        // Equal first texts share their right answers.
        let mut right_ones: HashMap<&[u32], HashSet<usize>> = HashMap::new();
        for ((row, _), text) in pairs.iter().zip(&texts).filter(|((_, belongs), _)| *belongs) {
            right_ones.entry(self.train.tokens.ids(*row)).or_default().insert(*text);
        }
        let right_for = |at: usize| right_ones.get(self.train.tokens.ids(pairs[at].0));
        // A query without a wrong answer has nothing to learn.
        let has_wrong = |at: usize| right_for(at).is_some_and(|right| right.len() < known.len());
        let asking: Vec<usize> = (0..pairs.len()).filter(|at| pairs[*at].1 && has_wrong(*at)).collect();
        if asking.is_empty() {
            return Ok(None);
        }
        let queries: Vec<i64> = asking.iter().map(|at| first[*at]).collect();
        let own: Vec<i64> = asking.iter().map(|at| *at as i64).collect();
        // Another right answer, or the same one again, is no wrong answer, as in the pool of an evaluation.
        let repeats = |own: &usize| {
            let (own, texts, right) = (*own, &texts, right_for(*own));
            let is_right = move |other: usize| right.is_some_and(|right| right.contains(&texts[other]));
            (0..texts.len()).map(move |other| other != own && is_right(other))
        };
        let repeats: Vec<bool> = asking.iter().flat_map(repeats).collect();
        let repeats = if repeats.contains(&true) {
            let shape = [asking.len() as i64, texts.len() as i64];
            Some(upload(&repeats, self.device())?.f_view(shape)?)
        } else {
            None
        };
        let pooled = &self.encoded.pooled;
        let (queries, candidates) = (select(pooled, &queries)?, select(pooled, &second)?);
        let own = upload(&own, self.device())?;
        let (loss, right) = ranking(&queries, &candidates, &own, repeats.as_ref())?;
        Ok(Some((loss, Shown::right(&right, asking.len())?, asking.len())))
    }

    /// The labelled words of every row: whether each has a token, and its class.
    fn words(&self) -> Vec<Vec<(bool, u32)>> {
        let Targets::Tags(labels) = self.targets else { return Vec::new() };
        let unread = self.train.unread(self.task);
        let of_row = |row: &u32| {
            let unread = unread.get(*row as usize).map(Vec::as_slice).unwrap_or_default();
            let words = labelled_words(labels.get(*row as usize)?.as_ref()?, unread);
            Some(words.into_iter().map(|(word, tag)| (matches!(word, LabelledWord::Token(_)), tag)).collect())
        };
        self.rows.iter().filter_map(of_row).collect()
    }

    fn device(&self) -> Device {
        self.encoded.pooled.device()
    }

    /// What the head predicts for the first texts of the rows at some places of the batch.
    fn predict(&self, places: &[usize]) -> Result<Tensor, ModelError> {
        let texts: Vec<i64> =
            places.iter().filter_map(|place| self.encoded.first.get(*place).copied()).collect();
        let pooled = select(&self.encoded.pooled, &texts)?;
        self.with_masks(places.iter().copied(), || self.head.forward(&pooled, self.dropout))
    }

    /// Does the head's work on the rows at some places. Its masks have a seed of their own, as a task may have no part in
    /// a batch.
    fn with_masks<T>(&self, places: impl Iterator<Item = usize>, work: impl FnOnce() -> T) -> T {
        let rows = places.map(|place| (self.start + place) as u64).collect();
        with_masks(mix(self.seed, self.task as u64 + 1), rows, work)
    }

    /// Numbers as the model learns them.
    fn scaled(&self, numbers: &[f32]) -> Result<Tensor, ModelError> {
        let scaled: Vec<f32> = numbers.iter().map(|number| self.head.spec.scale.to_model(*number)).collect();
        Ok(upload(&scaled, self.device())?)
    }

    /// Places of the rows that have a label, with it.
    fn labelled<T>(&self, label: impl Fn(usize) -> Option<T>) -> (Vec<usize>, Vec<T>) {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(place, row)| Some((place, label(*row as usize)?))).unzip()
    }

    /// Both texts of the rows that have a label and a second text, with the label.
    fn pairs<T>(&self, label: impl Fn(usize) -> Option<T>) -> (Vec<i64>, Vec<i64>, Vec<T>) {
        let (mut first, mut second, mut labels) = (Vec::new(), Vec::new(), Vec::new());
        for ((row, a), b) in self.rows.iter().zip(&self.encoded.first).zip(&self.encoded.second) {
            let (Some(b), Some(label)) = (b, label(*row as usize)) else { continue };
            first.push(*a);
            second.push(*b);
            labels.push(label);
        }
        (first, second, labels)
    }
}

/// A loss, what is shown of the predictions, and the number of labels.
type Found = (Tensor, Shown, usize);

/// Rows of a matrix; a view where they are its first ones in order.
fn select(pooled: &Tensor, texts: &[i64]) -> Result<Tensor, ModelError> {
    if texts.iter().zip(0..).all(|(text, place)| *text == place) {
        return Ok(pooled.f_narrow(0, 0, texts.len() as i64)?);
    }
    Ok(pooled.f_index_select(0, &upload(texts, pooled.device())?)?)
}

/// Classes of all tokens `[rows * longest]`, `NO_LABEL` where there is none, and how many there are.
fn tag_targets(targets: &Targets, rows: &[u32], longest: usize) -> Option<(Vec<i64>, usize)> {
    let Targets::Tags(labels) = targets else { return None };
    let mut all = vec![NO_LABEL; rows.len() * longest];
    let mut labelled = 0;
    for (row, all) in rows.iter().zip(all.chunks_mut(longest.max(1))) {
        let tags = labels.get(*row as usize).and_then(Option::as_ref);
        for (slot, tag) in all.iter_mut().zip(tags.into_iter().flatten()) {
            if *tag != NO_TAG {
                *slot = i64::from(*tag);
                labelled += 1;
            }
        }
    }
    (labelled > 0).then_some((all, labelled))
}
