//! Paints a placed stack: cold and warm cells, the frost line, phases above, epochs and the rate's curve below.

use eframe::egui::epaint::PathStroke;
use eframe::egui::{
    Align2, Color32, CornerRadius, FontId, Id, Pos2, Rect, Response, RichText, Role, Sense, Shape, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::edit::{self, StackEdit, StackView};
use super::{Cell, Layout, desired_height, group_name, layout};
use crate::model::summary::TensorInfo;
use crate::train::plan::RunPlan;
use crate::ui::theme::{Palette, mix};
use crate::ui::widgets::matrix::shorten;
use crate::ui::widgets::numbers::counted;

/// Height of the rate's curve beneath the stack.
const CURVE: f32 = 56.0;

/// Draws the stack of a plan over the available width, with the rates of its steps below. Says what was asked for by
/// pointer or keys.
pub fn stack_ui(ui: &mut Ui, plan: &RunPlan, view: &mut StackView) -> Option<StackEdit> {
    let trains = plan.epochs() > 0;
    let height = desired_height(plan) + if trains { CURVE + 8.0 } else { 0.0 };
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    // A name of its own: what is drawn before it changes while it is being dragged.
    let response = ui.interact(rect, Id::unique("the plan as a picture"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, sentence(plan)));
    let stack_rect = Rect::from_min_size(rect.min, vec2(rect.width(), desired_height(plan)));
    let placed = layout(plan, stack_rect);
    let palette = Palette::of(ui);

    let asked = edit::interact(ui, &placed, plan, &response, view);

    paint_selected(ui, &placed, palette, view.selected, response.has_focus());
    paint_names(ui, &placed, palette, plan);
    for cell in &placed.cells {
        paint_cell(ui, cell, palette, plan);
    }
    paint_frost_line(ui, &placed, palette, view.is_dragging());
    if trains {
        paint_epochs(ui, &placed, palette);
        let top = stack_rect.bottom() + 4.0;
        let curve = Rect::from_min_max(pos2(placed.area.left(), top), pos2(placed.area.right(), top + CURVE));
        paint_curve(ui, curve, rect.left(), palette, plan);
    }
    if !view.is_dragging() {
        hover_ui(ui, &placed, plan, response);
    }
    asked
}

/// The phase that keys are about.
fn paint_selected(ui: &Ui, placed: &Layout, palette: &Palette, selected: usize, focused: bool) {
    let Some(band) = placed.bands.get(selected).filter(|_| placed.bands.len() > 1 || focused) else { return };
    let radius = CornerRadius::same(4);
    ui.painter().rect_filled(band.name_rect.shrink2(vec2(1.0, 1.0)), radius, palette.selected);
    if focused {
        let whole = Rect::from_x_y_ranges(band.x.0..=band.x.1, band.name_rect.top()..=placed.area.bottom());
        let ring = Stroke::new(2.0, palette.accent);
        ui.painter().rect_stroke(whole.expand(1.0), radius, ring, StrokeKind::Outside);
    }
}

/// The whole picture in words, for who cannot see it.
fn sentence(plan: &RunPlan) -> String {
    let phases = plan.phases.iter().enumerate().map(|(index, phase)| {
        let trained = plan.trainable_parameters(index);
        let epochs = counted(phase.epochs as usize, "epoch", "epochs");
        format!("{} for {epochs}, {trained} parameters train", phase.name)
    });
    let of = counted(plan.phases.len(), "phase", "phases");
    format!("schedule of {of}: {}", phases.collect::<Vec<_>>().join("; "))
}

fn paint_names(ui: &Ui, placed: &Layout, palette: &Palette, plan: &RunPlan) {
    let font = FontId::proportional(12.5);
    for row in &placed.rows {
        let at = row.name_rect.right_center();
        let name = shorten(&row.name, 16);
        ui.painter().text(at, Align2::RIGHT_CENTER, name, font.clone(), palette.text);
    }
    for band in &placed.bands {
        let Some(phase) = plan.phases.get(band.phase) else { continue };
        let room = band.name_rect.shrink2(vec2(4.0, 0.0));
        let name = match plan.phases.len() {
            1 => phase.name.clone(),
            _ => format!("{}  {}", band.phase + 1, phase.name),
        };
        let galley = ui.painter().layout_no_wrap(name, font.clone(), palette.text);
        let at = Align2::LEFT_CENTER.anchor_size(room.left_center(), galley.size()).min;
        // A name that does not fit is left to the pointer rather than cut in the middle of a letter.
        if galley.size().x <= room.width() {
            ui.painter().galley(at, galley, palette.text);
        } else {
            let number = (band.phase + 1).to_string();
            ui.painter().text(room.left_center(), Align2::LEFT_CENTER, number, font.clone(), palette.text);
        }
        let tick = Stroke::new(1.0, palette.line);
        ui.painter().vline(band.x.0, band.name_rect.top()..=placed.area.bottom(), tick);
    }
}

fn paint_cell(ui: &Ui, cell: &Cell, palette: &Palette, plan: &RunPlan) {
    let (fill, text) = match cell.lr {
        None => (palette.frozen_fill, palette.frozen),
        Some(lr) => (mix(palette.warm_fill, palette.frozen_fill, 0.5 * coolness(lr, plan)), palette.warm),
    };
    let radius = CornerRadius::same(3);
    ui.painter().rect_filled(cell.rect, radius, fill);
    let words = cell.lr.map_or_else(|| "frozen".to_owned(), rate);
    let galley = ui.painter().layout_no_wrap(words, FontId::proportional(12.0), text);
    if galley.size().x + 8.0 <= cell.rect.width() && galley.size().y <= cell.rect.height() {
        let at = Align2::CENTER_CENTER.anchor_size(cell.rect.center(), galley.size()).min;
        ui.painter().galley(at, galley, text);
    }
}

/// How far below the highest rate of the plan a rate lies: 0 at the highest, 1 at a hundredth of it or less.
fn coolness(lr: f64, plan: &RunPlan) -> f32 {
    let highest = plan.recipe.lr_encoder.max(plan.recipe.lr_heads);
    ((highest / lr).log10() / 2.0).clamp(0.0, 1.0) as f32
}

/// A learning rate as people write it: `1e-4`, `8.5e-5`.
#[must_use]
pub fn rate(lr: f64) -> String {
    let text = format!("{lr:.2e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e{exponent}")
}

fn paint_frost_line(ui: &Ui, placed: &Layout, palette: &Palette, held: bool) {
    let points: Vec<Pos2> = placed.frost_line.clone();
    let halo = PathStroke::new(6.0, palette.surface);
    ui.painter().add(Shape::Path(eframe::egui::epaint::PathShape::line(points.clone(), halo)));
    let line = PathStroke::new(if held { 5.0 } else { 3.0 }, palette.accent);
    ui.painter().add(Shape::Path(eframe::egui::epaint::PathShape::line(points, line)));
    // A grip in the middle of each piece says that it can be taken hold of.
    for piece in placed.frost_line.chunks(2) {
        if let [from, to] = piece
            && to.x - from.x > 24.0
        {
            let grip = Rect::from_center_size(from.lerp(*to, 0.5), vec2(18.0, 8.0));
            let edge = Stroke::new(1.5, palette.surface);
            ui.painter().rect(grip, CornerRadius::same(4), palette.accent, edge, StrokeKind::Outside);
        }
    }
}

fn paint_epochs(ui: &Ui, placed: &Layout, palette: &Palette) {
    let font = FontId::proportional(12.0);
    let y = placed.area.bottom();
    for (epoch, x) in &placed.epochs {
        ui.painter().vline(*x, y..=y + 4.0, Stroke::new(1.0, palette.muted));
        let at = pos2(*x, y + 5.0);
        ui.painter().text(at, Align2::CENTER_TOP, epoch.to_string(), font.clone(), palette.muted);
    }
    let at = pos2(placed.area.left() - 12.0, y + 5.0);
    ui.painter().text(at, Align2::RIGHT_TOP, "epoch", font, palette.muted);
}

fn paint_curve(ui: &Ui, rect: Rect, left: f32, palette: &Palette, plan: &RunPlan) {
    let painter = ui.painter();
    painter.rect_filled(rect, CornerRadius::same(3), palette.sunken);
    let columns = rect.width().max(2.0) as usize;
    let inner = rect.shrink2(vec2(0.0, 3.0));
    let at = |column: usize| {
        let part = column as f64 / columns as f64;
        let height = plan.rate_factor_at(part * f64::from(plan.drawn_epochs()))?.clamp(0.0, 1.0) as f32;
        Some(pos2(inner.left() + part as f32 * inner.width(), inner.bottom() - height * inner.height()))
    };
    let columns: Vec<Option<Pos2>> = (0..=columns).map(at).collect();
    // Between the last step of a phase and the end of its epochs there is no rate.
    for points in columns.split(Option::is_none) {
        let points: Vec<Pos2> = points.iter().copied().flatten().collect();
        let mut area = eframe::egui::epaint::Mesh::default();
        let fill = palette.warm.gamma_multiply(0.18);
        for point in &points {
            let index = area.vertices.len() as u32;
            area.colored_vertex(*point, fill);
            area.colored_vertex(pos2(point.x, inner.bottom()), fill);
            if index > 0 {
                area.add_triangle(index - 2, index - 1, index);
                area.add_triangle(index - 1, index, index + 1);
            }
        }
        painter.add(area);
        painter.add(Shape::line(points, Stroke::new(2.0, palette.warm)));
    }
    painter.rect_stroke(rect, CornerRadius::same(3), Stroke::new(1.0, palette.line), StrokeKind::Outside);

    let font = FontId::proportional(12.0);
    let name = |y: f32, text: &str, colour: Color32| {
        painter.text(pos2(rect.left() - 8.0, y), Align2::RIGHT_CENTER, text, font.clone(), colour);
    };
    name(rect.top() + 6.0, "peak", palette.muted);
    name(rect.bottom() - 6.0, "0", palette.muted);
    let title = pos2(left, rect.center().y);
    painter.text(title, Align2::LEFT_CENTER, "learning rate", font.clone(), palette.text);
}

fn hover_ui(ui: &Ui, placed: &Layout, plan: &RunPlan, response: Response) {
    let Some(at) = response.hover_pos() else { return };
    if let Some(band) = placed.bands.iter().find(|band| band.name_rect.contains(at)) {
        let Some(phase) = plan.phases.get(band.phase) else { return };
        let epochs = counted(phase.epochs as usize, "epoch", "epochs");
        let text = format!("phase {}: {}, {epochs}", band.phase + 1, phase.name);
        response.on_hover_text_at_pointer(text);
        return;
    }
    let Some(cell) = placed.cell_at(at) else { return };
    let ring = Stroke::new(1.5, Palette::of(ui).text);
    ui.painter().rect_stroke(cell.rect, CornerRadius::same(3), ring, StrokeKind::Inside);
    let parameters: u64 =
        plan.tensors.iter().filter(|tensor| tensor.group == cell.group).map(TensorInfo::elements).sum();
    let does = match cell.lr {
        None => "frozen: not updated, and run in eval mode".to_owned(),
        Some(lr) => format!("trains with a peak learning rate of {}", rate(lr)),
    };
    let phase = plan.phases.get(cell.phase).map_or("", |phase| phase.name.as_str());
    let name = group_name(plan, cell.group);
    response.on_hover_ui_at_pointer(|ui| {
        ui.strong(name);
        ui.label(format!("phase {}: {phase}", cell.phase + 1));
        ui.label(does);
        ui.label(format!("{parameters} parameters"));
        let other =
            if cell.lr.is_some() { "Click to freeze it here." } else { "Click to let it train here." };
        ui.label(RichText::new(other).small().color(Palette::of(ui).muted));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short_and_exact() {
        assert_eq!(rate(1e-4), "1e-4");
        assert_eq!(rate(0.01), "1e-2");
        assert_eq!(rate(8.5e-5), "8.5e-5");
        assert_eq!(rate(1e-4 * 0.85f64.powi(3)), "6.14e-5");
    }
}
