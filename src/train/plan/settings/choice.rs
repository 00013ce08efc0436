//! The words for the values of a setting that is a choice: in files, on the command line, in lists of settings.

use crate::model::lora::LoraTargets;
use crate::train::plan::ParamFilter;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{Decay, OptimizerKind, Precision, Weighting};

/// A choice with a word for each of its values.
pub trait Choice: Copy + PartialEq + 'static {
    /// Every value with its word.
    fn words() -> Vec<(Self, &'static str)>;
}

impl Choice for bool {
    fn words() -> Vec<(Self, &'static str)> {
        vec![(true, "true"), (false, "false")]
    }
}

impl Choice for Preset {
    fn words() -> Vec<(Self, &'static str)> {
        Self::ALL.map(|preset| (preset, preset.key())).into()
    }
}

impl Choice for OptimizerKind {
    fn words() -> Vec<(Self, &'static str)> {
        vec![(Self::Adam, "adam"), (Self::AdamW, "adamw"), (Self::Sgd, "sgd")]
    }
}

impl Choice for Decay {
    fn words() -> Vec<(Self, &'static str)> {
        vec![(Self::Constant, "constant"), (Self::Linear, "linear"), (Self::Cosine, "cosine")]
    }
}

impl Choice for Precision {
    fn words() -> Vec<(Self, &'static str)> {
        vec![(Self::Float32, "float32"), (Self::Bfloat16, "bfloat16")]
    }
}

impl Choice for Weighting {
    fn words() -> Vec<(Self, &'static str)> {
        vec![(Self::Fixed, "fixed"), (Self::Uncertainty, "uncertainty")]
    }
}

impl Choice for ParamFilter {
    fn words() -> Vec<(Self, &'static str)> {
        Self::ALL.map(|part| (part, part.key())).into()
    }
}

impl Choice for LoraTargets {
    fn words() -> Vec<(Self, &'static str)> {
        Self::ALL.map(|targets| (targets, targets.key())).into()
    }
}
