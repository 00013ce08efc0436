//! The map of the data: the same rows before and after fine-tuning, coloured by any task, searched and clicked.

use std::collections::HashMap;

use eframe::egui::{Color32, ComboBox, Id, RichText, TextEdit, Ui};

use super::ask::{ask_button, blocked};
use super::map_lists::{legend_ui, lists_ui};
use super::map_view::MapView;
use crate::data::dataset::Dataset;
use crate::data::task::TaskKind;
use crate::session::command::Command;
use crate::session::state::{DataMap, Loadable, Severity, State};
use crate::ui::actions::Actions;
use crate::ui::explain;
use crate::ui::panels::layout::columns;
use crate::ui::panels::neighbours::{NEIGHBOURS, origin};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::numbers::{counted, percent, thousands};
use crate::ui::widgets::scatter::{Scatter, ScatterResponse, extent};

/// How many rows may be drawn.
const LIMITS: [usize; 4] = [500, 1000, 2000, 5000];

/// Draws the card.
pub(super) fn map_ui(ui: &mut Ui, state: &State, view: &mut MapView, actions: &mut Actions) {
    let help = |ui: &mut Ui| explain::explain_ui(ui, &explain::PCA);
    widgets::card_with(ui, "Map of the data", help, |ui| {
        request_ui(ui, state, view, actions);
        match &state.map {
            Loadable::Empty => {
                widgets::caption(
                    ui,
                    "Every row of the data becomes a point; rows with similar embeddings lie close together. Before \
                     and after fine-tuning are drawn side by side.",
                );
            }
            Loadable::Cancelled => widgets::cancelled(ui),
            Loadable::Loading => widgets::loading(ui, "Encoding the rows and projecting them to the plane"),
            Loadable::Failed(reason) => {
                widgets::message(ui, Severity::Error, reason);
            }
            Loadable::Ready(map) => {
                if let Some(data) = state.data.ready() {
                    drawn_ui(ui, state, map, &data.dataset, view, actions);
                }
            }
        }
    });
}

fn request_ui(ui: &mut Ui, state: &State, view: &mut MapView, actions: &mut Actions) {
    ui.horizontal_wrapped(|ui| {
        let loading = matches!(state.map, Loadable::Loading).then_some("The map is being drawn");
        let no_data = state.data.ready().is_none().then_some("Open data first, on the Data page");
        let why_not = no_data.or(blocked(state)).or(loading);
        let tooltip = "Encode the rows with both weights and project the embeddings to two dimensions";
        if ask_button(ui, "Draw the map", tooltip, why_not).clicked() {
            actions.send(Command::Map { limit: view.limit });
        }
        let rows = state.data.ready().map_or(0, |data| data.dataset.rows());
        let label = ui.label("of up to");
        let combo = ComboBox::from_id_salt("rows of the map").selected_text(thousands(view.limit as u64));
        let combo = combo.width(80.0).show_ui(ui, |ui| {
            for limit in LIMITS {
                ui.selectable_value(&mut view.limit, limit, thousands(limit as u64));
            }
        });
        combo.response.labelled_by(label.id);
        if rows > 0 {
            ui.label(format!("of {}", counted(rows, "row", "rows")));
        } else {
            ui.label("rows");
        }
    });
}

fn drawn_ui(
    ui: &mut Ui,
    state: &State,
    map: &DataMap,
    dataset: &Dataset,
    view: &mut MapView,
    actions: &mut Actions,
) {
    let coloured = coloured(dataset);
    if !coloured.contains(&view.task) {
        view.task = coloured.first().copied().unwrap_or(0);
    }
    choices_ui(ui, map, dataset, &coloured, view);
    let query = view.search.trim().to_lowercase();
    let matches: Vec<bool> = if query.is_empty() {
        Vec::new()
    } else {
        map.rows.iter().map(|row| dataset.text(*row).to_lowercase().contains(&query)).collect()
    };
    if !matches.is_empty() {
        let found = matches.iter().filter(|found| **found).count();
        let text = format!("{} with \"{}\"", counted(found, "text", "texts"), view.search.trim());
        ui.label(RichText::new(text).small().color(Palette::of(ui).muted));
    }
    let places: HashMap<usize, usize> =
        map.rows.iter().enumerate().map(|(index, row)| (*row, index)).collect();
    let shown = Shown { map, dataset, matches: &matches, places: &places, state };
    let mut outcome = Outcome::default();
    if let Some(after) = &map.after {
        columns(ui, theme::SECTION_GAP, |[left, right]| {
            shown.scatter(left, "Before fine-tuning", &map.before, Some(map.explained.0), view, &mut outcome);
            shown.scatter(right, "After fine-tuning", after, map.explained.1, view, &mut outcome);
        });
    } else {
        let title = "With the pretrained encoder";
        shown.scatter(ui, title, &map.before, Some(map.explained.0), view, &mut outcome);
    }
    if view.hovered != outcome.hovered {
        view.hovered = outcome.hovered;
        ui.ctx().request_repaint(); // The other map rings the same row.
    }
    if let Some(row) = outcome.clicked.and_then(|index| map.rows.get(index).copied()) {
        view.chosen = Some(row);
        actions.send(Command::Neighbours { row, k: NEIGHBOURS });
    }
    legend_ui(ui, dataset, view.task);
    let help = [explain::PCA, explain::ALIGNED, explain::MOVERS];
    explain::explain_list_ui(ui, "How to read the maps", &help);
    lists_ui(ui, state, map, dataset, view, actions);
}

/// Tasks that give a point a colour: those with one class for a row.
fn coloured(dataset: &Dataset) -> Vec<usize> {
    let tasks = dataset.tasks.iter().enumerate();
    tasks.filter(|(_, task)| task.kind == TaskKind::SingleLabel).map(|(index, _)| index).collect()
}

fn choices_ui(ui: &mut Ui, map: &DataMap, dataset: &Dataset, coloured: &[usize], view: &mut MapView) {
    ui.horizontal_wrapped(|ui| {
        if coloured.is_empty() {
            widgets::caption(ui, "All points have one colour: there is no single-label task.");
        } else {
            colour_ui(ui, map, dataset, coloured, view);
        }
        let label = ui.label("Find");
        let edit =
            TextEdit::singleline(&mut view.search).desired_width(200.0).hint_text("a word in the texts");
        ui.add(edit).labelled_by(label.id);
    });
}

fn colour_ui(ui: &mut Ui, map: &DataMap, dataset: &Dataset, coloured: &[usize], view: &mut MapView) {
    let label = ui.label("Colour by");
    let name = |task: usize, predicted: bool| {
        let task = dataset.tasks.get(task).map_or("", |task| task.name.as_str());
        if predicted { format!("{task}, as predicted") } else { format!("{task}, as labelled") }
    };
    view.predicted &= map.predicted.get(view.task).is_some_and(|classes| !classes.is_empty());
    let combo =
        ComboBox::from_id_salt("colour by").width(200.0).selected_text(name(view.task, view.predicted));
    let combo = combo.show_ui(ui, |ui| {
        for task in coloured.iter().copied() {
            for predicted in [false, true] {
                let known = map.predicted.get(task).is_some_and(|classes| !classes.is_empty());
                let selected = (view.task, view.predicted) == (task, predicted);
                if (!predicted || known) && ui.selectable_label(selected, name(task, predicted)).clicked() {
                    (view.task, view.predicted) = (task, predicted);
                }
            }
        }
    });
    combo.response.labelled_by(label.id);
}

#[derive(Default)]
struct Outcome {
    hovered: Option<usize>,
    clicked: Option<usize>,
}

/// What both maps share.
struct Shown<'a> {
    map: &'a DataMap,
    dataset: &'a Dataset,
    matches: &'a [bool],
    /// Place in the map of a row of the data set.
    places: &'a HashMap<usize, usize>,
    state: &'a State,
}

impl Shown<'_> {
    fn class_of(&self, index: usize, task: usize, predicted: bool) -> Option<u32> {
        if predicted {
            return self.map.predicted.get(task)?.get(index).copied();
        }
        let row = *self.map.rows.get(index)?;
        self.dataset.tasks.get(task)?.class(row)
    }

    fn scatter(
        &self,
        ui: &mut Ui,
        title: &str,
        points: &[[f32; 2]],
        explained: Option<f32>,
        view: &MapView,
        outcome: &mut Outcome,
    ) {
        let palette = Palette::of(ui);
        ui.horizontal(|ui| {
            ui.strong(title);
            if let Some(share) = explained {
                let text = format!("shows {} of the variance", percent(f64::from(share)));
                ui.label(RichText::new(text).small().color(palette.muted));
            }
        });
        let classes = self.dataset.tasks.get(view.task).map_or(0, |task| task.classes.len());
        let mut groups: Vec<Color32> = (0..classes).map(|class| palette.class(class)).collect();
        groups.push(palette.muted); // Rows without a label.
        let group_of = |index: usize| {
            self.class_of(index, view.task, view.predicted)
                .map_or(classes, |class| (class as usize).min(classes))
        };
        let near = self.state.neighbours.ready().filter(|near| Some(near.row) == view.chosen);
        let listed = near.map(|near| match (&near.after, title.starts_with("After")) {
            (Some(after), true) => after.as_slice(),
            _ => near.before.as_slice(),
        });
        let place = |row: usize| self.places.get(&row).copied();
        let ringed: Vec<usize> =
            listed.unwrap_or_default().iter().filter_map(|(row, _)| place(*row)).collect();
        let scatter = Scatter {
            name: &format!("map {}", title.to_lowercase()),
            points,
            group_of: &group_of,
            groups: &groups,
            matches: &|index| self.matches.get(index).copied().unwrap_or(false),
            any_match: self.matches.contains(&true),
            chosen: view.chosen.and_then(place),
            ringed: &ringed,
            hovered_elsewhere: view.hovered,
            extent: extent(self.map.before.iter().chain(self.map.after.iter().flatten())),
            link: Id::unique("maps of the data"),
            height: 360.0,
        };
        let ScatterResponse { response, hovered, clicked } = scatter.show(ui);
        outcome.clicked = outcome.clicked.or(clicked);
        if let Some(index) = hovered {
            outcome.hovered = Some(index);
            response.on_hover_ui_at_pointer(|ui| self.point_ui(ui, index));
        }
    }

    /// The text of a point, its labels and what is predicted.
    fn point_ui(&self, ui: &mut Ui, index: usize) {
        let Some(row) = self.map.rows.get(index).copied() else { return };
        let palette = Palette::of(ui);
        ui.label(self.dataset.text(row));
        for (task, labels) in self.dataset.tasks.iter().enumerate() {
            let name = |class: Option<u32>| {
                class.and_then(|class| labels.classes.get(class as usize)).map_or("no label", String::as_str)
            };
            let label = self.class_of(index, task, false);
            let said = labels.in_words(row);
            let mut text = format!("{}: {}", labels.name, said.as_deref().unwrap_or("no label"));
            let predicted = self.class_of(index, task, true);
            if predicted.is_some() && predicted != label {
                text = format!("{text}, predicted {}", name(predicted));
            }
            let wrong = predicted.is_some() && label.is_some() && predicted != label;
            ui.label(RichText::new(text).color(if wrong { palette.error } else { palette.muted }));
        }
        ui.label(RichText::new(origin(self.dataset, row)).small().color(palette.muted));
    }
}
