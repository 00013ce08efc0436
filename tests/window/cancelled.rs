//! What was stopped is shown as cancelled, and as no error; and what a page shows of tasks fits their kinds.
#![cfg(feature = "window")]

use std::sync::Arc;

use crate::support::fake_state as fake;
use crate::support::page::{page, sees, sees_not};
use eframe::egui::Ui;
use frostline::data::task::TaskKind;
use frostline::session::state::{Loadable, State};
use frostline::train::plan::preset::Preset;
use frostline::ui::actions::Actions;
use frostline::ui::panels::data::{DataPageView, data_ui};
use frostline::ui::panels::evaluate::{EvaluateView, evaluate_ui};
use frostline::ui::panels::explore::{ExploreView, explore_ui};
use frostline::ui::panels::export::export_ui;
use frostline::ui::panels::model::{ModelView, model_ui};
use frostline::ui::panels::schedule::{ScheduleView, schedule_ui};

/// A run with everything that was asked of it stopped.
fn cancelled() -> State {
    let mut state = fake::finished();
    state.evaluation = Loadable::Cancelled;
    state.similarity = Loadable::Cancelled;
    state.map = Loadable::Cancelled;
    state.neighbours = Loadable::Cancelled;
    state.prediction = Loadable::Cancelled;
    state.tokenized = Loadable::Cancelled;
    state.rate_search = Loadable::Cancelled;
    state.lengths = Loadable::Cancelled;
    state.export = Loadable::Cancelled;
    state
}

fn check<V: Default + 'static>(
    state: State,
    draw: fn(&mut Ui, &State, &mut V, &mut Actions),
    times: usize,
    can_ask_again: &str,
) {
    use egui_kittest::kittest::Queryable as _;
    let page = page::<V>(state, draw);
    assert_eq!(page.query_all_by_label("Cancelled.").count(), times);
    sees(&page, can_ask_again);
    sees_not(&page, "stopped");
}

fn export_page(ui: &mut Ui, state: &State, _: &mut (), actions: &mut Actions) {
    export_ui(ui, state, actions);
}

#[test]
fn every_page_says_cancelled_and_offers_it_again() {
    // Similarity, map and playground; the neighbours wait for a click on the map.
    check::<ExploreView>(cancelled(), explore_ui, 3, "Draw the map");
    check::<EvaluateView>(cancelled(), evaluate_ui, 1, "Choose the rows to measure on");
    check::<ScheduleView>(cancelled(), schedule_ui, 1, "Trains some steps with rates that rise");
    check::<()>(cancelled(), export_page, 1, "Export");
    check::<ModelView>(cancelled(), model_ui, 1, "Try");
}

#[test]
fn a_reading_that_was_cancelled_is_no_failure() {
    let mut state = fake::ready(Preset::Full);
    state.data = Loadable::Cancelled;
    let page = page::<DataPageView>(state, data_ui);
    sees(&page, "Reading was cancelled");
    sees(&page, "Read them again");
    sees_not(&page, "could not be used");
}

/// A point has the colour of a class: a task with several classes for a row, or with none, must not be offered as one whose
/// rows all lack a label.
#[test]
fn only_tasks_with_one_class_for_a_row_colour_the_map() {
    let mut state = fake::explored();
    sees(&page::<ExploreView>(state.clone(), explore_ui), "Colour by");
    let mut data = state.data.ready().expect("data").as_ref().clone();
    let mut dataset = data.dataset.as_ref().clone();
    dataset.tasks.iter_mut().for_each(|task| task.kind = TaskKind::MultiLabel);
    data.dataset = Arc::new(dataset);
    state.data = Loadable::Ready(Arc::new(data));
    let page = page::<ExploreView>(state, explore_ui);
    sees(&page, "All points have one colour");
    sees_not(&page, "Colour by");
}

#[test]
fn labels_without_classes_are_counted_as_rows() {
    let mut state = fake::ready(Preset::Full);
    let mut data = state.data.ready().expect("data").as_ref().clone();
    data.card.tasks[0].classes.clear();
    data.card.tasks[0].missing = [10, 0, 0];
    state.data = Loadable::Ready(Arc::new(data));
    let page = page::<DataPageView>(state, data_ui);
    sees(&page, "350 labelled rows, 10 rows without a label");
    sees_not(&page, "0 classes");
}
