//! Figures: each is defined once, with its key, its title, its unit and where it lies in a task's measurements. The
//! Evaluate page, the terminal, the reports and the model card read this table.

use super::points::Score;
use super::task_metrics::TaskMetrics;
use crate::data::task::TaskKind;

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share of something, 0 to 1: `87.5 %`.
    Share,
    /// A coefficient or mean that is no share of anything: a correlation, -1 to 1; MRR; ECE: `0.875`.
    Coefficient,
    /// An error in the unit of the data, or its square: `0.875`, `1234`, `2.5e-5`.
    Error,
    /// A loss, in nats or a squared error: `0.8750`.
    Loss,
}

/// One figure.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name in files and options: `macro-f1`.
    pub key: &'static str,
    /// Its name for people: `macro F1`.
    pub title: &'static str,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether a larger value is the better one.
    pub larger_is_better: bool,
    /// Its value, where the task has been measured for it.
    pub value: fn(&TaskMetrics) -> Option<f64>,
}

impl Figure {
    const fn share(key: &'static str, title: &'static str, value: fn(&TaskMetrics) -> Option<f64>) -> Self {
        Self { key, title, unit: Unit::Share, larger_is_better: true, value }
    }

    const fn coefficient(
        key: &'static str,
        title: &'static str,
        value: fn(&TaskMetrics) -> Option<f64>,
    ) -> Self {
        Self { key, title, unit: Unit::Coefficient, larger_is_better: true, value }
    }

    const fn error(key: &'static str, title: &'static str, value: fn(&TaskMetrics) -> Option<f64>) -> Self {
        Self { key, title, unit: Unit::Error, larger_is_better: false, value }
    }

    const fn smaller_is_better(self) -> Self {
        Self { larger_is_better: false, ..self }
    }

    /// The figure of a key; `None` where no figure has it.
    #[must_use]
    pub fn of_key(key: &str) -> Option<&'static Self> {
        let of_tasks = TaskKind::ALL.into_iter().flat_map(|kind| figures_of(kind).iter().copied());
        [&LOSS, &IN_BATCH_ACCURACY_AT_1].into_iter().chain(of_tasks).find(|figure| figure.key == key)
    }

    /// A value of it as people read it.
    #[must_use]
    pub fn format(&self, value: f64) -> String {
        match self.unit {
            Unit::Share => share(value),
            Unit::Coefficient => three_decimals(value),
            Unit::Error => error(value),
            Unit::Loss => format!("{value:.4}"),
        }
    }
}

static LOSS: Figure = Figure {
    key: "loss",
    title: "loss",
    unit: Unit::Loss,
    larger_is_better: false,
    value: |task| Some(task.loss),
};
// Shared by several kinds.
static MACRO_F1: Figure = Figure::share("macro-f1", "macro F1", |task| Some(task.macro_f1));
static WEIGHTED_F1: Figure = Figure::share("weighted-f1", "weighted F1", |task| Some(task.weighted_f1));
// One class per row.
static ACCURACY: Figure = Figure::share("accuracy", "accuracy", |task| Some(task.accuracy));
static MCC: Figure = Figure::coefficient("mcc", "MCC", |task| Some(task.mcc));
static ECE: Figure = Figure::coefficient("ece", "ECE", |task| Some(task.ece)).smaller_is_better();
// Any number of classes per row.
static MICRO_F1: Figure = Figure::share("micro-f1", "micro F1", |task| task.multi.map(|sets| sets.micro_f1));
static SAMPLES_F1: Figure =
    Figure::share("samples-f1", "samples F1", |task| task.multi.map(|sets| sets.samples_f1));
static MICRO_PRECISION: Figure =
    Figure::share("micro-precision", "micro precision", |task| task.multi.map(|sets| sets.micro_precision));
static MICRO_RECALL: Figure =
    Figure::share("micro-recall", "micro recall", |task| task.multi.map(|sets| sets.micro_recall));
static SUBSET_ACCURACY: Figure =
    Figure::share("subset-accuracy", "subset accuracy", |task| Some(task.accuracy));
static HAMMING_LOSS: Figure =
    Figure::coefficient("hamming-loss", "Hamming loss", |task| task.multi.map(|sets| sets.hamming_loss))
        .smaller_is_better();
// Scores and similarities.
static SPEARMAN: Figure =
    Figure::coefficient("spearman", "Spearman", |task| task.numbers.map(|numbers| numbers.spearman));
static PEARSON: Figure =
    Figure::coefficient("pearson", "Pearson", |task| task.numbers.map(|numbers| numbers.pearson));
static MSE: Figure =
    Figure::error("mse", "MSE", |task| task.numbers.map(|numbers| numbers.rmse * numbers.rmse));
static MAE: Figure = Figure::error("mae", "MAE", |task| task.numbers.map(|numbers| numbers.mae));
static RMSE: Figure = Figure::error("rmse", "RMSE", |task| task.numbers.map(|numbers| numbers.rmse));
// Tags of words.
static SPAN_F1: Figure = Figure::share("span-f1", "span F1", |task| task.spans.map(|spans| spans.f1));
static SPAN_PRECISION: Figure =
    Figure::share("span-precision", "span precision", |task| task.spans.map(|spans| spans.precision));
static SPAN_RECALL: Figure =
    Figure::share("span-recall", "span recall", |task| task.spans.map(|spans| spans.recall));
static TOKEN_ACCURACY: Figure = Figure::share("token-accuracy", "word accuracy", |task| Some(task.accuracy));
// Ranking.
static ACCURACY_AT_1: Figure = Figure::share("accuracy-at-1", "accuracy@1", |task| Some(task.accuracy));
static ACCURACY_AT_10: Figure =
    Figure::share("accuracy-at-10", "accuracy@10", |task| task.ranking.map(|ranks| ranks.accuracy_at_10));
static MRR: Figure = Figure::coefficient("mrr", "MRR@10", |task| task.ranking.map(|ranks| ranks.mrr));
/// Of training rows while they are trained on; no split is measured for it.
static IN_BATCH_ACCURACY_AT_1: Figure =
    Figure::share("in-batch-accuracy-at-1", "in-batch accuracy@1", |_| None);

static SINGLE_LABEL: [&Figure; 5] = [&ACCURACY, &MACRO_F1, &WEIGHTED_F1, &MCC, &ECE];
static MULTI_LABEL: [&Figure; 8] = [
    &MICRO_F1,
    &MACRO_F1,
    &WEIGHTED_F1,
    &SAMPLES_F1,
    &MICRO_PRECISION,
    &MICRO_RECALL,
    &SUBSET_ACCURACY,
    &HAMMING_LOSS,
];
static NUMBERS: [&Figure; 5] = [&SPEARMAN, &PEARSON, &MSE, &MAE, &RMSE];
static TOKEN_LABELS: [&Figure; 6] =
    [&SPAN_F1, &SPAN_PRECISION, &SPAN_RECALL, &MACRO_F1, &WEIGHTED_F1, &TOKEN_ACCURACY];
static RANKING: [&Figure; 3] = [&ACCURACY_AT_1, &ACCURACY_AT_10, &MRR];

/// The figures of a kind of task beside the loss, the headline first.
#[must_use]
pub fn figures_of(kind: TaskKind) -> &'static [&'static Figure] {
    match kind {
        TaskKind::SingleLabel => &SINGLE_LABEL,
        TaskKind::MultiLabel => &MULTI_LABEL,
        TaskKind::Score | TaskKind::Similarity => &NUMBERS,
        TaskKind::TokenLabels => &TOKEN_LABELS,
        TaskKind::Ranking => &RANKING,
    }
}

/// The figure that a kind of task is judged by. Larger is better.
#[must_use]
pub fn headline(kind: TaskKind) -> &'static Figure {
    figures_of(kind).first().copied().unwrap_or(&LOSS)
}

/// The keys of a kind's figures, `loss` and `figure` apart, the headline first.
pub fn keys(kind: TaskKind) -> impl Iterator<Item = &'static str> + Clone {
    figures_of(kind).iter().map(|figure| figure.key)
}

/// The key of a kind's headline figure.
#[must_use]
pub fn figure_key(kind: TaskKind) -> &'static str {
    headline(kind).key
}

/// The key of the figure that training rows have while they are trained on: the headline, but for a ranking, whose pool
/// is then the step's own and not all texts.
#[must_use]
pub fn training_key(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Ranking => IN_BATCH_ACCURACY_AT_1.key,
        _ => figure_key(kind),
    }
}

/// Whether that figure can stand on one axis with the headline of validation rows.
#[must_use]
pub fn training_is_comparable(kind: TaskKind) -> bool {
    training_key(kind) == figure_key(kind)
}

/// How a key is written for people: `macro F1`, `Spearman`. The key itself where it is not known.
#[must_use]
pub fn title(key: &str) -> &str {
    Figure::of_key(key).map_or(key, |figure| figure.title)
}

/// A figure as people read it.
#[must_use]
pub fn format_figure(key: &str, value: f64) -> String {
    Figure::of_key(key).map_or_else(|| share(value), |figure| figure.format(value))
}

/// The mean loss of some training steps; `-` where no row of theirs has a label.
#[must_use]
pub fn mean_loss(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { LOSS.format(value) }
}

/// The headline figure of a kind of task as people read it.
#[must_use]
pub fn format_headline(kind: TaskKind, value: f64) -> String {
    headline(kind).format(value)
}

impl TaskMetrics {
    /// The headline: what [`TaskKind::figure`] names. Larger is better.
    #[must_use]
    pub fn figure(&self) -> f64 {
        (headline(self.kind).value)(self).unwrap_or(0.0)
    }

    /// The figure of a key, where this kind of task has it:
    ///
    /// | kind | keys |
    /// |---|---|
    /// | all | `loss`, and `figure` for the headline |
    /// | single-label | `accuracy`, `macro-f1`, `weighted-f1`, `mcc`, `ece` |
    /// | multi-label | `micro-f1`, `macro-f1`, `weighted-f1`, `samples-f1`, `micro-precision`, `micro-recall`, `subset-accuracy`, `hamming-loss` |
    /// | score, similarity | `spearman`, `pearson`, `mse`, `mae`, `rmse` |
    /// | token-labels | `span-f1`, `span-precision`, `span-recall`, `macro-f1`, `weighted-f1`, `token-accuracy` |
    /// | ranking | `accuracy-at-1`, `accuracy-at-10`, `mrr` |
    #[must_use]
    pub fn get(&self, key: &str) -> Option<f64> {
        match key {
            "loss" => Some(self.loss),
            "figure" => Some(self.figure()),
            _ => (figures_of(self.kind).iter().find(|figure| figure.key == key)?.value)(self),
        }
    }

    /// Every figure of this kind of task under its key: the loss, then the headline, then the others.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        let all = [&LOSS].into_iter().chain(figures_of(self.kind).iter().copied());
        all.filter_map(|figure| Some((figure.key, (figure.value)(self)?))).collect()
    }

    /// Loss and headline, for the curve.
    #[must_use]
    pub fn score(&self) -> Score {
        Score { loss: self.loss, figure: self.figure(), rows: self.rows }
    }

    /// Whether a larger value of a figure is the better one.
    #[must_use]
    pub fn larger_is_better(key: &str) -> bool {
        Figure::of_key(key).is_none_or(|figure| figure.larger_is_better)
    }
}

/// A share as `87.5 %`.
#[must_use]
pub fn share(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

/// Without a minus sign before a zero.
fn three_decimals(value: f64) -> String {
    let text = format!("{value:.3}");
    if text == "-0.000" { "0.000".to_owned() } else { text }
}

/// Four digits that say something, whatever the unit of the data is.
fn error(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 1e-3 => format!("{value:.2e}"),
        size if size < 1e2 => three_decimals(value),
        size if size < 1e6 => format!("{value:.1}"),
        _ => format!("{value:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_every_kind_is_written_by_its_unit() {
        let written = |kind: TaskKind| -> Vec<String> {
            keys(kind).map(|key| format!("{key} {}", format_figure(key, 0.8754))).collect()
        };
        assert_eq!(
            written(TaskKind::SingleLabel),
            ["accuracy 87.5 %", "macro-f1 87.5 %", "weighted-f1 87.5 %", "mcc 0.875", "ece 0.875"]
        );
        let numbers = ["spearman 0.875", "pearson 0.875", "mse 0.875", "mae 0.875", "rmse 0.875"];
        assert_eq!(written(TaskKind::Score), numbers);
        assert_eq!(written(TaskKind::Similarity), numbers);
        assert_eq!(
            written(TaskKind::Ranking),
            ["accuracy-at-1 87.5 %", "accuracy-at-10 87.5 %", "mrr 0.875"]
        );
        let of_sets = written(TaskKind::MultiLabel);
        assert!(of_sets.contains(&"hamming-loss 0.875".into()), "{of_sets:?}");
        assert_eq!(of_sets.iter().filter(|text| text.ends_with("87.5 %")).count(), 7);
        assert!(written(TaskKind::TokenLabels).iter().all(|text| text.ends_with("87.5 %")));
        assert_eq!(format_figure("loss", 0.875_44), "0.8754");
    }

    #[test]
    fn correlations_keep_their_sign_and_errors_their_digits() {
        assert_eq!(format_figure("spearman", -0.25), "-0.250");
        assert_eq!(format_figure("pearson", -0.000_01), "0.000");
        assert_eq!(["mse", "mae", "rmse"].map(|key| format_figure(key, 1234.567)), ["1234.6"; 3]);
        assert_eq!(format_figure("rmse", 0.000_012_34), "1.23e-5");
        assert_eq!(format_figure("mae", 0.0), "0");
        assert_eq!(format_figure("mse", f64::NAN), "NaN");
        assert_eq!(format_headline(TaskKind::Similarity, 0.87), "0.870");
        assert_eq!(format_headline(TaskKind::Ranking, 0.87), "87.0 %");
    }
}
