//! The Explore page: what fine-tuning did to the space of sentences, and a playground.
//!
//! It asks for similarities, maps, neighbours and predictions and draws them. It must never know how they are
//! computed.

mod ask;
mod map;
mod map_lists;
mod map_view;
mod playground;
mod similarity;

use eframe::egui::{ScrollArea, Ui};

use crate::session::state::State;
use crate::ui::actions::{Actions, Page};
use crate::ui::theme;
use crate::ui::widgets;

/// What the page remembers between frames.
#[derive(Debug, Default)]
pub struct ExploreView {
    similarity: similarity::SimilarityView,
    map: map_view::MapView,
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
