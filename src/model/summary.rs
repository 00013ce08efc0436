//! What is known of a model without a tensor in hand: names, shapes, groups. Plain data for plans and windows.

use std::path::PathBuf;

use super::dense::DenseSpec;
use crate::data::task::TaskKind;

/// The part of the model that a tensor belongs to, as a freeze plan sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Token, position and type embeddings with their `LayerNorm`.
    Embeddings,
    /// Encoder layer, from 0 next to the embeddings.
    Layer(usize),
    /// Dense modules behind the pooling, where there are any: part of the sentence embedding.
    Dense,
    /// Head of the task of that index.
    Head(usize),
    /// The weight that the loss of the task of that index learns for itself (uncertainty weighting).
    LossWeight(usize),
    /// In the file and kept for export, but not part of the sentence embedding (BERT's pooler).
    Unused,
}

/// What a tensor does within its group, read off the names that all families share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A matrix of a linear layer or a table of embeddings.
    Weight,
    /// What a linear layer adds.
    Bias,
    /// Gain or bias of a `LayerNorm`.
    Norm,
    /// A low-rank adapter beside a linear layer.
    Adapter,
}

/// Last part of the names of an adapter's matrices, as the `peft` library calls them.
pub const LORA_DOWN: &str = "lora_A";
/// The same for the one that is applied second, and starts at zero.
pub const LORA_UP: &str = "lora_B";

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
        self.shape.iter().map(|d| (*d).max(0).unsigned_abs()).fold(1, u64::saturating_mul)
    }

    /// What it does within its group.
    #[must_use]
    pub fn role(&self) -> Role {
        let (module, last) = self.name.rsplit_once('.').unwrap_or(("", &self.name));
        let module = module.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
        if last == LORA_DOWN || last == LORA_UP {
            Role::Adapter
        } else if module.ends_with("norm") || module.ends_with("norms") {
            Role::Norm
        } else if last == "bias" {
            Role::Bias
        } else {
            Role::Weight
        }
    }

    /// True for the bias of a `LayerNorm` or of a linear layer.
    #[must_use]
    pub fn is_bias(&self) -> bool {
        self.name.rsplit_once('.').is_some_and(|(_, last)| last == "bias")
    }

    /// The two matrices of a low-rank adapter beside a linear layer `[out, in]`: down `[rank, in]`, up
    /// `[out, rank]`.
    #[must_use]
    pub fn of_adapter(linear: &str, shape: (i64, i64), rank: i64, group: Group) -> [Self; 2] {
        let (out, input) = shape;
        [
            Self { name: format!("{linear}.{LORA_DOWN}"), shape: vec![rank, input], group },
            Self { name: format!("{linear}.{LORA_UP}"), shape: vec![out, rank], group },
        ]
    }

    /// Whether it is part of the model that a run leaves, rather than merged into it or forgotten with the run.
    #[must_use]
    pub fn outlives_a_run(&self) -> bool {
        self.role() != Role::Adapter && !matches!(self.group, Group::LossWeight(_))
    }

    /// The learnt weight of a task's loss: a number.
    #[must_use]
    pub fn of_loss_weight(index: usize, task: &str) -> Self {
        Self { name: format!("log_var.{task}"), shape: Vec::new(), group: Group::LossWeight(index) }
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
    /// Mean over the real tokens, the first weighing 1, the second 2 and so on.
    WeightedMean,
    /// The last real token's state.
    LastToken,
}

impl Pooling {
    /// `mean`, `cls`, `max`, `mean_sqrt_len`, `weightedmean`, `lasttoken`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Max => "max",
            Self::MeanSqrtLen => "mean_sqrt_len",
            Self::WeightedMean => "weightedmean",
            Self::LastToken => "lasttoken",
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
    /// Encoder layers with weights of their own: what can be frozen or trained by itself.
    pub layers: usize,
    /// How many layers a text passes through: more than `layers` where layers share their weights (ALBERT).
    pub applications: usize,
    /// Size of a token state, and of what the pooling makes of them.
    pub hidden: usize,
    /// Dense modules behind the pooling, in order.
    pub dense: Vec<DenseSpec>,
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
    /// SHA-256 of the weights, in hexadecimal: of the file, or of the shards one behind the other.
    pub sha256: String,
    /// Bytes of the weights files.
    pub file_bytes: u64,
    /// What the folder says beside the network.
    pub origin: Origin,
}

/// What a model folder says of itself beside the network, and what the user should know of how it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The licence that its README or its configuration names.
    pub licence: Option<String>,
    /// Its files with their sizes.
    pub files: Vec<FileSize>,
    /// Texts that the model expects before certain kinds of texts (`query: `).
    pub prompts: Vec<Prompt>,
    /// The name of the prompt that sentence-transformers puts before every text.
    pub default_prompt: Option<String>,
    /// Whether the tokens of a prompt are to be left out of the pooling, which is not done here.
    pub pools_no_prompt: bool,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub lower_case: bool,
    /// Tensors in the weights that the encoder has no place for, by their names there.
    pub unexpected: Vec<String>,
    /// What was assumed or left aside, a sentence each.
    pub notes: Vec<String>,
    /// SHA-256 of the tokenizer's files, in hexadecimal; `None` where the folder has none.
    pub tokenizer_sha256: Option<String>,
}

impl Origin {
    /// The same, with what was left aside in the weights, and a note that says so.
    #[must_use]
    pub fn with_unexpected(mut self, unexpected: Vec<String>) -> Self {
        const SHOWN: usize = 4;
        if !unexpected.is_empty() {
            let shown = unexpected.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let more = if unexpected.len() > SHOWN { " and more" } else { "" };
            let what = if unexpected.len() == 1 { "tensor is" } else { "tensors are" };
            self.notes.push(format!(
                "{} {what} no part of the encoder and left aside: {shown}{more}.",
                unexpected.len()
            ));
        }
        self.unexpected = unexpected;
        self
    }
}

/// A file of a model folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSize {
    /// Its name, `1_Pooling/config.json` in a folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// A text to be put before others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// What the model calls it; empty for a text of the user's own.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Prompt {
    /// What a person reads: `query ("query: ")`, or the text alone.
    #[must_use]
    pub fn told(&self) -> String {
        if self.name.is_empty() {
            format!("{:?}", self.text)
        } else {
            format!("{} ({:?})", self.name, self.text)
        }
    }
}

impl ModelSummary {
    /// Values of a sentence embedding.
    #[must_use]
    pub fn embedding(&self) -> usize {
        self.dense.last().map_or(self.hidden, |last| last.output)
    }

    /// Values that a task's head reads: a token state's, or the sentence embedding's.
    #[must_use]
    pub fn head_input(&self, kind: TaskKind) -> usize {
        if kind == TaskKind::TokenLabels { self.hidden } else { self.embedding() }
    }

    /// The prompt that the user means: one of the model's by its name, or else a text of their own. None where
    /// nothing, or nothing but an empty text, is chosen.
    ///
    /// # Errors
    /// A sentence, for a model that wants prompts left out of the pooling.
    pub fn prompt(&self, chosen: Option<&str>) -> Result<Option<Prompt>, String> {
        let Some(chosen) = chosen else { return Ok(None) };
        let named = self.origin.prompts.iter().find(|prompt| prompt.name == chosen).cloned();
        let prompt = named.unwrap_or_else(|| Prompt { name: String::new(), text: chosen.to_owned() });
        if prompt.text.is_empty() {
            return Ok(None);
        }
        if self.origin.pools_no_prompt {
            return Err(format!(
                "{} leaves the tokens of a prompt out of the pooling (include_prompt is false in its Pooling), which \
                 is not supported: choose no prompt",
                self.name
            ));
        }
        Ok(Some(prompt))
    }

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
