//! Figures of a task that finds the partner of a text among many, from the rank of the true one.

use super::counts::{mean, ratio};
use super::task_metrics::{RankFigures, TaskMetrics};
use crate::data::task::TaskKind;

/// Ranks beyond this one count for nothing in the mean reciprocal rank.
const MRR_DEPTH: u32 = 10;

impl TaskMetrics {
    /// Figures of a ranking. `ranks` holds for every pair the rank of its true partner from 1, as
    /// [`rank_in_pool`] counts it among `pool` texts; `loss` is the mean cross-entropy over the pool.
    #[must_use]
    pub fn of_ranking(task: &str, ranks: &[u32], pool: usize, loss: f64) -> Self {
        let first = ranks.iter().filter(|rank| **rank == 1).count();
        let near = ranks.iter().filter(|rank| (1..=MRR_DEPTH).contains(*rank)).count();
        let reciprocal = |rank: &u32| match rank {
            1..=MRR_DEPTH => 1.0 / f64::from(*rank),
            _ => 0.0,
        };
        Self {
            rows: ranks.len(),
            loss,
            accuracy: ratio(first as u64, ranks.len() as u64),
            ranking: Some(RankFigures {
                mrr: mean(ranks.iter().map(reciprocal)),
                accuracy_at_10: ratio(near as u64, ranks.len() as u64),
                pool,
            }),
            ..Self::none(task, TaskKind::Ranking)
        }
    }
}

/// The rank of a text's true partner, from 1, among the texts of a pool, whose cosines are given.
///
/// A text as near as the true one counts as nearer, so that an encoder to which all texts are the same does not
/// look perfect. The pool should hold no text twice: `own` is the one place of the true partner in it.
#[must_use]
pub fn rank_in_pool(cosines: &[f32], own: usize) -> u32 {
    let Some(true_one) = cosines.get(own) else { return u32::MAX };
    let nearer = cosines.iter().enumerate().filter(|(index, cosine)| {
        *index != own && cosine.partial_cmp(&true_one).is_none_or(std::cmp::Ordering::is_ge)
    });
    nearer.count() as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_counted_against_the_model() {
        assert_eq!(rank_in_pool(&[0.1, 0.9, 0.5], 1), 1);
        assert_eq!(rank_in_pool(&[0.1, 0.9, 0.5], 0), 3);
        assert_eq!(rank_in_pool(&[0.5, 0.5, 0.5], 1), 3, "all the same is not a find");
        assert_eq!(rank_in_pool(&[f32::NAN, 0.5], 0), 2);
        assert_eq!(rank_in_pool(&[], 0), u32::MAX);
    }

    #[test]
    fn the_figures_follow_from_the_ranks() {
        let found = TaskMetrics::of_ranking("pairs", &[1, 2, 1, 10, 11], 100, 0.5);
        assert_eq!((found.rows, found.accuracy, found.loss, found.figure()), (5, 0.4, 0.5, 0.4));
        let ranking = found.ranking.unwrap();
        assert!((ranking.mrr - (1.0 + 0.5 + 1.0 + 0.1) / 5.0).abs() < 1e-12);
        assert_eq!(ranking.accuracy_at_10, 0.8);
        assert_eq!(TaskMetrics::of_ranking("pairs", &[], 0, 0.0).figure(), 0.0);
    }
}
