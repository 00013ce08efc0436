//! Runs side by side: what was set differently, and what came of it.

use std::collections::BTreeSet;

use eframe::egui::{self, RichText, Ui};

use crate::session::state::{RunView, State};
use crate::train::metrics::EpochPoint;
use crate::train::plan::{Phase, RunPlan, Thaw};
use crate::ui::panels::parts::{digits, grid_number, head};
use crate::ui::theme::Palette;
use crate::ui::widgets;
use crate::ui::widgets::numbers::{duration, percent};
use crate::ui::widgets::stack::rate;
use crate::ui::widgets::swatch_label;

const COLUMN: f32 = 132.0;

/// A run as a column of the table.
struct Column<'a> {
    plan: &'a RunPlan,
    epochs: &'a [EpochPoint],
    seconds: Option<f64>,
}

impl Column<'_> {
    fn best(&self) -> Option<&EpochPoint> {
        self.epochs.iter().rev().find(|epoch| epoch.best)
    }

    /// Validation figure of the kept weights, as it is written and as it is compared.
    fn figure(&self, task: &str) -> Option<(String, f64)> {
        let place = self.plan.tasks.iter().position(|known| known.name == task)?;
        let best = self.best()?;
        let reached = if best.epoch == 0 { 0 } else { best.phase + 1 };
        if self.plan.head_is_untrained(place, reached) {
            return None; // What it says is no result of the run.
        }
        let score = best.valid.get(place).filter(|score| score.rows > 0)?;
        let kind = self.plan.tasks.get(place)?.kind;
        let text =
            if kind.figure_is_share() { percent(score.figure) } else { format!("{:.3}", score.figure) };
        Some((text, score.figure))
    }
}

/// Draws the table where runs are compared.
pub(super) fn compare_ui(ui: &mut Ui, state: &State, run: &RunView) {
    let others = state.compared.iter().filter(|other| other.plan.name != run.plan.name);
    let mut columns = vec![Column {
        plan: &run.plan,
        epochs: &run.epochs,
        seconds: run.report.as_ref().map(|report| report.seconds),
    }];
    columns.extend(others.map(|other| Column {
        plan: &other.plan,
        epochs: &other.epochs,
        seconds: other.seconds,
    }));
    if columns.len() < 2 {
        return;
    }
    widgets::card(ui, "Side by side", |ui| {
        widgets::caption(
            ui,
            "What was set differently, and the validation figures of the kept weights; the best is marked.",
        );
        egui::ScrollArea::horizontal().id_salt("side by side").show(ui, |ui| {
            egui::Grid::new("side by side").striped(true).spacing([24.0, 4.0]).show(ui, |ui| {
                ui.label("");
                for column in &columns {
                    grid_number(ui, COLUMN, head(ui, &column.plan.name));
                }
                ui.end_row();
                settings_ui(ui, &columns);
                outcome_ui(ui, run, &columns);
            });
        });
    });
    ui.add_space(crate::ui::theme::GAP);
}

fn settings_ui(ui: &mut Ui, columns: &[Column<'_>]) {
    let all: Vec<Vec<(&str, String)>> = columns.iter().map(|column| settings(column.plan)).collect();
    let Some(first) = all.first() else { return };
    for (place, (name, _)) in first.iter().enumerate() {
        let values: Vec<&str> =
            all.iter().filter_map(|of| of.get(place)).map(|(_, value)| value.as_str()).collect();
        if values.iter().collect::<BTreeSet<_>>().len() < 2 {
            continue;
        }
        ui.label(*name);
        for value in values {
            grid_number(ui, COLUMN, RichText::new(value)).on_hover_text(value);
        }
        ui.end_row();
    }
}

fn outcome_ui(ui: &mut Ui, run: &RunView, columns: &[Column<'_>]) {
    let palette = Palette::of(ui);
    for (index, task) in run.plan.tasks.iter().enumerate() {
        swatch_label(ui, palette.task(index), &task.name);
        let figures: Vec<Option<(String, f64)>> =
            columns.iter().map(|column| column.figure(&task.name)).collect();
        let best = figures.iter().flatten().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
        for figure in &figures {
            let text = match figure {
                None => digits("-".to_owned()),
                Some((text, value)) if *value == best => digits(format!("best {text}")).strong(),
                Some((text, _)) => digits(text.clone()),
            };
            grid_number(ui, COLUMN, text);
        }
        ui.end_row();
    }
    ui.label("best epoch");
    for column in columns {
        grid_number(
            ui,
            COLUMN,
            digits(column.best().map_or_else(
                || "-".into(),
                |best| if best.epoch == 0 { "the start".into() } else { best.epoch.to_string() },
            )),
        );
    }
    ui.end_row();
    ui.label("took");
    for column in columns {
        grid_number(ui, COLUMN, digits(column.seconds.map_or_else(|| "-".into(), duration)));
    }
    ui.end_row();
}

/// What a user sets, in words; the same names in the same order for every plan.
fn settings(plan: &RunPlan) -> Vec<(&'static str, String)> {
    let recipe = &plan.recipe;
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    vec![
        (
            "model",
            plan.model_path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        ),
        ("from the weights of", or_none(plan.parent.as_ref().map(|parent| parent.run.clone()))),
        (
            "preset",
            if recipe.phases.is_empty() { recipe.preset.title().to_owned() } else { "own phases".into() },
        ),
        ("phases", plan.phases.iter().map(phase_in_words).collect::<Vec<_>>().join("; ")),
        ("epochs", plan.epochs().to_string()),
        ("training rows", plan.train_rows.to_string()),
        ("batch size", recipe.batch_size.to_string()),
        ("batches per step", recipe.accumulate.to_string()),
        ("encoder rate", rate(recipe.lr_encoder)),
        ("heads' rate", rate(recipe.lr_heads)),
        ("decay per layer", recipe.layer_decay.to_string()),
        ("warm-up", percent(recipe.warmup)),
        ("weight decay", recipe.weight_decay.to_string()),
        ("clip gradients at", or_none(recipe.clip_norm.map(|norm| norm.to_string()))),
        ("dropout before heads", recipe.head_dropout.to_string()),
        ("average of weights", or_none(recipe.ema.map(|ema| ema.to_string()))),
        ("maximum length", recipe.max_length.to_string()),
        ("prompt", or_none(recipe.prompt.clone())),
        ("seed", recipe.seed.to_string()),
    ]
}

/// `heads only, 1`: name and epochs, with how much of the encoder is frozen where the name does not say.
fn phase_in_words(phase: &Phase) -> String {
    let layers = phase.layers.iter().filter(|layer| **layer != Thaw::Frozen).count();
    format!("{} ({layers} layers), {}", phase.name, phase.epochs)
}
