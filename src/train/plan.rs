//! The run plan: one immutable value that says what trains, when and at which rate.
//!
//! The preview that the window draws, the parameters that the loop updates and the claims of the report are
//! all computed from it. It holds no tensor; it knows tensors by name and shape only.

use thiserror::Error;

use super::recipe::{Recipe, Weighting};
use crate::data::task::{Scale, TaskKind};
use crate::model::heads::HeadSpec;
use crate::model::summary::{Group, ModelSummary, Prompt, Role, TensorInfo};

/// Which parameters of a group train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Every one.
    #[default]
    All,
    /// `LayerNorm`s only.
    Norms,
    /// Biases only, those of `LayerNorm`s too (`BitFit`, Ben Zaken et al. 2022).
    Biases,
    /// Low-rank adapters beside the linear layers, which stay as they are (`LoRA`, Hu et al. 2021).
    Lora,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::All, Self::Norms, Self::Biases, Self::Lora];

    /// The name in project files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Norms => "norms",
            Self::Biases => "biases",
            Self::Lora => "lora",
        }
    }

    /// Whether a tensor of a group that trains in this way does train.
    #[must_use]
    pub fn covers(self, tensor: &TensorInfo) -> bool {
        match self {
            Self::All => tensor.role() != Role::Adapter,
            Self::Norms => tensor.role() == Role::Norm,
            Self::Biases => tensor.is_bias(),
            Self::Lora => tensor.role() == Role::Adapter,
        }
    }
}

/// What a group of parameters does during a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Thaw {
    /// Not updated, and run in eval mode.
    Frozen,
    /// Updated, with this peak learning rate.
    Trains {
        /// Peak learning rate; the schedule multiplies it by a factor of 0 to 1.
        lr: f64,
        /// Which of its parameters.
        part: Part,
    },
}

impl Thaw {
    /// All parameters of the group, at this rate.
    #[must_use]
    pub const fn whole(lr: f64) -> Self {
        Self::Trains { lr, part: Part::All }
    }

    /// The rate, when it trains.
    #[must_use]
    pub const fn lr(self) -> Option<f64> {
        match self {
            Self::Frozen => None,
            Self::Trains { lr, .. } => Some(lr),
        }
    }
}

/// What ends a phase before its epochs are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Nothing.
    #[default]
    Epochs,
    /// So many optimiser steps.
    Steps(usize),
    /// No improvement of the watched figure.
    Plateau {
        /// For so many epochs.
        patience: u32,
    },
}

/// A stretch of training during which the same parameters are frozen.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Shown to the user: `heads only`, `top 2 layers` ...
    pub name: String,
    /// Token, position and type embeddings with their `LayerNorm`.
    pub embeddings: Thaw,
    /// Each encoder layer, from the one next to the embeddings upward.
    pub layers: Vec<Thaw>,
    /// Each task's head, in task order.
    pub heads: Vec<Thaw>,
    /// Peak rate of the learnt weights of the losses, where there are any.
    pub loss_weights: f64,
    /// How long it lasts at most; 0 for a phase that trains nothing.
    pub epochs: u32,
    /// What ends it before that.
    pub until: Until,
}

impl Phase {
    /// What the phase does with a group of parameters.
    #[must_use]
    pub fn thaw(&self, group: Group) -> Thaw {
        match group {
            Group::Embeddings => self.embeddings,
            Group::Layer(index) => self.layers.get(index).copied().unwrap_or(Thaw::Frozen),
            // What turns the last layer's states into the embedding goes along with it.
            Group::Dense => self.layers.last().copied().unwrap_or(Thaw::Frozen),
            Group::Head(index) => self.heads.get(index).copied().unwrap_or(Thaw::Frozen),
            Group::LossWeight(_) if self.trains() => Thaw::whole(self.loss_weights),
            Group::LossWeight(_) | Group::Unused => Thaw::Frozen,
        }
    }

    /// The peak rate of a tensor; `None` when it stays as it is.
    #[must_use]
    pub fn rate(&self, tensor: &TensorInfo) -> Option<f64> {
        match self.thaw(tensor.group) {
            Thaw::Trains { lr, part } if part.covers(tensor) => Some(lr),
            _ => None,
        }
    }

    /// True when a layer, the embeddings or a head trains.
    fn trains(&self) -> bool {
        let all = self.layers.iter().chain(&self.heads).chain([&self.embeddings]);
        all.into_iter().any(|thaw| *thaw != Thaw::Frozen)
    }

    /// Optimiser steps at most, with so many to an epoch.
    #[must_use]
    pub fn steps(&self, steps_per_epoch: usize) -> usize {
        let all = self.epochs as usize * steps_per_epoch;
        match self.until {
            Until::Steps(steps) => steps.min(all),
            Until::Epochs | Until::Plateau { .. } => all,
        }
    }

    /// The frost line: how many layers, counted from the embeddings, stay frozen below everything that trains.
    /// `None` when the embeddings train, so that nothing is frozen below.
    #[must_use]
    pub fn frozen_prefix(&self) -> Option<usize> {
        if self.embeddings != Thaw::Frozen {
            return None;
        }
        Some(self.layers.iter().take_while(|layer| **layer == Thaw::Frozen).count())
    }

    /// True when only heads train, or nothing at all.
    #[must_use]
    pub fn encoder_is_frozen(&self) -> bool {
        self.frozen_prefix() == Some(self.layers.len())
    }
}

/// A task as the plan fixes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedTask {
    /// Name, also of its head.
    pub name: String,
    /// What it predicts.
    pub kind: TaskKind,
    /// How numbers are told to the model; for kinds that predict one.
    pub scale: Scale,
    /// Classes in the order of the logits.
    pub classes: Vec<String>,
    /// Training rows that carry a label for it.
    pub labelled_train: usize,
    /// Validation rows that carry a label for it.
    pub labelled_valid: usize,
}

/// The run that another one goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its name, within the same project.
    pub run: String,
    /// SHA-256 of its kept weights, in hexadecimal.
    pub sha256: String,
}

/// Everything a run will do, frozen when it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// Name of the run, and of its folder.
    pub name: String,
    /// Folder of the pretrained model.
    pub model_path: std::path::PathBuf,
    /// SHA-256 of the pretrained weights, in hexadecimal.
    pub model_sha256: String,
    /// Every tensor of the model and of the heads.
    pub tensors: Vec<TensorInfo>,
    /// The tasks.
    pub tasks: Vec<PlannedTask>,
    /// What is put before every text.
    pub prompt: Option<Prompt>,
    /// The settings that the phases were made from.
    pub recipe: Recipe,
    /// The phases in order.
    pub phases: Vec<Phase>,
    /// Training rows with at least one label.
    pub train_rows: usize,
    /// The run whose kept weights this one starts from; the pretrained ones when `None`.
    pub parent: Option<Parent>,
    /// Optimiser steps in an epoch.
    pub steps_per_epoch: usize,
    /// Device it runs on, as the user named it: `cpu`, `cuda:0`.
    pub device: String,
}

/// Why a plan cannot be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// No task is mapped.
    #[error("there is nothing to learn: no label column is mapped to a task. Choose one on the Data page")]
    NoTask,
    /// A task with fewer than two classes.
    #[error(
        "task \"{task}\" has {classes} class(es) in the training rows; classification needs at least two"
    )]
    TooFewClasses {
        /// The task.
        task: String,
        /// How many classes there are.
        classes: usize,
    },
    /// No row to train on.
    #[error("no training row carries a label of any task")]
    NoRows,
    /// The preset freezes a head that is not there.
    #[error("the head to keep frozen, \"{0}\", is not one of the tasks")]
    NoSuchHead(String),
    /// The task that early stopping and the choice of weights look at is not there.
    #[error("the task to watch, \"{name}\", is not one of the tasks: {tasks}")]
    NoTaskToWatch {
        /// What was named.
        name: String,
        /// What there is.
        tasks: String,
    },
    /// The figure that they look at is not measured.
    #[error(
        "the figure to watch, \"{figure}\", is not measured for the task \"{task}\", which is of the kind {kind}: choose one of \
         {keys}, or name the task to watch"
    )]
    NoFigureToWatch {
        /// What was named.
        figure: String,
        /// The task.
        task: String,
        /// Its kind.
        kind: &'static str,
        /// What is measured.
        keys: String,
    },
    /// A prompt that the model cannot be given.
    #[error("{0}")]
    NoPrompt(String),
    /// Everything is frozen although the preset is one that trains.
    #[error(
        "the plan trains nothing: with a single task, freezing its head leaves no head to learn. Choose another preset"
    )]
    TrainsNothing,
    /// A phase that the user wrote and that cannot be.
    #[error("phase {phase}: {reason}")]
    BadPhase {
        /// Its number, from 1.
        phase: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A number that makes no sense.
    #[error("{setting} is {value}: {wanted}")]
    BadSetting {
        /// Which setting.
        setting: String,
        /// Its value.
        value: String,
        /// What would be right.
        wanted: &'static str,
    },
}

/// A tensor that trains in a phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Trainable<'a> {
    /// The tensor.
    pub tensor: &'a TensorInfo,
    /// Its peak learning rate.
    pub lr: f64,
}

impl RunPlan {
    /// Makes the plan of a recipe for a model and tasks.
    ///
    /// # Errors
    /// When it could not be run, or would train nothing though its preset means to; see [`PlanError`].
    pub fn build(
        name: &str,
        recipe: &Recipe,
        model: &ModelSummary,
        tasks: Vec<PlannedTask>,
        train_rows: usize,
        device: &str,
    ) -> Result<Self, PlanError> {
        recipe.check()?;
        if tasks.is_empty() {
            return Err(PlanError::NoTask);
        }
        for task in &tasks {
            if task.kind.has_classes() && task.classes.len() < task.kind.fewest_classes() {
                return Err(PlanError::TooFewClasses {
                    task: task.name.clone(),
                    classes: task.classes.len(),
                });
            }
        }
        if recipe.batch_size.saturating_mul(recipe.accumulate) < 2
            && tasks.iter().any(|task| task.kind == TaskKind::Ranking)
        {
            return Err(PlanError::BadSetting {
                setting: "the batch size".to_owned(),
                value: "1".to_owned(),
                wanted: "use at least 2 with a ranking task, which tells a pair from the other pairs of its batch",
            });
        }
        recipe.watch.check(&tasks)?;
        if train_rows == 0 {
            return Err(PlanError::NoRows);
        }
        let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
        let phases = recipe.phases_for(model.layers, &names)?;
        let prompt = model.prompt(recipe.prompt.as_deref()).map_err(PlanError::NoPrompt)?;
        let tensors = tensors(recipe, model, &tasks);
        let batches = train_rows.div_ceil(recipe.batch_size);
        let plan = Self {
            name: name.to_owned(),
            model_path: model.path.clone(),
            model_sha256: model.sha256.clone(),
            tensors,
            tasks,
            prompt,
            recipe: recipe.clone(),
            phases,
            train_rows,
            parent: None,
            steps_per_epoch: batches.div_ceil(recipe.accumulate),
            device: device.to_owned(),
        };
        let trains = (0..plan.phases.len()).any(|phase| plan.trainable(phase).next().is_some());
        if !trains && !recipe.trains_nothing() {
            return Err(PlanError::TrainsNothing);
        }
        Ok(plan)
    }

    /// Exactly the tensors that train in a phase, with their rates.
    pub fn trainable(&self, phase: usize) -> impl Iterator<Item = Trainable<'_>> {
        let phase = self.phases.get(phase);
        self.tensors.iter().filter_map(move |tensor| {
            let lr = phase?.rate(tensor)?;
            Some(Trainable { tensor, lr })
        })
    }

    /// Number of parameters that train in a phase.
    #[must_use]
    pub fn trainable_parameters(&self, phase: usize) -> u64 {
        self.trainable(phase).map(|trainable| trainable.tensor.elements()).sum()
    }

    /// Epochs of all phases.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.phases.iter().map(|phase| phase.epochs).sum()
    }

    /// The tasks as their heads know them.
    #[must_use]
    pub fn head_specs(&self) -> Vec<HeadSpec> {
        let spec = |task: &PlannedTask| task.head(self.recipe.task(&task.name).hidden_units);
        self.tasks.iter().map(spec).collect()
    }

    /// The text that is put before every text; empty for none.
    #[must_use]
    pub fn prompt_text(&self) -> &str {
        self.prompt.as_ref().map_or("", |prompt| &prompt.text)
    }

    /// Optimiser steps of all phases, at most.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.phases.iter().map(|phase| phase.steps(self.steps_per_epoch)).sum()
    }
}

/// Every tensor of the run: the model's, its adapters', the heads' and the learnt weights of their losses.
fn tensors(recipe: &Recipe, model: &ModelSummary, tasks: &[PlannedTask]) -> Vec<TensorInfo> {
    let mut tensors = model.tensors.clone();
    if recipe.uses_lora() {
        tensors.extend(model.adapters(&recipe.lora));
    }
    for (index, task) in tasks.iter().enumerate() {
        let hidden_units = recipe.task(&task.name).hidden_units;
        tensors.extend(task.head(hidden_units).tensors(index, model.head_input(task.kind)));
    }
    if recipe.weighting == Weighting::Uncertainty {
        let weights = tasks.iter().enumerate();
        tensors.extend(weights.map(|(index, task)| TensorInfo::of_loss_weight(index, &task.name)));
    }
    tensors
}

impl PlannedTask {
    /// The task as its head knows it.
    #[must_use]
    pub fn head(&self, hidden_units: Option<usize>) -> HeadSpec {
        HeadSpec {
            task: self.name.clone(),
            kind: self.kind,
            classes: self.classes.clone(),
            scale: self.scale,
            hidden_units,
        }
    }
}
