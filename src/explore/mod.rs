//! Looking at embeddings: similarity, neighbours, projections, probes. Plain `f32` matrices in, plain data out.
//!
//! It must never know a tensor, a file or a window.

pub mod neighbours;
pub mod projection;
pub mod similarity;
mod spectrum;

/// Row-major matrix of embeddings, one row per text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    /// `rows * dim` values.
    pub values: Vec<f32>,
    /// Values per row.
    pub dim: usize,
}

impl Embeddings {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Row `index`; empty past the end.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        self.values.get(index * self.dim..(index + 1) * self.dim).unwrap_or_default()
    }
}
