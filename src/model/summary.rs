//! What is known of a model without a tensor in hand: names, shapes, groups. Plain data for plans and windows.

use std::path::PathBuf;

/// The part of the model that a tensor belongs to, as a freeze plan sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Token, position and type embeddings with their `LayerNorm`.
    Embeddings,
    /// Encoder layer, from 0 next to the embeddings.
    Layer(usize),
    /// Head of the task of that index.
    Head(usize),
    /// In the file and kept for export, but not part of the sentence embedding (BERT's pooler).
    Unused,
}

/// A tensor's name, shape and group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name without the family's prefix; `heads.TASK.weight` for a head.
    pub name: String,
    /// Shape.
    pub shape: Vec<i64>,
    /// The group.
    pub group: Group,
}

impl TensorInfo {
    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|d| (*d).max(0).unsigned_abs()).product()
    }

    /// The tensors of a linear head: `weight` `[classes, hidden]` and `bias` `[classes]`.
    #[must_use]
    pub fn of_head(index: usize, task: &str, hidden: usize, classes: usize) -> [Self; 2] {
        let group = Group::Head(index);
        let (hidden, classes) = (hidden as i64, classes as i64);
        [
            Self { name: format!("heads.{task}.weight"), shape: vec![classes, hidden], group },
            Self { name: format!("heads.{task}.bias"), shape: vec![classes], group },
        ]
    }
}

/// How token states become one vector per sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Mean over the real tokens: sum / count, count clamped at 1e-9.
    #[default]
    Mean,
    /// The first token's state.
    Cls,
    /// Largest value over the real tokens, per dimension.
    Max,
    /// Sum over the real tokens / sqrt(count).
    MeanSqrtLen,
}

impl Pooling {
    /// `mean`, `cls`, `max`, `mean_sqrt_len`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Max => "max",
            Self::MeanSqrtLen => "mean_sqrt_len",
        }
    }
}

/// A loaded model, described.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSummary {
    /// Its folder.
    pub path: PathBuf,
    /// Last part of the folder's name.
    pub name: String,
    /// `model_type` of its config.json: `bert`, `distilbert`.
    pub model_type: String,
    /// Encoder layers.
    pub layers: usize,
    /// Size of a token state and of the sentence embedding.
    pub hidden: usize,
    /// Attention heads per layer.
    pub attention_heads: usize,
    /// Entries of the vocabulary.
    pub vocab_size: usize,
    /// Most tokens in a text, special tokens counted, that the positions allow.
    pub max_positions: usize,
    /// `max_seq_length` of the folder, or the positions where it says nothing.
    pub max_seq_length: usize,
    /// How token states are pooled.
    pub pooling: Pooling,
    /// Where the pooling comes from: `from 1_Pooling/config.json`, `not stated: mean` ...
    pub pooling_source: String,
    /// Whether embeddings are scaled to length 1.
    pub normalize: bool,
    /// Every tensor.
    pub tensors: Vec<TensorInfo>,
    /// SHA-256 of the weights file, in hexadecimal.
    pub sha256: String,
    /// Bytes of the weights file.
    pub file_bytes: u64,
}

impl ModelSummary {
    /// Number of parameters that the embedding depends on.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().filter(|t| t.group != Group::Unused).map(TensorInfo::elements).sum()
    }

    /// Number of parameters of a group.
    #[must_use]
    pub fn parameters_of(&self, group: Group) -> u64 {
        self.tensors.iter().filter(|t| t.group == group).map(TensorInfo::elements).sum()
    }
}
