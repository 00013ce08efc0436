//! What the session knows, as plain data: the window draws it and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use super::compare::RunComparison;
use super::row_results::{ClassSaid, RowResults};
use crate::data::card::DataCard;
use crate::data::dataset::{Dataset, Split};
use crate::data::edit::EditReport;
use crate::data::mapping::Mapping;
use crate::data::query::RowQuery;
use crate::data::table::{FileFacts, RowProblem};
use crate::export::ExportReport;
use crate::hub::{CachedModel, Progress, RemoteModel};
use crate::model::summary::ModelSummary;
use crate::project::Project;
use crate::train::lr_finder::RateCurve;
use crate::train::metrics::{EpochPoint, Probe, StepPoint, TaskMetrics};
use crate::train::plan::RunPlan;
use crate::train::plan::timeline::{PhaseSpan, phase_spans};

pub use super::{changed_file::ChangedFile, prediction::Prediction};
pub use crate::project::runs::RunListing;
pub use crate::train::report::{HeadDrift, RunOutcome, RunReport, TensorChange};

/// Something that is not there, on its way, there, or could not be had.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Loadable<T> {
    /// Nobody asked for it.
    #[default]
    Empty,
    /// It is being made.
    Loading,
    /// Here it is.
    Ready(T),
    /// The user stopped it before it was there.
    Cancelled,
    /// It could not be had: what, where, what to do.
    Failed(String),
}

impl<T> Loadable<T> {
    /// The value, when ready.
    pub const fn ready(&self) -> Option<&T> {
        match self {
            Self::Ready(value) => Some(value),
            _ => None,
        }
    }
}

/// The first records of a file, for the preview.
#[derive(Clone, Debug, PartialEq)]
pub struct FilePreview {
    /// How the file was understood.
    pub facts: FileFacts,
    /// The split that its rows belong to; `None` when rows are split by column or by rule.
    pub split: Option<Split>,
    /// Records in the file.
    pub rows: usize,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Up to 100 first records, a cell per column; `None` where a record has no such cell.
    pub head: Vec<Vec<Option<String>>>,
    /// What else was noticed about the file.
    pub notes: Vec<String>,
    /// Records that could not be read as they should.
    pub problems: Vec<RowProblem>,
}

/// The data as loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct DataView {
    /// One per file.
    pub files: Vec<FilePreview>,
    /// The mapping in force: the user's, or the guess.
    pub mapping: Mapping,
    /// The rows.
    pub dataset: Arc<Dataset>,
    /// Counts and findings.
    pub card: DataCard,
    /// How rows came to their splits, in a sentence.
    pub split_note: String,
    /// The rows as they were read, before the user's changes; the same as `dataset` where there are none.
    pub read: Arc<Dataset>,
    /// What came of the changes.
    pub outcome: EditReport,
}

impl DataView {
    /// The row of `read` that a row of `dataset` was.
    #[must_use]
    pub fn row_read(&self, row: usize) -> usize {
        self.outcome.rows.as_ref().map_or(row, |rows| rows.get(row).map_or(row, |row| *row as usize))
    }
}

/// Rows that are shown in a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowsView {
    /// What is looked for.
    pub query: RowQuery,
    /// What was found, in order; `None`: every row.
    pub found: Option<Arc<Vec<u32>>>,
    /// It is still being looked for; what is there is from before.
    pub searching: bool,
}

/// How many tokens texts have, special tokens and prompt included, before any is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenLengths {
    /// Sorted.
    pub lengths: Vec<u32>,
    /// Texts they are a sample of; equal to the number of lengths where all were counted.
    pub of: usize,
    /// Whether some text was too long to be counted to its end, so that the largest lengths are lower bounds.
    pub is_open: bool,
}

impl TokenLengths {
    /// The length that a part of the texts, 0 to 1, does not exceed.
    #[must_use]
    pub fn at(&self, part: f64) -> u32 {
        let last = self.lengths.len().saturating_sub(1);
        self.lengths.get((part * last as f64).round() as usize).copied().unwrap_or(0)
    }

    /// Tokens of a text in the mean, where each is cut at a length.
    #[must_use]
    pub fn mean(&self, max_length: usize) -> f64 {
        let cut = |length: &u32| f64::from(*length).min(max_length as f64);
        self.lengths.iter().map(cut).sum::<f64>() / self.lengths.len().max(1) as f64
    }

    /// Part of the texts, 0 to 1, that have more tokens than this.
    #[must_use]
    pub fn part_above(&self, max_length: usize) -> f64 {
        let up_to = self.lengths.partition_point(|length| *length as usize <= max_length);
        (self.lengths.len() - up_to) as f64 / self.lengths.len().max(1) as f64
    }
}

/// A run as it is shown: live, or read back from its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// What it does.
    pub plan: Arc<RunPlan>,
    /// Its folder.
    pub dir: PathBuf,
    /// Every step so far, in order.
    pub steps: Vec<StepPoint>,
    /// Every epoch so far, in order; starts with epoch 0, measured before the first step.
    pub epochs: Vec<EpochPoint>,
    /// The phase that runs, or ran last.
    pub phase: usize,
    /// What happens beside training: `computing pooled vectors once: 1,200 of 2,085`.
    pub note: String,
    /// Rows per second over the last steps; 0 before the first.
    pub rows_per_second: f64,
    /// Estimated seconds to the end.
    pub seconds_left: Option<f64>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<RunOutcome>,
    /// Figures, once it ended.
    pub report: Option<Arc<RunReport>>,
    /// It ended before its time, and there is a checkpoint to go on from.
    pub can_resume: bool,
    /// Steps done when it was gone on with; `None` of a run that began at its beginning.
    pub resumed_at: Option<usize>,
}

impl RunView {
    /// The epoch whose weights are kept so far, 0 for the start; `None` where no epoch was chosen by validation rows, and
    /// nothing is recorded.
    #[must_use]
    pub fn kept_epoch(&self) -> Option<u32> {
        let recorded = self.report.as_ref().and_then(|report| report.kept_epoch);
        recorded.or_else(|| self.epochs.iter().rev().find(|epoch| epoch.best).map(|epoch| epoch.epoch))
    }

    /// Where its phases were, and will be, on the axis of its epochs.
    #[must_use]
    pub fn phase_spans(&self) -> Vec<PhaseSpan> {
        let finished = self.outcome == Some(RunOutcome::Finished);
        phase_spans(&self.plan, &self.epochs, &self.steps, self.phase, finished)
    }

    /// A run that is about to begin.
    #[must_use]
    pub fn starting(plan: Arc<RunPlan>, dir: &std::path::Path) -> Self {
        Self {
            plan,
            dir: dir.to_owned(),
            steps: Vec::new(),
            epochs: Vec::new(),
            phase: 0,
            note: "getting ready".into(),
            rows_per_second: 0.0,
            seconds_left: None,
            outcome: None,
            report: None,
            can_resume: false,
            resumed_at: None,
        }
    }
}

/// An earlier run beside the shown one.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedRun {
    /// What it did.
    pub plan: Arc<RunPlan>,
    /// Its epochs, in order.
    pub epochs: Arc<Vec<EpochPoint>>,
    /// How long it took; `None` where it did not end with a report.
    pub seconds: Option<f64>,
}

/// What the loss did as the rates of the draft's plan rose.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSearch {
    /// Peak rate of the encoder that the factors multiply.
    pub lr_encoder: f64,
    /// Peak rate of the heads that the factors multiply.
    pub lr_heads: f64,
    /// The curve and what follows from it.
    pub curve: RateCurve,
}

/// A row that the model got wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Row of the data set.
    pub row: usize,
    /// Index of its class.
    pub label: u32,
    /// Index of the predicted class.
    pub predicted: u32,
    /// Probability of the prediction.
    pub confidence: f32,
}

/// The shown run measured on a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Name of the run.
    pub run: String,
    /// The split.
    pub split: Split,
    /// Per task.
    pub tasks: Vec<TaskMetrics>,
    /// Per task, most confident first.
    pub mistakes: Vec<Vec<Mistake>>,
    /// Probes of the embeddings on this split.
    pub probes: Vec<Probe>,
    /// Tasks whose heads never trained.
    pub untrained: Vec<String>,
    /// Per task the rows whose label the run contradicts with confidence, most suspicious first.
    pub suspects: Vec<Vec<ClassSaid>>,
    /// Per task what the run said, row by row.
    pub said: Vec<RowResults>,
    /// The run beside others that were measured on the same rows, the latest first.
    pub compared: Vec<RunComparison>,
    /// Labels were corrected since: the figures are those of the labels before.
    pub labels_changed: bool,
}

/// Cosine similarities of sentences, with the base model and after fine-tuning.
#[derive(Clone, Debug, PartialEq)]
pub struct Similarity {
    /// The sentences.
    pub texts: Vec<String>,
    /// `before[i][j]`: cosine with the pretrained weights.
    pub before: Vec<Vec<f32>>,
    /// The same with the tuned weights, when there is a run.
    pub after: Option<Vec<Vec<f32>>>,
}

/// A projection of the data to the plane, before and after, aligned.
#[derive(Clone, Debug, PartialEq)]
pub struct DataMap {
    /// Rows of the data set that are drawn.
    pub rows: Vec<usize>,
    /// Their places with the pretrained weights.
    pub before: Vec<[f32; 2]>,
    /// Their places with the tuned weights, turned and scaled onto `before`; when there is a run.
    pub after: Option<Vec<[f32; 2]>>,
    /// Share of the variance that the two axes show, before and after.
    pub explained: (f32, Option<f32>),
    /// `(index into rows, 1 - cosine between before and after)`, biggest movers first, at most 50.
    pub movers: Vec<(usize, f32)>,
    /// Per task, per drawn row: predicted class; empty without a run.
    pub predicted: Vec<Vec<u32>>,
}

/// The nearest rows to one row, before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// The row asked about.
    pub row: usize,
    /// `(row, cosine)`, nearest first, with the pretrained weights.
    pub before: Vec<(usize, f32)>,
    /// The same with the tuned weights, when there is a run.
    pub after: Option<Vec<(usize, f32)>>,
}

/// What the model says of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextPrediction {
    /// The text.
    pub text: String,
    /// Per task its name and the answer of its head, classes with the most probable first.
    pub tasks: Vec<(String, Prediction)>,
}

/// How a text is cut into tokens, and what it is embedded to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokenized {
    /// The text.
    pub text: String,
    /// `(token, id)` in order, special tokens included.
    pub tokens: Vec<(String, u32)>,
    /// Whether it was cut at the maximum length.
    pub truncated: bool,
    /// The sentence embedding.
    pub embedding: Vec<f32>,
}

/// How a download ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownloadEnd {
    /// The model is in this folder.
    Done(PathBuf),
    /// The user did not want it any more; what was fetched is kept.
    Cancelled,
    /// What, where, what to do.
    Failed(String),
}

/// A download from the hub.
#[derive(Clone, Debug, PartialEq)]
pub struct Download {
    /// What is fetched.
    pub offer: Arc<RemoteModel>,
    /// How far it is.
    pub progress: Progress,
    /// How it ended; `None` while it goes on.
    pub end: Option<DownloadEnd>,
}

/// What is known of models on the hub and in its cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HubView {
    /// What the last look-up found.
    pub offer: Loadable<Arc<RemoteModel>>,
    /// The download that goes on, or ended last.
    pub download: Option<Download>,
    /// Models in the cache, by name.
    pub models: Loadable<Arc<Vec<CachedModel>>>,
}

impl HubView {
    /// True from the start of a download to its end.
    #[must_use]
    pub fn is_downloading(&self) -> bool {
        self.download.as_ref().is_some_and(|download| download.end.is_none())
    }
}

/// A device that work can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `cpu`, `cuda:0`: what the command line takes.
    pub key: String,
    /// `CPU, 2 threads`, `CUDA 0`: what people read.
    pub name: String,
    /// Bytes of its memory, where they can be told.
    pub memory: Option<u64>,
}

/// What the worker is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Busy {
    /// In words: `loading the model`.
    pub what: String,
    /// 0 to 1, where it is known.
    pub fraction: Option<f32>,
}

/// What this process takes of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResourceUsage {
    /// Bytes of memory.
    pub memory: u64,
    /// Cores that were at work, over the last seconds.
    pub cores: f32,
    /// Cores of the machine.
    pub of_cores: usize,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something went as asked.
    Success,
    /// Look at it.
    Warning,
    /// It did not work.
    Error,
}

/// A sentence for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// To dismiss it by.
    pub id: u64,
    /// How much it matters.
    pub severity: Severity,
    /// The sentence.
    pub text: String,
}

/// Everything that is shown.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state machine")]
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The draft.
    pub project: Project,
    /// The project's folder, once it has one.
    pub dir: Option<PathBuf>,
    /// The draft differs from the file.
    pub dirty: bool,
    /// There is an edit to undo.
    pub can_undo: bool,
    /// There is an edit to redo.
    pub can_redo: bool,
    /// The data.
    pub data: Loadable<Arc<DataView>>,
    /// Rows that are looked for.
    pub rows: RowsView,
    /// Tokens of the texts, counted with the pretrained model's tokeniser.
    pub lengths: Loadable<Arc<TokenLengths>>,
    /// Data files that are not what was read any more.
    pub changed_files: Vec<ChangedFile>,
    /// The pretrained model.
    pub model: Loadable<Arc<ModelSummary>>,
    /// Models by name.
    pub hub: HubView,
    /// What the draft would do, or why it cannot; `None` without data or model.
    pub plan: Option<Result<Arc<RunPlan>, String>>,
    /// A run was asked for and has not begun yet.
    pub starting: bool,
    /// The run that is shown: the live one while there is one.
    pub run: Option<RunView>,
    /// Earlier runs beside the shown one.
    pub compared: Vec<ComparedRun>,
    /// All runs in the project's folder, oldest first.
    pub runs: Vec<RunListing>,
    /// The last search for a learning rate.
    pub rate_search: Loadable<Arc<RateSearch>>,
    /// The shown run, measured.
    pub evaluation: Loadable<Arc<Evaluation>>,
    /// Similarities of typed sentences.
    pub similarity: Loadable<Arc<Similarity>>,
    /// The map of the data.
    pub map: Loadable<Arc<DataMap>>,
    /// Neighbours of the clicked point.
    pub neighbours: Loadable<Arc<Neighbours>>,
    /// The playground's answer.
    pub prediction: Loadable<Arc<TextPrediction>>,
    /// The try-it box's answer.
    pub tokenized: Loadable<Arc<Tokenized>>,
    /// The last export.
    pub export: Loadable<Arc<ExportReport>>,
    /// Devices that can be chosen.
    pub devices: Vec<DeviceInfo>,
    /// Key of the chosen one.
    pub device: String,
    /// Why there is no CUDA, in a sentence; `None` when there is.
    pub cuda_missing: Option<String>,
    /// The file of libtorch's CUDA part that was loaded, and who put it there; `None` where none was.
    pub cuda_library: Option<String>,
    /// What this process takes of the machine, while a run goes on.
    pub load: Option<ResourceUsage>,
    /// What the worker is doing, training apart.
    pub busy: Option<Busy>,
    /// Sentences for the user, oldest first.
    pub notices: Vec<Notice>,
}

impl State {
    /// True from the start of a run to its end.
    #[must_use]
    pub fn is_training(&self) -> bool {
        self.starting || self.run.as_ref().is_some_and(|run| run.outcome.is_none())
    }
}
