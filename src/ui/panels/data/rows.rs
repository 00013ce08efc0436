//! The rows as training reads them: looked for, ordered, and scrolled by the million; one of them can be corrected.

use eframe::egui;
use egui::{ComboBox, Label, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo};
use egui_extras::{Column, TableBuilder, TableRow};

use super::row_editor::{RowEditor, row_editor_ui};
use crate::data::dataset::{Dataset, Split};
use crate::data::query::{RowQuery, SortBy, Wanted};
use crate::session::command::Command;
use crate::session::state::{DataView, RowsView, State};
use crate::ui::actions::Actions;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{self, icon::Icon, numbers};

const HEIGHT: f32 = 320.0;
/// Rows of the table at a time: further down a screen's coordinates would not tell neighbouring pixels apart.
const PART: usize = 500_000;
const LABEL_WIDTH: f32 = 140.0;
const LINE_WIDTH: f32 = 84.0;
const SPLIT_WIDTH: f32 = 56.0;
/// Their columns with the gaps around them, and the bar to scroll by.
const LINE_AND_SPLIT: f32 = LINE_WIDTH + SPLIT_WIDTH + 48.0;
const MOST_CLASSES: usize = 200;

/// What the card remembers between frames.
#[derive(Default)]
pub(super) struct RowsPage {
    /// What is looked for, while it is typed.
    words: String,
    /// Which part of the rows is shown.
    part: usize,
    editor: RowEditor,
    /// To scroll here, once.
    pub(super) bring_here: bool,
}

/// Draws the card's contents.
pub(super) fn rows_ui(
    ui: &mut Ui,
    state: &State,
    data: &DataView,
    page: &mut RowsPage,
    actions: &mut Actions,
) {
    let view = &state.rows;
    let place = ui.cursor();
    if std::mem::take(&mut page.bring_here) {
        ui.scroll_to_rect(place, Some(egui::Align::TOP));
    }
    toolbar_ui(ui, data, view, page, actions);
    let rows = view.found.as_ref().map_or(data.dataset.rows(), |found| found.len());
    let parts = rows.div_ceil(PART).max(1);
    page.part = page.part.min(parts - 1);
    if parts > 1 {
        part_ui(ui, rows, parts, &mut page.part);
    }
    page.editor.follow(data);
    table_ui(ui, data, view, page, rows, actions);
    ui.add_space(theme::GAP);
    row_editor_ui(ui, data, &mut page.editor, actions);
}

fn toolbar_ui(ui: &mut Ui, data: &DataView, view: &RowsView, page: &mut RowsPage, actions: &mut Actions) {
    let mut query = view.query.clone();
    ui.horizontal_wrapped(|ui| {
        let field = widgets::field(ui, &mut page.words, "Find words in the texts", 220.0);
        if field.changed() {
            query.words.clone_from(&page.words);
        } else if !field.has_focus() {
            page.words.clone_from(&view.query.words);
        }
        split_ui(ui, &mut query);
        label_ui(ui, &data.dataset, &mut query);
        if let Some(among) = &query.among {
            let text = format!("rows of a finding: {}", numbers::thousands(among.len() as u64));
            widgets::chip(ui, text, Palette::of(ui).sunken);
        }
        let is_filtered = RowQuery { sort: None, ..query.clone() } != RowQuery::default();
        if is_filtered && widgets::icon_button(ui, Icon::Close, "Show all rows").clicked() {
            query = RowQuery { sort: query.sort, ..RowQuery::default() };
            page.words.clear();
        }
        let all = data.dataset.rows();
        let shown = match &view.found {
            _ if view.searching => "looking …".to_owned(),
            Some(found) if is_filtered => {
                let (found, all) = (found.len() as u64, all as u64);
                format!("{} of {} rows", numbers::thousands(found), numbers::thousands(all))
            }
            _ => numbers::counted(all, "row", "rows"),
        };
        ui.label(RichText::new(shown).color(Palette::of(ui).muted));
    });
    if query != view.query {
        page.part = 0;
        actions.send(Command::FindRows(query));
    }
}

fn split_ui(ui: &mut Ui, query: &mut RowQuery) {
    const ALL: &str = "all splits";
    let chosen = query.split.map_or(ALL, Split::name);
    let combo = ComboBox::from_id_salt("rows of split").selected_text(chosen).width(88.0).show_ui(ui, |ui| {
        for split in [None, Some(Split::Train), Some(Split::Valid), Some(Split::Test)] {
            ui.selectable_value(&mut query.split, split, split.map_or(ALL, Split::name));
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Split of the rows"));
}

fn label_ui(ui: &mut Ui, dataset: &Dataset, query: &mut RowQuery) {
    const ANY: &str = "any label";
    let text = match &query.label {
        None => ANY.to_owned(),
        Some((task, Wanted::Labelled)) => format!("{task}: labelled"),
        Some((task, Wanted::Unlabelled)) => format!("{task}: no label"),
        Some((task, Wanted::Class(class))) => format!("{task}: {class}"),
    };
    let combo = ComboBox::from_id_salt("rows of label").selected_text(text).width(180.0).truncate();
    let combo = combo.show_ui(ui, |ui| {
        ui.selectable_value(&mut query.label, None, ANY);
        for task in &dataset.tasks {
            ui.separator();
            let wanted = |wanted| Some((task.name.clone(), wanted));
            ui.selectable_value(
                &mut query.label,
                wanted(Wanted::Labelled),
                format!("{}: labelled", task.name),
            );
            ui.selectable_value(
                &mut query.label,
                wanted(Wanted::Unlabelled),
                format!("{}: no label", task.name),
            );
            for class in task.classes.iter().take(MOST_CLASSES) {
                let text = format!("{}: {class}", task.name);
                ui.selectable_value(&mut query.label, wanted(Wanted::Class(class.clone())), text);
            }
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Label of the rows"));
}

/// Which of the parts of very many rows is shown.
fn part_ui(ui: &mut Ui, rows: usize, parts: usize, part: &mut usize) {
    ui.horizontal(|ui| {
        if ui.add_enabled(*part > 0, egui::Button::new("Earlier rows")).clicked() {
            *part -= 1;
        }
        if ui.add_enabled(*part + 1 < parts, egui::Button::new("Later rows")).clicked() {
            *part += 1;
        }
        let first = *part * PART;
        let (from, to) = (first as u64 + 1, (first + PART).min(rows) as u64);
        widgets::caption(ui, &format!("{} to {}", numbers::thousands(from), numbers::thousands(to)));
    });
}

fn table_ui(
    ui: &mut Ui,
    data: &DataView,
    view: &RowsView,
    page: &mut RowsPage,
    rows: usize,
    actions: &mut Actions,
) {
    let dataset = &data.dataset;
    let has_second = !dataset.second.is_empty();
    let first = page.part * PART;
    let shown = rows.saturating_sub(first).min(PART);
    let found = |index: usize| match &view.found {
        Some(found) => found.get(first + index).map(|row| *row as usize),
        None => Some(first + index),
    };
    ScrollArea::horizontal().id_salt("rows across").auto_shrink([false, true]).show(ui, |ui| {
        let labels = dataset.tasks.len() as f32 * (LABEL_WIDTH + ui.spacing().item_spacing.x);
        let texts = if has_second { 2.0 } else { 1.0 };
        let text_width = ((ui.available_width() - labels - LINE_AND_SPLIT) / texts).max(320.0 / texts);
        let width = ui.available_width().round() as i32;
        let mut table = TableBuilder::new(ui)
            // Another width of the window is another table: its columns are laid out anew.
            .id_salt(("rows", page.part, width))
            .striped(true)
            .resizable(true)
            .sense(Sense::click())
            .auto_shrink([false, true])
            .min_scrolled_height(HEIGHT)
            .max_scroll_height(HEIGHT)
            .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
            .column(Column::exact(LINE_WIDTH))
            .column(Column::exact(SPLIT_WIDTH))
            .column(Column::initial(text_width).at_least(120.0).clip(true));
        if has_second {
            table = table.column(Column::initial(text_width).at_least(120.0).clip(true));
        }
        for _ in &dataset.tasks {
            table = table.column(Column::initial(LABEL_WIDTH).at_least(56.0).clip(true));
        }
        let header =
            table.header(theme::ROW_HEIGHT, |mut header| header_ui(&mut header, dataset, view, actions));
        header.body(|body| {
            body.rows(theme::ROW_HEIGHT, shown, |mut line| {
                let Some(row) = found(line.index()) else { return };
                line.set_selected(page.editor.row() == Some(row));
                row_ui(&mut line, dataset, row, has_second);
                if line.response().clicked() {
                    page.editor.open(data, row);
                }
            });
        });
    });
}

/// Names of columns; a click orders the rows by one, another the other way round, a third as they stand in the files.
fn header_ui(header: &mut TableRow<'_, '_>, dataset: &Dataset, view: &RowsView, actions: &mut Actions) {
    header.col(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.add(Label::new(RichText::new("line").strong()).selectable(false));
        });
    });
    let mut title = |header: &mut TableRow<'_, '_>, name: &str, by: Option<SortBy>| {
        header.col(|ui| {
            let Some(by) = by else {
                ui.add(Label::new(RichText::new(name).strong()).truncate());
                return;
            };
            let mark = match view.query.sort {
                Some((sorted, false)) if sorted == by => " \u{2191}",
                Some((sorted, true)) if sorted == by => " \u{2193}",
                _ => "",
            };
            let text = RichText::new(format!("{name}{mark}")).strong();
            let button = ui.add(egui::Button::new(text).frame(false).truncate());
            if button.on_hover_text("Orders the rows by this").clicked() {
                let sort = match view.query.sort {
                    Some((sorted, false)) if sorted == by => Some((by, true)),
                    Some((sorted, true)) if sorted == by => None,
                    _ => Some((by, false)),
                };
                actions.send(Command::FindRows(RowQuery { sort, ..view.query.clone() }));
            }
        });
    };
    title(header, "split", Some(SortBy::Split));
    title(header, "text", Some(SortBy::Text));
    if !dataset.second.is_empty() {
        title(header, "second text", None);
    }
    for (index, task) in dataset.tasks.iter().enumerate() {
        title(header, &task.name, Some(SortBy::Label(index)));
    }
}

fn row_ui(line: &mut TableRow<'_, '_>, dataset: &Dataset, row: usize, has_second: bool) {
    let split = dataset.splits.get(row).copied().unwrap_or(Split::Train);
    line.col(|ui| {
        let muted = Palette::of(ui).muted;
        let at = dataset.origins.get(row).map_or(0, |(_, line)| *line);
        widgets::number(ui, RichText::new(numbers::thousands(at)).color(muted));
    });
    line.col(|ui| {
        let muted = Palette::of(ui).muted;
        ui.add(Label::new(RichText::new(split.name()).small().color(muted)).selectable(false));
    });
    line.col(|ui| cell_ui(ui, dataset.text(row)));
    if has_second {
        line.col(|ui| cell_ui(ui, dataset.second_text(row)));
    }
    for task in &dataset.tasks {
        line.col(|ui| match task.in_words(row) {
            Some(label) => cell_ui(ui, &label),
            None => {
                ui.add(Label::new(RichText::new("no label").small().weak()).selectable(false));
            }
        });
    }
}

/// Characters of a cell that are laid out: no column is as wide as more of them.
const MOST_SHOWN: usize = 400;

fn cell_ui(ui: &mut Ui, text: &str) {
    // A line break would make the row's first line look like all of it.
    let one_line: String =
        text.chars().take(MOST_SHOWN).map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
    ui.add(Label::new(one_line).truncate().selectable(false));
}
