//! The playground: type a text, see what every task says of it.

use eframe::egui::{Align, Key, Label, Layout, RichText, Role, TextEdit, Ui, WidgetInfo, vec2};

use super::ask::{ask_button, blocked};
use crate::session::command::Command;
use crate::session::state::{Loadable, Prediction, Severity, State};
use crate::train::report::UNTRAINED;
use crate::ui::actions::Actions;
use crate::ui::panels::layout::{digits, grid_number};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::matrix::shorten;
use crate::ui::widgets::numbers::percent;

/// Classes shown per task; the rest share what little is left.
const SHOWN: usize = 6;

/// Width of a task's answer.
const TASK_WIDTH: f32 = 320.0;

/// What the card remembers.
#[derive(Debug)]
pub(super) struct PlaygroundView {
    text: String,
}

impl Default for PlaygroundView {
    fn default() -> Self {
        Self { text: "The parcel came early, lovely!".to_owned() }
    }
}

/// Draws the card.
pub(super) fn playground_ui(ui: &mut Ui, state: &State, view: &mut PlaygroundView, actions: &mut Actions) {
    widgets::card(ui, "Playground", |ui| {
        let no_run = state
            .run
            .is_none()
            .then_some("Train first: without trained heads there is nothing to classify with");
        let empty = view.text.trim().is_empty().then_some("Type a text");
        let loading = matches!(state.prediction, Loadable::Loading).then_some("It is being classified");
        let why_not = blocked(state).or(no_run).or(loading).or(empty);
        let row = vec2(ui.available_width(), ui.spacing().interact_size.y);
        ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
            let button = ask_button(ui, "Classify", "Ask every task's head", why_not);
            let edit = TextEdit::singleline(&mut view.text).desired_width(f32::INFINITY);
            let edit = ui.add(edit.hint_text("a text to classify"));
            edit.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "text to classify"));
            let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            if button.clicked() || (entered && why_not.is_none()) {
                actions.send(Command::Predict(view.text.trim().to_owned()));
            }
        });
        match (&state.prediction, no_run) {
            (Loadable::Empty, Some(reason)) => {
                widgets::caption(ui, reason);
            }
            (Loadable::Empty, None) => {
                widgets::caption(ui, "Predictions for every task appear here.");
            }
            (Loadable::Cancelled, _) => widgets::cancelled(ui),
            (Loadable::Loading, _) => widgets::loading(ui, "Classifying"),
            (Loadable::Failed(reason), _) => {
                widgets::message(ui, Severity::Error, reason);
            }
            (Loadable::Ready(prediction), _) => {
                let muted = Palette::of(ui).muted;
                ui.add(Label::new(RichText::new(format!("\"{}\"", prediction.text)).color(muted)).wrap());
                let gap = 2.0 * theme::SECTION_GAP;
                let in_a_row = ((ui.available_width() + gap) / (TASK_WIDTH + gap)).max(1.0) as usize;
                let untrained = state
                    .run
                    .as_ref()
                    .and_then(|run| run.report.as_ref().map(|report| report.untrained_tasks(&run.plan)));
                let untrained = untrained.unwrap_or_default();
                let tasks: Vec<_> = prediction.tasks.iter().enumerate().collect();
                for row in tasks.chunks(in_a_row) {
                    ui.horizontal_top(|ui| {
                        ui.spacing_mut().item_spacing.x = gap;
                        for (task, (name, answer)) in row {
                            let heading = if untrained.contains(name) {
                                format!("{name} ({UNTRAINED}: a guess)")
                            } else {
                                name.clone()
                            };
                            ui.vertical(|ui| task_ui(ui, *task, &heading, answer));
                        }
                    });
                }
            }
        }
    });
}

fn task_ui(ui: &mut Ui, task: usize, name: &str, answer: &Prediction) {
    let palette = Palette::of(ui);
    ui.spacing_mut().item_spacing = vec2(theme::GAP, theme::GRID);
    ui.set_width(TASK_WIDTH);
    widgets::swatch_label(ui, palette.task(task), name);
    match answer {
        Prediction::OneOf(classes) => classes_ui(ui, task, classes, true),
        Prediction::AnyOf(classes) => classes_ui(ui, task, classes, false),
        Prediction::Number(number) => drop(ui.label(digits(format!("{number:.3}")))),
        Prediction::Cosine { cosine, .. } => drop(ui.label(digits(format!("{cosine:.3}")))),
        Prediction::Words(words) => words_ui(ui, words),
        Prediction::OneText => {
            let text = "This task compares two texts: type them under Similarity.";
            ui.label(RichText::new(text).small().color(palette.muted));
        }
    }
}

/// Every word with its tag below it; those outside of any entity are muted.
fn words_ui(ui: &mut Ui, words: &[(String, String)]) {
    let palette = Palette::of(ui);
    ui.horizontal_wrapped(|ui| {
        for (word, tag) in words {
            let is_part = tag != "O" && !tag.is_empty();
            let text = if is_part { format!("{word} [{tag}]") } else { word.clone() };
            ui.label(RichText::new(text).color(if is_part { palette.text } else { palette.muted }));
        }
    });
}

fn classes_ui(ui: &mut Ui, task: usize, classes: &[(String, f32)], sums_to_one: bool) {
    let palette = Palette::of(ui);
    for (class, probability) in classes.iter().take(SHOWN) {
        ui.horizontal(|ui| {
            ui.spacing_mut().interact_size.y = 18.0;
            let (width, text) = (110.0, RichText::new(shorten(class, 16)));
            ui.allocate_ui(vec2(width, 18.0), |ui| {
                ui.set_width(width);
                ui.add(Label::new(text).truncate()).on_hover_text(class);
            });
            widgets::bar(ui, 130.0, 10.0, &[(*probability, palette.task(task))]);
            grid_number(ui, 56.0, digits(percent(f64::from(*probability))));
        });
    }
    if let Some(more) = classes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let rest: f32 = classes.iter().skip(SHOWN).map(|(_, probability)| probability).sum();
        let text = if sums_to_one {
            format!("{more} more classes share {}", percent(f64::from(rest)))
        } else {
            format!("{more} more classes are less probable")
        };
        ui.label(RichText::new(text).small().color(palette.muted));
    }
}
