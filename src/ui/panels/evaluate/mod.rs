//! The Evaluate page.
use crate::session::state::State;
use crate::ui::actions::Actions;
use eframe::egui::Ui;

/// What the page remembers.
#[derive(Debug, Default)]
pub struct EvaluateView {}

/// Draws the page.
pub fn evaluate_ui(_ui: &mut Ui, _state: &State, _view: &mut EvaluateView, _actions: &mut Actions) {}
