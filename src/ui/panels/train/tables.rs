//! The run in numbers, epoch by epoch, and the project's earlier runs.

use eframe::egui::{self, RichText, Ui};
use egui_extras::{Column, TableBuilder, TableRow};

use crate::data::task::TaskKind;
use crate::session::command::Command;
use crate::session::state::{RunView, State};
use crate::train::metrics::{
    EpochPoint, Score, format_figure, format_headline, mean_loss, training_is_comparable, training_key,
};
use crate::train::plan::preset::Preset;
use crate::ui::actions::Actions;
use crate::ui::panels::layout::{digits, grid_number, head};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::icon::{Icon, icon};
use crate::ui::widgets::matrix::shorten;

/// One row per epoch.
pub(super) fn epochs_ui(ui: &mut Ui, run: &RunView) {
    widgets::card(ui, "Epochs", |ui| {
        if run.epochs.is_empty() {
            widgets::caption(ui, "The first row comes with the first measurement, before the first step.");
            return;
        }
        egui::ScrollArea::horizontal().id_salt("epochs").show(ui, |ui| {
            let kept = run.epochs.iter().rposition(|epoch| epoch.best);
            let per_task = run.plan.tasks.len() * 4;
            ui.spacing_mut().item_spacing = egui::vec2(theme::GRID, 2.0);
            TableBuilder::new(ui)
                .id_salt("epochs")
                .striped(true)
                .vscroll(run.epochs.len() > 16)
                .max_scroll_height(16.0 * theme::ROW_HEIGHT)
                .auto_shrink([false, true])
                .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
                .column(Column::exact(40.0))
                .column(Column::exact(124.0).clip(true))
                .column(Column::exact(62.0))
                .columns(Column::exact(76.0), per_task)
                .column(Column::exact(58.0))
                .column(Column::exact(60.0))
                .header(40.0, |mut row| header(&mut row, run))
                .body(|body| {
                    body.rows(theme::ROW_HEIGHT, run.epochs.len(), |mut row| {
                        let index = row.index();
                        if let Some(epoch) = run.epochs.get(index) {
                            epoch_row(&mut row, run, epoch, kept == Some(index));
                        }
                    });
                });
        });
    });
}

fn header(row: &mut TableRow<'_, '_>, run: &RunView) {
    let title = |row: &mut TableRow<'_, '_>, text: &str, layout: egui::Layout| {
        row.col(|ui| {
            ui.with_layout(layout, |ui| {
                ui.add_space(theme::GRID);
                ui.label(head(ui, text));
            });
        });
    };
    let left = egui::Layout::left_to_right(egui::Align::BOTTOM);
    let right = egui::Layout::right_to_left(egui::Align::BOTTOM);
    title(row, "epoch", right);
    title(row, "phase", left);
    title(row, "sum loss", right);
    for (index, task) in run.plan.tasks.iter().enumerate() {
        let figure = short(task.kind);
        let training = if training_is_comparable(task.kind) {
            format!("train {figure}")
        } else {
            format!("in batch {figure}")
        };
        for part in ["train loss", "valid loss", &training, &format!("valid {figure}")] {
            row.col(|ui| {
                let palette = Palette::of(ui);
                ui.with_layout(egui::Layout::bottom_up(egui::Align::RIGHT), |ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    ui.label(RichText::new(part).small().color(palette.muted));
                    ui.label(RichText::new(shorten(&task.name, 12)).small().color(palette.task(index)))
                        .on_hover_text(&task.name);
                });
            });
        }
    }
    title(row, "seconds", right);
    title(row, "kept", left);
}

/// A figure as text; a dash for one that is not known.
fn known(figure: f64, key: &str) -> String {
    if figure.is_nan() { "-".to_owned() } else { format_figure(key, figure) }
}

/// The headline figure in a narrow column.
const fn short(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::SingleLabel => "acc.",
        TaskKind::MultiLabel => "mi. F1",
        TaskKind::Score | TaskKind::Similarity => "Sp.man",
        TaskKind::TokenLabels => "sp. F1",
        TaskKind::Ranking => "acc.@1",
    }
}

fn epoch_row(row: &mut TableRow<'_, '_>, run: &RunView, epoch: &EpochPoint, kept: bool) {
    let number = |row: &mut TableRow<'_, '_>, text: String| {
        row.col(|ui| {
            widgets::number(ui, text);
        });
    };
    number(row, epoch.epoch.to_string());
    let phase = run.plan.phases.get(epoch.phase).map_or("", |phase| phase.name.as_str());
    let phase = if epoch.epoch == 0 { "before training" } else { phase };
    row.col(|ui| {
        ui.add_space(theme::GRID);
        ui.add(egui::Label::new(phase).truncate());
    });
    let value = |score: Option<&Score>, show: &dyn Fn(&Score) -> String| {
        score.filter(|score| score.rows > 0).map_or_else(|| "-".to_owned(), show)
    };
    let loss = |score: &Score| format_figure("loss", score.loss);
    // Nothing was trained on before the first step.
    number(row, if epoch.epoch == 0 { "-".to_owned() } else { mean_loss(epoch.loss) });
    for (task, planned) in run.plan.tasks.iter().enumerate() {
        let figure = |score: &Score| format_headline(planned.kind, score.figure);
        let training = |score: &Score| known(score.figure, training_key(planned.kind));
        number(row, value(epoch.train.get(task), &loss));
        number(row, value(epoch.valid.get(task), &loss));
        number(row, value(epoch.train.get(task), &training));
        number(row, value(epoch.valid.get(task), &figure));
    }
    number(row, format!("{:.1}", epoch.seconds));
    row.col(|ui| {
        if kept {
            ui.add_space(theme::GRID);
            let ok = Palette::of(ui).ok;
            icon(ui, Icon::Check, ok, 14.0);
            ui.label(RichText::new("best").small().color(ok));
        }
    });
}

/// The runs in the project's folder; a click shows one again.
pub(super) fn runs_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    widgets::card(ui, "Runs of this project", |ui| {
        widgets::caption(
            ui,
            "A click shows a run again, with its curves and figures; a tick lays its curves over those of the shown one. \
             Figures are on validation rows.",
        );
        let mut tasks: Vec<(&str, TaskKind)> = Vec::new();
        for figure in state.runs.iter().flat_map(|run| &run.figures) {
            if !tasks.contains(&(&figure.task, figure.kind)) {
                tasks.push((&figure.task, figure.kind));
            }
        }
        let shown = state.run.as_ref().map(|run| run.plan.name.as_str());
        egui::ScrollArea::horizontal().id_salt("runs").show(ui, |ui| {
            egui::Grid::new("runs").num_columns(4 + tasks.len()).striped(true).spacing([24.0, 4.0]).show(
                ui,
                |ui| {
                    for text in ["compare", "run", "preset", "outcome"] {
                        ui.label(head(ui, text));
                    }
                    for (task, kind) in &tasks {
                        let name = format!("{} {}", shorten(task, 12), kind.figure());
                        let hint = format!("{} of {task} on validation rows", kind.figure());
                        grid_number(ui, 80.0, head(ui, name)).on_hover_text(hint);
                    }
                    ui.end_row();
                    for run in state.runs.iter().rev() {
                        tick_ui(ui, state, &run.name, actions);
                        let button = ui.selectable_label(shown == Some(run.name.as_str()), &run.name);
                        if button.on_hover_text("Show this run").clicked() {
                            actions.send(Command::ShowRun(run.name.clone()));
                        }
                        let preset = Preset::from_key(&run.preset)
                            .map_or(run.preset.as_str(), |preset| preset.title());
                        ui.label(preset);
                        ui.add(egui::Label::new(shorten(&run.outcome, 48))).on_hover_text(&run.outcome);
                        for (task, kind) in &tasks {
                            let mut figures = run.figures.iter();
                            let figure =
                                figures.find(|figure| (figure.task.as_str(), figure.kind) == (*task, *kind));
                            let text = figure.map_or_else(
                                || "-".into(),
                                |figure| format_headline(figure.kind, figure.value),
                            );
                            grid_number(ui, 80.0, digits(text));
                        }
                        ui.end_row();
                    }
                },
            );
        });
    });
}

/// Lays a run over the shown one.
fn tick_ui(ui: &mut Ui, state: &State, name: &str, actions: &mut Actions) {
    let is_shown = state.run.as_ref().is_some_and(|run| run.plan.name == name);
    let mut on = is_shown || state.compared.iter().any(|run| run.plan.name == name);
    let tick = ui.add_enabled(!is_shown, egui::Checkbox::without_text(&mut on));
    tick.widget_info(|| {
        let label = format!("compare {name}");
        egui::WidgetInfo::selected(egui::Role::CheckBox, !is_shown, on, label)
    });
    if tick.on_disabled_hover_text("This is the run that is shown").changed() {
        actions.send(Command::Compare(name.to_owned()));
    }
}
