//! Labels that a confident model contradicts: each is changed with a click or kept, and then the heads are trained
//! again. Corrections go to the project like any other; what is kept is remembered by the page alone.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use eframe::egui::{self, Align, Button, Label, Layout, RichText, Role, Ui, WidgetInfo, vec2};
use egui_extras::{Column, TableBuilder, TableRow};

use super::rows::{class_name, row_button, row_text_ui};
use crate::data::dataset::{Dataset, Split};
use crate::data::edit::Cell;
use crate::session::command::Command;
use crate::session::row_results::{ClassSaid, LEAST_DOUBT, MOST_SUSPECTS};
use crate::session::state::{Evaluation, Severity, State};
use crate::train::metrics::TaskMetrics;
use crate::ui::actions::{Action, Actions};
use crate::ui::panels::layout::head;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::numbers::{counted, percent, thousands};

/// Buttons stand in its rows.
const ROW_HEIGHT: f32 = theme::ROW_HEIGHT + 8.0;
const SHOWN_ROWS: f32 = 8.5;
/// Narrower than this, the label's own probability has no column: the prediction's says enough.
const WIDE: f32 = 860.0;

/// What the page remembers of suspects.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// Labels that the user said are right: file, line, and a hash of task and label.
    kept: HashSet<((u32, u64), u64)>,
    /// The files that `kept` speaks of.
    files: Vec<PathBuf>,
    /// Row whose text is shown in full.
    row: Option<usize>,
}

impl Suspects {
    fn keep(&mut self, dataset: &Dataset, suspect: &ClassSaid, metrics: &TaskMetrics) {
        if let Some(key) = key(dataset, suspect, metrics) {
            self.kept.insert(key);
        }
    }

    fn is_kept(&self, dataset: &Dataset, suspect: &ClassSaid, metrics: &TaskMetrics) -> bool {
        key(dataset, suspect, metrics).is_some_and(|key| self.kept.contains(&key))
    }

    /// Lines of other files mean nothing here.
    fn follow(&mut self, dataset: &Dataset) {
        if self.files != dataset.files {
            *self = Self { files: dataset.files.clone(), ..Self::default() };
        }
    }
}

/// A label by where it stands and what it says: once it says something else, it may be doubted again.
fn key(dataset: &Dataset, suspect: &ClassSaid, metrics: &TaskMetrics) -> Option<((u32, u64), u64)> {
    let origin = dataset.origins.get(suspect.row)?;
    let mut hasher = DefaultHasher::new();
    (suspect.row, &metrics.task, class_name(metrics, suspect.label as usize)).hash(&mut hasher);
    Some((*origin, hasher.finish()))
}

/// What became of the suspects that were found.
#[derive(Debug, Default, PartialEq)]
struct Sorted {
    open: Vec<ClassSaid>,
    corrected: usize,
    kept: usize,
}

fn sorted(all: &[ClassSaid], dataset: &Dataset, metrics: &TaskMetrics, view: &Suspects) -> Sorted {
    let task = dataset.tasks.iter().find(|task| task.name == metrics.task);
    let mut sorted = Sorted::default();
    for suspect in all {
        let label = task.and_then(|task| task.classes.get(task.class(suspect.row)? as usize));
        if label != metrics.classes.get(suspect.label as usize).map(|class| &class.name) {
            sorted.corrected += 1;
        } else if view.is_kept(dataset, suspect, metrics) {
            sorted.kept += 1;
        } else {
            sorted.open.push(*suspect);
        }
    }
    sorted
}

/// Draws the card.
pub(super) fn suspects_ui(
    ui: &mut Ui,
    state: &State,
    evaluation: &Evaluation,
    (task, metrics): (usize, &TaskMetrics),
    view: &mut Suspects,
    actions: &mut Actions,
) {
    let Some(data) = state.data.ready() else { return };
    let dataset = &data.dataset;
    view.follow(dataset);
    let all = evaluation.suspects.get(task).map(Vec::as_slice).unwrap_or_default();
    let sorted = sorted(all, dataset, metrics, view);
    widgets::card(ui, "Label suspects", |ui| {
        what_ui(ui, evaluation.split);
        count_ui(ui, all.len(), &sorted, view);
        if sorted.open.is_empty() {
            let text = match (all.is_empty(), evaluation.split) {
                (false, _) => "Every suspect has been looked at.",
                (true, Split::Train) => "There is none among these rows.",
                (true, _) => {
                    "There is none among these rows. Most labels are on train rows: measure those too, above."
                }
            };
            widgets::message(ui, Severity::Success, text);
        } else {
            table_ui(ui, dataset, metrics, &sorted.open, view, actions);
            full_text_ui(ui, dataset, &sorted.open, view);
        }
        retrain_ui(ui, state, evaluation, actions);
    });
}

fn what_ui(ui: &mut Ui, split: Split) {
    let mut text = format!(
        "A suspect is a row where the model is sure of another class than the label: it gives that class at least {:.0} \
         points more. Often the label is wrong; sometimes the text is hard, or the model has not understood the task. \
         Read the row, then decide. Your files stay as they are, and every change can be undone.",
        100.0 * LEAST_DOUBT
    );
    if split == Split::Train {
        text += " The model was trained on these rows: with many epochs it learns wrong labels by heart and doubts them \
                 no more.";
    }
    widgets::caption(ui, &text);
}

fn count_ui(ui: &mut Ui, all: usize, sorted: &Sorted, view: &mut Suspects) {
    if all == 0 {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        let mut facts = vec![counted(sorted.open.len(), "suspect to look at", "suspects to look at")];
        if all == MOST_SUSPECTS {
            facts.push(format!("the {} most doubtful rows were listed", thousands(all as u64)));
        }
        if sorted.corrected > 0 {
            facts.push(format!("{} corrected", sorted.corrected));
        }
        if sorted.kept > 0 {
            facts.push(format!("{} said to be right", sorted.kept));
        }
        ui.label(facts.join("; "));
        if sorted.kept > 0
            && ui
                .button("List those again")
                .on_hover_text("Show the rows whose label you said is right")
                .clicked()
        {
            view.kept.clear();
        }
    });
}

fn table_ui(
    ui: &mut Ui,
    dataset: &Dataset,
    metrics: &TaskMetrics,
    open: &[ClassSaid],
    view: &mut Suspects,
    actions: &mut Actions,
) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(3.0 * theme::GRID, 2.0);
        let height = SHOWN_ROWS * ROW_HEIGHT;
        let wide = ui.available_width() >= WIDE;
        let (class, change) = if wide { (104.0, 190.0) } else { (76.0, 120.0) };
        TableBuilder::new(ui)
            .id_salt("suspects")
            .striped(true)
            .max_scroll_height(height)
            .min_scrolled_height(height)
            .auto_shrink([false, true])
            .cell_layout(Layout::left_to_right(Align::Center))
            .columns(Column::exact(60.0), if wide { 2 } else { 1 })
            .columns(Column::exact(class).clip(true), 2)
            .column(Column::remainder().clip(true))
            .column(Column::exact(change).clip(true))
            .column(Column::exact(146.0))
            .header(22.0, |row| heads_ui(row, wide))
            .body(|body| {
                body.rows(ROW_HEIGHT, open.len(), |mut row| {
                    if let Some(suspect) = open.get(row.index()) {
                        row_ui(&mut row, dataset, (metrics, wide), suspect, view, actions);
                    }
                });
            });
    });
}

fn heads_ui(mut row: TableRow<'_, '_>, wide: bool) {
    let numbers = [
        ("sure", "Probability of the prediction"),
        ("of label", "Probability of the label: the less, the more suspicious"),
    ];
    for (text, tooltip) in numbers.into_iter().take(if wide { 2 } else { 1 }) {
        row.col(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.label(head(ui, text)).on_hover_text(tooltip);
            });
        });
    }
    for text in ["label", "prediction", "text", "", ""] {
        row.col(|ui| {
            ui.label(head(ui, text));
        });
    }
}

fn row_ui(
    row: &mut TableRow<'_, '_>,
    dataset: &Dataset,
    (metrics, wide): (&TaskMetrics, bool),
    suspect: &ClassSaid,
    view: &mut Suspects,
    actions: &mut Actions,
) {
    let label = class_name(metrics, suspect.label as usize);
    let predicted = class_name(metrics, suspect.predicted as usize);
    let probabilities = [suspect.confidence, suspect.label_confidence];
    for probability in probabilities.into_iter().take(if wide { 2 } else { 1 }) {
        row.col(|ui| {
            widgets::number(ui, percent(f64::from(probability)));
        });
    }
    for class in [&label, &predicted] {
        row.col(|ui| {
            ui.add(Label::new(class).truncate());
        });
    }
    let text = dataset.text(suspect.row);
    let shown = view.row == Some(suspect.row);
    row.col(|ui| {
        ui.spacing_mut().button_padding.x = 0.0;
        if row_button(ui, shown, text).on_hover_text("Show the whole text below").clicked() {
            view.row = (!shown).then_some(suspect.row);
        }
    });
    row.col(|ui| {
        let change = format!("Change label to {predicted}");
        let shown = if wide { change.clone() } else { format!("To {predicted}") };
        let button = ui.add(Button::new(shown).truncate());
        button.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), &change));
        if button.on_hover_text(format!("{change}, of {}", metrics.task)).clicked() {
            let cell = Cell::Label(metrics.task.clone());
            actions.send(Command::Correct { row: suspect.row, cell, now: predicted.clone() });
        }
    });
    row.col(|ui| {
        let button = ui.add(Button::new("The label is right"));
        if button.on_hover_text("Take the row off this list; nothing else changes").clicked() {
            view.keep(dataset, suspect, metrics);
        }
    });
}

fn full_text_ui(ui: &mut Ui, dataset: &Dataset, open: &[ClassSaid], view: &mut Suspects) {
    let Some(row) = view.row.filter(|row| open.iter().any(|suspect| suspect.row == *row)) else {
        view.row = None;
        return;
    };
    row_text_ui(ui, dataset, row);
}

fn retrain_ui(ui: &mut Ui, state: &State, evaluation: &Evaluation, actions: &mut Actions) {
    ui.separator();
    ui.horizontal(|ui| {
        if evaluation.labels_changed {
            widgets::primary_button(ui, state, actions, Action::RetrainHeads);
        } else {
            widgets::action_button(ui, state, actions, Action::RetrainHeads);
        }
        ui.scope(|ui| {
            let text = match Action::RetrainHeads.enabled(state) {
                Err(reason) => reason.to_owned(),
                Ok(()) => format!(
                    "After corrections: a new run from the kept weights of {}, with the encoder frozen. Every text is \
                     encoded once, and the heads learn the corrected labels in seconds. The schedule stays as it is.",
                    evaluation.run
                ),
            };
            let muted = Palette::of(ui).muted;
            ui.set_max_width(ui.available_width().min(theme::TEXT_WIDTH));
            ui.add(egui::Label::new(RichText::new(text).color(muted)).wrap());
        });
    });
}
