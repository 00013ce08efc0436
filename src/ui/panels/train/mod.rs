//! The Train page: the run as it goes, its curves, and what it proved once it ended.
//!
//! It reads the shown run and the list of runs. It must never know how a step is computed.

mod annotations;
mod compare;
mod curves;
mod diagnosis;
mod export;
mod header;
mod log;
mod overlay;
mod report;
mod tables;

use eframe::egui::{ScrollArea, Ui};

use crate::session::state::{RunView, State};
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::explain;
use crate::ui::panels::layout::train_first_ui;
use crate::ui::theme;
use crate::ui::widgets;
use crate::ui::widgets::camera::Camera;
use crate::ui::widgets::icon::Icon;

/// What the page remembers between frames.
#[derive(Debug, Default)]
pub struct TrainView {
    curves: curves::CurvesView,
    camera: Camera,
}

/// Draws the page.
pub fn train_ui(ui: &mut Ui, state: &State, view: &mut TrainView, actions: &mut Actions) {
    // A new run is shown from its top.
    let run = state.run.as_ref().map(|run| &run.plan.name);
    ScrollArea::vertical().id_salt(("train page", run)).auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Train.title(), Page::Train.purpose());
        page_ui(ui, state, view, actions);
    });
}

fn page_ui(ui: &mut Ui, state: &State, view: &mut TrainView, actions: &mut Actions) {
    match &state.run {
        None => empty_ui(ui, state, actions),
        Some(run) => {
            header::header_ui(ui, state, run, actions);
            ui.add_space(theme::GAP);
            run_ui(ui, state, run, view, actions);
        }
    }
    if !state.runs.is_empty() {
        ui.add_space(theme::GAP);
        tables::runs_ui(ui, state, actions);
    }
}

fn empty_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let text = "Loss and accuracy of every task will be drawn here while the model learns: on the rows it trains on \
                and on rows it never sees. A run can be stopped at any time; its best weights are kept.";
    widgets::empty_state(ui, Icon::Curve, "Nothing has been trained yet", text, |ui| {
        train_first_ui(ui, state, actions);
    });
}

fn run_ui(ui: &mut Ui, state: &State, run: &RunView, view: &mut TrainView, actions: &mut Actions) {
    if run.plan.epochs() > 0 {
        let mut picture = false;
        let right = |ui: &mut Ui| picture = export::export_ui(ui, run, actions);
        let card = widgets::card_with(ui, "Curves", right, |ui| {
            curves::curves_ui(ui, run, &state.compared, &mut view.curves);
            diagnosis::words_ui(ui, run);
            explain::explain_list_ui(
                ui,
                "What do the curves say?",
                &[explain::LOSS, explain::ACCURACY, explain::OVERFITTING, explain::BEST_EPOCH],
            );
        });
        if picture {
            view.camera.ask(ui.ctx(), card.response.rect, format!("{}-curves.png", run.plan.name));
        }
        if let Some((name, bytes)) = view.camera.poll(ui.ctx()) {
            actions.send(Action::SaveFile { name, bytes: bytes.into() });
        }
        ui.add_space(theme::GAP);
    }
    compare::compare_ui(ui, state, run);
    if let Some(report) = &run.report {
        report::report_ui(ui, run, report);
        ui.add_space(theme::GAP);
    }
    if run.plan.epochs() > 0 {
        tables::epochs_ui(ui, run);
        ui.add_space(theme::GAP);
        log::log_ui(ui, run);
    }
}
