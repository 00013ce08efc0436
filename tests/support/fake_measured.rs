//! States of the Evaluate page with what is known row by row, made by hand.

use std::sync::Arc;

use frostline::session::compare::{Compared, RunComparison, TaskComparison};
use frostline::session::row_results::{ClassSaid, RowResults, SpanRow, SpansSaid};
use frostline::session::state::{Evaluation, Loadable, State};
use frostline::train::metrics::{Span, SpanVerdict, TaskMetrics, judge_spans, threshold_curve};

use super::fake_state::{evaluated, every_kind, noise};

/// The evaluation of a state, to be changed.
pub(crate) fn change(state: &mut State, change: impl FnOnce(&mut Evaluation)) {
    if let Loadable::Ready(evaluation) = &mut state.evaluation {
        change(Arc::make_mut(evaluation));
    }
}

/// Rows of the test split whose first label is doubted: every fifth.
pub(crate) fn suspicious() -> State {
    let mut state = evaluated();
    let Loadable::Ready(data) = &state.data else { return state };
    let dataset = data.dataset.clone();
    change(&mut state, |evaluation| {
        let suspect = |row: usize| {
            let label = dataset.tasks[0].class(row).unwrap_or(0);
            let confidence = 0.99 - 0.3 * noise(row) as f32;
            let label_confidence = (1.0 - confidence) * 0.4;
            ClassSaid { row, label, predicted: (label + 1) % 3, confidence, label_confidence }
        };
        let mut found: Vec<ClassSaid> = (300..360).step_by(5).map(suspect).collect();
        found.sort_by(|a, b| b.doubt().total_cmp(&a.doubt()));
        evaluation.suspects[0] = found;
    });
    state
}

/// Gives a row another first label, as a correction would.
pub(crate) fn relabel(state: &mut State, row: usize) {
    if let Loadable::Ready(data) = &mut state.data {
        let view = Arc::make_mut(data);
        let dataset = Arc::make_mut(&mut view.dataset);
        if let frostline::data::dataset::Labels::Class(labels) = &mut dataset.tasks[0].labels {
            labels[row] = labels[row].map(|label| (label + 1) % 3);
        }
    }
    change(state, |evaluation| evaluation.labels_changed = true);
}

/// The test split beside two earlier runs: the latest mends seven rows, breaks three, and leaves two as they were.
pub(crate) fn compared() -> State {
    let mut state = evaluated();
    change(&mut state, |evaluation| {
        let classes: Vec<String> =
            evaluation.tasks[0].classes.iter().map(|class| class.name.clone()).collect();
        let row = |row: usize, before: u32, now: u32| Compared { row, label: 1, before, now };
        let task = |fixed: usize| TaskComparison {
            classes_before: classes.clone(),
            fixed: (0..fixed).map(|at| row(301 + 7 * at, 0, 1)).collect(),
            broken: (0..3).map(|at| row(305 + 7 * at, 1, 2)).collect(),
            still_wrong: vec![row(308, 0, 2), row(320, 0, 0)],
            both_right: 48,
        };
        let run =
            |name: &str, fixed| RunComparison { run: name.into(), tasks: vec![Some(task(fixed)), None] };
        evaluation.compared = vec![run("heads", 7), run("probe", 3)];
    });
    state
}

/// Probabilities and true classes of 200 rows of a task with 12 classes whose model is too shy: most of what is there
/// is found below 0.5.
fn shy() -> Vec<(Vec<f32>, Vec<u32>)> {
    let row = |row: usize| {
        let truth: Vec<u32> = (0..12).filter(|class| noise(row * 12 + *class as usize) < 0.2).collect();
        let p = |class: u32| {
            let noise = noise(7919 + row * 12 + class as usize) as f32;
            if truth.contains(&class) { 0.15 + 0.65 * noise } else { 0.4 * noise * noise }
        };
        ((0..12).map(p).collect(), truth)
    };
    (0..200).map(row).collect()
}

/// Entities of the test rows by type, first and last word: as they are labelled, and as they are said.
type Spans = &'static [(usize, usize, usize)];
const ENTITIES: [(Spans, Spans); 5] = [
    (&[(0, 0, 1), (0, 10, 11)], &[(0, 1, 1), (0, 10, 11)]),
    (&[(0, 0, 1), (1, 3, 3)], &[(0, 0, 1)]),
    (&[(0, 3, 4), (1, 7, 9)], &[(0, 1, 1), (0, 3, 4), (0, 7, 9)]),
    (&[(0, 4, 5)], &[(0, 4, 5), (0, 7, 7)]),
    (&[(0, 0, 0)], &[(0, 0, 0)]),
];

/// What became of them; every text is that of a message.
fn entities() -> SpansSaid {
    let spans = |all: Spans| -> Vec<Span> {
        all.iter().map(|(kind, first, last)| Span { kind: *kind, first: *first, last: *last }).collect()
    };
    let mut counts = SpanVerdict::ALL.map(|verdict| (verdict, 0));
    let mut rows = Vec::new();
    for row in 300..360 {
        let (labelled, said) = ENTITIES[row % 12 % ENTITIES.len()];
        let spans = judge_spans(&spans(labelled), &spans(said));
        for (verdict, count) in &mut counts {
            *count += spans.iter().filter(|span| span.verdict == *verdict).count();
        }
        if spans.iter().any(|span| span.verdict != SpanVerdict::Right) {
            rows.push(SpanRow { row, cut_at: (row == 301).then_some(8), spans });
        }
    }
    SpansSaid { types: vec!["THING".into(), "TIME".into()], counts, wrong_rows: rows.len(), rows }
}

/// A task of every kind, with what is kept of each.
pub(crate) fn every_kind_in_full() -> State {
    let mut state = every_kind();
    change(&mut state, |evaluation| {
        let rows = shy();
        let rows = rows.iter().map(|(p, truth)| (p.as_slice(), truth.as_slice()));
        let classes: Vec<String> = (1..=12).map(|number| format!("theme {number}")).collect();
        let (p, truth): (Vec<_>, Vec<_>) = shy().into_iter().unzip();
        evaluation.tasks[1] = TaskMetrics::of_sets("themes", &classes, &p.concat(), &truth);
        evaluation.said[3] = RowResults::Spans(entities());
        evaluation.said[1] = RowResults::Sets(threshold_curve(12, rows));
    });
    state
}

/// The same with one task alone, for pictures of it.
pub(crate) fn alone(task: usize) -> State {
    let mut state = every_kind_in_full();
    change(&mut state, |evaluation| {
        evaluation.tasks = vec![evaluation.tasks.swap_remove(task)];
        evaluation.said = vec![evaluation.said.swap_remove(task)];
    });
    state
}
