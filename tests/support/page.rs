//! A page alone, with the actions that it sends, and what is in sight.

use eframe::egui::{Ui, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use frostline::session::state::State;
use frostline::ui::actions::Actions;
use frostline::ui::theme;

/// A few frames, for layouts that need more than one.
pub(crate) fn settle<S>(harness: &mut Harness<'_, S>) {
    harness.run_steps(6);
}

pub(crate) fn sees<S>(harness: &Harness<'_, S>, text: &str) {
    assert!(harness.query_all_by_label_contains(text).next().is_some(), "nothing says: {text}");
}

pub(crate) fn sees_not<S>(harness: &Harness<'_, S>, text: &str) {
    assert!(harness.query_all_by_label_contains(text).next().is_none(), "something says: {text}");
}

/// The page on a state.
pub(crate) fn page<V: Default + 'static>(
    state: State,
    draw: fn(&mut Ui, &State, &mut V, &mut Actions),
) -> Harness<'static, (V, Actions)> {
    let mut harness = Harness::builder()
        .with_size(Vec2::new(1120.0, 2000.0))
        .with_context_setup(theme::apply)
        .build_ui_state(
            move |ui, (view, actions): &mut (V, Actions)| draw(ui, &state, view, actions),
            (V::default(), Actions::default()),
        );
    settle(&mut harness);
    harness
}
