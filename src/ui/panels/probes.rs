//! The probes: what embeddings tell without a trained head, beside what guessing reaches.

use eframe::egui::{self, Ui};

use super::layout::{digits, grid_number, head};
use crate::train::metrics::Probe;
use crate::ui::widgets::numbers::{percent, thousands};

/// A table of probes, one row per task.
pub(crate) fn probes_ui(ui: &mut Ui, probes: &[Probe]) {
    const WIDTH: f32 = 104.0;
    let k = probes.first().map_or(0, |probe| probe.k);
    egui::Grid::new("probes").num_columns(5).striped(true).spacing([12.0, 4.0]).show(ui, |ui| {
        ui.label(head(ui, "task"));
        for text in ["nearest centroid", &format!("k-NN (k = {k})"), "commonest class"] {
            grid_number(ui, WIDTH, head(ui, text));
        }
        grid_number(ui, 50.0, head(ui, "rows"));
        ui.end_row();
        for probe in probes {
            ui.label(&probe.task);
            for share in [probe.nearest_centroid, probe.nearest_neighbours, probe.majority] {
                grid_number(ui, WIDTH, digits(percent(share)));
            }
            grid_number(ui, 50.0, digits(thousands(probe.rows as u64)));
            ui.end_row();
        }
    });
}
