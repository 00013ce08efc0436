//! The run as a log: what happened, line by line, to read and to copy.

use eframe::egui::{self, RichText, Ui};

use crate::session::parent::inherited_in_words;
use crate::session::state::{RunOutcome, RunView};
use crate::train::metrics::{EpochPoint, format_figure, format_headline, mean_loss};
use crate::train::report::START_KEPT;
use crate::ui::theme::Palette;
use crate::ui::widgets;
use crate::ui::widgets::numbers::{counted, duration, thousands};

const HEIGHT: f32 = 180.0;

/// Draws the log, closed until somebody asks.
pub(super) fn log_ui(ui: &mut Ui, run: &RunView) {
    widgets::card(ui, "", |ui| {
        egui::CollapsingHeader::new(RichText::new("Log").strong()).id_salt("log").show(ui, |ui| {
            let lines = lines(run);
            if ui.button("Copy log").clicked() {
                ui.ctx().copy_text(lines.join("\n"));
            }
            let rows = egui::ScrollArea::both().id_salt("log lines").max_height(HEIGHT).stick_to_bottom(true);
            rows.auto_shrink([false, true]).show_rows(ui, 18.0, lines.len(), |ui, shown| {
                let muted = Palette::of(ui).muted;
                for line in lines.get(shown).unwrap_or_default() {
                    ui.add(egui::Label::new(RichText::new(line).monospace().small().color(muted)).extend());
                }
            });
        });
    });
}

/// What happened, oldest first.
fn lines(run: &RunView) -> Vec<String> {
    let plan = &run.plan;
    let rows = counted(plan.train_rows, "training row", "training rows");
    let mut lines = vec![format!(
        "{}: {} on {}, {rows}, {}, seed {}",
        plan.name,
        plan.recipe.title().to_lowercase(),
        plan.device,
        counted(plan.total_steps(), "step", "steps"),
        plan.recipe.seed
    )];
    lines.extend(inherited_in_words(plan).map(|text| format!("starts from {text}")));
    if let Some(step) = run.resumed_at {
        lines.push(format!("resumed from step {}", thousands(step as u64)));
    }
    let mut phase = None;
    for epoch in &run.epochs {
        if epoch.epoch > 0 && phase != Some(epoch.phase) {
            phase = Some(epoch.phase);
            if let Some(begun) = plan.phases.get(epoch.phase) {
                let trained = thousands(plan.trainable_parameters(epoch.phase));
                lines.push(format!("phase {}: {}, {trained} parameters train", epoch.phase + 1, begun.name));
            }
        }
        lines.push(of_epoch(run, epoch));
    }
    lines.extend(run.early_end());
    match &run.outcome {
        None => {}
        Some(RunOutcome::Finished) if run.kept_epoch() == Some(0) && run.epochs.len() > 1 => {
            lines.push(format!("finished: {START_KEPT}"));
        }
        Some(RunOutcome::Finished) => lines.push("finished".to_owned()),
        Some(RunOutcome::Stopped { at_step }) => {
            lines.push(format!("stopped at step {}", thousands(*at_step as u64)));
        }
        Some(RunOutcome::Paused { at_step }) => {
            lines.push(format!("paused at step {}", thousands(*at_step as u64)));
        }
        Some(RunOutcome::Failed(reason)) => lines.push(format!("failed: {reason}")),
    }
    lines
}

fn of_epoch(run: &RunView, epoch: &EpochPoint) -> String {
    let scores = run.plan.tasks.iter().zip(&epoch.valid).filter(|(_, score)| score.rows > 0);
    let scores: Vec<String> = scores
        .map(|(task, score)| {
            let (loss, figure) =
                (format_figure("loss", score.loss), format_headline(task.kind, score.figure));
            format!("{} loss {loss}, {} {figure}", task.name, task.kind.figure())
        })
        .collect();
    let valid = if scores.is_empty() { "no validation rows".to_owned() } else { scores.join("; ") };
    let best = if epoch.best { ", kept" } else { "" };
    let step = thousands(epoch.step as u64);
    match epoch.epoch {
        0 => format!("before training: {valid}{best}"),
        number => {
            let took = duration(epoch.seconds);
            format!(
                "epoch {number}, step {step}, {took}: training loss {}; validation: {valid}{best}",
                mean_loss(epoch.loss)
            )
        }
    }
}
