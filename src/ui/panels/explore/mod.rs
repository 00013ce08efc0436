//! The Explore page.
use crate::session::state::State;
use crate::ui::actions::Actions;
use eframe::egui::Ui;

/// What the page remembers.
#[derive(Debug, Default)]
pub struct ExploreView {}

/// Draws the page.
pub fn explore_ui(_ui: &mut Ui, _state: &State, _view: &mut ExploreView, _actions: &mut Actions) {}
