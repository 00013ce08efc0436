//! Recipes: everything about a run that the user sets, and what makes no sense among it. Plain data.

use std::collections::BTreeMap;

use super::monitor::Monitor;
use super::phase::ParamFilter;
use super::phase_spec::PhaseSpec;
use super::plan_error::PlanError;
use super::preset::Preset;

use crate::model::lora::Lora;

/// The rule that updates parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizerKind {
    /// Kingma and Ba 2015, as `torch.optim.Adam`.
    Adam,
    /// Loshchilov and Hutter 2019, as `torch.optim.AdamW`: weight decay apart from the gradient.
    AdamW,
    /// Plain stochastic gradient descent, as `torch.optim.SGD` without momentum.
    Sgd,
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

/// How the losses of the tasks become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weighting {
    /// Their sum, each times its task's weight (1 unless set).
    #[default]
    Fixed,
    /// Learnt from each task's noise: `sum_t exp(-s_t) L_t + s_t / 2` with `s_t = log sigma_t^2`, from 0 (Kendall
    /// et al. 2018).
    Uncertainty,
}

/// Numbers that trained layers multiply. Weights, gradients, the optimiser's state, norms, softmax and losses are float32
/// with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits, as `PyTorch` does unless told otherwise.
    #[default]
    Float32,
    /// 16 bits, as many of them for the exponent as float32 has: as `torch.autocast` does with `torch.bfloat16`.
    Bfloat16,
}

/// From which files the rows of an epoch come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Sampling {
    /// Every row once: a file has a part in the epoch as large as it is.
    #[default]
    Proportional,
    /// A file of `n` rows has a part in proportion to `n^(1/T)`; an epoch has as many rows as there are.
    Temperature(f64),
    /// Batches of the files by turns.
    RoundRobin,
}

/// Settings of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSettings {
    /// What its loss is multiplied by.
    pub weight: f64,
    /// Weighs classes against how often they occur among the training rows: `rows / (classes * rows of class)`, as
    /// scikit-learn's `class_weight="balanced"`, and at most 100.
    pub balance_classes: bool,
    /// Part of the target that is spread over all classes (Szegedy et al. 2016).
    pub label_smoothing: f64,
    /// Units of a hidden layer before the logits; `None` for a linear head.
    pub hidden_units: Option<usize>,
}

impl Default for TaskSettings {
    fn default() -> Self {
        Self { weight: 1.0, balance_classes: false, label_smoothing: 0.0, hidden_units: None }
    }
}

/// Settings of a run that the user edits.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// What is frozen, and when it thaws.
    pub preset: Preset,
    /// Phases that the user wrote; they stand in place of the preset's.
    pub phases: Vec<PhaseSpec>,
    /// For [`Preset::FreezeHead`]: the task whose head stays; the first task when `None`.
    pub frozen_head: Option<String>,
    /// Which parameters of a thawed layer train.
    pub part: ParamFilter,
    /// Adapters, for [`ParamFilter::Lora`].
    pub lora: Lora,
    /// Passes over the training rows, all phases together.
    pub epochs: u32,
    /// Rows that go through the model together.
    pub batch_size: usize,
    /// Batches whose gradients are averaged for one optimiser step.
    pub accumulate: usize,
    /// From which files the rows come.
    pub sampling: Sampling,
    /// Token states at the frost line are kept as float16: half the room, and no longer exact.
    pub half_cache: bool,
    /// Numbers that trained layers multiply.
    pub precision: Precision,
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
    /// Decay of an exponential moving average of the weights, which is then what is measured and kept.
    pub ema: Option<f64>,
    /// What chooses the kept weights, and what early stopping and plateaus look at.
    pub watch: Monitor,
    /// Epochs without an improvement after which the run ends early.
    pub patience: Option<u32>,
    /// How the losses of the tasks become one.
    pub weighting: Weighting,
    /// Settings by task; a task without an entry has the defaults.
    pub tasks: BTreeMap<String, TaskSettings>,
    /// Most tokens of a text, special tokens counted; what is longer is cut and counted.
    pub max_length: usize,
    /// What is put before every text: the name of one of the model's prompts, or a text of the user's own.
    pub prompt: Option<String>,
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
            phases: Vec::new(),
            frozen_head: None,
            part: ParamFilter::All,
            lora: Lora::default(),
            epochs: 4,
            batch_size: 16,
            accumulate: 1,
            sampling: Sampling::Proportional,
            half_cache: false,
            precision: Precision::Float32,
            optimizer: OptimizerKind::AdamW,
            lr_encoder: 1e-4,
            lr_heads: 1e-3,
            layer_decay: 1.0,
            weight_decay: 0.01,
            decay: Decay::Linear,
            warmup: 0.1,
            clip_norm: Some(1.0),
            ema: None,
            watch: Monitor::default(),
            patience: None,
            weighting: Weighting::Fixed,
            tasks: BTreeMap::new(),
            max_length: 128,
            prompt: None,
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
        self.phases.clear();
        (self.epochs, self.lr_heads, self.layer_decay) = match preset {
            Preset::FreezeAll => (0, defaults.lr_heads, 1.0),
            // Epochs on cached vectors take milliseconds, and a linear head alone wants a larger rate.
            Preset::FreezeBackbone => (20, 1e-2, 1.0),
            Preset::FreezeHead | Preset::Full => (defaults.epochs, defaults.lr_heads, 1.0),
            Preset::Gradual => (5, defaults.lr_heads, 0.85),
        };
    }

    /// Settings of a task.
    #[must_use]
    pub fn task(&self, name: &str) -> TaskSettings {
        self.tasks.get(name).cloned().unwrap_or_default()
    }

    /// What the run does, in words: the preset's title, or that the phases are the user's own.
    #[must_use]
    pub fn title(&self) -> &'static str {
        if self.phases.is_empty() { self.preset.title() } else { "Own phases" }
    }

    /// Whether a task's loss is multiplied by 0. Weights that the run learns take no account of the set ones.
    #[must_use]
    pub fn has_no_weight(&self, task: &str) -> bool {
        self.weighting == Weighting::Fixed && self.tasks.get(task).is_some_and(|task| task.weight == 0.0)
    }

    /// True where the recipe trains low-rank adapters somewhere.
    #[must_use]
    pub fn uses_lora(&self) -> bool {
        if self.phases.is_empty() {
            self.part == ParamFilter::Lora
        } else {
            self.phases.iter().any(|phase| phase.part == ParamFilter::Lora)
        }
    }

    /// True where nothing is meant to train.
    #[must_use]
    pub fn trains_nothing(&self) -> bool {
        self.phases.is_empty() && self.preset == Preset::FreezeAll
    }

    /// Refuses numbers that make no sense.
    ///
    /// # Errors
    /// Names the setting, its value and what would be right.
    pub fn check(&self) -> Result<(), PlanError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let dropout = |p: f64| (0.0..1.0).contains(&p);
        let none_or = |value: Option<f64>, right: &dyn Fn(f64) -> bool| value.is_none_or(right);
        let said = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
        let epochs_wanted = !self.trains_nothing() && self.phases.is_empty();
        let rules: [(bool, &'static str, String, &'static str); 17] = [
            (self.batch_size > 0, "the batch size", self.batch_size.to_string(), "use at least 1"),
            (self.accumulate > 0, "the batches per step", self.accumulate.to_string(), "use at least 1"),
            (
                !epochs_wanted || self.epochs > 0,
                "the number of epochs",
                self.epochs.to_string(),
                "use at least 1, or the preset that freezes everything",
            ),
            (
                positive(self.lr_encoder),
                "the encoder's learning rate",
                self.lr_encoder.to_string(),
                "use a number above 0",
            ),
            (
                positive(self.lr_heads),
                "the heads' learning rate",
                self.lr_heads.to_string(),
                "use a number above 0",
            ),
            (
                self.layer_decay > 0.0 && self.layer_decay <= 1.0,
                "the decay per layer",
                self.layer_decay.to_string(),
                "use a number above 0, up to 1",
            ),
            (
                (0.0..=1.0).contains(&self.warmup),
                "the warm-up",
                self.warmup.to_string(),
                "use a part of the run, 0 to 1",
            ),
            (
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
                "the weight decay",
                self.weight_decay.to_string(),
                "use 0 or more",
            ),
            (
                none_or(self.clip_norm, &positive),
                "the clipping norm",
                said(self.clip_norm),
                "use a number above 0, or none",
            ),
            (
                none_or(self.ema, &|decay| decay > 0.0 && decay < 1.0),
                "the decay of the weights' average",
                said(self.ema),
                "use a number between 0 and 1, such as 0.999, or none",
            ),
            (
                self.patience != Some(0),
                "the patience of early stopping",
                "0".to_owned(),
                "use at least 1 epoch, or none",
            ),
            (self.lora.rank > 0, "the rank of the adapters", "0".to_owned(), "use at least 1; 8 is usual"),
            (
                positive(self.lora.alpha),
                "the alpha of the adapters",
                self.lora.alpha.to_string(),
                "use a number above 0",
            ),
            (
                !matches!(self.sampling, Sampling::Temperature(t) if !(t.is_finite() && t >= 1.0)),
                "the temperature of the sampling",
                if let Sampling::Temperature(temperature) = self.sampling {
                    temperature.to_string()
                } else {
                    String::new()
                },
                "use a number of at least 1",
            ),
            (
                self.max_length >= 3,
                "the maximum length",
                self.max_length.to_string(),
                "use at least 3 tokens",
            ),
            (
                dropout(self.head_dropout),
                "the dropout before heads",
                self.head_dropout.to_string(),
                "use 0 up to, but not, 1",
            ),
            (
                none_or(self.encoder_dropout, &dropout),
                "the dropout in the encoder",
                said(self.encoder_dropout),
                "use 0 up to, but not, 1",
            ),
        ];
        for (right, setting, value, wanted) in rules {
            if !right {
                return Err(PlanError::BadSetting { setting: setting.to_owned(), value, wanted });
            }
        }
        self.check_tasks()
    }

    fn check_tasks(&self) -> Result<(), PlanError> {
        for (name, task) in &self.tasks {
            let bad = |setting: &str, value: String, wanted| {
                let setting = format!("{setting} of task \"{name}\"");
                Err(PlanError::BadSetting { setting, value, wanted })
            };
            if !(task.weight.is_finite() && task.weight >= 0.0) {
                return bad("the weight", task.weight.to_string(), "use 0 or more");
            }
            if !(0.0..1.0).contains(&task.label_smoothing) {
                let value = task.label_smoothing.to_string();
                return bad("the label smoothing", value, "use 0 up to, but not, 1");
            }
            if task.hidden_units == Some(0) {
                return bad("the hidden layer", "0".to_owned(), "use at least 1 unit, or none");
            }
        }
        Ok(())
    }
}
