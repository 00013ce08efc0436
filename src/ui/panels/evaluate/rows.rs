//! Rows and classes as the cards of the page show them.

use eframe::egui::{self, Button, Ui};

use crate::data::dataset::Dataset;
use crate::train::metrics::TaskMetrics;
use crate::ui::widgets;

/// Name of a class; its number where the list is shorter than it should be.
pub(super) fn class_name(metrics: &TaskMetrics, class: usize) -> String {
    metrics.classes.get(class).map_or_else(|| format!("class {class}"), |class| class.name.clone())
}

/// A row in full, beneath the list that it was clicked in.
pub(super) fn row_text_ui(ui: &mut Ui, dataset: &Dataset, row: usize) {
    ui.separator();
    let (file, line) = dataset.origins.get(row).copied().unwrap_or_default();
    let file = dataset.files.get(file as usize).and_then(|path| path.file_name()).unwrap_or_default();
    widgets::caption(ui, &format!("{}, line {line}", file.to_string_lossy()));
    for text in [dataset.text(row), dataset.second_text(row)].into_iter().filter(|text| !text.is_empty()) {
        ui.add(egui::Label::new(text).wrap().selectable(true));
    }
}

/// Text of a table's cell that opens something: focusable, cut at the column's edge.
pub(super) fn row_button(ui: &mut Ui, selected: bool, text: &str) -> egui::Response {
    ui.add(Button::selectable(selected, text).truncate())
}
