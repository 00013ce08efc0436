//! The run at a glance: what it is, where it stands, how fast it goes; and how it ended.

use eframe::egui::{Align, Layout, ProgressBar, RichText, Ui};

use crate::session::state::{RunOutcome, RunView, Severity, State};
use crate::train::plan::timeline::last_epoch;
use crate::train::report::START_KEPT;
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::panels::layout::figures;
use crate::ui::theme::Palette;
use crate::ui::widgets;
use crate::ui::widgets::numbers::{bytes, duration, thousands};

/// Narrower than this, the buttons stand below the name.
const NARROW: f32 = 760.0;

/// Name, progress and figures of the shown run.
pub(super) fn header_ui(ui: &mut Ui, state: &State, run: &RunView, actions: &mut Actions) {
    let narrow = ui.available_width() < NARROW;
    widgets::card(ui, "", |ui| {
        ui.horizontal(|ui| {
            ui.heading(&run.plan.name);
            let preset = match &run.plan.parent {
                Some(parent) => format!("{}, from {}", run.plan.recipe.title(), parent.run),
                None => run.plan.recipe.title().to_owned(),
            };
            widgets::chip(ui, RichText::new(preset).small(), Palette::of(ui).raised);
            if !narrow {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    buttons_ui(ui, state, run, actions);
                });
            }
        });
        if narrow {
            ui.horizontal_wrapped(|ui| buttons_ui(ui, state, run, actions));
        }
        match &run.outcome {
            None => live_ui(ui, state, run),
            Some(outcome) => outcome_ui(ui, run, outcome),
        }
    });
}

fn buttons_ui(ui: &mut Ui, state: &State, run: &RunView, actions: &mut Actions) {
    if run.outcome.is_none() {
        widgets::primary_button(ui, state, actions, Action::Stop);
        widgets::action_button(ui, state, actions, Action::Pause);
        return;
    }
    if run.can_resume {
        widgets::primary_button(ui, state, actions, Action::Resume);
    }
    if run.report.is_some() {
        widgets::primary_button(ui, state, actions, Action::GoTo(Page::Evaluate));
        widgets::action_button(ui, state, actions, Action::GoTo(Page::Explore));
        widgets::action_button(ui, state, actions, Action::GoTo(Page::Export));
    }
    widgets::action_button(ui, state, actions, Action::GoTo(Page::Schedule));
    widgets::action_button(ui, state, actions, Action::Train)
        .on_hover_text("Start another run of the draft's plan");
    if run.report.is_some() {
        widgets::action_button(ui, state, actions, Action::Branch);
    }
}

fn live_ui(ui: &mut Ui, state: &State, run: &RunView) {
    let palette = Palette::of(ui);
    let total = run.plan.total_steps();
    let done = run.steps.last().map_or(0, |step| step.step);
    let part = done as f32 / total.max(1) as f32;
    let bar = ProgressBar::new(part).fill(palette.accent).desired_height(8.0);
    ui.add(bar).on_hover_text(format!("{done} of {total} steps"));

    let epoch = run.steps.last().map_or(0.0, |step| step.epoch);
    let phase = run.plan.phases.get(run.phase).map_or("", |phase| phase.name.as_str());
    let of_phases = format!("phase {} of {}", run.phase + 1, run.plan.phases.len());
    let mut values = vec![
        (phase.to_owned(), of_phases.as_str()),
        (format!("{epoch:.1} of {}", last_epoch(&run.phase_spans())), "epochs"),
        (format!("{} of {}", thousands(done as u64), thousands(total as u64)), "steps"),
    ];
    if run.rows_per_second > 0.0 {
        values.push((thousands(run.rows_per_second.round() as u64), "rows per second"));
        if let Some(tokens) = state.lengths.ready().map(|lengths| lengths.mean(run.plan.recipe.max_length)) {
            let pace = (run.rows_per_second * tokens).round() as u64;
            values.push((thousands(pace), "tokens per second, about"));
        }
    }
    if let Some(seconds) = run.seconds_left {
        values.push((duration(seconds), "left"));
    }
    if let Some(load) = state.load {
        values.push((bytes(load.memory), "of memory"));
        values.push((format!("{:.1} of {}", load.cores, load.of_cores), "cores at work"));
    }
    figures(ui, &values);
    if !run.note.is_empty() {
        widgets::loading(ui, &run.note);
    }
}

fn outcome_ui(ui: &mut Ui, run: &RunView, outcome: &RunOutcome) {
    let seconds = run.report.as_ref().map(|report| duration(report.seconds));
    let took = seconds.map_or_else(String::new, |seconds| format!(" in {seconds}"));
    match outcome {
        RunOutcome::Finished if run.plan.epochs() == 0 => {
            let text = format!("Measured{took}, without training.");
            widgets::message(ui, Severity::Success, &text);
        }
        RunOutcome::Finished => {
            let text = format!("Finished{took}. {}", kept(run));
            let kept_start = run.kept_epoch() == Some(0);
            widgets::message(ui, if kept_start { Severity::Warning } else { Severity::Success }, &text);
        }
        RunOutcome::Stopped { at_step } => {
            let total = thousands(run.plan.total_steps() as u64);
            let at = thousands(*at_step as u64);
            let text = format!("Stopped by you at step {at} of {total}{took}. {}", kept(run));
            widgets::message(ui, Severity::Info, &text);
        }
        RunOutcome::Paused { at_step } => {
            let total = thousands(run.plan.total_steps() as u64);
            let at = thousands(*at_step as u64);
            let text =
                format!("Paused at step {at} of {total}. Resume goes on from there, also after a restart.");
            widgets::message(ui, Severity::Info, &text);
        }
        RunOutcome::Failed(reason) => {
            widgets::message(ui, Severity::Error, &format!("The run failed: {reason}"));
        }
    }
}

/// Which weights the run left behind.
fn kept(run: &RunView) -> String {
    match run.kept_epoch() {
        Some(0) if run.epochs.len() > 1 => format!("{}.", sentence(START_KEPT)),
        Some(0) => "It ended before its first epoch did: the starting weights are kept.".to_owned(),
        Some(epoch) => format!("The weights of epoch {epoch} are kept."),
        None if run.steps.is_empty() => "It ended before its first step.".to_owned(),
        None => "The weights of its last step are kept.".to_owned(),
    }
}

/// With a capital letter first.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
