//! The settings of the next run: every number that can be turned, what it does, and why it is what it is.

use eframe::egui::{self, DragValue, Response, RichText, Ui};

use super::prompt;
use crate::model::summary::Prompt;
use crate::train::plan::preset::Preset;
use crate::train::plan::recipe::{Decay, OptimizerKind, Recipe};
use crate::ui::explain::{self, Explanation};
use crate::ui::theme::{self, Palette};
use crate::ui::widgets;
use crate::ui::widgets::stack::rate;

/// A setting's name and words.
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// What it does, and why the default is what it is.
    pub(super) tooltip: &'static str,
    pub(super) explanation: &'static Explanation,
}

/// Draws the form on a draft; true while a value is being dragged or typed. `prompts` are the model's.
pub(super) fn settings_ui(ui: &mut Ui, draft: &mut Recipe, prompts: &[Prompt]) -> bool {
    let mut editing = false;
    let reset = |ui: &mut Ui, draft: &mut Recipe| {
        let mut defaults =
            Recipe { frozen_head: draft.frozen_head.clone(), seed: draft.seed, ..Recipe::default() };
        defaults.choose(draft.preset);
        let button = ui.add_enabled(*draft != defaults, egui::Button::new("Reset"));
        let button = button.on_hover_text("Back to the preset's own settings; the seed stays");
        if button.on_disabled_hover_text("These are the preset's own settings").clicked() {
            *draft = defaults;
        }
    };
    widgets::card(ui, "", |ui| {
        ui.horizontal(|ui| {
            ui.heading("Settings");
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| reset(ui, draft));
        });
        egui::Grid::new("settings")
            .num_columns(3)
            .min_col_width(20.0)
            .spacing([theme::GAP, theme::GRID])
            .show(ui, |ui| {
                let mut form = Form { ui, editing: &mut editing };
                run_rows(&mut form, draft);
                prompt::prompt_rows(&mut form, draft, prompts);
                rate_rows(&mut form, draft);
                guard_rows(&mut form, draft);
            });
    });
    editing
}

/// A grid of settings.
pub(super) struct Form<'a> {
    pub(super) ui: &'a mut Ui,
    pub(super) editing: &'a mut bool,
}

impl Form<'_> {
    /// A row: name, control, question mark. A setting without effect is grey, and its tooltip says why.
    pub(super) fn row(
        &mut self,
        setting: &Setting,
        idle: Option<&'static str>,
        control: impl FnOnce(&mut Ui) -> Response,
    ) {
        let ui = &mut *self.ui;
        let label =
            ui.add_enabled(idle.is_none(), egui::Label::new(setting.name)).on_hover_text(setting.tooltip);
        explain::explain_ui(ui, setting.explanation);
        let response = ui.add_enabled_ui(idle.is_none(), control).inner.labelled_by(label.id);
        *self.editing |= response.dragged();
        let response = response.on_hover_text(setting.tooltip);
        if let Some(reason) = idle {
            response.on_disabled_hover_text(reason);
        }
        ui.end_row();
    }
}

/// Why a setting does nothing with a preset.
pub(super) fn idle_without_training(recipe: &Recipe) -> Option<&'static str> {
    recipe.trains_nothing().then_some("Nothing trains with this preset")
}

pub(super) fn idle_without_encoder(recipe: &Recipe) -> Option<&'static str> {
    let frozen = recipe.phases.is_empty() && recipe.preset == Preset::FreezeBackbone;
    idle_without_training(recipe).or(frozen.then_some("The encoder does not train with this preset"))
}

fn run_rows(form: &mut Form<'_>, recipe: &mut Recipe) {
    let idle = idle_without_training(recipe);
    let epochs = Setting {
        name: "Epochs",
        tooltip: "Passes over the training rows, all phases together. 4 by default: a sentence encoder mostly has \
                  settled by then. Heads alone take 20, because their epochs cost milliseconds.",
        explanation: &explain::WHY_EPOCHS,
    };
    let own =
        (!recipe.phases.is_empty()).then_some("Each of your phases says how long it lasts: see the plan");
    form.row(&epochs, idle.or(own), |ui| ui.add(whole(&mut recipe.epochs, 1..=1000)));
    let batch = Setting {
        name: "Batch size",
        tooltip: "Rows that one optimiser step averages over. 16 by default: calm gradients and still enough steps \
                  on a few hundred rows.",
        explanation: &explain::WHY_BATCH_SIZE,
    };
    form.row(&batch, idle, |ui| ui.add(whole(&mut recipe.batch_size, 1..=1024)));
    let length = Setting {
        name: "Maximum length",
        tooltip: "Most tokens of a text; the rest is cut, and counted. 128 by default: room for a paragraph at a \
                  fraction of the cost of 512.",
        explanation: &explain::WHY_MAX_LENGTH,
    };
    form.row(&length, None, |ui| ui.add(whole(&mut recipe.max_length, 3..=8192).suffix(" tokens")));
    let seed = Setting {
        name: "Seed",
        tooltip: "Fixes everything random. 1 by default: any number is as good as another, as long as it is kept.",
        explanation: &explain::WHY_SEED,
    };
    form.row(&seed, None, |ui| ui.add(whole(&mut recipe.seed, 0..=u64::from(u32::MAX))));
}

fn rate_rows(form: &mut Form<'_>, recipe: &mut Recipe) {
    let (idle, idle_encoder) = (idle_without_training(recipe), idle_without_encoder(recipe));
    let optimizer = Setting {
        name: "Optimizer",
        tooltip: "The rule that turns gradients into steps. AdamW by default: it is what transformers are trained with.",
        explanation: &explain::WHY_ADAMW,
    };
    form.row(&optimizer, idle, |ui| {
        let names =
            [(OptimizerKind::AdamW, "AdamW"), (OptimizerKind::Adam, "Adam"), (OptimizerKind::Sgd, "SGD")];
        choice(ui, "optimizer", &mut recipe.optimizer, &names)
    });
    let encoder = Setting {
        name: "Encoder rate",
        tooltip: "Peak learning rate of the encoder's top layer. 1e-4 by default, which suits small encoders such as \
                  MiniLM; 2e-5 is usual for BERT base and larger.",
        explanation: &explain::WHY_RATES,
    };
    form.row(&encoder, idle_encoder, |ui| ui.add(learning_rate(&mut recipe.lr_encoder)));
    let heads = Setting {
        name: "Heads' rate",
        tooltip: "Peak learning rate of the heads. 1e-3 by default, ten times the encoder's, because heads start at \
                  random; 1e-2 when they train alone.",
        explanation: &explain::WHY_RATES,
    };
    form.row(&heads, idle, |ui| ui.add(learning_rate(&mut recipe.lr_heads)));
    let layer_decay = Setting {
        name: "Decay per layer",
        tooltip: "Each layer's rate is that of the layer above times this. 1 by default: all layers alike. Gradual \
                  unfreezing takes 0.85, so that the lowest layers move least.",
        explanation: &explain::WHY_LAYER_DECAY,
    };
    form.row(&layer_decay, idle_encoder, |ui| ui.add(part(&mut recipe.layer_decay, 0.1..=1.0)));
    let warmup = Setting {
        name: "Warm-up",
        tooltip: "Part of the run during which the rate rises from zero. 10 % by default: long enough for Adam to \
                  learn the size of the gradients.",
        explanation: &explain::WHY_WARMUP,
    };
    form.row(&warmup, idle, |ui| {
        let percent = |value: Option<f64>| {
            if let Some(value) = value {
                recipe.warmup = value / 100.0;
            }
            recipe.warmup * 100.0
        };
        ui.add(DragValue::from_get_set(percent).range(0.0..=100.0).speed(0.5).max_decimals(1).suffix(" %"))
    });
    let decay = Setting {
        name: "After warm-up",
        tooltip: "How the rate moves from its peak. Straight down to zero by default: simple, and hard to beat.",
        explanation: &explain::WHY_DECAY,
    };
    form.row(&decay, idle, |ui| {
        let names =
            [(Decay::Linear, "linear to 0"), (Decay::Cosine, "cosine to 0"), (Decay::Constant, "constant")];
        choice(ui, "decay", &mut recipe.decay, &names)
    });
}

fn guard_rows(form: &mut Form<'_>, recipe: &mut Recipe) {
    let (idle, idle_encoder) = (idle_without_training(recipe), idle_without_encoder(recipe));
    let weight_decay = Setting {
        name: "Weight decay",
        tooltip: "How strongly weights are shrunk each step; biases and LayerNorm are not. 0.01 by default: a \
                  light touch, the usual one for fine-tuning.",
        explanation: &explain::WHY_WEIGHT_DECAY,
    };
    let no_decay = (recipe.optimizer != OptimizerKind::AdamW)
        .then_some("This optimizer is used without weight decay: choose AdamW");
    form.row(&weight_decay, idle.or(no_decay), |ui| ui.add(part(&mut recipe.weight_decay, 0.0..=1.0)));
    let clip = Setting {
        name: "Clip gradients at",
        tooltip: "Longest gradient of all parameters together; a longer one is scaled down. 1 by default: ordinary \
                  steps stay as they are, odd batches do no harm.",
        explanation: &explain::WHY_CLIPPING,
    };
    form.row(&clip, idle, |ui| {
        optional(ui, &mut recipe.clip_norm, 1.0, "clip gradients", "off", 0.01..=100.0)
    });
    let head_dropout = Setting {
        name: "Dropout before heads",
        tooltip: "Share of the embedding's values that is zeroed while a head trains. 0.1 by default: mild.",
        explanation: &explain::WHY_DROPOUT,
    };
    form.row(&head_dropout, idle, |ui| ui.add(part(&mut recipe.head_dropout, 0.0..=0.95)));
    let encoder_dropout = Setting {
        name: "Dropout in the encoder",
        tooltip: "Dropout inside encoder layers that train. By default the value the model was pretrained with, \
                  which its config.json states.",
        explanation: &explain::WHY_DROPOUT,
    };
    form.row(&encoder_dropout, idle_encoder, |ui| {
        let name = "set the encoder's dropout";
        optional(ui, &mut recipe.encoder_dropout, 0.1, name, "the model's own", 0.0..=0.95)
    });
}

pub(super) fn whole<N: egui::emath::Numeric>(
    value: &mut N,
    range: std::ops::RangeInclusive<N>,
) -> DragValue<'_> {
    DragValue::new(value).range(range).clamp_existing_to_range(false).update_while_editing(false).speed(0.1)
}

pub(super) fn part(value: &mut f64, range: std::ops::RangeInclusive<f64>) -> DragValue<'_> {
    whole(value, range).speed(0.002).custom_formatter(|value, _| trimmed(value))
}

/// Up to four decimals, and no more of them than say something.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn learning_rate(value: &mut f64) -> DragValue<'_> {
    // Dragging moves by a part of the value, since rates are thought of in powers of ten.
    let speed = *value * 0.01;
    whole(value, 1e-9..=1.0)
        .speed(speed)
        .custom_formatter(|lr, _| rate(lr))
        .custom_parser(|text| text.trim().parse().ok())
}

pub(super) fn choice<T: Copy + PartialEq>(
    ui: &mut Ui,
    id: &str,
    value: &mut T,
    names: &[(T, &str)],
) -> Response {
    let shown = names.iter().find(|(choice, _)| choice == value).map_or("", |(_, name)| name);
    let combo = egui::ComboBox::from_id_salt(id).selected_text(shown).show_ui(ui, |ui| {
        for (choice, name) in names {
            ui.selectable_value(value, *choice, *name);
        }
    });
    combo.response
}

/// A number that can be switched off; `off` says what holds then.
pub(super) fn optional(
    ui: &mut Ui,
    value: &mut Option<f64>,
    default: f64,
    name: &'static str,
    off: &str,
    range: std::ops::RangeInclusive<f64>,
) -> Response {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GRID;
        let mut on = value.is_some();
        let check = ui.checkbox(&mut on, "");
        check.widget_info(|| egui::WidgetInfo::selected(egui::Role::CheckBox, ui.is_enabled(), on, name));
        if check.changed() {
            *value = on.then_some(default);
        }
        match value {
            Some(value) => ui.add(part(value, range)),
            None => ui.label(RichText::new(off).color(Palette::of(ui).muted)),
        }
    })
    .inner
}
