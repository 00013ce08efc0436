//! Nearest rows by cosine, and the probes that ask what embeddings alone tell about a task.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::Embeddings;
use super::similarity::{dot, normalise, normalised};
use crate::train::metrics::Probe;

/// Rows scored by one thread at a time: large enough that handing them out costs nothing.
const CHUNK_ROWS: usize = 1024;

/// Embeddings with, per row, the class of one task or `None`.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// The rows.
    pub embeddings: &'a Embeddings,
    /// Their labels.
    pub labels: &'a [Option<u32>],
}

impl Labelled<'_> {
    /// Indices of the rows that carry a label of one of the classes, with it.
    fn rows(&self, classes: usize) -> Vec<(usize, usize)> {
        let within = self.labels.iter().take(self.embeddings.rows()).enumerate();
        within
            .filter_map(|(row, label)| Some((row, (*label)? as usize)))
            .filter(|(_, label)| *label < classes)
            .collect()
    }
}

/// Largest cosine first; the lower row where they are equal, so that answers repeat.
fn nearer(a: &(usize, f32), b: &(usize, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The `k` first in order, without sorting the rest.
fn first_k(mut scored: Vec<(usize, f32)>, k: usize) -> Vec<(usize, f32)> {
    if k == 0 {
        return Vec::new();
    }
    if k < scored.len() {
        scored.select_nth_unstable_by(k - 1, nearer);
        scored.truncate(k);
    }
    scored.sort_unstable_by(nearer);
    scored
}

/// The `k` rows nearest to row `row`, itself left out: `(row, cosine)`, nearest first. Empty when there is no
/// such row.
#[must_use]
pub fn nearest(embeddings: &Embeddings, row: usize, k: usize) -> Vec<(usize, f32)> {
    if row >= embeddings.rows() {
        return Vec::new();
    }
    let mut scored = scores(embeddings, embeddings.row(row));
    scored.retain(|(other, _)| *other != row);
    first_k(scored, k)
}

/// The `k` rows nearest to any vector, nearest first. Empty when its length is not the rows'.
#[must_use]
pub fn nearest_to(embeddings: &Embeddings, query: &[f32], k: usize) -> Vec<(usize, f32)> {
    first_k(scores(embeddings, query), k)
}

/// Cosine of every row with the query.
fn scores(embeddings: &Embeddings, query: &[f32]) -> Vec<(usize, f32)> {
    let dim = embeddings.dim;
    if dim == 0 || query.len() != dim {
        return Vec::new();
    }
    let mut unit_query = query.to_vec();
    normalise(&mut unit_query);
    let scored =
        embeddings.values.par_chunks(dim * CHUNK_ROWS).enumerate().flat_map_iter(|(chunk, values)| {
            let mut unit_row = vec![0.0; dim];
            let cosines: Vec<(usize, f32)> = values
                .chunks_exact(dim)
                .enumerate()
                .map(|(offset, row)| {
                    unit_row.copy_from_slice(row);
                    normalise(&mut unit_row);
                    (chunk * CHUNK_ROWS + offset, dot(&unit_row, &unit_query).clamp(-1.0, 1.0))
                })
                .collect();
            cosines
        });
    scored.collect()
}

/// Measures what embeddings alone tell about a task: no weight is trained.
///
/// *Nearest centroid*: the class whose mean (of training rows scaled to length 1) has the largest cosine.
/// *Nearest neighbours*: the class that most of the `k` nearest training rows carry; where classes tie, the
/// one whose rows are nearer in sum, then the first. Never more neighbours than training rows: [`Probe::k`] is
/// the number used. *Majority* guesses the commonest training class for every row.
///
/// `None` when either side has no labelled row, or the sides are not of one width.
#[must_use]
pub fn probe(task: &str, train: Labelled<'_>, eval: Labelled<'_>, classes: usize, k: usize) -> Option<Probe> {
    let (train_rows, eval_rows) = (train.rows(classes), eval.rows(classes));
    if train_rows.is_empty() || eval_rows.is_empty() || train.embeddings.dim != eval.embeddings.dim {
        return None;
    }
    let k = k.clamp(1, train_rows.len());
    let unit = normalised(train.embeddings);
    let centroids = centroids(&unit, &train_rows, classes);
    let majority = commonest(&train_rows, classes);

    let right = eval_rows.par_iter().map(|(row, label)| {
        let mut query = eval.embeddings.row(*row).to_vec();
        normalise(&mut query);
        let by_centroid = closest_centroid(&centroids, &query);
        let by_neighbours = vote(&unit, &train_rows, &query, classes, k);
        [by_centroid == Some(*label), by_neighbours == Some(*label), majority == Some(*label)]
            .map(usize::from)
    });
    let counts = right.reduce(|| [0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);

    let [nearest_centroid, nearest_neighbours, majority] =
        counts.map(|count| count as f64 / eval_rows.len() as f64);
    let rows = eval_rows.len();
    Some(Probe { task: task.to_owned(), rows, nearest_centroid, nearest_neighbours, k, majority })
}

/// Per class the direction of the mean of its rows; `None` for a class without rows or without a direction.
fn centroids(unit: &Embeddings, rows: &[(usize, usize)], classes: usize) -> Vec<Option<Vec<f32>>> {
    let mut sums: Vec<Option<Vec<f64>>> = vec![None; classes];
    for (row, label) in rows {
        if let Some(sum) = sums.get_mut(*label) {
            let sum = sum.get_or_insert_with(|| vec![0.0; unit.dim]);
            for (total, x) in sum.iter_mut().zip(unit.row(*row)) {
                *total += f64::from(*x);
            }
        }
    }
    // The cosine does not care for the length, so the sum points where the mean points.
    let direction = |sum: Vec<f64>| {
        let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        (norm > 0.0).then(|| sum.iter().map(|x| (x / norm) as f32).collect())
    };
    sums.into_iter().map(|sum| sum.and_then(direction)).collect()
}

fn closest_centroid(centroids: &[Option<Vec<f32>>], query: &[f32]) -> Option<usize> {
    let scored = centroids.iter().enumerate().filter_map(|(class, c)| Some((class, dot(c.as_ref()?, query))));
    scored.min_by(nearer).map(|(class, _)| class)
}

/// The class that most of the `k` nearest rows carry.
fn vote(
    unit: &Embeddings,
    rows: &[(usize, usize)],
    query: &[f32],
    classes: usize,
    k: usize,
) -> Option<usize> {
    let scored =
        rows.iter().enumerate().map(|(index, (row, _))| (index, dot(unit.row(*row), query))).collect();
    let mut votes = vec![(0_usize, 0.0_f64); classes];
    for (index, cosine) in first_k(scored, k) {
        if let Some((count, sum)) = rows.get(index).and_then(|(_, label)| votes.get_mut(*label)) {
            *count += 1;
            *sum += f64::from(cosine);
        }
    }
    let by_votes = |a: &(usize, (usize, f64)), b: &(usize, (usize, f64))| {
        let ((a_class, (a_count, a_sum)), (b_class, (b_count, b_sum))) = (a, b);
        b_count.cmp(a_count).then(b_sum.total_cmp(a_sum)).then(a_class.cmp(b_class))
    };
    votes
        .into_iter()
        .enumerate()
        .filter(|(_, (count, _))| *count > 0)
        .min_by(by_votes)
        .map(|(class, _)| class)
}

/// The commonest class; the first of those that tie.
fn commonest(rows: &[(usize, usize)], classes: usize) -> Option<usize> {
    let mut counts = vec![0_usize; classes];
    for (_, label) in rows {
        if let Some(count) = counts.get_mut(*label) {
            *count += 1;
        }
    }
    counts.into_iter().enumerate().min_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0))).map(|(class, _)| class)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plane(points: &[[f32; 2]]) -> Embeddings {
        Embeddings { values: points.concat(), dim: 2 }
    }

    #[test]
    fn nearest_first_ties_by_row_itself_left_out() {
        // Rows 1 and 3 point the same way; row 2 is opposite; row 4 has no direction.
        let embeddings = plane(&[[1.0, 0.0], [1.0, 1.0], [-2.0, 0.0], [3.0, 3.0], [0.0, 0.0]]);
        let found = nearest(&embeddings, 0, 9);
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 3, 4, 2]);
        assert_eq!(found[0].1.to_bits(), found[1].1.to_bits());
        assert!((found[0].1 - 0.5_f32.sqrt()).abs() < 1e-6);
        assert_eq!((found[2].1, found[3].1), (0.0, -1.0));
        assert_eq!(nearest(&embeddings, 0, 1), found[..1]);
        assert!(nearest(&embeddings, 5, 3).is_empty());
        assert!(nearest(&embeddings, 0, 0).is_empty());
        assert_eq!(nearest_to(&embeddings, &[0.0, 5.0], 1)[0].0, 1);
        assert!(nearest_to(&embeddings, &[0.0, 5.0, 1.0], 1).is_empty());
    }

    #[test]
    fn probes_that_can_be_done_by_hand() {
        // Class 0 points right, with one row far up; class 1 points up.
        let train = plane(&[[1.0, 0.0], [1.0, 0.1], [0.1, 1.0], [0.0, 1.0], [-0.1, 1.0], [9.0, 9.0]]);
        let train_labels = [Some(0), Some(0), Some(0), Some(1), Some(1), None];
        let eval = plane(&[[5.0, 0.1], [0.1, 0.9], [0.0, 2.0], [1.0, 1.0]]);
        let eval_labels = [Some(0), Some(0), Some(1), None];
        let train = Labelled { embeddings: &train, labels: &train_labels };
        let eval = Labelled { embeddings: &eval, labels: &eval_labels };

        let one = probe("t", train, eval, 2, 1).expect("both sides are labelled");
        assert_eq!((one.task.as_str(), one.rows, one.k), ("t", 3, 1));
        // Its one neighbour is the stray row of class 0, the centroid of which is far away.
        assert_eq!(one.nearest_neighbours, 1.0);
        assert_eq!(one.nearest_centroid, 2.0 / 3.0);
        assert_eq!(one.majority, 2.0 / 3.0);
        // Three neighbours outvote the stray row.
        assert_eq!(probe("t", train, eval, 2, 3).map(|p| p.nearest_neighbours), Some(2.0 / 3.0));
        // With every row voting, three votes of class 0 beat two.
        let all = probe("t", train, eval, 2, 99).expect("both sides are labelled");
        assert_eq!((all.k, all.nearest_neighbours), (5, 2.0 / 3.0));
    }

    #[test]
    fn a_tied_vote_goes_to_the_nearer_class() {
        let train = plane(&[[1.0, 0.0], [0.0, 1.0]]);
        let eval = plane(&[[0.2, 1.0]]);
        let train = Labelled { embeddings: &train, labels: &[Some(0), Some(1)] };
        let eval = Labelled { embeddings: &eval, labels: &[Some(1)] };
        assert_eq!(probe("t", train, eval, 2, 2).map(|p| p.nearest_neighbours), Some(1.0));
    }

    #[test]
    fn nothing_to_measure_is_none() {
        let points = plane(&[[1.0, 0.0]]);
        let wide = Embeddings { values: vec![1.0, 0.0, 0.0], dim: 3 };
        let labelled = Labelled { embeddings: &points, labels: &[Some(0)] };
        assert!(probe("t", labelled, Labelled { labels: &[None], ..labelled }, 2, 5).is_none());
        assert!(probe("t", Labelled { labels: &[Some(7)], ..labelled }, labelled, 2, 5).is_none());
        assert!(probe("t", labelled, Labelled { embeddings: &wide, ..labelled }, 2, 5).is_none());
        assert!(probe("t", labelled, labelled, 0, 5).is_none());
    }

    proptest! {
        #[test]
        fn equals_sorting_everything(
            values in prop::collection::vec((-3_i8..3).prop_map(f32::from), 3 * 5..3 * 60),
            k in 0_usize..20,
        ) {
            // Small integers, so that ties abound.
            let rows = values.len() / 3;
            let embeddings = Embeddings { values: values[..rows * 3].to_vec(), dim: 3 };
            let matrix = crate::explore::similarity::cosine_matrix(&embeddings);
            let mut sorted: Vec<(usize, f32)> = matrix[2].iter().copied().enumerate().collect();
            sorted.remove(2);
            sorted.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap().then(a.0.cmp(&b.0)));
            sorted.truncate(k);
            let found = nearest(&embeddings, 2, k);
            prop_assert_eq!(
                found.iter().map(|(row, _)| *row).collect::<Vec<_>>(),
                sorted.iter().map(|(row, _)| *row).collect::<Vec<_>>()
            );
        }
    }
}
