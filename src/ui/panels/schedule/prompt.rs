//! The setting of what is put before every text: none, a prompt of the model, or a text of the user's own.

use eframe::egui::{self, Ui};

use super::settings::{Form, Setting};
use crate::model::summary::Prompt;
use crate::train::plan::recipe::Recipe;
use crate::ui::explain;
use crate::ui::widgets;

const FIELD_WIDTH: f32 = 180.0;
const NONE: &str = "none";
const OWN: &str = "a text of your own";

/// Draws the rows.
pub(super) fn prompt_rows(form: &mut Form<'_>, recipe: &mut Recipe, prompts: &[Prompt]) {
    let setting = Setting {
        name: "Prompt",
        tooltip: "What is put before every text. None by default; models that were trained with one say so.",
        explanation: &explain::WHY_PROMPT,
    };
    let named = |choice: &str| prompts.iter().find(|prompt| prompt.name == choice);
    let is_own = recipe.prompt.as_deref().is_some_and(|choice| named(choice).is_none());
    form.row(&setting, None, |ui| choice_ui(ui, recipe, prompts, is_own));
    if let Some(text) = recipe.prompt.as_mut().filter(|_| is_own) {
        let own = Setting {
            name: "Text before texts",
            tooltip: "Exactly as it is to stand before every text; a space at its end counts.",
            explanation: &explain::WHY_PROMPT,
        };
        let mut typing = false;
        form.row(&own, None, |ui| {
            let field = widgets::field(ui, text, "query: ", FIELD_WIDTH);
            typing = field.has_focus();
            field
        });
        // What is typed is taken when the field is left: one step to undo, not one per letter.
        *form.editing |= typing;
    }
}

fn choice_ui(ui: &mut Ui, recipe: &mut Recipe, prompts: &[Prompt], is_own: bool) -> egui::Response {
    let shown = match &recipe.prompt {
        None => NONE,
        Some(_) if is_own => OWN,
        Some(name) => name,
    };
    let combo = egui::ComboBox::from_id_salt("prompt").selected_text(shown.to_owned()).show_ui(ui, |ui| {
        if ui.selectable_label(recipe.prompt.is_none(), NONE).clicked() {
            recipe.prompt = None;
        }
        for prompt in prompts.iter().filter(|prompt| !prompt.text.is_empty()) {
            let is_chosen = recipe.prompt.as_ref() == Some(&prompt.name);
            if ui.selectable_label(is_chosen, prompt.told()).clicked() {
                recipe.prompt = Some(prompt.name.clone());
            }
        }
        if ui.selectable_label(is_own, OWN).clicked() && !is_own {
            recipe.prompt = Some(String::new());
        }
    });
    combo.response
}
