//! The Export page: what will be written, the report of what was, and how to load it elsewhere.

use std::path::Path;

use eframe::egui;
use egui::{Label, RichText, ScrollArea, Ui};

use crate::export::ExportReport;
use crate::format::literal::quoted;
use crate::format::shell;
use crate::session::state::{Loadable, RunView, Severity, State};
use crate::train::report::UNTRAINED;
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::panels::layout::train_first_ui;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{self, icon::Icon, numbers};

/// Differences up to this are what float32 arithmetic in another order costs.
const NEGLIGIBLE: f64 = 1e-5;

/// Draws the page.
pub fn export_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    ScrollArea::vertical().id_salt("export page").auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Export.title(), Page::Export.purpose());
        match &state.run {
            Some(run) => ready_ui(ui, state, run, actions),
            None => empty_ui(ui, state, actions),
        }
    });
}

fn empty_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    widgets::empty_state(
        ui,
        Icon::Export,
        "Nothing to export yet",
        "Train first. Then this page writes the tuned encoder and its heads to a folder, reads them back, and shows \
         that they give the same embeddings.",
        |ui| {
            train_first_ui(ui, state, actions);
        },
    );
    ui.add_space(theme::GAP);
    layout_ui(ui, None);
}

fn ready_ui(ui: &mut Ui, state: &State, run: &RunView, actions: &mut Actions) {
    widgets::card(ui, &format!("Export {}", run.plan.name), |ui| {
        // Tasks on pairs have no head.
        let with_head = run.plan.tasks.iter().filter(|task| task.kind.has_head());
        let untrained =
            run.report.as_ref().map(|report| report.untrained_tasks(&run.plan)).unwrap_or_default();
        let heads: Vec<String> = with_head
            .map(|task| {
                if untrained.contains(&task.name) {
                    format!("{} ({UNTRAINED})", task.name)
                } else {
                    task.name.clone()
                }
            })
            .collect();
        let heads =
            if heads.is_empty() { String::new() } else { format!(", and the heads of {}", heads.join(", ")) };
        let text = format!(
            "Writes the best weights of this run: the encoder{heads}. Choose an empty folder, or an earlier export \
             to replace it; in any other folder a new one is made."
        );
        widgets::paragraph(ui, text);
        ui.horizontal(|ui| {
            widgets::primary_button(ui, state, actions, Action::Export);
            if let Err(reason) = Action::Export.enabled(state) {
                widgets::caption(ui, reason);
            }
        });
        match &state.export {
            Loadable::Loading => widgets::loading(ui, "Writing, reading back, comparing"),
            Loadable::Failed(reason) => {
                widgets::message(ui, Severity::Error, reason);
            }
            Loadable::Cancelled => widgets::cancelled(ui),
            Loadable::Empty | Loadable::Ready(_) => {}
        }
    });
    ui.add_space(theme::GAP);
    match state.export.ready() {
        Some(report) => {
            widgets::two_columns(ui, |left, right| {
                proof_ui(left, state, report, actions);
                left.add_space(theme::GAP);
                files_ui(left, report);
                snippet_ui(right, &report.dir, run);
            });
        }
        None => layout_ui(ui, Some(run)),
    }
}

/// The files of the folder and what each is for.
fn layout_ui(ui: &mut Ui, run: Option<&RunView>) {
    const FILES: [(&str, &str); 9] = [
        ("model.safetensors", "the encoder's weights, float32"),
        ("config.json", "its architecture, as the pretrained model's"),
        ("tokenizer.json \u{2026}", "the tokeniser, unchanged"),
        ("modules.json", "tells sentence-transformers what to chain"),
        ("1_Pooling/", "how tokens become one vector"),
        ("2_Normalize/", "only where embeddings are scaled to length 1"),
        ("heads/", "the task heads, and their class names"),
        ("tasks/NAME/", "per task a model whose encode() gives logits"),
        ("README.md", "the model card: data, plan, figures, seed"),
    ];
    let palette = Palette::of(ui);
    widgets::card(ui, "What will be in the folder", |ui| {
        egui::Grid::new("layout").num_columns(2).spacing(egui::vec2(theme::SECTION_GAP, theme::GRID)).show(
            ui,
            |ui| {
                for (name, meaning) in FILES {
                    ui.monospace(name);
                    ui.add(Label::new(RichText::new(meaning).color(palette.muted)).extend());
                    ui.end_row();
                }
            },
        );
        widgets::caption(
            ui,
            "sentence-transformers 3 to 6, transformers 4 and 5 and inference servers open it as it is.",
        );
        if run.is_some() {
            widgets::caption(
                ui,
                "After writing, the folder is read back, probe sentences are encoded again, and the largest \
                 difference is shown here.",
            );
        }
    });
}

fn proof_ui(ui: &mut Ui, state: &State, report: &ExportReport, actions: &mut Actions) {
    widgets::card(ui, "", |ui| {
        widgets::title_line(ui, "Proof", |ui| {
            widgets::action_button(ui, state, actions, Action::ShowFolder(report.dir.clone()));
        });
        let largest = report.max_difference.max(report.max_logit_difference);
        let (severity, verdict) = verdict(largest);
        widgets::message(ui, severity, verdict);
        if let Some(kept) = &report.kept {
            widgets::message(ui, Severity::Info, &kept.in_words());
        }
        // A path may be longer than the card is wide.
        let folder = report.dir.display().to_string();
        ui.add(Label::new(RichText::new(&folder).monospace()).truncate()).on_hover_text(folder);
        widgets::facts(ui, "proof", |ui| {
            let probes = numbers::counted(report.probes, "sentence", "sentences");
            widgets::fact(ui, "Encoded again", probes);
            let number = |value: f64| {
                let text = if value == 0.0 { "0".to_owned() } else { format!("{value:.2e}") };
                RichText::new(text).monospace()
            };
            widgets::fact(ui, "Largest difference, embeddings", number(report.max_difference));
            widgets::fact(ui, "Largest difference, logits", number(report.max_logit_difference));
        });
    });
}

fn verdict(largest: f64) -> (Severity, &'static str) {
    if largest == 0.0 {
        (Severity::Success, "What was read back is identical to what was trained.")
    } else if largest <= NEGLIGIBLE {
        (Severity::Success, "What was read back equals what was trained, up to rounding.")
    } else {
        // NaN lands here too.
        (Severity::Error, "What was read back differs from what was trained: do not use this folder.")
    }
}

fn files_ui(ui: &mut Ui, report: &ExportReport) {
    let all: u64 = report.files.iter().map(|(_, bytes)| bytes).sum();
    widgets::card(ui, "Files", |ui| {
        widgets::caption(
            ui,
            &format!("{}, {}", numbers::counted(report.files.len(), "file", "files"), numbers::bytes(all)),
        );
        ui.spacing_mut().interact_size.y = 5.0 * theme::GRID;
        ui.spacing_mut().item_spacing.y = theme::GRID;
        for (name, bytes) in &report.files {
            ui.horizontal(|ui| {
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    ui.label(RichText::new(numbers::bytes(*bytes)).monospace());
                    ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                        ui.add(Label::new(RichText::new(name).monospace()).truncate());
                    });
                });
            });
        }
    });
}

fn snippet_ui(ui: &mut Ui, dir: &Path, run: &RunView) {
    let first = run.plan.tasks.first().map(|task| task.name.as_str());
    let embed = embed_snippet(dir);
    let palette = Palette::of(ui);
    widgets::card(ui, "Load it in Python", |ui| {
        widgets::caption(ui, "Sentence embeddings:");
        widgets::code_block(ui, &embed);
        if ui.button("Copy").on_hover_text("Copies the Python code for embeddings").clicked() {
            ui.ctx().copy_text(embed);
        }
        let heads = dir.join("heads");
        if let Some(task) = first {
            ui.add_space(theme::GAP);
            let others = if run.plan.tasks.len() > 1 { " and the other tasks" } else { "" };
            let text = format!("Predictions of {task}{others}, without Python:");
            ui.label(RichText::new(text).color(palette.muted));
            let command = format!("frostline predict {} texts.csv -o predictions.csv", shell::path(dir));
            widgets::code_block(ui, &command);
            if ui.button("Copy command").on_hover_text("Copies the command line for predictions").clicked() {
                ui.ctx().copy_text(command);
            }
            widgets::caption(ui, &format!("The heads themselves are in {}.", heads.display()));
        }
    });
}

fn embed_snippet(dir: &Path) -> String {
    format!(
        "from sentence_transformers import SentenceTransformer\n\n\
         model = SentenceTransformer({})\n\
         vectors = model.encode([\"A first sentence.\", \"And another.\"])\n\
         print(model.similarity(vectors, vectors))\n",
        quoted(&dir.display().to_string())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_what_the_number_means() {
        assert_eq!(verdict(0.0).0, Severity::Success);
        assert_eq!(verdict(3e-7).0, Severity::Success);
        assert_eq!(verdict(1e-3).0, Severity::Error);
        assert_eq!(verdict(f64::NAN).0, Severity::Error);
    }

    #[test]
    fn paths_are_quoted_for_python() {
        let snippet = embed_snippet(Path::new("C:\\my \"model\""));
        assert!(snippet.contains("SentenceTransformer(\"C:\\\\my \\\"model\\\"\")"), "{snippet}");
    }
}
