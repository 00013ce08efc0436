//! How many labelled rows each file gives to each task, by split.

use eframe::egui;
use egui::{Align, Label, Layout, RichText, ScrollArea, Ui};
use egui_extras::{Column, TableBody, TableBuilder};

use crate::data::dataset::Split;
use crate::session::state::DataView;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{icon, icon::Icon, numbers};

/// Width of a column of counts: seven digits and their commas.
const COUNT_WIDTH: f32 = 76.0;
/// Height of the table; more lines scroll.
const HEIGHT: f32 = 240.0;

/// Draws the table: a line per file and, below it, one per task; the sums come first where there are several files.
pub(super) fn sources_ui(ui: &mut Ui, data: &DataView) {
    let card = &data.card;
    let labelled: Vec<[usize; 3]> =
        card.tasks.iter().map(|task| Split::ALL.map(|split| task.labelled(split, card.rows))).collect();
    let several = card.sources.len() > 1;
    ScrollArea::horizontal().id_salt("sources across").show(ui, |ui| {
        let counts = 3.0 * (COUNT_WIDTH + ui.spacing().item_spacing.x);
        let name_width = (ui.available_width() - counts - ui.spacing().scroll.allocated_width()).max(120.0);
        let table = TableBuilder::new(ui)
            .id_salt("sources")
            .auto_shrink([false, true])
            .max_scroll_height(HEIGHT)
            .cell_layout(Layout::left_to_right(Align::Center))
            .column(Column::exact(name_width).clip(true))
            .columns(Column::exact(COUNT_WIDTH), 3);
        let header = table.header(theme::ROW_HEIGHT, |mut header| {
            header.col(|_| {});
            for split in Split::ALL {
                header.col(|ui| {
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        ui.add(Label::new(split.name()).selectable(false));
                        icon::icon(ui, Icon::Dot, Palette::of(ui).split(split as usize), 14.0);
                    });
                });
            }
        });
        header.body(|mut body| {
            line(&mut body, if several { "all files" } else { "rows" }, None, card.rows);
            tasks(&mut body, data, &labelled);
            for source in card.sources.iter().filter(|_| several) {
                let path = &source.path;
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                line(&mut body, &name, None, source.rows);
                tasks(&mut body, data, &source.labelled);
            }
        });
    });
}

fn tasks(body: &mut TableBody<'_>, data: &DataView, labelled: &[[usize; 3]]) {
    for (index, (task, counts)) in data.card.tasks.iter().zip(labelled).enumerate() {
        line(body, &task.task, Some(index), *counts);
    }
}

/// A line of the table: a file's rows, or those of them that are labelled for a task.
fn line(body: &mut TableBody<'_>, name: &str, task: Option<usize>, counts: [usize; 3]) {
    body.row(theme::ROW_HEIGHT, |mut row| {
        row.col(|ui| {
            if let Some(task) = task {
                ui.add_space(theme::GAP);
                icon::icon(ui, Icon::Dot, Palette::of(ui).task(task), 14.0);
                ui.add(Label::new(name).truncate());
            } else {
                ui.add(Label::new(RichText::new(name).strong()).truncate());
            }
        });
        for count in counts {
            row.col(|ui| {
                // What is not there is not worth as much ink.
                let text = RichText::new(numbers::thousands(count as u64)).monospace();
                let muted = Palette::of(ui).muted;
                right(ui, if count == 0 { text.color(muted) } else { text });
            });
        }
    });
}

fn right(ui: &mut Ui, text: RichText) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.add(Label::new(text).selectable(false)));
}
