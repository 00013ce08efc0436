//! The pages, one file or folder each. A page draws the state it is given and sends actions; it never sees the
//! session. What a page remembers between frames is its own `...View`.

pub mod data;
pub mod export;
pub mod model;
pub mod settings;

use eframe::egui::Ui;

use super::actions::{Actions, Page};
use super::app::Environment;
use super::prefs::Prefs;
use super::widgets;
use crate::session::state::State;

/// What each page remembers.
#[derive(Default)]
pub struct Views {
    data: data::DataPageView,
    model: model::ModelView,
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
        Page::Export => export::export_ui(ui, state, actions),
        Page::Settings => settings::settings_ui(ui, state, prefs, environment, actions),
        Page::Schedule | Page::Train | Page::Evaluate | Page::Explore => {
            widgets::page_header(ui, page.title(), page.purpose());
        }
    }
}
