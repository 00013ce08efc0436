//! Beneath the maps: the classes' colours, the neighbours of the clicked row, and the rows that moved most.

use eframe::egui::{Button, RichText, ScrollArea, Ui};

use super::map_view::MapView;
use crate::data::dataset::Dataset;
use crate::data::task::TaskKind;
use crate::session::command::Command;
use crate::session::state::{DataMap, State};
use crate::ui::actions::Actions;
use crate::ui::explain;
use crate::ui::panels::layout::{columns, digits, grid_number};
use crate::ui::panels::neighbours::{NEIGHBOURS, neighbours_ui};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::matrix::shorten;
use crate::ui::widgets::swatch_label;

/// More names than this are left to the pointer.
const NAMED: usize = 30;

/// Colours and names of a task's classes.
pub(super) fn legend_ui(ui: &mut Ui, dataset: &Dataset, task: usize) {
    let labels = dataset.tasks.get(task).filter(|labels| labels.kind == TaskKind::SingleLabel);
    let Some(labels) = labels else { return };
    let palette = Palette::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0 * theme::GRID;
        for (class, name) in labels.classes.iter().enumerate().take(NAMED) {
            swatch_label(ui, palette.class(class), &shorten(name, 24));
        }
        if let Some(more) = labels.classes.len().checked_sub(NAMED).filter(|more| *more > 0) {
            ui.label(
                RichText::new(format!("and {more} more: point at a dot to read its class"))
                    .color(palette.muted),
            );
        }
        if (0..dataset.rows()).any(|row| labels.class(row).is_none()) {
            swatch_label(ui, palette.muted, "no label");
        }
    });
}

/// Neighbours of the clicked row, and the biggest movers.
pub(super) fn lists_ui(
    ui: &mut Ui,
    state: &State,
    map: &DataMap,
    dataset: &Dataset,
    view: &mut MapView,
    actions: &mut Actions,
) {
    ui.separator();
    match &mut view.chosen {
        Some(row) => neighbours_ui(ui, state, row, view.task, actions),
        None => {
            widgets::caption(ui, "Click a point to see its nearest neighbours before and after fine-tuning.");
        }
    }
    if map.movers.is_empty() {
        return;
    }
    ui.separator();
    ui.horizontal(|ui| {
        ui.strong("Biggest movers");
        explain::explain_ui(ui, &explain::MOVERS);
    });
    ScrollArea::vertical().id_salt("movers").max_height(190.0).show(ui, |ui| {
        // Two columns: fifty texts would else push the playground out of sight.
        let half = map.movers.len().div_ceil(2);
        let (first, second) = map.movers.split_at(half.min(map.movers.len()));
        columns(ui, theme::SECTION_GAP, |[left, right]| {
            for (ui, movers) in [(left, first), (right, second)] {
                ui.spacing_mut().item_spacing.y = 2.0;
                for (index, moved) in movers {
                    let Some(row) = map.rows.get(*index).copied() else { continue };
                    mover_ui(ui, dataset, row, *moved, &mut view.chosen, actions);
                }
            }
        });
    });
}

fn mover_ui(
    ui: &mut Ui,
    dataset: &Dataset,
    row: usize,
    moved: f32,
    chosen: &mut Option<usize>,
    actions: &mut Actions,
) {
    ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = 22.0;
        ui.spacing_mut().button_padding.y = 1.0;
        grid_number(ui, 44.0, digits(format!("{moved:.3}"))).on_hover_text("1 - cosine of before and after");
        let text = dataset.text(row);
        let button = Button::selectable(*chosen == Some(row), RichText::new(text).small()).truncate();
        if ui.add(button).on_hover_text(text).clicked() {
            *chosen = Some(row);
            actions.send(Command::Neighbours { row, k: NEIGHBOURS });
        }
    });
}
