//! The `[recipe]` table of `frostline.toml` and `run.toml`: the mirror of [`Recipe`] on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::phase_file::PhaseEntry;
use super::serde_enum::Keyed;
use super::serde_number::{NoLimit, NumberOr, Seed};
use crate::model::lora::{Lora, LoraTargets};
use crate::train::plan::ParamFilter;
use crate::train::plan::monitor::Monitor;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{
    Decay, OptimizerKind, Precision, Recipe, Sampling, TaskSettings, Weighting,
};

/// Every key may be left out: it then has the value that choosing the preset would give it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecipeFile {
    preset: Option<Keyed<Preset>>,
    frozen_head: Option<String>,
    part: Option<Keyed<ParamFilter>>,
    lora_rank: Option<usize>,
    lora_alpha: Option<f64>,
    lora_targets: Option<Keyed<LoraTargets>>,
    epochs: Option<u32>,
    batch_size: Option<usize>,
    accumulate: Option<usize>,
    sampling: Option<SamplingFile>,
    half_cache: Option<bool>,
    max_length: Option<usize>,
    precision: Option<Keyed<Precision>>,
    /// Left out: nothing is put before a text.
    prompt: Option<String>,
    optimizer: Option<Keyed<OptimizerKind>>,
    lr_encoder: Option<f64>,
    lr_heads: Option<f64>,
    layer_decay: Option<f64>,
    weight_decay: Option<f64>,
    decay: Option<Keyed<Decay>>,
    warmup: Option<f64>,
    clip_norm: Option<NumberOr<NoLimit>>,
    /// Left out: weights are not averaged.
    ema: Option<f64>,
    /// Left out: each task's own headline figure.
    watch: Option<String>,
    /// Left out: the mean over the tasks.
    watch_task: Option<String>,
    /// Left out: the run does not end early.
    patience: Option<u32>,
    weighting: Option<Keyed<Weighting>>,
    head_dropout: Option<f64>,
    /// Left out: the model's own.
    encoder_dropout: Option<f64>,
    seed: Option<Seed>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tasks: BTreeMap<String, TaskFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    phases: Vec<PhaseEntry>,
}

/// `"proportional"`, `"round-robin"`, or `{ temperature = 5.0 }`.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", try_from = "SamplingText")]
enum SamplingFile {
    Proportional,
    RoundRobin,
    Temperature(f64),
}

/// The forms in which a file may hold it.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"proportional\", \"round-robin\" or a table such as { temperature = 5.0 }"
)]
enum SamplingText {
    Word(String),
    Table(TemperatureFile),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemperatureFile {
    temperature: f64,
}

impl TryFrom<SamplingText> for SamplingFile {
    type Error = &'static str;

    fn try_from(text: SamplingText) -> Result<Self, Self::Error> {
        match text {
            SamplingText::Table(TemperatureFile { temperature }) => Ok(Self::Temperature(temperature)),
            SamplingText::Word(word) => match word.as_str() {
                "proportional" => Ok(Self::Proportional),
                "round-robin" => Ok(Self::RoundRobin),
                _ => {
                    Err("expected \"proportional\", \"round-robin\" or a table such as { temperature = 5.0 }")
                }
            },
        }
    }
}

/// Every key may be left out.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TaskFile {
    weight: Option<f64>,
    balance_classes: Option<bool>,
    label_smoothing: Option<f64>,
    /// Left out: the head is linear.
    hidden_units: Option<usize>,
}

impl From<&TaskSettings> for TaskFile {
    fn from(settings: &TaskSettings) -> Self {
        Self {
            weight: Some(settings.weight),
            balance_classes: Some(settings.balance_classes),
            label_smoothing: Some(settings.label_smoothing),
            hidden_units: settings.hidden_units,
        }
    }
}

impl From<TaskFile> for TaskSettings {
    fn from(file: TaskFile) -> Self {
        let defaults = Self::default();
        Self {
            weight: file.weight.unwrap_or(defaults.weight),
            balance_classes: file.balance_classes.unwrap_or(defaults.balance_classes),
            label_smoothing: file.label_smoothing.unwrap_or(defaults.label_smoothing),
            hidden_units: file.hidden_units,
        }
    }
}

impl From<&Recipe> for RecipeFile {
    fn from(recipe: &Recipe) -> Self {
        // Of what most recipes leave alone, only what was set is written: the file stays short to read.
        let defaults = Recipe::default();
        let lora = recipe.uses_lora() || recipe.lora != defaults.lora;
        Self {
            preset: Some(Keyed(recipe.preset)),
            frozen_head: recipe.frozen_head.clone(),
            part: (recipe.part != defaults.part).then_some(Keyed(recipe.part)),
            lora_rank: lora.then_some(recipe.lora.rank),
            lora_alpha: lora.then_some(recipe.lora.alpha),
            lora_targets: lora.then_some(Keyed(recipe.lora.targets)),
            epochs: Some(recipe.epochs),
            batch_size: Some(recipe.batch_size),
            accumulate: (recipe.accumulate != defaults.accumulate).then_some(recipe.accumulate),
            sampling: match recipe.sampling {
                Sampling::Proportional => None,
                Sampling::RoundRobin => Some(SamplingFile::RoundRobin),
                Sampling::Temperature(temperature) => Some(SamplingFile::Temperature(temperature)),
            },
            half_cache: recipe.half_cache.then_some(true),
            max_length: Some(recipe.max_length),
            precision: (recipe.precision != defaults.precision).then_some(Keyed(recipe.precision)),
            prompt: recipe.prompt.clone(),
            optimizer: Some(Keyed(recipe.optimizer)),
            lr_encoder: Some(recipe.lr_encoder),
            lr_heads: Some(recipe.lr_heads),
            layer_decay: Some(recipe.layer_decay),
            weight_decay: Some(recipe.weight_decay),
            decay: Some(Keyed(recipe.decay)),
            warmup: Some(recipe.warmup),
            clip_norm: Some(NumberOr::new(recipe.clip_norm)),
            ema: recipe.ema,
            watch: recipe.watch.figure.clone(),
            watch_task: recipe.watch.task.clone(),
            patience: recipe.patience,
            weighting: (recipe.weighting != defaults.weighting).then_some(Keyed(recipe.weighting)),
            head_dropout: Some(recipe.head_dropout),
            encoder_dropout: recipe.encoder_dropout,
            seed: Some(Seed(recipe.seed)),
            tasks: recipe.tasks.iter().map(|(name, task)| (name.clone(), TaskFile::from(task))).collect(),
            phases: recipe.phases.iter().map(PhaseEntry::from).collect(),
        }
    }
}

impl From<RecipeFile> for Recipe {
    fn from(file: RecipeFile) -> Self {
        let mut preset = Self::default();
        if let Some(Keyed(chosen)) = file.preset {
            preset.choose(chosen);
        }
        Self {
            preset: preset.preset,
            phases: file.phases.into_iter().map(Into::into).collect(),
            frozen_head: file.frozen_head,
            part: file.part.map_or(preset.part, |part| part.0),
            lora: Lora {
                rank: file.lora_rank.unwrap_or(preset.lora.rank),
                alpha: file.lora_alpha.unwrap_or(preset.lora.alpha),
                targets: file.lora_targets.map_or(preset.lora.targets, |targets| targets.0),
            },
            epochs: file.epochs.unwrap_or(preset.epochs),
            batch_size: file.batch_size.unwrap_or(preset.batch_size),
            accumulate: file.accumulate.unwrap_or(preset.accumulate),
            sampling: match file.sampling {
                None | Some(SamplingFile::Proportional) => Sampling::Proportional,
                Some(SamplingFile::RoundRobin) => Sampling::RoundRobin,
                Some(SamplingFile::Temperature(temperature)) => Sampling::Temperature(temperature),
            },
            half_cache: file.half_cache.unwrap_or(preset.half_cache),
            max_length: file.max_length.unwrap_or(preset.max_length),
            precision: file.precision.map_or(preset.precision, |precision| precision.0),
            prompt: file.prompt,
            optimizer: file.optimizer.map_or(preset.optimizer, |optimizer| optimizer.0),
            lr_encoder: file.lr_encoder.unwrap_or(preset.lr_encoder),
            lr_heads: file.lr_heads.unwrap_or(preset.lr_heads),
            layer_decay: file.layer_decay.unwrap_or(preset.layer_decay),
            weight_decay: file.weight_decay.unwrap_or(preset.weight_decay),
            decay: file.decay.map_or(preset.decay, |decay| decay.0),
            warmup: file.warmup.unwrap_or(preset.warmup),
            clip_norm: file.clip_norm.map_or(preset.clip_norm, |norm| norm.0),
            ema: file.ema.or(preset.ema),
            watch: Monitor { task: file.watch_task, figure: file.watch },
            patience: file.patience.or(preset.patience),
            weighting: file.weighting.map_or(preset.weighting, |weighting| weighting.0),
            tasks: file.tasks.into_iter().map(|(name, task)| (name, task.into())).collect(),
            head_dropout: file.head_dropout.unwrap_or(preset.head_dropout),
            encoder_dropout: file.encoder_dropout.or(preset.encoder_dropout),
            seed: file.seed.map_or(preset.seed, |seed| seed.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::plan::Until;
    use crate::train::plan::phase_spec::{HeadSet, LayerSet, PhaseSpec};

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

    #[test]
    fn everything_that_can_be_set_comes_back() {
        let phase = PhaseSpec {
            name: "top".into(),
            embeddings: true,
            layers: LayerSet::Ranges(vec![(0, 2), (5, 5)]),
            heads: HeadSet::Only(vec!["topic".into()]),
            part: ParamFilter::Biases,
            lr_encoder: Some(3e-5),
            lr_heads: Some(2e-3),
            layer_decay: Some(0.9),
            rates: [("layer 5".to_owned(), 1e-5)].into(),
            epochs: 3,
            until: Until::Plateau { patience: 2 },
        };
        let task = TaskSettings {
            weight: 0.25,
            balance_classes: true,
            label_smoothing: 0.1,
            hidden_units: Some(64),
        };
        let recipe = Recipe {
            phases: vec![phase, PhaseSpec { until: Until::Steps(7), ..PhaseSpec::default() }],
            part: ParamFilter::Lora,
            lora: Lora { rank: 4, alpha: 8.0, targets: LoraTargets::QueryValue },
            accumulate: 4,
            sampling: Sampling::Temperature(5.0),
            half_cache: true,
            precision: Precision::Bfloat16,
            optimizer: OptimizerKind::Sgd,
            ema: Some(0.999),
            watch: Monitor { task: Some("topic".into()), figure: Some("macro-f1".into()) },
            patience: Some(3),
            prompt: Some("query: ".into()),
            weighting: Weighting::Uncertainty,
            tasks: [("topic".to_owned(), task)].into(),
            ..Recipe::default()
        };
        let text = toml::to_string(&RecipeFile::from(&recipe)).unwrap();
        assert_eq!(Recipe::from(toml::from_str::<RecipeFile>(&text).unwrap()), recipe, "{text}");
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        let error = |text| toml::from_str::<RecipeFile>(text).unwrap_err().to_string();
        assert!(error("optimizer = \"lion\"").contains("`adam`, `adamw`, `sgd`"));
        assert!(error("[[phases]]\nlayers = \"upper\"").contains("top 2"));
    }
}
