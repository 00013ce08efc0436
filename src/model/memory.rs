//! How much memory a model takes, told from its summary alone. It never looks at the machine.

use super::summary::{Group, ModelSummary};

/// Bytes of a value.
const FLOAT: u64 = 4;

/// Memory for work with a model, in bytes. What libtorch and the window take is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The weights, as float32.
    pub weights: u64,
    /// The weights and what training all of them needs beside: copies of them as they were at the start and at the
    /// best epoch, gradients, the two moments of Adam, and what the layers keep for the backward pass. An estimate.
    pub training: u64,
}

/// Texts of a batch and tokens of a text that [`Memory::training`] is told for.
pub const ROWS: u64 = 32;
/// See [`ROWS`].
pub const TOKENS: u64 = 64;

impl ModelSummary {
    /// Memory for work with this model.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let elements = self.tensors.iter().map(super::summary::TensorInfo::elements);
        let all = elements.fold(0, u64::saturating_add);
        let trained = self.parameters();
        let kept = self.values_kept_per_token() * ROWS * TOKENS;
        Memory { weights: all * FLOAT, training: (3 * all + 3 * trained + kept) * FLOAT }
    }

    /// Values that the layers keep of each token for the backward pass, and need while it runs: inputs and outputs of
    /// the linear layers, of both norms and of the activation, masks of dropout, attention probabilities.
    ///
    /// Counted so that it meets what was measured: full fine-tuning of all-MiniLM-L6-v2 on a CPU grew by 14,400 values
    /// per token and layer from 4 to 64 texts of 64 tokens, beside 13,800 by this count.
    fn values_kept_per_token(&self) -> u64 {
        const STATES: u64 = 18;
        const INNER: u64 = 3;
        const PROBABILITIES: u64 = 3;
        let (hidden, heads) = (self.hidden as u64, self.attention_heads as u64);
        let layer = STATES * hidden + INNER * self.inner_size() + PROBABILITIES * heads * TOKENS;
        layer * self.applications as u64
    }

    /// Size of the states inside the feed-forward sub-layer: the longest side of a layer's matrices.
    fn inner_size(&self) -> u64 {
        let in_layers = self.tensors.iter().filter(|tensor| matches!(tensor.group, Group::Layer(_)));
        in_layers.flat_map(|tensor| &tensor.shape).max().map_or(0, |size| size.unsigned_abs())
    }
}
