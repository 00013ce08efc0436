//! The `[recipe]` table of `frostline.toml` and `run.toml`: the mirror of [`Recipe`] on disk.

use serde::{Deserialize, Serialize};

use super::numbers::{NoLimit, NumberOr, Seed};
use crate::train::preset::{Decay, OptimizerKind, Preset, Recipe};

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PresetKey {
    FreezeAll,
    FreezeBackbone,
    FreezeHead,
    Gradual,
    Full,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum OptimizerKey {
    Adam,
    AdamW,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum DecayKey {
    Constant,
    Linear,
    Cosine,
}

/// Every key may be left out: it then has the value that choosing the preset would give it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeFile {
    preset: Option<PresetKey>,
    frozen_head: Option<String>,
    epochs: Option<u32>,
    batch_size: Option<usize>,
    max_length: Option<usize>,
    optimizer: Option<OptimizerKey>,
    lr_encoder: Option<f64>,
    lr_heads: Option<f64>,
    layer_decay: Option<f64>,
    weight_decay: Option<f64>,
    decay: Option<DecayKey>,
    warmup: Option<f64>,
    clip_norm: Option<NumberOr<NoLimit>>,
    head_dropout: Option<f64>,
    /// Left out: the model's own.
    encoder_dropout: Option<f64>,
    seed: Option<Seed>,
}

impl From<&Recipe> for RecipeFile {
    fn from(recipe: &Recipe) -> Self {
        Self {
            preset: Some(match recipe.preset {
                Preset::FreezeAll => PresetKey::FreezeAll,
                Preset::FreezeBackbone => PresetKey::FreezeBackbone,
                Preset::FreezeHead => PresetKey::FreezeHead,
                Preset::Gradual => PresetKey::Gradual,
                Preset::Full => PresetKey::Full,
            }),
            frozen_head: recipe.frozen_head.clone(),
            epochs: Some(recipe.epochs),
            batch_size: Some(recipe.batch_size),
            max_length: Some(recipe.max_length),
            optimizer: Some(match recipe.optimizer {
                OptimizerKind::Adam => OptimizerKey::Adam,
                OptimizerKind::AdamW => OptimizerKey::AdamW,
            }),
            lr_encoder: Some(recipe.lr_encoder),
            lr_heads: Some(recipe.lr_heads),
            layer_decay: Some(recipe.layer_decay),
            weight_decay: Some(recipe.weight_decay),
            decay: Some(match recipe.decay {
                Decay::Constant => DecayKey::Constant,
                Decay::Linear => DecayKey::Linear,
                Decay::Cosine => DecayKey::Cosine,
            }),
            warmup: Some(recipe.warmup),
            clip_norm: Some(NumberOr::new(recipe.clip_norm)),
            head_dropout: Some(recipe.head_dropout),
            encoder_dropout: recipe.encoder_dropout,
            seed: Some(Seed(recipe.seed)),
        }
    }
}

impl From<RecipeFile> for Recipe {
    fn from(file: RecipeFile) -> Self {
        let mut preset = Self::default();
        match file.preset {
            None => {}
            Some(PresetKey::FreezeAll) => preset.choose(Preset::FreezeAll),
            Some(PresetKey::FreezeBackbone) => preset.choose(Preset::FreezeBackbone),
            Some(PresetKey::FreezeHead) => preset.choose(Preset::FreezeHead),
            Some(PresetKey::Gradual) => preset.choose(Preset::Gradual),
            Some(PresetKey::Full) => preset.choose(Preset::Full),
        }
        Self {
            preset: preset.preset,
            frozen_head: file.frozen_head,
            epochs: file.epochs.unwrap_or(preset.epochs),
            batch_size: file.batch_size.unwrap_or(preset.batch_size),
            max_length: file.max_length.unwrap_or(preset.max_length),
            optimizer: match file.optimizer {
                None => preset.optimizer,
                Some(OptimizerKey::Adam) => OptimizerKind::Adam,
                Some(OptimizerKey::AdamW) => OptimizerKind::AdamW,
            },
            lr_encoder: file.lr_encoder.unwrap_or(preset.lr_encoder),
            lr_heads: file.lr_heads.unwrap_or(preset.lr_heads),
            layer_decay: file.layer_decay.unwrap_or(preset.layer_decay),
            weight_decay: file.weight_decay.unwrap_or(preset.weight_decay),
            decay: match file.decay {
                None => preset.decay,
                Some(DecayKey::Constant) => Decay::Constant,
                Some(DecayKey::Linear) => Decay::Linear,
                Some(DecayKey::Cosine) => Decay::Cosine,
            },
            warmup: file.warmup.unwrap_or(preset.warmup),
            clip_norm: file.clip_norm.map_or(preset.clip_norm, |norm| norm.0),
            head_dropout: file.head_dropout.unwrap_or(preset.head_dropout),
            encoder_dropout: file.encoder_dropout.or(preset.encoder_dropout),
            seed: file.seed.map_or(preset.seed, |seed| seed.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_written_under_their_keys_and_bring_their_defaults() {
        for preset in Preset::ALL {
            let file: RecipeFile = toml::from_str(&format!("preset = \"{}\"", preset.key())).unwrap();
            let mut chosen = Recipe::default();
            chosen.choose(preset);
            assert_eq!(Recipe::from(file), chosen);
            let text = toml::to_string(&RecipeFile::from(&chosen)).unwrap();
            assert!(text.contains(&format!("preset = \"{}\"", preset.key())), "{text}");
        }
    }

    #[test]
    fn no_clipping_is_told_from_the_default() {
        let read = |text| toml::from_str::<RecipeFile>(text).map(Recipe::from);
        assert_eq!(read("").unwrap(), Recipe::default());
        assert_eq!(read("clip_norm = \"none\"").unwrap().clip_norm, None);
        assert_eq!(read("clip_norm = 2").unwrap().clip_norm, Some(2.0));
        assert!(read("clip_norm = \"off\"").unwrap_err().to_string().contains("a number or \"none\""));
    }

    #[test]
    fn a_seed_beyond_toml_keeps_its_digits() {
        for seed in [0, i64::MAX as u64, u64::MAX] {
            let text = toml::to_string(&RecipeFile::from(&Recipe { seed, ..Recipe::default() })).unwrap();
            assert_eq!(Recipe::from(toml::from_str::<RecipeFile>(&text).unwrap()).seed, seed);
        }
        assert!(toml::from_str::<RecipeFile>("seed = -1").is_err());
    }
}
