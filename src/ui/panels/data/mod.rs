//! The Data page: files, mapping of columns, splits, label counts, findings, preview.
//!
//! It draws the tables and the card that the session read. It must never open a file.

mod card;
mod changes;
mod files;
mod lengths;
mod mapping;
mod preview;
mod reading;
mod row_editor;
mod rows;
mod sources;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use eframe::egui;
use egui::{ScrollArea, Ui};

use crate::session::command::{Command, Edit};
use crate::session::state::{DataView, Loadable, Severity, State};
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::theme;
use crate::ui::widgets::{self, icon::Icon};

/// What the page remembers between frames.
#[derive(Default)]
pub struct DataPageView {
    /// File shown in the preview.
    file: usize,
    /// Task names while they are typed, by column.
    names: BTreeMap<String, String>,
    /// The rows as training reads them.
    rows: rows::RowsPage,
    /// The first records of the files are shown instead.
    shows_files: bool,
    /// Classes with most rows first, instead of by name.
    by_count: bool,
}

/// Draws the page.
pub fn data_ui(ui: &mut Ui, state: &State, page: &mut DataPageView, actions: &mut Actions) {
    ScrollArea::vertical().id_salt("data page").auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Data.title(), Page::Data.purpose());
        match &state.data {
            Loadable::Empty => empty_ui(ui, state, actions),
            Loadable::Cancelled => cancelled_ui(ui, state, actions),
            Loadable::Loading => {
                widgets::card(ui, "", |ui| loading_ui(ui, state, actions));
            }
            Loadable::Failed(reason) => failed_ui(ui, state, reason, actions),
            Loadable::Ready(data) => ready_ui(ui, state, data, page, actions),
        }
    });
}

fn empty_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    widgets::empty_state(
        ui,
        Icon::Table,
        "Start with texts that carry labels",
        "A table with a column of texts and one or more columns of labels, one row per text: CSV, TSV, \
         JSON, Parquet or CoNLL, gzip or not; or a folder of texts for each label. Every label column becomes a task, \
         and all tasks share one encoder.",
        |ui| {
            ui.scope(|ui| {
                ui.set_max_width(ui.available_width().min(520.0));
                widgets::code_block(
                    ui,
                    "text,topic,sentiment\n\
                     \"The parcel never came.\",delivery,negative\n\
                     \"Thanks, that was quick!\",support,positive\n\
                     \"Where do I find my invoice?\",billing,",
                );
            });
            widgets::caption(
                ui,
                "A label may be missing, as in the last row: a row trains the tasks it is labelled for.",
            );
            ui.add_space(theme::GAP);
            widgets::primary_button(ui, state, actions, Action::OpenData);
            widgets::action_button(ui, state, actions, Action::AddDataFolder);
            widgets::action_button(ui, state, actions, Action::OpenDemo);
            ui.add_space(theme::GAP);
            widgets::caption(
                ui,
                "Or drop files or a folder here. Files named train, valid or test become those splits.",
            );
        },
    );
}

/// How far the reading is, and the way out of it.
fn loading_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let busy = state.busy.as_ref();
    let what = busy.map_or_else(|| "Reading the files".to_owned(), |busy| capitalised(&busy.what));
    widgets::loading(ui, &what);
    if let Some(fraction) = busy.and_then(|busy| busy.fraction) {
        ui.add(egui::ProgressBar::new(fraction).desired_width(320.0).desired_height(8.0));
    }
    if ui.button("Cancel").on_hover_text("Stops reading; the list of files stays as it is").clicked() {
        actions.send(Command::CancelReading);
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The user stopped the reading: nothing went wrong, and nothing is there.
fn cancelled_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    widgets::card(ui, "Reading was cancelled", |ui| {
        for file in &state.project.files {
            files::unread_ui(ui, state, &file.path, actions);
        }
        ui.horizontal(|ui| {
            widgets::primary_button(ui, state, actions, Action::OpenData);
            if ui.button("Read them again").clicked() {
                actions.send(Command::ReloadData);
            }
        });
    });
}

fn failed_ui(ui: &mut Ui, state: &State, reason: &str, actions: &mut Actions) {
    widgets::card(ui, "The files could not be used", |ui| {
        widgets::message(ui, Severity::Error, reason);
        for (index, file) in state.project.files.iter().enumerate() {
            files::unread_ui(ui, state, &file.path, actions);
            let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy();
            ui.push_id(index, |ui| reading::reading_ui(ui, file, &name, actions));
        }
        ui.add_space(theme::GAP);
        ui.horizontal(|ui| {
            widgets::primary_button(ui, state, actions, Action::OpenData);
            if ui.button("Read them again").clicked() {
                actions.send(Command::ReloadData);
            }
            if !state.project.skip_bad_rows {
                let skip = ui.button("Skip rows that cannot be read");
                if skip.on_hover_text("Reads the rest, and lists every row that was left out").clicked() {
                    actions.send(Edit::SkipBadRows(true));
                }
            }
            if state.project.mapping.is_some() {
                let guess = ui.button("Guess the columns anew");
                if guess.on_hover_text("Forgets which column was said to be what").clicked() {
                    let files = state.project.files.iter().map(|file| file.path.clone()).collect();
                    actions.send(Edit::SetFiles(files));
                }
            }
        });
    });
}

/// Files that are not what was read any more, and the button that reads them again.
fn changed_files_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    if state.changed_files.is_empty() {
        return;
    }
    let names = |is_gone: bool| {
        let files = state.changed_files.iter().filter(|file| file.is_gone == is_gone);
        let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        files.map(|file| name(&file.path)).collect::<Vec<_>>().join(", ")
    };
    widgets::card(ui, "", |ui| {
        let (changed, gone) = (names(false), names(true));
        if !changed.is_empty() {
            let text = format!("Changed on the disk since it was read: {changed}.");
            widgets::message(ui, Severity::Warning, &text);
        }
        if !gone.is_empty() {
            let text = format!(
                "Gone from where it was read: {gone}. What was read stays in use. Put the file back, or remove it from \
                 the list below."
            );
            widgets::message(ui, Severity::Warning, &text);
        }
        if ui.button("Read the files again").clicked() {
            actions.send(Command::ReloadData);
        }
    });
    ui.add_space(theme::GAP);
}

fn ready_ui(
    ui: &mut Ui,
    state: &State,
    data: &Arc<DataView>,
    page: &mut DataPageView,
    actions: &mut Actions,
) {
    changed_files_ui(ui, state, actions);
    page.file = page.file.min(data.files.len().saturating_sub(1));
    widgets::two_columns(ui, |left, right| {
        files::files_ui(left, state, data, actions);
        left.add_space(theme::GAP);
        card::splits_ui(left, state, data);
        left.add_space(theme::GAP);
        lengths::lengths_ui(left, state);
        mapping::mapping_ui(right, data, &mut page.names, actions);
        right.add_space(theme::GAP);
        if card::findings_ui(right, data, actions) {
            (page.shows_files, page.rows.bring_here) = (false, true);
        }
        right.add_space(theme::GAP);
        changes::changes_ui(right, state, data, actions);
    });
    ui.add_space(theme::GAP);
    card::counts_ui(ui, data, &mut page.by_count);
    ui.add_space(theme::GAP);
    widgets::card(ui, "", |ui| {
        widgets::title_line(ui, if page.shows_files { "Files" } else { "Rows" }, |ui| {
            ui.selectable_value(&mut page.shows_files, true, "First rows of the files");
            ui.selectable_value(&mut page.shows_files, false, "As training reads them");
        });
        if page.shows_files {
            preview::preview_ui(ui, data, &mut page.file);
        } else {
            rows::rows_ui(ui, state, data, &mut page.rows, actions);
        }
    });
}
