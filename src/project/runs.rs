//! Run folders: `runs/NAME/` with the frozen plan, the history, the report and the checkpoints.
//!
//! `run.toml` is written once, `history.jsonl` only grows, `report.json` is written when the run ends. What
//! `checkpoints/` holds is the training's affair. Who writes to a folder holds its lock; readers take none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use super::history::{History, HistoryLine, RunEvent};

use super::disk::{absolute, read_text, write_whole};
use super::error::ProjectError;
use super::history::{self, HistoryWriter};
use super::{plan_file, report_file};
use crate::data::dataset::Split;
use crate::files::lock::{self, Lock, NoLock};
use crate::files::{atomic_file, inside, names};
use crate::train::metrics::{EpochPoint, Headline, Score, StepPoint};
use crate::train::plan::{PlannedTask, RunPlan};
use crate::train::report::{RunOutcome, RunReport};

pub(super) const RUNS: &str = "runs";
pub(super) const PLAN: &str = "run.toml";
const HISTORY: &str = "history.jsonl";
/// Names that are tried after the first one was taken.
const MOST_TRIES: u32 = 1000;
const REPORT: &str = "report.json";
const CHECKPOINTS: &str = "checkpoints";
const LOCK: &str = "run.lock";
const HOLDER: &str = "run.holder";

/// How a run is listed that a process is writing to.
pub const RUNNING: &str = "running";

/// A run of the project's history.
#[derive(Clone, Debug, PartialEq)]
pub struct RunListing {
    /// Its name.
    pub name: String,
    /// The preset's key.
    pub preset: String,
    /// `finished`, `stopped at step 12`, `failed: ...`, `running`, `unfinished`.
    pub outcome: String,
    /// Headline figure of the kept weights on the validation rows, per task; of a task whose head never trained there is
    /// none.
    pub figures: Vec<Headline>,
}

/// The folder of one run.
#[derive(Debug)]
pub struct RunFolder {
    project_dir: PathBuf,
    dir: PathBuf,
    name: String,
    /// Opened by the first line.
    history: Option<HistoryWriter>,
    /// Held by whoever writes to the folder.
    lock: Option<Lock>,
}

impl RunFolder {
    /// Makes the folder of a new run, and takes its lock.
    ///
    /// # Errors
    /// When the name cannot be a folder's, is taken, or the project's folder cannot be written.
    pub fn create(project_dir: &Path, name: &str) -> Result<Self, ProjectError> {
        check_name(name)?;
        let mut folder = Self::at(project_dir, name);
        let runs = folder.project_dir.join(RUNS);
        let exists = || Err(ProjectError::RunExists { name: name.to_owned(), dir: runs.clone() });
        let refused = |error: &io::Error| ProjectError::write(&folder.dir, error);
        inside::create_dir_all(&folder.project_dir, &runs).map_err(|error| refused(&error))?;
        match fs::create_dir(&folder.dir) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => folder.refuse_links()?,
            Err(error) => return Err(refused(&error)),
        }
        // Looked at before anything is written, and again once nobody else can write.
        if !folder.is_unused()? {
            return exists();
        }
        folder.lock()?;
        if !folder.is_unused()? {
            return exists();
        }
        let checkpoints = folder.checkpoint_dir();
        fs::create_dir_all(&checkpoints).map_err(|error| ProjectError::write(&checkpoints, &error))?;
        Ok(folder)
    }

    /// Opens the folder of a run that is there.
    ///
    /// # Errors
    /// When it is not.
    pub fn open(project_dir: &Path, name: &str) -> Result<Self, ProjectError> {
        // A name with separators in it would lead out of the project.
        check_name(name)?;
        let folder = Self::at(project_dir, name);
        folder.refuse_links()?;
        if folder.dir.join(PLAN).is_file() {
            Ok(folder)
        } else {
            Err(ProjectError::NoRun { name: name.to_owned(), dir: folder.project_dir.join(RUNS) })
        }
    }

    fn at(project_dir: &Path, name: &str) -> Self {
        let project_dir = absolute(project_dir);
        let dir = project_dir.join(RUNS).join(name);
        Self { project_dir, dir, name: name.to_owned(), history: None, lock: None }
    }

    /// Refuses the folder where a link leads to it or lies in it: see [`inside`].
    fn refuse_links(&self) -> Result<(), ProjectError> {
        inside::refuse_links(&self.project_dir, &self.dir)
            .and_then(|()| inside::refuse_links_in(&self.dir, 1))
            .map_err(|error| ProjectError::read(&self.dir, &error))
    }

    /// Whether the folder holds no more than a program leaves in it that reserved the name, or was killed before it had
    /// written the plan: a lock, and an empty folder for checkpoints.
    fn is_unused(&self) -> Result<bool, ProjectError> {
        let unreadable = |error: &io::Error| ProjectError::read(&self.dir, error);
        for entry in fs::read_dir(&self.dir).map_err(|error| unreadable(&error))? {
            let entry = entry.map_err(|error| unreadable(&error))?;
            let name = entry.file_name();
            let is_lock = name == LOCK || name == HOLDER;
            let is_empty = || fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none());
            let is_left = is_lock || (name == CHECKPOINTS && is_empty());
            if !is_left {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes the run's lock, for as long as this lives: nobody else writes to the folder meanwhile.
    ///
    /// # Errors
    /// When another process holds it, with its name; or when the folder cannot be written.
    pub fn lock(&mut self) -> Result<(), ProjectError> {
        if self.lock.is_none() {
            let path = self.dir.join(LOCK);
            self.lock = Some(Lock::take(&path).map_err(|reason| match reason {
                NoLock::Held(holder) => ProjectError::RunLocked { name: self.name.clone(), holder },
                NoLock::Refused(error) => ProjectError::write(&path, &error),
            })?);
            // Nobody else writes here now: what a killed process had not finished is of use to nobody.
            for dir in [self.dir.clone(), self.checkpoint_dir()] {
                atomic_file::remove_leftovers(&dir);
            }
        }
        Ok(())
    }

    /// Who writes to the folder at this moment.
    #[must_use]
    pub fn holder(&self) -> Option<lock::Holder> {
        lock::holder(&self.dir.join(LOCK))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where its checkpoints lie.
    #[must_use]
    pub fn checkpoint_dir(&self) -> PathBuf {
        self.dir.join(CHECKPOINTS)
    }

    /// Whether there is a checkpoint to go on from.
    #[must_use]
    pub fn has_checkpoint(&self) -> bool {
        crate::train::run::checkpoint::can_resume(&self.checkpoint_dir())
    }

    /// Records the plan.
    pub fn write_plan(&self, plan: &RunPlan) -> Result<(), ProjectError> {
        let path = self.dir.join(PLAN);
        write_whole(&path, plan_file::write(plan, &path, &self.project_dir)?.as_bytes())
    }

    /// The plan that it ran.
    pub fn read_plan(&self) -> Result<RunPlan, ProjectError> {
        let path = self.dir.join(PLAN);
        plan_file::read(&read_text(&path)?, &path, &self.project_dir)
    }

    /// Appends to the history. Steps reach the disk with the next epoch or event.
    ///
    /// # Errors
    /// When it cannot be written; what was recorded before is intact.
    pub fn append(&mut self, line: &HistoryLine) -> Result<(), ProjectError> {
        let writer = match &mut self.history {
            Some(writer) => writer,
            none => none.insert(HistoryWriter::open(&self.dir.join(HISTORY))?),
        };
        writer.append(line)
    }

    /// Writes out the steps that [`append`](Self::append) holds back.
    pub fn flush(&mut self) -> Result<(), ProjectError> {
        self.history.as_mut().map_or(Ok(()), HistoryWriter::flush)
    }

    /// Everything that reached the disk; a line torn by a crash is passed over.
    pub fn read(&self) -> Result<History, ProjectError> {
        history::read(&self.dir.join(HISTORY))
    }

    /// The points of the curves, from [`read`](Self::read).
    pub fn read_history(&self) -> Result<(Vec<StepPoint>, Vec<EpochPoint>), ProjectError> {
        self.read().map(|history| (history.steps, history.epochs))
    }

    /// Records the report.
    pub fn write_report(&self, report: &RunReport) -> Result<(), ProjectError> {
        let path = self.dir.join(REPORT);
        write_whole(&path, report_file::write(report, &path)?.as_bytes())
    }

    /// The report; `None` where the run did not come to one.
    pub fn read_report(&self) -> Result<Option<RunReport>, ProjectError> {
        let path = self.dir.join(REPORT);
        if !path.exists() {
            return Ok(None);
        }
        report_file::read(&read_text(&path)?, &path).map(Some)
    }

    /// Records how the run ended, as the last line of its history.
    pub fn set_outcome(&mut self, outcome: &RunOutcome) -> Result<(), ProjectError> {
        self.append(&HistoryLine::Event(RunEvent::Ended(outcome.clone())))
    }

    /// How it ended; `None` while it runs and where it was cut off.
    pub fn read_outcome(&self) -> Result<Option<RunOutcome>, ProjectError> {
        history::read_outcome(&self.dir.join(HISTORY))
    }

    fn listing(&self) -> Result<RunListing, ProjectError> {
        let plan = self.read_plan()?;
        let outcome = match self.read_outcome()? {
            Some(outcome) => outcome.to_string(),
            None if self.holder().is_some() => RUNNING.to_owned(),
            None => "unfinished".to_owned(),
        };
        let measured = self.read_report()?.and_then(|report| {
            let (_, tasks) = report.metrics.iter().find(|(split, _)| *split == Split::Valid)?;
            // What a head says that never trained is no result of the run.
            let trained = tasks.iter().filter(|figures| !report.is_untrained(&plan, &figures.task)).cloned();
            Some(
                trained
                    .filter(|figures| figures.rows > 0)
                    .map(|figures| Headline {
                        value: figures.figure(),
                        kind: figures.kind,
                        task: figures.task,
                    })
                    .collect(),
            )
        });
        let figures = match measured {
            Some(figures) => figures,
            None => self.best_so_far(&plan)?,
        };
        let preset = plan.recipe.preset.key().to_owned();
        Ok(RunListing { name: self.name.clone(), preset, outcome, figures })
    }

    /// Validation figures of the epoch whose weights were kept last, for a run without a report.
    fn best_so_far(&self, plan: &RunPlan) -> Result<Vec<Headline>, ProjectError> {
        let epochs = self.read()?.epochs;
        let Some(best) = epochs.iter().rev().find(|epoch| epoch.best) else { return Ok(Vec::new()) };
        let reached = if best.epoch == 0 { 0 } else { best.phase + 1 };
        let scored = plan.tasks.iter().zip(&best.valid).enumerate();
        let scored =
            scored.filter(|(task, (_, score))| score.rows > 0 && !plan.head_is_untrained(*task, reached));
        let headline = |(_, (task, score)): (usize, (&PlannedTask, &Score))| Headline {
            task: task.name.clone(),
            kind: task.kind,
            value: score.figure,
        };
        Ok(scored.map(headline).collect())
    }
}

/// The runs of a project, oldest first. A run that cannot be read is listed with the reason as its outcome.
///
/// # Errors
/// When the folder of the runs is there and cannot be read.
pub fn list(project_dir: &Path) -> Result<Vec<RunListing>, ProjectError> {
    let mut found: Vec<(SystemTime, RunFolder)> = Vec::new();
    for name in run_names(project_dir)? {
        let folder = RunFolder::at(project_dir, &name);
        // A folder without a plan is not a run, or one that is being made.
        let Ok(written) = fs::symlink_metadata(folder.dir.join(PLAN)) else { continue };
        found.push((written.modified().unwrap_or(SystemTime::UNIX_EPOCH), folder));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
    let listing = |(_, folder): (SystemTime, RunFolder)| {
        let listing = folder.refuse_links().and_then(|()| folder.listing());
        listing.unwrap_or_else(|error| RunListing {
            name: folder.name.clone(),
            preset: String::new(),
            outcome: format!("unreadable: {error}"),
            figures: Vec::new(),
        })
    };
    Ok(found.into_iter().map(listing).collect())
}

/// A free name after those that are there: `full-01`, `full-02` ... A number is not used twice while a later
/// one is there, so that names keep the order of time.
///
/// # Errors
/// When the folder of the runs is there and cannot be read.
pub fn next_name(project_dir: &Path, base: &str) -> Result<String, ProjectError> {
    Ok(numbered(base, next_number(project_dir, base)?))
}

/// The number after the highest in use. Names that differ in case alone are the same folder on some file systems.
fn next_number(project_dir: &Path, base: &str) -> Result<u32, ProjectError> {
    let lower = base.to_lowercase();
    let number = |name: &String| {
        let name = name.to_lowercase();
        name.strip_prefix(&lower)?.strip_prefix('-')?.parse::<u32>().ok()
    };
    let last = run_names(project_dir)?.iter().filter_map(number).max().unwrap_or(0);
    last.checked_add(1).ok_or_else(|| no_number_after(base, last))
}

fn numbered(base: &str, number: u32) -> String {
    format!("{base}-{number:02}")
}

fn no_number_after(base: &str, last: u32) -> ProjectError {
    let reason = "no number comes after it. Rename its folder";
    ProjectError::RunName { name: numbered(base, last), reason }
}

/// Makes the folder of a run under a free name, as [`next_name`] gives it: of two processes that ask at the same time,
/// each gets its own.
///
/// # Errors
/// When the project's folder cannot be read or written.
pub fn reserve_name(project_dir: &Path, base: &str) -> Result<String, ProjectError> {
    let project_dir = &absolute(project_dir);
    let runs = project_dir.join(RUNS);
    inside::create_dir_all(project_dir, &runs).map_err(|error| ProjectError::write(&runs, &error))?;
    let first = next_number(project_dir, base)?;
    for number in first..=first.saturating_add(MOST_TRIES) {
        let name = numbered(base, number);
        check_name(&name)?;
        let dir = runs.join(&name);
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(name),
            // Another process was quicker, or the file system takes another name for this one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(ProjectError::write(&dir, &error)),
        }
    }
    Err(ProjectError::RunName { name: numbered(base, first), reason: "it and the names after it are taken" })
}

/// Gives a reserved name back that no run was made under.
pub fn release_name(project_dir: &Path, name: &str) {
    // A folder with anything in it is a run's, and stays.
    drop(fs::remove_dir(absolute(project_dir).join(RUNS).join(name)));
}

/// Names of what lies in the folder of the runs; none without that folder.
fn run_names(project_dir: &Path) -> Result<Vec<String>, ProjectError> {
    let project_dir = absolute(project_dir);
    let runs = project_dir.join(RUNS);
    inside::refuse_links(&project_dir, &runs).map_err(|error| ProjectError::read(&runs, &error))?;
    let entries = match fs::read_dir(&runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(ProjectError::read(&runs, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| ProjectError::read(&runs, &error))?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}

/// Names that are folders' on every platform, so that a project can be moved between them.
fn check_name(name: &str) -> Result<(), ProjectError> {
    match names::fault(name) {
        Some(reason) => Err(ProjectError::RunName { name: name.to_owned(), reason }),
        None => Ok(()),
    }
}
