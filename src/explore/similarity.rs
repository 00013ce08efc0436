//! Cosine similarity: the measure that sentence embeddings are trained for.
//!
//! A row without a direction (all zeros, or not finite) has cosine 0 with everything, itself included.

use rayon::prelude::*;

use super::Embeddings;

/// Independent sums in [`dot`]: enough for the compiler to use vector registers without reordering anything.
const LANES: usize = 8;

/// Scalar product over the shorter length. The order of additions is fixed, so results repeat on any number
/// of threads.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    if a.len() != b.len() {
        return a.iter().zip(b).map(|(x, y)| x * y).sum();
    }
    let mut sums = [0.0_f32; LANES];
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Scales a vector to length 1; one without a direction becomes all zeros.
pub fn normalise(vector: &mut [f32]) {
    // Squares of f32 cannot overflow f64, so every finite vector keeps its direction.
    let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if norm > 0.0 && norm.is_finite() {
        for x in vector {
            *x = (f64::from(*x) / norm) as f32;
        }
    } else {
        vector.fill(0.0);
    }
}

/// The same rows, each scaled to length 1.
#[must_use]
pub fn normalised(embeddings: &Embeddings) -> Embeddings {
    let mut scaled = embeddings.clone();
    if scaled.dim > 0 {
        scaled.values.par_chunks_mut(scaled.dim).for_each(normalise);
    }
    scaled
}

/// Cosine of the angle between two vectors, -1 to 1.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    normalise(&mut a);
    normalise(&mut b);
    dot(&a, &b).clamp(-1.0, 1.0)
}

/// `matrix[i][j]`: cosine of rows `i` and `j`; symmetric to the bit.
#[must_use]
pub fn cosine_matrix(embeddings: &Embeddings) -> Vec<Vec<f32>> {
    let unit = normalised(embeddings);
    let rows = unit.rows();
    // dot(a, b) and dot(b, a) add the same products in the same order, so both halves agree exactly.
    (0..rows)
        .into_par_iter()
        .map(|i| (0..rows).map(|j| dot(unit.row(i), unit.row(j)).clamp(-1.0, 1.0)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: f32, b: f32) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn angles_that_can_be_done_by_hand() {
        let embeddings = Embeddings { values: vec![1.0, 0.0, 1.0, 1.0, 0.0, -2.0, -3.0, 0.0], dim: 2 };
        let matrix = cosine_matrix(&embeddings);
        let half = 0.5_f32.sqrt();
        let expected = [
            [1.0, half, 0.0, -1.0],
            [half, 1.0, -half, -half],
            [0.0, -half, 1.0, 0.0],
            [-1.0, -half, 0.0, 1.0],
        ];
        for (row, wanted) in matrix.iter().zip(expected) {
            assert!(row.iter().zip(wanted).all(|(a, b)| close(*a, b)), "{matrix:?}");
        }
    }

    #[test]
    fn huge_and_tiny_vectors_keep_their_direction() {
        assert!(close(cosine(&[1e38, 1e38], &[1e-38, 1e-38]), 1.0));
    }

    #[test]
    fn no_direction_means_zero_and_never_nan() {
        let values = vec![0.0, 0.0, f32::NAN, 1.0, f32::INFINITY, 1.0, 1.0, 1.0];
        let matrix = cosine_matrix(&Embeddings { values, dim: 2 });
        for row in &matrix[..3] {
            assert_eq!(row, &[0.0; 4]);
        }
        assert_eq!(matrix[3][..3], [0.0; 3]);
        assert!(cosine_matrix(&Embeddings::default()).is_empty());
    }

    proptest! {
        #[test]
        fn symmetric_bounded_and_one_with_itself(values in prop::collection::vec(-10.0_f32..10.0, 33..132)) {
            let rows = values.len() / 11;
            let embeddings = Embeddings { values: values[..rows * 11].to_vec(), dim: 11 };
            let matrix = cosine_matrix(&embeddings);
            for (i, line) in matrix.iter().enumerate() {
                prop_assert!((line[i] - 1.0).abs() < 1e-5);
                for (j, value) in line.iter().enumerate() {
                    prop_assert_eq!(value.to_bits(), matrix[j][i].to_bits());
                    prop_assert!((-1.0..=1.0).contains(value));
                }
            }
        }

        #[test]
        fn length_does_not_matter(
            a in prop::collection::vec(-5.0_f32..5.0, 20),
            b in prop::collection::vec(-5.0_f32..5.0, 20),
            scale in 0.01_f32..100.0,
        ) {
            let scaled: Vec<f32> = a.iter().map(|x| x * scale).collect();
            prop_assert!((cosine(&a, &b) - cosine(&scaled, &b)).abs() < 1e-5);
        }
    }
}
