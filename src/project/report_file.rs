//! `report.json`: the mirror of a [`RunReport`] on disk.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::ProjectError;
use super::file::SplitKey;
use super::serde_number::json_float;
use crate::data::task::TaskKind;
use crate::train::metrics::{
    CalibrationBin, ClassMetrics, NumberFigures, Probe, RankFigures, SetFigures, SpanFigures, TaskMetrics,
};
use crate::train::report::{HeadDrift, RunReport, TensorChange};

/// Since 2 a task's figures say of which kind it is; those of 1 are single-label.
const VERSION: u32 = 2;

#[derive(Debug, Deserialize, Serialize)]
struct ReportFile {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_epoch: Option<u32>,
    /// Tasks whose heads never trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    untrained: Option<Vec<String>>,
    #[serde(with = "json_float")]
    seconds: f64,
    truncated_rows: usize,
    metrics: Vec<SplitFigures>,
    probes: Vec<ProbeFile>,
    drifts: Vec<DriftFile>,
    changes: Vec<ChangeFile>,
}

#[derive(Debug, Deserialize, Serialize)]
struct SplitFigures {
    split: SplitKey,
    tasks: Vec<TaskFile>,
}

#[derive(Debug, Deserialize, Serialize)]
struct ChangeFile {
    name: String,
    changed: bool,
    planned: bool,
}

/// Declares a mirror with the same fields as its live type, and both conversions. Floats may be NaN, which
/// JSON cannot say; see [`json_float`].
macro_rules! mirror {
    ($file:ident of $live:ident { $($float:ident,)* ; $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Clone, Debug, Deserialize, Serialize)]
        struct $file {
            $($(#[$attribute])* $field: $type,)*
            $(#[serde(with = "json_float")] $float: f64,)*
        }

        impl From<$live> for $file {
            fn from(live: $live) -> Self {
                Self { $($field: live.$field,)* $($float: live.$float,)* }
            }
        }

        impl From<$file> for $live {
            fn from(file: $file) -> Self {
                Self { $($field: file.$field,)* $($float: file.$float,)* }
            }
        }
    };
}

mirror!(ClassFile of ClassMetrics { precision, recall, f1, ; name: String, support: usize, });
mirror!(BinFile of CalibrationBin { confidence, accuracy, ; count: usize, });
mirror!(SetsFile of SetFigures { micro_precision, micro_recall, micro_f1, samples_f1, hamming_loss, ; });
mirror!(NumbersFile of NumberFigures { pearson, spearman, mae, rmse, ; });
mirror!(SpansFile of SpanFigures { precision, recall, f1, ; words: usize, entities: usize, #[serde(default)] unread_words: usize, });
mirror!(RanksFile of RankFigures { mrr, accuracy_at_10, ; pool: usize, });
mirror!(DriftFile of HeadDrift { before, after, ; task: String, });
mirror!(ProbeFile of Probe { nearest_centroid, nearest_neighbours, majority, ; task: String, rows: usize, k: usize, });

#[derive(Debug, Deserialize, Serialize)]
struct TaskFile {
    task: String,
    kind: Option<String>,
    rows: usize,
    #[serde(with = "json_float")]
    loss: f64,
    #[serde(with = "json_float")]
    accuracy: f64,
    #[serde(with = "json_float")]
    macro_f1: f64,
    #[serde(with = "json_float")]
    weighted_f1: f64,
    #[serde(with = "json_float")]
    mcc: f64,
    #[serde(with = "json_float")]
    ece: f64,
    classes: Vec<ClassFile>,
    confusion: Vec<Vec<u32>>,
    calibration: Vec<BinFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi: Option<SetsFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<NumbersFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<SpansFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranking: Option<RanksFile>,
}

impl From<&TaskMetrics> for TaskFile {
    fn from(live: &TaskMetrics) -> Self {
        Self {
            task: live.task.clone(),
            kind: Some(live.kind.key().to_owned()),
            rows: live.rows,
            loss: live.loss,
            accuracy: live.accuracy,
            macro_f1: live.macro_f1,
            weighted_f1: live.weighted_f1,
            mcc: live.mcc,
            ece: live.ece,
            classes: live.classes.iter().cloned().map(Into::into).collect(),
            confusion: live.confusion.clone(),
            calibration: live.calibration.iter().copied().map(Into::into).collect(),
            multi: live.multi.map(Into::into),
            numbers: live.numbers.map(Into::into),
            spans: live.spans.map(Into::into),
            ranking: live.ranking.map(Into::into),
        }
    }
}

impl TaskFile {
    fn into_live(self) -> Result<TaskMetrics, String> {
        let file = self;
        let kind = file.kind.as_deref().unwrap_or(TaskKind::SingleLabel.key());
        let Some(kind) = TaskKind::from_key(kind) else {
            return Err(format!("task \"{}\" is of the kind \"{kind}\", which is not known", file.task));
        };
        Ok(TaskMetrics {
            task: file.task,
            kind,
            rows: file.rows,
            loss: file.loss,
            accuracy: file.accuracy,
            macro_f1: file.macro_f1,
            weighted_f1: file.weighted_f1,
            mcc: file.mcc,
            ece: file.ece,
            classes: file.classes.into_iter().map(Into::into).collect(),
            confusion: file.confusion,
            calibration: file.calibration.into_iter().map(Into::into).collect(),
            multi: file.multi.map(Into::into),
            numbers: file.numbers.map(Into::into),
            spans: file.spans.map(Into::into),
            ranking: file.ranking.map(Into::into),
        })
    }
}

/// The text of `report.json`.
pub(super) fn write(report: &RunReport, path: &Path) -> Result<String, ProjectError> {
    let change = |change: &TensorChange| ChangeFile {
        name: change.name.clone(),
        changed: change.changed,
        planned: change.planned,
    };
    let file = ReportFile {
        version: VERSION,
        kept_epoch: report.kept_epoch,
        untrained: report.untrained.clone(),
        seconds: report.seconds,
        truncated_rows: report.truncated_rows,
        metrics: report
            .metrics
            .iter()
            .map(|(split, tasks)| SplitFigures {
                split: (*split).into(),
                tasks: tasks.iter().map(Into::into).collect(),
            })
            .collect(),
        probes: report.probes.iter().cloned().map(Into::into).collect(),
        drifts: report.drifts.iter().cloned().map(Into::into).collect(),
        changes: report.changes.iter().map(change).collect(),
    };
    serde_json::to_string(&file)
        .map(|text| text + "\n")
        .map_err(|error| ProjectError::Write { path: path.to_owned(), reason: error.to_string() })
}

/// The report in the text of the `report.json` at `path`.
pub(super) fn read(text: &str, path: &Path) -> Result<RunReport, ProjectError> {
    #[derive(Deserialize)]
    struct Version {
        version: i64,
    }
    let malformed =
        |error: &serde_json::Error| ProjectError::malformed(path, Some(error.line()), error.to_string());
    // Looked at first: a newer file may hold what cannot be read here.
    let Version { version } = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if version > i64::from(VERSION) {
        return Err(ProjectError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    let file: ReportFile = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let split = |figures: SplitFigures| {
        let tasks: Result<Vec<_>, _> = figures.tasks.into_iter().map(TaskFile::into_live).collect();
        Ok((figures.split.into(), tasks?))
    };
    let metrics: Result<_, String> = file.metrics.into_iter().map(split).collect();
    Ok(RunReport {
        kept_epoch: file.kept_epoch,
        untrained: file.untrained,
        metrics: metrics.map_err(|reason| ProjectError::malformed(path, None, reason))?,
        probes: file.probes.into_iter().map(Into::into).collect(),
        changes: file
            .changes
            .into_iter()
            .map(|change| TensorChange {
                name: change.name,
                changed: change.changed,
                planned: change.planned,
            })
            .collect(),
        drifts: file.drifts.into_iter().map(Into::into).collect(),
        truncated_rows: file.truncated_rows,
        seconds: file.seconds,
    })
}
