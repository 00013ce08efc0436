//! The phases in exact numbers: a row each, and the buttons that add, split, move and remove them.
//!
//! It changes the draft's phases, which it writes out of the preset first. It never carries anything out.

use eframe::egui::{
    self, Button, ComboBox, Response, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo, vec2,
};

use super::settings::{choice, learning_rate, whole};
use crate::train::plan::phase_edits::PhaseEdit;
use crate::train::plan::phase_spec::{HeadSet, PhaseSpec};
use crate::train::plan::recipe::Recipe;
use crate::train::plan::{ParamFilter, Until};
use crate::ui::panels::layout::head;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::stack::{MOST_EPOCHS, StackEdit};

const NAME_WIDTH: f32 = 160.0;

/// What phases are phases of.
pub(super) struct Encoder<'a> {
    pub(super) layers: usize,
    pub(super) tasks: Vec<&'a str>,
}

impl Encoder<'_> {
    /// Does to the draft what was asked of the picture.
    pub(super) fn carry_out(&self, draft: &mut Recipe, asked: StackEdit) {
        let (StackEdit::FrostLine { phase: at, .. }
        | StackEdit::Epochs { phase: at, .. }
        | StackEdit::Toggle { phase: at, .. }) = asked;
        let changed = |phase: &mut PhaseSpec| match asked {
            StackEdit::FrostLine { units, .. } => phase.freeze_up_to(units, self.layers),
            StackEdit::Epochs { epochs, .. } => phase.epochs = epochs,
            StackEdit::Toggle { group, .. } => phase.toggle(group, self.layers, &self.tasks),
        };
        let Ok(mut phases) = draft.written_phases(self.layers, &self.tasks) else { return };
        let before = phases.clone();
        phases.get_mut(at).map(changed);
        // A preset that is dragged back to where it was stays the preset.
        if phases != before {
            draft.phases = phases;
        }
    }

    /// Where the frost line can be, from the warmest to the coldest.
    fn frost_line(&self, units: usize) -> String {
        match units {
            0 => "nothing".to_owned(),
            1 => "the embeddings".to_owned(),
            _ if units > self.layers => "the whole encoder".to_owned(),
            2 => "embeddings, layer 0".to_owned(),
            // Layers are counted from 0, as in files.
            _ => format!("embeddings, layers 0-{}", units - 2),
        }
    }
}

/// Draws buttons and table; true while a value is being dragged or typed.
pub(super) fn phases_ui(
    ui: &mut Ui,
    draft: &mut Recipe,
    encoder: &Encoder<'_>,
    selected: &mut usize,
) -> bool {
    let Ok(mut phases) = draft.written_phases(encoder.layers, &encoder.tasks) else { return false };
    let before = phases.clone();
    let mut editing = false;
    buttons_ui(ui, &mut phases, selected);
    ScrollArea::horizontal().id_salt("phases").show(ui, |ui| {
        egui::Grid::new("phases").num_columns(9).striped(true).spacing([theme::GAP, theme::GRID]).show(
            ui,
            |ui| {
                let heads = [
                    "",
                    "name",
                    "epochs",
                    "frozen below",
                    "heads",
                    "of the encoder",
                    "encoder rate",
                    "heads' rate",
                    "ends",
                ];
                for text in heads {
                    ui.label(head(ui, text));
                }
                ui.end_row();
                for (index, phase) in phases.iter_mut().enumerate() {
                    let mut row = Row { ui, recipe: draft, encoder, index, editing: &mut editing };
                    row.draw(phase, selected);
                    row.ui.end_row();
                }
            },
        );
    });
    if phases != before {
        draft.phases = phases;
    }
    editing
}

fn buttons_ui(ui: &mut Ui, phases: &mut Vec<PhaseSpec>, selected: &mut usize) {
    let at = (*selected).min(phases.len().saturating_sub(1));
    let epochs = phases.get(at).map_or(1, |phase| phase.epochs);
    let buttons = [
        ("Add a phase", PhaseEdit::Add(at), None, "Puts a phase of one epoch behind the chosen one"),
        (
            "Split",
            PhaseEdit::Split(at),
            (epochs < 2).then_some("The phase lasts one epoch: give it more to split it"),
            "Makes two phases of the chosen one",
        ),
        (
            "Earlier",
            PhaseEdit::Earlier(at),
            (at == 0).then_some("It is the first phase"),
            "Changes places with the phase before",
        ),
        (
            "Later",
            PhaseEdit::Later(at),
            (at + 1 >= phases.len()).then_some("It is the last phase"),
            "Changes places with the phase behind",
        ),
        (
            "Remove",
            PhaseEdit::Remove(at),
            (phases.len() < 2).then_some("A run has at least one phase"),
            "Takes the chosen phase out",
        ),
    ];
    ui.horizontal_wrapped(|ui| {
        let muted = Palette::of(ui).muted;
        ui.label(RichText::new(format!("Phase {}", at + 1)).color(muted));
        for (name, edit, idle, tip) in buttons {
            let button = ui.add_enabled(idle.is_none(), Button::new(name)).on_hover_text(tip);
            let button = button.on_disabled_hover_text(idle.unwrap_or_default());
            if button.clicked() {
                *selected = edit.apply(phases);
            }
        }
    });
}

/// A row of the table.
struct Row<'a, 'b> {
    ui: &'a mut Ui,
    recipe: &'a Recipe,
    encoder: &'a Encoder<'b>,
    index: usize,
    editing: &'a mut bool,
}

impl Row<'_, '_> {
    fn draw(&mut self, phase: &mut PhaseSpec, selected: &mut usize) {
        let index = self.index;
        let number = self.ui.selectable_label(*selected == index, (index + 1).to_string());
        number.widget_info(|| {
            let name = format!("choose phase {}", index + 1);
            WidgetInfo::selected(Role::RadioButton, true, *selected == index, name)
        });
        if number.on_hover_text("Chooses it for the buttons above").clicked() {
            *selected = index;
        }
        let hint = phase.in_words(self.encoder.layers);
        let field = TextEdit::singleline(&mut phase.name).hint_text(hint);
        let size = vec2(NAME_WIDTH, self.ui.spacing().interact_size.y);
        let name = self.ui.add_sized(size, field);
        *self.editing |= name.has_focus();
        self.named(&name, Role::TextInput, "name");
        let epochs = self.ui.add(whole(&mut phase.epochs, 1..=MOST_EPOCHS));
        self.number(&epochs, "epochs");
        self.frost_line(phase);
        self.heads(phase);
        let parts = [
            (ParamFilter::All, "all weights"),
            (ParamFilter::Lora, "adapters"),
            (ParamFilter::Biases, "biases"),
            (ParamFilter::Norms, "norms"),
        ];
        let part = self.ui.scope(|ui| {
            ui.spacing_mut().combo_width = 84.0;
            choice(ui, &format!("part of {index}"), &mut phase.part, &parts)
        });
        self.named(&part.inner, Role::ComboBox, "part of the encoder");
        self.rate(&mut phase.lr_encoder, self.recipe.lr_encoder, "encoder rate");
        self.rate(&mut phase.lr_heads, self.recipe.lr_heads, "heads' rate");
        self.end(&mut phase.until);
    }

    fn named(&self, response: &Response, role: Role, what: &str) {
        let name = format!("{what} of phase {}", self.index + 1);
        response.widget_info(|| WidgetInfo::labeled(role, true, &name));
    }

    fn number(&mut self, response: &Response, what: &str) {
        *self.editing |= response.dragged() || response.has_focus();
        let name = format!("{what} of phase {}", self.index + 1);
        self.ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
    }

    fn frost_line(&mut self, phase: &mut PhaseSpec) {
        let (encoder, index) = (self.encoder, self.index);
        let units = phase.frozen_units(encoder.layers);
        let shown = units.map_or_else(|| "some layers".to_owned(), |units| encoder.frost_line(units));
        let combo = ComboBox::from_id_salt(("frost line", index)).selected_text(shown).width(150.0);
        let combo = combo.show_ui(self.ui, |ui| {
            for choice in 0..=encoder.layers + 1 {
                if ui.selectable_label(units == Some(choice), encoder.frost_line(choice)).clicked() {
                    phase.freeze_up_to(choice, encoder.layers);
                }
            }
        });
        self.named(&combo.response, Role::ComboBox, "what is frozen");
    }

    fn heads(&mut self, phase: &mut PhaseSpec) {
        let tasks = &self.encoder.tasks;
        let shown = match &phase.heads {
            HeadSet::All => "all train".to_owned(),
            HeadSet::None => "all frozen".to_owned(),
            HeadSet::Only(names) => format!("{} of {} train", names.len(), tasks.len()),
        };
        let combo = ComboBox::from_id_salt(("heads", self.index))
            .selected_text(shown)
            .width(96.0)
            .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
        let combo = combo.show_ui(self.ui, |ui| {
            let mut held: Vec<bool> = tasks.iter().map(|task| phase.heads.holds(task)).collect();
            for (task, held) in tasks.iter().zip(&mut held) {
                ui.checkbox(held, *task);
            }
            phase.heads = HeadSet::of(&held, tasks);
        });
        self.named(&combo.response, Role::ComboBox, "heads that train");
    }

    /// A rate of the phase's own, or the recipe's.
    fn rate(&mut self, own: &mut Option<f64>, recipe: f64, what: &str) {
        let mut lr = own.unwrap_or(recipe);
        let field = self.ui.add(learning_rate(&mut lr));
        self.number(&field, what);
        if lr != own.unwrap_or(recipe) {
            *own = Some(lr);
        }
        let tip = match own {
            Some(_) => "This phase's own; a right click takes the setting's again",
            None => "That of the settings below; drag or type to give the phase its own",
        };
        if field.on_hover_text(tip).secondary_clicked() {
            *own = None;
        }
    }

    fn end(&mut self, until: &mut Until) {
        let index = self.index;
        let shown = match until {
            Until::Epochs => "with its epochs",
            Until::Steps(_) => "after steps",
            Until::Plateau { .. } => "at a plateau",
        };
        let combo = ComboBox::from_id_salt(("end", index)).selected_text(shown).width(110.0);
        let combo = combo.show_ui(self.ui, |ui| {
            for (choice, name) in [
                (Until::Epochs, "with its epochs"),
                (Until::Steps(100), "after steps"),
                (Until::Plateau { patience: 2 }, "at a plateau"),
            ] {
                let is_it = std::mem::discriminant(&choice) == std::mem::discriminant(until);
                if ui.selectable_label(is_it, name).clicked() && !is_it {
                    *until = choice;
                }
            }
        });
        self.named(&combo.response, Role::ComboBox, "end");
        let field = match until {
            Until::Epochs => return,
            Until::Steps(steps) => self.ui.add(whole(steps, 1..=10_000_000).suffix(" steps")),
            Until::Plateau { patience } => {
                let field = self.ui.add(whole(patience, 1..=1000).suffix(" epochs"));
                field.on_hover_text(
                    "It ends after so many epochs without an improvement of the watched figure",
                )
            }
        };
        self.number(&field, "limit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the table says is frozen is what the phase's line in a file would leave out.
    #[test]
    fn layers_are_counted_as_in_files() {
        let encoder = Encoder { layers: 6, tasks: Vec::new() };
        for (units, words, trains) in [
            (0, "nothing", "all"),
            (1, "the embeddings", "all"),
            (2, "embeddings, layer 0", "1-5"),
            (4, "embeddings, layers 0-2", "3-5"),
            (7, "the whole encoder", "none"),
        ] {
            assert_eq!(encoder.frost_line(units), words);
            let mut phase = PhaseSpec::default();
            phase.freeze_up_to(units, encoder.layers);
            let written: crate::train::plan::phase_spec::LayerSet = trains.parse().unwrap();
            let held = |set: &crate::train::plan::phase_spec::LayerSet| {
                (0..encoder.layers).map(|layer| set.holds(layer, encoder.layers)).collect::<Vec<_>>()
            };
            assert_eq!(held(&phase.layers), held(&written), "{words}");
        }
        assert_eq!(Encoder { layers: 1, tasks: Vec::new() }.frost_line(2), "the whole encoder");
    }
}
