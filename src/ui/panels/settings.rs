//! The Settings page: look, device, diagnostics.

use eframe::egui;
use egui::{Label, RichText, ScrollArea, Slider, ThemePreference, Ui};

use crate::session::command::Command;
use crate::session::state::{Severity, State};
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::environment::Environment;
use crate::ui::prefs::Prefs;
use crate::ui::theme::{self, Palette};
use crate::ui::{diagnostics, widgets};

/// Draws the page.
pub fn settings_ui(
    ui: &mut Ui,
    state: &State,
    prefs: &Prefs,
    environment: &Environment,
    actions: &mut Actions,
) {
    ScrollArea::vertical().id_salt("settings page").auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Settings.title(), Page::Settings.purpose());
        widgets::two_columns(ui, |left, right| {
            look_ui(left, prefs, actions);
            left.add_space(theme::GAP);
            shortcuts_ui(left);
            device_ui(right, state, actions);
            right.add_space(theme::GAP);
            widgets::card(right, "Diagnostics", |ui| diagnostics::diagnostics_ui(ui, state, environment));
        });
    });
}

fn look_ui(ui: &mut Ui, prefs: &Prefs, actions: &mut Actions) {
    widgets::card(ui, "Look", |ui| {
        ui.horizontal(|ui| {
            for choice in [ThemePreference::System, ThemePreference::Dark, ThemePreference::Light] {
                let action = Action::SetTheme(choice);
                let response = ui.radio(prefs.theme == choice, action.label());
                if response.on_hover_text(action.tooltip()).clicked() {
                    actions.send(action);
                }
            }
        });
        ui.horizontal(|ui| {
            let mut percent = prefs.zoom * 100.0;
            // Taken over when let go: while it moves, the slider would run away under the pointer.
            let label = ui.label("Zoom");
            let slider = Slider::new(&mut percent, 50.0..=300.0).step_by(10.0).suffix(" %");
            let response = ui.add(slider.update_while_editing(false)).labelled_by(label.id);
            if response.drag_stopped() || (response.changed() && !response.dragged()) {
                actions.send(Action::SetZoom(percent / 100.0));
            }
        });
    });
}

fn shortcuts_ui(ui: &mut Ui) {
    let (pages, others): (Vec<Action>, Vec<Action>) =
        Action::with_shortcut().into_iter().partition(|action| matches!(action, Action::GoTo(_)));
    widgets::card(ui, "Keys", |ui| {
        ui.horizontal_top(|ui| {
            for (id, actions) in [("keys", others), ("page keys", pages)] {
                widgets::facts(ui, id, |ui| {
                    for action in actions {
                        if let Some(shortcut) = action.shortcut() {
                            let keys = ui.ctx().format_shortcut(&shortcut);
                            widgets::fact(ui, action.label(), RichText::new(keys).monospace());
                        }
                    }
                });
                ui.add_space(theme::SECTION_GAP);
            }
        });
    });
}

fn device_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let palette = Palette::of(ui);
    widgets::card(ui, "Device", |ui| {
        let free = Action::Session(Command::SelectDevice(String::new())).enabled(state);
        for device in &state.devices {
            ui.add_enabled_ui(free.is_ok(), |ui| {
                let mut response = ui.radio(device.key == state.device, &device.name);
                if let Err(reason) = free {
                    response = response.on_disabled_hover_text(reason);
                }
                if response.clicked() && device.key != state.device {
                    actions.send(Command::SelectDevice(device.key.clone()));
                }
            });
        }
        if state.devices.is_empty() {
            ui.add(Label::new(RichText::new("Looking for devices").color(palette.muted)));
        }
        if let Some(library) = &state.cuda_library {
            widgets::caption(ui, &format!("CUDA part of libtorch: {library}"));
        }
        if let Some(reason) = &state.cuda_missing {
            widgets::message(ui, Severity::Info, reason);
            widgets::action_button(ui, state, actions, Action::FindCuda);
        }
    });
}
