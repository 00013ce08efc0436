//! The nearest rows to one row, before and after fine-tuning, side by side.

use eframe::egui::{Button, Grid, Label, RichText, Ui};

use super::layout::{columns, digits, grid_number};
use crate::data::dataset::Dataset;
use crate::session::command::Command;
use crate::session::state::{Loadable, Severity, State};
use crate::ui::actions::Actions;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;

/// How many neighbours are asked for.
pub(crate) const NEIGHBOURS: usize = 8;

/// Lists the neighbours of `row` with their labels of `task`; a click asks for those of a neighbour, which takes
/// the row's place.
pub(crate) fn neighbours_ui(ui: &mut Ui, state: &State, row: &mut usize, task: usize, actions: &mut Actions) {
    let Some(clicked) = lists_ui(ui, state, *row, task) else { return };
    *row = clicked;
    actions.send(Command::Neighbours { row: clicked, k: NEIGHBOURS });
}

fn lists_ui(ui: &mut Ui, state: &State, row: usize, task: usize) -> Option<usize> {
    let data = state.data.ready()?;
    let dataset = &data.dataset;
    ui.strong("Nearest neighbours of");
    ui.add(Label::new(format!("\"{}\"", dataset.text(row))).wrap());
    ui.label(RichText::new(origin(dataset, row)).small().color(Palette::of(ui).muted));
    let mut clicked = None;
    match &state.neighbours {
        Loadable::Loading => widgets::loading(ui, "Looking for the nearest rows"),
        Loadable::Failed(reason) => {
            widgets::message(ui, Severity::Error, reason);
        }
        Loadable::Ready(near) if near.row == row => match &near.after {
            Some(after) => columns(ui, theme::SECTION_GAP, |[left, right]| {
                let before = list_ui(left, dataset, "Before fine-tuning", &near.before, (row, task));
                clicked = list_ui(right, dataset, "After fine-tuning", after, (row, task)).or(before);
            }),
            None => clicked = list_ui(ui, dataset, "With the pretrained encoder", &near.before, (row, task)),
        },
        Loadable::Cancelled => widgets::cancelled(ui),
        Loadable::Ready(_) | Loadable::Empty => {}
    }
    clicked
}

fn list_ui(
    ui: &mut Ui,
    dataset: &Dataset,
    title: &str,
    near: &[(usize, f32)],
    (row, task): (usize, usize),
) -> Option<usize> {
    let palette = Palette::of(ui);
    let labels = dataset.tasks.get(task);
    let label = |row: usize| labels.and_then(|labels| labels.in_words(row));
    ui.add_space(theme::GRID);
    ui.label(RichText::new(title).strong());
    let width = ui.available_width();
    let mut clicked = None;
    Grid::new(title).num_columns(3).spacing([8.0, 2.0]).show(ui, |ui| {
        for (neighbour, cosine) in near {
            grid_number(ui, 44.0, digits(format!("{cosine:.3}"))).on_hover_text("Cosine similarity");
            match label(*neighbour) {
                None => ui.label(RichText::new("no label").small().color(palette.muted)),
                Some(class) => {
                    let same = label(row).as_ref() == Some(&class);
                    let colour = if same { palette.ok } else { palette.error };
                    let hint = if same { "The same label" } else { "Another label" };
                    let text = RichText::new(widgets::matrix::shorten(&class, 16)).small().color(colour);
                    ui.label(text).on_hover_text(hint)
                }
            };
            let text = dataset.text(*neighbour);
            ui.scope(|ui| {
                ui.set_max_width((width - 160.0).max(120.0));
                let button = ui.add(Button::selectable(false, RichText::new(text).small()).truncate());
                let hint = format!("{text}\n{}", origin(dataset, *neighbour));
                if button.on_hover_text(hint).clicked() {
                    clicked = Some(*neighbour);
                }
            });
            ui.end_row();
        }
    });
    clicked
}

/// File and line of a row, and its split.
pub(crate) fn origin(dataset: &Dataset, row: usize) -> String {
    let split = dataset.splits.get(row).map_or("", |split| split.name());
    let origin = dataset.origins.get(row).and_then(|(file, line)| {
        let name = dataset.files.get(*file as usize)?.file_name()?.to_string_lossy().into_owned();
        Some(format!("{name}, line {line}"))
    });
    match origin {
        Some(origin) => format!("{origin}, {split}"),
        None => split.to_owned(),
    }
}
