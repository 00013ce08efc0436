//! The Evaluate page: how good the kept weights are on a split, class by class, and where they are wrong.
//!
//! It reads figures that were measured elsewhere. It must never know a probability that is not in them.

mod classes;
mod compare;
mod confusion;
mod mistakes;
mod reliability;
mod rows;
mod span_errors;
mod suspects;
mod thresholds;

use eframe::egui::{self, Button, RichText, ScrollArea, Ui};

use crate::data::dataset::Split;
use crate::data::task::TaskKind;
use crate::session::row_results::RowResults;
use crate::session::state::{Evaluation, Loadable, RunView, Severity, State};
use crate::train::metrics::{Probe, TaskMetrics, format_figure, title};
use crate::train::report::UNTRAINED;
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::explain::{self, Explanation};
use crate::ui::panels::layout::{columns, figure, train_first_ui};
use crate::ui::panels::probes::probes_ui;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::numbers::{counted, percent, thousands};

/// Narrower than this, cards stand below one another.
const NARROW: f32 = 860.0;

/// What the page remembers between frames.
#[derive(Debug, Default)]
pub struct EvaluateView {
    /// Index of the task that is shown.
    task: usize,
    /// Cell of the confusion matrix that was clicked: label and prediction.
    cell: Option<(usize, usize)>,
    sort: classes::Sort,
    /// Row of the data set whose neighbours are shown.
    mistake: Option<usize>,
    suspects: suspects::Suspects,
    compared: compare::CompareView,
    thresholds: thresholds::ThresholdView,
    spans: span_errors::SpanView,
}

/// Draws the page.
pub fn evaluate_ui(ui: &mut Ui, state: &State, view: &mut EvaluateView, actions: &mut Actions) {
    ScrollArea::vertical().id_salt("evaluate page").auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Evaluate.title(), Page::Evaluate.purpose());
        match &state.run {
            None => empty_ui(ui, state, actions),
            Some(run) => run_ui(ui, state, run, view, actions),
        }
    });
}

fn empty_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let text = "After a run, its best weights are measured here on rows that were not trained on: per class, pair by \
                pair of classes, and example by example.";
    widgets::empty_state(ui, Icon::Matrix, "Nothing to evaluate yet", text, |ui| {
        train_first_ui(ui, state, actions);
    });
}

fn run_ui(ui: &mut Ui, state: &State, run: &RunView, view: &mut EvaluateView, actions: &mut Actions) {
    split_ui(ui, state, run, actions);
    ui.add_space(theme::GAP);
    match &state.evaluation {
        Loadable::Ready(evaluation) => evaluation_ui(ui, state, evaluation, view, actions),
        Loadable::Loading => {
            widgets::card(ui, "", |ui| widgets::loading(ui, "Measuring the run on every row of the split"));
        }
        Loadable::Failed(reason) => {
            widgets::card(ui, "", |ui| widgets::message(ui, Severity::Error, reason));
        }
        Loadable::Empty | Loadable::Cancelled => {
            if state.evaluation == Loadable::Cancelled {
                widgets::cancelled(ui);
            }
            let text = "Choose the rows to measure on. Test rows took part in no decision, so their figures say what \
                        to expect on new texts.";
            widgets::empty_state(ui, Icon::Matrix, "Not measured yet", text, |ui| {
                widgets::primary_button(ui, state, actions, Action::Evaluate(Split::Test));
            });
        }
    }
}

/// The run, and the split it is measured on.
fn split_ui(ui: &mut Ui, state: &State, run: &RunView, actions: &mut Actions) {
    widgets::card(ui, "", |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.heading(&run.plan.name);
            ui.label(RichText::new("measured on").color(Palette::of(ui).muted));
            let shown = state.evaluation.ready();
            for split in Split::ALL {
                let action = Action::Evaluate(split);
                let enabled = action.enabled(state);
                let rows = state.data.ready().map_or(0, |data| data.card.rows_of(split));
                let selected = shown.is_some_and(|evaluation| evaluation.split == split);
                let text = format!("{}: {}", split.name(), counted(rows, "row", "rows"));
                let button = ui.add_enabled(enabled.is_ok(), Button::selectable(selected, text));
                let button = match enabled {
                    Ok(()) => button.on_hover_text(action.tooltip()),
                    Err(reason) => button.on_disabled_hover_text(reason),
                };
                if button.clicked() {
                    actions.send(action);
                }
            }
            explain::explain_ui(ui, &explain::SPLITS);
        });
        if let Some(evaluation) = state.evaluation.ready().filter(|shown| shown.run != run.plan.name) {
            let text = format!(
                "The figures below are those of run {}. Choose a split to measure {}.",
                evaluation.run, run.plan.name
            );
            widgets::message(ui, Severity::Info, &text);
        }
        if state.evaluation.ready().is_some_and(|shown| shown.labels_changed) {
            let text = "Labels were corrected since this was measured: the figures below are those of the labels before. \
                        Choose a split to measure again.";
            widgets::message(ui, Severity::Info, text);
        }
    });
}

fn evaluation_ui(
    ui: &mut Ui,
    state: &State,
    evaluation: &Evaluation,
    view: &mut EvaluateView,
    actions: &mut Actions,
) {
    if evaluation.tasks.len() > 1 {
        tabs_ui(ui, evaluation, view);
    }
    let index = view.task.min(evaluation.tasks.len().saturating_sub(1));
    let Some(metrics) = evaluation.tasks.get(index) else {
        widgets::card(ui, "", |ui| widgets::message(ui, Severity::Info, "No task was measured."));
        return;
    };
    if metrics.rows == 0 {
        let text = format!("No row of this split carries a label of {}.", metrics.task);
        widgets::card(ui, "", |ui| widgets::message(ui, Severity::Info, &text));
        return;
    }
    let untrained = evaluation.untrained.contains(&metrics.task);
    if untrained {
        untrained_ui(ui, evaluation, metrics);
    }
    headline_ui(ui, metrics);
    ui.add_space(theme::GAP);
    if let Some(text) = metrics.unread_note() {
        widgets::message(ui, Severity::Warning, &text);
        ui.add_space(theme::GAP);
    }
    if metrics.kind != TaskKind::SingleLabel {
        // One class is not taken for another where a row has several, or none.
        if !metrics.classes.is_empty() {
            classes::classes_ui(ui, metrics, &mut view.sort);
        }
        ui.add_space(theme::GAP);
        match evaluation.said.get(index) {
            Some(RowResults::Sets(curve)) => {
                thresholds::thresholds_ui(ui, evaluation, index, curve, &mut view.thresholds);
            }
            Some(RowResults::Spans(said)) => span_errors::span_errors_ui(ui, state, said, &mut view.spans),
            Some(RowResults::Classes(_) | RowResults::Nothing) | None => {}
        }
        ui.add_space(theme::GAP);
        without_head_ui(ui, evaluation, metrics);
        return;
    }
    let narrow = ui.available_width() < NARROW;
    if narrow {
        confusion::confusion_ui(ui, metrics, &mut view.cell);
        ui.add_space(theme::GAP);
        classes::classes_ui(ui, metrics, &mut view.sort);
    } else {
        columns(ui, theme::SECTION_GAP, |[left, right]| {
            confusion::confusion_ui(left, metrics, &mut view.cell);
            classes::classes_ui(right, metrics, &mut view.sort);
        });
    }
    ui.add_space(theme::GAP);
    mistakes::mistakes_ui(ui, state, evaluation, (index, metrics), view, actions);
    ui.add_space(theme::GAP);
    suspects::suspects_ui(ui, state, evaluation, (index, metrics), &mut view.suspects, actions);
    ui.add_space(theme::GAP);
    compare::compare_ui(ui, state, evaluation, (index, metrics), &mut view.compared, actions);
    ui.add_space(theme::GAP);
    let colour = Palette::of(ui).task(index);
    if narrow {
        reliability::reliability_ui(ui, metrics, colour);
        ui.add_space(theme::GAP);
        if !untrained {
            without_head_ui(ui, evaluation, metrics);
        }
    } else if untrained {
        reliability::reliability_ui(ui, metrics, colour);
    } else {
        columns(ui, theme::SECTION_GAP, |[left, right]| {
            reliability::reliability_ui(left, metrics, colour);
            without_head_ui(right, evaluation, metrics);
        });
    }
}

/// Of a head that never trained: what the embeddings hold comes first, and what the head says under its name.
fn untrained_ui(ui: &mut Ui, evaluation: &Evaluation, metrics: &TaskMetrics) {
    let has_probe = Probe::none_of(metrics.kind).is_none();
    if has_probe {
        without_head_ui(ui, evaluation, metrics);
        ui.add_space(theme::GAP);
    }
    let instead = if has_probe { " The probes measure the embeddings." } else { "" };
    let text = format!(
        "The head of {} is {UNTRAINED}: its weights are random, and the figures below are those of guessing.{instead}",
        metrics.task
    );
    widgets::card(ui, "", |ui| widgets::message(ui, Severity::Warning, &text));
    ui.add_space(theme::GAP);
}

fn without_head_ui(ui: &mut Ui, evaluation: &Evaluation, metrics: &TaskMetrics) {
    let help = |ui: &mut Ui| explain::explain_ui(ui, &explain::PROBES);
    widgets::card_with(ui, "Embeddings without a head", help, |ui| {
        if let Some(text) = Probe::none_in_words(&metrics.task, metrics.kind) {
            widgets::caption(ui, &text);
        } else if evaluation.split == Split::Train {
            let text =
                "Probes compare rows with the training rows: choose the valid or the test rows to see them.";
            widgets::caption(ui, text);
        } else if evaluation.probes.is_empty() {
            widgets::caption(ui, "There are no probes of this split.");
        } else {
            let text = "What the embeddings alone tell, beside always guessing the commonest class.";
            widgets::caption(ui, text);
            probes_ui(ui, &evaluation.probes);
        }
    });
}

fn tabs_ui(ui: &mut Ui, evaluation: &Evaluation, view: &mut EvaluateView) {
    ui.horizontal_wrapped(|ui| {
        for (index, metrics) in evaluation.tasks.iter().enumerate() {
            let colour = Palette::of(ui).task(index);
            icon::icon(ui, Icon::Dot, colour, 14.0);
            let selected = view.task == index;
            if ui.add(Button::selectable(selected, &metrics.task)).clicked() && !selected {
                (view.task, view.cell, view.mistake) = (index, None, None);
            }
        }
    });
}

fn headline_ui(ui: &mut Ui, metrics: &TaskMetrics) {
    if metrics.kind != TaskKind::SingleLabel {
        return other_headline_ui(ui, metrics);
    }
    let values: [(&str, &Explanation); 6] = [
        ("accuracy", &explain::ACCURACY),
        ("macro-f1", &explain::MACRO_F1),
        ("weighted-f1", &explain::WEIGHTED_F1),
        ("mcc", &explain::MCC),
        ("ece", &explain::ECE),
        ("loss", &explain::LOSS),
    ];
    widgets::card(ui, "", |ui| {
        let layout = egui::Layout::left_to_right(egui::Align::TOP).with_main_wrap(true);
        ui.with_layout(layout, |ui| {
            for (key, explanation) in values {
                let Some(value) = metrics.get(key) else { continue };
                ui.spacing_mut().item_spacing.x = 0.0;
                figure(ui, &format_figure(key, value), title(key)).on_hover_text(explanation.answer);
                ui.spacing_mut().item_spacing.x = theme::SECTION_GAP;
                explain::explain_ui(ui, explanation);
            }
            labelled_ui(ui, metrics);
            let classes = metrics.classes.len();
            figure(ui, &classes.to_string(), if classes == 1 { "class" } else { "classes" });
        });
        let commonest = metrics.classes.iter().map(|class| class.support).max().unwrap_or(0);
        let majority = commonest as f64 / metrics.rows as f64;
        if metrics.accuracy <= majority + 0.01 {
            let text = format!(
                "Always guessing the commonest class reaches {}: this model is hardly better.",
                percent(majority)
            );
            widgets::message(ui, Severity::Warning, &text);
        }
    });
}

/// The figures of a kind of task that has others than accuracy.
fn other_headline_ui(ui: &mut Ui, metrics: &TaskMetrics) {
    widgets::card(ui, "", |ui| {
        let layout = egui::Layout::left_to_right(egui::Align::TOP).with_main_wrap(true);
        ui.with_layout(layout, |ui| {
            ui.spacing_mut().item_spacing.x = theme::SECTION_GAP;
            for (key, value) in metrics.named() {
                figure(ui, &format_figure(key, value), title(key));
            }
            labelled_ui(ui, metrics);
        });
    });
}

fn labelled_ui(ui: &mut Ui, metrics: &TaskMetrics) {
    let caption = if metrics.rows == 1 { "labelled row" } else { "labelled rows" };
    figure(ui, &thousands(metrics.rows as u64), caption);
}
