//! A batch of token ids on a device: padded to its longest row, or packed end to end.

use tch::{Device, Kind, Tensor};

use super::device::upload;
use super::error::ModelError;

/// Rows of token ids with what attention and pooling need to know of them.
#[derive(Debug)]
pub struct TokenBatch {
    /// Ids, int64: `[batch, seq]` when padded (0 at padded places, which nothing reads), `[tokens]` when packed.
    pub ids: Tensor,
    /// 1 at real tokens, 0 at padding, float32 `[batch, seq, 1]`, or `[tokens, 1]` when packed: all ones.
    pub keep: Tensor,
    /// Added to attention scores, float32 `[batch, 1, 1, seq]`; `None` when no row is padded.
    pub bias: Option<Tensor>,
    /// Real tokens of each row.
    pub lengths: Vec<usize>,
    /// Tokens of the longest row.
    pub longest: usize,
    /// When packed: the runs of rows of one length, in order. `None` when padded.
    pub groups: Option<Vec<Group>>,
}

/// Neighbouring rows of one length in a packed batch: together they are a batch without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Place of its first token.
    pub start: usize,
    /// Its rows.
    pub rows: usize,
    /// Tokens of each of them.
    pub length: usize,
}

impl Group {
    /// The group's part of a packed tensor `[tokens, ...]`, as `[rows, length, dim]`.
    pub(super) fn of(&self, packed: &Tensor, dim: i64) -> Result<Tensor, ModelError> {
        let tokens = (self.rows * self.length) as i64;
        let part = packed.f_narrow(0, self.start as i64, tokens)?;
        Ok(part.f_view([self.rows as i64, self.length as i64, dim])?)
    }
}

impl TokenBatch {
    /// Puts rows of ids together, padded. A row without a token counts as one padded place.
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
        let ids = upload(&ids, device)?.f_view([rows.len() as i64, longest as i64])?;
        Self::with_lengths(ids, rows.iter().map(|row| row.len()).collect(), device)
    }

    /// Puts rows of ids end to end, so that nothing is computed for padding. Attention runs once for every run
    /// of rows of one length: rows should be sorted by length. Padded where a row has no token.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn packed(rows: &[&[u32]], device: Device) -> Result<Self, ModelError> {
        if rows.iter().any(|row| row.is_empty()) {
            return Self::new(rows, device);
        }
        let ids: Vec<i64> = rows.iter().flat_map(|row| row.iter().map(|id| i64::from(*id))).collect();
        let mut groups: Vec<Group> = Vec::new();
        let mut start = 0;
        for row in rows {
            match groups.last_mut() {
                Some(group) if group.length == row.len() => group.rows += 1,
                _ => groups.push(Group { start, rows: 1, length: row.len() }),
            }
            start += row.len();
        }
        Ok(Self {
            ids: upload(&ids, device)?,
            keep: Tensor::f_ones([ids.len() as i64, 1], (Kind::Float, device))?,
            bias: None,
            lengths: rows.iter().map(|row| row.len()).collect(),
            longest: groups.iter().map(|group| group.length).max().unwrap_or(1),
            groups: Some(groups),
        })
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
        let keep = upload(&keep, device)?.f_view([rows, longest as i64, 1])?;
        let bias = if padded {
            let hidden = keep.f_view([rows, 1, 1, longest as i64])?.f_eq(0.0)?;
            let zeros = Tensor::f_zeros([rows, 1, 1, longest as i64], (Kind::Float, device))?;
            // A finite floor, as transformers uses: a row of nothing but padding must not become NaN.
            Some(zeros.f_masked_fill(&hidden, f64::from(f32::MIN))?)
        } else {
            None
        };
        Ok(Self { ids, keep, bias, lengths, longest, groups: None })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// The place of every token in its row, int64: `[seq]` when padded, `[tokens]` when packed.
    ///
    /// # Errors
    /// When libtorch cannot allocate.
    pub fn places(&self) -> Result<Tensor, ModelError> {
        let device = self.ids.device();
        if self.groups.is_none() {
            return Ok(Tensor::f_arange(self.longest as i64, (Kind::Int64, device))?);
        }
        let places: Vec<i64> = self.lengths.iter().flat_map(|length| 0..*length as i64).collect();
        Ok(upload(&places, device)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_rows_of_one_length_form_a_group() {
        let rows: [&[u32]; 4] = [&[1, 2, 3], &[4, 5, 6], &[7, 8], &[9, 1]];
        let batch = TokenBatch::packed(&rows, Device::Cpu).unwrap();
        let wanted = [Group { start: 0, rows: 2, length: 3 }, Group { start: 6, rows: 2, length: 2 }];
        assert_eq!(batch.groups.as_deref(), Some(&wanted[..]));
        assert_eq!(batch.ids.size(), [10]);
        let places = Vec::<i64>::try_from(batch.places().unwrap()).unwrap();
        assert_eq!(places, [0, 1, 2, 0, 1, 2, 0, 1, 0, 1]);
    }

    #[test]
    fn a_row_without_a_token_is_padded() {
        let batch = TokenBatch::packed(&[&[1, 2], &[]], Device::Cpu).unwrap();
        assert!(batch.groups.is_none() && batch.bias.is_some());
    }
}
