//! What goes between a session and its worker thread: jobs in, news out. Plain data, both ways.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::state::{
    Busy, DataMap, DataView, DeviceInfo, Evaluation, Neighbours, RateSearch, RunOutcome, RunReport, RunView,
    Severity, Similarity, TextPrediction, TokenLengths, Tokenized,
};
use super::worker::RunRequest;
use crate::data::dataset::Split;
use crate::data::edit::Changes;
use crate::data::mapping::Mapping;
use crate::data::split::SplitRule;
use crate::export::ExportReport;
use crate::model::summary::ModelSummary;
use crate::project::DataFile;
use crate::train::metrics::{EpochPoint, StepPoint};
use crate::train::plan::RunPlan;

/// What is needed to read a project's data.
#[derive(Clone, Debug)]
pub(super) struct DataRequest {
    pub files: Vec<DataFile>,
    pub mapping: Option<Mapping>,
    pub changes: Changes,
    pub skip_bad_rows: bool,
    pub rule: SplitRule,
}

/// Work for the worker.
#[derive(Debug)]
pub(super) enum Work {
    FindDevices,
    NameCuda(PathBuf),
    SelectDevice(String),
    LoadData { generation: u64, request: DataRequest },
    ChangeData { generation: u64, changes: Changes },
    MeasureLengths { prompt: Option<String> },
    LoadModel { generation: u64, path: PathBuf },
    Train(Box<RunRequest>),
    ShowRun { project_dir: PathBuf, name: String },
    ForgetRun,
    ForgetData,
    FindRate(Box<RunPlan>),
    Evaluate(Split),
    Similarity(Vec<String>),
    Map { limit: usize },
    Neighbours { row: usize, k: usize },
    Predict(String),
    Tokenize { text: String, prompt: Option<String>, max_length: usize },
    Export(PathBuf),
}

impl Work {
    /// Whether it answers a question: one that is stopped before its turn is not begun.
    pub(super) const fn is_query(&self) -> bool {
        matches!(
            self,
            Self::FindRate(_)
                | Self::Evaluate(_)
                | Self::Similarity(_)
                | Self::Map { .. }
                | Self::Neighbours { .. }
                | Self::Predict(_)
                | Self::Tokenize { .. }
                | Self::Export(_)
        )
    }
}

/// A piece of work and the switch that stops it.
#[derive(Debug)]
pub(super) struct Job {
    pub work: Work,
    pub stop: Arc<AtomicBool>,
}

/// How fast a run goes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub rows_per_second: f64,
    pub seconds_left: Option<f64>,
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The user stopped it.
    Cancelled,
    /// What, where, what to do.
    Failed(String),
}

/// What became of a request.
pub(super) type QueryResult<T> = Result<Arc<T>, NoAnswer>;

/// News for the session.
#[derive(Debug)]
pub(super) enum Event {
    Busy(Option<Busy>),
    Notice(Severity, String),
    Devices {
        list: Vec<DeviceInfo>,
        chosen: String,
        cuda_missing: Option<String>,
        cuda_library: Option<String>,
    },
    Data {
        generation: u64,
        answer: QueryResult<DataView>,
    },
    Model {
        generation: u64,
        answer: QueryResult<ModelSummary>,
    },
    Run(Box<RunView>),
    Phase(usize),
    Note(String),
    Steps {
        points: Vec<StepPoint>,
        pace: Pace,
    },
    Epoch(EpochPoint),
    RunEnded {
        outcome: RunOutcome,
        report: Option<Arc<RunReport>>,
        can_resume: bool,
    },
    RateSearch(QueryResult<RateSearch>),
    Lengths(QueryResult<TokenLengths>),
    Evaluation(QueryResult<Evaluation>),
    Similarity(QueryResult<Similarity>),
    Map(QueryResult<DataMap>),
    Neighbours(QueryResult<Neighbours>),
    TextPrediction(QueryResult<TextPrediction>),
    Tokenized(QueryResult<Tokenized>),
    Export(QueryResult<ExportReport>),
    /// A job is done, however it went.
    Done,
}
