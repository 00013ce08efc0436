//! Recipes: the settings a user edits, and the five presets that turn them into phases.

use super::plan::{Phase, PlanError, Thaw};

/// What is frozen, and when it thaws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Nothing trains: the encoder as it is, measured by probes.
    FreezeAll,
    /// The encoder stays as it is; every head learns.
    FreezeBackbone,
    /// One head stays as it is; the encoder and the other heads learn.
    FreezeHead,
    /// Heads first, then the layers from the top downward, lower layers at lower rates.
    Gradual,
    /// Everything learns from the first step.
    Full,
}

impl Preset {
    /// All of them, from the coldest to the warmest.
    pub const ALL: [Self; 5] =
        [Self::FreezeAll, Self::FreezeBackbone, Self::FreezeHead, Self::Gradual, Self::Full];

    /// The name in project files and on the command line.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::FreezeAll => "freeze-all",
            Self::FreezeBackbone => "freeze-backbone",
            Self::FreezeHead => "freeze-head",
            Self::Gradual => "gradual",
            Self::Full => "full",
        }
    }

    /// The preset of that key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.key() == key)
    }

    /// The name people read.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::FreezeAll => "Freeze everything",
            Self::FreezeBackbone => "Freeze the backbone",
            Self::FreezeHead => "Freeze one head",
            Self::Gradual => "Gradual unfreezing",
            Self::Full => "Full fine-tuning",
        }
    }
}

/// The rule that updates parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizerKind {
    /// Kingma and Ba 2015, as `torch.optim.Adam`.
    Adam,
    /// Loshchilov and Hutter 2019, as `torch.optim.AdamW`: weight decay apart from the gradient.
    AdamW,
}

/// How the rate moves after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// It stays.
    Constant,
    /// Straight down to 0 at the last step.
    Linear,
    /// Half a cosine down to 0 at the last step.
    Cosine,
}

/// Settings of a run that the user edits.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What is frozen, and when it thaws.
    pub preset: Preset,
    /// For [`Preset::FreezeHead`]: the task whose head stays; the first task when `None`.
    pub frozen_head: Option<String>,
    /// Passes over the training rows, all phases together.
    pub epochs: u32,
    /// Rows per optimiser step.
    pub batch_size: usize,
    /// The update rule.
    pub optimizer: OptimizerKind,
    /// Peak rate of the encoder's top layer.
    pub lr_encoder: f64,
    /// Peak rate of the heads.
    pub lr_heads: f64,
    /// Factor per layer of depth: layer i of L has `lr_encoder * layer_decay^(L-1-i)`, the embeddings
    /// `layer_decay^L`. 1 gives all the same rate.
    pub layer_decay: f64,
    /// Decoupled weight decay (`AdamW`), none on biases and `LayerNorm`s.
    pub weight_decay: f64,
    /// How the rate moves after the warm-up.
    pub decay: Decay,
    /// Part of all steps during which the rate rises from 0.
    pub warmup: f64,
    /// Largest global gradient norm; longer gradients are scaled down to it.
    pub clip_norm: Option<f64>,
    /// Most tokens of a text, special tokens counted; what is longer is cut and counted.
    pub max_length: usize,
    /// Dropout on the sentence embedding before each head.
    pub head_dropout: f64,
    /// Dropout inside trained encoder layers; the model's own value when `None`.
    pub encoder_dropout: Option<f64>,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            preset: Preset::Full,
            frozen_head: None,
            epochs: 4,
            batch_size: 16,
            optimizer: OptimizerKind::AdamW,
            lr_encoder: 1e-4,
            lr_heads: 1e-3,
            layer_decay: 1.0,
            weight_decay: 0.01,
            decay: Decay::Linear,
            warmup: 0.1,
            clip_norm: Some(1.0),
            max_length: 128,
            head_dropout: 0.1,
            encoder_dropout: None,
            seed: 1,
        }
    }
}

impl Recipe {
    /// Chooses a preset, and with it the settings that suit it; what the user set about data stays.
    pub fn choose(&mut self, preset: Preset) {
        let defaults = Self::default();
        self.preset = preset;
        (self.epochs, self.lr_heads, self.layer_decay) = match preset {
            Preset::FreezeAll => (0, defaults.lr_heads, 1.0),
            // Epochs on cached vectors take milliseconds, and a linear head alone wants a larger rate.
            Preset::FreezeBackbone => (20, 1e-2, 1.0),
            Preset::FreezeHead | Preset::Full => (defaults.epochs, defaults.lr_heads, 1.0),
            Preset::Gradual => (5, defaults.lr_heads, 0.85),
        };
    }

    /// Refuses numbers that make no sense.
    ///
    /// # Errors
    /// Names the setting, its value and what would be right.
    pub fn check(&self) -> Result<(), PlanError> {
        let bad = |setting, value: String, wanted| Err(PlanError::BadSetting { setting, value, wanted });
        let rate = |lr: f64| lr.is_finite() && lr > 0.0;
        if self.batch_size == 0 {
            return bad("the batch size", "0".into(), "use at least 1");
        }
        if self.epochs == 0 && self.preset != Preset::FreezeAll {
            return bad(
                "the number of epochs",
                "0".into(),
                "use at least 1, or the preset that freezes everything",
            );
        }
        if !rate(self.lr_encoder) {
            return bad("the encoder's learning rate", self.lr_encoder.to_string(), "use a number above 0");
        }
        if !rate(self.lr_heads) {
            return bad("the heads' learning rate", self.lr_heads.to_string(), "use a number above 0");
        }
        if !(self.layer_decay > 0.0 && self.layer_decay <= 1.0) {
            return bad("the decay per layer", self.layer_decay.to_string(), "use a number above 0, up to 1");
        }
        if !(0.0..=1.0).contains(&self.warmup) {
            return bad("the warm-up", self.warmup.to_string(), "use a part of the run, 0 to 1");
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return bad("the weight decay", self.weight_decay.to_string(), "use 0 or more");
        }
        if self.clip_norm.is_some_and(|norm| !rate(norm)) {
            return bad(
                "the clipping norm",
                format!("{:?}", self.clip_norm),
                "use a number above 0, or none",
            );
        }
        if self.max_length < 3 {
            return bad("the maximum length", self.max_length.to_string(), "use at least 3 tokens");
        }
        let dropout = |p: f64| (0.0..1.0).contains(&p);
        if !dropout(self.head_dropout) || self.encoder_dropout.is_some_and(|p| !dropout(p)) {
            return bad("dropout", format!("{}", self.head_dropout), "use 0 up to, but not, 1");
        }
        Ok(())
    }

    /// The phases of the preset for an encoder of `layers` layers and these tasks.
    ///
    /// # Errors
    /// When the head to freeze is not a task.
    pub fn phases(&self, layers: usize, tasks: &[&str]) -> Result<Vec<Phase>, PlanError> {
        let heads = Thaw::Trains { lr: self.lr_heads };
        let all_heads = vec![heads; tasks.len()];
        let frozen = Phase {
            name: "everything frozen".into(),
            embeddings: Thaw::Frozen,
            layers: vec![Thaw::Frozen; layers],
            heads: vec![Thaw::Frozen; tasks.len()],
            epochs: 0,
        };
        let thawed = self.thawed(layers, layers + 1, "everything trains");
        Ok(match self.preset {
            Preset::FreezeAll => vec![frozen],
            Preset::FreezeBackbone => {
                vec![Phase { name: "heads only".into(), heads: all_heads, epochs: self.epochs, ..frozen }]
            }
            Preset::FreezeHead => {
                let kept = self.kept_head(tasks)?;
                let mut heads = all_heads;
                if let Some(head) = heads.get_mut(kept) {
                    *head = Thaw::Frozen;
                }
                let name = format!("all but the head of {}", tasks.get(kept).copied().unwrap_or_default());
                vec![Phase { name, heads, epochs: self.epochs, ..thawed }]
            }
            Preset::Gradual => self.gradual(layers, &frozen, &all_heads),
            Preset::Full => vec![Phase { heads: all_heads, epochs: self.epochs, ..thawed }],
        })
    }

    fn kept_head(&self, tasks: &[&str]) -> Result<usize, PlanError> {
        match &self.frozen_head {
            None => Ok(0),
            Some(name) => {
                tasks.iter().position(|task| task == name).ok_or_else(|| PlanError::NoSuchHead(name.clone()))
            }
        }
    }

    /// Heads for the first phase, then as many further phases as the epochs allow, each thawing an equal share
    /// of the layers from the top down; the last one thaws the embeddings too. Howard and Ruder 2018.
    fn gradual(&self, layers: usize, frozen: &Phase, heads: &[Thaw]) -> Vec<Phase> {
        let units = layers + 1; // the embeddings are the last to thaw
        let later = (self.epochs.saturating_sub(1) as usize).min(units);
        let mut phases =
            vec![Phase { name: "heads only".into(), heads: heads.to_vec(), epochs: 1, ..frozen.clone() }];
        for index in 1..=later {
            let thawed = (units * index).div_ceil(later);
            let name = match thawed {
                1 => "+ top layer".to_owned(),
                _ if thawed == units => "everything trains".to_owned(),
                _ => format!("+ top {thawed} layers"),
            };
            phases.push(Phase { heads: heads.to_vec(), epochs: 1, ..self.thawed(layers, thawed, &name) });
        }
        // What is left over goes to the last phase, where everything works together.
        let spare = self.epochs.saturating_sub(phases.iter().map(|phase| phase.epochs).sum());
        if let Some(last) = phases.last_mut() {
            last.epochs += spare;
        }
        phases
    }

    /// A phase in which the top `units` of the layers train (one unit more: the embeddings), heads frozen.
    fn thawed(&self, layers: usize, units: usize, name: &str) -> Phase {
        let rate = |depth: usize| Thaw::Trains { lr: self.lr_encoder * self.layer_decay.powi(depth as i32) };
        let layer = |i: usize| {
            let depth = layers - 1 - i;
            if depth < units { rate(depth) } else { Thaw::Frozen }
        };
        Phase {
            name: name.to_owned(),
            embeddings: if units > layers { rate(layers) } else { Thaw::Frozen },
            layers: (0..layers).map(layer).collect(),
            heads: Vec::new(),
            epochs: 0,
        }
    }
}
