//! Small parts that pages share: cards, headers, empty states, explanations, buttons made from actions.
//!
//! They draw what they are given. They must never know the session, and hold no state but egui's own.

pub mod camera;
pub mod curves;
pub mod icon;
pub mod matrix;
pub mod numbers;
pub mod scatter;
pub mod stack;

use eframe::egui;
use egui::{
    Button, Color32, CornerRadius, Frame, InnerResponse, Margin, Response, RichText, Sense, Stroke,
    TextStyle, Ui, WidgetInfo, vec2,
};

use self::icon::Icon;
use super::actions::{Action, Actions};
use super::theme::{self, Palette};
use crate::session::state::{Severity, State};

/// The title of a page and the sentence that says what it is for.
pub fn page_header(ui: &mut Ui, title: &str, purpose: &str) {
    ui.label(RichText::new(title).text_style(theme::title_style()).strong());
    caption(ui, purpose);
    ui.add_space(theme::GAP);
}

/// A paragraph of body text, no wider than reads well.
pub fn paragraph(ui: &mut Ui, text: impl Into<RichText>) -> Response {
    ui.scope(|ui| {
        ui.set_max_width(ui.available_width().min(theme::TEXT_WIDTH));
        ui.add(egui::Label::new(text.into()).wrap())
    })
    .inner
}

/// Text of less weight.
pub fn caption(ui: &mut Ui, text: &str) -> Response {
    let muted = Palette::of(ui).muted;
    paragraph(ui, RichText::new(text).color(muted))
}

/// A card: a titled area that holds one thing.
pub fn card<R>(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    card_frame(ui).show(ui, |ui| {
        // Columns are justified by default: that would stretch buttons and tear words apart.
        ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
            ui.set_min_width(ui.available_width());
            if !title.is_empty() {
                ui.heading(title);
            }
            add(ui)
        })
        .inner
    })
}

/// A card whose title line also holds something at its right end: a button, a choice.
pub fn card_with<R>(
    ui: &mut Ui,
    title: &str,
    right: impl FnOnce(&mut Ui),
    add: impl FnOnce(&mut Ui) -> R,
) -> InnerResponse<R> {
    card(ui, "", |ui| {
        title_line(ui, title, right);
        add(ui)
    })
}

/// The title of a card, and something at the right end of its line.
pub fn title_line(ui: &mut Ui, title: &str, right: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.heading(title);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), right);
    });
}

/// The frame of cards.
pub fn card_frame(ui: &Ui) -> Frame {
    let palette = Palette::of(ui);
    Frame::new()
        .fill(palette.surface)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(CornerRadius::same(theme::CARD_RADIUS))
        .inner_margin(Margin::same(theme::CARD_MARGIN))
}

/// Narrower than this, two columns become one.
const NARROW: f32 = 720.0;

/// Two columns of cards, with the gap that cards have below one another; one column where there is no room.
pub fn two_columns(ui: &mut Ui, add: impl FnOnce(&mut Ui, &mut Ui)) {
    if ui.available_width() < NARROW {
        return one_column(ui, add);
    }
    let gap = ui.spacing().item_spacing.x;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = theme::SECTION_GAP;
        ui.columns_const(|[left, right]| {
            left.spacing_mut().item_spacing.x = gap;
            right.spacing_mut().item_spacing.x = gap;
            add(left, right);
        });
    });
}

/// Both at once are lent to `add`, so the lower one is placed by the height that the upper one had a frame ago.
fn one_column(ui: &mut Ui, add: impl FnOnce(&mut Ui, &mut Ui)) {
    let id = ui.scope_id().with("one column");
    let height_before: f32 = ui.data(|data| data.get_temp(id)).unwrap_or(0.0);
    let place = ui.available_rect_before_wrap();
    let below = place.with_min_y(place.top() + height_before + theme::SECTION_GAP);
    let mut upper = ui.new_child(egui::UiBuilder::new().id_salt("upper").max_rect(place));
    let mut lower = ui.new_child(egui::UiBuilder::new().id_salt("lower").max_rect(below));
    add(&mut upper, &mut lower);
    let height = upper.min_rect().height();
    if (height - height_before).abs() > 0.5 {
        ui.data_mut(|data| data.insert_temp(id, height));
        ui.ctx().request_repaint();
    }
    ui.advance_cursor_after_rect(upper.min_rect().union(lower.min_rect()));
}

/// What a page shows while it has nothing to show: what will be here, and how to get it.
pub fn empty_state(ui: &mut Ui, picture: Icon, title: &str, text: &str, add: impl FnOnce(&mut Ui)) {
    let palette = Palette::of(ui);
    card(ui, "", |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space(theme::SECTION_GAP);
            icon::icon(ui, picture, palette.frozen, 40.0);
            ui.add_space(theme::GAP);
            ui.heading(title);
            ui.scope(|ui| {
                ui.set_max_width(ui.available_width().min(theme::TEXT_WIDTH));
                ui.add(egui::Label::new(RichText::new(text).color(palette.muted)).wrap());
            });
            ui.add_space(theme::GAP);
            add(ui);
            ui.add_space(theme::SECTION_GAP);
        });
    });
}

/// An explanation that is there to be read: closed until somebody asks.
pub fn explain(ui: &mut Ui, question: &str, answer: &str) {
    let palette = Palette::of(ui);
    egui::CollapsingHeader::new(RichText::new(question).color(palette.accent))
        .id_salt(("explain", question))
        .show(ui, |ui| {
            caption(ui, answer);
        });
}

/// The colour and icon of a severity.
#[must_use]
pub const fn severity_look(palette: &Palette, severity: Severity) -> (Color32, Icon) {
    match severity {
        Severity::Info => (palette.accent, Icon::Info),
        Severity::Success => (palette.ok, Icon::Check),
        Severity::Warning => (palette.warn, Icon::Warning),
        Severity::Error => (palette.error, Icon::Error),
    }
}

/// A sentence with the icon of its severity before it.
pub fn message(ui: &mut Ui, severity: Severity, text: &str) -> Response {
    let (colour, icon) = severity_look(Palette::of(ui), severity);
    ui.horizontal_top(|ui| {
        icon::icon(ui, icon, colour, 16.0);
        ui.add(egui::Label::new(text).wrap())
    })
    .inner
}

/// Something is being made, and what it is. No spinner: it would draw frame after frame beside the work.
pub fn loading(ui: &mut Ui, what: &str) {
    let warm = Palette::of(ui).warm;
    ui.horizontal(|ui| {
        icon::icon(ui, Icon::Half, warm, 18.0);
        ui.label(what);
    });
}

/// Says that the user stopped what would stand here.
pub fn cancelled(ui: &mut Ui) {
    caption(ui, "Cancelled.");
}

/// The button of an action; where it is not possible, it is grey and its tooltip says why.
pub fn action_button(ui: &mut Ui, state: &State, actions: &mut Actions, action: Action) -> Response {
    let button = Button::new(action.label());
    show_action(ui, state, actions, action, button)
}

/// The same for the one thing on a page that most people want next.
pub fn primary_button(ui: &mut Ui, state: &State, actions: &mut Actions, action: Action) -> Response {
    let enabled = ui.is_enabled() && action.enabled(state).is_ok();
    let button = strong_look(ui, enabled, action.label());
    show_action(ui, state, actions, action, button.min_size(vec2(0.0, 32.0)))
}

/// A button for the expected answer to a question.
pub fn strong_button(ui: &mut Ui, label: &'static str) -> Response {
    let button = strong_look(ui, ui.is_enabled(), label);
    ui.add(button)
}

fn strong_look(ui: &Ui, enabled: bool, label: &'static str) -> Button<'static> {
    let palette = Palette::of(ui);
    let text = RichText::new(label);
    if enabled { Button::new(text.color(palette.on_accent)).fill(palette.accent) } else { Button::new(text) }
}

/// The entry of an action in a menu, with its shortcut.
pub fn menu_entry(ui: &mut Ui, state: &State, actions: &mut Actions, action: Action) -> Response {
    let mut button = Button::new(action.label());
    if let Some(shortcut) = action.shortcut() {
        button = button.shortcut_text(ui.ctx().format_shortcut(&shortcut));
    }
    show_action(ui, state, actions, action, button)
}

fn show_action(
    ui: &mut Ui,
    state: &State,
    actions: &mut Actions,
    action: Action,
    button: Button<'_>,
) -> Response {
    let possible = action.enabled(state);
    let mut response = ui.add_enabled(possible.is_ok(), button);
    response = match possible {
        Ok(()) if action.tooltip().is_empty() => response,
        Ok(()) => match action.shortcut() {
            Some(shortcut) => {
                let keys = ui.ctx().format_shortcut(&shortcut);
                response.on_hover_text(format!("{} ({keys})", action.tooltip()))
            }
            None => response.on_hover_text(action.tooltip()),
        },
        Err(reason) => response.on_disabled_hover_text(reason),
    };
    if response.clicked() {
        actions.send(action);
    }
    response
}

/// A button that is only an icon; `name` is its tooltip and what a screen reader says.
pub fn icon_button(ui: &mut Ui, picture: Icon, name: &str) -> Response {
    let side = ui.spacing().interact_size.y;
    let (rect, response) = ui.allocate_exact_size(vec2(side, side), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, ui.is_enabled(), name));
    if ui.is_rect_visible(rect) {
        let look = ui.style().interact(&response);
        if response.hovered() || response.has_focus() {
            ui.painter().rect(
                rect,
                look.corner_radius,
                look.weak_bg_fill,
                look.bg_stroke,
                egui::StrokeKind::Inside,
            );
        }
        icon::paint(ui.painter(), rect.shrink(7.0), picture, look.text_color());
    }
    response.on_hover_text(name)
}

/// Name and value on a line, for short lists of facts: put several into [`facts`].
pub fn fact(ui: &mut Ui, name: &str, value: impl Into<RichText>) -> Response {
    let muted = Palette::of(ui).muted;
    ui.label(RichText::new(name).color(muted));
    let response = ui.label(value.into());
    ui.end_row();
    response
}

/// A list of [`fact`]s in two columns.
pub fn facts<R>(ui: &mut Ui, id: &str, add: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    egui::Grid::new(id)
        .num_columns(2)
        .min_row_height(5.0 * theme::GRID)
        .spacing(vec2(theme::SECTION_GAP, theme::GRID))
        .show(ui, add)
}

/// A small disc in the colour of a task or class, with its name.
pub fn swatch_label(ui: &mut Ui, colour: Color32, name: &str) -> Response {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GRID;
        icon::icon(ui, Icon::Dot, colour, 14.0);
        ui.label(name)
    })
    .inner
}

/// Text in a small rounded box: a token, a split, a state. A row of them wraps.
pub fn chip(ui: &mut Ui, text: impl Into<RichText>, fill: Color32) -> Response {
    let palette = Palette::of(ui);
    let text = text.into().color(palette.text_on(fill));
    let words = text.text().to_owned();
    let galley = egui::WidgetText::from(text).into_galley(
        ui,
        Some(egui::TextWrapMode::Extend),
        f32::INFINITY,
        TextStyle::Body,
    );
    let margin = vec2(6.0, 2.0);
    let (rect, response) = ui.allocate_exact_size(galley.size() + 2.0 * margin, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, &words));
    if ui.is_rect_visible(rect) {
        ui.painter().rect_filled(rect, CornerRadius::same(4), fill);
        ui.painter().galley(rect.min + margin, galley, palette.text);
    }
    response
}

/// A text field of one line, as wide as asked; `name` is its hint and what a screen reader says.
pub fn field(ui: &mut Ui, text: &mut String, name: &str, width: f32) -> Response {
    let margin = ui.spacing().button_padding.x * 2.0;
    let response = ui.add(
        egui::TextEdit::singleline(text)
            .desired_width(width - margin)
            .align(egui::Align2::LEFT_CENTER)
            .hint_text(name),
    );
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(ui.is_enabled(), text.as_str(), text.as_str(), name);
        info.label = Some(name.to_owned());
        info
    });
    response
}

/// A number at the right end of a table cell.
pub fn number(ui: &mut Ui, text: impl Into<RichText>) -> Response {
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        ui.add(egui::Label::new(text.into().text_style(TextStyle::Monospace)).extend())
    })
    .inner
}

/// A button that copies a table, a line for each row and tabs between cells, as spreadsheets take it.
pub fn copy_table_button(ui: &mut Ui, what: &str, rows: impl FnOnce() -> Vec<Vec<String>>) {
    let button = ui.button("Copy");
    button.widget_info(|| WidgetInfo::labeled(egui::Role::Button, ui.is_enabled(), format!("Copy {what}")));
    if button.on_hover_text("Copies the table for a spreadsheet").clicked() {
        let lines: Vec<String> = rows().iter().map(|row| row.join("\t")).collect();
        ui.ctx().copy_text(lines.join("\n"));
    }
}

/// A bar in parts, each with a colour, filling the width given; parts of nothing take no room.
pub fn bar(ui: &mut Ui, width: f32, height: f32, parts: &[(f32, Color32)]) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    if ui.is_rect_visible(rect) {
        let palette = Palette::of(ui);
        ui.painter().rect_filled(rect, 2.0, palette.sunken);
        let mut left = rect.left();
        for (part, colour) in parts {
            let right = (left + part.max(0.0) * width).min(rect.right());
            let piece = rect.with_min_x(left).with_max_x(right);
            ui.painter().rect_filled(piece, 2.0, *colour);
            left = right;
        }
    }
    response
}

/// Code or other fixed-width text in a sunken box; it can be selected.
pub fn code_block(ui: &mut Ui, text: &str) -> Response {
    let palette = Palette::of(ui);
    Frame::new()
        .fill(palette.sunken)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(CornerRadius::same(6))
        .inner_margin(Margin::same(8))
        .show(ui, |ui| {
            ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                ui.set_min_width(ui.available_width());
                ui.add(egui::Label::new(RichText::new(text.trim_end()).monospace()).wrap().selectable(true));
            });
        })
        .response
}
