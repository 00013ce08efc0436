//! What holds on every page: actions found by their words, unsaved changes offered back.
#![cfg(feature = "window")]

use crate::support::states;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::support::page::{sees, sees_not, settle};
use eframe::egui::{Key, Modifiers, Role, ThemePreference, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use frostline::data::task::TaskKind;
use frostline::project::Project;
use frostline::project::unsaved::Unsaved;
use frostline::session::Session;
use frostline::session::state::{Loadable, State};
use frostline::ui::actions::Page;
use frostline::ui::app::{App, Environment};
use frostline::ui::autosave::{Keep, Unsaveds};
use frostline::ui::dialogs::Dialogs;
use frostline::ui::prefs::Prefs;

const SIZE: Vec2 = Vec2::new(1280.0, 800.0);

fn window(state: State, unsaveds: Unsaveds) -> Harness<'static, App> {
    let mut harness = Harness::builder().with_size(SIZE).build_eframe(|creation| {
        let prefs = Prefs { theme: ThemePreference::Dark, ..Prefs::default() };
        let session = Session::with_state(state);
        let app = App::new(&creation.egui_ctx, session, prefs, Dialogs::scripted([]), Environment::default());
        app.keeping_unsaved(unsaveds)
    });
    settle(&mut harness);
    harness
}

fn type_text(window: &Harness<'static, App>, text: &str) {
    window.event(eframe::egui::Event::Text(text.to_owned()));
}

#[test]
fn an_action_is_found_by_its_words_and_done_by_keys_alone() {
    let mut window = window(states::loaded(), Unsaveds::default());
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    settle(&mut window);
    type_text(&window, "set");
    settle(&mut window);
    sees(&window, "Settings");
    sees_not(&window, "Export…");
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(window.state().page(), Page::Settings);
    sees_not(&window, "What do you want to do?");
}

#[test]
fn what_cannot_be_done_now_stays_in_the_list_and_says_why() {
    let mut window = window(states::empty(), Unsaveds::default());
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    settle(&mut window);
    type_text(&window, "evaluate on test");
    settle(&mut window);
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(window.state().page(), Page::Data);
    assert!(window.query_by_role_and_label(Role::ListBoxOption, "Evaluate on test").is_some(), "still open");
    window.key_press(Key::Escape);
    settle(&mut window);
    assert!(window.query_by_role_and_label(Role::ListBoxOption, "Evaluate on test").is_none());
}

/// A window that finds changes, and what it does with them.
fn found() -> (Harness<'static, App>, Rc<RefCell<Vec<&'static str>>>) {
    let told = Rc::new(RefCell::new(Vec::new()));
    let hears = told.clone();
    let keep = Box::new(move |what: Keep<'_>| {
        hears.borrow_mut().push(match what {
            Keep::Draft(..) => "kept",
            Keep::Forget => "forgotten",
            Keep::SetAside => "set aside",
        });
    });
    let project = Project { name: "Lost messages".into(), ..Project::default() };
    let found = Some(Unsaved { project, dir: None });
    (window(states::empty(), Unsaveds { keep, found }), told)
}

#[test]
fn changes_that_were_never_saved_are_brought_back() {
    let (mut window, told) = found();
    sees(&window, "changes of \u{201c}Lost messages\u{201d} that were never saved");
    window.get_by_role_and_label(Role::Button, "Bring them back").click();
    settle(&mut window);
    assert_eq!(window.state().state().project.name, "Lost messages");
    assert!(window.state().state().dirty, "they are still to be saved");
    assert!(told.borrow().is_empty(), "they stay kept until they are saved");
}

#[test]
fn they_are_kept_for_later_or_thrown_away_only_as_the_user_says() {
    let (mut window, told) = found();
    window.key_press(Key::Escape);
    settle(&mut window);
    assert_eq!(*told.borrow(), ["set aside"]);
    let (mut window, told) = found();
    window.get_by_role_and_label(Role::Button, "Throw them away").click();
    settle(&mut window);
    assert_eq!(*told.borrow(), ["forgotten"]);
    sees_not(&window, "Frostline did not end as it should");
}

#[test]
fn a_new_project_that_nothing_was_done_to_is_left_without_a_question() {
    let mut window = window(states::empty(), Unsaveds::default());
    window.state_mut().ask(frostline::ui::actions::Action::NewProject);
    settle(&mut window);
    assert!(!window.state().state().dirty);
    window.state_mut().ask(frostline::ui::actions::Action::NewProject);
    settle(&mut window);
    sees_not(&window, "Save the changes");
}

/// A cell in doubt adds a button to its task; the page stays as wide as the window that the program opens with.
#[test]
fn a_cell_in_doubt_leaves_the_data_page_as_wide_as_the_window() {
    let mut state = states::loaded();
    let Loadable::Ready(data) = &mut state.data else { panic!("no data") };
    let data = Arc::make_mut(data);
    for task in &mut data.mapping.tasks {
        task.kind = TaskKind::TokenLabels;
        Arc::make_mut(&mut data.dataset).unconfirmed.insert(task.task.clone(), "-1".into());
    }
    let window = window(state, Unsaveds::default());
    for role in [Role::Button, Role::CheckBox, Role::ComboBox, Role::TextInput, Role::Label] {
        for node in window.query_all_by_role(role) {
            let (rect, label) = (node.rect(), node.accesskit_node().label().unwrap_or_default());
            assert!(rect.right() <= SIZE.x - 8.0, "{role:?} {label:?} reaches to {}", rect.right());
        }
    }
    let buttons: Vec<_> = window.query_all_by_label("Treat -1 as not annotated").collect();
    assert_eq!(buttons.len(), 2);
    for button in buttons {
        assert!(button.rect().width() > 150.0, "its words are cut: {:?}", button.rect());
    }
}

/// 1280 x 800 pixels at 200 %.
const SMALL: Vec2 = Vec2::new(640.0, 400.0);

#[test]
fn nothing_is_cut_off_at_twice_the_size() {
    let mut cut = Vec::new();
    for (name, state) in [
        ("empty", states::empty()),
        ("loaded", states::loaded()),
        ("training", states::training()),
        ("compared", states::compared()),
        ("exported", states::exported()),
    ] {
        for page in Page::RAIL.into_iter().chain([Page::Settings]) {
            let mut window = window(state.clone(), Unsaveds::default());
            window.set_size(SMALL);
            window.state_mut().ask(frostline::ui::actions::Action::GoTo(page));
            settle(&mut window);
            settle(&mut window);
            // Labels stand in tables, too, which are scrolled sideways; so do headers that sort, and the phases' fields.
            let in_table = |label: &str| {
                label.contains(" of phase ") || matches!(label, "topic" | "sentiment" | "text" | "split")
            };
            for role in [Role::Button, Role::CheckBox, Role::ComboBox, Role::TextInput, Role::RadioButton] {
                for node in window.query_all_by_role(role) {
                    let (rect, label) = (node.rect(), node.accesskit_node().label().unwrap_or_default());
                    if !in_table(&label) && (rect.right() > SMALL.x + 0.5 || rect.left() < -0.5) {
                        cut.push(format!("{name}, {page:?}: {role:?} {label:?} at {rect:?}"));
                    }
                }
            }
        }
    }
    assert!(cut.is_empty(), "{} controls:\n{}", cut.len(), cut.join("\n"));
}
