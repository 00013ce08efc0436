//! The largest eigenpairs of a symmetric positive semi-definite matrix: all that a projection needs of it.

use rayon::prelude::*;

use crate::random;

/// Directions iterated beside the wanted ones: the more, the faster the wanted ones settle.
const SPARE: usize = 6;
/// Iterations after which the answer is taken as it is; reached only when eigenvalues all but coincide, where
/// any mixture of their directions is as good.
const MOST_ITERATIONS: usize = 500;
/// Largest `|A v - λ v| / λ₁` of a settled pair.
const SETTLED: f64 = 1e-10;

/// A dense symmetric matrix, row-major.
#[derive(Clone, Debug)]
pub(super) struct Symmetric {
    values: Vec<f64>,
    size: usize,
}

impl Symmetric {
    /// The scalar products of all pairs of rows.
    pub(super) fn gram(rows: &[Vec<f32>]) -> Self {
        let size = rows.len();
        let mut values = vec![0.0; size * size];
        // The upper half by threads, a line each; the lower half mirrored afterwards.
        values.par_chunks_mut(size.max(1)).zip(rows).enumerate().for_each(|(i, (line, row))| {
            for (value, other) in line.iter_mut().zip(rows).skip(i) {
                *value = dot(row, other);
            }
        });
        for i in 0..size {
            for j in 0..i {
                values[i * size + j] = values[j * size + i];
            }
        }
        Self { values, size }
    }

    /// Sum of the diagonal, which is the sum of all eigenvalues.
    pub(super) fn trace(&self) -> f64 {
        (0..self.size).map(|i| self.values[i * self.size + i]).sum()
    }

    fn times(&self, vector: &[f64]) -> Vec<f64> {
        let product = |line: &[f64]| line.iter().zip(vector).map(|(a, b)| a * b).sum();
        self.values.par_chunks(self.size.max(1)).map(product).collect()
    }

    /// The `wanted` largest eigenvalues with their unit vectors, largest first; fewer for a smaller matrix.
    ///
    /// Subspace iteration with a Rayleigh-Ritz step (Golub and Van Loan, *Matrix Computations*, 8.2.4), from a
    /// fixed start, so that the same matrix gives the same answer.
    pub(super) fn largest(&self, wanted: usize) -> Vec<(f64, Vec<f64>)> {
        let width = (wanted + SPARE).min(self.size);
        let mut basis = orthonormal((0..width).map(|index| self.start(index)).collect());
        for _ in 0..MOST_ITERATIONS {
            let images: Vec<Vec<f64>> = basis.iter().map(|v| self.times(v)).collect();
            let (values, mixtures) = jacobi(&projected(&basis, &images));
            let vectors = mix(&basis, &mixtures);
            let moved = mix(&images, &mixtures);
            let first = values.first().copied().unwrap_or(0.0);
            let settled = values.iter().zip(&vectors).zip(&moved).take(wanted).all(|((value, v), image)| {
                let residual = v.iter().zip(image).map(|(v, image)| (image - value * v).powi(2)).sum::<f64>();
                residual.sqrt() <= SETTLED * first
            });
            if settled {
                return values.into_iter().zip(vectors).take(wanted).collect();
            }
            basis = orthonormal(moved);
        }
        let images: Vec<Vec<f64>> = basis.iter().map(|v| self.times(v)).collect();
        let (values, mixtures) = jacobi(&projected(&basis, &images));
        values.into_iter().zip(mix(&basis, &mixtures)).take(wanted).collect()
    }

    /// A start that no matrix met in practice is orthogonal to: numbers without a pattern, from a fixed stream
    /// of `SplitMix64`.
    fn start(&self, index: usize) -> Vec<f64> {
        let mut state = random::GOLDEN.wrapping_mul(index as u64 + 1);
        let mut next = || {
            state = state.wrapping_add(random::GOLDEN);
            (random::scramble(state) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        (0..self.size).map(|_| next()).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Four sums side by side let the compiler use vector registers; their order is fixed.
    let mut sums = [0.0_f64; 4];
    let (a_blocks, a_rest) = a.as_chunks::<4>();
    let (b_blocks, b_rest) = b.as_chunks::<4>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..4 {
            sums[lane] += f64::from(x[lane]) * f64::from(y[lane]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    sums.iter().sum::<f64>() + rest
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Gram-Schmidt, done twice for accuracy ("twice is enough", Kahan). A vector that depends on those before it
/// becomes zeros and takes no further part.
fn orthonormal(mut vectors: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for index in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(index);
        let Some(vector) = rest.first_mut() else { break };
        let before = inner(vector, vector).sqrt();
        for _ in 0..2 {
            for other in done.iter() {
                let along = inner(other, vector);
                for (x, y) in vector.iter_mut().zip(other) {
                    *x -= along * y;
                }
            }
        }
        let norm = inner(vector, vector).sqrt();
        let scale = if norm > before * 1e-12 { 1.0 / norm } else { 0.0 };
        for x in vector.iter_mut() {
            *x *= scale;
        }
    }
    vectors
}

/// `basisᵀ A basis`, from the images `A basis`.
fn projected(basis: &[Vec<f64>], images: &[Vec<f64>]) -> Vec<Vec<f64>> {
    basis.iter().map(|v| images.iter().map(|image| inner(v, image)).collect()).collect()
}

/// The combinations of vectors that the columns of `mixtures` name.
fn mix(vectors: &[Vec<f64>], mixtures: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let length = vectors.first().map_or(0, Vec::len);
    let combine = |weights: &Vec<f64>| {
        let mut sum = vec![0.0; length];
        for (vector, weight) in vectors.iter().zip(weights) {
            for (total, x) in sum.iter_mut().zip(vector) {
                *total += weight * x;
            }
        }
        sum
    };
    mixtures.iter().map(combine).collect()
}

/// All eigenvalues, largest first, with their vectors, of a small symmetric matrix: cyclic Jacobi rotations.
fn jacobi(matrix: &[Vec<f64>]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = matrix.len();
    let mut a: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| f64::midpoint(matrix[i][j], matrix[j][i])).collect()).collect();
    let mut v: Vec<Vec<f64>> =
        (0..size).map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let off = |a: &[Vec<f64>]| -> f64 {
        (0..size).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i][j] * a[i][j]).sum()
    };
    let all: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..60 {
        if off(&a) <= all * 1e-32 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if a[p][q] == 0.0 {
                    continue;
                }
                // The rotation that makes a[p][q] zero (Golub and Van Loan, 8.5.2).
                let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let tan = tau.signum() / (tau.abs() + tau.hypot(1.0));
                let cos = 1.0 / tan.hypot(1.0);
                let sin = tan * cos;
                for row in &mut a {
                    (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
                }
                for k in 0..size {
                    (a[p][k], a[q][k]) = (cos * a[p][k] - sin * a[q][k], sin * a[p][k] + cos * a[q][k]);
                    (v[p][k], v[q][k]) = (cos * v[p][k] - sin * v[q][k], sin * v[p][k] + cos * v[q][k]);
                }
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> = v.into_iter().enumerate().map(|(i, v)| (a[i][i], v)).collect();
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0));
    pairs.into_iter().unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symmetric(lines: &[&[f64]]) -> Symmetric {
        Symmetric { values: lines.concat(), size: lines.len() }
    }

    #[test]
    fn eigenvalues_known_in_closed_form() {
        // The second-difference matrix of size 12 has 2 - 2 cos(πk/13), k = 1 ..= 12.
        let size = 12;
        let mut values = vec![0.0; size * size];
        for i in 0..size {
            values[i * size + i] = 2.0;
            if i > 0 {
                values[i * size + i - 1] = -1.0;
                values[(i - 1) * size + i] = -1.0;
            }
        }
        let found = Symmetric { values, size }.largest(2);
        for ((value, vector), k) in found.iter().zip([12.0, 11.0]) {
            let step = std::f64::consts::PI * k / 13.0;
            assert!((value - (2.0 - 2.0 * step.cos())).abs() < 1e-12, "{value}");
            let sine: Vec<f64> =
                (1..=size).map(|i| (step * i as f64).sin() * (2.0_f64 / 13.0).sqrt()).collect();
            assert!((inner(vector, &sine).abs() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn small_and_degenerate_matrices() {
        let found = symmetric(&[&[2.0, 1.0], &[1.0, 2.0]]).largest(2);
        assert!((found[0].0 - 3.0).abs() < 1e-14 && (found[1].0 - 1.0).abs() < 1e-14, "{found:?}");
        assert!(symmetric(&[]).largest(2).is_empty());
        let one = symmetric(&[&[5.0]]).largest(2);
        assert_eq!(
            one.iter().map(|(value, vector)| (*value, vector[0].abs())).collect::<Vec<_>>(),
            [(5.0, 1.0)]
        );
        let zero = symmetric(&[&[0.0, 0.0], &[0.0, 0.0]]).largest(2);
        assert!(zero.iter().all(|(value, _)| *value == 0.0));
        let same = symmetric(&[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]).largest(2);
        assert!(same.iter().all(|(value, _)| (value - 1.0).abs() < 1e-14));
    }

    #[test]
    fn gram_is_symmetric_and_right() {
        let gram = Symmetric::gram(&[vec![1.0, 2.0, 3.0, 4.0, 5.0], vec![0.0, 1.0, 0.0, 1.0, 0.0]]);
        assert_eq!(gram.values, [55.0, 6.0, 6.0, 2.0]);
        assert_eq!(gram.trace(), 57.0);
    }
}
