//! What a run said of the rows that it was measured on, row by row: plain data that the Evaluate page reads.

use std::sync::Arc;

use crate::train::metrics::{JudgedSpan, SpanVerdict, ThresholdFigures};

/// What a run said of the rows of a split for one task, by its kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RowResults {
    /// Nothing is kept of this kind.
    #[default]
    Nothing,
    /// Single-label: every labelled row, in order.
    Classes(Arc<Vec<ClassSaid>>),
    /// Multi-label: the figures at every threshold from 0.05 to 0.95. They are counted over all rows, and the
    /// probabilities, which could fill gigabytes, are not kept.
    Sets(Vec<ThresholdFigures>),
    /// Token labels: what became of the entities.
    Spans(SpansSaid),
}

/// Most rows of a token task whose entities are kept.
pub const MOST_SPAN_ROWS: usize = 5000;

/// What became of the entities of a token task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpansSaid {
    /// The types of entities, by name.
    pub types: Vec<String>,
    /// Entities by what became of them, over all rows.
    pub counts: [(SpanVerdict, usize); 5],
    /// Rows of which at least one entity is not right.
    pub wrong_rows: usize,
    /// The first [`MOST_SPAN_ROWS`] of these, in order.
    pub rows: Vec<SpanRow>,
}

/// The entities of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanRow {
    /// Row of the data set.
    pub row: usize,
    /// The word before which the text was cut; `None` of a text that was read to its end.
    pub cut_at: Option<usize>,
    /// Its entities, the right ones too, in order; words are those that single spaces divide.
    pub spans: Vec<JudgedSpan>,
}

/// What a run said of one labelled row of a single-label task. Classes are indices into those of the run's plan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassSaid {
    /// Row of the data set.
    pub row: usize,
    /// Its label when it was measured.
    pub label: u32,
    /// The most probable class.
    pub predicted: u32,
    /// Probability of the prediction.
    pub confidence: f32,
    /// Probability of the label.
    pub label_confidence: f32,
}

impl ClassSaid {
    /// True where the prediction is the label.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.label == self.predicted
    }

    /// How much more probable the prediction is than the label, 0 to 1.
    #[must_use]
    pub fn doubt(&self) -> f32 {
        self.confidence - self.label_confidence
    }
}

/// The least doubt of a row that is a suspect: below it the model is not sure enough to be asked about a label.
pub const LEAST_DOUBT: f32 = 0.5;

/// Most suspects that are listed: nobody reads more of them before the heads are trained again.
pub const MOST_SUSPECTS: usize = 1000;

/// The rows whose label the model contradicts with confidence, most suspicious first, [`MOST_SUSPECTS`] at most.
#[must_use]
pub fn suspects(said: &[ClassSaid]) -> Vec<ClassSaid> {
    let doubted = |said: &&ClassSaid| !said.is_right() && said.doubt() >= LEAST_DOUBT;
    let mut found: Vec<ClassSaid> = said.iter().filter(doubted).copied().collect();
    found.sort_by(|a, b| b.doubt().total_cmp(&a.doubt()));
    found.truncate(MOST_SUSPECTS);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspects_are_doubted_with_confidence_the_most_doubted_first() {
        let said = |row, predicted, confidence, label_confidence| ClassSaid {
            row,
            label: 0,
            predicted,
            confidence,
            label_confidence,
        };
        let all = [
            said(0, 0, 0.99, 0.99),
            said(1, 1, 0.75, 0.125),
            said(2, 1, 0.6, 0.4),
            said(3, 2, 0.95, 0.01),
            said(4, 2, 0.75, 0.25),
        ];
        let rows: Vec<usize> = suspects(&all).iter().map(|suspect| suspect.row).collect();
        assert_eq!(rows, [3, 1, 4], "row 0 is right, and of row 2 the model is not sure");
        assert_eq!(suspects(&vec![all[3]; MOST_SUSPECTS + 1]).len(), MOST_SUSPECTS);
    }
}
