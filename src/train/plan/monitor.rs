//! Which figure a run is judged by.

use super::plan_error::PlanError;
use super::planned_task::PlannedTask;
use crate::train::metrics::{TaskMetrics, keys};

/// What is looked at after each epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Monitor {
    /// The task; the mean over all tasks whose heads ever train when `None`.
    pub task: Option<String>,
    /// `loss`, or the key of a figure such as `accuracy` or `macro-f1`, as [`TaskMetrics::get`] lists them; each
    /// task's own headline figure when `None`.
    pub figure: Option<String>,
}

impl Monitor {
    /// Refuses what would not be measured, before anything is trained.
    ///
    /// # Errors
    /// Names the task or the figure, and what there is instead.
    pub fn check(&self, tasks: &[PlannedTask]) -> Result<(), PlanError> {
        let watched: Vec<&PlannedTask> =
            tasks.iter().filter(|task| self.task.as_ref().is_none_or(|name| task.name == *name)).collect();
        if let (Some(name), true) = (&self.task, watched.is_empty()) {
            let tasks = tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(PlanError::NoTaskToWatch { name: name.clone(), tasks });
        }
        let Some(figure) = self.figure.as_deref().filter(|figure| *figure != "loss") else { return Ok(()) };
        match watched.iter().find(|task| !keys(task.kind).any(|key| key == figure)) {
            None => Ok(()),
            Some(task) => Err(PlanError::NoFigureToWatch {
                figure: figure.to_owned(),
                task: task.name.clone(),
                kind: task.kind.key(),
                keys: ["loss"].into_iter().chain(keys(task.kind)).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The watched figure of a task, turned so that larger is better.
    #[must_use]
    pub fn of(&self, found: &TaskMetrics) -> f64 {
        match self.figure.as_deref().and_then(|key| Some((key, found.get(key)?))) {
            Some((key, value)) if TaskMetrics::larger_is_better(key) => value,
            Some((_, value)) => -value,
            None => found.figure(),
        }
    }
}
