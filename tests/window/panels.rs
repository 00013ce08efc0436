//! The window by its accessible names: what is in sight in every state, and what pressing things asks for.
#![cfg(feature = "window")]

use crate::support::states;
use std::cell::RefCell;
use std::rc::Rc;

use crate::support::page::{page, sees, sees_not, settle};
use eframe::egui::{Key, Modifiers, Role, Theme, ThemePreference, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use frostline::data::mapping::TaskColumn;
use frostline::data::task::TaskKind;
use frostline::session::Session;
use frostline::session::command::{Command, Edit};
use frostline::session::state::State;
use frostline::ui::actions::{Action, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::{Answer, Dialogs};
use frostline::ui::panels::data::{DataPageView, data_ui};
use frostline::ui::panels::model::{ModelView, model_ui};
use frostline::ui::prefs::Prefs;

const SIZE: Vec2 = Vec2::new(1280.0, 800.0);

/// The app on a state. The harness itself fails on glyphs that no font has and on controls without a name.
fn window(state: State, page: Page) -> Harness<'static, App> {
    let mut harness = Harness::builder().with_size(SIZE).build_eframe(|creation| {
        let session = Session::with_state(state);
        let prefs = Prefs { theme: ThemePreference::Dark, ..Prefs::default() };
        let dialogs = Dialogs::scripted([]);
        let mut app = App::new(&creation.egui_ctx, session, prefs, dialogs, Environment::default());
        app.ask(Action::GoTo(page));
        app
    });
    settle(&mut harness);
    harness
}

#[test]
fn an_empty_window_teaches_the_first_step() {
    let window = window(states::empty(), Page::Data);
    sees(&window, "Start with texts that carry labels");
    sees(&window, "Next: open labelled files");
    let train = window.get_by_role_and_label(Role::Button, "Train");
    assert!(train.accesskit_node().is_disabled());
    for page in [Page::Model, Page::Export, Page::Settings] {
        let window = self::window(states::empty(), page);
        sees(&window, page.purpose());
    }
}

#[test]
fn every_page_can_be_drawn_in_every_state() {
    let all: [fn() -> State; 10] = [
        states::empty,
        states::loading,
        states::failed,
        states::loaded,
        states::many_classes,
        states::training,
        states::trained,
        states::compared,
        states::exported,
        State::default,
    ];
    for state in all {
        for page in Page::RAIL.into_iter().chain([Page::Settings]) {
            let mut window = window(state(), page);
            assert_eq!(window.state().page(), page);
            sees(&window, page.purpose());
            window.check_accessibility();
            window.get_all_by_role(Role::Tab).for_each(|tab| assert!(tab.accesskit_node().label().is_some()));
            window.key_press_modifiers(Modifiers::COMMAND, Key::Num1);
            settle(&mut window);
            assert_eq!(window.state().page(), Page::Data);
        }
    }
}

#[test]
fn the_rail_says_how_far_each_page_has_come() {
    let mark = |window: &Harness<'_, App>, page: Page| {
        let tab = window.get_by_role_and_label(Role::Tab, page.title());
        tab.accesskit_node().data().description().unwrap_or_default().to_owned()
    };
    let window = self::window(states::training(), Page::Data);
    assert_eq!(mark(&window, Page::Data), "done");
    assert_eq!(mark(&window, Page::Train), "running");
    assert_eq!(mark(&window, Page::Export), "not started");
    let window = self::window(states::failed(), Page::Data);
    assert_eq!(mark(&window, Page::Model), "needs attention");
    let window = self::window(states::exported(), Page::Data);
    assert_eq!(mark(&window, Page::Export), "done");
    assert_eq!(mark(&window, Page::Evaluate), "ready");
}

#[test]
fn the_rail_and_the_keys_change_the_page() {
    let mut window = window(states::loaded(), Page::Data);
    window.get_by_role_and_label(Role::Tab, "Model").click();
    settle(&mut window);
    assert_eq!(window.state().page(), Page::Model);
    window.get_by_role_and_label(Role::Tab, "Export").focus();
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(window.state().page(), Page::Export);
    for (index, page) in Page::RAIL.into_iter().enumerate() {
        let keys = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7];
        window.key_press_modifiers(Modifiers::COMMAND, keys[index]);
        settle(&mut window);
        assert_eq!(window.state().page(), page);
    }
}

#[test]
fn a_shortcut_that_is_not_possible_says_why() {
    let mut window = window(states::empty(), Page::Data);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    settle(&mut window);
    sees(&window, "Open data first, on the Data page");
    window.get_by_role_and_label(Role::Button, "Dismiss").click();
    settle(&mut window);
    sees_not(&window, "Open data first, on the Data page");
    assert_eq!(window.state().page(), Page::Data);
}

#[test]
fn while_a_run_goes_the_window_shows_how_far_it_is() {
    let window = window(states::training(), Page::Model);
    sees(&window, "Epoch 2 of 4, 38 %");
    sees(&window, "71 rows/s");
    sees(&window, "about 26 s left");
    sees(&window, "Run run-1 started");
    assert!(!window.get_by_role_and_label(Role::Button, "Stop").accesskit_node().is_disabled());
    assert!(window.query_by_role_and_label(Role::Button, "Train").is_none());
    let device = window.get_by_role_and_label(Role::ComboBox, "Device");
    assert!(device.accesskit_node().is_disabled(), "the device cannot change under a run");
}

#[test]
fn nothing_is_drawn_while_nothing_happens() {
    for state in [states::training(), states::loading(), states::exported()] {
        for page in Page::RAIL {
            let mut window = window(state.clone(), page);
            let frames = window.try_run();
            assert_eq!(frames.ok(), Some(1), "{page:?} asks for frames without news");
        }
    }
}

#[test]
fn leaving_unsaved_work_is_asked_about() {
    let mut window = window(states::training(), Page::Data);
    window.key_press_modifiers(Modifiers::COMMAND, Key::N);
    settle(&mut window);
    sees(&window, "A run is in progress: stop it first");

    let mut edited = states::loaded();
    edited.dirty = true;
    let mut window = self::window(edited, Page::Model);
    window.key_press_modifiers(Modifiers::COMMAND, Key::N);
    settle(&mut window);
    sees(&window, "Save the changes of");
    window.get_by_role_and_label(Role::Button, "Cancel").click();
    settle(&mut window);
    sees_not(&window, "Save the changes of");
    assert_eq!(window.state().page(), Page::Model, "nothing was left");

    let mut window = self::window(states::loaded(), Page::Model);
    window.key_press_modifiers(Modifiers::COMMAND, Key::N);
    settle(&mut window);
    sees_not(&window, "Save the changes of");
    assert_eq!(window.state().page(), Page::Data, "without changes nothing is asked");
}

#[test]
fn without_a_file_dialog_a_path_can_be_typed() {
    let mut window = Harness::builder().with_size(SIZE).build_eframe(|creation| {
        let session = Session::with_state(states::empty());
        let dialogs = Dialogs::scripted([Answer::Unavailable]);
        App::new(&creation.egui_ctx, session, Prefs::default(), dialogs, Environment::default())
    });
    settle(&mut window);
    window.get_by_role_and_label(Role::Button, "Open files\u{2026}").click();
    settle(&mut window);
    sees(&window, "This system has no file dialog");
    window.get_by_role_and_label(Role::TextInput, "Path").type_text("/tmp/messages.csv");
    settle(&mut window);
    window.get_by_role_and_label(Role::Button, "Use").click();
    settle(&mut window);
    sees_not(&window, "This system has no file dialog");
}

#[test]
fn what_the_user_likes_is_kept() {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&kept);
    let mut window = Harness::builder().with_size(SIZE).build_eframe(move |creation| {
        let session = Session::with_state(states::loaded());
        let prefs = Prefs { theme: ThemePreference::Dark, ..Prefs::default() };
        App::new(&creation.egui_ctx, session, prefs, Dialogs::scripted([]), Environment::default())
            .keeping_prefs(move |prefs| keep.borrow_mut().push(prefs.clone()))
    });
    settle(&mut window);
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    settle(&mut window);
    assert_eq!(window.ctx.theme(), Theme::Light);
    let last = kept.borrow().last().cloned().expect("something was kept");
    assert_eq!(last.theme, ThemePreference::Light);
    assert_eq!(last.recent, [std::path::PathBuf::from("/home/kim/messages")]);
    let times = kept.borrow().len();
    settle(&mut window);
    assert_eq!(kept.borrow().len(), times, "nothing is written while nothing changes");
}

#[test]
fn ticking_and_naming_a_task_edits_the_mapping() {
    let mut page = page::<DataPageView>(states::loaded(), data_ui);
    page.get_by_role_and_label(Role::CheckBox, "id is a task").click();
    settle(&mut page);
    let sent = page.state_mut().1.take();
    let [Action::Session(Command::Edit(Edit::SetMapping(mapping)))] = sent.as_slice() else {
        panic!("sent {sent:?}")
    };
    assert_eq!(mapping.tasks.last(), Some(&TaskColumn::named("id")));
    assert_eq!(mapping.text, "text");

    page.get_by_role_and_label(Role::TextInput, "Name of the task in topic").focus();
    settle(&mut page);
    page.get_by_role_and_label(Role::TextInput, "Name of the task in topic").type_text("_x");
    settle(&mut page);
    assert!(page.state().1.queued().is_empty(), "nothing is sent while typing");
    page.key_press(Key::Enter);
    settle(&mut page);
    let sent = page.state_mut().1.take();
    let [Action::Session(Command::Edit(Edit::SetMapping(mapping)))] = sent.as_slice() else {
        panic!("sent {sent:?}")
    };
    assert_eq!(mapping.tasks[0], TaskColumn { task: "topic_x".into(), ..TaskColumn::named("topic") });
}

#[test]
fn a_task_may_be_of_another_kind() {
    let mut page = page::<DataPageView>(states::loaded(), data_ui);
    page.get_by_role_and_label(Role::ComboBox, "Kind of the task in topic").click();
    settle(&mut page);
    page.get_by_role_and_label(Role::Button, "multi-label").click();
    settle(&mut page);
    let sent = page.state_mut().1.take();
    let [Action::Session(Command::Edit(Edit::SetMapping(mapping)))] = sent.as_slice() else {
        panic!("sent {sent:?}")
    };
    assert_eq!(mapping.tasks[0], TaskColumn::of_kind("topic", TaskKind::MultiLabel));
}

#[test]
fn the_data_page_shows_what_was_read() {
    let page = page::<DataPageView>(states::loaded(), data_ui);
    sees(&page, "train.csv");
    sees(&page, "2 rows with problems");
    sees(&page, "12 texts occur in train and in test");
    sees(&page, "3 classes, 107 rows without a label");
    sees(&page, "768");
    sees(&page, "683");
    sees(&page, "Lovely jacket, warm and light.");
}

#[test]
fn failures_say_what_to_do() {
    let mut data = page::<DataPageView>(states::failed(), data_ui);
    sees(&data, "line 14 has 3 cells, expected 4");
    data.get_by_role_and_label(Role::Button, "Skip rows that cannot be read").click();
    settle(&mut data);
    assert_eq!(data.state_mut().1.take(), [Action::from(Edit::SkipBadRows(true))]);

    let mut model = page::<ModelView>(states::failed(), model_ui);
    sees(&model, "model.safetensors ends after");
    model.get_by_role_and_label(Role::Button, "Use the default model").click();
    settle(&mut model);
    assert_eq!(model.state_mut().1.take(), [Action::UseDefaultModel]);
}

#[test]
fn a_text_can_be_tokenized_and_tensors_filtered() {
    let mut page = page::<ModelView>(states::loaded(), model_ui);
    sees(&page, "##free");
    sees(&page, "14 tokens: 101 138");
    page.get_by_role_and_label(Role::Button, "Tokenize").click();
    settle(&mut page);
    let text = "Unfreezing embeddings isn't magic.".to_owned();
    assert_eq!(page.state_mut().1.take(), [Action::from(Command::Tokenize(text))]);

    sees(&page, "52 of 52");
    page.get_by_role_and_label(Role::TextInput, "Filter by name or part").focus();
    settle(&mut page);
    page.get_by_role_and_label(Role::TextInput, "Filter by name or part").type_text("unused");
    settle(&mut page);
    sees(&page, "1 of 52");
    sees(&page, "pooler.dense.weight");
}

#[test]
fn the_export_page_proves_what_it_wrote() {
    let window = self::window(states::exported(), Page::Export);
    sees(&window, "equals what was trained, up to rounding");
    sees(&window, "9.50e-7");
    sees(&window, "model.safetensors");
    let window = self::window(states::loaded(), Page::Export);
    sees(&window, "Nothing to export yet");
    assert!(window.query_by_role_and_label(Role::Button, "Export\u{2026}").is_none());
    let train = window.get_all_by_role_and_label(Role::Button, "Train");
    assert_eq!(train.filter(|button| !button.accesskit_node().is_disabled()).count(), 2, "here and above");
}

#[test]
fn actions_say_why_they_are_not_possible() {
    use frostline::data::dataset::Split;
    let (empty, loading, failed, loaded) =
        (states::empty(), states::loading(), states::failed(), states::loaded());
    let (training, trained) = (states::training(), states::trained());
    assert_eq!(Action::Train.enabled(&empty), Err("Open data first, on the Data page"));
    assert_eq!(Action::Train.enabled(&loading), Err("The data are being read"));
    assert_eq!(Action::Train.enabled(&failed), Err("The data could not be read: see the Data page"));
    assert_eq!(Action::Train.enabled(&loaded), Ok(()));
    assert_eq!(Action::Train.enabled(&training), Err("A run is in progress"));
    let refused = State { plan: Some(Err("no epochs".into())), ..states::loaded() };
    assert_eq!(Action::Train.enabled(&refused), Err("no epochs"), "the plan's own reason is passed on");

    assert_eq!(Action::Stop.enabled(&loaded), Err("Nothing is running"));
    assert_eq!(Action::Stop.enabled(&training), Ok(()));
    assert_eq!(Action::Export.enabled(&loaded), Err("Train first: there is no run to export"));
    assert_eq!(Action::Export.enabled(&trained), Ok(()));
    assert_eq!(Action::Evaluate(Split::Test).enabled(&trained), Ok(()));
    assert!(Action::Evaluate(Split::Test).enabled(&training).is_err());
    assert_eq!(Action::Undo.enabled(&loaded), Err("There is no change to take back"));
    assert_eq!(Action::Undo.enabled(&training), Ok(()));
}

#[test]
fn no_two_actions_share_a_shortcut() {
    let mut seen = Vec::new();
    for action in Action::with_shortcut() {
        let shortcut = action.shortcut().expect("it is listed as having one");
        assert!(!seen.contains(&shortcut), "{action:?}");
        assert!(!action.label().is_empty() && !action.tooltip().is_empty(), "{action:?}");
        seen.push(shortcut);
    }
}
