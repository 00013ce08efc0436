//! Parts that several pages share: figures with captions, columns of text, what is offered before the first run.

use eframe::egui::{
    Align, Label, Layout, Response, RichText, TextStyle, TextWrapMode, Ui, UiBuilder, WidgetText, vec2,
};

use crate::session::state::{Loadable, State};
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;

/// Narrower than this, columns stand below one another.
const NARROW: f32 = 560.0;

/// `N` columns of equal width whose text is set ragged; their heights may differ. Below one another where there is no
/// room: all are lent at once, so each is placed by the heights that those above it had a frame ago.
pub(crate) fn columns<const N: usize>(ui: &mut Ui, gap: f32, add: impl FnOnce(&mut [Ui; N])) {
    let available = ui.available_width();
    let stacked = available < NARROW;
    let width = if stacked { available } else { (available - gap * (N.saturating_sub(1)) as f32) / N as f32 };
    let top = ui.cursor().min;
    let id = ui.next_auto_id().with("columns");
    let before: [f32; N] = ui.data(|data| data.get_temp(id)).unwrap_or([0.0; N]);
    let mut below = 0.0;
    let mut columns: [Ui; N] = std::array::from_fn(|index| {
        let offset = if stacked { vec2(0.0, below) } else { vec2((width + gap) * index as f32, 0.0) };
        below += before.get(index).copied().unwrap_or(0.0) + gap;
        let rect =
            eframe::egui::Rect::from_min_size(top + offset, vec2(width, ui.available_height().max(1.0)));
        let mut column = ui.new_child(
            UiBuilder::new().id_salt(("column", index)).max_rect(rect).layout(Layout::top_down(Align::LEFT)),
        );
        column.set_width(width);
        column
    });
    add(&mut columns);
    let heights = columns.each_ref().map(|column| column.min_size().y);
    let height = if stacked {
        heights.iter().sum::<f32>() + gap * (N.saturating_sub(1)) as f32
    } else {
        heights.iter().copied().fold(0.0, f32::max)
    };
    if stacked && heights.iter().zip(&before).any(|(now, before)| (now - before).abs() > 0.5) {
        ui.data_mut(|data| data.insert_temp(id, heights));
        ui.ctx().request_repaint();
    }
    ui.advance_cursor_after_rect(eframe::egui::Rect::from_min_size(top, vec2(available, height)));
}

/// A figure in large type over what it is.
pub(crate) fn figure(ui: &mut Ui, value: &str, caption: &str) -> Response {
    let palette = Palette::of(ui);
    let texts = [
        RichText::new(value).text_style(TextStyle::Heading).color(palette.text),
        RichText::new(caption).small().color(palette.muted),
    ];
    // Its size is known before it is placed, so that it goes to the next line where it does not fit on this one.
    let size = texts.iter().fold(vec2(0.0, 0.0), |size, text| {
        let text = WidgetText::from(text.clone());
        let text = text.into_galley(ui, Some(TextWrapMode::Extend), f32::INFINITY, TextStyle::Body).size();
        vec2(size.x.max(text.x), size.y + text.y)
    });
    ui.allocate_ui_with_layout(size, Layout::top_down(Align::LEFT), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let [value, caption] = texts;
        ui.add(Label::new(value).extend());
        ui.add(Label::new(caption).extend())
    })
    .inner
}

/// Figures side by side, with room between them; they wrap where the page is narrow.
pub(crate) fn figures(ui: &mut Ui, values: &[(String, &str)]) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0 * theme::SECTION_GAP;
        for (value, caption) in values {
            figure(ui, value, caption);
        }
    });
}

/// A number at the right end of a grid's column of this width.
pub(crate) fn grid_number(ui: &mut Ui, width: f32, text: RichText) -> Response {
    let size = vec2(width, ui.spacing().interact_size.y.min(20.0));
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        ui.set_width(width);
        ui.add(Label::new(text).extend())
    })
    .inner
}

/// A number as grids show it: every digit equally wide.
pub(crate) fn digits(text: impl Into<String>) -> RichText {
    RichText::new(text).text_style(TextStyle::Monospace)
}

/// Text of a grid's or table's head.
pub(crate) fn head(ui: &Ui, text: impl Into<String>) -> RichText {
    RichText::new(text).small().color(Palette::of(ui).muted)
}

/// A share with as many decimals as it needs not to read as nothing: `37.5 %`, `0.01 %`.
pub(crate) fn share(part: f64) -> String {
    match part * 100.0 {
        p if p == 0.0 || p >= 0.95 => format!("{p:.1} %"),
        p if p < 0.005 => "under 0.01 %".to_owned(),
        p => format!("{p:.2} %"),
    }
}

/// What a page without a run offers: to start one, or the page on which something is missing for that.
pub(super) fn train_first_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let next = match (&state.data, &state.model) {
        (Loadable::Empty | Loadable::Cancelled | Loadable::Failed(_), _) => Action::GoTo(Page::Data),
        (_, Loadable::Empty | Loadable::Cancelled | Loadable::Failed(_)) => Action::GoTo(Page::Model),
        _ if matches!(state.plan, Some(Err(_))) => Action::GoTo(Page::Schedule),
        _ => Action::Train,
    };
    if next != Action::Train {
        widgets::action_button(ui, state, actions, next);
    }
    widgets::primary_button(ui, state, actions, Action::Train);
    if let Err(reason) = Action::Train.enabled(state) {
        widgets::caption(ui, reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shares_do_not_read_as_nothing() {
        assert_eq!(share(0.375), "37.5 %");
        assert_eq!(share(0.000_102), "0.01 %");
        assert_eq!(share(0.000_01), "under 0.01 %");
        assert_eq!(share(0.0), "0.0 %");
        assert_eq!(share(1.0), "100.0 %");
    }
}
