//! The figures of each class, in a table that sorts by any column.

use eframe::egui::{self, Align, Button, Label, Layout, RichText, Ui};
use egui_extras::{Column, TableBuilder};

use crate::data::task::TaskKind;
use crate::train::metrics::{ClassMetrics, TaskMetrics};
use crate::ui::explain;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::numbers::{percent, thousands};

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Key {
    /// The order of the classes.
    #[default]
    Class,
    Precision,
    Recall,
    F1,
    Rows,
}

impl Key {
    const ALL: [Self; 5] = [Self::Class, Self::Precision, Self::Recall, Self::F1, Self::Rows];

    /// The head of the column: of words, entities are counted, by their types.
    const fn name(self, kind: TaskKind) -> &'static str {
        match (self, kind) {
            (Self::Class, TaskKind::TokenLabels) => "type",
            (Self::Class, _) => "class",
            (Self::Precision, _) => "precision",
            (Self::Recall, _) => "recall",
            (Self::F1, _) => "F1",
            (Self::Rows, TaskKind::TokenLabels) => "entities",
            (Self::Rows, _) => "rows",
        }
    }

    const fn tooltip(self, kind: TaskKind) -> &'static str {
        match (self, kind) {
            (Self::Class, TaskKind::TokenLabels) => "Type of the entities",
            (Self::Class, _) => "Name of the class",
            (Self::Precision, TaskKind::TokenLabels) => {
                "Right among the entities that were predicted with this type"
            }
            (Self::Precision, _) => "Right among the rows that were predicted as this class",
            (Self::Recall, TaskKind::TokenLabels) => {
                "Found among the entities that are labelled with this type"
            }
            (Self::Recall, _) => "Found among the rows that are labelled as this class",
            (Self::F1, _) => "Harmonic mean of precision and recall",
            (Self::Rows, TaskKind::TokenLabels) => "Entities labelled with this type",
            (Self::Rows, _) => "Rows labelled as this class",
        }
    }

    const fn of(self, class: &ClassMetrics) -> f64 {
        match self {
            Self::Class => 0.0,
            Self::Precision => class.precision,
            Self::Recall => class.recall,
            Self::F1 => class.f1,
            Self::Rows => class.support as f64,
        }
    }
}

/// Order of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sort {
    key: Key,
    descending: bool,
}

impl Sort {
    /// Another column starts with its lowest values, where the trouble is; the same one turns round.
    fn clicked(&mut self, key: Key) {
        *self = if self.key == key {
            Self { key, descending: !self.descending }
        } else {
            Self { key, descending: false }
        };
    }

    fn order(self, classes: &[ClassMetrics]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..classes.len()).collect();
        let value = |index: &usize| classes.get(*index).map_or(0.0, |class| self.key.of(class));
        if self.key != Key::Class {
            order.sort_by(|a, b| value(a).total_cmp(&value(b)));
        }
        if self.descending {
            order.reverse();
        }
        order
    }
}

/// Draws the table.
pub(super) fn classes_ui(ui: &mut Ui, metrics: &TaskMetrics, sort: &mut Sort) {
    let order = sort.order(&metrics.classes);
    let help = |ui: &mut Ui| {
        explain::explain_ui(ui, &explain::MACRO_F1);
        widgets::copy_table_button(ui, "the figures of each class", || as_cells(metrics, &order));
    };
    let title = if metrics.kind == TaskKind::TokenLabels { "Type by type" } else { "Class by class" };
    widgets::card_with(ui, title, help, |ui| {
        ui.spacing_mut().item_spacing = egui::vec2(theme::GRID, 2.0);
        TableBuilder::new(ui)
            .id_salt("classes")
            .striped(true)
            .max_scroll_height(430.0)
            .auto_shrink([false, true])
            .cell_layout(Layout::left_to_right(Align::Center))
            .column(Column::remainder().clip(true))
            .columns(Column::exact(84.0), 3)
            .column(Column::exact(62.0))
            .header(26.0, |mut row| {
                for key in Key::ALL {
                    row.col(|ui| head_ui(ui, key, metrics.kind, sort));
                }
            })
            .body(|body| {
                body.rows(theme::ROW_HEIGHT, order.len(), |mut row| {
                    let Some(class) = order.get(row.index()).and_then(|index| metrics.classes.get(*index))
                    else {
                        return;
                    };
                    row.col(|ui| {
                        ui.add_space(theme::GRID);
                        ui.add(Label::new(&class.name).truncate());
                    });
                    for value in [class.precision, class.recall, class.f1] {
                        row.col(|ui| share_ui(ui, value));
                    }
                    row.col(|ui| {
                        widgets::number(ui, thousands(class.support as u64));
                    });
                });
            });
    });
}

/// The table in the order that it is shown in.
fn as_cells(metrics: &TaskMetrics, order: &[usize]) -> Vec<Vec<String>> {
    let mut rows = vec![Key::ALL.map(|key| key.name(metrics.kind).to_owned()).to_vec()];
    for class in order.iter().filter_map(|index| metrics.classes.get(*index)) {
        let shares = [class.precision, class.recall, class.f1].map(|value| format!("{value:.4}"));
        rows.push([vec![class.name.clone()], shares.to_vec(), vec![class.support.to_string()]].concat());
    }
    rows
}

fn head_ui(ui: &mut Ui, key: Key, kind: TaskKind, sort: &mut Sort) {
    let palette = Palette::of(ui);
    let active = sort.key == key;
    let colour = if active { palette.text } else { palette.muted };
    let text = RichText::new(key.name(kind)).small().color(colour);
    let layout = match key {
        Key::Class => Layout::left_to_right(Align::Center),
        _ => Layout::right_to_left(Align::Center),
    };
    ui.with_layout(layout, |ui| {
        ui.spacing_mut().button_padding.x = theme::GRID;
        let button = ui.add(Button::new(text).frame_when_inactive(false));
        button.widget_info(|| {
            egui::WidgetInfo::selected(
                egui::Role::Button,
                true,
                active,
                format!("sort by {}", key.name(kind)),
            )
        });
        if active {
            arrow_ui(ui, sort.descending);
        }
        if button.on_hover_text(key.tooltip(kind)).clicked() {
            sort.clicked(key);
        }
    });
}

/// A small triangle that says which end of the order is on top. Drawn, because not every typeface has one.
fn arrow_ui(ui: &mut Ui, descending: bool) {
    let (rect, _) = ui.allocate_exact_size(egui::vec2(8.0, 6.0), egui::Sense::hover());
    let (base, tip) = if descending { (rect.top(), rect.bottom()) } else { (rect.bottom(), rect.top()) };
    let corners =
        vec![egui::pos2(rect.left(), base), egui::pos2(rect.right(), base), egui::pos2(rect.center().x, tip)];
    ui.painter().add(egui::Shape::convex_polygon(corners, Palette::of(ui).text, egui::Stroke::NONE));
}

/// A share as a number over a faint bar of its length.
fn share_ui(ui: &mut Ui, value: f64) {
    let palette = Palette::of(ui);
    let rect = ui.max_rect().shrink2(egui::vec2(2.0, 4.0));
    let bar = rect.with_min_x(rect.right() - rect.width() * value.clamp(0.0, 1.0) as f32);
    ui.painter().rect_filled(bar, 2.0, palette.accent.gamma_multiply(0.22));
    widgets::number(ui, percent(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Vec<ClassMetrics> {
        let class = |name: &str, f1, support| ClassMetrics {
            name: name.into(),
            precision: f1,
            recall: f1,
            f1,
            support,
        };
        vec![class("a", 0.9, 5), class("b", 0.2, 50), class("c", 0.5, 1)]
    }

    #[test]
    fn a_column_sorts_upward_first_and_turns_on_the_second_click() {
        let mut sort = Sort::default();
        assert_eq!(sort.order(&classes()), [0, 1, 2]);
        sort.clicked(Key::F1);
        assert_eq!(sort.order(&classes()), [1, 2, 0]);
        sort.clicked(Key::F1);
        assert_eq!(sort.order(&classes()), [0, 2, 1]);
        sort.clicked(Key::Rows);
        assert_eq!(sort.order(&classes()), [2, 0, 1]);
    }
}
