//! From the draft to a run: the preview of its plan, a place for its folder, and the start.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use tch::Device;

use super::Session;
use super::event::Work;
use super::parent::{inherited_in_words, parent_of};
use super::state::{Loadable, Severity};
use super::worker::{Begin, RunRequest};
use crate::data::dataset::{Dataset, Labels, Split, TaskLabels};
use crate::data::task::{Scale, TaskKind};
use crate::model::device::multiplies_bfloat16;
use crate::project::runs;
use crate::project::user_dirs::data_dir;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{Precision, Recipe};
use crate::train::plan::settings::idle_notes;
use crate::train::plan::{ParamFilter, PlannedTask, RunPlan};

/// Refuses a plan that asks a device for what would only slow it down.
fn suited(plan: RunPlan, multiplies_bfloat16: impl Fn(Device) -> bool) -> Result<RunPlan, String> {
    let on_cpu = plan.device == "cpu";
    if plan.recipe.precision == Precision::Bfloat16 && on_cpu && !multiplies_bfloat16(Device::Cpu) {
        return Err("the precision is bfloat16, and this processor has no products of such numbers, so training would be \
                    slower: use float32, or a CUDA device"
            .to_owned());
    }
    Ok(plan)
}

impl Session {
    /// A model with fewer positions than the draft's maximum length cuts texts earlier: that is said.
    pub(super) fn tell_of_cut(&mut self) {
        let wanted = self.state.project.recipe.max_length;
        let Some(model) = self.state.model.ready().filter(|model| model.max_positions < wanted) else {
            return;
        };
        let (name, positions) = (&model.name, model.max_positions);
        let text = format!(
            "{name} has {positions} positions: texts are cut at {positions} tokens, not at {wanted}."
        );
        self.notify(Severity::Info, text);
    }

    /// What the draft would do, from the data and the model as they are now.
    pub(super) fn preview_plan(&mut self) {
        self.state.plan = self.build_plan("preview").map(|plan| plan.map(Arc::new));
    }

    fn build_plan(&self, name: &str) -> Option<Result<RunPlan, String>> {
        self.plan_of(name, self.state.project.recipe.clone())
    }

    /// The plan of a recipe, from the data and the model as they are now.
    fn plan_of(&self, name: &str, mut recipe: Recipe) -> Option<Result<RunPlan, String>> {
        let (data, model) = (self.state.data.ready()?, self.state.model.ready()?);
        let dataset = &data.dataset;
        let planned = |task: &TaskLabels| {
            // Counted once, where the rows were read: this is asked after every edit.
            let counts = data.card.tasks.iter().find(|counts| counts.task == task.name);
            let labelled = |split| counts.map_or(0, |counts| counts.labelled(split, data.card.rows));
            PlannedTask {
                name: task.name.clone(),
                kind: task.kind,
                scale: scale(dataset, task),
                classes: task.classes.clone(),
                labelled_train: labelled(Split::Train),
                labelled_valid: labelled(Split::Valid),
            }
        };
        let tasks: Vec<PlannedTask> = dataset.tasks.iter().map(planned).collect();
        let rows = data.card.rows_of(Split::Train).saturating_sub(data.card.unlabelled_train);
        // A text can have no more tokens than the model has positions; see the notice when a model is loaded.
        recipe.max_length = recipe.max_length.min(model.max_positions);
        let plan = RunPlan::build(name, &recipe, model, tasks, rows, &self.state.device);
        Some(plan.map_err(|error| error.to_string()).and_then(|plan| suited(plan, multiplies_bfloat16)))
    }

    /// Starts a run of the draft.
    pub(super) fn train(&mut self, name: Option<String>, from: Option<&str>) {
        self.train_by(self.state.project.recipe.clone(), name, from);
    }

    /// Starts a run of the heads alone, from the shown run's kept weights: its own settings, but for what trains. The
    /// texts are then read as that run read them, whatever the draft says by now.
    pub(super) fn retrain_heads(&mut self, name: Option<String>) {
        let Some(run) = &self.state.run else {
            let text = "There is no run whose heads could be trained again: train one first.";
            return self.notify(Severity::Error, text);
        };
        let (recipe, from) = (heads_alone(&run.plan.recipe), run.plan.name.clone());
        self.train_by(recipe, name, Some(&from));
    }

    fn train_by(&mut self, recipe: Recipe, name: Option<String>, from: Option<&str>) {
        if self.refuse_while_training("starting another") {
            return;
        }
        if self.state.dir.is_none() && !self.find_a_place() {
            return;
        }
        let Some(dir) = self.state.dir.clone() else { return };
        let base = recipe.preset.key();
        let is_draft = recipe == self.state.project.recipe;
        match self.plan_of(name.as_deref().unwrap_or(base), recipe) {
            Some(Ok(mut plan)) => {
                match from.map(|run| parent_of(&plan, &dir, run)).transpose() {
                    Ok(parent) => plan.parent = parent,
                    Err(reason) => return self.notify(Severity::Error, reason),
                }
                // Last, so that what is refused leaves no folder.
                match name.map_or_else(|| runs::reserve_name(&dir, base), Ok) {
                    Ok(name) => plan.name = name,
                    Err(error) => return self.notify(Severity::Error, error.to_string()),
                }
                if is_draft {
                    self.tell_of_idle(&plan);
                }
                if let Some(text) = inherited_in_words(&plan) {
                    self.notify(Severity::Info, format!("Run {} starts from {text}.", plan.name));
                }
                self.queue_run(Begin::New(Box::new(plan)), dir);
            }
            Some(Err(reason)) => self.notify(Severity::Error, format!("This plan cannot be run: {reason}.")),
            None => self.notify(Severity::Error, self.what_is_missing()),
        }
    }

    /// What of the draft has no effect in its run is said before it starts.
    fn tell_of_idle(&mut self, plan: &RunPlan) {
        let files = self.state.data.ready().map(|data| {
            let (origins, splits) = (&data.dataset.origins, &data.dataset.splits);
            let training = origins.iter().zip(splits).filter(|(_, split)| **split == Split::Train);
            training.map(|((file, _), _)| *file).collect::<HashSet<u32>>().len()
        });
        let tasks: Vec<_> = plan.tasks.iter().map(|task| (task.name.as_str(), task.kind)).collect();
        for note in idle_notes(&plan.recipe, &tasks, files) {
            self.notify(Severity::Warning, note);
        }
    }

    /// Queues a search for the rates of the draft's plan.
    pub(super) fn find_rate(&mut self) {
        if self.refuse_while_training("looking for a learning rate") {
            return;
        }
        match self.build_plan("search") {
            Some(Ok(plan)) => {
                if self.queue(Work::FindRate(Box::new(plan))) {
                    self.state.rate_search = Loadable::Loading;
                }
            }
            Some(Err(reason)) => self.notify(Severity::Error, format!("This plan cannot be run: {reason}.")),
            None => self.notify(Severity::Error, self.what_is_missing()),
        }
    }

    /// Goes on with a run of the project.
    pub(super) fn resume(&mut self, name: String) {
        if self.refuse_while_training("resuming another") {
            return;
        }
        match self.state.dir.clone() {
            Some(dir) => self.queue_run(Begin::Resume(name), dir),
            None => self
                .notify(Severity::Error, format!("There is no run {name}: the project has no folder yet.")),
        }
    }

    fn queue_run(&mut self, begin: Begin, project_dir: PathBuf) {
        self.paused = Arc::default();
        if let Begin::Resume(name) = &begin {
            self.earlier.forget_run(name);
        }
        let (checkpoint_every, pause) = (self.checkpoint_every, self.paused.clone());
        if self.queue(Work::Train(Box::new(RunRequest { begin, project_dir, checkpoint_every, pause }))) {
            self.state.evaluation = Loadable::Empty;
            self.state.export = Loadable::Empty;
        }
    }

    /// A draft that was never saved gets a folder among the user's own projects, so that its runs have a place.
    fn find_a_place(&mut self) -> bool {
        let base = match data_dir() {
            Ok(dir) => dir.join("projects"),
            Err(error) => {
                self.notify(Severity::Error, error.to_string());
                return false;
            }
        };
        let plain = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let stem: String = self.state.project.name.chars().map(plain).collect();
        let free = (1..10_000).map(|n| base.join(format!("{stem}-{n:02}"))).find(|dir| !dir.exists());
        let Some(dir) = free else { return false };
        let saved = self.save(Some(dir.clone()));
        if saved {
            self.notify(
                Severity::Info,
                format!("The project was saved in {}, so that its runs have a place.", dir.display()),
            );
        }
        saved
    }

    fn what_is_missing(&self) -> String {
        match (&self.state.data, &self.state.model) {
            (Loadable::Failed(reason), _) => format!("There is no data to train on: {reason}"),
            (_, Loadable::Failed(reason)) => format!("There is no model to train: {reason}"),
            (Loadable::Empty | Loadable::Cancelled, _) => {
                "There is no data to train on yet: open labelled files on the Data page.".into()
            }
            (_, Loadable::Empty | Loadable::Cancelled) => {
                "There is no model yet: choose one on the Model page.".into()
            }
            _ => "Data or model are still being loaded; try again in a moment.".into(),
        }
    }
}

/// The settings of a run, for training nothing but the heads.
fn heads_alone(recipe: &Recipe) -> Recipe {
    // No adapters: they would stand beside what is frozen.
    let mut recipe = Recipe { part: ParamFilter::All, ..recipe.clone() };
    recipe.choose(Preset::FreezeBackbone);
    recipe
}

/// How a task's numbers are told to the model: a score as so many standard deviations from the mean of the training
/// rows, a similarity as a cosine of 0 for their lowest and 1 for their highest.
fn scale(dataset: &Dataset, task: &TaskLabels) -> Scale {
    if !matches!(task.labels, Labels::Number(_)) {
        return Scale::default();
    }
    let training = dataset.rows_of(Split::Train).into_iter().filter_map(|row| task.number(row));
    let numbers: Vec<f64> = training.map(f64::from).collect();
    if numbers.is_empty() {
        return Scale::default();
    }
    let n = numbers.len() as f64;
    let (offset, factor) = if task.kind == TaskKind::Similarity {
        let lowest = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (lowest, highest - lowest)
    } else {
        let mean = numbers.iter().sum::<f64>() / n;
        (mean, (numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
    };
    // Numbers that are all the same are told as they are, less their mean.
    Scale { offset, factor: if factor > 0.0 { factor } else { 1.0 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retrained_heads_keep_what_the_run_was_told_of_texts_and_rows() {
        let run = Recipe { part: ParamFilter::Lora, max_length: 77, batch_size: 3, ..Recipe::default() };
        let heads = heads_alone(&run);
        assert_eq!((heads.preset, heads.part), (Preset::FreezeBackbone, ParamFilter::All));
        assert_eq!((heads.max_length, heads.batch_size, heads.seed), (77, 3, run.seed));
        assert!(heads.epochs > 0 && heads.phases.is_empty() && !heads.uses_lora());
    }

    #[test]
    fn numbers_are_told_by_the_training_rows() {
        let told = |kind, numbers: &[f32]| {
            let labels = Labels::Number(numbers.iter().map(|number| Some(*number)).collect());
            let task = TaskLabels { kind, labels, ..TaskLabels::default() };
            let mut splits = vec![Split::Train; numbers.len()];
            splits.extend([Split::Valid]);
            scale(&Dataset { splits, ..Dataset::default() }, &task)
        };
        assert_eq!(told(TaskKind::Score, &[1.0, 3.0]), Scale { offset: 2.0, factor: 1.0 });
        assert_eq!(told(TaskKind::Similarity, &[1.0, 5.0]), Scale { offset: 1.0, factor: 4.0 });
        assert_eq!(told(TaskKind::Score, &[4.0, 4.0]), Scale { offset: 4.0, factor: 1.0 });
        assert_eq!(told(TaskKind::Score, &[]), Scale::default());
    }
}
