//! States of the rows on the Data page: changed, looked for, counted.

use std::sync::Arc;

use frostline::data::dataset::Split;
use frostline::data::edit::fix::Fix;
use frostline::data::edit::{Cell, Changes, Correction, EditReport};
use frostline::data::query::RowQuery;
use frostline::session::state::{ChangedFile, DataView, Loadable, RowsView, State, TokenLengths};

/// Three fixes, a correction that holds and one that does not any more, a search, and lengths in tokens.
pub(crate) fn changed(mut state: State) -> State {
    let correction = |line, now: &str| Correction {
        file: "/home/kim/messages/train.csv".into(),
        line,
        nth: 0,
        cell: Cell::Label("sentiment".into()),
        was: "neutral".into(),
        now: now.into(),
    };
    state.project.changes = Changes {
        corrections: vec![correction(3, "positive"), correction(21, "")],
        fixes: vec![
            Fix::JoinLeaks,
            Fix::DropRepeats,
            Fix::MergeClasses {
                task: "topic".into(),
                from: vec!["Delivery".into(), "DELIVERY".into()],
                into: "delivery".into(),
            },
        ],
    };
    let Loadable::Ready(data) = &state.data else { unreachable!() };
    let mut view = DataView::clone(data);
    view.outcome = EditReport { corrected: 1, stale: vec![1], fixed: vec![12, 107, 31], rows: None };
    view.files
        .iter_mut()
        .take(1)
        .for_each(|file| file.notes.push("The first 2 lines stand above the table.".into()));
    state.data = Loadable::Ready(Arc::new(view));
    state.rows = RowsView {
        query: RowQuery { words: "phone".into(), split: Some(Split::Train), ..RowQuery::default() },
        found: Some(Arc::new(vec![2, 3, 14, 15])),
        searching: false,
    };
    let spread = |index: u32| 9 + index % 17 + index % 23 + (index % 31) * (index % 31) / 8;
    let mut lengths: Vec<u32> = (0..960).map(spread).chain([140, 180, 212, 333]).collect();
    lengths.sort_unstable();
    state.lengths = Loadable::Ready(Arc::new(TokenLengths { of: lengths.len(), lengths, is_open: false }));
    let changed = |path: &str, is_gone| ChangedFile { path: path.into(), is_gone };
    state.changed_files =
        vec![changed("/home/kim/messages/valid.csv", false), changed("/home/kim/messages/test.csv", true)];
    state
}
