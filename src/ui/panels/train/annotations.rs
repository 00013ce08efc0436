//! What is marked over the curves: phases, the best epoch, the pointer.

use eframe::egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Shape, Stroke, Ui, pos2, vec2};
use egui_plot::{PlotPoint, PlotTransform};

use super::curves::{CurvesView, Measure};
use crate::session::state::RunView;
use crate::ui::theme::Palette;

/// Phase boundaries with names, the best epoch, and the pointer's epoch, over the curves.
pub(super) fn marks_ui(
    ui: &Ui,
    run: &RunView,
    view: &CurvesView,
    measure: Measure,
    transform: &PlotTransform,
) {
    let palette = Palette::of(ui);
    let frame = *transform.frame();
    let painter = ui.painter().with_clip_rect(frame.intersect(ui.clip_rect()));
    let x_of = |epoch: f64| transform.position_from_point_x(epoch);
    let font = FontId::proportional(11.5);
    for span in run.phase_spans() {
        let Some(phase) = run.plan.phases.get(span.phase) else { continue };
        let (left, right) = (x_of(span.start), x_of(span.end));
        if span.phase > 0 {
            painter.vline(left, frame.y_range(), Stroke::new(1.0, palette.muted.gamma_multiply(0.6)));
        }
        let galley = painter.layout_no_wrap(phase.name.clone(), font.clone(), palette.muted);
        let at = pos2(left.max(frame.left()) + 5.0, frame.top() + 3.0);
        if run.plan.phases.len() > 1 && at.x + galley.size().x < right.min(frame.right()) {
            painter.galley(at, galley, palette.muted);
        }
    }
    if let Some(best) = run.epochs.iter().rev().find(|epoch| epoch.best) {
        let x = x_of(f64::from(best.epoch));
        let line = [pos2(x, frame.top()), pos2(x, frame.bottom())];
        painter.extend(Shape::dashed_line(&line, Stroke::new(1.5, palette.ok), 4.0, 4.0));
        // Where the curves are not: losses end low, accuracies high.
        let y = if measure == Measure::Loss { frame.top() + 20.0 } else { frame.bottom() - 18.0 };
        best_label(&painter, frame, pos2(x, y), palette.ok, palette.sunken);
        for (task, score) in run.plan.tasks.iter().zip(&best.valid) {
            if score.rows > 0 && view.shows_valid(&task.name) {
                let point = PlotPoint::new(f64::from(best.epoch), measure.of(score));
                let at = transform.position_from_point(&point);
                painter.circle_stroke(at, 6.5, Stroke::new(1.5, palette.ok));
            }
        }
    }
    if let Some(cursor) = view.cursor {
        painter.vline(x_of(cursor), frame.y_range(), Stroke::new(1.0, palette.muted));
    }
}

fn best_label(painter: &Painter, frame: Rect, at: Pos2, colour: Color32, behind: Color32) {
    let galley = painter.layout_no_wrap("best".to_owned(), FontId::proportional(11.5), colour);
    let right = at.x + 5.0 + galley.size().x < frame.right();
    let (anchor, x) = if right { (Align2::LEFT_TOP, at.x + 5.0) } else { (Align2::RIGHT_TOP, at.x - 5.0) };
    let rect = anchor.anchor_size(pos2(x, at.y), galley.size());
    painter.rect_filled(rect.expand2(vec2(2.0, 0.0)), 2.0, behind);
    painter.galley(rect.min, galley, colour);
}
