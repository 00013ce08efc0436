//! The five presets as cards, and what is to be said of the chosen one.

use eframe::egui::epaint::RectShape;
use eframe::egui::{
    self, Color32, CornerRadius, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, TextStyle, Ui,
    WidgetInfo, pos2, vec2,
};

use super::facts::Facts;
use crate::session::command::Edit;
use crate::session::state::State;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::Recipe;
use crate::ui::actions::Actions;
use crate::ui::explain::{PresetText, preset_text};
use crate::ui::panels::layout::{columns, figures};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;

const MARGIN: f32 = 10.0;
/// Least width of a card; where they do not fit side by side they go on in the next line.
const NARROWEST: f32 = 140.0;
const PICTURE: egui::Vec2 = egui::Vec2::new(56.0, 34.0);

/// The cards in a row, and beneath them the chosen one's texts and numbers.
pub(super) fn preset_cards_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let recipe = &state.project.recipe;
    widgets::card(ui, "What trains?", |ui| {
        let gap = theme::GAP;
        let available = ui.available_width();
        let in_row = ((available / NARROWEST) as usize).clamp(1, Preset::ALL.len());
        let width = (available - gap * (in_row - 1) as f32) / in_row as f32;
        let height = Preset::ALL.map(|preset| card_height(ui, preset, width)).into_iter().fold(0.0, f32::max);
        for row in Preset::ALL.chunks(in_row) {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = gap;
                for preset in row.iter().copied() {
                    let chosen = preset == recipe.preset;
                    if preset_card(ui, preset, chosen, vec2(width, height)).clicked() && !chosen {
                        let mut recipe = recipe.clone();
                        recipe.choose(preset);
                        actions.send(Edit::SetRecipe(recipe.into()));
                    }
                }
            });
        }
        let facts = Facts::of(state);
        if recipe.preset == Preset::FreezeHead {
            frozen_head_ui(ui, recipe, facts.as_ref(), actions);
        }
        details_ui(ui, &preset_text(recipe.preset));
        if let Some(facts) = facts {
            ui.separator();
            figures(ui, &facts.figures(recipe.preset, recipe));
        }
    });
}

fn galleys(ui: &Ui, preset: Preset, width: f32) -> [std::sync::Arc<egui::Galley>; 2] {
    let palette = Palette::of(ui);
    let wrap = width - 2.0 * MARGIN;
    let layout = |text: &str, style: &TextStyle, colour: Color32| {
        ui.painter().layout(text.to_owned(), style.resolve(ui.style()), colour, wrap)
    };
    [
        layout(preset.title(), &TextStyle::Body, palette.text),
        layout(preset_text(preset).summary, &TextStyle::Small, palette.muted),
    ]
}

fn card_height(ui: &Ui, preset: Preset, width: f32) -> f32 {
    let [title, summary] = galleys(ui, preset, width);
    2.0 * MARGIN + PICTURE.y + theme::GAP + title.size().y + theme::GRID + summary.size().y
}

fn preset_card(ui: &mut Ui, preset: Preset, chosen: bool, size: egui::Vec2) -> Response {
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, preset.title()));
    let lit = response.hovered() || response.has_focus();
    let (fill, stroke) = match (chosen, lit) {
        (true, _) => (palette.selected, Stroke::new(2.0, palette.accent)),
        (false, true) => (palette.raised, Stroke::new(1.0, palette.accent)),
        (false, false) => (palette.sunken, Stroke::new(1.0, palette.line)),
    };
    let radius = CornerRadius::same(theme::CARD_RADIUS);
    ui.painter().add(RectShape::new(rect, radius, fill, stroke, StrokeKind::Inside));
    let inner = rect.shrink(MARGIN);
    paint_picture(ui, Rect::from_min_size(inner.min, PICTURE), preset);
    let [title, summary] = galleys(ui, preset, size.x);
    let below = inner.top() + PICTURE.y + theme::GAP;
    let under_title = below + title.size().y + theme::GRID;
    ui.painter().galley(pos2(inner.left(), below), title, palette.text);
    ui.painter().galley(pos2(inner.left(), under_title), summary, palette.muted);
    response.on_hover_cursor(egui::CursorIcon::PointingHand)
}

/// The preset at a glance: two heads over four layers, against time.
fn paint_picture(ui: &Ui, rect: Rect, preset: Preset) {
    const COLUMNS: usize = 5;
    const ROWS: usize = 5;
    let palette = Palette::of(ui);
    let warm = |row: usize, column: usize| match preset {
        Preset::FreezeAll => false,
        Preset::FreezeBackbone => row == 0,
        // One head stays; drawn as the left part of the heads' row.
        Preset::FreezeHead => row > 0 || column > 1,
        Preset::Gradual => row <= column,
        Preset::Full => true,
    };
    let cell = vec2(rect.width() / COLUMNS as f32, (rect.height() - 3.0) / ROWS as f32);
    for row in 0..ROWS {
        let top = rect.top() + cell.y * row as f32 + if row > 0 { 3.0 } else { 0.0 };
        for column in 0..COLUMNS {
            let min = pos2(rect.left() + cell.x * column as f32, top);
            let colour = if warm(row, column) { palette.warm } else { palette.frozen };
            let place = Rect::from_min_size(min, cell).shrink(0.75);
            ui.painter().rect_filled(place, CornerRadius::same(1), colour.gamma_multiply(0.85));
        }
    }
}

fn frozen_head_ui(ui: &mut Ui, recipe: &Recipe, facts: Option<&Facts<'_>>, actions: &mut Actions) {
    let Some(facts) = facts else { return };
    let names: Vec<&str> = facts.tasks().collect();
    let kept = recipe.frozen_head.as_deref().or(names.first().copied()).unwrap_or("none");
    ui.horizontal(|ui| {
        let label = ui.label("Head to keep frozen");
        let combo =
            egui::ComboBox::from_id_salt("head to keep frozen").selected_text(kept).show_ui(ui, |ui| {
                for name in &names {
                    if ui.selectable_label(*name == kept, *name).clicked() && *name != kept {
                        let mut recipe = recipe.clone();
                        recipe.frozen_head = Some((*name).to_owned());
                        actions.send(Edit::SetRecipe(recipe.into()));
                    }
                }
            });
        combo.response.labelled_by(label.id);
    });
}

fn details_ui(ui: &mut Ui, text: &PresetText) {
    let palette = Palette::of(ui);
    ui.add_space(theme::GRID);
    ui.add(egui::Label::new(text.means).wrap());
    columns(ui, theme::SECTION_GAP, |[pros, cons, when]| {
        let columns = [
            (pros, "For", palette.ok, text.pros),
            (cons, "Against", palette.error, text.cons),
            (when, "When to use it", palette.accent, text.when),
        ];
        for (ui, title, colour, text) in columns {
            ui.spacing_mut().item_spacing.y = theme::GRID;
            ui.label(RichText::new(title).strong().color(colour));
            ui.add(egui::Label::new(text).wrap());
        }
    });
}
