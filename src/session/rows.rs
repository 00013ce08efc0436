//! Rows that are looked for, on a thread of their own: neither the worker's queue nor the window waits for a search
//! through millions of texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::Session;
use super::outbox::Wake;
use super::state::RowsView;
use crate::data::dataset::Dataset;
use crate::data::query::RowQuery;

/// The session's end of the searches.
pub(super) struct RowSearch {
    sender: Sender<(u64, Vec<u32>)>,
    /// What was found by the search that was asked for so-many-eth.
    found: Receiver<(u64, Vec<u32>)>,
    asked: u64,
    /// The switch of the search that goes on.
    stop: Arc<AtomicBool>,
    wake: Wake,
}

impl RowSearch {
    pub(super) fn new(wake: Wake) -> Self {
        let (sender, found) = unbounded();
        Self { sender, found, asked: 0, stop: Arc::default(), wake }
    }

    /// Ends the search that goes on.
    fn forget(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.asked += 1;
    }

    fn begin(&mut self, dataset: Arc<Dataset>, query: RowQuery) {
        self.forget();
        let (asked, stop) = (self.asked, Arc::new(AtomicBool::new(false)));
        self.stop = stop.clone();
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let run = move || {
            if let Some(rows) = query.find(&dataset, &|| stop.load(Ordering::Relaxed)) {
                // When the session is gone, nobody is left to tell.
                drop(sender.send((asked, rows)));
                wake();
            }
        };
        if let Err(error) = std::thread::Builder::new().name("frostline-rows".into()).spawn(run) {
            tracing::error!("no thread to look for rows could be started: {error}");
        }
    }
}

impl Drop for RowSearch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Session {
    /// Looks for rows; what was found before is shown until then.
    pub(super) fn find_rows(&mut self, query: RowQuery) {
        let (Some(search), Some(data)) = (&mut self.search, self.state.data.ready()) else {
            self.state.rows.query = query;
            return;
        };
        if query.is_all() {
            search.forget();
            self.state.rows = RowsView::default();
        } else {
            search.begin(data.dataset.clone(), query.clone());
            self.state.rows = RowsView { query, searching: true, ..std::mem::take(&mut self.state.rows) };
        }
    }

    /// The rows are others: what was found is looked for anew, except rows that were named by their numbers.
    pub(super) fn find_rows_anew(&mut self) {
        let query = RowQuery { among: None, ..std::mem::take(&mut self.state.rows).query };
        self.find_rows(query);
    }

    /// Takes in what was found; true when there was any.
    pub(super) fn take_found_rows(&mut self) -> bool {
        let Some(search) = &self.search else { return false };
        let asked = search.asked;
        let last = search.found.try_iter().filter(|(of, _)| *of == asked).last();
        let Some((_, rows)) = last else { return false };
        self.state.rows.found = Some(Arc::new(rows));
        self.state.rows.searching = false;
        true
    }
}
