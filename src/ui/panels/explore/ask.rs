//! The buttons that ask for something to be encoded, and why they are grey.

use eframe::egui::{Response, Ui};

use crate::session::state::{Loadable, State};

/// Why nothing can be encoded now.
pub(super) fn blocked(state: &State) -> Option<&'static str> {
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
pub(super) fn ask_button(ui: &mut Ui, text: &str, tooltip: &str, blocked: Option<&str>) -> Response {
    let button = ui.add_enabled(blocked.is_none(), eframe::egui::Button::new(text));
    match blocked {
        None => button.on_hover_text(tooltip),
        Some(reason) => button.on_disabled_hover_text(reason),
    }
}
