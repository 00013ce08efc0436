//! The probes: what embeddings tell without a trained head, beside what guessing reaches.

use eframe::egui::{self, RichText, Ui};

use crate::train::metrics::Probe;
use crate::ui::theme::Palette;
use crate::ui::widgets;
use crate::ui::widgets::numbers::{percent, thousands};

/// A table of probes, one row per task.
pub(crate) fn probes_ui(ui: &mut Ui, probes: &[Probe]) {
    let palette = Palette::of(ui);
    let k = probes.first().map_or(0, |probe| probe.k);
    egui::Grid::new("probes").num_columns(5).striped(true).spacing([20.0, 4.0]).show(ui, |ui| {
        let neighbours = format!("{k} nearest neighbours");
        for head in ["task", "nearest centroid", neighbours.as_str(), "commonest class", "rows"] {
            ui.label(RichText::new(head).small().color(palette.muted));
        }
        ui.end_row();
        for probe in probes {
            ui.label(&probe.task);
            for share in [probe.nearest_centroid, probe.nearest_neighbours, probe.majority] {
                widgets::number(ui, percent(share));
            }
            widgets::number(ui, thousands(probe.rows as u64));
            ui.end_row();
        }
    });
}
