//! Earlier runs beside the shown one: their plans and epochs, read from their folders on a thread of their own, so
//! that they can be looked at while a run keeps the worker busy.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Session;
use super::outbox::Wake;
use super::state::{ComparedRun, Severity};
use crate::project::ProjectError;
use crate::project::runs::RunFolder;

/// Most runs side by side: more curves cannot be told apart.
const MOST: usize = 4;

type Read = (String, Result<ComparedRun, String>);

/// What is being read.
pub(super) struct ComparedRuns {
    sender: Sender<Read>,
    read: Receiver<Read>,
    wake: Wake,
    /// Runs that were asked for and have not arrived.
    awaited: Vec<String>,
}

impl ComparedRuns {
    pub(super) fn new(wake: Wake) -> Self {
        let (sender, read) = unbounded();
        Self { sender, read, wake, awaited: Vec::new() }
    }

    /// Another project: what is still being read is of no use.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.wake.clone());
    }

    fn begin(&mut self, project_dir: &Path, name: &str) -> std::io::Result<()> {
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let (dir, name) = (project_dir.to_owned(), name.to_owned());
        self.awaited.push(name.clone());
        let read = move || {
            let answer = read_run(&dir, &name).map_err(|error| error.to_string());
            // When the session is gone, nobody is left to tell.
            drop(sender.send((name, answer)));
            wake();
        };
        std::thread::Builder::new().name("frostline-compare".into()).spawn(read).map(drop)
    }
}

fn read_run(project_dir: &Path, name: &str) -> Result<ComparedRun, ProjectError> {
    let folder = RunFolder::open(project_dir, name)?;
    let plan = Arc::new(folder.read_plan()?);
    let (_, epochs) = folder.read_history()?;
    let seconds = folder.read_report()?.map(|report| report.seconds);
    Ok(ComparedRun { plan, epochs: Arc::new(epochs), seconds })
}

impl Session {
    /// Puts a run beside the shown one, or takes it away again.
    pub(super) fn compare(&mut self, name: &str) {
        let before = self.state.compared.len();
        self.state.compared.retain(|run| run.plan.name != name);
        if self.state.compared.len() < before {
            return;
        }
        let (Some(dir), Some(beside)) = (self.state.dir.clone(), self.beside.as_mut()) else {
            return;
        };
        if let Some(place) = beside.awaited.iter().position(|awaited| awaited == name) {
            beside.awaited.remove(place);
            return;
        }
        if before + beside.awaited.len() >= MOST {
            let text = format!("Up to {MOST} runs are compared at a time: take one of them away first.");
            self.notify(Severity::Info, text);
            return;
        }
        if let Err(error) = beside.begin(&dir, name) {
            self.notify(Severity::Error, format!("The run {name} could not be read: {error}"));
        }
    }

    /// Takes in the runs that were read; true when there were any.
    pub(super) fn take_compared(&mut self) -> bool {
        let Some(beside) = &mut self.beside else { return false };
        let read: Vec<Read> = beside.read.try_iter().collect();
        let any = !read.is_empty();
        for (name, answer) in read {
            let awaited = self.beside.as_mut().is_some_and(|beside| {
                let place = beside.awaited.iter().position(|awaited| *awaited == name);
                place.map(|place| beside.awaited.remove(place)).is_some()
            });
            match answer {
                Ok(run) if awaited => self.state.compared.push(run),
                Err(reason) if awaited => self.notify(Severity::Error, reason),
                _ => {}
            }
        }
        any
    }
}
