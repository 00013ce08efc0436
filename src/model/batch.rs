//! A batch of token ids on a device, padded to its longest row.

use tch::{Device, Kind, Tensor};

use super::error::ModelError;

/// Rows of token ids with the masks that attention and pooling need.
#[derive(Debug)]
pub struct TokenBatch {
    /// Ids, int64 `[batch, seq]`; 0 at padded places, which nothing reads.
    pub ids: Tensor,
    /// 1 at real tokens, 0 at padding, float32 `[batch, seq, 1]`.
    pub keep: Tensor,
    /// Added to attention scores, float32 `[batch, 1, 1, seq]`; `None` when no row is padded.
    pub bias: Option<Tensor>,
    /// Real tokens of each row.
    pub lengths: Vec<usize>,
    /// Tokens of the longest row.
    pub longest: usize,
}

impl TokenBatch {
    /// Puts rows of ids together. A row without a token counts as one padded place.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn new(rows: &[&[u32]], device: Device) -> Result<Self, ModelError> {
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(1);
        let mut ids = Vec::with_capacity(rows.len() * longest);
        for row in rows {
            ids.extend(row.iter().map(|id| i64::from(*id)));
            ids.resize(ids.len() + longest - row.len(), 0);
        }
        let ids = Tensor::f_from_slice(&ids)?.f_view([rows.len() as i64, longest as i64])?.f_to_device(device)?;
        Self::with_lengths(ids, rows.iter().map(|row| row.len()).collect(), device)
    }

    /// The same masks for ids `[batch, seq]` that are on the device already.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn with_lengths(ids: Tensor, lengths: Vec<usize>, device: Device) -> Result<Self, ModelError> {
        let longest = ids.size().get(1).map_or(1, |d| *d as usize);
        let rows = lengths.len() as i64;
        let mut keep = vec![0f32; lengths.len() * longest];
        for (row, length) in keep.chunks_mut(longest).zip(&lengths) {
            row.iter_mut().take(*length).for_each(|k| *k = 1.0);
        }
        let padded = lengths.iter().any(|length| *length < longest);
        let keep = Tensor::f_from_slice(&keep)?.f_view([rows, longest as i64, 1])?.f_to_device(device)?;
        let bias = if padded {
            let hidden = keep.f_view([rows, 1, 1, longest as i64])?.f_eq(0.0)?;
            let zeros = Tensor::f_zeros([rows, 1, 1, longest as i64], (Kind::Float, device))?;
            // A finite floor, as transformers uses: a row of nothing but padding must not become NaN.
            Some(zeros.f_masked_fill(&hidden, f64::from(f32::MIN))?)
        } else {
            None
        };
        Ok(Self { ids, keep, bias, lengths, longest })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }
}
