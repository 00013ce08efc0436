//! Figures of a task from what its model says: plain numbers. It must never know a tensor or a file.
//!
//! A file per way of counting: [`classes`] for one class per row, [`sets`] for several (and [`thresholds`] for what
//! other thresholds would make of them), [`values`] for numbers,
//! [`spans`] for tags of words (and [`span_errors`] for what became of each entity), [`ranks`] for pairs. [`answers`] says what a model may say and leads it to the
//! right one; [`task_metrics`] holds what is measured, [`points`] holds what the curves are drawn from, and [`figure`] is the table of all figures, with how each is written for people. The definitions are those of scikit-learn, scipy
//! and seqeval, on whose recorded figures `tests/core/metrics.rs` checks them.

mod answers;
mod classes;
mod counts;
mod figure;
mod points;
mod ranks;
mod sets;
mod span_errors;
mod spans;
mod task_metrics;
mod thresholds;
mod values;

pub use answers::{Predictions, metrics_of, metrics_with_unread, score_of};
pub use classes::MOST_MATRIX_CLASSES;
pub use figure::{
    Figure, Unit, figure_key, figures_of, format_figure, format_headline, headline, keys, mean_loss, share,
    title, training_is_comparable, training_key,
};
pub use points::{EpochPoint, Headline, Probe, Score, StepPoint};
pub use ranks::rank_in_pool;
pub use sets::THRESHOLD;
pub use span_errors::{JudgedSpan, SpanVerdict, judge_spans};
pub use spans::{Span, TagScheme};
pub use task_metrics::{
    CalibrationBin, ClassMetrics, NumberFigures, RankFigures, SetFigures, SpanFigures, TaskMetrics,
};
pub use thresholds::{ThresholdFigures, best_threshold, threshold_curve};
pub use values::{pearson, spearman};
