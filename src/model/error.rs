//! What can go wrong with a model, in words for the user: what, where, what to do.

use std::path::PathBuf;

use thiserror::Error;

use super::room::Shortage;

/// A model could not be read, run or written.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The path is not a folder.
    #[error(
        "{0} is not a folder. A model is a folder with config.json, model.safetensors and tokenizer.json"
    )]
    NotAFolder(PathBuf),
    /// No config.json.
    #[error(
        "{0} has no config.json, so it is not a model folder. Choose the folder that holds config.json, model.safetensors and tokenizer.json"
    )]
    NoConfig(PathBuf),
    /// Adapters of peft, which transformers adds to the weights when it loads the folder.
    #[error(
        "{0} holds an adapter (adapter_config.json), which transformers adds to the model's weights. Frostline does not, so it would compute something else. Merge the adapter in Python and save the whole model: AutoPeftModel.from_pretrained(path).merge_and_unload().save_pretrained(...)"
    )]
    Adapter(PathBuf),
    /// A JSON file that cannot be understood.
    #[error("{path}: {reason}. Download the file again, or compare it with the original model")]
    BadJson {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An architecture that is not built in.
    #[error("{path} says model_type \"{found}\"; Frostline knows {known}. Choose a model of one of these")]
    UnknownFamily {
        /// The config file.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What would be understood.
        known: String,
    },
    /// No weights file.
    #[error(
        "{0} has no model.safetensors and no pytorch_model.bin. Save the model with save_pretrained(..., safe_serialization=True), or copy the file from the hub"
    )]
    NoWeights(PathBuf),
    /// A weights file that cannot be understood.
    #[error("{path} is damaged or not a safetensors file: {reason}. Copy or download it again")]
    BadWeights {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// A torch archive that cannot be understood.
    #[error("{path} is damaged or not a file of PyTorch weights: {reason}. Copy or download it again")]
    BadTorchFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A torch archive whose pickle does more than describe tensors.
    #[error(
        "{path} is refused: {reason}, and Frostline reads nothing but tensors and runs no code from a weights file. Take model.safetensors from the model's page, or load it in Python if you trust it and save it with save_pretrained(..., safe_serialization=True)"
    )]
    ForeignPickle {
        /// The file.
        path: PathBuf,
        /// What it names or holds.
        reason: String,
    },
    /// A file as torch wrote it before 1.6.
    #[error(
        "{0} is in the format of PyTorch before 1.6, which is not read here. Load it in Python and save it again: torch.save(torch.load(path, weights_only=True), path)"
    )]
    LegacyTorchFile(PathBuf),
    /// Tensors that the architecture needs are absent or of another shape.
    #[error("{path} does not fit its config.json: {}", list(.problems))]
    Mismatch {
        /// The weights file.
        path: PathBuf,
        /// One per tensor.
        problems: Vec<String>,
    },
    /// Weights with NaN or infinite values.
    #[error(
        "{path}: tensor {tensor} holds values that are not finite numbers, so nothing computed from it means anything. Use another copy of the model"
    )]
    NotFinite {
        /// The weights file.
        path: PathBuf,
        /// The first such tensor.
        tensor: String,
    },
    /// More tokens than positions.
    #[error(
        "a text of {tokens} tokens does not fit a model with {positions} positions. Lower the maximum length to {positions}"
    )]
    TooLong {
        /// Tokens of the text.
        tokens: usize,
        /// Positions of the model.
        positions: usize,
    },
    /// More memory than the machine has.
    #[error("{what}: {shortage}. Use a smaller one")]
    NoRoom {
        /// What asks for it, with the setting.
        what: String,
        /// How much it asks for.
        shortage: Shortage,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// libtorch refused.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] tch::TchError),
    /// Something between the parts of a model does not fit.
    #[error("{0}")]
    Unfit(String),
}

impl ModelError {
    /// For `map_err` on file operations.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// libtorch adds its C++ stack to every message; the first line is the message.
fn first_line(error: &tch::TchError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn list(problems: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match problems.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
