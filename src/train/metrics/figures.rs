//! A figure as text, by its unit: one way for the window, the terminal and the model card.

use super::figure_key;
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

/// The unit of a figure by its key.
#[must_use]
pub fn unit(key: &str) -> Unit {
    match key {
        "loss" => Unit::Loss,
        "mse" | "mae" | "rmse" => Unit::Error,
        "spearman" | "pearson" | "mcc" | "mrr" | "ece" | "hamming-loss" => Unit::Coefficient,
        _ => Unit::Share,
    }
}

/// A figure as people read it.
#[must_use]
pub fn format_figure(key: &str, value: f64) -> String {
    match unit(key) {
        Unit::Share => share(value),
        Unit::Coefficient => three_decimals(value),
        Unit::Error => error(value),
        Unit::Loss => format!("{value:.4}"),
    }
}

/// The mean loss of some training steps; `-` where no row of theirs has a label.
#[must_use]
pub fn mean_loss(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format_figure("loss", value) }
}

/// The headline figure of a kind of task as people read it.
#[must_use]
pub fn format_headline(kind: TaskKind, value: f64) -> String {
    format_figure(figure_key(kind), value)
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
    use super::super::keys;
    use super::*;

    #[test]
    fn every_figure_of_every_kind_is_written_by_its_unit() {
        let written = |kind: TaskKind| -> Vec<String> {
            keys(kind).iter().map(|key| format!("{key} {}", format_figure(key, 0.8754))).collect()
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
