//! What a multi-label task would come to with another threshold: a slider, the figures at it, and the curve.

use eframe::egui::{
    Align2, Button, CornerRadius, FontId, Grid, Rect, Role, Sense, Shape, Slider, Stroke, Ui, WidgetInfo,
    pos2, vec2,
};

use crate::data::dataset::Split;
use crate::session::state::Evaluation;
use crate::train::metrics::{THRESHOLD, ThresholdFigures, best_threshold, share};
use crate::ui::panels::layout::{columns, digits, grid_number, head};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;

const HEIGHT: f32 = 190.0;
/// From this width on the curve and the figures stand side by side.
const WIDE: f32 = 960.0;
const COLUMN: f32 = 106.0;

/// What the page remembers of thresholds.
#[derive(Debug)]
pub(super) struct ThresholdView {
    threshold: f32,
}

impl Default for ThresholdView {
    fn default() -> Self {
        Self { threshold: THRESHOLD }
    }
}

/// Draws the card.
pub(super) fn thresholds_ui(
    ui: &mut Ui,
    evaluation: &Evaluation,
    task: usize,
    curve: &[ThresholdFigures],
    view: &mut ThresholdView,
) {
    let own = nearest(curve, THRESHOLD);
    let (Some(own), Some(best)) = (own, best_threshold(curve).and_then(|place| curve.get(place))) else {
        return;
    };
    widgets::card(ui, "Another threshold", |ui| {
        let text = format!(
            "A class is said to be there when its probability is above a threshold. The program uses {THRESHOLD:.2}, in \
             its figures and in what it predicts. A lower one finds more classes (recall), a higher one is more often \
             right about those that it finds (precision). Try others here: nothing is trained again."
        );
        widgets::caption(ui, &text);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().slider_width = 320.0;
            let range = 0.05..=0.95;
            ui.add(Slider::new(&mut view.threshold, range).step_by(0.01).fixed_decimals(2).text("Threshold"));
            ui.add_space(theme::GAP);
            if ui.button(format!("Best here: {:.2}", best.threshold)).on_hover_text(BEST).clicked() {
                view.threshold = best.threshold;
            }
            let is_own = (view.threshold - THRESHOLD).abs() < 0.005;
            let back = ui.add_enabled(!is_own, Button::new(format!("The program's: {THRESHOLD:.2}")));
            if back.on_disabled_hover_text("The slider stands there").clicked() {
                view.threshold = THRESHOLD;
            }
        });
        let Some(chosen) = nearest(curve, view.threshold) else { return };
        let colour = Palette::of(ui).task(task);
        if ui.available_width() < WIDE {
            curve_ui(ui, curve, (chosen, best), colour);
            figures_ui(ui, [chosen, own, best]);
        } else {
            columns(ui, theme::SECTION_GAP, |[left, right]| {
                curve_ui(left, curve, (chosen, best), colour);
                figures_ui(right, [chosen, own, best]);
            });
        }
        use_ui(ui, evaluation, chosen);
    });
}

const BEST: &str = "The threshold with the highest micro F1 on these rows";

/// The figures at the threshold that is nearest to one.
fn nearest(curve: &[ThresholdFigures], threshold: f32) -> Option<&ThresholdFigures> {
    let far = |figures: &&ThresholdFigures| (figures.threshold - threshold).abs();
    curve.iter().min_by(|a, b| far(a).total_cmp(&far(b)))
}

fn figures_ui(ui: &mut Ui, [chosen, own, best]: [&ThresholdFigures; 3]) {
    type Row = (&'static str, fn(&ThresholdFigures) -> f64);
    const ROWS: [Row; 6] = [
        ("micro precision", |at| at.micro_precision),
        ("micro recall", |at| at.micro_recall),
        ("micro F1", |at| at.micro_f1),
        ("macro precision", |at| at.macro_precision),
        ("macro recall", |at| at.macro_recall),
        ("macro F1", |at| at.macro_f1),
    ];
    Grid::new("figures at thresholds").num_columns(4).striped(true).spacing([12.0, 4.0]).show(ui, |ui| {
        ui.label(head(ui, "above"));
        let heads = [(chosen, "chosen"), (own, "the program"), (best, "best")];
        for (at, name) in heads {
            grid_number(ui, COLUMN, head(ui, format!("{:.2}, {name}", at.threshold)));
        }
        ui.end_row();
        for (name, of) in ROWS {
            ui.label(name);
            for at in [chosen, own, best] {
                grid_number(ui, COLUMN, digits(share(of(at))));
            }
            ui.end_row();
        }
    });
}

/// Micro F1 over all thresholds, with the chosen and the best marked.
fn curve_ui(
    ui: &mut Ui,
    curve: &[ThresholdFigures],
    (chosen, best): (&ThresholdFigures, &ThresholdFigures),
    colour: eframe::egui::Color32,
) {
    let palette = Palette::of(ui);
    let size = vec2(ui.available_width().min(480.0), HEIGHT + 24.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let name = format!(
        "micro F1 over thresholds: {} at the chosen {:.2}, at best {} at {:.2}",
        share(chosen.micro_f1),
        chosen.threshold,
        share(best.micro_f1),
        best.threshold
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    let area = Rect::from_min_max(rect.min + vec2(46.0, 6.0), pos2(rect.right() - 8.0, rect.top() + HEIGHT));
    let place = |threshold: f32, figure: f64| {
        let part = (threshold - 0.05) / 0.9;
        pos2(area.left() + part * area.width(), area.bottom() - figure as f32 * area.height())
    };
    let font = FontId::proportional(12.0);
    let painter = ui.painter();
    painter.rect_filled(area, CornerRadius::same(3), palette.sunken);
    for step in 0..=4_u8 {
        let part = f64::from(step) / 4.0;
        let y = place(0.05, part).y;
        painter.hline(area.x_range(), y, Stroke::new(1.0, palette.line));
        let text = format!("{:.0} %", part * 100.0);
        painter.text(pos2(area.left() - 6.0, y), Align2::RIGHT_CENTER, text, font.clone(), palette.muted);
    }
    for threshold in [0.05, 0.25, THRESHOLD, 0.75, 0.95] {
        let at = pos2(place(threshold, 0.0).x, area.bottom() + 4.0);
        let text = format!("{threshold:.2}");
        painter.text(at, Align2::CENTER_TOP, text, font.clone(), palette.muted);
    }
    painter.text(area.left_top() + vec2(6.0, 4.0), Align2::LEFT_TOP, "micro F1", font.clone(), palette.muted);
    let own = [place(THRESHOLD, 0.0), place(THRESHOLD, 1.0)];
    painter.extend(Shape::dashed_line(&own, Stroke::new(1.0, palette.muted), 4.0, 4.0));
    painter.vline(place(chosen.threshold, 0.0).x, area.y_range(), Stroke::new(1.0, palette.accent));
    let points = curve.iter().map(|at| place(at.threshold, at.micro_f1)).collect();
    painter.add(Shape::line(points, Stroke::new(2.0, colour)));
    let top = place(best.threshold, best.micro_f1);
    painter.circle(top, 5.0, palette.surface, Stroke::new(2.0, palette.ok));
    // Above the curve's top, where there is room.
    let low = best.micro_f1 < 0.85;
    // And on the side on which it does not cross the line of the program's own.
    let leftward = (0.25..=THRESHOLD).contains(&best.threshold) || best.threshold > 0.75;
    let align = match (low, leftward) {
        (true, true) => Align2::RIGHT_BOTTOM,
        (true, false) => Align2::LEFT_BOTTOM,
        (false, true) => Align2::RIGHT_TOP,
        (false, false) => Align2::LEFT_TOP,
    };
    let away = vec2(0.0, if low { -8.0 } else { 8.0 });
    painter.text(top + away, align, format!("best {}", share(best.micro_f1)), font, palette.ok);
    let at = place(chosen.threshold, chosen.micro_f1);
    painter.circle_filled(at, 4.0, palette.accent);
    let hovered = response.hover_pos().and_then(|at| {
        let threshold = 0.05 + 0.9 * ((at.x - area.left()) / area.width().max(1.0)).clamp(0.0, 1.0);
        nearest(curve, threshold)
    });
    if let Some(at) = hovered {
        let text = format!("above {:.2}: micro F1 {}", at.threshold, share(at.micro_f1));
        response.on_hover_text_at_pointer(text);
    }
}

/// How to use a threshold that the program does not.
fn use_ui(ui: &mut Ui, evaluation: &Evaluation, chosen: &ThresholdFigures) {
    let p = f64::from(chosen.threshold);
    let logit = (p / (1.0 - p)).ln();
    let mut text = format!(
        "To use another than {THRESHOLD:.2}: `frostline predict` writes the probability of every class, to be compared \
         with your threshold. Of an exported task `encode()` gives logits: a class is there above \
         log({p:.2} / {:.2}) = {logit:.3}. Frostline itself stays at {THRESHOLD:.2}.",
        1.0 - p
    );
    if evaluation.split != Split::Valid {
        text += " Choose a threshold on valid rows: the best one of the test rows flatters there, and train rows are known \
                 by heart.";
    }
    widgets::caption(ui, &text);
}
