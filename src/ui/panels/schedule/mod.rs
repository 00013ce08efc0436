//! The Schedule page: what stays frozen, what trains, when, and how fast; drawn, explained and listed.
//!
//! It reads the draft's recipe and plan and sends edits. It must never know how a plan is carried out.

mod advanced_settings;
mod estimate;
mod facts;
mod phases;
mod preset_cards;
mod preview;
mod prompt;
mod search;
mod settings;

use std::sync::Arc;

use eframe::egui::{self, ScrollArea, Ui};

use super::layout::{columns, figures};
use crate::data::task::TaskKind;
use crate::session::command::Edit;
use crate::session::state::{Loadable, Severity, State};
use crate::train::plan::RunPlan;
use crate::train::plan::recipe::Recipe;
use crate::ui::actions::{Action, Actions, Page};
use crate::ui::explain;
use crate::ui::theme::{self, Palette};
use crate::ui::widgets::stack::{StackEdit, StackView, stack_ui};
use crate::ui::widgets::{self, numbers, swatch_label};

/// What the page remembers between frames.
#[derive(Debug, Default)]
pub struct ScheduleView {
    /// The recipe while a value is dragged or typed; the session hears of it once that is done.
    draft: Option<Recipe>,
    /// The chosen phase, and what is held of the picture.
    stack: StackView,
}

/// Draws the page.
pub fn schedule_ui(ui: &mut Ui, state: &State, view: &mut ScheduleView, actions: &mut Actions) {
    ScrollArea::vertical().id_salt("schedule page").auto_shrink(false).show(ui, |ui| {
        widgets::page_header(ui, Page::Schedule.title(), Page::Schedule.purpose());
        page_ui(ui, state, view, actions);
    });
}

fn page_ui(ui: &mut Ui, state: &State, view: &mut ScheduleView, actions: &mut Actions) {
    let recipe = &state.project.recipe;
    preset_cards::preset_cards_ui(ui, state, actions);
    ui.add_space(theme::GAP);

    let mut draft = view.draft.take().unwrap_or_else(|| recipe.clone());
    let mut editing = plan_card_ui(ui, state, &mut draft, view, actions);
    ui.add_space(theme::GAP);
    let prompts = state.model.ready().map_or(&[][..], |model| model.origin.prompts.as_slice());
    columns(ui, theme::SECTION_GAP, |[left, right]| {
        editing |= settings::settings_ui(left, &mut draft, prompts);
        let tasks: Vec<(&str, TaskKind)> = state.data.ready().map_or_else(Vec::new, |data| {
            data.dataset.tasks.iter().map(|task| (task.name.as_str(), task.kind)).collect()
        });
        left.add_space(theme::GAP);
        editing |= advanced_settings::further_ui(left, &mut draft, &tasks, state.project.files.len());
        search::search_ui(right, state, actions);
        right.add_space(theme::GAP);
        preview::preview_ui(right, state);
    });
    if editing {
        view.draft = Some(draft);
    } else if draft != *recipe {
        actions.send(Edit::SetRecipe(draft.into()));
    }
}

/// The user's own phases stand in place of the preset's: that must be seen.
fn own_phases_ui(ui: &mut Ui, draft: &mut Recipe) {
    if draft.phases.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        widgets::message(ui, Severity::Info, "These phases are your own, in place of the preset's.");
        let button = ui.button("Use the preset's phases");
        if button.on_hover_text("Leaves your phases out; can be undone").clicked() {
            draft.phases.clear();
        }
    });
}

/// The plan of the draft as it is being changed; `None` where there is none yet.
fn shown_plan(state: &State, draft: &Recipe, tasks: &[&str]) -> Option<Result<Arc<RunPlan>, String>> {
    let known = state.plan.clone()?;
    let Ok(plan) = &known else { return Some(known) };
    if plan.recipe.phases == draft.phases {
        return Some(known);
    }
    let layers = plan.phases.first().map_or(0, |phase| phase.layers.len());
    let phases = match draft.phases_for(layers, tasks) {
        Ok(phases) => phases,
        Err(error) => return Some(Err(error.to_string())),
    };
    let (mut plan, recipe) = (RunPlan::clone(plan), draft.clone());
    (plan.phases, plan.recipe) = (phases, recipe);
    Some(Ok(Arc::new(plan)))
}

/// The plan as a picture and in numbers, or the sentence that says why there is none; true while it is being changed.
fn plan_card_ui(
    ui: &mut Ui,
    state: &State,
    draft: &mut Recipe,
    view: &mut ScheduleView,
    actions: &mut Actions,
) -> bool {
    let encoder = state.model.ready().zip(state.data.ready()).map(|(model, data)| phases::Encoder {
        layers: model.layers,
        tasks: data.dataset.tasks.iter().map(|task| task.name.as_str()).collect(),
    });
    let tasks = encoder.as_ref().map_or(&[][..], |encoder| &encoder.tasks);
    let plan = shown_plan(state, draft, tasks);
    let right = |ui: &mut Ui| {
        widgets::primary_button(ui, state, actions, Action::Train);
        if let Some(Ok(plan)) = &plan {
            ui.label(egui::RichText::new(size_of(plan)).color(Palette::of(ui).muted));
        }
    };
    let card = widgets::card_with(ui, "The plan", right, |ui| {
        let Some(plan) = &plan else {
            missing_ui(ui, state);
            return false;
        };
        let asked = match plan {
            Ok(plan) => picture_ui(ui, plan, &mut view.stack),
            Err(reason) => {
                widgets::message(ui, Severity::Error, reason);
                None
            }
        };
        let Some(encoder) = &encoder else { return false };
        if let Some(asked) = asked {
            encoder.carry_out(draft, asked);
        }
        if let Ok(plan) = plan {
            figures(ui, &estimate::figures(state, plan));
        }
        own_phases_ui(ui, draft);
        let typing = if draft.trains_nothing() {
            widgets::caption(ui, "Click a cell to let it train: the plan becomes one of your own.");
            false
        } else {
            phases::phases_ui(ui, draft, encoder, &mut view.stack.selected)
        };
        explain::explain_list_ui(
            ui,
            "Why so?",
            &[
                explain::WHY_EVAL_MODE,
                explain::WHY_SUMMED_LOSSES,
                explain::WHY_LINEAR_HEADS,
                explain::WHY_RATES,
            ],
        );
        typing || view.stack.is_dragging()
    });
    card.inner
}

/// `4 phases, 5 epochs, 75 steps`.
fn size_of(plan: &RunPlan) -> String {
    if plan.epochs() == 0 {
        return "no training: the embeddings are measured".to_owned();
    }
    let phases = numbers::counted(plan.phases.len(), "phase", "phases");
    let epochs = numbers::counted(plan.epochs() as usize, "epoch", "epochs");
    let steps = numbers::counted(plan.total_steps(), "step", "steps");
    format!("{phases}, {epochs}, {steps}")
}

/// The picture; what was asked of it.
fn picture_ui(ui: &mut Ui, plan: &RunPlan, view: &mut StackView) -> Option<StackEdit> {
    let palette = Palette::of(ui);
    ui.horizontal_wrapped(|ui| {
        swatch_label(ui, palette.frozen, "frozen");
        swatch_label(ui, palette.warm, "trains, with its peak learning rate");
        swatch_label(ui, palette.accent, "frost line");
        explain::explain_ui(ui, &explain::FROST_LINE);
        widgets::caption(
            ui,
            "Drag the frost line and the ends of phases; click cells. Keys: arrows, + and -.",
        );
    });
    stack_ui(ui, plan, view)
}

fn missing_ui(ui: &mut Ui, state: &State) {
    match (&state.data, &state.model) {
        (Loadable::Loading, _) => widgets::loading(ui, "The data are being read"),
        (_, Loadable::Loading) => widgets::loading(ui, "The model is being loaded"),
        (Loadable::Ready(_), Loadable::Ready(_)) => widgets::loading(ui, "The plan is being made"),
        (Loadable::Ready(_), _) => {
            widgets::message(ui, Severity::Info, "A plan needs a model: choose one on the Model page.");
        }
        _ => {
            let text = "A plan needs labelled texts: open some on the Data page. The presets and settings \
                        can be read and changed before.";
            widgets::message(ui, Severity::Info, text);
        }
    }
}
