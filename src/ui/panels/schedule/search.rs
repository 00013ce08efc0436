//! The search for a learning rate: what the loss does as the rates rise, and the rates that follow from it.

use eframe::egui::{RichText, Ui, Vec2b, vec2};
use egui_plot::{Line, LineStyle, Plot, PlotPoints, VLine};

use crate::session::command::Edit;
use crate::session::state::{Loadable, RateSearch, Severity, State};
use crate::ui::actions::{Action, Actions};
use crate::ui::explain;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::stack::rate;

/// Draws the card.
pub(super) fn search_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    let title = |ui: &mut Ui| {
        ui.horizontal(|ui| {
            widgets::action_button(ui, state, actions, Action::FindRate);
            explain::explain_ui(ui, &explain::WHY_FIND_RATE);
        });
    };
    let mut use_rates = None;
    widgets::card_with(ui, "Learning rates", title, |ui| match &state.rate_search {
        Loadable::Empty | Loadable::Cancelled => {
            if state.rate_search == Loadable::Cancelled {
                widgets::cancelled(ui);
            }
            widgets::caption(
                ui,
                "Trains some steps with rates that rise from far too low to far too high, and shows where the loss \
                 falls. Nothing of it is kept.",
            );
        }
        Loadable::Loading => widgets::loading(ui, "Training with rising rates"),
        Loadable::Failed(reason) => {
            widgets::message(ui, Severity::Error, reason);
        }
        Loadable::Ready(search) => use_rates = found_ui(ui, state, search),
    });
    if let Some(factor) = use_rates
        && let Loadable::Ready(search) = &state.rate_search
    {
        let mut recipe = state.project.recipe.clone();
        (recipe.lr_encoder, recipe.lr_heads) =
            (rounded(search.lr_encoder * factor), rounded(search.lr_heads * factor));
        actions.send(Edit::SetRecipe(recipe.into()));
    }
}

/// The curve and what follows from it; the factor that is to be used.
fn found_ui(ui: &mut Ui, state: &State, search: &RateSearch) -> Option<f64> {
    plot_ui(ui, search);
    let Some(factor) = search.curve.suggestion else {
        let text = "The loss hardly falls at any of these rates: there is nothing to suggest.";
        widgets::message(ui, Severity::Info, text);
        return None;
    };
    let (encoder, heads) = (rounded(search.lr_encoder * factor), rounded(search.lr_heads * factor));
    let text = format!(
        "The loss falls fastest at {} for the encoder and {} for the heads. A long run is safer somewhat below.",
        rate(encoder),
        rate(heads)
    );
    widgets::paragraph(ui, text);
    let recipe = &state.project.recipe;
    let taken = (recipe.lr_encoder, recipe.lr_heads) == (encoder, heads);
    let button = ui.add_enabled(!taken, eframe::egui::Button::new("Use these rates"));
    button.on_disabled_hover_text("The schedule has these rates already").clicked().then_some(factor)
}

fn plot_ui(ui: &mut Ui, search: &RateSearch) {
    let palette = Palette::of(ui);
    let points = |of: &dyn Fn(usize) -> Option<f64>| -> PlotPoints {
        let point = |(index, point): (usize, &crate::train::lr_finder::FindPoint)| {
            Some([(search.lr_encoder * point.factor).log10(), of(index)?])
        };
        search.curve.points.iter().enumerate().filter_map(point).collect()
    };
    let found = &search.curve.points;
    let raw = points(&|index| found.get(index).map(|point| point.loss));
    let smooth = points(&|index| found.get(index).map(|point| point.smoothed));
    // A loss that has left the ground would flatten all that matters.
    let first = found.first().map_or(1.0, |point| point.smoothed);
    let lowest = found.iter().map(|point| point.smoothed).fold(first, f64::min);
    Plot::new("rates")
        .height(200.0)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .show_x(false)
        .show_y(false)
        .show_grid(Vec2b::new(false, true))
        .grid_color(palette.line)
        .grid_fade(0.0)
        .set_margin_fraction(vec2(0.05, 0.06))
        .default_y_bounds(lowest - 0.1 * (first - lowest), first + 0.5 * (first - lowest).max(0.1))
        .x_axis_formatter(|mark, _| {
            if mark.value.fract() == 0.0 { rate(10f64.powf(mark.value)) } else { String::new() }
        })
        .y_axis_min_width(34.0)
        .show(ui, |plot| {
            plot.line(Line::new("loss of a batch", raw).color(palette.muted.gamma_multiply(0.5)));
            plot.line(Line::new("loss, smoothed", smooth).color(palette.accent).width(2.0));
            if let Some(factor) = search.curve.suggestion {
                let at = (search.lr_encoder * factor).log10();
                plot.vline(VLine::new("suggestion", at).color(palette.warm).style(LineStyle::dashed_dense()));
            }
        });
    let text = RichText::new("encoder's rate; the heads' rises along with it").small().color(palette.muted);
    ui.vertical_centered(|ui| ui.label(text));
    ui.add_space(theme::GRID);
}

/// To two digits: more would pretend to know.
fn rounded(rate: f64) -> f64 {
    if rate <= 0.0 {
        return rate;
    }
    // By its decimal digits, so that the file says 0.00058 and not a neighbour of it.
    format!("{rate:.1e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_rounded_to_two_digits() {
        assert_eq!(rounded(5.812e-4), 5.8e-4);
        assert_eq!(rounded(0.012_34), 0.012);
        assert_eq!(rounded(0.0), 0.0);
    }
}
