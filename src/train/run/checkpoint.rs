//! Checkpoints: a run's weights, moments and progress on disk, whole or not at all.
//!
//! `best.safetensors` holds the kept weights under their own names. `last.safetensors` holds what is needed to
//! resume as if nothing had happened: weights (`weight/NAME`), both moments (`first/NAME`, `second/NAME`), the weights'
//! average (`average/NAME`), numbers of the epoch so far that are ranked at its end (`numbers/TASK`), and in its metadata
//! the progress and the optimiser's step counts, as JSON. Everything random is drawn from seed and step, so the progress
//! is all the state that randomness has. It must never know a project or a window.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tch::Tensor;
use thiserror::Error;

use super::ema::EmaState;
use super::loss::Sums;
use super::progress::{Best, Progress};
use super::running_figures::Tally;
use crate::model::ModelError;
use crate::model::files::safetensors::{read_all, read_metadata, write, write_with};
use crate::train::metrics::Score;
use crate::train::plan::quality::{Patience, Quality};

const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";
/// Key of the progress in the metadata.
const STATE: &str = "frostline";
/// Version of what stands there.
const VERSION: u32 = 1;
/// A checkpoint may cost this part of the time; the rest is training.
const SHARE: f64 = 0.02;

/// A checkpoint could not be written or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The system refused.
    #[error("the checkpoint could not be written: {reason}. {}", kept_in_words(*.last_step))]
    Write {
        /// What it said, with the path.
        reason: ModelError,
        /// Steps done at the last checkpoint that was written.
        last_step: Option<usize>,
    },
    /// There is a file, and it cannot be understood.
    #[error("{} cannot be resumed: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The rows are not those that the run was started with.
    #[error(
        "the data changed since the run was started, so it cannot be resumed: put the files back as they were, or \
         start a new run from its weights"
    )]
    OtherData,
    /// The rows are the same, and the run drew them otherwise than its recipe says, as earlier versions did.
    #[error(
        "the run was started by an earlier version, which drew the rows of all files by size whatever `sampling` was. \
         It cannot be resumed with its sampling: start a new run from its weights"
    )]
    OtherSampling,
    /// The rows hold pairs labelled 0, which earlier versions did not learn from.
    #[error(
        "the run cannot be resumed: the data changed since it was started, or an earlier version started it, which did not \
         learn from pairs labelled 0 of a ranking. Put the files back as they were, or start a new run from its weights"
    )]
    OtherNegatives,
    /// The tensors are not the model's.
    #[error("the checkpoint holds no tensor {tensor} of shape {shape:?}: it is of another model")]
    OtherModel {
        /// The tensor.
        tensor: String,
        /// The shape that the model's has.
        shape: Vec<i64>,
    },
}

fn kept_in_words(step: Option<usize>) -> String {
    match step {
        Some(step) => format!(
            "The checkpoint of step {step} is intact. Make room, or give the program leave to write, and resume the run"
        ),
        None => "Make room, or give the program leave to write, and start the run again".to_owned(),
    }
}

/// What a run resumes from.
#[derive(Debug)]
pub struct Checkpoint {
    /// What was done so far.
    pub progress: Progress,
    /// Fingerprint of the rows.
    pub rows: String,
    /// `weight/NAME`, `first/NAME`, `second/NAME`, `average/NAME`, `numbers/TASK`.
    pub tensors: Vec<(String, Tensor)>,
    /// Steps that the optimiser did on each parameter.
    pub updates: BTreeMap<String, i32>,
    /// How far the weights' average is; `None` without one, and in what earlier versions wrote.
    pub ema: Option<EmaState>,
}

/// The folder of a run's checkpoints, and how often one is due.
#[derive(Debug)]
pub struct Checkpointer {
    dir: PathBuf,
    every: Duration,
    /// When the last one was written, and how long that took.
    written: Instant,
    took: Duration,
    last_step: Option<usize>,
}

impl Checkpointer {
    /// A folder that is there. A checkpoint is due every `every`, or less often where it would cost more than 2 % of
    /// the time; with zero, after every step.
    #[must_use]
    pub fn new(dir: &Path, every: Duration) -> Self {
        Self { dir: dir.to_owned(), every, written: Instant::now(), took: Duration::ZERO, last_step: None }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the kept weights lie.
    #[must_use]
    pub fn best_path(&self) -> PathBuf {
        best_path(&self.dir)
    }

    /// Whether a checkpoint is due.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let rare = self.every.max(self.took.div_f64(SHARE));
        self.every.is_zero() || self.written.elapsed() >= rare
    }

    /// Steps done at the last checkpoint that was written.
    #[must_use]
    pub const fn last_step(&self) -> Option<usize> {
        self.last_step
    }

    /// Keeps weights as the best so far.
    ///
    /// # Errors
    /// When they cannot be written; the earlier ones are intact.
    pub fn write_best(&self, named: &[(String, Tensor)]) -> Result<(), CheckpointError> {
        let tensors: Vec<(String, &Tensor)> =
            named.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        write(&self.best_path(), &tensors).map_err(|reason| self.refused(reason))
    }

    /// Writes what the run can resume from.
    ///
    /// # Errors
    /// When it cannot be written; the earlier one is intact.
    pub fn write_last(&mut self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        let started = Instant::now();
        let state = serde_json::to_string(&StateFile::of(checkpoint)).map_err(|error| {
            CheckpointError::Read { path: self.dir.join(LAST), reason: error.to_string() }
        })?;
        let tensors: Vec<(String, &Tensor)> =
            checkpoint.tensors.iter().map(|(name, tensor)| (name.clone(), tensor)).collect();
        write_with(&self.dir.join(LAST), &tensors, &[(STATE, state)])
            .map_err(|reason| self.refused(reason))?;
        (self.written, self.took) = (Instant::now(), started.elapsed());
        self.last_step = Some(checkpoint.progress.step);
        Ok(())
    }

    /// The last checkpoint; `None` where there is none.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub fn read_last(&mut self) -> Result<Option<Checkpoint>, CheckpointError> {
        let checkpoint = read_last(&self.dir)?;
        self.last_step = checkpoint.as_ref().map(|checkpoint| checkpoint.progress.step);
        Ok(checkpoint)
    }

    fn refused(&self, reason: ModelError) -> CheckpointError {
        CheckpointError::Write { reason, last_step: self.last_step }
    }
}

/// Where the kept weights of a folder of checkpoints lie.
#[must_use]
pub fn best_path(dir: &Path) -> PathBuf {
    dir.join(BEST)
}

/// Whether a folder holds a checkpoint to resume from.
#[must_use]
pub fn can_resume(dir: &Path) -> bool {
    dir.join(LAST).is_file()
}

fn read_last(dir: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
    let path = dir.join(LAST);
    if !path.is_file() {
        return Ok(None);
    }
    let damaged = |reason: String| CheckpointError::Read { path: path.clone(), reason };
    let state = read_metadata(&path, STATE).map_err(|error| damaged(error.to_string()))?;
    let state = state.ok_or_else(|| damaged("it does not say where the run stood".to_owned()))?;
    let state: StateFile = serde_json::from_str(&state).map_err(|error| damaged(error.to_string()))?;
    if state.version != VERSION {
        return Err(damaged(format!(
            "it is of version {}, and this program knows version {VERSION}. Use the release that wrote it",
            state.version
        )));
    }
    let tensors = read_all(&path).map_err(|error| damaged(error.to_string()))?;
    let (progress, rows, updates) = (state.progress.into(), state.rows, state.updates);
    let ema = state.ema.map(|file| EmaState { updates: file.updates, unused: file.unused });
    Ok(Some(Checkpoint { progress, rows, tensors, updates, ema }))
}

/// The metadata: the mirror of [`Checkpoint`] without its tensors.
#[derive(Debug, Deserialize, Serialize)]
struct StateFile {
    version: u32,
    rows: String,
    updates: BTreeMap<String, i32>,
    #[serde(rename = "place")]
    progress: ProgressFile,
    #[serde(rename = "average", default, skip_serializing_if = "Option::is_none")]
    ema: Option<EmaFile>,
}

#[derive(Debug, Deserialize, Serialize)]
struct EmaFile {
    updates: usize,
    unused: f64,
}

impl StateFile {
    fn of(checkpoint: &Checkpoint) -> Self {
        Self {
            version: VERSION,
            rows: checkpoint.rows.clone(),
            updates: checkpoint.updates.clone(),
            progress: ProgressFile::from(&checkpoint.progress),
            ema: checkpoint.ema.map(|state| EmaFile { updates: state.updates, unused: state.unused }),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
struct ProgressFile {
    phase: usize,
    epoch: u32,
    phase_epoch: u32,
    phase_step: usize,
    epoch_step: usize,
    step: usize,
    position: usize,
    moved: usize,
    unused: f64,
    measured: bool,
    seconds: f64,
    loss_sum: f64,
    summed_steps: usize,
    task_sums: Vec<ScoreFile>,
    /// Right, predicted and labelled, and whether rows are missing. Releases before it kept means in `task_sums`.
    #[serde(default)]
    tallies: Option<Vec<(u64, u64, u64, bool)>>,
    best: Option<BestFile>,
    plateau: PatienceFile,
    #[serde(rename = "stall")]
    early_stopping: PatienceFile,
}

/// Loss, figure, rows. JSON has no word for what is not a finite number: `null` stands for it.
type ScoreFile = (Option<f64>, Option<f64>, usize);
/// Figure, negative loss, and where there are any the watched tasks that could not be measured.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a figure and a loss")]
enum QualityFile {
    Measured(Option<f64>, Option<f64>),
    InPart(Option<f64>, Option<f64>, u32),
}
/// The best quality, and epochs since.
type PatienceFile = (Option<QualityFile>, u32);

#[derive(Debug, Deserialize, Serialize)]
struct BestFile {
    quality: QualityFile,
    epoch: u32,
    phases: usize,
    valid: Vec<ScoreFile>,
}

fn number_out(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn number_in(number: Option<f64>) -> f64 {
    number.unwrap_or(f64::NAN)
}

fn score_out(score: &Score) -> ScoreFile {
    (number_out(score.loss), number_out(score.figure), score.rows)
}

fn score_in((loss, figure, rows): ScoreFile) -> Score {
    Score { loss: number_in(loss), figure: number_in(figure), rows }
}

/// Its numbers are a tensor beside the weights.
fn tally_out(tally: &Tally) -> (u64, u64, u64, bool) {
    (tally.right, tally.predicted, tally.labelled, tally.in_part)
}

fn tallies_in(file: Option<Vec<(u64, u64, u64, bool)>>, sums: &[ScoreFile]) -> Vec<Tally> {
    if let Some(tallies) = file {
        let tally = |(right, predicted, labelled, in_part)| Tally {
            right,
            predicted,
            labelled,
            numbers: Vec::new(),
            in_part,
        };
        return tallies.into_iter().map(tally).collect();
    }
    // Of shares that were summed times rows, the labels that were right; other figures cannot be had from sums.
    let tally = |(_, figure, rows): &ScoreFile| Tally {
        right: figure.unwrap_or(0.0).round() as u64,
        labelled: *rows as u64,
        in_part: *rows > 0,
        ..Tally::default()
    };
    sums.iter().map(tally).collect()
}

fn quality_out(quality: Quality) -> QualityFile {
    let (figure, minus_loss) = (number_out(quality.figure), number_out(quality.minus_loss));
    match quality.unmeasured {
        0 => QualityFile::Measured(figure, minus_loss),
        tasks => QualityFile::InPart(figure, minus_loss, tasks),
    }
}

fn quality_in(file: QualityFile) -> Quality {
    let (figure, minus_loss, unmeasured) = match file {
        QualityFile::Measured(figure, minus_loss) => (figure, minus_loss, 0),
        QualityFile::InPart(figure, minus_loss, tasks) => (figure, minus_loss, tasks),
    };
    Quality { unmeasured, figure: number_in(figure), minus_loss: number_in(minus_loss) }
}

fn patience_out(patience: Patience) -> PatienceFile {
    (patience.best.map(quality_out), patience.epochs)
}

fn patience_in((best, epochs): PatienceFile) -> Patience {
    Patience { best: best.map(quality_in), epochs }
}

impl From<&Progress> for ProgressFile {
    fn from(progress: &Progress) -> Self {
        let best = |best: &Best| BestFile {
            quality: quality_out(best.quality),
            epoch: best.epoch,
            phases: best.phases,
            valid: best.valid.iter().map(score_out).collect(),
        };
        Self {
            phase: progress.phase,
            epoch: progress.epoch,
            phase_epoch: progress.phase_epoch,
            phase_step: progress.phase_step,
            epoch_step: progress.epoch_step,
            step: progress.step,
            position: progress.position,
            moved: progress.moved,
            unused: progress.unused,
            measured: progress.measured,
            seconds: progress.seconds,
            loss_sum: progress.sums.loss,
            summed_steps: progress.sums.steps,
            task_sums: progress.sums.tasks.iter().map(score_out).collect(),
            tallies: Some(progress.sums.tallies.iter().map(tally_out).collect()),
            best: progress.best.as_ref().map(best),
            plateau: patience_out(progress.plateau),
            early_stopping: patience_out(progress.early_stopping),
        }
    }
}

impl From<ProgressFile> for Progress {
    fn from(file: ProgressFile) -> Self {
        let best = |best: BestFile| Best {
            quality: quality_in(best.quality),
            epoch: best.epoch,
            phases: best.phases,
            valid: best.valid.into_iter().map(score_in).collect(),
        };
        Self {
            phase: file.phase,
            epoch: file.epoch,
            phase_epoch: file.phase_epoch,
            phase_step: file.phase_step,
            epoch_step: file.epoch_step,
            step: file.step,
            position: file.position,
            moved: file.moved,
            unused: file.unused,
            measured: file.measured,
            seconds: file.seconds,
            sums: Sums {
                loss: file.loss_sum,
                steps: file.summed_steps,
                tallies: tallies_in(file.tallies, &file.task_sums),
                tasks: file.task_sums.into_iter().map(score_in).collect(),
            },
            best: file.best.map(best),
            plateau: patience_in(file.plateau),
            early_stopping: patience_in(file.early_stopping),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checkpoints of earlier versions do not count the steps of the weights' average.
    #[test]
    fn what_earlier_versions_wrote_is_read() {
        let progress = ProgressFile::from(&Progress::start(1));
        let ema = Some(EmaFile { updates: 3, unused: 0.5 });
        let file = StateFile { version: 1, rows: "ab".into(), updates: BTreeMap::new(), progress, ema };
        let mut json = serde_json::to_value(&file).unwrap();
        assert_eq!(json["average"]["updates"], 3);
        json.as_object_mut().unwrap().remove("average");
        let read: StateFile = serde_json::from_value(json).unwrap();
        assert!(read.ema.is_none() && read.rows == "ab");
    }
}
