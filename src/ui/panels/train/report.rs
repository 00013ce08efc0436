//! What a run proved: figures of the kept weights, tensors that changed, heads that drifted, texts that were cut.

use eframe::egui::{self, RichText, Ui};

use crate::data::dataset::Split;
use crate::data::task::TaskKind;
use crate::session::state::{RunReport, RunView, Severity, TensorChange};
use crate::train::metrics::{Probe, figure_key, format_figure, format_headline, title};
use crate::train::report::UNTRAINED;
use crate::ui::explain;
use crate::ui::panels::layout::{columns, digits, grid_number, head};
use crate::ui::panels::probes::probes_ui;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::numbers::{counted, thousands};
use crate::ui::widgets::swatch_label;

/// The report in two columns: figures left, proof right.
pub(super) fn report_ui(ui: &mut Ui, run: &RunView, report: &RunReport) {
    columns(ui, theme::SECTION_GAP, |[left, right]| {
        figures_ui(left, run, report);
        proof_ui(right, run, report);
    });
}

fn figures_ui(ui: &mut Ui, run: &RunView, report: &RunReport) {
    let help = |ui: &mut Ui| explain::explain_ui(ui, &explain::MACRO_F1);
    // Where nothing trained, the probes are the result.
    if run.plan.epochs() == 0 {
        let help = |ui: &mut Ui| explain::explain_ui(ui, &explain::PROBES);
        widgets::card_with(ui, "What the embeddings alone tell", help, |ui| {
            let tasks = &run.plan.tasks;
            if !report.probes.is_empty() {
                probes_ui(ui, &report.probes);
            } else if tasks.iter().any(|task| Probe::none_of(task.kind).is_none()) {
                let text = "There are no probes: they compare validation or test rows with training rows.";
                widgets::caption(ui, text);
            }
            for text in tasks.iter().filter_map(|task| Probe::none_in_words(&task.name, task.kind)) {
                widgets::caption(ui, &text);
            }
        });
        ui.add_space(theme::GAP);
    }
    let all_untrained = run.plan.tasks.iter().all(|task| report.is_untrained(&run.plan, &task.name));
    let name =
        if all_untrained { "Untrained heads: chance-level figures" } else { "Figures of the kept weights" };
    widgets::card_with(ui, name, help, |ui| {
        let palette = Palette::of(ui);
        let across = egui::ScrollArea::horizontal().id_salt("figures across");
        let grid = egui::Grid::new("figures").num_columns(5).striped(true).spacing([20.0, 4.0]);
        across.show(ui, |ui| {
            grid.show(ui, |ui| {
                ui.label(head(ui, "task"));
                ui.label(head(ui, "split"));
                let all_single = run.plan.tasks.iter().all(|task| task.kind == TaskKind::SingleLabel);
                let heads = if all_single {
                    ["accuracy", "macro F1", "rows"]
                } else {
                    ["figure", "beside it", "rows"]
                };
                // Each figure beside its name takes more room than a figure alone.
                let width = if all_single { 72.0 } else { 132.0 };
                for (text, width) in heads.into_iter().zip([width, width, 48.0]) {
                    grid_number(ui, width, head(ui, text));
                }
                ui.end_row();
                for (index, task) in run.plan.tasks.iter().enumerate() {
                    for split in Split::ALL {
                        let of_split = report.metrics.iter().find(|(measured, _)| *measured == split);
                        let metrics =
                            of_split.and_then(|(_, tasks)| tasks.iter().find(|m| m.task == task.name));
                        let Some(metrics) = metrics.filter(|metrics| metrics.rows > 0) else { continue };
                        let untrained = report.is_untrained(&run.plan, &task.name);
                        let name = if untrained && !all_untrained {
                            format!("{}, {UNTRAINED}", task.name)
                        } else {
                            task.name.clone()
                        };
                        swatch_label(ui, palette.task(index), &name);
                        ui.label(split.name());
                        for key in [figure_key(metrics.kind), beside(metrics.kind)] {
                            let value = metrics.get(key).map(|value| format_figure(key, value));
                            // Under a head that speaks for all kinds each figure needs its own name.
                            let text = match value {
                                Some(value) if all_single => value,
                                Some(value) => format!("{} {value}", title(key)),
                                None => String::new(),
                            };
                            grid_number(ui, width, digits(text)).on_hover_text(title(key));
                        }
                        grid_number(ui, 48.0, digits(thousands(metrics.rows as u64)));
                        ui.end_row();
                    }
                }
            })
        });
    });
}

fn proof_ui(ui: &mut Ui, run: &RunView, report: &RunReport) {
    let help = |ui: &mut Ui| explain::explain_ui(ui, &explain::PROOF);
    widgets::card_with(ui, "Proof of freezing", help, |ui| {
        let proof = Proof::of(&report.changes);
        let severity = if proof.surprises.is_empty() { Severity::Success } else { Severity::Warning };
        if report.keeps_the_start(&run.plan) {
            // No phase has a part in them, so that all of the plan would read as frozen.
            let text = "The kept weights are the starting weights: no training step is in them.";
            widgets::message(ui, Severity::Info, text);
        } else {
            widgets::message(ui, severity, &proof.sentence());
        }
        for (name, what) in &proof.surprises {
            ui.label(RichText::new(format!("{name}: {what}")).monospace().small());
        }
        for drift in &report.drifts {
            let kind = run.plan.kind_of(&drift.task);
            let direction = if drift.after < drift.before { "fell" } else { "rose" };
            let head = if report.is_untrained(&run.plan, &drift.task) { "untrained head" } else { "head" };
            let text = format!(
                "The frozen {head} of {} drifted: its weights are the same, but the encoder below it moved, and its \
                 validation {} {direction} from {} to {}.",
                drift.task,
                kind.figure(),
                format_headline(kind, drift.before),
                format_headline(kind, drift.after)
            );
            let severity = if drift.after < drift.before { Severity::Warning } else { Severity::Info };
            widgets::message(ui, severity, &text);
        }
        if report.truncated_rows > 0 {
            let rows = counted(report.truncated_rows, "text was", "texts were");
            let text = format!(
                "{rows} longer than the maximum length and cut. It is a setting on the Schedule page."
            );
            widgets::message(ui, Severity::Info, &text);
        }
        for (split, tasks) in &report.metrics {
            for task in tasks {
                let Some(note) = task.unread_note() else { continue };
                let text = format!("{}, {} rows: {note}", task.task, split.name());
                widgets::message(ui, Severity::Info, &text);
            }
        }
        if !report.changes.is_empty() {
            tensors_ui(ui, &report.changes);
        }
    });
}

/// The figure that stands beside the headline.
const fn beside(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::SingleLabel | TaskKind::MultiLabel | TaskKind::TokenLabels => "macro-f1",
        TaskKind::Score | TaskKind::Similarity => "pearson",
        TaskKind::Ranking => "mrr",
    }
}

/// What the comparison of all tensors before and after the run says.
struct Proof<'a> {
    planned: usize,
    planned_and_changed: usize,
    frozen: usize,
    frozen_and_changed: usize,
    /// Tensors that did not do what the plan said, and what they did.
    surprises: Vec<(&'a str, &'static str)>,
}

impl<'a> Proof<'a> {
    fn of(changes: &'a [TensorChange]) -> Self {
        let count = |planned: bool, changed: Option<bool>| {
            let matches = |c: &&TensorChange| {
                c.planned == planned && changed.is_none_or(|changed| c.changed == changed)
            };
            changes.iter().filter(matches).count()
        };
        let surprise = |change: &'a TensorChange| match (change.planned, change.changed) {
            (true, false) => Some((change.name.as_str(), "was to train and did not change")),
            (false, true) => Some((change.name.as_str(), "was frozen and changed")),
            _ => None,
        };
        Self {
            planned: count(true, None),
            planned_and_changed: count(true, Some(true)),
            frozen: count(false, None),
            frozen_and_changed: count(false, Some(true)),
            surprises: changes.iter().filter_map(surprise).collect(),
        }
    }

    fn sentence(&self) -> String {
        let trained = match self.planned {
            0 => "No tensor was to train".to_owned(),
            planned => {
                format!("{} of {planned} tensors that were to train changed", self.planned_and_changed)
            }
        };
        let frozen = match self.frozen {
            0 => "none was frozen throughout".to_owned(),
            frozen => format!("{} of {frozen} frozen ones changed", self.frozen_and_changed),
        };
        format!("{trained}; {frozen}.")
    }
}

fn tensors_ui(ui: &mut Ui, changes: &[TensorChange]) {
    egui::CollapsingHeader::new(format!("All {} tensors", changes.len())).show(ui, |ui| {
        let height = 18.0;
        egui::ScrollArea::vertical().id_salt("tensors").max_height(220.0).show_rows(
            ui,
            height,
            changes.len(),
            |ui, rows| {
                let palette = Palette::of(ui);
                for change in changes.get(rows).unwrap_or_default() {
                    let (word, colour) =
                        if change.changed { ("changed", palette.warm) } else { ("same", palette.frozen) };
                    ui.horizontal(|ui| {
                        ui.label(RichText::new(format!("{word:8}")).monospace().small().color(colour));
                        ui.add(egui::Label::new(RichText::new(&change.name).monospace().small()).truncate());
                    });
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, planned: bool, changed: bool) -> TensorChange {
        TensorChange { name: name.into(), changed, planned }
    }

    #[test]
    fn a_clean_proof_counts_both_sides() {
        let changes = [change("a", true, true), change("b", true, true), change("c", false, false)];
        let proof = Proof::of(&changes);
        assert!(proof.surprises.is_empty());
        assert_eq!(
            proof.sentence(),
            "2 of 2 tensors that were to train changed; 0 of 1 frozen ones changed."
        );
    }

    #[test]
    fn surprises_are_named() {
        let changes = [change("a", true, false), change("b", false, true)];
        let proof = Proof::of(&changes);
        assert_eq!(
            proof.surprises,
            [("a", "was to train and did not change"), ("b", "was frozen and changed")]
        );
        assert_eq!(
            proof.sentence(),
            "0 of 1 tensors that were to train changed; 1 of 1 frozen ones changed."
        );
    }
}
