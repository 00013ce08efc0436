//! The Model page: what the encoder is made of, and how it reads a text.

mod hub;

use std::sync::Arc;

use eframe::egui;
use egui::{Label, RichText, ScrollArea, Ui};
use egui_extras::{Column, TableBuilder};

use crate::model::dense::DenseSpec;
use crate::model::encoder;
use crate::model::memory::{self, Memory};
use crate::model::summary::{FileSize, Group, ModelSummary, Pooling, TensorInfo};
use crate::session::command::Command;
use crate::session::state::{Loadable, Severity, State, Tokenized};
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::explain::SHARED_LAYERS;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::{self, icon::Icon, numbers};

/// What the page remembers between frames.
pub struct ModelView {
    filter: String,
    text: String,
    hub: hub::HubCard,
}

impl Default for ModelView {
    fn default() -> Self {
        let text = "Unfreezing embeddings isn't magic.".into();
        Self { filter: String::new(), text, hub: hub::HubCard::default() }
    }
}

/// Values of the embedding that are shown.
const VALUES_SHOWN: usize = 8;
const TENSORS_HEIGHT: f32 = 320.0;

/// Draws the page.
pub fn model_ui(ui: &mut Ui, state: &State, page: &mut ModelView, actions: &mut Actions) {
    ScrollArea::vertical().id_salt("model page").auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Model.title(), Page::Model.purpose());
        match &state.model {
            Loadable::Empty | Loadable::Cancelled => empty_ui(ui, state, actions),
            Loadable::Loading => {
                widgets::card(ui, "", |ui| widgets::loading(ui, "Loading the model"));
            }
            Loadable::Failed(reason) => failed_ui(ui, state, reason, actions),
            Loadable::Ready(model) => return ready_ui(ui, state, model, page, actions),
        }
        ui.add_space(theme::GAP);
        hub::hub_ui(ui, state, &mut page.hub, actions);
    });
}

fn empty_ui(ui: &mut Ui, state: &State, actions: &mut Actions) {
    widgets::empty_state(
        ui,
        Icon::Layers,
        "Choose a pretrained encoder",
        "A folder in the Hugging Face layout: config.json, model.safetensors, tokenizer.json. BERT, RoBERTa, MPNet, \
         DeBERTa, ModernBERT and their relatives are understood. The default model is small, quick and good at \
         sentences.",
        |ui| {
            widgets::primary_button(ui, state, actions, Action::UseDefaultModel);
            widgets::action_button(ui, state, actions, Action::OpenModel);
            widgets::caption(ui, "Or drop a model folder here, or name one of the hub's below.");
        },
    );
}

fn failed_ui(ui: &mut Ui, state: &State, reason: &str, actions: &mut Actions) {
    widgets::card(ui, "The model could not be loaded", |ui| {
        widgets::message(ui, Severity::Error, reason);
        if let Some(path) = &state.project.model {
            widgets::caption(ui, &path.display().to_string());
        }
        widgets::caption(
            ui,
            "A model folder holds config.json, model.safetensors and tokenizer.json, as a snapshot from the Hugging \
             Face hub does. A file that was cut short has to be fetched again.",
        );
        ui.add_space(theme::GAP);
        ui.horizontal(|ui| {
            widgets::primary_button(ui, state, actions, Action::OpenModel);
            widgets::action_button(ui, state, actions, Action::UseDefaultModel);
        });
    });
}

fn ready_ui(
    ui: &mut Ui,
    state: &State,
    model: &Arc<ModelSummary>,
    page: &mut ModelView,
    actions: &mut Actions,
) {
    widgets::two_columns(ui, |left, right| {
        summary_ui(left, state, model, actions);
        parts_ui(right, model);
        right.add_space(theme::GAP);
        try_ui(right, state, &mut page.text, actions);
    });
    ui.add_space(theme::GAP);
    hub::hub_ui(ui, state, &mut page.hub, actions);
    ui.add_space(theme::GAP);
    tensors_ui(ui, model, &mut page.filter);
}

fn summary_ui(ui: &mut Ui, state: &State, model: &ModelSummary, actions: &mut Actions) {
    widgets::card(ui, "", |ui| {
        widgets::title_line(ui, &model.name, |ui| {
            widgets::action_button(ui, state, actions, Action::OpenModel);
        });
        widgets::facts(ui, "summary", |ui| {
            let count = |number: usize| numbers::thousands(number as u64);
            widgets::fact(ui, "Architecture", family(&model.model_type));
            let layers = widgets::fact(ui, "Layers", layers(model));
            if model.applications > model.layers {
                layers.on_hover_text(SHARED_LAYERS);
            }
            widgets::fact(ui, "Size of a state", count(model.hidden))
                .on_hover_text("Values per token inside the encoder");
            widgets::fact(ui, "Size of an embedding", count(model.embedding()))
                .on_hover_text(embedding(model));
            widgets::fact(ui, "Attention heads", format!("{} per layer", model.attention_heads));
            widgets::fact(ui, "Vocabulary", format!("{} tokens", count(model.vocab_size)));
            widgets::fact(
                ui,
                "Longest text",
                format!("{} tokens, up to {}", count(model.max_seq_length), count(model.max_positions)),
            )
            .on_hover_text("What the folder asks for, and what its positions allow; longer texts are cut");
            widgets::fact(ui, "Pooling", pooling(model.pooling)).on_hover_text(&model.pooling_source);
            let length = if model.normalize { "scaled to length 1" } else { "not scaled" };
            widgets::fact(ui, "Embeddings", length);
            widgets::fact(ui, "Parameters", numbers::thousands(model.parameters()));
            widgets::fact(ui, "On disk", numbers::bytes(model.file_bytes)).on_hover_text(files(model));
            widgets::fact(ui, "In memory", in_memory(model.memory(), state)).on_hover_text(format!(
                "The weights alone; an estimate for training all of them on {} texts of {} tokens at a time; and what \
                 this machine has. \
                 Freezing layers, shorter texts and smaller batches need less.",
                memory::ROWS,
                memory::TOKENS
            ));
            if let Some(licence) = &model.origin.licence {
                widgets::fact(ui, "Licence", licence.as_str());
            }
            if !model.origin.prompts.is_empty() {
                let prompts = &model.origin.prompts;
                let names: Vec<&str> = prompts.iter().map(|prompt| prompt.name.as_str()).collect();
                let texts: Vec<String> =
                    prompts.iter().map(|prompt| format!("{}: {:?}", prompt.name, prompt.text)).collect();
                widgets::fact(ui, "Prompts", names.join(", ")).on_hover_text(format!(
                    "Texts that the model expects before others. Write one before your own where it is meant.\n{}",
                    texts.join("\n")
                ));
            }
            let short = model.sha256.get(..12).unwrap_or(&model.sha256);
            widgets::fact(ui, "SHA-256", RichText::new(short).monospace()).on_hover_text(&model.sha256);
        });
        for note in &model.origin.notes {
            widgets::caption(ui, note);
        }
        ui.add_space(theme::GRID);
        ui.add(Label::new(RichText::new(model.path.display().to_string()).small().weak()).truncate());
        ui.horizontal_wrapped(|ui| {
            widgets::action_button(ui, state, actions, Action::ShowFolder(model.path.clone()));
            widgets::action_button(ui, state, actions, Action::UseDefaultModel);
        });
        widgets::explain(
            ui,
            "Why mean pooling?",
            "The encoder gives one vector per token; a sentence needs one in all. The mean over the real tokens \
                 lets every word count, works for short and long texts alike, and is what this kind of model was \
                 pretrained with: another pooling would throw that training away. The first token alone (CLS) is \
                 right for models that were trained so. The folder says which, and its answer is followed.",
        );
    });
}

/// Where the values of the sentence embedding come from.
fn embedding(model: &ModelSummary) -> String {
    if model.dense.is_empty() {
        return "What is pooled is the sentence embedding, so it has as many values as a state".to_owned();
    }
    let told: Vec<String> = model.dense.iter().map(DenseSpec::told).collect();
    format!(
        "What is pooled passes through {}: {}",
        numbers::counted(told.len(), "Dense module", "Dense modules"),
        told.join("; ")
    )
}

/// The folder's files, a line each.
fn files(model: &ModelSummary) -> String {
    let line = |file: &FileSize| format!("{}  {}", file.name, numbers::bytes(file.bytes));
    model.origin.files.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn layers(model: &ModelSummary) -> String {
    let own = numbers::thousands(model.layers as u64);
    if model.applications > model.layers {
        format!("{own}, passed {} times in all", numbers::thousands(model.applications as u64))
    } else {
        own
    }
}

fn in_memory(memory: Memory, state: &State) -> String {
    let device = state.devices.iter().find(|device| device.key == state.device);
    let room = device.and_then(|device| device.memory);
    let of = room.map_or_else(String::new, |room| format!(", of {}", numbers::bytes(room)));
    let (weights, training) = (numbers::bytes(memory.weights), numbers::bytes(memory.training));
    format!("{weights}, about {training} to train{of}")
}

fn family(model_type: &str) -> &str {
    encoder::family(model_type).map_or(model_type, |family| family.title)
}

const fn pooling(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Mean => "mean over tokens",
        Pooling::Cls => "first token (CLS)",
        Pooling::Max => "maximum over tokens",
        Pooling::MeanSqrtLen => "sum over tokens / root of their number",
        Pooling::WeightedMean => "mean over tokens, later ones weigh more",
        Pooling::LastToken => "last token",
    }
}

/// Parameters by part, as bars.
fn parts_ui(ui: &mut Ui, model: &ModelSummary) {
    let palette = Palette::of(ui);
    widgets::card(ui, "Parameters by part", |ui| {
        let layers: u64 = (0..model.layers).map(|layer| model.parameters_of(Group::Layer(layer))).sum();
        let mut parts = vec![
            ("Token, position and type embeddings".to_owned(), model.parameters_of(Group::Embeddings)),
            (numbers::counted(model.layers, "encoder layer", "encoder layers"), layers),
        ];
        if !model.dense.is_empty() {
            parts.push(("Dense modules behind the pooling".to_owned(), model.parameters_of(Group::Dense)));
        }
        let unused = model.parameters_of(Group::Unused);
        if unused > 0 {
            parts.push(("Kept for export, not used (pooler)".to_owned(), unused));
        }
        let all = parts.iter().map(|(_, count)| count).sum::<u64>().max(1) as f32;
        egui::Grid::new("parts").num_columns(3).spacing(egui::vec2(theme::SECTION_GAP, theme::GRID)).show(
            ui,
            |ui| {
                for (name, count) in &parts {
                    ui.label(name);
                    widgets::bar(ui, 96.0, 8.0, &[(*count as f32 / all, palette.accent)]);
                    widgets::number(ui, numbers::short_count(*count))
                        .on_hover_text(numbers::thousands(*count));
                    ui.end_row();
                }
            },
        );
    });
}

/// A box to type a text into, and what the encoder makes of it.
fn try_ui(ui: &mut Ui, state: &State, text: &mut String, actions: &mut Actions) {
    widgets::card(ui, "Try it", |ui| {
        widgets::caption(ui, "How a text is cut into tokens, and the embedding it gets.");
        ui.horizontal(|ui| {
            let width = (ui.available_width() - 96.0).max(80.0);
            let field = widgets::field(ui, text, "A text to tokenize", width);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let there = !text.trim().is_empty();
            let button = ui.add_enabled(there, egui::Button::new("Tokenize"));
            let button = button.on_disabled_hover_text("Type a text first");
            if (button.clicked() || entered) && there {
                actions.send(Command::Tokenize(text.clone()));
            }
        });
        match &state.tokenized {
            Loadable::Empty => {}
            Loadable::Cancelled => widgets::cancelled(ui),
            Loadable::Loading => widgets::loading(ui, "Encoding"),
            Loadable::Failed(reason) => {
                widgets::message(ui, Severity::Error, reason);
            }
            Loadable::Ready(tokenized) => tokenized_ui(ui, tokenized),
        }
    });
}

fn tokenized_ui(ui: &mut Ui, tokenized: &Tokenized) {
    let palette = Palette::of(ui);
    ScrollArea::vertical().max_height(160.0).auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing = egui::vec2(theme::GRID, theme::GRID);
        ui.spacing_mut().interact_size.y = 5.0 * theme::GRID;
        ui.horizontal_wrapped(|ui| {
            for (token, id) in &tokenized.tokens {
                let special = token.starts_with('[') && token.ends_with(']');
                let fill = if special { palette.raised } else { palette.frozen_fill };
                widgets::chip(ui, RichText::new(token).monospace(), fill).on_hover_text(format!("id {id}"));
            }
        });
    });
    let ids: Vec<String> = tokenized.tokens.iter().map(|(_, id)| id.to_string()).collect();
    widgets::caption(ui, &format!("{}: {}", numbers::counted(ids.len(), "token", "tokens"), ids.join(" ")));
    if tokenized.truncated {
        widgets::message(
            ui,
            Severity::Warning,
            "The text is longer than the maximum length: its end was cut.",
        );
    }
    let shown: Vec<String> =
        tokenized.embedding.iter().take(VALUES_SHOWN).map(|value| format!("{value:+.4}")).collect();
    let length = tokenized.embedding.iter().map(|value| value * value).sum::<f32>().sqrt();
    ui.add(Label::new(RichText::new(shown.join(" ")).monospace()).wrap());
    ui.horizontal(|ui| {
        let dim = tokenized.embedding.len();
        widgets::caption(ui, &format!("first {} of {dim} values, length {length:.4}", shown.len()));
        if ui.small_button("Copy all").on_hover_text("Copies every value of the embedding").clicked() {
            let all: Vec<String> = tokenized.embedding.iter().map(f32::to_string).collect();
            ui.ctx().copy_text(all.join(" "));
        }
    });
}

fn group_name(group: Group) -> String {
    match group {
        Group::Embeddings => "embeddings".into(),
        Group::Layer(index) => format!("layer {index}"),
        Group::Dense => "dense modules".into(),
        Group::Head(index) => format!("head {index}"),
        Group::LossWeight(index) => format!("weight of loss {index}"),
        Group::Unused => "unused".into(),
    }
}

fn matches(tensor: &TensorInfo, filter: &str) -> bool {
    let filter = filter.trim().to_lowercase();
    tensor.name.to_lowercase().contains(&filter) || group_name(tensor.group).contains(&filter)
}

fn tensors_ui(ui: &mut Ui, model: &ModelSummary, filter: &mut String) {
    let shown: Vec<&TensorInfo> = model.tensors.iter().filter(|tensor| matches(tensor, filter)).collect();
    let palette = Palette::of(ui);
    widgets::card(ui, "", |ui| {
        widgets::title_line(ui, "Tensors", |ui| {
            widgets::field(ui, filter, "Filter by name or part", 200.0);
            let count = format!("{} of {}", shown.len(), model.tensors.len());
            ui.label(RichText::new(count).color(palette.muted));
        });
        ScrollArea::horizontal().id_salt("tensors across").auto_shrink([false, true]).show(ui, |ui| {
            let available = ui.available_width();
            TableBuilder::new(ui)
                .striped(true)
                .auto_shrink([false, true])
                .min_scrolled_height(TENSORS_HEIGHT)
                .max_scroll_height(TENSORS_HEIGHT)
                .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
                .column(Column::exact((available - 416.0).max(160.0)).clip(true))
                .columns(Column::exact(120.0), 3)
                .header(theme::ROW_HEIGHT, |mut header| {
                    for name in ["Name", "Part"] {
                        header.col(|ui| {
                            ui.label(RichText::new(name).color(palette.muted));
                        });
                    }
                    for name in ["Shape", "Parameters"] {
                        header.col(|ui| {
                            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                                ui.label(RichText::new(name).color(palette.muted));
                            });
                        });
                    }
                })
                .body(|body| {
                    body.rows(theme::ROW_HEIGHT, shown.len(), |mut row| {
                        let Some(tensor) = shown.get(row.index()) else { return };
                        row.col(|ui| {
                            ui.add(Label::new(RichText::new(&tensor.name).monospace()).truncate());
                        });
                        row.col(|ui| {
                            ui.label(group_name(tensor.group));
                        });
                        let shape: Vec<String> = tensor.shape.iter().map(i64::to_string).collect();
                        row.col(|ui| {
                            widgets::number(ui, shape.join(" \u{d7} "));
                        });
                        row.col(|ui| {
                            widgets::number(ui, numbers::thousands(tensor.elements()));
                        });
                    });
                });
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_takes_names_and_parts() {
        let tensor = TensorInfo {
            name: "encoder.layer.3.attention.self.query.weight".into(),
            shape: vec![384, 384],
            group: Group::Layer(3),
        };
        for filter in ["", "QUERY", "layer 3", " attention "] {
            assert!(matches(&tensor, filter), "{filter}");
        }
        assert!(!matches(&tensor, "layer 4"));
    }
}
