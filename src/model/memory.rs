//! How much memory a model takes, told from its summary alone. It never looks at the machine.

use super::summary::{Group, ModelSummary};

/// Bytes of a value.
const FLOAT: u64 = 4;

/// Memory for work with a model, in bytes. What libtorch and the window take is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The weights, as float32.
    pub weights: u64,
    /// The weights and what training all of them needs beside: gradients, the two moments of Adam, and what the
    /// layers keep for the backward pass. An estimate.
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
        let all: u64 = self.tensors.iter().map(super::summary::TensorInfo::elements).sum();
        let trained = self.parameters();
        let kept = self.values_kept_per_token() * ROWS * TOKENS;
        Memory { weights: all * FLOAT, training: (all + 3 * trained + kept) * FLOAT }
    }

    /// Values that the layers keep of each token for the backward pass: the inputs and outputs of the linear layers,
    /// of both norms and of the activation, the masks of dropout, and attention probabilities with their mask.
    fn values_kept_per_token(&self) -> u64 {
        const STATES: u64 = 12;
        const INNER: u64 = 2;
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
