//! The rows that the model got wrong, most confident first, and the neighbours of the one that was clicked.

use eframe::egui::{Align, Label, Layout, RichText, Sense, Ui, vec2};
use egui_extras::{Column, TableBuilder};

use super::EvaluateView;
use super::rows::{class_name, row_button};
use crate::session::command::Command;
use crate::session::state::{Evaluation, Mistake, State};
use crate::train::metrics::TaskMetrics;
use crate::ui::actions::Actions;
use crate::ui::panels::layout::head;
use crate::ui::panels::neighbours::{NEIGHBOURS, neighbours_ui};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::numbers::{counted, percent};

/// Draws the list, its filter, and the neighbours beneath.
pub(super) fn mistakes_ui(
    ui: &mut Ui,
    state: &State,
    evaluation: &Evaluation,
    (task, metrics): (usize, &TaskMetrics),
    view: &mut EvaluateView,
    actions: &mut Actions,
) {
    let all = evaluation.mistakes.get(task).map(Vec::as_slice).unwrap_or_default();
    let shown: Vec<&Mistake> = all
        .iter()
        .filter(|m| view.cell.is_none_or(|cell| cell == (m.label as usize, m.predicted as usize)))
        .collect();
    widgets::card(ui, "Wrong, and most sure of it", |ui| {
        filter_ui(ui, metrics, all.len(), shown.len(), &mut view.cell);
        if shown.is_empty() {
            let right = view.cell.is_some_and(|(label, predicted)| label == predicted);
            let text = match (all.is_empty(), right) {
                (true, _) => "Every row of this split is right.",
                (false, true) => "The rows of this cell are right: there is no mistake to show.",
                (false, false) => "No row fell into this cell.",
            };
            widgets::caption(ui, text);
            return;
        }
        table_ui(ui, state, metrics, &shown, &mut view.mistake, actions);
        if let Some(row) = &mut view.mistake {
            ui.separator();
            neighbours_ui(ui, state, row, task, actions);
        }
    });
}

fn filter_ui(
    ui: &mut Ui,
    metrics: &TaskMetrics,
    all: usize,
    shown: usize,
    cell: &mut Option<(usize, usize)>,
) {
    let muted = Palette::of(ui).muted;
    ui.horizontal_wrapped(|ui| {
        let Some((label, predicted)) = *cell else {
            let text = format!(
                "{}. Click one to see its nearest neighbours: a mistake whose neighbours share the prediction may \
                 carry a wrong label.",
                counted(all, "mistake", "mistakes")
            );
            ui.add(Label::new(RichText::new(text).color(muted)).wrap());
            return;
        };
        let (label, predicted) = (class_name(metrics, label), class_name(metrics, predicted));
        let of_all = format!("{shown} of {}:", counted(all, "mistake", "mistakes"));
        ui.label(RichText::new(of_all).color(muted));
        ui.label(format!("labelled {label}, predicted {predicted}"));
        if ui.button("Show all").on_hover_text("Take the filter away").clicked() {
            *cell = None;
        }
    });
}

fn table_ui(
    ui: &mut Ui,
    state: &State,
    metrics: &TaskMetrics,
    shown: &[&Mistake],
    chosen: &mut Option<usize>,
    actions: &mut Actions,
) {
    let dataset = state.data.ready().map(|data| &data.dataset);
    let height = theme::ROW_HEIGHT + 2.0;
    ui.spacing_mut().item_spacing = vec2(3.0 * theme::GRID, 2.0);
    ui.spacing_mut().button_padding.x = 0.0;
    TableBuilder::new(ui)
        .id_salt("mistakes")
        .striped(true)
        .sense(Sense::click())
        .max_scroll_height(10.0 * height)
        .min_scrolled_height(10.0 * height)
        .auto_shrink([false, true])
        .cell_layout(Layout::left_to_right(Align::Center))
        .column(Column::exact(76.0))
        .column(Column::exact(130.0).clip(true))
        .column(Column::exact(130.0).clip(true))
        .column(Column::remainder().clip(true))
        .header(22.0, |mut row| {
            row.col(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| ui.label(head(ui, "confidence")));
            });
            for text in ["label", "predicted", "text"] {
                row.col(|ui| {
                    ui.label(head(ui, text));
                });
            }
        })
        .body(|body| {
            body.rows(height, shown.len(), |mut row| {
                let Some(mistake) = shown.get(row.index()) else { return };
                let selected = *chosen == Some(mistake.row);
                row.set_selected(selected);
                row.col(|ui| {
                    widgets::number(ui, percent(f64::from(mistake.confidence)));
                });
                row.col(|ui| {
                    let text =
                        RichText::new(class_name(metrics, mistake.label as usize)).color(Palette::of(ui).ok);
                    ui.add(Label::new(text).truncate());
                });
                row.col(|ui| {
                    let name = class_name(metrics, mistake.predicted as usize);
                    ui.add(Label::new(RichText::new(name).color(Palette::of(ui).error)).truncate());
                });
                let text = dataset.map_or("", |dataset| dataset.text(mistake.row));
                let mut clicked = false;
                row.col(|ui| clicked = row_button(ui, selected, text).on_hover_text(text).clicked());
                if clicked || row.response().clicked() {
                    *chosen = Some(mistake.row);
                    actions.send(Command::Neighbours { row: mistake.row, k: NEIGHBOURS });
                }
            });
        });
}
