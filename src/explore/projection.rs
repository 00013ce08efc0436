//! Embeddings on the plane: principal components, two maps laid over each other, and what moved between them.

use rayon::prelude::*;

use super::Embeddings;
use super::similarity::{dot, normalised};
use super::spectrum::Symmetric;

/// An axis whose variance is below this share of the first one's is rounding noise, and left flat.
const NOISE: f64 = 1e-12;

/// The two directions of largest variance, and the rows along them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pca {
    /// Place of every row. A row that is not finite lies at the origin, and takes no part in the rest.
    pub points: Vec<[f32; 2]>,
    /// Share of the variance that the two axes hold, 0 to 1; 0 when nothing varies.
    pub explained: f32,
    /// Unit vectors of the axes; all zeros where the data have no such direction. The component of largest
    /// size is positive, so that the same data are never drawn mirrored.
    pub axes: [Vec<f32>; 2],
    /// Mean of the rows.
    pub mean: Vec<f32>,
}

/// Principal components of the rows, to the plane.
#[must_use]
pub fn pca(embeddings: &Embeddings) -> Pca {
    let dim = embeddings.dim;
    let finite: Vec<&[f32]> = (0..embeddings.rows())
        .map(|row| embeddings.row(row))
        .filter(|row| row.iter().all(|x| x.is_finite()))
        .collect();
    let mean = mean(&finite, dim);
    let centred: Vec<Vec<f32>> = finite
        .iter()
        .map(|row| row.iter().zip(&mean).map(|(x, m)| (f64::from(*x) - m) as f32).collect())
        .collect();

    let (axes, explained) = principal_axes(&centred, dim);
    let mut pca = Pca {
        points: Vec::new(),
        explained,
        axes: axes.map(|axis| axis.into_iter().map(|x| x as f32).collect()),
        mean: mean.into_iter().map(|x| x as f32).collect(),
    };
    pca.points = pca.project(embeddings);
    pca
}

impl Pca {
    /// Places of other rows along the same axes; a row that is not finite or of another width lies at the origin.
    #[must_use]
    pub fn project(&self, embeddings: &Embeddings) -> Vec<[f32; 2]> {
        let place = |index: usize| {
            let row = embeddings.row(index);
            if row.len() != self.mean.len() {
                return [0.0; 2];
            }
            let along = |axis: &[f32]| {
                let terms = row.iter().zip(&self.mean).zip(axis);
                terms.map(|((x, m), a)| (f64::from(*x) - f64::from(*m)) * f64::from(*a)).sum::<f64>() as f32
            };
            let point = self.axes.each_ref().map(|axis| along(axis));
            if point.iter().all(|x| x.is_finite()) { point } else { [0.0; 2] }
        };
        (0..embeddings.rows()).into_par_iter().map(place).collect()
    }
}

fn mean(rows: &[&[f32]], dim: usize) -> Vec<f64> {
    let mut mean = vec![0.0; dim];
    for row in rows {
        for (total, x) in mean.iter_mut().zip(*row) {
            *total += f64::from(*x);
        }
    }
    for total in &mut mean {
        *total /= rows.len().max(1) as f64;
    }
    mean
}

/// Eigenvectors of the covariance, found on whichever is smaller: the covariance itself, or the rows' Gram
/// matrix, which has the same eigenvalues and whose vectors map onto the covariance's by `Xᵀ`.
fn principal_axes(centred: &[Vec<f32>], dim: usize) -> ([Vec<f64>; 2], f32) {
    let by_rows = centred.len() < dim;
    let matrix = if by_rows { Symmetric::gram(centred) } else { Symmetric::gram(&transposed(centred, dim)) };
    let pairs = matrix.largest(2);
    let first = pairs.first().map_or(0.0, |(value, _)| *value);
    let mut axes = [vec![0.0; dim], vec![0.0; dim]];
    let mut shown = 0.0;
    for (axis, (value, vector)) in axes.iter_mut().zip(pairs) {
        if value <= first * NOISE {
            continue;
        }
        *axis = if by_rows { combined(centred, &vector, dim) } else { vector };
        fix_sign_and_length(axis);
        shown += value;
    }
    let trace = matrix.trace();
    let explained = if trace > 0.0 { (shown / trace).clamp(0.0, 1.0) } else { 0.0 };
    (axes, explained as f32)
}

fn transposed(rows: &[Vec<f32>], dim: usize) -> Vec<Vec<f32>> {
    let column = |index: usize| rows.iter().filter_map(|row| row.get(index).copied()).collect();
    (0..dim).into_par_iter().map(column).collect()
}

/// Sum of the rows, each times its weight.
fn combined(rows: &[Vec<f32>], weights: &[f64], dim: usize) -> Vec<f64> {
    let mut sum = vec![0.0; dim];
    for (row, weight) in rows.iter().zip(weights) {
        for (total, x) in sum.iter_mut().zip(row) {
            *total += weight * f64::from(*x);
        }
    }
    sum
}

fn fix_sign_and_length(axis: &mut [f64]) {
    let norm = axis.iter().map(|x| x * x).sum::<f64>().sqrt();
    let largest = axis.iter().copied().fold(0.0_f64, |a, x| if x.abs() > a.abs() { x } else { a });
    let scale = if norm > 0.0 { largest.signum() / norm } else { 0.0 };
    for x in axis {
        *x *= scale;
    }
}

/// Lays one map over another: turns (and mirrors, where that fits better), scales and shifts `after` so that
/// its points come to lie as near as they can to their counterparts in `before`.
///
/// Rotation and mirroring are the least-squares ones (orthogonal Procrustes, Schönemann 1966). The scale gives
/// both maps the same spread; the least-squares scale would shrink a map the more, the less it resembles the
/// other, and hide exactly the change that is to be seen. Points that are not finite are left where they are.
pub fn procrustes(before: &[[f32; 2]], after: &mut [[f32; 2]]) {
    let wide = |p: [f32; 2]| p.map(f64::from);
    let finite = |p: &[f32; 2]| p.iter().all(|x| x.is_finite());
    let pairs: Vec<([f64; 2], [f64; 2])> = before
        .iter()
        .zip(after.iter())
        .filter(|(b, a)| finite(b) && finite(a))
        .map(|(b, a)| (wide(*b), wide(*a)))
        .collect();
    if pairs.is_empty() {
        return;
    }
    let count = pairs.len() as f64;
    let (mut mean_b, mut mean_a) = ([0.0; 2], [0.0; 2]);
    for (b, a) in &pairs {
        for axis in 0..2 {
            mean_b[axis] += b[axis] / count;
            mean_a[axis] += a[axis] / count;
        }
    }
    // Sums of squares of both, and the products from which the rotation and the mirrored rotation are read.
    let (mut spread_b, mut spread_a) = (0.0, 0.0);
    let (mut xx, mut xy, mut yx, mut yy) = (0.0, 0.0, 0.0, 0.0);
    for (b, a) in &pairs {
        let (bx, by) = (b[0] - mean_b[0], b[1] - mean_b[1]);
        let (ax, ay) = (a[0] - mean_a[0], a[1] - mean_a[1]);
        spread_b += bx * bx + by * by;
        spread_a += ax * ax + ay * ay;
        xx += ax * bx;
        xy += ax * by;
        yx += ay * bx;
        yy += ay * by;
    }
    // In the plane the best rotation has cos : sin = (xx + yy) : (xy - yx), the best reflection
    // cos : sin = (xx - yy) : (xy + yx); whichever has the longer pair fits better.
    let turned = (xx + yy, xy - yx);
    let mirrored = (xx - yy, xy + yx);
    let mirror = mirrored.0.hypot(mirrored.1) > turned.0.hypot(turned.1);
    let (cos, sin) = if mirror { mirrored } else { turned };
    let length = cos.hypot(sin);
    let (cos, sin) = if length > 0.0 { (cos / length, sin / length) } else { (1.0, 0.0) };
    // A map that is a single point has no spread to give or to take.
    let scale = if spread_a > 0.0 && spread_b > 0.0 { (spread_b / spread_a).sqrt() } else { 1.0 };
    for point in after.iter_mut().filter(|p| finite(p)) {
        let [x, y] = wide(*point);
        let (x, y) = (scale * (x - mean_a[0]), scale * (y - mean_a[1]));
        let y = if mirror { -y } else { y };
        *point = [(cos * x - sin * y + mean_b[0]) as f32, (sin * x + cos * y + mean_b[1]) as f32];
    }
}

/// The rows that turned the most between two sets of embeddings: `(row, 1 - cosine)`, largest first, the lower
/// row where they tie. Rows without a direction on either side are left out.
#[must_use]
pub fn movers(before: &Embeddings, after: &Embeddings, top: usize) -> Vec<(usize, f32)> {
    if before.dim != after.dim {
        return Vec::new();
    }
    let (before, after) = (normalised(before), normalised(after));
    let moved = |row: usize| {
        let (a, b) = (before.row(row), after.row(row));
        let directed = |row: &[f32]| row.iter().any(|x| *x != 0.0);
        (directed(a) && directed(b)).then(|| (row, 1.0 - dot(a, b).clamp(-1.0, 1.0)))
    };
    let mut moved: Vec<(usize, f32)> =
        (0..before.rows().min(after.rows())).into_par_iter().filter_map(moved).collect();
    moved.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    moved.truncate(top);
    moved
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matrix(dim: usize, values: &[f32]) -> Embeddings {
        Embeddings { values: values.to_vec(), dim }
    }

    #[test]
    fn axes_and_variances_that_can_be_done_by_hand() {
        // Along x: -3, -1, 1, 3 (sum of squares 20); along z: 1, -1, -1, 1 (4); nothing along y; mean (10, 5, 0).
        let data = matrix(3, &[7.0, 5.0, 1.0, 9.0, 5.0, -1.0, 11.0, 5.0, -1.0, 13.0, 5.0, 1.0]);
        let found = pca(&data);
        assert_eq!(found.mean, [10.0, 5.0, 0.0]);
        assert!((found.explained - 1.0).abs() < 1e-6);
        for (axis, wanted) in found.axes.iter().zip([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) {
            assert!(axis.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        }
        let wanted = [[-3.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [3.0, 1.0]];
        for (point, wanted) in found.points.iter().zip(wanted) {
            assert!(point.iter().zip(wanted).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-5), "{found:?}");
        }
    }

    #[test]
    fn explained_is_the_share_of_the_first_two() {
        // Variances 9 : 4 : 1 along three axes, in 6 rows.
        let data = matrix(3, &[3., 0., 0., -3., 0., 0., 0., 2., 0., 0., -2., 0., 0., 0., 1., 0., 0., -1.]);
        assert!((pca(&data).explained - 13.0 / 14.0).abs() < 1e-6);
    }

    #[test]
    fn more_columns_than_rows_gives_the_same_as_more_rows_than_columns() {
        // The same three points in 3 and, padded with zeros, in 9 dimensions: both roads to the axes.
        let points = [[1.0_f32, 2.0, 0.5], [-1.0, 0.3, 0.1], [0.2, -2.0, 1.0]];
        let narrow = pca(&matrix(3, &points.concat()));
        let padded: Vec<f32> = points.iter().flat_map(|p| p.iter().copied().chain([0.0; 6])).collect();
        let wide = pca(&matrix(9, &padded));
        assert!((narrow.explained - wide.explained).abs() < 1e-6);
        for (a, b) in narrow.points.iter().flatten().zip(wide.points.iter().flatten()) {
            assert!((a - b).abs() < 1e-5, "{narrow:?} {wide:?}");
        }
    }

    #[test]
    fn degenerate_data_do_not_panic() {
        assert!(pca(&Embeddings::default()).points.is_empty());
        assert_eq!(pca(&matrix(3, &[1.0, 2.0, 3.0])).points, [[0.0; 2]]);
        let constant = pca(&matrix(2, &[0.1; 20]));
        assert_eq!((constant.points, constant.explained), (vec![[0.0; 2]; 10], 0.0));
        let two = pca(&matrix(3, &[0.0, 0.0, 0.0, 0.0, 3.0, 4.0]));
        assert_eq!(two.points.len(), 2);
        assert!((two.points[1][0] - 2.5).abs() < 1e-6 && two.points[1][1] == 0.0, "{two:?}");
        assert!((two.explained - 1.0).abs() < 1e-6);
        let line = pca(&matrix(1, &[1.0, 2.0, 6.0]));
        assert_eq!(line.points, [[-2.0, 0.0], [-1.0, 0.0], [3.0, 0.0]]);
    }

    #[test]
    fn rows_that_are_not_finite_disturb_nothing() {
        let clean = pca(&matrix(2, &[1.0, 0.0, -1.0, 0.5, 4.0, 2.0]));
        let torn = pca(&matrix(2, &[1.0, 0.0, f32::NAN, 1.0, -1.0, 0.5, f32::INFINITY, 0.0, 4.0, 2.0]));
        assert_eq!((torn.axes, torn.mean), (clean.axes.clone(), clean.mean.clone()));
        assert_eq!(torn.points, [clean.points[0], [0.0; 2], clean.points[1], [0.0; 2], clean.points[2]]);
        assert_eq!(clean.project(&matrix(5, &[1.0; 5])), [[0.0; 2]]);
    }

    #[test]
    fn procrustes_prefers_a_mirror_only_where_it_fits() {
        let before = [[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]];
        let mut after = before.map(|[x, y]| [5.0 - 3.0 * x, 3.0 * y]);
        procrustes(&before, &mut after);
        for (a, b) in after.iter().flatten().zip(before.iter().flatten()) {
            assert!((a - b).abs() < 1e-5, "{after:?}");
        }
    }

    #[test]
    fn procrustes_leaves_what_has_no_shape() {
        let mut empty: [[f32; 2]; 0] = [];
        procrustes(&[], &mut empty);
        let mut point = [[3.0, 4.0], [3.0, 4.0]];
        procrustes(&[[0.0, 0.0], [2.0, 2.0]], &mut point);
        assert_eq!(point, [[1.0, 1.0]; 2]);
        let mut torn = [[f32::NAN, 0.0], [1.0, 1.0]];
        procrustes(&[[0.0, 0.0], [7.0, 7.0]], &mut torn);
        assert!(torn[0][0].is_nan());
        assert_eq!(torn[1], [7.0, 7.0]);
    }

    #[test]
    fn movers_largest_first_without_the_directionless() {
        let before = matrix(2, &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let after = matrix(2, &[2.0, 0.0, 0.0, 1.0, -1.0, 0.0, 1.0, 1.0, 0.0, 3.0]);
        assert_eq!(movers(&before, &after, 9), [(2, 2.0), (1, 1.0), (4, 1.0), (0, 0.0)]);
        assert_eq!(movers(&before, &after, 1), [(2, 2.0)]);
        assert!(movers(&before, &matrix(5, &[1.0; 10]), 9).is_empty());
    }

    fn plane_points() -> impl Strategy<Value = Vec<[f32; 2]>> {
        prop::collection::vec([-5.0_f32..5.0, -5.0_f32..5.0], 3..40)
    }

    proptest! {
        #[test]
        fn procrustes_undoes_any_turn_mirror_scale_and_shift(
            before in plane_points(), angle in 0.0_f32..6.3, scale in 0.1_f32..9.0, mirror: bool,
            shift in [-9.0_f32..9.0, -9.0_f32..9.0],
        ) {
            let (sin, cos) = angle.sin_cos();
            let mut after: Vec<[f32; 2]> = before.iter().map(|[x, y]| {
                let y = if mirror { -y } else { *y };
                [scale * (cos * x - sin * y) + shift[0], scale * (sin * x + cos * y) + shift[1]]
            }).collect();
            procrustes(&before, &mut after);
            for (a, b) in after.iter().flatten().zip(before.iter().flatten()) {
                prop_assert!((a - b).abs() < 1e-3, "{} {}", a, b);
            }
        }

        #[test]
        fn points_are_centred_uncorrelated_and_hold_the_explained_variance(
            values in prop::collection::vec(-5.0_f32..5.0, 4 * 6..4 * 40), dim in 1_usize..9,
        ) {
            let rows = values.len() / dim;
            let data = matrix(dim, &values[..rows * dim]);
            let found = pca(&data);
            let sum = |f: &dyn Fn(&[f32; 2]) -> f64| found.points.iter().map(f).sum::<f64>();
            let [x, y] = [0, 1].map(|axis| sum(&|p| f64::from(p[axis]).powi(2)));
            let total: f64 = (0..rows).flat_map(|row| data.row(row).iter().zip(&found.mean))
                .map(|(v, m)| (f64::from(*v) - f64::from(*m)).powi(2)).sum();
            prop_assert!(x >= y - 1e-3 * x);
            prop_assert!(((x + y) / total - f64::from(found.explained)).abs() < 1e-4);
            prop_assert!(sum(&|p| f64::from(p[0])).abs() < 1e-3 * rows as f64);
            prop_assert!(sum(&|p| f64::from(p[0]) * f64::from(p[1])).abs() < 1e-4 * total);
            // No direction of a handful holds more variance than the first axis.
            for column in 0..dim {
                let along: f64 = (0..rows)
                    .map(|row| f64::from(data.row(row)[column]) - f64::from(found.mean[column]))
                    .map(|v| v * v).sum();
                prop_assert!(along <= x * (1.0 + 1e-4) + 1e-6);
            }
        }
    }
}
