//! The confusion matrix, and the pairs that are mixed up most.

use eframe::egui::{Button, Color32, Grid, RichText, Ui, vec2};

use super::rows::class_name;
use crate::format::numbers::thousands;
use crate::train::metrics::{MOST_MATRIX_CLASSES, TaskMetrics};
use crate::ui::explain;
use crate::ui::panels::layout::{digits, grid_number, head};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::matrix::{Matrix, confused_pairs, row_share, shorten};
use crate::ui::widgets::numbers::percent;

/// With more classes than this the pairs are listed too, since names no longer fit beside the cells.
const LIST_PAIRS_FROM: usize = 9;

/// Draws the matrix; a click on a cell chooses it, a second one lets it go.
pub(super) fn confusion_ui(ui: &mut Ui, metrics: &TaskMetrics, chosen: &mut Option<(usize, usize)>) {
    let help = |ui: &mut Ui| {
        explain::explain_ui(ui, &explain::CONFUSION);
        widgets::copy_table_button(ui, "the confusion matrix", || as_cells(metrics));
    };
    widgets::card_with(ui, "Confusion matrix", help, |ui| {
        let palette = Palette::of(ui);
        if metrics.confusion.is_empty() && !metrics.classes.is_empty() {
            ui.label(format!(
                "No matrix is kept of more than {} classes. The table of classes has precision and recall of each.",
                thousands(MOST_MATRIX_CLASSES as u64)
            ));
            return;
        }
        ui.label(
            RichText::new("rows: what the label says; columns: what the model says")
                .small()
                .color(palette.muted),
        );
        let names: Vec<String> = metrics.classes.iter().map(|class| class.name.clone()).collect();
        let fill = |label: usize, predicted: usize| cell_fill(palette, metrics, label, predicted);
        let count = |label: usize, predicted: usize| {
            metrics.confusion.get(label).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
        };
        let sentence = |label: usize, predicted: usize| {
            let count = count(label, predicted);
            let rows = if count == 1 { "row" } else { "rows" };
            format!(
                "{count} {rows} labelled {}, predicted {} ({} of the label)",
                class_name(metrics, label),
                class_name(metrics, predicted),
                percent(f64::from(row_share(&metrics.confusion, label, predicted)))
            )
        };
        let matrix = Matrix {
            name: &format!("confusion matrix of {}", metrics.task),
            names: &names,
            fill: &fill,
            text: &|label, predicted| count(label, predicted).to_string(),
            sentence: &sentence,
            selected: *chosen,
        };
        let many = names.len() >= LIST_PAIRS_FROM;
        let height = if many { 330.0 } else { 380.0 };
        if let Some(cell) = matrix.show(ui, vec2(ui.available_width(), height)) {
            *chosen = if *chosen == Some(cell) { None } else { Some(cell) };
        }
        if many {
            pairs_ui(ui, metrics, chosen);
        }
    });
}

/// Right in one hue, wrong in another; the root lifts small shares into sight.
fn cell_fill(palette: &Palette, metrics: &TaskMetrics, label: usize, predicted: usize) -> Option<Color32> {
    let share = row_share(&metrics.confusion, label, predicted);
    let hue = if label == predicted { palette.accent } else { palette.error };
    (share > 0.0).then(|| palette.tint(hue, 0.1 + 0.9 * share.sqrt()))
}

fn pairs_ui(ui: &mut Ui, metrics: &TaskMetrics, chosen: &mut Option<(usize, usize)>) {
    ui.add_space(theme::GRID);
    ui.strong("Mixed up most often");
    Grid::new("pairs").num_columns(3).striped(true).spacing([12.0, 2.0]).show(ui, |ui| {
        ui.label(head(ui, "label, taken as"));
        grid_number(ui, 44.0, head(ui, "rows"));
        grid_number(ui, 80.0, head(ui, "of the label"));
        ui.end_row();
        for pair in confused_pairs(&metrics.confusion, 6) {
            let cell = (pair.label, pair.predicted);
            let (label, predicted) = (class_name(metrics, pair.label), class_name(metrics, pair.predicted));
            let text = format!("{} as {}", shorten(&label, 22), shorten(&predicted, 22));
            let button = ui.add(Button::selectable(*chosen == Some(cell), RichText::new(text).small()));
            if button
                .on_hover_text(format!("Show the rows labelled {label}, predicted {predicted}"))
                .clicked()
            {
                *chosen = if *chosen == Some(cell) { None } else { Some(cell) };
            }
            grid_number(ui, 44.0, digits(pair.count.to_string()));
            grid_number(ui, 80.0, digits(percent(pair.share)));
            ui.end_row();
        }
    });
}

/// Labels down, predictions across.
fn as_cells(metrics: &TaskMetrics) -> Vec<Vec<String>> {
    let names = || metrics.classes.iter().map(|class| class.name.clone());
    let mut rows = vec![std::iter::once("label \\ prediction".to_owned()).chain(names()).collect()];
    for (name, counts) in names().zip(&metrics.confusion) {
        rows.push(std::iter::once(name).chain(counts.iter().map(ToString::to_string)).collect());
    }
    rows
}
