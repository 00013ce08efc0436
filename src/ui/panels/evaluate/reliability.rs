//! The reliability diagram: how often the model is right when it is this sure.

use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Rect, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use crate::train::metrics::{CalibrationBin, TaskMetrics, format_figure};
use crate::ui::explain;
use crate::ui::theme::Palette;
use crate::ui::widgets;
use crate::ui::widgets::numbers::{counted, percent};

const HEIGHT: f32 = 240.0;
/// Height of the row of counts beneath the bars.
const COUNTS: f32 = 30.0;

/// Draws the diagram with the share of rows per bin beneath.
pub(super) fn reliability_ui(ui: &mut Ui, metrics: &TaskMetrics, colour: Color32) {
    let help = |ui: &mut Ui| explain::explain_ui(ui, &explain::RELIABILITY);
    widgets::card_with(ui, "Is it as sure as it should be?", help, |ui| {
        let size = vec2(ui.available_width().min(480.0), HEIGHT + COUNTS + 26.0);
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let name =
            format!("reliability diagram, expected calibration error {}", format_figure("ece", metrics.ece));
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
        let area =
            Rect::from_min_max(rect.min + vec2(46.0, 6.0), pos2(rect.right() - 8.0, rect.top() + HEIGHT));
        paint_frame(ui, area);
        let places = bar_places(area, &metrics.calibration);
        for (bin, bar) in metrics.calibration.iter().zip(&places) {
            paint_bin(ui, area, *bar, bin, colour);
        }
        paint_counts(ui, area, &metrics.calibration, &places);
        let hovered = response.hover_pos().and_then(|at| {
            let found = places.iter().position(|bar| bar.x_range().contains(at.x));
            found.and_then(|index| metrics.calibration.get(index))
        });
        if let Some(bin) = hovered {
            let text = if bin.count == 0 {
                "no row is this sure".to_owned()
            } else {
                let rows = counted(bin.count, "row", "rows");
                format!("{rows}: {} sure, {} right", percent(bin.confidence), percent(bin.accuracy))
            };
            response.on_hover_text_at_pointer(text);
        }
    });
}

/// Where the bins' bars stand: equal shares of the width, as high as their accuracy.
fn bar_places(area: Rect, bins: &[CalibrationBin]) -> Vec<Rect> {
    let width = area.width() / bins.len().max(1) as f32;
    let place = |(index, bin): (usize, &CalibrationBin)| {
        let left = area.left() + width * index as f32;
        let top = area.bottom() - area.height() * bin.accuracy.clamp(0.0, 1.0) as f32;
        Rect::from_min_max(pos2(left, top), pos2(left + width, area.bottom()))
    };
    bins.iter().enumerate().map(place).collect()
}

fn paint_frame(ui: &Ui, area: Rect) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    painter.rect_filled(area, CornerRadius::same(3), palette.sunken);
    let font = FontId::proportional(12.0);
    for step in 0..=4_u8 {
        let part = f32::from(step) / 4.0;
        let y = area.bottom() - part * area.height();
        painter.hline(area.x_range(), y, Stroke::new(1.0, palette.line));
        let text = format!("{:.0} %", part * 100.0);
        painter.text(pos2(area.left() - 6.0, y), Align2::RIGHT_CENTER, text, font.clone(), palette.muted);
    }
    painter.text(area.left_top() + vec2(6.0, 4.0), Align2::LEFT_TOP, "right", font, palette.muted);
}

fn paint_bin(ui: &Ui, area: Rect, bar: Rect, bin: &CalibrationBin, colour: Color32) {
    if bin.count == 0 {
        return;
    }
    let palette = Palette::of(ui);
    let painter = ui.painter();
    let inner = bar.shrink2(vec2(1.5, 0.0));
    painter.rect_filled(inner, CornerRadius::same(2), colour.gamma_multiply(0.75));
    // The gap to what was promised, where calibration errs.
    let promised = area.bottom() - area.height() * bin.confidence.clamp(0.0, 1.0) as f32;
    let gap = Rect::from_x_y_ranges(inner.x_range(), promised.min(bar.top())..=promised.max(bar.top()));
    painter.rect_filled(gap, CornerRadius::ZERO, palette.error.gamma_multiply(0.25));
    painter.hline(inner.x_range(), promised, Stroke::new(2.0, palette.error));
}

fn paint_counts(ui: &Ui, area: Rect, bins: &[CalibrationBin], places: &[Rect]) {
    let palette = Palette::of(ui);
    let painter = ui.painter();
    let diagonal = [area.left_bottom(), area.right_top()];
    painter.extend(Shape::dashed_line(&diagonal, Stroke::new(1.0, palette.text), 5.0, 4.0));
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1) as f32;
    let base = area.bottom() + 4.0 + COUNTS;
    for (bin, bar) in bins.iter().zip(places) {
        let height = COUNTS * bin.count as f32 / most;
        let column = Rect::from_x_y_ranges(bar.shrink2(vec2(1.5, 0.0)).x_range(), base - height..=base);
        painter.rect_filled(column, CornerRadius::ZERO, palette.muted.gamma_multiply(0.6));
    }
    let font = FontId::proportional(12.0);
    let y = base + 4.0;
    painter.text(pos2(area.left() - 6.0, base), Align2::RIGHT_BOTTOM, "rows", font.clone(), palette.muted);
    painter.text(pos2(area.left(), y), Align2::LEFT_TOP, "0 % sure", font.clone(), palette.muted);
    painter.text(pos2(area.right(), y), Align2::RIGHT_TOP, "100 % sure", font, palette.muted);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_share_the_width_and_are_as_high_as_their_accuracy() {
        let area = Rect::from_min_size(pos2(10.0, 20.0), vec2(100.0, 200.0));
        let bin = |accuracy| CalibrationBin { confidence: 0.5, accuracy, count: 3 };
        let places = bar_places(area, &[bin(0.0), bin(0.25), bin(1.0), bin(7.0)]);
        assert_eq!(places.iter().map(Rect::height).collect::<Vec<_>>(), [0.0, 50.0, 200.0, 200.0]);
        assert!(places.windows(2).all(|pair| pair[0].right() == pair[1].left()));
        assert_eq!(places.last().map(Rect::right), Some(area.right()));
    }
}
