//! The facts that a bug report needs, as text.

use std::fmt::Write as _;

use eframe::egui::{self, RichText, Ui};

use super::environment::Environment;
use super::widgets;
use crate::session::state::{Loadable, State};

/// Versions, devices, libtorch, and what is loaded.
#[must_use]
pub fn text(state: &State, environment: &Environment) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        writeln!(text, "{name:<9} {value}").unwrap_or_default();
    };
    line("Frostline", env!("CARGO_PKG_VERSION"));
    line("System", &format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    let libtorch = if environment.libtorch.is_empty() { "not stated" } else { &environment.libtorch };
    line("libtorch", libtorch);
    for device in &state.devices {
        let chosen = if device.key == state.device { " (in use)" } else { "" };
        line("Device", &format!("{}: {}{chosen}", device.key, device.name));
    }
    line("CUDA", state.cuda_missing.as_deref().unwrap_or("found"));
    line("CUDA part", state.cuda_library.as_deref().unwrap_or("none loaded"));
    match &state.model {
        Loadable::Ready(model) => line(
            "Model",
            &format!(
                "{} ({}, {} layers, SHA-256 {})",
                model.name,
                model.model_type,
                model.layers,
                model.sha256.get(..12).unwrap_or(&model.sha256)
            ),
        ),
        Loadable::Failed(error) => line("Model", &format!("failed: {error}")),
        Loadable::Empty | Loadable::Cancelled | Loadable::Loading => line("Model", "none"),
    }
    text
}

/// The facts, and a button that copies them.
pub fn diagnostics_ui(ui: &mut Ui, state: &State, environment: &Environment) {
    let text = text(state, environment);
    widgets::code_block(ui, &text);
    if ui.button("Copy diagnostics").on_hover_text("To paste into a bug report").clicked() {
        ui.ctx().copy_text(text);
    }
    ui.add(egui::Label::new(RichText::new("No data and no texts are in here.").small().weak()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::state::DeviceInfo;

    #[test]
    fn names_the_device_in_use_and_why_cuda_is_missing() {
        let state = State {
            devices: vec![DeviceInfo {
                key: "cpu".into(),
                name: "CPU, 2 threads".into(),
                memory: Some(16 << 30),
            }],
            device: "cpu".into(),
            cuda_missing: Some("libtorch_cuda.so was not found".into()),
            cuda_library: Some("/torch/lib/libtorch_cuda.so (named in the settings)".into()),
            ..State::default()
        };
        let text = text(&state, &Environment { libtorch: "2.11.0".into(), ..Environment::default() });
        assert!(text.contains("cpu: CPU, 2 threads (in use)"), "{text}");
        assert!(text.contains("libtorch_cuda.so was not found"), "{text}");
        assert!(text.contains("CUDA part /torch/lib/libtorch_cuda.so (named in the settings)"), "{text}");
        assert!(text.contains("2.11.0"), "{text}");
    }
}
