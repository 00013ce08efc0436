//! The session as the command line drives it: ask, wait until the work is done, turn error notices into errors.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::args::TrustArg;
use super::console::{Reasons, tell};
use super::settings::{self, Change};
use super::{hub, interrupt, outside};
use crate::project::Project;
use crate::session::Session;
use crate::session::command::{Command, Edit};
use crate::session::state::{Loadable, Severity, State};

/// Longest wait before Ctrl+C is looked at again.
const PATIENCE: Duration = Duration::from_millis(200);

/// Between two plain lines on what the worker is doing.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A session and how far its notices have been read.
pub(super) struct Driver {
    session: Session,
    next_notice: u64,
}

impl Driver {
    /// Opens a project and waits until its data and model are loaded.
    ///
    /// # Errors
    /// When the device, the project, the data or the model cannot be had, or the project names paths that its user does
    /// not agree to.
    pub(super) fn open(project_dir: &Path, device: Option<&str>, trust: TrustArg) -> anyhow::Result<Self> {
        outside::require(project_dir, trust)?;
        // Loaded here first: the reason why a folder is not a project is an error of this command alone.
        let project = Project::load(project_dir)?;
        if let Some(model) = &project.model {
            hub::require(model)?;
        }
        let mut driver = Self { session: Session::start(|| {}), next_notice: 0 };
        if let Some(device) = device {
            driver.ask(Command::SelectDevice(device.to_owned()))?;
        }
        let dir = std::path::absolute(project_dir)
            .with_context(|| format!("{} is no path", project_dir.display()))?;
        driver.ask(Command::OpenProject(dir))?;
        if let Some(library) = driver.cuda_library() {
            tell(&format!("CUDA part of libtorch: {library}"));
        }
        require(
            &driver.state().data,
            "no data file is named. Add one under [[data.file]] in frostline.toml",
        )?;
        require(
            &driver.state().model,
            "no model is named. Add `model = \"FOLDER\"` or `model = \"ORG/NAME@main\"` to frostline.toml",
        )?;
        Ok(driver)
    }

    /// Changes settings for this command; the project's file stays as it is.
    ///
    /// # Errors
    /// When a change names a task that the project does not have.
    pub(super) fn set(&mut self, changes: &[Change]) -> anyhow::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let state = self.state();
        let mut recipe = state.project.recipe.clone();
        let tasks = state.data.ready().map(|data| data.mapping.tasks.iter());
        let tasks: Vec<&str> = tasks.into_iter().flatten().map(|task| task.task.as_str()).collect();
        settings::apply(&mut recipe, changes, &tasks)?;
        self.ask(Command::Edit(Edit::SetRecipe(Box::new(recipe))))
    }

    /// The file of libtorch's CUDA part, where the work is to use it.
    fn cuda_library(&self) -> Option<&str> {
        let state = self.state();
        state.cuda_library.as_deref().filter(|_| state.device.starts_with("cuda"))
    }

    /// What is known.
    pub(super) fn state(&self) -> &State {
        self.session.state()
    }

    /// Asks for something and waits until it is done.
    ///
    /// # Errors
    /// The error notices that came with it.
    pub(super) fn ask(&mut self, command: Command) -> anyhow::Result<()> {
        self.send(command);
        let mut last_line = Instant::now();
        loop {
            self.session.wait(PATIENCE);
            refuse(&self.take_notices())?;
            if self.session.is_idle() {
                break;
            }
            if interrupt::is_asked() {
                // What is half done ends within a batch; the session waits for it as it is dropped.
                self.session.send(Command::Stop);
                return Err(interrupt::Interrupted.into());
            }
            if let (Some(busy), true) = (&self.state().busy, last_line.elapsed() >= LINE_EVERY) {
                last_line = Instant::now();
                let part = busy.fraction.map(|part| format!(": {:.0} %", part * 100.0)).unwrap_or_default();
                tell(&format!("{}{part}", busy.what));
            }
        }
        // News that came between the last look and the end of the work.
        self.session.poll();
        refuse(&self.take_notices())
    }

    /// How often the runs that are asked for from now on write a checkpoint.
    pub(super) fn checkpoint_every(&mut self, every: Duration) {
        self.session.checkpoint_every(every);
    }

    /// Asks for something without waiting.
    pub(super) fn send(&mut self, command: Command) {
        self.session.send(command);
    }

    /// Waits for news for a moment; the error notices that came.
    pub(super) fn wait(&mut self) -> Vec<String> {
        self.session.wait(PATIENCE);
        self.take_notices()
    }

    /// No job queued or running.
    pub(super) fn is_idle(&mut self) -> bool {
        self.session.is_idle()
    }

    /// Warnings to stderr, errors to the caller. What is good to know, the commands say themselves.
    fn take_notices(&mut self) -> Vec<String> {
        let mut errors = Vec::new();
        let mut next = self.next_notice;
        for notice in &self.session.state().notices {
            if notice.id < self.next_notice {
                continue;
            }
            next = next.max(notice.id + 1);
            match notice.severity {
                Severity::Error => errors.push(notice.text.clone()),
                Severity::Warning => tell(&format!("warning: {}", notice.text)),
                Severity::Info | Severity::Success => {}
            }
        }
        self.next_notice = next;
        errors
    }
}

fn refuse(errors: &[String]) -> anyhow::Result<()> {
    if errors.is_empty() { Ok(()) } else { Err(Reasons(errors.to_vec()).into()) }
}

/// What must have been loaded by now.
pub(super) fn require<'a, T>(value: &'a Loadable<T>, absent: &str) -> anyhow::Result<&'a T> {
    match value {
        Loadable::Ready(value) => Ok(value),
        Loadable::Failed(reason) => Err(anyhow!("{reason}")),
        Loadable::Empty | Loadable::Loading | Loadable::Cancelled => Err(anyhow!("{absent}")),
    }
}
