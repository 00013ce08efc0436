//! The mapping editor: which column is the text, which are tasks, which says the split.

use std::collections::{BTreeMap, BTreeSet};

use eframe::egui;
use egui::{Button, ComboBox, Label, RichText, Role, Ui, WidgetInfo, vec2};

use crate::data::mapping::{Mapping, TaskColumn};
use crate::data::task::TaskKind;
use crate::session::command::Edit;
use crate::session::state::{DataView, FilePreview};
use crate::ui::actions::Actions;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{self, icon, icon::Icon, numbers};

/// Where the line below a task begins: under the column's name.
const MARKER_INDENT: f32 = 24.0;

/// Draws the card.
pub(super) fn mapping_ui(
    ui: &mut Ui,
    data: &DataView,
    names: &mut BTreeMap<String, String>,
    actions: &mut Actions,
) {
    let columns = columns_of(&data.files);
    let mapping = &data.mapping;
    widgets::card(ui, "Columns", |ui| {
        egui::Grid::new("roles").num_columns(2).spacing(vec2(theme::SECTION_GAP, theme::GAP)).show(
            ui,
            |ui| {
                ui.label("Text");
                let text = column_choice_ui(ui, "Text column", None, &columns, Some(&mapping.text));
                if let Some(Some(column)) = text {
                    actions.send(Edit::SetMapping(with_text(mapping, column)));
                }
                ui.end_row();
                ui.label("Second text");
                let none = Some("no such column");
                let second =
                    column_choice_ui(ui, "Second text column", none, &columns, mapping.second.as_deref());
                if let Some(column) = second {
                    actions.send(Edit::SetMapping(with_second(mapping, column)));
                }
                ui.end_row();
                ui.label("Split");
                let split = column_choice_ui(
                    ui,
                    "Split column",
                    Some("no such column"),
                    &columns,
                    mapping.split.as_deref(),
                );
                if let Some(column) = split {
                    actions.send(Edit::SetMapping(Mapping { split: column, ..mapping.clone() }));
                }
                ui.end_row();
                ui.label("Keep together").on_hover_text(
                    "Rows that hold the same in this column, such as one author or document, are never divided: all of \
                     them train, or all of them are measured. It matters where rows are split by rule.",
                );
                let group = column_choice_ui(ui, "Group column", none, &columns, mapping.group.as_deref());
                if let Some(column) = group {
                    actions.send(Edit::SetMapping(Mapping { group: column, ..mapping.clone() }));
                }
                ui.end_row();
            },
        );
        ui.add_space(theme::GRID);
        ui.label(RichText::new("Tasks").strong());
        for column in &columns {
            let is_task = mapping.tasks.iter().any(|task| task.column == *column);
            let is_taken = [&mapping.split, &mapping.second, &mapping.group].contains(&&Some(column.clone()));
            if *column != mapping.text && (is_task || !is_taken) {
                ui.push_id(column, |ui| task_row_ui(ui, data, column, names, actions));
            }
        }
        if mapping.tasks.is_empty() {
            widgets::message(
                ui,
                crate::session::state::Severity::Warning,
                "No task yet: tick at least one column of labels.",
            );
        }
        widgets::explain(
            ui,
            "What is a task, and what if labels are missing?",
            "Each ticked column is one task on the shared encoder: one class per text, several classes (a|b), a score, \
             a tag per word, or, with a second text, how alike two texts are or that they belong together. Missing \
             labels are masked: a row trains the tasks it is labelled for, and says nothing about the others. So \
             tasks may come from different files, too.",
        );
    });
}

/// A combo over columns; `Some` when another one was chosen, within it `None` for the entry that says "none".
#[expect(clippy::option_option, reason = "nothing chosen, none chosen, a column chosen: three outcomes")]
fn column_choice_ui(
    ui: &mut Ui,
    name: &str,
    none: Option<&str>,
    columns: &[String],
    current: Option<&str>,
) -> Option<Option<String>> {
    let mut chosen = None;
    let shown = current.or(none).unwrap_or_default();
    let combo = ComboBox::from_id_salt(name).selected_text(shown).width(180.0).truncate().show_ui(ui, |ui| {
        if let Some(none) = none
            && ui.selectable_label(current.is_none(), none).clicked()
            && current.is_some()
        {
            chosen = Some(None);
        }
        for column in columns {
            let selected = current == Some(column.as_str());
            if ui.selectable_label(selected, column).clicked() && !selected {
                chosen = Some(Some(column.clone()));
            }
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, name));
    chosen
}

fn task_row_ui(
    ui: &mut Ui,
    data: &DataView,
    column: &str,
    names: &mut BTreeMap<String, String>,
    actions: &mut Actions,
) {
    let palette = Palette::of(ui);
    let mapping = &data.mapping;
    let position = mapping.tasks.iter().position(|task| task.column == column);
    ui.horizontal(|ui| {
        let mut is_task = position.is_some();
        ui.scope(|ui| {
            ui.set_width(136.0);
            let tick = ui.checkbox(&mut is_task, "");
            tick.widget_info(|| {
                WidgetInfo::selected(Role::CheckBox, true, is_task, format!("{column} is a task"))
            });
            if tick.on_hover_text("Learn the labels in this column").changed() {
                actions.send(Edit::SetMapping(with_task(mapping, column, is_task)));
            }
            ui.add(Label::new(column).truncate());
        });
        let Some(position) = position else {
            let values = values_of(&data.files, column);
            ui.add(Label::new(RichText::new(values).color(palette.muted)).truncate());
            return;
        };
        icon::icon(ui, Icon::Dot, palette.task(position), 14.0);
        let current = mapping.tasks.get(position).map(|task| task.task.clone()).unwrap_or_default();
        let typed = names.entry(column.to_owned()).or_insert_with(|| current.clone());
        let field = widgets::field(ui, typed, &format!("Name of the task in {column}"), 140.0);
        let done = field.lost_focus();
        if !field.has_focus() {
            let name = names.remove(column).unwrap_or_default().trim().to_owned();
            let taken = mapping.tasks.iter().any(|task| task.task == name && task.column != column);
            if done && !name.is_empty() && !taken && name != current {
                actions.send(Edit::SetMapping(with_name(mapping, column, &name)));
            }
        }
        if let Some(kind) = kind_choice_ui(ui, mapping, position) {
            actions.send(Edit::SetMapping(with_kind(mapping, position, kind)));
        }
        if let Some(task) = data.dataset.tasks.get(position) {
            let labelled =
                data.card.tasks.get(position).map_or(0, |counts| counts.all_labelled(data.card.rows));
            let labelled = format!("{} labelled", numbers::thousands(labelled as u64));
            // There is room for one of the two; the other is told under the pointer.
            let (shown, all) = if task.kind.has_classes() {
                let classes = numbers::counted(task.classes.len(), "class", "classes");
                let all = format!("{classes}, {labelled}");
                (classes, all)
            } else {
                (labelled.clone(), labelled)
            };
            ui.add(Label::new(RichText::new(shown).color(palette.muted)).truncate()).on_hover_text(all);
        }
    });
    if let Some(position) = position {
        marker_ui(ui, data, position, actions);
    }
}

/// A cell that may mean "no label", and the button that says so, below the task: beside it there is no room.
fn marker_ui(ui: &mut Ui, data: &DataView, position: usize, actions: &mut Actions) {
    let Some(task) = data.mapping.tasks.get(position) else { return };
    let Some(marker) = data.dataset.unconfirmed.get(&task.task) else { return };
    ui.horizontal(|ui| {
        ui.add_space(MARKER_INDENT);
        let button = ui.add(Button::new(format!("Treat {marker} as not annotated")).small().truncate());
        let tip = format!("Rows that hold {marker} are not annotated for {}", task.task);
        if button.on_hover_text(tip).clicked() {
            actions.send(Edit::SetMapping(with_missing(&data.mapping, position, marker)));
        }
    });
}

/// What a task predicts; `Some` when another kind was chosen.
fn kind_choice_ui(ui: &mut Ui, mapping: &Mapping, position: usize) -> Option<TaskKind> {
    let task = mapping.tasks.get(position)?;
    let mut chosen = None;
    let combo = ComboBox::from_id_salt("kind").selected_text(task.kind.key()).width(104.0).truncate();
    let combo = combo.show_ui(ui, |ui| {
        for kind in TaskKind::ALL {
            let possible = !kind.takes_pairs() || mapping.second.is_some();
            let entry = ui.add_enabled(possible, Button::selectable(kind == task.kind, kind.key()));
            let entry = entry.on_disabled_hover_text("Choose the column of the second text first");
            if entry.clicked() && kind != task.kind {
                chosen = Some(kind);
            }
        }
    });
    let name = format!("Kind of the task in {}", task.column);
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
    chosen
}

/// Every column of every file, once, in order.
fn columns_of(files: &[FilePreview]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = files.iter().flat_map(|file| &file.columns);
    all.filter(|column| seen.insert(column.as_str())).cloned().collect()
}

/// Some values of a column, to recognise it by.
fn values_of(files: &[FilePreview], column: &str) -> String {
    let Some((file, index)) = files.iter().find_map(|file| {
        let index = file.columns.iter().position(|name| name == column)?;
        Some((file, index))
    }) else {
        return String::new();
    };
    let cells = file.head.iter().filter_map(|row| row.get(index)?.as_deref()).filter(|cell| !cell.is_empty());
    let values: Vec<&str> = cells.collect::<BTreeSet<_>>().into_iter().take(4).collect();
    format!("such as {}", values.join(", "))
}

fn with_text(mapping: &Mapping, column: String) -> Mapping {
    let mut mapping = mapping.clone();
    mapping.tasks.retain(|task| task.column != column);
    if mapping.split.as_ref() == Some(&column) {
        mapping.split = None;
    }
    if mapping.second.as_ref() == Some(&column) {
        mapping.second = None;
        mapping.tasks.retain(|task| !task.kind.takes_pairs());
    }
    mapping.text = column;
    mapping
}

/// Without a second text there is no task on pairs.
fn with_second(mapping: &Mapping, column: Option<String>) -> Mapping {
    let mut mapping = mapping.clone();
    if column.is_none() {
        mapping.tasks.retain(|task| !task.kind.takes_pairs());
    }
    if let Some(column) = &column {
        mapping.tasks.retain(|task| task.column != *column || task.kind == TaskKind::Ranking);
    }
    mapping.second = column;
    mapping
}

fn with_kind(mapping: &Mapping, position: usize, kind: TaskKind) -> Mapping {
    let mut mapping = mapping.clone();
    if let Some(task) = mapping.tasks.get_mut(position) {
        task.kind = kind;
    }
    mapping
}

/// A cell that says of a task that a row is not annotated for it.
fn with_missing(mapping: &Mapping, position: usize, marker: &str) -> Mapping {
    let mut mapping = mapping.clone();
    if let Some(task) = mapping.tasks.get_mut(position) {
        task.missing.push(marker.to_owned());
    }
    mapping
}

fn with_task(mapping: &Mapping, column: &str, is_task: bool) -> Mapping {
    let mut mapping = mapping.clone();
    mapping.tasks.retain(|task| task.column != column);
    if is_task {
        mapping.tasks.push(TaskColumn::named(column));
    }
    mapping
}

fn with_name(mapping: &Mapping, column: &str, name: &str) -> Mapping {
    let mut mapping = mapping.clone();
    for task in mapping.tasks.iter_mut().filter(|task| task.column == column) {
        name.clone_into(&mut task.task);
    }
    mapping
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping() -> Mapping {
        Mapping {
            text: "text".into(),
            tasks: vec![TaskColumn::named("topic"), TaskColumn::named("tone")],
            split: Some("part".into()),
            ..Mapping::default()
        }
    }

    #[test]
    fn a_column_has_one_role() {
        let pairs = Mapping {
            second: Some("other".into()),
            tasks: vec![TaskColumn::of_kind("alike", TaskKind::Similarity), TaskColumn::named("topic")],
            ..mapping()
        };
        assert_eq!(with_second(&pairs, None).tasks, [TaskColumn::named("topic")]);
        assert_eq!(with_text(&pairs, "other".into()).tasks, [TaskColumn::named("topic")]);
        assert_eq!(with_kind(&pairs, 1, TaskKind::Score).tasks[1].kind, TaskKind::Score);

        let changed = with_text(&mapping(), "topic".into());
        assert_eq!(changed.text, "topic");
        assert_eq!(changed.tasks, [TaskColumn::named("tone")]);
        assert_eq!(with_text(&mapping(), "part".into()).split, None);
    }

    #[test]
    fn tasks_are_ticked_and_named() {
        let without = with_task(&mapping(), "topic", false);
        assert_eq!(without.tasks, [TaskColumn::named("tone")]);
        let again = with_task(&without, "topic", true);
        assert_eq!(again.tasks.len(), 2);
        let named = with_name(&mapping(), "tone", "sentiment");
        assert_eq!(named.tasks[1], TaskColumn { task: "sentiment".into(), ..TaskColumn::named("tone") });
    }
}
