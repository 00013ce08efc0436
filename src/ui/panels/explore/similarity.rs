//! Sentences that the user types, and their similarities before and after fine-tuning.

use eframe::egui::epaint::Mesh;
use eframe::egui::{
    Align2, Color32, FontId, Grid, Label, Rect, RichText, Role, Sense, TextEdit, Ui, WidgetInfo, pos2, vec2,
};

use super::ask::{ask_button, blocked};
use crate::session::command::Command;
use crate::session::state::{Loadable, Severity, Similarity, State};
use crate::ui::actions::Actions;
use crate::ui::explain;
use crate::ui::panels::layout::{columns, digits, grid_number, head};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::matrix::{Matrix, shorten};

/// More sentences than this would be a wall of numbers.
const MOST: usize = 24;

const SAMPLES: &str = "My parcel still has not arrived.\n\
                       The delivery is three days late.\n\
                       The parcel came early, lovely!\n\
                       I was charged twice this month.\n\
                       How do I change my password?\n\
                       Thank you, your support was great.";

/// What the card remembers.
#[derive(Debug)]
pub(super) struct SimilarityView {
    sentences: String,
}

impl Default for SimilarityView {
    fn default() -> Self {
        Self { sentences: SAMPLES.to_owned() }
    }
}

/// Draws the card.
pub(super) fn similarity_ui(ui: &mut Ui, state: &State, view: &mut SimilarityView, actions: &mut Actions) {
    let help = |ui: &mut Ui| explain::explain_ui(ui, &explain::COSINE);
    widgets::card_with(ui, "How alike are sentences?", help, |ui| {
        let width = ui.available_width();
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(width * 0.32);
                input_ui(ui, state, view, actions);
            });
            ui.add_space(theme::SECTION_GAP);
            ui.vertical(|ui| {
                ui.set_width(ui.available_width());
                result_ui(ui, state);
            });
        });
    });
}

fn input_ui(ui: &mut Ui, state: &State, view: &mut SimilarityView, actions: &mut Actions) {
    let label = ui.label("Sentences, one per line");
    let edit = TextEdit::multiline(&mut view.sentences).desired_rows(8).desired_width(f32::INFINITY);
    ui.add(edit).labelled_by(label.id);
    let sentences: Vec<String> =
        view.sentences.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let count = match sentences.len() {
        0 | 1 => Some("Type at least two sentences"),
        n if n > MOST => Some("At most 24 sentences can be compared at once"),
        _ => None,
    };
    let loading = matches!(state.similarity, Loadable::Loading).then_some("They are being compared");
    let why_not = blocked(state).or(loading).or(count);
    let tooltip = "Encode the sentences with the pretrained and the tuned weights and compare each with each";
    if ask_button(ui, "Compare", tooltip, why_not).clicked() {
        actions.send(Command::Similarity(sentences));
    }
}

fn result_ui(ui: &mut Ui, state: &State) {
    match &state.similarity {
        Loadable::Empty => {
            widgets::caption(
                ui,
                "The cosine similarity of every pair will be shown here: as the pretrained encoder sees it and, once \
                 there is a run, as the tuned one does.",
            );
        }
        Loadable::Cancelled => widgets::cancelled(ui),
        Loadable::Loading => widgets::loading(ui, "Encoding the sentences"),
        Loadable::Failed(reason) => {
            widgets::message(ui, Severity::Error, reason);
        }
        Loadable::Ready(similarity) => {
            if let Some(after) = &similarity.after {
                columns(ui, theme::SECTION_GAP, |[left, right]| {
                    matrix_ui(left, "Before fine-tuning", similarity, &similarity.before);
                    matrix_ui(right, "After fine-tuning", similarity, after);
                });
            } else {
                matrix_ui(ui, "With the pretrained encoder", similarity, &similarity.before);
                widgets::caption(ui, "After a run, the tuned encoder's matrix stands beside this one.");
            }
            scale_ui(ui);
            changes_ui(ui, similarity);
        }
    }
}

/// Blue for alike, red for opposed, nothing for unrelated.
fn cosine_fill(palette: &Palette, cosine: f32) -> Color32 {
    let hue = if cosine < 0.0 { palette.error } else { palette.accent };
    palette.tint(hue, cosine.abs())
}

fn matrix_ui(ui: &mut Ui, title: &str, similarity: &Similarity, values: &[Vec<f32>]) {
    let palette = Palette::of(ui);
    ui.strong(title);
    let value = |i: usize, j: usize| values.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0);
    let text = |i: usize| similarity.texts.get(i).map_or("", String::as_str);
    let names: Vec<String> = (1..=values.len()).map(|number| number.to_string()).collect();
    let matrix = Matrix {
        name: &format!("similarities {}", title.to_lowercase()),
        names: &names,
        fill: &|i, j| Some(cosine_fill(palette, value(i, j))),
        text: &|i, j| hundredths(value(i, j)),
        sentence: &|i, j| format!("{:.3} {title}: \"{}\" and \"{}\"", value(i, j), text(i), text(j)),
        selected: None,
    };
    matrix.show(ui, vec2(ui.available_width(), 300.0));
}

/// Two decimals, and no minus sign before a zero.
fn hundredths(cosine: f32) -> String {
    let text = format!("{cosine:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text }
}

/// The colours of the scale from -1 to 1.
fn scale_ui(ui: &mut Ui) {
    const STEPS: usize = 40;
    let palette = Palette::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(260.0, 28.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, "scale of cosine similarity, -1 to 1"));
    let bar = Rect::from_min_size(rect.min, vec2(rect.width(), 10.0));
    let mut mesh = Mesh::default();
    let width = bar.width() / STEPS as f32;
    for step in 0..STEPS {
        let cosine = (step as f32 + 0.5) / STEPS as f32 * 2.0 - 1.0;
        let min = pos2(bar.left() + width * step as f32, bar.top());
        mesh.add_colored_rect(Rect::from_min_size(min, vec2(width, 10.0)), cosine_fill(palette, cosine));
    }
    ui.painter().add(mesh);
    let font = FontId::proportional(12.0);
    let places = [
        (bar.left(), Align2::LEFT_TOP, "-1 opposed"),
        (bar.center().x, Align2::CENTER_TOP, "0 unrelated"),
        (bar.right(), Align2::RIGHT_TOP, "1 alike"),
    ];
    for (x, anchor, text) in places {
        ui.painter().text(pos2(x, bar.bottom() + 2.0), anchor, text, font.clone(), palette.muted);
    }
}

/// A pair of sentences and its cosine before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    pair: (usize, usize),
    before: f32,
    after: f32,
}

impl Change {
    fn by(self) -> f32 {
        self.after - self.before
    }
}

/// The pairs whose similarity changed most, largest change first.
fn largest_changes(similarity: &Similarity, most: usize) -> Vec<Change> {
    let Some(after) = &similarity.after else { return Vec::new() };
    let mut changes = Vec::new();
    for (i, (before, after)) in similarity.before.iter().zip(after).enumerate() {
        for (j, (before, after)) in before.iter().zip(after).enumerate().skip(i + 1) {
            changes.push(Change { pair: (i, j), before: *before, after: *after });
        }
    }
    changes.sort_by(|a, b| b.by().abs().total_cmp(&a.by().abs()));
    changes.truncate(most);
    changes
}

fn changes_ui(ui: &mut Ui, similarity: &Similarity) {
    let changes = largest_changes(similarity, 5);
    if changes.is_empty() {
        return;
    }
    if changes.iter().all(|change| change.by() == 0.0) {
        widgets::caption(ui, "No pair changed: no training step of this run is in the encoder that it kept.");
        return;
    }
    ui.strong("Largest changes");
    let width = (ui.available_width() - 230.0).max(100.0);
    Grid::new("changes").num_columns(4).spacing([12.0, 2.0]).show(ui, |ui| {
        for text in ["before", "after", "change"] {
            grid_number(ui, 54.0, head(ui, text));
        }
        ui.label(head(ui, "sentences"));
        ui.end_row();
        let palette = Palette::of(ui);
        for change in changes {
            grid_number(ui, 54.0, digits(hundredths(change.before)));
            grid_number(ui, 54.0, digits(hundredths(change.after)));
            let colour = if change.by() < 0.0 { palette.error } else { palette.accent };
            grid_number(ui, 54.0, digits(format!("{:+.2}", change.by())).color(colour));
            let (i, j) = change.pair;
            let text = |index: usize| similarity.texts.get(index).map_or("", String::as_str);
            let short = format!("{}  {}   {}  {}", i + 1, shorten(text(i), 30), j + 1, shorten(text(j), 30));
            ui.scope(|ui| {
                ui.set_max_width(width);
                let label = ui.add(Label::new(RichText::new(short).small()).truncate());
                label.on_hover_text(format!("{}\n{}", text(i), text(j)));
            });
            ui.end_row();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_change_comes_first_and_no_pair_twice() {
        let similarity = Similarity {
            texts: vec!["a".into(), "b".into(), "c".into()],
            before: vec![vec![1.0, 0.5, 0.1], vec![0.5, 1.0, 0.2], vec![0.1, 0.2, 1.0]],
            after: Some(vec![vec![1.0, 0.6, -0.6], vec![0.6, 1.0, 0.5], vec![-0.6, 0.5, 1.0]]),
        };
        let pairs: Vec<_> = largest_changes(&similarity, 9).into_iter().map(|change| change.pair).collect();
        assert_eq!(pairs, [(0, 2), (1, 2), (0, 1)]);
        assert!(largest_changes(&Similarity { after: None, ..similarity }, 9).is_empty());
    }

    #[test]
    fn samples_are_sentences_on_lines_of_their_own() {
        assert_eq!(SAMPLES.lines().count(), 6);
        assert!(SAMPLES.lines().all(|line| line.trim() == line && line.ends_with(['.', '!', '?'])));
    }
}
