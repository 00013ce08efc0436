//! One row in full, and its cells to be corrected; the corrections live in the project.

use std::sync::Arc;

use eframe::egui;
use egui::{ComboBox, Label, RichText, Role, TextEdit, Ui, WidgetInfo};

use crate::data::dataset::{Dataset, Split, TaskLabels};
use crate::data::edit::{Cell, can_be_text, can_correct, written};
use crate::data::task::TaskKind;
use crate::session::command::Command;
use crate::session::state::DataView;
use crate::ui::actions::Actions;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;

/// The row that is shown in full.
#[derive(Default)]
pub(super) struct RowEditor {
    row: Option<usize>,
    /// The rows that it is one of.
    of: Option<Arc<Dataset>>,
    text: String,
    /// Per task what its label is to be.
    labels: Vec<String>,
}

impl RowEditor {
    /// The row.
    pub(super) const fn row(&self) -> Option<usize> {
        self.row
    }

    /// Shows a row.
    pub(super) fn open(&mut self, data: &DataView, row: usize) {
        self.row = Some(row);
        self.of = Some(data.dataset.clone());
        data.dataset.text(row).clone_into(&mut self.text);
        self.labels = data.dataset.tasks.iter().map(|task| written(task, row)).collect();
    }

    /// The rows may be others by now: the row that was read at the same place is shown, with what it holds.
    pub(super) fn follow(&mut self, data: &DataView) {
        let same = self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &data.dataset));
        let (Some(row), false) = (self.row, same) else { return };
        let origin = self.of.as_ref().and_then(|of| of.origins.get(row).copied());
        if origin.is_some() && data.dataset.origins.get(row).copied() == origin {
            self.open(data, row);
        } else {
            *self = Self::default();
        }
    }
}

/// Draws the row, or how to get one.
pub(super) fn row_editor_ui(ui: &mut Ui, data: &DataView, editor: &mut RowEditor, actions: &mut Actions) {
    let Some(row) = editor.row else {
        widgets::caption(ui, "Click a row to read it in full or to correct it. Your files stay as they are.");
        return;
    };
    let dataset = &data.dataset;
    ui.separator();
    ui.horizontal(|ui| {
        ui.label(RichText::new(place_of(dataset, row)).color(Palette::of(ui).muted));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if widgets::icon_button(ui, widgets::icon::Icon::Close, "Close the row").clicked() {
                *editor = RowEditor::default();
            }
        });
    });
    if editor.row.is_none() {
        return;
    }
    text_ui(ui, dataset, row, &mut editor.text, actions);
    if !dataset.second_text(row).is_empty() {
        ui.add(Label::new(dataset.second_text(row)).wrap());
    }
    ui.horizontal_wrapped(|ui| {
        for (index, task) in dataset.tasks.iter().enumerate() {
            if let Some(label) = editor.labels.get_mut(index) {
                label_ui(ui, index, task, row, label, actions);
                ui.add_space(theme::GAP);
            }
        }
    });
}

fn place_of(dataset: &Dataset, row: usize) -> String {
    let (file, line) = dataset.origins.get(row).copied().unwrap_or_default();
    let file = dataset.files.get(file as usize).map_or_else(String::new, |file| {
        file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
    });
    let split = dataset.splits.get(row).copied().map_or("", Split::name);
    format!("{file}, line {line}  \u{b7}  {split}")
}

fn text_ui(ui: &mut Ui, dataset: &Dataset, row: usize, text: &mut String, actions: &mut Actions) {
    let edit = ui.add(TextEdit::multiline(text).desired_rows(2).desired_width(f32::INFINITY));
    edit.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, text.as_str(), text.as_str(), "");
        info.label = Some("Text of the row".to_owned());
        info
    });
    if dataset.text(row) == text {
        return;
    }
    ui.horizontal(|ui| {
        let possible = can_be_text(dataset, row, text);
        let button = ui.add_enabled(possible, egui::Button::new("Correct the text"));
        let why = "There must be something to read; a text with tags must keep as many words as it has";
        if button.on_disabled_hover_text(why).clicked() {
            actions.send(Command::Correct { row, cell: Cell::Text, now: text.clone() });
        }
        if ui.button("As it was").clicked() {
            dataset.text(row).clone_into(text);
        }
    });
}

fn label_ui(
    ui: &mut Ui,
    index: usize,
    task: &TaskLabels,
    row: usize,
    label: &mut String,
    actions: &mut Actions,
) {
    widgets::swatch_label(ui, Palette::of(ui).task(index), &task.name);
    let is = written(task, row);
    if !can_correct(task) {
        ui.add(Label::new(is).truncate());
        return;
    }
    let name = format!("Label of {}", task.name);
    let chosen = if task.kind == TaskKind::SingleLabel {
        class_ui(ui, task, &is, &name)
    } else {
        let field = widgets::field(ui, label, &name, 160.0);
        (field.lost_focus() && *label != is).then(|| label.clone())
    };
    if let Some(now) = chosen {
        actions.send(Command::Correct { row, cell: Cell::Label(task.name.clone()), now });
    }
}

/// A choice of the task's classes, and of none.
fn class_ui(ui: &mut Ui, task: &TaskLabels, is: &str, name: &str) -> Option<String> {
    const NONE: &str = "no label";
    let mut chosen = None;
    let shown = if is.is_empty() { NONE } else { is };
    let combo = ComboBox::from_id_salt(name).selected_text(shown).width(160.0).truncate().show_ui(ui, |ui| {
        for class in std::iter::once("").chain(task.classes.iter().map(String::as_str)) {
            let text = if class.is_empty() { NONE } else { class };
            if ui.selectable_label(class == is, text).clicked() && class != is {
                chosen = Some(class.to_owned());
            }
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, name));
    chosen
}
