//! The Explore page: what fine-tuning did to the space of sentences, and a playground.
//!
//! It asks for similarities, maps, neighbours and predictions and draws them. It must never know how they are
//! computed.

mod map;
mod map_lists;
mod playground;
mod similarity;

use eframe::egui::{Response, ScrollArea, Ui};

use crate::session::state::{Loadable, State};
use crate::ui::actions::{Actions, Page};
use crate::ui::theme;
use crate::ui::widgets;

/// What the page remembers between frames.
#[derive(Debug, Default)]
pub struct ExploreView {
    similarity: similarity::SimilarityView,
    map: map::MapView,
    playground: playground::PlaygroundView,
}

/// Draws the page.
pub fn explore_ui(ui: &mut Ui, state: &State, view: &mut ExploreView, actions: &mut Actions) {
    ScrollArea::vertical().id_salt("explore page").auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Explore.title(), Page::Explore.purpose());
        similarity::similarity_ui(ui, state, &mut view.similarity, actions);
        ui.add_space(theme::GAP);
        map::map_ui(ui, state, &mut view.map, actions);
        ui.add_space(theme::GAP);
        playground::playground_ui(ui, state, &mut view.playground, actions);
    });
}

/// Why nothing can be encoded now.
fn blocked(state: &State) -> Option<&'static str> {
    match &state.model {
        Loadable::Empty | Loadable::Cancelled => Some("Choose a model first, on the Model page"),
        Loadable::Loading => Some("The model is being loaded"),
        Loadable::Failed(_) => Some("The model could not be loaded: see the Model page"),
        Loadable::Ready(_) if state.is_training() => {
            Some("A run is in progress: wait for its end or stop it")
        }
        Loadable::Ready(_) => None,
    }
}

/// A button that says why it is grey.
fn ask_button(ui: &mut Ui, text: &str, tooltip: &str, blocked: Option<&str>) -> Response {
    let button = ui.add_enabled(blocked.is_none(), eframe::egui::Button::new(text));
    match blocked {
        None => button.on_hover_text(tooltip),
        Some(reason) => button.on_disabled_hover_text(reason),
    }
}
