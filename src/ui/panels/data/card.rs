//! The data card: splits, label counts per task, findings.

use std::sync::Arc;

use eframe::egui;
use egui::{Label, RichText, ScrollArea, Ui, vec2};

use crate::data::card::{Finding, TaskCounts, Weight};
use crate::data::dataset::Split;
use crate::data::query::RowQuery;
use crate::session::command::{Command, Edit};
use crate::session::state::{DataView, Severity, State};
use crate::ui::actions::Actions;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{self, icon, icon::Icon, numbers};

/// Where the text of a message begins.
const INDENT: f32 = 20.0;
/// Height of the list of classes; more of them scroll.
const COUNTS_HEIGHT: f32 = 232.0;
/// Narrower than this, tasks stand below one another.
const NARROW: f32 = 560.0;
/// Width of a class's count: seven digits and their commas.
const NUMBER_WIDTH: f32 = 76.0;

/// Draws how many rows each split has, and how they got there.
pub(super) fn splits_ui(ui: &mut Ui, state: &State, data: &DataView) {
    let palette = Palette::of(ui);
    widgets::card(ui, "Splits", |ui| {
        let all = data.card.rows.iter().sum::<usize>().max(1) as f32;
        let parts: Vec<_> = (0..3)
            .map(|index| {
                let rows = data.card.rows.get(index).copied().unwrap_or(0);
                (rows as f32 / all, palette.split(index))
            })
            .collect();
        widgets::bar(ui, ui.available_width(), 12.0, &parts);
        super::sources::sources_ui(ui, data);
        widgets::caption(ui, &data.split_note);
        if data.card.rows_of(Split::Valid) == 0 {
            widgets::message(
                ui,
                Severity::Warning,
                "Without validation rows nothing tells when to stop: the last epoch is kept.",
            );
        }
        if state.project.mapping.is_none() {
            widgets::caption(
                ui,
                "Columns and splits were guessed from the usual names; change them if they are wrong.",
            );
        }
    });
}

/// Draws what should be known before training; true when the rows of a finding are to be shown.
pub(super) fn findings_ui(ui: &mut Ui, data: &DataView, actions: &mut Actions) -> bool {
    let mut shows_rows = false;
    widgets::card(ui, "Findings", |ui| {
        if data.card.findings.is_empty() {
            widgets::message(
                ui,
                Severity::Success,
                "No duplicates, no conflicting labels, no leakage between splits.",
            );
        }
        for (index, finding) in data.card.findings.iter().enumerate() {
            let severity = match finding.weight {
                Weight::Note => Severity::Info,
                Weight::Warning => Severity::Warning,
            };
            ui.push_id(index, |ui| {
                let response = widgets::message(ui, severity, &finding.text);
                if let Some(row) = finding.rows.first() {
                    response.on_hover_text(format!("For example: {}", data.dataset.text(*row)));
                }
                shows_rows |= remedies_ui(ui, finding, actions);
            });
        }
    });
    shows_rows
}

/// What can be done about a finding; true when its rows are to be shown.
fn remedies_ui(ui: &mut Ui, finding: &Finding, actions: &mut Actions) -> bool {
    let mut shows_rows = false;
    if finding.rows.is_empty() && finding.fix.is_none() {
        return false;
    }
    ui.horizontal_wrapped(|ui| {
        ui.add_space(INDENT);
        let show = || numbers::counted(finding.rows.len(), "row", "rows");
        if !finding.rows.is_empty() && ui.button(format!("Show {}", show())).clicked() {
            let among = Some(Arc::new(finding.rows.clone()));
            actions.send(Command::FindRows(RowQuery { among, ..RowQuery::default() }));
            shows_rows = true;
        }
        if let Some(fix) = &finding.fix {
            let button = ui.button(fix.verb());
            if button
                .on_hover_text("Kept in the project, and can be undone; the file stays as it is")
                .clicked()
            {
                actions.send(Edit::AddFix(fix.clone()));
            }
        }
    });
    shows_rows
}

/// Draws the label counts of every task, side by side.
pub(super) fn counts_ui(ui: &mut Ui, data: &DataView, by_count: &mut bool) {
    let tasks = &data.card.tasks;
    if tasks.is_empty() {
        return;
    }
    widgets::card(ui, "", |ui| {
        widgets::title_line(ui, "Labels", |ui| {
            ui.checkbox(by_count, "Most frequent first");
        });
        // Two side by side at most: more would leave no room for names and bars.
        let in_line = if ui.available_width() < NARROW { 1 } else { 2 };
        for (line, pair) in tasks.chunks(in_line).enumerate() {
            if line > 0 {
                ui.separator();
            }
            ui.spacing_mut().item_spacing.x = theme::SECTION_GAP;
            ui.columns(pair.len(), |columns| {
                for (offset, (ui, task)) in columns.iter_mut().zip(pair).enumerate() {
                    ui.spacing_mut().item_spacing.x = theme::GAP;
                    let rows = data.card.rows.iter().sum();
                    ui.push_id(&task.task, |ui| {
                        task_ui(ui, in_line * line + offset, (task, rows), *by_count)
                    });
                }
            });
        }
    });
}

fn task_ui(ui: &mut Ui, index: usize, (task, rows): (&TaskCounts, usize), by_count: bool) {
    let palette = Palette::of(ui);
    let missing: usize = task.missing.iter().sum();
    ui.horizontal(|ui| {
        icon::icon(ui, Icon::Dot, palette.task(index), 14.0);
        ui.label(RichText::new(&task.task).strong());
        // A score or a pair has a label and no class.
        let classes = match task.classes.len() {
            0 => numbers::counted(rows.saturating_sub(missing), "labelled row", "labelled rows"),
            classes => numbers::counted(classes, "class", "classes"),
        };
        let text = match missing {
            0 => classes,
            _ => format!("{classes}, {} without a label", numbers::counted(missing, "row", "rows")),
        };
        ui.label(RichText::new(text).color(palette.muted))
            .on_hover_text("Missing labels are masked: a row trains the tasks it is labelled for.");
    });
    let mut order: Vec<usize> = (0..task.classes.len()).collect();
    let total = |index: usize| task.classes.get(index).map_or(0, |(_, counts)| counts.iter().sum::<usize>());
    if by_count {
        order.sort_by_key(|index| std::cmp::Reverse(total(*index)));
    }
    let most = order.iter().map(|index| total(*index)).max().unwrap_or(1).max(1);
    let height = 20.0;
    ScrollArea::vertical().max_height(COUNTS_HEIGHT).auto_shrink([false, true]).show_rows(
        ui,
        height,
        order.len(),
        |ui, range| {
            for index in order.get(range).unwrap_or_default() {
                if let Some((name, counts)) = task.classes.get(*index) {
                    class_ui(ui, name, counts, most, height);
                }
            }
        },
    );
}

fn class_ui(ui: &mut Ui, name: &str, counts: &[usize; 3], most: usize, height: f32) {
    let palette = Palette::of(ui);
    let all: usize = counts.iter().sum();
    let width = ui.available_width() - theme::SECTION_GAP;
    ui.allocate_ui_with_layout(vec2(width, height), egui::Layout::left_to_right(egui::Align::Center), |ui| {
        let name_width = (width * 0.35).min(180.0);
        ui.allocate_ui_with_layout(
            vec2(name_width, height),
            egui::Layout::left_to_right(egui::Align::Center),
            |ui| {
                ui.set_width(name_width);
                ui.add(Label::new(name).truncate());
            },
        );
        let bar_width = (ui.available_width() - NUMBER_WIDTH - theme::GAP).max(40.0);
        let part = |index: usize| counts.get(index).copied().unwrap_or(0) as f32 / most as f32;
        let parts = [0, 1, 2].map(|index| (part(index), palette.split(index)));
        let [train, valid, test] = counts;
        widgets::bar(ui, bar_width, 8.0, &parts)
            .on_hover_text(format!("{name}: {train} train, {valid} valid, {test} test"));
        widgets::number(ui, numbers::thousands(all as u64));
    });
}
