//! How good weights are by the figure that a run is judged by: which are kept, and when it has stopped getting better.

use super::monitor::Monitor;
use super::phase::{Thaw, Until};
use super::plan_error::PlanError;
use super::planned_task::PlannedTask;
use super::run_plan::RunPlan;
use crate::model::summary::Group;
use crate::train::metrics::TaskMetrics;

/// Refuses a plan that asks for a judgement that no validation row could give.
///
/// # Errors
/// Names the setting and what it lacks.
pub fn check_judged(plan: &RunPlan) -> Result<(), PlanError> {
    let (recipe, tasks) = (&plan.recipe, &plan.tasks);
    if recipe.trains_nothing() {
        return Ok(()); // There is nothing to choose from.
    }
    let labelled: Vec<&str> =
        tasks.iter().filter(|task| task.labelled_valid > 0).map(|task| task.name.as_str()).collect();
    if labelled.is_empty() {
        return needs_validation(plan).map_or(Ok(()), |setting| Err(PlanError::NoValidation { setting }));
    }
    let others = labelled.join(", ");
    if let Some(task) = recipe.watch.task.as_ref().filter(|task| !labelled.contains(&task.as_str())) {
        return Err(PlanError::NoLabelToWatch { task: task.clone(), others });
    }
    let learning = tasks.iter().enumerate().filter(|(task, _)| learns(plan, *task)).map(|(_, task)| task);
    let learning: Vec<&PlannedTask> = learning.collect();
    // Where no head trains, as below a single frozen head, every measured task counts.
    let is_unmeasured = !learning.is_empty() && learning.iter().all(|task| task.labelled_valid == 0);
    if recipe.watch.task.is_none() && is_unmeasured {
        let tasks = learning.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(PlanError::NoLearningTaskToWatch { tasks, others });
    }
    Ok(())
}

/// The first setting that means nothing without validation rows.
fn needs_validation(plan: &RunPlan) -> Option<String> {
    let Monitor { task, figure } = &plan.recipe.watch;
    let early = plan.recipe.patience.map(|epochs| format!("early stopping (patience = {epochs})"));
    let plateau = plan.phases.iter().zip(1..).find_map(|(phase, number)| match phase.until {
        Until::Plateau { patience } => {
            Some(format!("the end of phase {number} at a plateau (patience = {patience})"))
        }
        Until::Epochs | Until::Steps(_) => None,
    });
    let task = || task.as_ref().map(|task| format!("the task to watch (watch_task = \"{task}\")"));
    let figure = || figure.as_ref().map(|figure| format!("the figure to watch (watch = \"{figure}\")"));
    early.or(plateau).or_else(task).or_else(figure)
}

/// Whether a task's head trains in some phase; of a task without a head, whether the encoder does. Nothing is learnt
/// from a task of weight 0.
fn learns(plan: &RunPlan, task: usize) -> bool {
    if plan.has_no_weight(task) {
        return false;
    }
    let has_head = plan.tasks.get(task).is_none_or(|task| task.kind.has_head());
    plan.phases.iter().any(|phase| {
        if has_head { phase.thaw(Group::Head(task)) != Thaw::Frozen } else { !phase.encoder_is_frozen() }
    })
}

/// How good weights are: how many of the watched tasks could be measured at all, then the watched figure, then the
/// smaller mean loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Watched tasks with labels whose figure is not a finite number, or says nothing.
    pub unmeasured: u32,
    /// The watched figure, turned so that larger is better: the mean over the tasks that could be measured, NaN where
    /// none could.
    pub figure: f64,
    /// Mean loss of the same tasks, negative.
    pub minus_loss: f64,
}

impl Quality {
    /// The mean over the tasks that count. A task that cannot be measured has no part in the mean, and weights with
    /// fewer such tasks are better whatever their figures: a task that broke down is never a gain.
    #[must_use]
    pub fn of(watch: &Monitor, tasks: &[&TaskMetrics]) -> Self {
        // The only text of a pool comes first whatever the encoder does.
        let says_something =
            |task: &TaskMetrics| task.ranking.as_ref().is_none_or(|ranking| ranking.pool > 1);
        let is_measured = |task: &&&TaskMetrics| watch.of(task).is_finite() && says_something(task);
        let measured: Vec<&TaskMetrics> = tasks.iter().filter(is_measured).copied().collect();
        let mean = |value: &dyn Fn(&TaskMetrics) -> f64| {
            measured.iter().map(|task| value(task)).sum::<f64>() / measured.len() as f64
        };
        Self {
            unmeasured: (tasks.len() - measured.len()) as u32,
            figure: mean(&|task| watch.of(task)),
            minus_loss: -mean(&|task| task.loss),
        }
    }

    /// Of a run's figures on the validation rows: the mean over the tasks whose heads ever train (over all with a weight,
    /// when none does) and that its recipe watches. A task without a head trains with the encoder.
    #[must_use]
    pub fn of_run(plan: &RunPlan, valid: &[TaskMetrics]) -> Self {
        let watch = &plan.recipe.watch;
        let named = |task: usize| {
            watch.task.as_ref().is_none_or(|name| plan.tasks.get(task).is_some_and(|task| task.name == *name))
        };
        let counts = |task: usize| named(task) && (watch.task.is_some() || !plan.has_no_weight(task));
        let labelled = || valid.iter().enumerate().filter(|(task, found)| found.rows > 0 && counts(*task));
        let learning: Vec<&TaskMetrics> =
            labelled().filter(|(task, _)| learns(plan, *task)).map(|(_, found)| found).collect();
        let of = if learning.is_empty() { labelled().map(|(_, found)| found).collect() } else { learning };
        Self::of(watch, &of)
    }

    /// Whether there is a figure to judge by.
    #[must_use]
    pub const fn is_measured(self) -> bool {
        self.figure.is_finite()
    }

    /// True when it is better than `other`: what was measured is better than nothing and than what could not be
    /// measured, which itself is better than nothing at all.
    #[must_use]
    pub fn beats(self, other: Option<Self>) -> bool {
        // A figure of equals may come with a loss that overflowed.
        let loss = |quality: Self| {
            if quality.minus_loss.is_nan() { f64::NEG_INFINITY } else { quality.minus_loss }
        };
        let order = |other: Self| {
            other
                .unmeasured
                .cmp(&self.unmeasured)
                .then(self.figure.total_cmp(&other.figure))
                .then(loss(self).total_cmp(&loss(other)))
        };
        self.is_measured()
            && other.filter(|other| other.is_measured()).is_none_or(|other| order(other).is_gt())
    }
}

/// Epochs since the last improvement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Patience {
    /// The best so far.
    pub best: Option<Quality>,
    /// Epochs since.
    pub epochs: u32,
}

impl Patience {
    /// Takes an epoch's quality; true once there was no improvement for `patience` epochs. Where no epoch could be
    /// measured yet, there is nothing to improve on, and none counts.
    pub fn take(&mut self, quality: Quality, patience: u32) -> bool {
        if quality.beats(self.best) {
            *self = Self { best: Some(quality), epochs: 0 };
        } else if self.best.is_some() {
            self.epochs += 1;
        }
        self.epochs >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::task::TaskKind;
    use crate::train::plan::Phase;
    use crate::train::plan::recipe::{Recipe, TaskSettings, Weighting};

    #[test]
    fn patience_counts_epochs_without_improvement() {
        let quality = |figure| Quality { unmeasured: 0, figure, minus_loss: 0.0 };
        let mut stall = Patience::default();
        let ended: Vec<bool> =
            [0.5, 0.6, 0.6, 0.55, 0.7].iter().map(|figure| stall.take(quality(*figure), 2)).collect();
        assert_eq!(ended, [false, false, false, true, false]);
    }

    #[test]
    fn equal_figures_are_told_apart_by_the_loss() {
        let of = |minus_loss| Quality { unmeasured: 0, figure: 0.9, minus_loss };
        let (a, b) = (of(-0.3), of(-0.2));
        assert!(b.beats(Some(a)) && !a.beats(Some(b)) && !a.beats(Some(a)) && a.beats(None));
        assert!(a.beats(Some(of(f64::NAN))) && !of(f64::NAN).beats(Some(a)));
    }

    #[test]
    fn what_cannot_be_measured_never_chooses() {
        let of = |figure| Quality { unmeasured: 0, figure, minus_loss: -1.0 };
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(of(-1.0).beats(Some(of(bad))) && !of(bad).beats(Some(of(-1.0))) && !of(bad).beats(None));
        }
        let mut stall = Patience::default();
        let mut take = |figure| stall.take(of(figure), 2);
        let figures = [f64::NAN, f64::NAN, f64::NAN, 0.5, f64::NAN, 0.6, f64::NAN, f64::NAN];
        let ended = figures.map(&mut take);
        assert_eq!(ended, [false, false, false, false, false, false, false, true]);
    }

    #[test]
    fn a_task_that_broke_down_is_no_gain_for_the_mean() {
        let score =
            |predicted: [f32; 3]| TaskMetrics::of_numbers("a", TaskKind::Score, &predicted, &[1.0, 2.0, 3.0]);
        let (good, poor, broken) =
            (score([1.0, 2.0, 3.0]), score([1.0, 3.0, 2.0]), score([f32::NAN, 2.0, 3.0]));
        let of = |tasks: &[&TaskMetrics]| Quality::of(&Monitor::default(), tasks);
        let (both, one) = (of(&[&good, &poor]), of(&[&good, &broken]));
        assert_eq!((both.unmeasured, both.figure), (0, 0.75));
        assert_eq!((one.unmeasured, one.figure), (1, 1.0), "the mean of what could be measured");
        assert!(both.beats(Some(one)) && !one.beats(Some(both)));
        assert!(!of(&[&broken]).is_measured());
        let pairs = |pool| TaskMetrics::of_ranking("pairs", &[1], pool, 0.0);
        assert!(
            !of(&[&pairs(1)]).is_measured() && of(&[&pairs(2)]).is_measured(),
            "the only text comes first"
        );
    }

    /// A plan of one phase that trains an encoder of one layer below these heads.
    fn plan(tasks: Vec<PlannedTask>, heads: Vec<Thaw>) -> RunPlan {
        let phase = Phase {
            name: String::new(),
            embeddings: Thaw::Frozen,
            layers: vec![Thaw::whole(1e-4)],
            heads,
            loss_weights: 1e-3,
            epochs: 2,
            until: Until::Epochs,
        };
        RunPlan {
            name: "run".into(),
            model_path: "model".into(),
            model_sha256: String::new(),
            tokenizer_sha256: None,
            tensors: Vec::new(),
            tasks,
            prompt: None,
            recipe: Recipe::default(),
            phases: vec![phase],
            train_rows: 8,
            parent: None,
            steps_per_epoch: 2,
            device: "cpu".into(),
        }
    }

    fn labelled() -> Vec<PlannedTask> {
        tasks().into_iter().map(|task| PlannedTask { labelled_valid: 4, ..task }).collect()
    }

    #[test]
    fn below_a_single_frozen_head_there_is_an_epoch_to_choose() {
        let one = || labelled().into_iter().take(1).collect::<Vec<_>>();
        assert_eq!(check_judged(&plan(one(), vec![Thaw::Frozen])), Ok(()));
        // A head that trains without a validation label is still refused, by its name.
        let mut tasks = labelled();
        tasks[0].labelled_valid = 0;
        let refused = check_judged(&plan(tasks, vec![Thaw::whole(1e-3), Thaw::Frozen]));
        assert!(refused.unwrap_err().to_string().contains("no task that trains (topic)"));
    }

    #[test]
    fn a_task_of_weight_0_has_no_part_in_the_choice() {
        let recipe = |weighting| Recipe {
            weighting,
            tasks: [("stars".to_owned(), TaskSettings { weight: 0.0, ..TaskSettings::default() })].into(),
            ..Recipe::default()
        };
        let heads = |weighting| {
            let phases = recipe(weighting).phases_for(1, &["topic", "stars"]).unwrap();
            phases[0].heads.iter().map(|head| *head != Thaw::Frozen).collect::<Vec<_>>()
        };
        assert_eq!(heads(Weighting::Fixed), [true, false]);
        assert_eq!(heads(Weighting::Uncertainty), [true, true], "the weights are learnt");
        let found = [
            TaskMetrics { accuracy: 0.25, rows: 4, ..TaskMetrics::none("topic", TaskKind::SingleLabel) },
            TaskMetrics::of_numbers("stars", TaskKind::Score, &[1.0, 2.0], &[1.0, 4.0]),
        ];
        // Whether a head trains beside it or none does.
        for topic in [Thaw::whole(1e-3), Thaw::Frozen] {
            let weighed = plan(labelled(), vec![topic, Thaw::Frozen]);
            let mut plan = RunPlan { recipe: recipe(Weighting::Fixed), ..weighed };
            assert_eq!(Quality::of_run(&plan, &found).figure, 0.25);
            plan.recipe.watch.task = Some("stars".into());
            assert_eq!(Quality::of_run(&plan, &found).figure, 1.0, "it is asked for by name");
        }
    }

    fn tasks() -> Vec<PlannedTask> {
        let task = |name: &str, kind| PlannedTask { name: name.into(), kind, ..PlannedTask::default() };
        vec![task("topic", TaskKind::SingleLabel), task("stars", TaskKind::Score)]
    }

    #[test]
    fn any_figure_of_the_watched_task_may_be_named() {
        let watch = |task: Option<&str>, figure: Option<&str>| Monitor {
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
        let error = |watch: Monitor| watch.check(&tasks()).unwrap_err().to_string();
        let found = error(watch(Some("stars"), Some("macro-f1")));
        assert!(found.contains("stars") && found.contains("loss, spearman, pearson"), "{found}");
        let found = error(watch(None, Some("macro-f1")));
        assert!(found.contains("name the task"), "{found}");
        assert!(error(watch(Some("tpic"), None)).contains("topic, stars"));
    }

    #[test]
    fn errors_and_losses_count_the_other_way() {
        let found = TaskMetrics::of_numbers("stars", TaskKind::Score, &[1.0, 2.0], &[1.0, 4.0]);
        let watch = |figure: &str| Monitor { task: None, figure: Some(figure.to_owned()) };
        assert_eq!(watch("mae").of(&found), -1.0);
        assert_eq!(watch("loss").of(&found), -found.loss);
        assert_eq!(watch("spearman").of(&found), 1.0);
        let quality = Quality { unmeasured: 0, figure: 1.0, minus_loss: -2.0 };
        assert_eq!(Quality::of(&Monitor::default(), &[&found]), quality);
    }
}
