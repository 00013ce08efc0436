//! The run plan itself: what it holds, and what follows from it.

use super::phase::{Phase, Thaw};
use super::planned_task::PlannedTask;
use super::recipe::Recipe;
use crate::data::task::TaskKind;
use crate::model::heads::HeadSpec;
use crate::model::summary::{Group, ModelSummary, Prompt, TensorInfo};

/// The run that another one goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Its name, within the same project.
    pub run: String,
    /// SHA-256 of its kept weights, in hexadecimal.
    pub sha256: String,
    /// Tasks whose heads start fresh all the same, and why; `None` in plans of releases that did not record it.
    pub fresh: Option<Vec<(String, String)>>,
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
    /// SHA-256 of the tokenizer's files, in hexadecimal; `None` in plans of releases that did not record it.
    pub tokenizer_sha256: Option<String>,
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

/// A tensor that trains in a phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Trainable<'a> {
    /// The tensor.
    pub tensor: &'a TensorInfo,
    /// Its peak learning rate.
    pub lr: f64,
}

impl RunPlan {
    /// What a pretrained model has otherwise than the one of the plan: "weights" or "tokenizer"; `None` where it is the
    /// same.
    #[must_use]
    pub fn other_in(&self, model: &ModelSummary) -> Option<&'static str> {
        if model.sha256 != self.model_sha256 {
            return Some("weights");
        }
        self.other_tokenizer(model.origin.tokenizer_sha256.as_deref()).then_some("tokenizer")
    }

    /// Whether both tokenizers are known, and are not the same.
    #[must_use]
    pub fn other_tokenizer(&self, sha256: Option<&str>) -> bool {
        self.tokenizer_sha256.as_deref().zip(sha256).is_some_and(|(own, other)| own != other)
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

    /// Epochs of all phases, at most.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.phases.iter().map(|phase| phase.planned_epochs(self.steps_per_epoch)).sum()
    }

    /// Epochs of all phases as they are drawn: a phase that ends after some steps is as wide as its epochs allow.
    #[must_use]
    pub fn drawn_epochs(&self) -> u32 {
        self.phases.iter().map(|phase| phase.epochs).sum()
    }

    /// The tasks as their heads know them.
    #[must_use]
    pub fn head_specs(&self) -> Vec<HeadSpec> {
        let spec = |task: &PlannedTask| task.head(self.recipe.task(&task.name).hidden_units);
        self.tasks.iter().map(spec).collect()
    }

    /// The kind of a task by its name; single-label where it is none of the plan's.
    #[must_use]
    pub fn kind_of(&self, task: &str) -> TaskKind {
        self.tasks.iter().find(|planned| planned.name == task).map(|planned| planned.kind).unwrap_or_default()
    }

    /// Whether nothing is learnt from a task because its weight is 0.
    #[must_use]
    pub fn has_no_weight(&self, task: usize) -> bool {
        self.tasks.get(task).is_some_and(|task| self.recipe.has_no_weight(&task.name))
    }

    /// Whether the loss of a task on training rows is the one that its validation rows have. Class weights and label
    /// smoothing are part of what is descended alone, and a ranking's training pool is its batch.
    #[must_use]
    pub fn loss_is_comparable(&self, task: usize) -> bool {
        self.tasks.get(task).is_none_or(|task| {
            let set = self.recipe.task(&task.name);
            let adds = task.kind.has_classes() && (set.balance_classes || set.label_smoothing > 0.0);
            task.kind != TaskKind::Ranking && !adds
        })
    }

    /// The text that is put before every text; empty for none.
    #[must_use]
    pub fn prompt_text(&self) -> &str {
        self.prompt.as_ref().map_or("", |prompt| &prompt.text)
    }

    /// Tensors that the run takes from its parent, and tensors that it could take; `None` where it has no parent, or one
    /// of which that was not recorded.
    #[must_use]
    pub fn inherited(&self) -> Option<(usize, usize)> {
        let fresh = self.parent.as_ref()?.fresh.as_ref()?;
        let is_fresh = |tensor: &TensorInfo| match tensor.group {
            Group::Head(task) => {
                self.tasks.get(task).is_some_and(|task| fresh.iter().any(|(name, _)| *name == task.name))
            }
            _ => false,
        };
        let all: Vec<&TensorInfo> = self.tensors.iter().filter(|tensor| tensor.outlives_a_run()).collect();
        Some((all.iter().filter(|tensor| !is_fresh(tensor)).count(), all.len()))
    }

    /// Whether the head of a task starts at random: it has one, and no parent to take it from.
    #[must_use]
    pub fn head_starts_fresh(&self, task: usize) -> bool {
        let Some(task) = self.tasks.get(task).filter(|task| task.kind.has_head()) else { return false };
        let Some(parent) = &self.parent else { return true };
        parent.fresh.iter().flatten().any(|(name, _)| *name == task.name)
    }

    /// Whether the head of a task is still as random as it started after the first phases, so many of them.
    #[must_use]
    pub fn head_is_untrained(&self, task: usize, phases: usize) -> bool {
        let mut reached = self.phases.iter().take(phases);
        let trains = reached.any(|phase| phase.epochs > 0 && phase.thaw(Group::Head(task)) != Thaw::Frozen);
        self.head_starts_fresh(task) && !trains
    }

    /// Optimiser steps of all phases, at most.
    #[must_use]
    pub fn total_steps(&self) -> usize {
        self.phases.iter().map(|phase| phase.steps(self.steps_per_epoch)).sum()
    }
}
