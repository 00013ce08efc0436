//! Runs side by side: what was set differently, and what came of it.

use std::collections::BTreeSet;

use eframe::egui::{self, RichText, Ui};

use crate::session::state::{RunView, State};
use crate::train::metrics::{EpochPoint, format_headline};
use crate::train::plan::settings::shown;
use crate::train::plan::{Phase, RunPlan, Thaw};
use crate::ui::panels::layout::{digits, grid_number, head};
use crate::ui::theme::Palette;
use crate::ui::widgets;
use crate::ui::widgets::matrix::shorten;
use crate::ui::widgets::numbers::{counted, duration};
use crate::ui::widgets::swatch_label;

const COLUMN: f32 = 132.0;
/// Letters of a value that its column has room for.
const MOST: usize = 18;

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
        Some((format_headline(kind, score.figure), score.figure))
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
    let plans: Vec<&RunPlan> = columns.iter().map(|column| column.plan).collect();
    for (name, values) in differences(&plans) {
        ui.label(name);
        for value in &values {
            grid_number(ui, COLUMN, RichText::new(shorten(value, MOST))).on_hover_text(value);
        }
        ui.end_row();
    }
}

fn outcome_ui(ui: &mut Ui, run: &RunView, columns: &[Column<'_>]) {
    let palette = Palette::of(ui);
    for (index, task) in run.plan.tasks.iter().enumerate() {
        swatch_label(ui, palette.task(index), &format!("{} {}", task.name, task.kind.figure()));
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

/// What was set differently: a name, and a value for each of the plans. Every setting there is counts, those of single
/// tasks too, and what a plan makes of the data and of its phases.
fn differences(plans: &[&RunPlan]) -> Vec<(String, Vec<String>)> {
    let mut tasks: Vec<&str> = Vec::new();
    for task in plans.iter().flat_map(|plan| &plan.tasks) {
        if !tasks.contains(&task.name.as_str()) {
            tasks.push(&task.name);
        }
    }
    let all: Vec<Vec<(String, String)>> = plans.iter().map(|plan| values(plan, &tasks)).collect();
    let names = all.first().into_iter().flatten().map(|(name, _)| name.clone());
    let rows = names.enumerate().map(|(place, name)| {
        let of_plan = |of: &Vec<(String, String)>| of.get(place).map(|(_, value)| value.clone());
        (name, all.iter().filter_map(of_plan).collect::<Vec<String>>())
    });
    rows.filter(|(_, values)| values.iter().collect::<BTreeSet<_>>().len() > 1).collect()
}

/// What a plan was made with; the same names in the same order for every plan.
fn values(plan: &RunPlan, tasks: &[&str]) -> Vec<(String, String)> {
    let model = plan.model_path.file_name().map(|name| name.to_string_lossy().into_owned());
    let parent = plan.parent.as_ref().map_or_else(|| "none".to_owned(), |parent| parent.run.clone());
    let of_plan = [
        ("model", model.unwrap_or_default()),
        ("from the weights of", parent),
        ("training rows", plan.train_rows.to_string()),
        ("device", plan.device.clone()),
        ("phases", plan.phases.iter().map(phase_in_words).collect::<Vec<_>>().join("; ")),
    ];
    let settings = shown(&plan.recipe, tasks).into_iter().map(|shown| (shown.label, shown.value));
    of_plan.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(settings).collect()
}

/// `heads only, 1`: name and epochs, with how much of the encoder is frozen where the name does not say.
fn phase_in_words(phase: &Phase) -> String {
    let layers = phase.layers.iter().filter(|layer| **layer != Thaw::Frozen).count();
    format!("{} ({}), {}", phase.name, counted(layers, "layer", "layers"), phase.epochs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::plan::PlannedTask;
    use crate::train::plan::recipe::{Recipe, TaskSettings};
    use crate::train::plan::settings::{RECIPE, TASK};

    /// A second value of every setting, in one recipe.
    const OTHERS: [(&str, &str); 30] = [
        ("preset", "gradual"),
        ("frozen_head", "mood"),
        ("part", "biases"),
        ("lora_rank", "3"),
        ("lora_alpha", "3"),
        ("lora_targets", "attention"),
        ("epochs", "3"),
        ("batch_size", "3"),
        ("accumulate", "3"),
        ("sampling", "round-robin"),
        ("max_length", "33"),
        ("prompt", "query: "),
        ("half_cache", "true"),
        ("precision", "bfloat16"),
        ("optimizer", "sgd"),
        ("lr_encoder", "3e-3"),
        ("lr_heads", "3e-2"),
        ("layer_decay", "0.3"),
        ("weight_decay", "0.3"),
        ("decay", "constant"),
        ("warmup", "0.3"),
        ("clip_norm", "none"),
        ("ema", "0.9"),
        ("watch", "loss"),
        ("watch_task", "mood"),
        ("patience", "3"),
        ("weighting", "uncertainty"),
        ("head_dropout", "0.3"),
        ("encoder_dropout", "0.3"),
        ("seed", "3"),
    ];

    fn plan(recipe: Recipe) -> RunPlan {
        let task = |name: &str| PlannedTask { name: name.into(), ..PlannedTask::default() };
        RunPlan {
            name: "run".into(),
            model_path: "model".into(),
            model_sha256: String::new(),
            tokenizer_sha256: None,
            tensors: Vec::new(),
            tasks: vec![task("topic"), task("mood")],
            prompt: None,
            recipe,
            phases: Vec::new(),
            train_rows: 9,
            parent: None,
            steps_per_epoch: 1,
            device: "cpu".into(),
        }
    }

    #[test]
    fn every_setting_that_differs_is_listed_and_no_other() {
        let base = plan(Recipe::default());
        assert_eq!(differences(&[&base, &base.clone()]), []);
        for setting in RECIPE.iter().filter(|setting| setting.key != "phases") {
            let (_, value) = OTHERS.iter().find(|(key, _)| *key == setting.key).unwrap();
            let mut recipe = Recipe::default();
            setting.parse(&mut recipe, value).unwrap();
            let wanted =
                (setting.label.to_owned(), vec![setting.show(&Recipe::default()), setting.show(&recipe)]);
            assert_eq!(differences(&[&base, &plan(recipe)]), [wanted]);
        }
        for (setting, value) in TASK.iter().zip(["0.5", "true", "0.2", "6"]) {
            let mut settings = TaskSettings::default();
            setting.parse(&mut settings, value).unwrap();
            let recipe = Recipe { tasks: [("mood".to_owned(), settings)].into(), ..Recipe::default() };
            let found = differences(&[&base, &plan(recipe)]);
            assert_eq!(
                found.iter().map(|(name, _)| name).collect::<Vec<_>>(),
                [&format!("{} of mood", setting.label)]
            );
        }
        let phases = vec![crate::train::plan::phase_spec::PhaseSpec::default()];
        assert_eq!(differences(&[&base, &plan(Recipe { phases, ..Recipe::default() })]).len(), 1);
    }
}
