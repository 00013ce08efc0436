//! Measuring: what every head says of the rows of a split, in eval mode, and what that is worth.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use tch::{Kind, Tensor};

use super::cache::{self, Prefix};
use super::examples::{Examples, NO_TAG, Targets};
use super::interrupt::Interrupt;
use super::metrics::{Predictions, TaskMetrics, metrics_with_unread};
use super::run::loss::{RANKING_SCALE, cosine};
use crate::data::task::TaskKind;
use crate::model::batch::TokenBatch;
use crate::model::heads::Head;
use crate::model::model::to_vec;
use crate::model::pooling::normalize;
use crate::model::{Model, ModelError};

/// Cosines that are computed at a time when texts are ranked.
const COSINES: usize = 1 << 22;

/// What a model says of some rows.
#[derive(Debug)]
pub struct Answers {
    /// Pooled embeddings of the first texts before normalisation, `[rows, hidden]`.
    pub pooled: Tensor,
    /// Per task.
    pub predictions: Vec<Predictions>,
}

/// Encodes rows and asks every head.
///
/// # Errors
/// When it is stopped, or the model refuses a row.
pub fn answers(
    model: &Model,
    rows: &Examples,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Answers, Interrupt<ModelError>> {
    answers_above(model, rows, &Prefix::None, stop, progress)
}

/// The same from what is kept of the rows already.
///
/// # Errors
/// As [`answers`].
pub fn answers_above(
    model: &Model,
    rows: &Examples,
    prefix: &Prefix,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<Answers, Interrupt<ModelError>> {
    let tagging = |(task, head): (usize, &Head)| {
        (head.spec.kind == TaskKind::TokenLabels).then(|| Tagging::new(rows, task))
    };
    let mut tagging: Vec<Option<Tagging>> = model.heads.iter().enumerate().map(tagging).collect();
    let tags = tagging.iter().any(Option::is_some);
    let mut look = |texts: &[u32], states: &Tensor, batch: &TokenBatch| {
        for (head, tagging) in model.heads.iter().zip(&mut tagging) {
            if let Some(tagging) = tagging {
                tagging.take(head, texts, states, batch)?;
            }
        }
        Ok(())
    };
    let looks = tags.then_some::<&mut cache::Look<'_>>(&mut look);
    let texts = cache::pooled_above(model, rows, prefix, looks, stop, progress)?;
    let mut predictions = from_pooled(model, rows, &texts)?;
    for (said, tagging) in predictions.iter_mut().zip(tagging) {
        if let Some(tagging) = tagging {
            *said = tagging.finish();
        }
    }
    Ok(Answers { pooled: texts.f_narrow(0, 0, rows.len() as i64)?, predictions })
}

/// What every head says, from the pooled embeddings of all texts of the rows, numbered as [`Examples::texts`] counts
/// them. Of tokens nothing is said: that takes their states, and [`answers`].
///
/// # Errors
/// When libtorch refuses the shape.
pub fn from_pooled(model: &Model, rows: &Examples, pooled: &Tensor) -> Result<Vec<Predictions>, ModelError> {
    let _guard = tch::no_grad_guard();
    let first = pooled.f_narrow(0, 0, rows.len() as i64)?;
    let has_second = rows.second.rows() > 0;
    let second =
        has_second.then(|| pooled.f_narrow(0, rows.len() as i64, rows.second.rows() as i64)).transpose()?;
    let of_head = |(task, head): (usize, &Head)| -> Result<Predictions, ModelError> {
        let classes = head.spec.classes.len();
        Ok(match (head.spec.kind, &second) {
            (TaskKind::SingleLabel, _) => {
                let values = to_vec(&head.forward(&first, 0.0)?.f_softmax(-1, Kind::Float)?)?;
                Predictions::Probabilities { classes, values }
            }
            (TaskKind::MultiLabel, _) => {
                Predictions::Sigmoids { classes, values: to_vec(&head.forward(&first, 0.0)?.f_sigmoid()?)? }
            }
            (TaskKind::Score, _) => {
                let said = to_vec(&head.forward(&first, 0.0)?)?;
                Predictions::Numbers(said.into_iter().map(|number| head.spec.scale.to_data(number)).collect())
            }
            (TaskKind::TokenLabels, _) => Predictions::Tags { tags: Vec::new(), loss: 0.0 },
            (TaskKind::Similarity | TaskKind::Ranking, None) => Predictions::Cosines(Vec::new()),
            (TaskKind::Ranking, Some(second)) if matches!(rows.targets.get(task), Some(Targets::Pair(_))) => {
                ranks(&first, second, rows, task)?
            }
            (TaskKind::Similarity | TaskKind::Ranking, Some(second)) => {
                Predictions::Cosines(to_vec(&cosine(&first, second)?)?)
            }
        })
    };
    model.heads.iter().enumerate().map(of_head).collect()
}

/// All figures per task over the labelled rows.
#[must_use]
pub fn metrics(model: &Model, rows: &Examples, predictions: &[Predictions]) -> Vec<TaskMetrics> {
    let heads = model.heads.iter().zip(&rows.targets).zip(predictions).enumerate();
    let figures = heads.map(|(task, ((head, targets), said))| {
        metrics_with_unread(&head.spec, targets, said, rows.unread(task))
    });
    figures.collect()
}

/// Index of the largest value; the first of equals, 0 when empty.
#[must_use]
pub fn argmax(row: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in row.iter().enumerate() {
        if *value > row.get(best).copied().unwrap_or(f32::NEG_INFINITY) {
            best = index;
        }
    }
    best
}

/// Where the second text of every pair comes among all that are not right for it too, by cosine with the first; and the mean
/// cross-entropy over scaled cosines, as in training, but over all texts rather than those of a batch.
fn ranks(first: &Tensor, second: &Tensor, rows: &Examples, task: usize) -> Result<Predictions, ModelError> {
    let has_pair = |row: &usize| {
        rows.targets.get(task).is_some_and(|targets| targets.is_labelled(*row)) && rows.second.len(*row) > 0
    };
    let pairs: Vec<usize> = (0..rows.len()).filter(has_pair).collect();
    // A text that is there twice is one text: else each would be a wrong answer to the other's question.
    let mut places: HashMap<&[u32], i64> = HashMap::new();
    let (mut own, mut pool) = (Vec::with_capacity(pairs.len()), Vec::new());
    for row in &pairs {
        let next = pool.len() as i64;
        let place = *places.entry(rows.second.ids(*row)).or_insert(next);
        if place == next {
            pool.push(*row as i64);
        }
        own.push(place);
    }
    // Equal first texts share their right answers: none of them is a wrong one.
    let mut right_ones: HashMap<&[u32], Vec<i64>> = HashMap::new();
    for (row, place) in pairs.iter().zip(&own) {
        right_ones.entry(rows.tokens.ids(*row)).or_default().push(*place);
    }
    let mut all = vec![u32::MAX; rows.len()];
    if pairs.is_empty() {
        return Ok(Predictions::Ranks { ranks: all, pool: 0, loss: 0.0 });
    }
    let device = first.device();
    let on_device = |places: &[i64]| Tensor::f_from_slice(places)?.f_to_device(device);
    let candidates = normalize(&second.f_index_select(0, &on_device(&pool)?)?)?.f_transpose(0, 1)?;
    let mut loss = 0.0;
    let at_a_time = (COSINES / pool.len()).max(1);
    for (pairs, own) in pairs.chunks(at_a_time).zip(own.chunks(at_a_time)) {
        let asked: Vec<i64> = pairs.iter().map(|row| *row as i64).collect();
        let cosines = normalize(&first.f_index_select(0, &on_device(&asked)?)?)?.f_matmul(&candidates)?;
        let width = pool.len() as i64;
        let others = pairs.iter().zip(own).zip(0_i64..).flat_map(|((row, own), line)| {
            let right = right_ones.get(rows.tokens.ids(*row)).into_iter().flatten();
            right.filter(move |place| *place != own).map(move |place| line * width + place)
        });
        let others: Vec<i64> = others.collect();
        let cosines = if others.is_empty() {
            cosines
        } else {
            let out = cosines.f_reshape([-1])?.f_index_fill(0, &on_device(&others)?, f64::NEG_INFINITY)?;
            out.f_view([pairs.len() as i64, width])?
        };
        let own = on_device(own)?.f_unsqueeze(1)?;
        let true_ones = cosines.f_gather(1, &own, false)?;
        // As `rank_in_pool` counts: what is as near as the true one, and what is no number, comes before it.
        let farther =
            cosines.f_lt_tensor(&true_ones)?.f_sum_dim_intlist([1i64].as_slice(), false, Kind::Int64)?;
        for (row, farther) in pairs.iter().zip(to_vec(&farther)?) {
            if let Some(rank) = all.get_mut(*row) {
                *rank = (pool.len() as u32).saturating_sub(farther as u32).max(1);
            }
        }
        let logs = cosines.f_mul_scalar(RANKING_SCALE)?.f_log_softmax(1, Kind::Float)?;
        loss -= to_vec(&logs.f_gather(1, &own, false)?)?.into_iter().map(f64::from).sum::<f64>();
    }
    Ok(Predictions::Ranks { ranks: all, pool: pool.len(), loss: loss / pairs.len() as f64 })
}

/// What a head says of the tokens of every row, batch by batch.
struct Tagging<'a> {
    targets: Option<&'a Targets>,
    /// Per row its most probable classes.
    tags: Vec<Vec<u32>>,
    /// Per row: summed here, and over the rows at the end, since batches come in any order.
    losses: Vec<f64>,
    labelled: usize,
}

impl<'a> Tagging<'a> {
    fn new(rows: &'a Examples, task: usize) -> Self {
        let (tags, losses) = (vec![Vec::new(); rows.len()], vec![0.0; rows.len()]);
        Self { targets: rows.targets.get(task), tags, losses, labelled: 0 }
    }

    /// Last token states of some texts, shaped as the batch; second texts have no tags.
    fn take(
        &mut self,
        head: &Head,
        texts: &[u32],
        states: &Tensor,
        batch: &TokenBatch,
    ) -> Result<(), ModelError> {
        let classes = head.spec.outputs().max(1);
        let logs = to_vec(&head.forward(states, 0.0)?.f_log_softmax(-1, Kind::Float)?)?;
        let mut rest = logs.as_slice();
        for (row, length) in texts.iter().zip(&batch.lengths) {
            let places = if batch.groups.is_some() { *length } else { batch.longest };
            let (of_row, behind) = rest.split_at_checked(places * classes).unwrap_or((rest, &[]));
            rest = behind;
            let row = *row as usize;
            let (Some(tags), Some(loss)) = (self.tags.get_mut(row), self.losses.get_mut(row)) else {
                continue;
            };
            let truth = match self.targets {
                Some(Targets::Tags(labels)) => labels.get(row).and_then(Option::as_deref),
                _ => None,
            };
            *tags = of_row.chunks(classes).take(*length).map(|logs| argmax(logs) as u32).collect();
            for (logs, tag) in of_row.chunks(classes).zip(truth.unwrap_or_default()) {
                if let Some(log) = logs.get(*tag as usize).filter(|_| *tag != NO_TAG) {
                    *loss -= f64::from(*log);
                    self.labelled += 1;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Predictions {
        let loss = self.losses.iter().sum::<f64>() / self.labelled.max(1) as f64;
        Predictions::Tags { tags: self.tags, loss }
    }
}
