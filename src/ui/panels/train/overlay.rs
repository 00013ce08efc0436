//! Earlier runs over the curves of the shown one: their validation curves, dotted, in the colours of their tasks.

use eframe::egui::{Align2, RichText};
use egui_plot::{Line, LineStyle, PlotPoint, PlotUi, Text};

use super::curves::{CurvesView, Measure};
use crate::session::state::{ComparedRun, RunView};
use crate::ui::theme::Palette;
use crate::ui::widgets::curves::Point;

/// Draws them. A task is known by its name: it may have another place in an earlier run.
pub(super) fn overlay(
    plot: &mut PlotUi<'_>,
    run: &RunView,
    compared: &[ComparedRun],
    view: &CurvesView,
    measure: Measure,
    palette: &Palette,
) {
    for other in compared.iter().filter(|other| other.plan.name != run.plan.name) {
        for (index, task) in run.plan.tasks.iter().enumerate() {
            let Some(place) = other.plan.tasks.iter().position(|known| known.name == task.name) else {
                continue;
            };
            if !view.shows_valid(&task.name) {
                continue;
            }
            let points = other.epochs.iter().filter_map(|epoch| {
                let score = epoch.valid.get(place).filter(|score| score.rows > 0)?;
                Some([f64::from(epoch.epoch), measure.of(score)])
            });
            let points: Vec<Point> = points.collect();
            let Some([x, y]) = points.last().copied() else { continue };
            let (name, colour) = (&other.plan.name, palette.task(index).gamma_multiply(0.8));
            let line = Line::new(format!("{name} {}", task.name), points).color(colour).width(1.8);
            plot.line(line.style(LineStyle::Dotted { spacing: 5.0 }).allow_hover(false));
            let label = RichText::new(name).small().color(palette.muted);
            let label = Text::new(format!("name of {name} {}", task.name), PlotPoint::new(x, y), label);
            plot.text(label.anchor(Align2::RIGHT_BOTTOM).allow_hover(false));
        }
    }
}
