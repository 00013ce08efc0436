//! `history.jsonl`: what happened in a run, a JSON object per line, appended and never rewritten.
//!
//! A line is `{"step": ...}`, `{"epoch": ...}` or `{"event": ...}`. A crash can tear the last line; the reader
//! passes over a torn line, and the writer that goes on after it starts a line of its own.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::ProjectError;
use super::serde_number::json_float;
use crate::data::task::TaskKind;
use crate::files::{inside, regular_file};
use crate::train::metrics::{EpochPoint, Score, StepPoint};
use crate::train::plan::RunPlan;
use crate::train::report::RunOutcome;

/// Something that happened in a run beside its steps and epochs.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// A phase began.
    PhaseStarted {
        /// Its index in the plan.
        phase: usize,
        /// Its name.
        name: String,
        /// Steps done by then.
        step: usize,
    },
    /// The run went on from a checkpoint: what was recorded after that step no longer counts.
    Resumed {
        /// Steps done at the checkpoint.
        at_step: usize,
    },
    /// From here on the figures of training rows are those that validation rows have. Before, and in histories without
    /// this line, they were stand-ins: accuracy of tokens for span F1, means over batches for others.
    FiguresByDefinition,
    /// The run ended.
    Ended(RunOutcome),
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq)]
pub enum HistoryLine {
    /// An optimiser step.
    Step(StepPoint),
    /// An epoch.
    Epoch(EpochPoint),
    /// Anything else.
    Event(RunEvent),
}

/// What a history says, in order, without what a resumed run did again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The steps.
    pub steps: Vec<StepPoint>,
    /// The epochs.
    pub epochs: Vec<EpochPoint>,
    /// Phases that began: index in the plan, and steps done by then.
    pub phases: Vec<(usize, usize)>,
    /// How it ended; `None` where it did not, as after a crash.
    pub outcome: Option<RunOutcome>,
    /// Steps and epochs before the line from which figures of training rows are what they are called; `None` without
    /// such a line.
    pub stand_ins: Option<(usize, usize)>,
}

impl History {
    /// Whether figures of training rows that are recorded from now on are known to be what they are called.
    #[must_use]
    pub const fn names_figures(&self) -> bool {
        self.stand_ins.is_some()
    }

    /// Takes stand-ins of earlier releases out, which would stand under the names of other figures. An accuracy always
    /// was one.
    pub fn drop_stand_ins(&mut self, plan: &RunPlan) {
        let (steps, epochs) = self.stand_ins.unwrap_or((self.steps.len(), self.epochs.len()));
        let drop_of = |scores: &mut Vec<Score>| {
            for (score, task) in scores.iter_mut().zip(&plan.tasks) {
                if !matches!(task.kind, TaskKind::SingleLabel | TaskKind::Ranking) {
                    score.figure = f64::NAN;
                }
            }
        };
        self.steps.iter_mut().take(steps).for_each(|step| drop_of(&mut step.tasks));
        self.epochs.iter_mut().take(epochs).for_each(|epoch| drop_of(&mut epoch.train));
    }

    /// Takes back what was told of later steps: the run goes on from that one.
    pub fn rewind(&mut self, at_step: usize) {
        self.steps.retain(|point| point.step <= at_step);
        self.epochs.retain(|point| point.step <= at_step);
        self.phases.retain(|(_, step)| *step <= at_step);
        self.outcome = None;
        self.clamp();
    }

    /// No more of them are stand-ins than there are.
    fn clamp(&mut self) {
        if let Some((steps, epochs)) = &mut self.stand_ins {
            (*steps, *epochs) = ((*steps).min(self.steps.len()), (*epochs).min(self.epochs.len()));
        }
    }

    fn take(&mut self, line: HistoryLine) {
        match line {
            HistoryLine::Step(step) => self.steps.push(step),
            HistoryLine::Epoch(epoch) => {
                // A run that was cut off between an epoch's line and its checkpoint measures that epoch again.
                self.epochs.truncate(self.epochs.partition_point(|known| known.epoch < epoch.epoch));
                self.clamp();
                self.epochs.push(epoch);
            }
            HistoryLine::Event(RunEvent::PhaseStarted { phase, step, .. }) => {
                // A run that was cut off as a phase began, and that resumes before that, reports both again.
                self.phases.truncate(self.phases.partition_point(|(known, _)| *known <= phase));
                if self.phases.last().is_none_or(|(last, _)| *last != phase) {
                    self.phases.push((phase, step));
                }
            }
            HistoryLine::Event(RunEvent::Resumed { at_step }) => self.rewind(at_step),
            HistoryLine::Event(RunEvent::FiguresByDefinition) => {
                self.stand_ins.get_or_insert((self.steps.len(), self.epochs.len()));
            }
            HistoryLine::Event(RunEvent::Ended(outcome)) => self.outcome = Some(outcome),
        }
    }
}

/// Appends lines to a history.
#[derive(Debug)]
pub(super) struct HistoryWriter {
    file: BufWriter<File>,
    path: PathBuf,
}

impl HistoryWriter {
    pub(super) fn open(path: &Path) -> Result<Self, ProjectError> {
        let open = || -> io::Result<File> {
            let mut file = inside::append(path)?;
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    file.write_all(b"\n")?; // the last line was torn; the next must not continue it
                }
            }
            Ok(file)
        };
        let file = open().map_err(|error| ProjectError::write(path, &error))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned() })
    }

    /// Appends a line. Steps are held back until the next epoch or event, so that a fast run is not slowed by
    /// a write per step.
    pub(super) fn append(&mut self, line: &HistoryLine) -> Result<(), ProjectError> {
        let mut text = serde_json::to_vec(&LineFile::from(line))
            .map_err(|error| ProjectError::Write { path: self.path.clone(), reason: error.to_string() })?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(|error| ProjectError::write(&self.path, &error))?;
        if matches!(line, HistoryLine::Step(_)) { Ok(()) } else { self.flush() }
    }

    pub(super) fn flush(&mut self) -> Result<(), ProjectError> {
        self.file.flush().map_err(|error| ProjectError::write(&self.path, &error))
    }
}

/// Bytes of a history; a step takes some 150.
const LARGEST: u64 = 1 << 30;

/// Reads a history; one that is not there yet is empty.
pub(super) fn read(path: &Path) -> Result<History, ProjectError> {
    let bytes = match regular_file::read_at_most(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(History::default()),
        Err(error) => return Err(ProjectError::read(path, &error)),
    };
    let mut history = History::default();
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        match parse(line) {
            Ok(Some(line)) => history.take(line),
            Ok(None) => {}
            // The last line, without its end: torn in whatever way.
            Err(_) if lines.peek().is_none() => {}
            Err(error) => {
                return Err(ProjectError::malformed(path, Some(index + 1), error.to_string()));
            }
        }
    }
    Ok(history)
}

/// How a run ended, from the end of its history alone: a listing need not read every step of every run.
pub(super) fn read_outcome(path: &Path) -> Result<Option<RunOutcome>, ProjectError> {
    /// Holds the last line, unless a failure was told at unusual length; then the whole file is read.
    const TAIL_BYTES: u64 = 16 * 1024;

    let tail = || -> io::Result<(bool, Vec<u8>)> {
        let mut file = regular_file::open(path)?;
        let length = file.metadata()?.len();
        let start = length.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok((start == 0, bytes))
    };
    let (whole, bytes) = match tail() {
        Ok(tail) => tail,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ProjectError::read(path, &error)),
    };
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    if !whole && !lines.is_empty() {
        lines.remove(0); // it began before the part that was read
    }
    for line in lines.into_iter().rev() {
        match parse(line) {
            Ok(Some(HistoryLine::Event(RunEvent::Ended(outcome)))) => return Ok(Some(outcome)),
            Ok(Some(_)) => return Ok(None),
            Ok(None) | Err(_) => {}
        }
    }
    if whole { Ok(None) } else { Ok(read(path)?.outcome) }
}

/// A line's meaning; `None` for one that is empty or was torn by a crash.
fn parse(line: &[u8]) -> Result<Option<HistoryLine>, serde_json::Error> {
    // After a power failure, a file system may leave zeros where a write was promised.
    let text = String::from_utf8_lossy(line);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    if text.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str::<LineFile>(text) {
        Ok(line) => Ok(Some(line.into())),
        Err(error) if error.is_eof() => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum LineFile {
    Step(StepFile),
    Epoch(EpochFile),
    Event(EventFile),
}

#[derive(Debug, Deserialize, Serialize)]
struct ScoreFile {
    #[serde(with = "json_float")]
    loss: f64,
    /// Called `accuracy` while all tasks were of the kind whose figure that is.
    #[serde(with = "json_float", alias = "accuracy")]
    figure: f64,
    rows: usize,
}

#[derive(Debug, Deserialize, Serialize)]
struct StepFile {
    step: usize,
    #[serde(with = "json_float")]
    epoch: f64,
    #[serde(with = "json_float")]
    loss: f64,
    tasks: Vec<ScoreFile>,
    #[serde(with = "json_float")]
    rate_factor: f64,
    #[serde(with = "json_float")]
    grad_norm: f64,
}

#[derive(Debug, Deserialize, Serialize)]
struct EpochFile {
    epoch: u32,
    step: usize,
    phase: usize,
    #[serde(with = "json_float")]
    loss: f64,
    train: Vec<ScoreFile>,
    valid: Vec<ScoreFile>,
    #[serde(with = "json_float")]
    seconds: f64,
    best: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum EventFile {
    PhaseStarted { phase: usize, name: String, step: usize },
    Resumed { at_step: usize },
    FiguresByDefinition,
    Ended(OutcomeFile),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeFile {
    Finished,
    Stopped { at_step: usize },
    Paused { at_step: usize },
    Failed { reason: String },
}

fn scores_to_file(scores: &[Score]) -> Vec<ScoreFile> {
    scores.iter().map(|s| ScoreFile { loss: s.loss, figure: s.figure, rows: s.rows }).collect()
}

fn scores_from_file(scores: Vec<ScoreFile>) -> Vec<Score> {
    scores.into_iter().map(|s| Score { loss: s.loss, figure: s.figure, rows: s.rows }).collect()
}

impl From<&HistoryLine> for LineFile {
    fn from(line: &HistoryLine) -> Self {
        match line {
            HistoryLine::Step(step) => Self::Step(StepFile {
                step: step.step,
                epoch: step.epoch,
                loss: step.loss,
                tasks: scores_to_file(&step.tasks),
                rate_factor: step.rate_factor,
                grad_norm: step.grad_norm,
            }),
            HistoryLine::Epoch(epoch) => Self::Epoch(EpochFile {
                epoch: epoch.epoch,
                step: epoch.step,
                phase: epoch.phase,
                loss: epoch.loss,
                train: scores_to_file(&epoch.train),
                valid: scores_to_file(&epoch.valid),
                seconds: epoch.seconds,
                best: epoch.best,
            }),
            HistoryLine::Event(event) => Self::Event(match event.clone() {
                RunEvent::PhaseStarted { phase, name, step } => EventFile::PhaseStarted { phase, name, step },
                RunEvent::Resumed { at_step } => EventFile::Resumed { at_step },
                RunEvent::FiguresByDefinition => EventFile::FiguresByDefinition,
                RunEvent::Ended(outcome) => EventFile::Ended(match outcome {
                    RunOutcome::Finished => OutcomeFile::Finished,
                    RunOutcome::Stopped { at_step } => OutcomeFile::Stopped { at_step },
                    RunOutcome::Paused { at_step } => OutcomeFile::Paused { at_step },
                    RunOutcome::Failed(reason) => OutcomeFile::Failed { reason },
                }),
            }),
        }
    }
}

impl From<LineFile> for HistoryLine {
    fn from(line: LineFile) -> Self {
        match line {
            LineFile::Step(step) => Self::Step(StepPoint {
                step: step.step,
                epoch: step.epoch,
                loss: step.loss,
                tasks: scores_from_file(step.tasks),
                rate_factor: step.rate_factor,
                grad_norm: step.grad_norm,
            }),
            LineFile::Epoch(epoch) => Self::Epoch(EpochPoint {
                epoch: epoch.epoch,
                step: epoch.step,
                phase: epoch.phase,
                loss: epoch.loss,
                train: scores_from_file(epoch.train),
                valid: scores_from_file(epoch.valid),
                seconds: epoch.seconds,
                best: epoch.best,
            }),
            LineFile::Event(event) => Self::Event(match event {
                EventFile::PhaseStarted { phase, name, step } => RunEvent::PhaseStarted { phase, name, step },
                EventFile::Resumed { at_step } => RunEvent::Resumed { at_step },
                EventFile::FiguresByDefinition => RunEvent::FiguresByDefinition,
                EventFile::Ended(outcome) => RunEvent::Ended(match outcome {
                    OutcomeFile::Finished => RunOutcome::Finished,
                    OutcomeFile::Stopped { at_step } => RunOutcome::Stopped { at_step },
                    OutcomeFile::Paused { at_step } => RunOutcome::Paused { at_step },
                    OutcomeFile::Failed { reason } => RunOutcome::Failed(reason),
                }),
            }),
        }
    }
}
