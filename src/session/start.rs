//! From the draft to a run: the preview of its plan, a place for its folder, and the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Session;
use super::news::Work;
use super::state::{Loadable, Severity};
use super::worker::{Begin, RunRequest};
use crate::data::dataset::{Split, TaskLabels};
use crate::model::weights::file_sha256;
use crate::project::runs::{self, RunFolder};
use crate::project::user_dirs::data_dir;
use crate::train::checkpoint::best_path;
use crate::train::plan::{Parent, PlannedTask, RunPlan};

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
        let (data, model) = (self.state.data.ready()?, self.state.model.ready()?);
        let dataset = &data.dataset;
        let planned = |task: &TaskLabels| {
            let counts = dataset.labelled(task);
            PlannedTask {
                name: task.name.clone(),
                classes: task.classes.clone(),
                labelled_train: counts.get(&Split::Train).copied().unwrap_or(0),
                labelled_valid: counts.get(&Split::Valid).copied().unwrap_or(0),
                ..PlannedTask::default()
            }
        };
        let tasks: Vec<PlannedTask> = dataset.tasks.iter().map(planned).collect();
        let labelled =
            |row: &usize| dataset.tasks.iter().any(|task| task.labels.get(*row).is_some_and(Option::is_some));
        let rows = dataset.rows_of(Split::Train).iter().filter(|row| labelled(row)).count();
        // A text can have no more tokens than the model has positions; see the notice when a model is loaded.
        let mut recipe = self.state.project.recipe.clone();
        recipe.max_length = recipe.max_length.min(model.max_positions);
        Some(
            RunPlan::build(name, &recipe, model, tasks, rows, &self.state.device)
                .map_err(|error| error.to_string()),
        )
    }

    /// Starts a run of the draft.
    pub(super) fn train(&mut self, name: Option<String>, from: Option<&str>) {
        if self.refuse_while_training("starting another") {
            return;
        }
        if self.state.dir.is_none() && !self.find_a_place() {
            return;
        }
        let Some(dir) = self.state.dir.clone() else { return };
        let base = self.state.project.recipe.preset.key();
        let name = match name.map_or_else(|| runs::next_name(&dir, base), Ok) {
            Ok(name) => name,
            Err(error) => return self.notify(Severity::Error, error.to_string()),
        };
        match self.build_plan(&name) {
            Some(Ok(mut plan)) => {
                match from.map(|run| parent(&dir, run)).transpose() {
                    Ok(parent) => plan.parent = parent,
                    Err(reason) => return self.notify(Severity::Error, reason),
                }
                self.queue_run(Begin::New(Box::new(plan)), dir);
            }
            Some(Err(reason)) => self.notify(Severity::Error, format!("This plan cannot be run: {reason}.")),
            None => self.notify(Severity::Error, self.what_is_missing()),
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
            (Loadable::Empty, _) => {
                "There is no data to train on yet: open labelled files on the Data page.".into()
            }
            (_, Loadable::Empty) => "There is no model yet: choose one on the Model page.".into(),
            _ => "Data or model are still being loaded; try again in a moment.".into(),
        }
    }
}

/// A run as another one's beginning: its name and what its kept weights are.
fn parent(project_dir: &Path, run: &str) -> Result<Parent, String> {
    let folder = RunFolder::open(project_dir, run).map_err(|error| error.to_string())?;
    let best = best_path(&folder.checkpoint_dir());
    if !best.is_file() {
        return Err(format!("Run {run} kept no weights: it ended before its first epoch did."));
    }
    let sha256 = file_sha256(&best).map_err(|error| error.to_string())?;
    Ok(Parent { run: run.to_owned(), sha256 })
}
