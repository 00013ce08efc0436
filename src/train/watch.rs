//! The figure that a run is judged by: which weights are kept, when it has stopped getting better.

use super::metrics::{TaskMetrics, keys, larger_is_better};
use super::plan::{Phase, PlanError, PlannedTask, RunPlan, Thaw};
use crate::model::summary::Group;

/// What is looked at after each epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The task; the mean over all tasks whose heads ever train when `None`.
    pub task: Option<String>,
    /// `loss`, or the key of a figure such as `accuracy` or `macro-f1`, as [`TaskMetrics::get`] lists them; each
    /// task's own headline figure when `None`.
    pub figure: Option<String>,
}

impl Watch {
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
        match watched.iter().find(|task| !keys(task.kind).contains(&figure)) {
            None => Ok(()),
            Some(task) => Err(PlanError::NoFigureToWatch {
                figure: figure.to_owned(),
                task: task.name.clone(),
                kind: task.kind.key(),
                keys: ["loss"].iter().chain(keys(task.kind)).copied().collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// The watched figure of a task, turned so that larger is better.
    #[must_use]
    pub fn of(&self, found: &TaskMetrics) -> f64 {
        match self.figure.as_deref().and_then(|key| Some((key, found.get(key)?))) {
            Some((key, value)) if larger_is_better(key) => value,
            Some((_, value)) => -value,
            None => found.figure(),
        }
    }
}

/// How good weights are: the watched figure, then the smaller mean loss. Compares like a number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Quality {
    /// The watched figure, turned so that larger is better.
    pub figure: f64,
    /// Mean loss of the tasks, negative.
    pub minus_loss: f64,
}

impl Quality {
    /// The mean over the tasks that count.
    #[must_use]
    pub fn of(watch: &Watch, tasks: &[&TaskMetrics]) -> Self {
        let mean = |value: &dyn Fn(&TaskMetrics) -> f64| {
            tasks.iter().map(|task| value(task)).sum::<f64>() / tasks.len().max(1) as f64
        };
        Self { figure: mean(&|task| watch.of(task)), minus_loss: -mean(&|task| task.loss) }
    }

    /// Of a run's figures on the validation rows: the mean over the tasks whose heads ever train (over all, when none
    /// does) and that its recipe watches. A task without a head trains with the encoder.
    #[must_use]
    pub fn of_run(plan: &RunPlan, valid: &[TaskMetrics]) -> Self {
        let watch = &plan.recipe.watch;
        let trains = |task: usize| {
            let has_head = plan.tasks.get(task).is_none_or(|task| task.kind.has_head());
            let learns = |phase: &Phase| {
                if has_head {
                    phase.thaw(Group::Head(task)) != Thaw::Frozen
                } else {
                    !phase.encoder_is_frozen()
                }
            };
            plan.phases.iter().any(learns)
        };
        let named = |task: usize| {
            watch.task.as_ref().is_none_or(|name| plan.tasks.get(task).is_some_and(|task| task.name == *name))
        };
        let labelled = || valid.iter().enumerate().filter(|(task, found)| found.rows > 0 && named(*task));
        let learning: Vec<&TaskMetrics> =
            labelled().filter(|(task, _)| trains(*task)).map(|(_, found)| found).collect();
        let of = if learning.is_empty() { labelled().map(|(_, found)| found).collect() } else { learning };
        Self::of(watch, &of)
    }

    /// True when it is better than `other`; anything is better than nothing, and nothing that is no number is
    /// better than anything.
    #[must_use]
    pub fn beats(self, other: Option<Self>) -> bool {
        other.is_none_or(|other| self > other)
    }
}

/// Epochs since the last improvement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stall {
    /// The best so far.
    pub best: Option<Quality>,
    /// Epochs since.
    pub epochs: u32,
}

impl Stall {
    /// Takes an epoch's quality; true once there was no improvement for `patience` epochs.
    pub fn take(&mut self, quality: Quality, patience: u32) -> bool {
        if quality.beats(self.best) {
            *self = Self { best: Some(quality), epochs: 0 };
        } else {
            self.epochs += 1;
        }
        self.epochs >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::task::TaskKind;

    #[test]
    fn patience_counts_epochs_without_improvement() {
        let quality = |figure| Quality { figure, minus_loss: 0.0 };
        let mut stall = Stall::default();
        let ended: Vec<bool> =
            [0.5, 0.6, 0.6, 0.55, 0.7].iter().map(|figure| stall.take(quality(*figure), 2)).collect();
        assert_eq!(ended, [false, false, false, true, false]);
    }

    #[test]
    fn equal_figures_are_told_apart_by_the_loss() {
        let (a, b) = (Quality { figure: 0.9, minus_loss: -0.3 }, Quality { figure: 0.9, minus_loss: -0.2 });
        assert!(b.beats(Some(a)) && !a.beats(Some(b)) && !a.beats(Some(a)) && a.beats(None));
    }

    fn tasks() -> Vec<PlannedTask> {
        let task = |name: &str, kind| PlannedTask { name: name.into(), kind, ..PlannedTask::default() };
        vec![task("topic", TaskKind::SingleLabel), task("stars", TaskKind::Score)]
    }

    #[test]
    fn any_figure_of_the_watched_task_may_be_named() {
        let watch = |task: Option<&str>, figure: Option<&str>| Watch {
            task: task.map(str::to_owned),
            figure: figure.map(str::to_owned),
        };
        for kind in TaskKind::ALL {
            let task = PlannedTask { name: "it".into(), kind, ..PlannedTask::default() };
            for (key, _) in TaskMetrics::none("it", kind).named() {
                assert_eq!(watch(None, Some(key)).check(std::slice::from_ref(&task)), Ok(()));
            }
        }
        assert_eq!(watch(None, Some("loss")).check(&tasks()), Ok(()));
        assert_eq!(watch(Some("topic"), Some("macro-f1")).check(&tasks()), Ok(()));
        let error = |watch: Watch| watch.check(&tasks()).unwrap_err().to_string();
        let found = error(watch(Some("stars"), Some("macro-f1")));
        assert!(found.contains("stars") && found.contains("loss, spearman, pearson"), "{found}");
        let found = error(watch(None, Some("macro-f1")));
        assert!(found.contains("name the task"), "{found}");
        assert!(error(watch(Some("tpic"), None)).contains("topic, stars"));
    }

    #[test]
    fn errors_and_losses_count_the_other_way() {
        let found = TaskMetrics::of_numbers("stars", TaskKind::Score, &[1.0, 2.0], &[1.0, 4.0]);
        let watch = |figure: &str| Watch { task: None, figure: Some(figure.to_owned()) };
        assert_eq!(watch("mae").of(&found), -1.0);
        assert_eq!(watch("loss").of(&found), -found.loss);
        assert_eq!(watch("spearman").of(&found), 1.0);
        assert_eq!(Quality::of(&Watch::default(), &[&found]), Quality { figure: 1.0, minus_loss: -2.0 });
    }
}
