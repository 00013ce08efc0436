//! Finds what the window can do by its words (Ctrl+K): every action with its keys, and why one is not possible now.
//!
//! It chooses an action and carries nothing out.

use eframe::egui;
use egui::{Align, Key, Label, Layout, Modifiers, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

use super::actions::Action;
use super::theme;
use super::theme::Palette;
use super::widgets;
use crate::session::state::State;

const HEIGHT: f32 = 320.0;
const LINE: f32 = 44.0;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommandPalette {
    words: String,
    /// Place of the marked action among those that were found.
    marked: usize,
    /// The action that was chosen.
    pub chosen: Option<Action>,
}

/// Actions whose name or description holds all words, those whose name holds them first.
#[must_use]
pub fn found(words: &str) -> Vec<Action> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let holds = |text: &str| {
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let (named, rest): (Vec<_>, Vec<_>) =
        Action::listed().into_iter().partition(|action| holds(action.label()));
    let told = rest.into_iter().filter(|action| holds(&format!("{} {}", action.label(), action.tooltip())));
    named.into_iter().chain(told).collect()
}

/// Draws the field and the list; true once an action was chosen.
pub fn finder_ui(ui: &mut Ui, finder: &mut CommandPalette, state: &State) -> bool {
    let pressed = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let (down, up, enter) = (pressed(Key::ArrowDown), pressed(Key::ArrowUp), pressed(Key::Enter));
    let field = widgets::field(ui, &mut finder.words, "What do you want to do?", f32::INFINITY);
    field.request_focus();
    if field.changed() {
        finder.marked = 0;
    }
    let actions = found(&finder.words);
    let last = actions.len().saturating_sub(1);
    if down {
        finder.marked = (finder.marked + 1).min(last);
    }
    if up {
        finder.marked = finder.marked.saturating_sub(1);
    }
    finder.marked = finder.marked.min(last);
    if actions.is_empty() {
        widgets::caption(ui, "Nothing is called so. Try a shorter word: train, open, export, dark ...");
    }
    let mut chosen = enter.then(|| actions.get(finder.marked).cloned()).flatten();
    ScrollArea::vertical().max_height(HEIGHT).auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for (place, action) in actions.iter().enumerate() {
            let marked = place == finder.marked;
            if line_ui(ui, action, state, marked, marked && (down || up)) {
                chosen = Some(action.clone());
            }
        }
    });
    // What is not possible now stays in sight with its reason.
    finder.chosen = chosen.filter(|action| action.enabled(state).is_ok());
    finder.chosen.is_some()
}

/// An action: name and keys, and below what it does or why it cannot be done; true when clicked.
fn line_ui(ui: &mut Ui, action: &Action, state: &State, marked: bool, follow: bool) -> bool {
    let palette = Palette::of(ui);
    let enabled = action.enabled(state);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE), Sense::click());
    response
        .widget_info(|| WidgetInfo::selected(Role::ListBoxOption, enabled.is_ok(), marked, action.label()));
    if follow {
        ui.scroll_to_rect(rect, None);
    }
    if !ui.is_rect_visible(rect) {
        return false;
    }
    if marked || response.hovered() {
        let fill = if marked { palette.selected } else { palette.raised };
        ui.painter().rect_filled(rect, 4.0, fill);
    }
    let mut line = ui.new_child(egui::UiBuilder::new().max_rect(rect.shrink2(vec2(theme::GAP, 3.0))));
    line.spacing_mut().item_spacing.y = 0.0;
    line.spacing_mut().interact_size.y = 18.0;
    line.horizontal(|ui| {
        let colour = if enabled.is_ok() { palette.text } else { palette.muted };
        ui.add(Label::new(RichText::new(action.label()).color(colour)).selectable(false));
        let keys = action.shortcut().map(|keys| ui.ctx().format_shortcut(&keys)).unwrap_or_default();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add(Label::new(RichText::new(keys).small().color(palette.muted)).selectable(false));
        });
    });
    let (words, colour) = match enabled {
        Ok(()) => (action.tooltip(), palette.muted),
        Err(reason) => (reason, palette.warn),
    };
    line.add(Label::new(RichText::new(words).small().color(colour)).truncate().selectable(false));
    response.clicked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::Split;

    #[test]
    fn actions_are_found_by_name_first_and_by_what_they_do() {
        assert!(found("EXPORT").contains(&Action::Export));
        // Its name says nothing of epochs.
        assert!(found("batch").contains(&Action::Stop));
        assert_eq!(found("evaluate test"), [Action::Evaluate(Split::Test)]);
        assert!(found("zzz").is_empty());
        assert_eq!(found("").len(), Action::listed().len());
    }

    #[test]
    fn what_has_keys_is_listed_once_and_says_what_it_does() {
        let listed = Action::listed();
        for action in Action::with_shortcut() {
            assert_eq!(listed.iter().filter(|other| **other == action).count(), 1, "{action:?}");
        }
        assert!(listed.iter().all(|action| !action.tooltip().is_empty()));
    }
}
