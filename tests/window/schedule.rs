//! The plan as something to take hold of: by pointer, by keys and by its table.
#![cfg(feature = "window")]
#![expect(clippy::expect_used, clippy::panic, reason = "a broken fixture should stop the test")]

use crate::support::page::{page, sees, settle};
use crate::support::states;
use eframe::egui::{Key, Pos2, Rect, Role, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use frostline::session::command::{Command, Edit};
use frostline::session::state::State;
use frostline::train::plan::RunPlan;
use frostline::train::plan::phase_spec::{LayerSet, PhaseSpec};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;
use frostline::ui::actions::{Action, Actions};
use frostline::ui::panels::schedule::{ScheduleView, schedule_ui};
use frostline::ui::widgets::stack::{Layout, desired_height, layout};

type SchedulePage = Harness<'static, (ScheduleView, Actions)>;

/// A state whose plan is that of a recipe.
fn planned(recipe: Recipe) -> (State, RunPlan) {
    let mut state = states::loaded();
    let Some(Ok(plan)) = state.plan.clone() else { panic!("no plan") };
    let tasks: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    let mut plan = RunPlan::clone(&plan);
    plan.phases = recipe.phases_for(6, &tasks).expect("phases");
    plan.recipe = recipe.clone();
    (state.project.recipe, state.plan) = (recipe, Some(Ok(plan.clone().into())));
    (state, plan)
}

fn chosen(preset: Preset) -> (SchedulePage, RunPlan) {
    let mut recipe = Recipe::default();
    recipe.choose(preset);
    let (state, plan) = planned(recipe);
    (page::<ScheduleView>(state, schedule_ui), plan)
}

/// Where everything of the picture stands.
fn picture(page: &SchedulePage, plan: &RunPlan) -> Layout {
    let rect: Rect = page.get_by_role(Role::Canvas).rect();
    layout(plan, Rect::from_min_size(rect.min, vec2(rect.width(), desired_height(plan))))
}

fn drag(page: &mut SchedulePage, from: Pos2, to: Pos2) {
    page.hover_at(from);
    page.step();
    page.drag_at(from);
    page.step();
    for part in 1..=4 {
        page.hover_at(from.lerp(to, part as f32 / 4.0));
        page.step();
    }
    assert!(page.state_mut().1.take().is_empty(), "one step to undo, when it is let go");
    page.drop_at(to);
    settle(page);
}

/// The phases of the only edit that was asked for.
fn asked(page: &mut SchedulePage) -> Vec<PhaseSpec> {
    match page.state_mut().1.take().as_slice() {
        [Action::Session(Command::Edit(Edit::SetRecipe(recipe)))] => recipe.phases.clone(),
        other => panic!("asked for {other:?}"),
    }
}

#[test]
fn the_frost_line_is_dragged() {
    let (mut page, plan) = chosen(Preset::Full);
    let placed = picture(&page, &plan);
    let line = placed.frost_line[0].lerp(placed.frost_line[1], 0.5);
    drag(&mut page, line, pos2(line.x + 20.0, placed.boundaries[5] + 3.0));
    let phases = asked(&mut page);
    assert_eq!(phases.len(), 1);
    assert_eq!((phases[0].layers.clone(), phases[0].embeddings), (LayerSet::Top(2), false));
}

#[test]
fn the_end_of_a_phase_is_dragged() {
    let (mut page, plan) = chosen(Preset::Gradual);
    let placed = picture(&page, &plan);
    let width = placed.bands[0].x.1 - placed.bands[0].x.0;
    let end = pos2(placed.bands[0].x.1, placed.area.top() + 8.0);
    drag(&mut page, end, end + vec2(2.0 * width, 0.0));
    assert_eq!(asked(&mut page).iter().map(|phase| phase.epochs).collect::<Vec<_>>(), [3, 1, 1, 1, 1]);
}

#[test]
fn a_line_that_is_put_back_changes_nothing() {
    let (mut page, plan) = chosen(Preset::FreezeBackbone);
    let placed = picture(&page, &plan);
    let line = placed.frost_line[0].lerp(placed.frost_line[1], 0.5);
    drag(&mut page, line, line + vec2(30.0, 1.0));
    assert!(page.state_mut().1.take().is_empty());
}

#[test]
fn a_click_freezes_a_layer() {
    let (mut page, plan) = chosen(Preset::Full);
    let placed = picture(&page, &plan);
    let cell = placed.cells.iter().find(|cell| cell.rect.height() > 0.0 && cell.lr == Some(1e-4));
    let at = cell.expect("a layer").rect.center();
    page.hover_at(at);
    page.step();
    page.drag_at(at);
    page.step();
    page.drop_at(at);
    settle(&mut page);
    assert_eq!(asked(&mut page)[0].layers, LayerSet::Ranges(vec![(0, 4)]));
}

#[test]
fn keys_move_the_frost_line_and_the_end() {
    let (mut page, _) = chosen(Preset::Full);
    page.get_by_role(Role::Canvas).focus();
    settle(&mut page);
    page.key_press(Key::ArrowUp);
    settle(&mut page);
    let phases = asked(&mut page);
    assert_eq!((phases[0].layers.clone(), phases[0].embeddings), (LayerSet::All, false));
    page.key_press(Key::Plus);
    settle(&mut page);
    assert_eq!(asked(&mut page)[0].epochs, 5);
}

#[test]
fn phases_are_added_and_split_by_buttons() {
    let (mut page, _) = chosen(Preset::Full);
    page.get_by_role_and_label(Role::Button, "Split").click();
    settle(&mut page);
    assert_eq!(asked(&mut page).iter().map(|phase| phase.epochs).collect::<Vec<_>>(), [2, 2]);
    page.get_by_role_and_label(Role::Button, "Add a phase").click();
    settle(&mut page);
    assert_eq!(asked(&mut page).iter().map(|phase| phase.epochs).collect::<Vec<_>>(), [4, 1]);
}

#[test]
fn own_phases_are_told_and_given_up() {
    let phases = vec![PhaseSpec { layers: LayerSet::Top(2), epochs: 3, ..PhaseSpec::default() }];
    let (state, _) = planned(Recipe { phases, ..Recipe::default() });
    let mut page = page::<ScheduleView>(state, schedule_ui);
    sees(&page, "These phases are your own");
    sees(&page, "top 2 layers");
    page.get_by_role_and_label(Role::Button, "Use the preset's phases").click();
    settle(&mut page);
    assert!(asked(&mut page).is_empty());
}
