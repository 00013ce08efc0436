//! The session's side of data: when it is read, changed, looked through and looked after.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Session;
use super::changed_file::{ChangedFile, FileState};
use super::command::Edit;
use super::event::{DataRequest, Work};
use super::file_watcher::FileWatcher;
use super::state::{DataView, Loadable, RowsView, Severity};
use crate::data::edit::{Cell, Correction};
use crate::data::split::{SPLIT_SEED, SplitRule};

impl Session {
    /// Reads the draft's files.
    pub(super) fn load_data(&mut self) {
        self.forget_rows();
        self.data_generation += 1;
        self.state.rows = RowsView::default();
        self.state.changed_files.clear();
        self.watch = None;
        if self.state.project.files.is_empty() {
            self.state.data = Loadable::Empty;
            self.queue(Work::ForgetData);
            return;
        }
        let project = &self.state.project;
        let request = DataRequest {
            files: project.files.clone(),
            mapping: project.mapping.clone(),
            changes: project.changes.clone(),
            skip_bad_rows: project.skip_bad_rows,
            rule: SplitRule { valid: project.valid_fraction, test: project.test_fraction, seed: SPLIT_SEED },
        };
        self.state.data = Loadable::Loading;
        self.queue(Work::LoadData { generation: self.data_generation, request });
    }

    /// Answers at once, whatever the worker is at: what it still finds is not asked for any more.
    pub(super) fn cancel_reading(&mut self) {
        if self.state.data != Loadable::Loading {
            return;
        }
        self.data_generation += 1;
        self.state.data = Loadable::Cancelled;
        let reading = self.worker.iter().flat_map(|worker| &worker.pending).filter(|job| job.reads);
        reading.for_each(|job| job.stop.store(true, Ordering::Relaxed));
        self.queue(Work::ForgetData);
    }

    /// Makes the draft's changes on the rows as they were read; these are shown until then.
    pub(super) fn change_data(&mut self) {
        self.data_generation += 1;
        let changes = self.state.project.changes.clone();
        self.queue(Work::ChangeData { generation: self.data_generation, changes });
    }

    /// What speaks of rows by their numbers means nothing once the rows are others.
    pub(super) fn forget_rows(&mut self) {
        self.earlier.forget();
        (self.state.evaluation, self.state.rate_search) = (Loadable::Empty, Loadable::Empty);
        (self.state.map, self.state.neighbours) = (Loadable::Empty, Loadable::Empty);
    }

    /// Where only labels are others than before, what was measured still speaks of the same rows: it stays, and says
    /// that it is of the labels before.
    fn keep_rows(&mut self) {
        if let Loadable::Ready(evaluation) = &mut self.state.evaluation {
            Arc::make_mut(evaluation).labels_changed = true;
        }
        self.state.rate_search = Loadable::Empty;
        (self.state.map, self.state.neighbours) = (Loadable::Empty, Loadable::Empty);
    }

    /// The rows are there, or others than those `before`. Answers that were on their way spoke of these.
    pub(super) fn data_arrived(&mut self, before: Option<&Arc<DataView>>) {
        let now = self.state.data.ready();
        let same = before.zip(now).is_some_and(|(before, now)| before.dataset.has_rows_of(&now.dataset));
        if same {
            self.keep_rows();
        } else {
            self.forget_rows();
        }
        self.find_rows_anew();
        self.preview_plan();
        self.measure_lengths();
        let (Some(data), Some(desk)) = (self.state.data.ready(), &self.desk) else { return };
        if self.watch.is_none() {
            let files = data.files.iter().map(|file| (file.facts.path.clone(), file.facts.stamp.clone()));
            self.watch = Some(FileWatcher::of(files.collect(), desk.wake()));
        }
        let stale = data.outcome.stale.len();
        if stale > 0 {
            let what = if stale == 1 { "1 correction was" } else { &format!("{stale} corrections were") };
            let text = format!(
                "{what} left out: the file holds something else there than when it was corrected. The Data page lists \
                 them."
            );
            self.notify(Severity::Warning, text);
        }
    }

    /// Corrects a cell of a row that is shown.
    pub(super) fn correct(&mut self, row: usize, cell: Cell, now: &str) {
        let Some(data) = self.state.data.ready() else { return };
        if let Some(correction) = Correction::of_row(&data.read, data.row_read(row), cell, now) {
            let stale = self.drafts.edit(&mut self.state.project, Edit::Correct(correction));
            self.refresh(stale);
        }
    }

    /// Counts the tokens of the texts, once there are texts and a tokeniser.
    pub(super) fn measure_lengths(&mut self) {
        self.state.lengths = Loadable::Empty;
        if self.state.data.ready().is_some() && self.state.model.ready().is_some() {
            let prompt = self.state.project.recipe.prompt.clone();
            if self.queue(Work::MeasureLengths { prompt }) {
                self.state.lengths = Loadable::Loading;
            }
        }
    }

    /// Takes in which files are others by now, gone, or back; true when there was any.
    pub(super) fn take_changed_files(&mut self) -> bool {
        let changed: Vec<_> = self.watch.iter().flat_map(|watch| watch.changed.try_iter()).collect();
        let any = !changed.is_empty();
        for (path, now) in changed {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            let (severity, text) = match now {
                FileState::Same => (Severity::Info, format!("{name} is there again, as it was read.")),
                FileState::Changed => (
                    Severity::Warning,
                    format!(
                        "{name} has changed on the disk since it was read. What was read stays in use until you read the \
                         files again, on the Data page."
                    ),
                ),
                FileState::Gone => (
                    Severity::Warning,
                    format!(
                        "{name} is gone: it was deleted or moved since it was read. What was read stays in use; put the \
                         file back, or remove it on the Data page."
                    ),
                ),
            };
            self.notify(severity, text);
            self.state.changed_files.retain(|known| known.path != path);
            if now != FileState::Same {
                self.state.changed_files.push(ChangedFile { path, is_gone: now == FileState::Gone });
            }
        }
        any
    }
}
