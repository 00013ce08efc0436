//! The run plan: one immutable value that says what trains, when and at which rate.
//!
//! The preview that the window draws, the parameters that the loop updates and the claims of the report are
//! all computed from it. It holds no tensor; it knows tensors by name and shape only.

use thiserror::Error;

use super::preset::{Preset, Recipe};
use crate::data::task::{Scale, TaskKind};
use crate::model::summary::{Group, ModelSummary, TensorInfo};

/// What a group of parameters does during a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Thaw {
    /// Not updated, and run in eval mode.
    Frozen,
    /// Updated, with this peak learning rate.
    Trains {
        /// Peak learning rate; the schedule multiplies it by a factor of 0 to 1.
        lr: f64,
    },
}

impl Thaw {
    /// The rate, when it trains.
    #[must_use]
    pub const fn lr(self) -> Option<f64> {
        match self {
            Self::Frozen => None,
            Self::Trains { lr } => Some(lr),
        }
    }
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
    /// How long it lasts; 0 for a phase that trains nothing.
    pub epochs: u32,
}

impl Phase {
    /// What the phase does with a group of parameters.
    #[must_use]
    pub fn thaw(&self, group: Group) -> Thaw {
        match group {
            Group::Embeddings => self.embeddings,
            Group::Layer(index) => self.layers.get(index).copied().unwrap_or(Thaw::Frozen),
            Group::Head(index) => self.heads.get(index).copied().unwrap_or(Thaw::Frozen),
            Group::Unused => Thaw::Frozen,
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
    /// The settings that the phases were made from.
    pub recipe: Recipe,
    /// The phases in order.
    pub phases: Vec<Phase>,
    /// Training rows with at least one label.
    pub train_rows: usize,
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
    /// Everything is frozen although the preset is one that trains.
    #[error(
        "the plan trains nothing: with a single task, freezing its head leaves no head to learn. Choose another preset"
    )]
    TrainsNothing,
    /// A number that makes no sense.
    #[error("{setting} is {value}: {wanted}")]
    BadSetting {
        /// Which setting.
        setting: &'static str,
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
            if task.classes.len() < 2 {
                return Err(PlanError::TooFewClasses {
                    task: task.name.clone(),
                    classes: task.classes.len(),
                });
            }
        }
        if train_rows == 0 {
            return Err(PlanError::NoRows);
        }
        let names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
        let phases = recipe.phases(model.layers, &names)?;
        let mut tensors = model.tensors.clone();
        for (index, task) in tasks.iter().enumerate() {
            tensors.extend(TensorInfo::of_head(index, &task.name, model.hidden, task.classes.len()));
        }
        let plan = Self {
            name: name.to_owned(),
            model_path: model.path.clone(),
            model_sha256: model.sha256.clone(),
            tensors,
            tasks,
            recipe: recipe.clone(),
            phases,
            train_rows,
            steps_per_epoch: train_rows.div_ceil(recipe.batch_size),
            device: device.to_owned(),
        };
        let trains = (0..plan.phases.len()).any(|phase| plan.trainable(phase).next().is_some());
        if !trains && recipe.preset != Preset::FreezeAll {
            return Err(PlanError::TrainsNothing);
        }
        Ok(plan)
    }

    /// Exactly the tensors that train in a phase, with their rates.
    pub fn trainable(&self, phase: usize) -> impl Iterator<Item = Trainable<'_>> {
        let phase = self.phases.get(phase);
        self.tensors.iter().filter_map(move |tensor| {
            let lr = phase?.thaw(tensor.group).lr()?;
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

    /// Optimiser steps of all phases.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.epochs() as usize * self.steps_per_epoch
    }
}
