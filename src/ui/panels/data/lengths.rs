//! How long the texts are in tokens, and how many of them are cut.

use eframe::egui;
use egui::{Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use crate::session::state::{Loadable, Severity, State, TokenLengths};
use crate::ui::theme::Palette;
use crate::ui::widgets::{self, numbers};

const HEIGHT: f32 = 72.0;
const BARS: usize = 48;
/// A larger part of texts that are cut deserves a warning.
const MANY_CUT: f64 = 0.01;

/// Draws the card, once the tokens are counted.
pub(super) fn lengths_ui(ui: &mut Ui, state: &State) {
    let lengths = match &state.lengths {
        Loadable::Ready(lengths) if !lengths.lengths.is_empty() => lengths,
        _ => return,
    };
    let model = state.model.ready().map_or(usize::MAX, |model| model.max_positions);
    let cut_at = state.project.recipe.max_length.min(model);
    widgets::card(ui, "Lengths in tokens", |ui| {
        histogram_ui(ui, lengths, cut_at);
        let (middle, longest) = (lengths.at(0.5), lengths.at(1.0));
        let at_least = if lengths.is_open { "at least " } else { "" };
        let sample = if lengths.lengths.len() < lengths.of {
            format!(", counted in {} of the texts", numbers::thousands(lengths.lengths.len() as u64))
        } else {
            String::new()
        };
        widgets::caption(
            ui,
            &format!(
                "Half of the texts have up to {middle} tokens, the longest {at_least}{longest}{sample}."
            ),
        );
        let cut = lengths.part_above(cut_at);
        if cut > 0.0 {
            let part = if cut < 0.001 { "less than 0.1 %".to_owned() } else { numbers::percent(cut) };
            let severity = if cut > MANY_CUT { Severity::Warning } else { Severity::Info };
            let text = format!("{part} of the texts are longer than {cut_at} tokens and are cut there.");
            widgets::message(ui, severity, &text);
        }
    });
}

fn histogram_ui(ui: &mut Ui, lengths: &TokenLengths, cut_at: usize) {
    let palette = Palette::of(ui);
    // A few very long texts would squeeze all others into one bar.
    let shown = (lengths.at(0.995) as usize).max(lengths.at(0.5) as usize * 2).max(8) + 1;
    let step = shown.div_ceil(BARS);
    let bars = shown.div_ceil(step);
    let mut counts = vec![0_usize; bars];
    for length in &lengths.lengths {
        if let Some(count) = counts.get_mut((*length as usize / step).min(bars - 1)) {
            *count += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(1).max(1) as f32;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    response
        .widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, "Histogram of the lengths in tokens"));
    let width = rect.width() / bars as f32;
    let painter = ui.painter();
    for (index, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (*count as f32 / most * rect.height()).max(1.0);
        let left = rect.left() + index as f32 * width;
        let bar = Rect::from_min_max(
            pos2(left, rect.bottom() - height),
            pos2(left + (width - 1.0).max(1.0), rect.bottom()),
        );
        let colour = if index * step >= cut_at { palette.warn } else { palette.split(0) };
        painter.rect_filled(bar, 1.0, colour);
    }
    painter.hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, palette.line));
    if cut_at < bars * step {
        let x = rect.left() + cut_at as f32 / step as f32 * width;
        painter.vline(x, rect.y_range(), Stroke::new(1.5, palette.warn));
    }
    let at = response.hover_pos().map(|at| (((at.x - rect.left()) / width) as usize).min(bars - 1));
    if let Some(index) = at {
        let (from, count) = (index * step, counts.get(index).copied().unwrap_or(0));
        let to = if index + 1 == bars { "or more".to_owned() } else { format!("to {}", from + step - 1) };
        let of = if step == 1 && index + 1 < bars { format!("{from}") } else { format!("{from} {to}") };
        response.on_hover_text(format!("{of} tokens: {}", numbers::counted(count, "text", "texts")));
    }
}
