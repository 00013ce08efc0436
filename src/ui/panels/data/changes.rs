//! What the user changed in the rows: fixes in force and corrected cells, each to be taken back.

use eframe::egui;
use egui::{Label, RichText, ScrollArea, Ui};

use crate::data::edit::{Cell, Correction};
use crate::session::command::Edit;
use crate::session::state::{DataView, Severity, State};
use crate::ui::actions::Actions;
use crate::ui::theme::Palette;
use crate::ui::widgets::{self, icon::Icon, numbers};

/// Draws the card, where there is anything.
pub(super) fn changes_ui(ui: &mut Ui, state: &State, data: &DataView, actions: &mut Actions) {
    let changes = &state.project.changes;
    if changes.is_empty() {
        return;
    }
    widgets::card(ui, "Changes", |ui| {
        widgets::caption(
            ui,
            "Made on the rows as they are read, kept in the project; your files stay as they are.",
        );
        for (index, fix) in changes.fixes.iter().enumerate() {
            ui.push_id(("fix", index), |ui| {
                let rows = data.outcome.fixed.get(index).copied();
                let rows = rows.map_or_else(String::new, |rows| numbers::counted(rows, "row", "rows"));
                if line_ui(ui, &fix.title(), &rows, "Take this fix back") {
                    actions.send(Edit::RemoveFix(index));
                }
            });
        }
        if !changes.corrections.is_empty() {
            corrections_ui(ui, &changes.corrections, &data.outcome.stale, actions);
        }
    });
}

/// A line with a button at its end; true when that was clicked.
fn line_ui(ui: &mut Ui, text: &str, more: &str, undo: &str) -> bool {
    let mut clicked = false;
    ui.horizontal(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            clicked = widgets::icon_button(ui, Icon::Close, undo).clicked();
            ui.label(RichText::new(more).color(Palette::of(ui).muted));
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(Label::new(text).truncate());
            });
        });
    });
    clicked
}

fn corrections_ui(ui: &mut Ui, corrections: &[Correction], stale: &[usize], actions: &mut Actions) {
    if !stale.is_empty() {
        let those = numbers::counted(stale.len(), "correction does", "corrections do");
        let text = format!("{those} not fit the file any more, which holds something else there.");
        widgets::message(ui, Severity::Warning, &text);
        if ui.button("Forget what does not fit").clicked() {
            actions.send(Edit::ForgetCorrections(stale.to_vec()));
        }
    }
    let title = numbers::counted(corrections.len(), "corrected cell", "corrected cells");
    egui::CollapsingHeader::new(title).id_salt("corrections").show(ui, |ui| {
        ScrollArea::vertical().max_height(160.0).auto_shrink([false, true]).show_rows(
            ui,
            ui.spacing().interact_size.y,
            corrections.len(),
            |ui, range| {
                for index in range {
                    let Some(correction) = corrections.get(index) else { continue };
                    ui.push_id(index, |ui| {
                        let more = if stale.contains(&index) { "does not fit" } else { "" };
                        if line_ui(ui, &in_words(correction), more, "Take this correction back") {
                            actions.send(Edit::ForgetCorrections(vec![index]));
                        }
                    });
                }
            },
        );
    });
}

fn in_words(correction: &Correction) -> String {
    let Correction { file, line, cell, was, now, .. } = correction;
    let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let or_none = |label: &str| if label.is_empty() { "no label".to_owned() } else { label.to_owned() };
    match cell {
        Cell::Text => format!("{file}, line {line}: {now}"),
        Cell::Label(task) => {
            format!("{file}, line {line}: {task}: {} \u{2192} {}", or_none(was), or_none(now))
        }
    }
}
