//! What the shown run says of every row of a split, out of its predictions: numbers in, plain data out.

use std::sync::Arc;

use super::super::measured::{ClassSaid, Said};
use super::super::state::Mistake;
use crate::train::evaluate::argmax;
use crate::train::metrics::{Predictions, threshold_curve};
use crate::train::rows::{Rows, Targets};

/// What is said of the labelled rows of a single-label task, in the order of the rows; nothing of other kinds: only
/// where a row has one class is there one that it was taken for.
pub(super) fn classes_said(
    which: &[usize],
    rows: &Rows,
    task: usize,
    said: Option<&Predictions>,
) -> Vec<ClassSaid> {
    let Some(labels) = rows.targets.get(task).map(Targets::classes) else { return Vec::new() };
    let Some(Predictions::Probabilities { classes, values }) = said else { return Vec::new() };
    let of_row = |((row, label), p): ((&usize, &Option<u32>), &[f32])| {
        let label = (*label)?;
        let predicted = argmax(p);
        let probability = |class: usize| p.get(class).copied().unwrap_or(0.0);
        Some(ClassSaid {
            row: *row,
            label,
            predicted: predicted as u32,
            confidence: probability(predicted),
            label_confidence: probability(label as usize),
        })
    };
    which.iter().zip(labels).zip(values.chunks((*classes).max(1))).filter_map(of_row).collect()
}

/// What is kept of what is said of a task, beside what is known of it as a single-label task.
pub(super) fn said_of(
    classes: Vec<ClassSaid>,
    targets: Option<&Targets>,
    said: Option<&Predictions>,
) -> Said {
    match (targets, said) {
        (Some(Targets::Class(_)), _) if !classes.is_empty() => Said::Classes(Arc::new(classes)),
        (Some(Targets::Classes(labels)), Some(Predictions::Sigmoids { classes, values })) => {
            let rows = values.chunks_exact((*classes).max(1)).zip(labels);
            let labelled = rows.filter_map(|(p, labels)| Some((p, labels.as_deref()?)));
            if labels.iter().any(Option::is_some) {
                Said::Sets(threshold_curve(*classes, labelled))
            } else {
                Said::Nothing
            }
        }
        _ => Said::Nothing,
    }
}

/// The rows that were taken for another class, most confident first.
pub(super) fn mistakes(said: &[ClassSaid]) -> Vec<Mistake> {
    let mistake = |said: &ClassSaid| Mistake {
        row: said.row,
        label: said.label,
        predicted: said.predicted,
        confidence: said.confidence,
    };
    let mut found: Vec<Mistake> = said.iter().filter(|said| !said.is_right()).map(mistake).collect();
    found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_tried_on_labelled_rows() {
        let targets = Targets::Classes(vec![Some(vec![0]), None]);
        let said = Predictions::Sigmoids { classes: 2, values: vec![0.75, 0.25, 0.9, 0.9] };
        let Said::Sets(curve) = said_of(Vec::new(), Some(&targets), Some(&said)) else { panic!("a curve") };
        assert_eq!(curve.iter().map(|at| at.micro_f1).fold(0.0, f64::max), 1.0);
        let none = Targets::Classes(vec![None, None]);
        assert_eq!(said_of(Vec::new(), Some(&none), Some(&said)), Said::Nothing);
    }

    #[test]
    fn a_row_without_a_label_is_passed_over() {
        let rows = Rows { targets: vec![Targets::Class(vec![Some(1), None, Some(0)])], ..Rows::default() };
        let values = vec![0.75, 0.25, 0.5, 0.5, 0.9, 0.1];
        let said = Predictions::Probabilities { classes: 2, values };
        let said = classes_said(&[7, 8, 9], &rows, 0, Some(&said));
        let first = ClassSaid { row: 7, label: 1, predicted: 0, confidence: 0.75, label_confidence: 0.25 };
        assert_eq!(said[0], first);
        assert_eq!((said.len(), said[1].row, said[1].is_right()), (2, 9, true));
        assert_eq!(mistakes(&said), [Mistake { row: 7, label: 1, predicted: 0, confidence: 0.75 }]);
        assert_eq!(classes_said(&[7], &rows, 0, Some(&Predictions::Numbers(vec![1.0]))), []);
    }
}
