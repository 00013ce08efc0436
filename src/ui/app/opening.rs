//! Opening a project: what it names outside its folder is asked about before any of it is touched, and what the user
//! chose in this window is agreed to.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::App;
use crate::project::outside::is_outside;
use crate::project::trust::Trust;
use crate::session::command::Command;
use crate::session::state::{Severity, State};
use crate::ui::autosave::Keep;
use crate::ui::modals::{Modal, OutsideAsked, Verdict};

/// The way to an open project.
#[derive(Default)]
pub(super) struct Opening {
    /// What the user agreed to; `None` where nobody is asked, as in tests of other things.
    trust: Option<Trust>,
    /// What the user agreed to here, by folder of the project and path, for where nothing can be written down.
    agreed: HashSet<(PathBuf, PathBuf)>,
    /// What is opened once the question that is shown has its answer.
    waiting: Option<Command>,
    /// The saved state of the project that was noted down last: its folder, and the run that is shown.
    noted: Option<(PathBuf, Option<String>)>,
}

/// What becomes of a command that opens a project or a run.
enum Gate {
    /// It may be sent.
    Open(Command),
    /// The user is asked first.
    Ask(Box<OutsideAsked>),
    /// It is refused, for this reason.
    Refuse(String),
}

impl Opening {
    fn by(trust: Trust) -> Self {
        Self { trust: Some(trust), ..Self::default() }
    }

    /// Looks what the project names.
    fn gate(&self, command: Command, open: Option<&Path>) -> Gate {
        let (Some(trust), Some(dir)) = (&self.trust, folder(&command, open)) else {
            return Gate::Open(command);
        };
        // A folder that is gone is for the session to refuse.
        if !dir.is_dir() {
            return Gate::Open(command);
        }
        let unconfirmed = match &command {
            Command::ShowRun(run) => trust.unconfirmed_of_run(dir, run),
            _ => trust.unconfirmed(dir),
        };
        let unconfirmed = unconfirmed.map(|mut paths| {
            paths.retain(|outside| !self.agreed.contains(&(dir.to_owned(), outside.path.clone())));
            paths
        });
        match unconfirmed {
            Ok(paths) if paths.is_empty() => Gate::Open(command),
            Ok(paths) => Gate::Ask(Box::new(OutsideAsked { dir: dir.to_owned(), command, paths })),
            Err(error) => Gate::Refuse(error.to_string()),
        }
    }

    /// Notes down that the user agreed.
    ///
    /// # Errors
    /// Why it is not remembered.
    fn agree(&mut self, asked: &OutsideAsked) -> Result<(), String> {
        let Some(trust) = &self.trust else { return Ok(()) };
        let paths: Vec<PathBuf> = asked.paths.iter().map(|outside| outside.path.clone()).collect();
        self.agreed.extend(paths.iter().map(|path| (asked.dir.clone(), path.clone())));
        trust.confirm(&asked.dir, &paths).map_err(|error| error.to_string())
    }

    /// After each frame: the paths of a project that was saved here were agreed to as it was opened, or chosen since.
    pub(super) fn follow(&mut self, state: &State) {
        let Some(trust) = &self.trust else { return };
        let Some(dir) = state.dir.clone().filter(|_| !state.dirty) else {
            self.noted = None;
            return;
        };
        let run = state.run.as_ref().map(|run| run.plan.name.clone());
        let now = Some((dir, run));
        if self.noted == now {
            return;
        }
        self.noted = now;
        let Some((dir, _)) = &self.noted else { return };
        let model = state.run.as_ref().map(|run| run.plan.model_path.clone());
        let model: Vec<PathBuf> = model.into_iter().filter(|model| is_outside(model, dir)).collect();
        let noted = trust.confirm_chosen(dir, &state.project).and_then(|()| trust.confirm(dir, &model));
        if let Err(error) = noted {
            tracing::warn!("{error}");
        }
    }
}

/// Folder of the project that a command reads, where `open` is that of the one that is open.
fn folder<'a>(command: &'a Command, open: Option<&'a Path>) -> Option<&'a Path> {
    match command {
        // It may have come into the folder since that was opened.
        Command::ShowRun(_) => open,
        Command::OpenProject(dir) => Some(dir),
        Command::Restore(unsaved) => unsaved.dir.as_deref(),
        _ => None,
    }
}

impl App {
    /// Where it is remembered which paths outside a project's folder the user agreed to; without it nothing is asked.
    #[must_use]
    pub fn asking_about_paths(mut self, trust: Trust) -> Self {
        self.opening = Opening::by(trust);
        self
    }

    /// Opens a project or a run of it, after asking about what it names outside its folder.
    pub(super) fn open(&mut self, command: Command) {
        if self.modal.is_some() {
            self.opening.waiting = Some(command);
            return;
        }
        match self.opening.gate(command, self.session.state().dir.as_deref()) {
            Gate::Open(command) => self.session.send(command),
            Gate::Ask(asked) => self.modal = Some(Modal::Outside(asked)),
            Gate::Refuse(reason) => self.notify(Severity::Error, reason),
        }
    }

    /// Opens what waited for another question to be answered.
    pub(super) fn open_waiting(&mut self) {
        if self.modal.is_none()
            && let Some(command) = self.opening.waiting.take()
        {
            self.open(command);
        }
    }

    /// Takes up changes that were found; they stand for what was to be opened first.
    pub(super) fn restore(&mut self, command: Command) {
        self.opening.waiting = None;
        self.open(command);
    }

    /// The user's answer to what a project names outside its folder.
    pub(super) fn answered(&mut self, asked: OutsideAsked, verdict: Verdict) {
        if verdict == Verdict::Go {
            if let Err(error) = self.opening.agree(&asked) {
                self.notify(Severity::Warning, format!("What you agreed to is not remembered: {error}"));
            }
            // Behind a link that was agreed to there may be further paths.
            self.open(asked.command);
        } else if matches!(asked.command, Command::Restore(_)) {
            // Changes that were found stay for another time.
            self.keeper.end(Keep::SetAside);
        }
    }

    /// Whether changes that were found still wait for an answer: nothing may take their place.
    pub(super) fn found_changes_wait(&self) -> bool {
        match &self.modal {
            Some(Modal::Restore(_)) => true,
            Some(Modal::Outside(asked)) => matches!(asked.command, Command::Restore(_)),
            _ => false,
        }
    }
}
