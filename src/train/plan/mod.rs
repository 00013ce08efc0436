//! The run plan: one immutable value that says what trains, when and at which rate.
//!
//! The preview that the window draws, the parameters that the loop updates and the claims of the report are
//! all computed from it. It holds no tensor; it knows tensors by name and shape only.

pub mod monitor;
pub mod phase;
pub mod phase_edits;
pub mod phase_spec;
pub mod preset;
pub mod recipe;
pub mod schedule;
pub mod settings;
pub mod timeline;

use thiserror::Error;

pub use self::phase::{ParamFilter, Phase, Thaw, Until};

use self::monitor::check_judged;
use self::recipe::{Recipe, Weighting};
use super::room;
use crate::data::task::{Scale, TaskKind};
use crate::model::heads::HeadSpec;
use crate::model::room::Shortage;
use crate::model::summary::{Group, ModelSummary, Prompt, TensorInfo};

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

/// Why a plan cannot be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// No task is mapped.
    #[error("there is nothing to learn: no label column is mapped to a task. Choose one on the Data page")]
    NoTask,
    /// A task with fewer than two classes.
    #[error(
        "task \"{task}\" has too few classes in the training rows ({classes}): classification needs at least two. Leave the task out, or label more rows"
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
    /// A setting that judges by validation rows, without any.
    #[error(
        "{setting} judges epochs on validation rows, and no validation row carries a label: add validation rows on the \
         Data page, or take the setting back"
    )]
    NoValidation {
        /// Which setting, with its value.
        setting: String,
    },
    /// The task to watch is never measured.
    #[error(
        "the task to watch, \"{task}\", has no label among the validation rows, so no epoch could be chosen by it: label \
         validation rows for it, or watch one that has labels: {others}"
    )]
    NoLabelToWatch {
        /// The task.
        task: String,
        /// Tasks that are measured.
        others: String,
    },
    /// No task that trains is ever measured.
    #[error(
        "no task that trains ({tasks}) has a label among the validation rows, so no epoch could be chosen by it: label \
         validation rows for one of them, or set watch_task to a task that has labels: {others}"
    )]
    NoLearningTaskToWatch {
        /// Tasks that train.
        tasks: String,
        /// Tasks that are measured.
        others: String,
    },
    /// Every task has weight 0.
    #[error("every task has weight 0: nothing is learnt. Give at least one task a weight above 0")]
    NoWeight,
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
    /// More memory than the machine has.
    #[error("{setting} is {value}: {shortage}. Use less")]
    NoRoom {
        /// Which setting.
        setting: String,
        /// Its value.
        value: String,
        /// How much it asks for.
        shortage: Shortage,
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
        if !recipe.trains_nothing() && names.iter().all(|task| recipe.has_no_weight(task)) {
            return Err(PlanError::NoWeight);
        }
        let phases = recipe.phases_for(model.layers, &names)?;
        let prompt = model.prompt(recipe.prompt.as_deref()).map_err(PlanError::NoPrompt)?;
        let tensors = tensors(recipe, model, &tasks);
        room::check(recipe, model, &tasks)?;
        let batches = train_rows.div_ceil(recipe.batch_size);
        let plan = Self {
            name: name.to_owned(),
            model_path: model.path.clone(),
            model_sha256: model.sha256.clone(),
            tokenizer_sha256: model.origin.tokenizer_sha256.clone(),
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
        check_judged(&plan)?;
        Ok(plan)
    }

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
            // A kind without a head has no layer in it either.
            hidden_units: hidden_units.filter(|_| self.kind.has_head()),
        }
    }
}
