//! Why a plan cannot be run, in words for the user.

use thiserror::Error;

use crate::data::task::TaskKind;
use crate::model::room::Shortage;

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

impl PlanError {
    /// What keeps a task from being learnt, by the number of its classes.
    #[must_use]
    pub fn of_classes(task: &str, kind: TaskKind, classes: usize) -> Option<Self> {
        let is_short = kind.has_classes() && classes < kind.fewest_classes();
        is_short.then(|| Self::TooFewClasses { task: task.to_owned(), classes })
    }
}
