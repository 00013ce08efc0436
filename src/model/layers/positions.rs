//! How an encoder knows where tokens stand: tables that are added to the embeddings, and what attention adds by
//! itself. It knows the formulas that several families share; a family's own is in its file.

use tch::Tensor;

use crate::model::batch::TokenBatch;
use crate::model::error::ModelError;

/// What attention sees of where tokens stand, beside what is in their states already.
pub trait Positions {
    /// Queries and keys `[rows, heads, seq, size]` before they are compared. All rows have `seq` places, counted
    /// from 0, also where a packed batch has longer rows elsewhere.
    ///
    /// # Errors
    /// When libtorch refuses.
    fn see(&self, q: Tensor, k: Tensor) -> Result<Seen, ModelError>;
}

/// What is compared. Scores are `q k^T / sqrt(size) + bias`.
pub struct Seen {
    /// Queries, `[rows, heads, seq, size]`.
    pub q: Tensor,
    /// Keys, the same.
    pub k: Tensor,
    /// Added to the scores, broadcast to `[rows, heads, seq, seq]`.
    pub bias: Option<Tensor>,
}

/// Positions that were added to the embeddings: attention adds nothing.
pub struct Absolute;

impl Positions for Absolute {
    fn see(&self, q: Tensor, k: Tensor) -> Result<Seen, ModelError> {
        Ok(Seen { q, k, bias: None })
    }
}

/// Something for each pair of places, `[..., longest, longest]`: the corner of it that rows of `seq` places have.
pub(in crate::model) fn corner(pairs: &Tensor, seq: i64) -> Result<Tensor, ModelError> {
    Ok(pairs.f_narrow(-2, 0, seq)?.f_narrow(-1, 0, seq)?)
}

/// Learned embeddings of every place, `[seq, dim]`, or `[tokens, dim]` of a packed batch. The first token is at
/// row `first` of the table.
pub(in crate::model) fn learned(
    table: &Tensor,
    batch: &TokenBatch,
    first: usize,
) -> Result<Tensor, ModelError> {
    let rows = table.size().first().map_or(0, |d| *d as usize);
    if batch.longest + first > rows {
        let positions = rows.saturating_sub(first);
        return Err(ModelError::TooLong { tokens: batch.longest, positions });
    }
    let places = batch.places()?;
    let places = if first == 0 { places } else { places.f_add_scalar(first as i64)? };
    // Gathered rather than sliced, so that in the backward pass only these rows are touched.
    Ok(Tensor::f_embedding(table, &places, -1, false, false)?)
}
