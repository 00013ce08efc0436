//! The run beside an earlier one, row by row: what it mends, what it breaks, and what both get wrong.

use eframe::egui::{Align, Button, ComboBox, Label, Layout, RichText, Role, Ui, WidgetInfo, vec2};
use egui_extras::{Column, TableBuilder, TableRow};

use super::rows::{class_name, row_button, row_text_ui};
use crate::session::compare::{Compared, RunComparison, TaskComparison};
use crate::session::state::{Evaluation, State};
use crate::train::metrics::TaskMetrics;
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::panels::layout::head;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::icon::{self, Icon};
use crate::ui::widgets::numbers::{counted, thousands};

const SHOWN_ROWS: f32 = 10.0;

/// Which rows are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Fixed,
    Broken,
    StillWrong,
}

impl List {
    const ALL: [Self; 3] = [Self::Fixed, Self::Broken, Self::StillWrong];

    const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Broken => "broken",
            Self::StillWrong => "still wrong",
        }
    }

    const fn tooltip(self) -> &'static str {
        match self {
            Self::Fixed => "Rows that the earlier run got wrong and this one gets right",
            Self::Broken => "Rows that the earlier run got right and this one gets wrong",
            Self::StillWrong => "Rows that both get wrong",
        }
    }

    fn first_of(task: &TaskComparison) -> Self {
        Self::ALL.into_iter().find(|list| !list.rows(task).is_empty()).unwrap_or(Self::Fixed)
    }

    fn rows(self, task: &TaskComparison) -> &[Compared] {
        match self {
            Self::Fixed => &task.fixed,
            Self::Broken => &task.broken,
            Self::StillWrong => &task.still_wrong,
        }
    }
}

/// What the page remembers of comparisons.
#[derive(Debug, Default)]
pub(super) struct CompareView {
    /// The earlier run that was chosen; the latest one else.
    run: Option<String>,
    /// What was chosen; the first list that is not empty else.
    list: Option<List>,
    /// Row whose text is shown in full.
    row: Option<usize>,
}

/// Draws the card.
pub(super) fn compare_ui(
    ui: &mut Ui,
    state: &State,
    evaluation: &Evaluation,
    (task, metrics): (usize, &TaskMetrics),
    view: &mut CompareView,
    actions: &mut Actions,
) {
    let known: Vec<(&RunComparison, &TaskComparison)> =
        evaluation.compared.iter().filter_map(|run| Some((run, run.tasks.get(task)?.as_ref()?))).collect();
    let chosen = known.iter().find(|(run, _)| Some(&run.run) == view.run.as_ref()).or_else(|| known.first());
    let Some((run, comparison)) = chosen else {
        widgets::card(ui, "Compared with an earlier run", |ui| {
            let text = format!(
                "Here two runs will stand beside each other, row by row: what {} mends and what it breaks. For that, \
                 measure another run on the {} rows too: train one, or show an earlier one on the Train page, and \
                 come back. What was measured is remembered until the program ends or the rows change.",
                evaluation.run,
                evaluation.split.name()
            );
            widgets::caption(ui, &text);
            widgets::action_button(ui, state, actions, Action::GoTo(Page::Train));
        });
        return;
    };
    let title = format!("Compared with {}", run.run);
    let names: Vec<&str> = known.iter().map(|(run, _)| run.run.as_str()).collect();
    let mut picked = None;
    let choice = |ui: &mut Ui| picked = choice_ui(ui, &names, &run.run);
    widgets::card_with(ui, &title, choice, |ui| {
        summary_ui(ui, evaluation, &run.run, comparison);
        let list = view.list.unwrap_or_else(|| List::first_of(comparison));
        lists_ui(ui, comparison, list, view);
        let rows = list.rows(comparison);
        if rows.is_empty() {
            widgets::caption(ui, &format!("No row is {}.", list.name()));
            return;
        }
        table_ui(ui, state, metrics, (&run.run, &evaluation.run), (comparison, rows), view);
        let shown = view.row.filter(|row| rows.iter().any(|compared| compared.row == *row));
        if let (Some(row), Some(data)) = (shown, state.data.ready()) {
            row_text_ui(ui, &data.dataset, row);
        }
    });
    if picked.is_some() {
        (view.run, view.row) = (picked, None);
    }
}

/// A choice among the earlier runs, where there are several.
fn choice_ui(ui: &mut Ui, names: &[&str], chosen: &str) -> Option<String> {
    if names.len() < 2 {
        return None;
    }
    let mut picked = None;
    let combo = ComboBox::from_id_salt("earlier run").selected_text(chosen).truncate().show_ui(ui, |ui| {
        for name in names {
            if ui.selectable_label(*name == chosen, *name).clicked() {
                picked = Some((*name).to_owned());
            }
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, "Earlier run"));
    picked
}

fn summary_ui(ui: &mut Ui, evaluation: &Evaluation, earlier: &str, comparison: &TaskComparison) {
    let (fixed, broken) = (comparison.fixed.len(), comparison.broken.len());
    let name = &evaluation.run;
    let text = match (fixed, broken) {
        (0, 0) => format!("{name} is right and wrong about the same rows as {earlier}."),
        _ if fixed == broken => {
            format!("{name} is right about as many rows as {earlier}, if not about the same.")
        }
        _ => {
            let more = counted(fixed.abs_diff(broken), "row", "rows");
            let which = if fixed > broken { "more" } else { "fewer" };
            format!(
                "{name} is right about {more} {which} than {earlier}, on the {} split.",
                evaluation.split.name()
            )
        }
    };
    widgets::caption(ui, &text);
}

/// The counts; those with a list behind them are buttons that show it.
fn lists_ui(ui: &mut Ui, comparison: &TaskComparison, shown: List, view: &mut CompareView) {
    let palette = Palette::of(ui);
    ui.horizontal_wrapped(|ui| {
        for list in List::ALL {
            let (picture, colour) = match list {
                List::Fixed => (Icon::Check, palette.ok),
                List::Broken => (Icon::Error, palette.error),
                List::StillWrong => (Icon::Warning, palette.warn),
            };
            icon::icon(ui, picture, colour, 16.0);
            let text = format!("{} {}", thousands(list.rows(comparison).len() as u64), list.name());
            let button = ui.add(Button::selectable(shown == list, text));
            if button.on_hover_text(list.tooltip()).clicked() {
                (view.list, view.row) = (Some(list), None);
            }
            ui.add_space(theme::GAP);
        }
        let text = format!("{} both right", thousands(comparison.both_right as u64));
        ui.label(RichText::new(text).color(palette.muted));
    });
}

fn table_ui(
    ui: &mut Ui,
    state: &State,
    metrics: &TaskMetrics,
    (earlier, now): (&str, &str),
    (comparison, rows): (&TaskComparison, &[Compared]),
    view: &mut CompareView,
) {
    let dataset = state.data.ready().map(|data| &data.dataset);
    let height = theme::ROW_HEIGHT + 2.0;
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(3.0 * theme::GRID, 2.0);
        ui.spacing_mut().button_padding.x = 0.0;
        TableBuilder::new(ui)
            .id_salt("compared")
            .striped(true)
            .max_scroll_height(SHOWN_ROWS * height)
            .min_scrolled_height(SHOWN_ROWS * height)
            .auto_shrink([false, true])
            .cell_layout(Layout::left_to_right(Align::Center))
            .columns(Column::exact(130.0).clip(true), 3)
            .column(Column::remainder().clip(true))
            .header(22.0, |mut row| {
                for text in ["label", &format!("{earlier} said"), &format!("{now} says"), "text"] {
                    row.col(|ui| {
                        ui.add(Label::new(head(ui, text)).truncate());
                    });
                }
            })
            .body(|body| {
                body.rows(height, rows.len(), |mut row| {
                    let Some(compared) = rows.get(row.index()) else { return };
                    let text = dataset.map_or("", |dataset| dataset.text(compared.row));
                    row_ui(&mut row, metrics, comparison, compared, text, &mut view.row);
                });
            });
    });
}

fn row_ui(
    row: &mut TableRow<'_, '_>,
    metrics: &TaskMetrics,
    comparison: &TaskComparison,
    compared: &Compared,
    text: &str,
    chosen: &mut Option<usize>,
) {
    let label = class_name(metrics, compared.label as usize);
    let before = comparison.classes_before.get(compared.before as usize).map_or("?", String::as_str);
    let now = class_name(metrics, compared.now as usize);
    row.col(|ui| {
        ui.add(Label::new(&label).truncate());
    });
    for class in [before, &now] {
        row.col(|ui| said_ui(ui, class, class == label));
    }
    let shown = *chosen == Some(compared.row);
    row.col(|ui| {
        if row_button(ui, shown, text).on_hover_text("Show the whole text below").clicked() {
            *chosen = (!shown).then_some(compared.row);
        }
    });
}

/// A prediction with the mark of whether it is right.
fn said_ui(ui: &mut Ui, class: &str, is_right: bool) {
    let palette = Palette::of(ui);
    let (picture, colour) = if is_right { (Icon::Check, palette.ok) } else { (Icon::Close, palette.error) };
    ui.spacing_mut().item_spacing.x = theme::GRID;
    icon::icon(ui, picture, colour, 12.0);
    ui.add(Label::new(class).truncate());
}
