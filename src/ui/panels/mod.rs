//! The pages, one file or folder each. A page draws the state it is given and sends actions; it never sees the
//! session. What a page remembers between frames is its own `...View`.

pub mod data;
pub mod evaluate;
pub mod explore;
pub mod export;
mod layout;
pub mod model;
mod neighbours;
mod probes;
pub mod schedule;
pub mod settings;
pub mod train;

use eframe::egui::Ui;

use super::actions::{Actions, Page};
use super::environment::Environment;
use super::prefs::Prefs;
use crate::session::state::State;

/// What each page remembers.
#[derive(Default)]
pub struct Views {
    data: data::DataPageView,
    model: model::ModelView,
    schedule: schedule::ScheduleView,
    train: train::TrainView,
    evaluate: evaluate::EvaluateView,
    explore: explore::ExploreView,
}

/// Draws the page that is shown.
pub fn page_ui(
    ui: &mut Ui,
    page: Page,
    state: &State,
    views: &mut Views,
    prefs: &Prefs,
    environment: &Environment,
    actions: &mut Actions,
) {
    match page {
        Page::Data => data::data_ui(ui, state, &mut views.data, actions),
        Page::Model => model::model_ui(ui, state, &mut views.model, actions),
        Page::Schedule => schedule::schedule_ui(ui, state, &mut views.schedule, actions),
        Page::Train => train::train_ui(ui, state, &mut views.train, actions),
        Page::Evaluate => evaluate::evaluate_ui(ui, state, &mut views.evaluate, actions),
        Page::Explore => explore::explore_ui(ui, state, &mut views.explore, actions),
        Page::Export => export::export_ui(ui, state, actions),
        Page::Settings => settings::settings_ui(ui, state, prefs, environment, actions),
    }
}
