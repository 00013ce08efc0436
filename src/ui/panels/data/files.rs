//! The list of files: how each was understood, its split, and what was wrong in it.

use std::path::Path;

use eframe::egui;
use egui::{ComboBox, Label, RichText, Role, Ui, WidgetInfo};

use super::reading::reading_ui;
use crate::data::dataset::Split;
use crate::data::table::{Format, Quoting};
use crate::session::command::Edit;
use crate::session::state::{DataView, FilePreview, Severity, State};
use crate::ui::actions::{Action, Actions};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{self, icon::Icon, numbers};

/// Most problems that are listed per file; the rest are counted.
const PROBLEMS_SHOWN: usize = 50;

/// Draws the card.
pub(super) fn files_ui(ui: &mut Ui, state: &State, data: &DataView, actions: &mut Actions) {
    widgets::card(ui, "", |ui| {
        widgets::title_line(ui, "Files", |ui| {
            widgets::action_button(ui, state, actions, Action::OpenData);
            widgets::action_button(ui, state, actions, Action::AddData);
        });
        for (index, file) in data.files.iter().enumerate() {
            if index > 0 {
                ui.separator();
            }
            ui.push_id(index, |ui| file_ui(ui, state, data, file, actions));
        }
        if data.files.iter().any(|file| !file.problems.is_empty()) {
            ui.separator();
            skip_ui(ui, state, actions);
        }
    });
}

fn file_ui(ui: &mut Ui, state: &State, data: &DataView, file: &FilePreview, actions: &mut Actions) {
    let path = &file.facts.path;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    ui.horizontal(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            remove_ui(ui, state, path, &name, actions);
            let is_by_itself = state.project.files.iter().any(|entry| entry.path == *path);
            ui.add_enabled_ui(is_by_itself, |ui| split_choice_ui(ui, file, &name, actions));
            if !is_by_itself {
                list_folder_ui(ui, state, data, path, actions);
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(Label::new(RichText::new(name.as_ref()).strong()).truncate())
                    .on_hover_text(path.display().to_string());
            });
        });
    });
    widgets::caption(ui, &facts(file));
    for note in &file.notes {
        widgets::message(ui, Severity::Info, note);
    }
    if !file.problems.is_empty() {
        problems_ui(ui, file);
    }
    let is_text = !matches!(file.facts.format, Format::Parquet | Format::Folder);
    // A folder that was opened stands for the files in it.
    let entry = state.project.files.iter().find(|entry| path.starts_with(&entry.path));
    if let (true, Some(entry)) = (is_text, entry) {
        reading_ui(ui, entry, &name, actions);
    }
}

/// Puts the files of a folder in its place, so that each can be told something of its own.
fn list_folder_ui(ui: &mut Ui, state: &State, data: &DataView, path: &Path, actions: &mut Actions) {
    let Some(entry) = state.project.files.iter().find(|entry| path.starts_with(&entry.path)) else { return };
    let inside = data.files.iter().map(|file| &file.facts.path).filter(|file| file.starts_with(&entry.path));
    let inside: Vec<_> = inside.cloned().collect();
    if inside.first().is_some_and(|first| first == path) {
        let button = ui.button("List its files");
        let tip = "Takes up the folder's files one by one, so that each can be given a split. Files that are put into \
                   the folder later are not taken up by themselves then.";
        if button.on_hover_text(tip).clicked() {
            actions.send(Edit::ListFolder(entry.path.clone(), inside));
        }
    }
}

/// Draws a file or folder that was not read: where it is, and the way to be rid of it.
pub(super) fn unread_ui(ui: &mut Ui, state: &State, path: &Path, actions: &mut Actions) {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    ui.horizontal(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            remove_ui(ui, state, path, &name, actions);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(Label::new(RichText::new(name.as_ref()).strong()).truncate());
            });
        });
    });
    widgets::caption(ui, &path.display().to_string());
}

/// Takes a file out of the project, or the folder that it was opened with.
fn remove_ui(ui: &mut Ui, state: &State, path: &Path, name: &str, actions: &mut Actions) {
    let Some(entry) = state.project.files.iter().find(|entry| path.starts_with(&entry.path)) else { return };
    let what = if entry.path == path {
        format!("Remove {name}")
    } else {
        let folder = entry.path.file_name().unwrap_or(entry.path.as_os_str()).to_string_lossy();
        format!("Remove the folder {folder} that {name} is in")
    };
    if widgets::icon_button(ui, Icon::Close, &what).clicked() {
        let others = state.project.files.iter().map(|other| other.path.clone());
        actions.send(Edit::SetFiles(others.filter(|other| *other != entry.path).collect()));
    }
}

fn facts(file: &FilePreview) -> String {
    let mut format = file.facts.format.title();
    if let Format::Delimited { quoting, .. } = file.facts.format {
        format += match quoting {
            Quoting::Doubled => "",
            Quoting::Backslash => ", quotes escaped by backslashes",
            Quoting::Literal => ", quotes are literal",
        };
    }
    if file.facts.gzip {
        format += ", gzip";
    }
    let names_columns = matches!(file.facts.format, Format::Delimited { .. }) && !file.facts.has_header;
    let header = if names_columns { ", no header" } else { "" };
    let rows = numbers::counted(file.rows, "row", "rows");
    format!("{format}{header}  \u{b7}  {}  \u{b7}  {rows}", file.facts.encoding.to_uppercase())
}

fn split_choice_ui(ui: &mut Ui, file: &FilePreview, name: &str, actions: &mut Actions) {
    const BY_RULE: &str = "by rule";
    let chosen = file.split.map_or(BY_RULE, Split::name);
    let combo = ComboBox::from_id_salt("split").selected_text(chosen).width(72.0).show_ui(ui, |ui| {
        for split in [None, Some(Split::Train), Some(Split::Valid), Some(Split::Test)] {
            let label = split.map_or(BY_RULE, Split::name);
            if ui.selectable_label(split == file.split, label).clicked() && split != file.split {
                actions.send(Edit::SetFileSplit(file.facts.path.clone(), split));
            }
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, format!("Split of {name}")));
    let response = combo.response.on_disabled_hover_text(
        "The file was opened with its folder: its name, or that of the folder it is in, says its split. List the \
         folder's files one by one to choose.",
    );
    response.on_hover_text(
        "Train rows teach, valid rows choose the best epoch, test rows are measured once at the end. \
         By rule: the split column says so, or rows are drawn at random, each class in proportion.",
    );
}

fn problems_ui(ui: &mut Ui, file: &FilePreview) {
    let warn = Palette::of(ui).warn;
    let title = numbers::counted(file.problems.len(), "row with a problem", "rows with problems");
    egui::CollapsingHeader::new(RichText::new(title).color(warn)).id_salt("problems").show(ui, |ui| {
        egui::ScrollArea::vertical().max_height(120.0).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = theme::GRID;
            for problem in file.problems.iter().take(PROBLEMS_SHOWN) {
                ui.add(Label::new(format!("line {}: {}", problem.line, problem.reason)).wrap());
            }
            if file.problems.len() > PROBLEMS_SHOWN {
                widgets::caption(ui, &format!("and {} more", file.problems.len() - PROBLEMS_SHOWN));
            }
        });
    });
}

fn skip_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let mut skip = state.project.skip_bad_rows;
    let response = ui.checkbox(&mut skip, "Skip rows that cannot be read");
    if response.on_hover_text("Nothing is left out unless you say so here").changed() {
        actions.send(Edit::SkipBadRows(skip));
    }
    if !state.project.skip_bad_rows {
        widgets::message(ui, Severity::Warning, "Until then, such rows stop the load.");
    }
}
