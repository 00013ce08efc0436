//! The first rows of a file as they were read.

use eframe::egui;
use egui::{Label, RichText, ScrollArea, Ui};
use egui_extras::{Column, TableBuilder};

use crate::data::mapping::Mapping;
use crate::session::state::{DataView, FilePreview};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;

const HEIGHT: f32 = 280.0;
/// Width of a column that is not the text; the text has what is left.
const OTHER_WIDTH: f32 = 128.0;

/// Draws the card's contents.
pub(super) fn preview_ui(ui: &mut Ui, data: &DataView, shown: &mut usize) {
    if data.files.len() > 1 {
        ui.horizontal_wrapped(|ui| {
            for (index, file) in data.files.iter().enumerate() {
                let path = &file.facts.path;
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                ui.selectable_value(shown, index, name);
            }
        });
    }
    if let Some(file) = data.files.get(*shown) {
        widgets::caption(ui, &format!("The first {} of {} rows.", file.head.len(), file.rows));
        ui.push_id(*shown, |ui| table_ui(ui, file, &data.mapping));
    }
}

/// What a column is used for.
fn role(mapping: &Mapping, column: &str) -> Option<String> {
    if mapping.text == column {
        return Some("text".into());
    }
    if mapping.split.as_deref() == Some(column) {
        return Some("split".into());
    }
    let task = mapping.tasks.iter().find(|task| task.column == column)?;
    Some(if task.task == column { "task".into() } else { format!("task {}", task.task) })
}

fn table_ui(ui: &mut Ui, file: &FilePreview, mapping: &Mapping) {
    let palette = Palette::of(ui);
    ScrollArea::horizontal().auto_shrink([false, true]).show(ui, |ui| {
        let others =
            file.columns.len().saturating_sub(1) as f32 * (OTHER_WIDTH + ui.spacing().item_spacing.x);
        let text_width = (ui.available_width() - others - 80.0).max(440.0);
        let mut table = TableBuilder::new(ui)
            .striped(true)
            .resizable(true)
            .auto_shrink([false, true])
            .min_scrolled_height(HEIGHT)
            .max_scroll_height(HEIGHT)
            .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
            .column(Column::exact(40.0));
        for column in &file.columns {
            let width = if *column == mapping.text { text_width } else { OTHER_WIDTH };
            table = table.column(Column::initial(width).at_least(48.0).clip(true));
        }
        table
            .header(theme::ROW_HEIGHT, |mut header| {
                header.col(|ui| {
                    ui.label(RichText::new("#").color(palette.muted));
                });
                for column in &file.columns {
                    header.col(|ui| {
                        ui.add(Label::new(RichText::new(column).strong()).truncate());
                        if let Some(role) = role(mapping, column) {
                            let task = mapping.tasks.iter().position(|task| task.column == *column);
                            let colour = task.map_or(palette.muted, |task| palette.task(task));
                            ui.add(Label::new(RichText::new(role).small().color(palette.text)).truncate())
                                .on_hover_text("What the column is used for");
                            ui.painter().hline(
                                ui.max_rect().x_range(),
                                ui.max_rect().bottom(),
                                egui::Stroke::new(2.0, colour),
                            );
                        }
                    });
                }
            })
            .body(|body| {
                body.rows(theme::ROW_HEIGHT, file.head.len(), |mut row| {
                    let index = row.index();
                    let Some(cells) = file.head.get(index) else { return };
                    row.col(|ui| {
                        ui.label(RichText::new((index + 1).to_string()).small().color(palette.muted));
                    });
                    for cell in cells.iter().take(file.columns.len()) {
                        row.col(|ui| cell_ui(ui, cell.as_deref()));
                    }
                });
            });
    });
}

fn cell_ui(ui: &mut Ui, cell: Option<&str>) {
    match cell {
        // A line break would make the row's first line look like all of it.
        Some(text) if !text.is_empty() => {
            let one_line = text.replace(['\n', '\r'], " ");
            ui.add(Label::new(one_line).truncate());
        }
        Some(_) => {
            ui.label(RichText::new("empty").small().weak());
        }
        None => {
            ui.label(RichText::new("absent").small().weak()).on_hover_text("The row has no such cell");
        }
    }
}
