//! Models by name in the window: what the card says and sends, and the road from a name to a loaded model, against a
//! hub on this machine.
#![cfg(feature = "window")]
#![expect(clippy::expect_used, reason = "a broken fixture should stop the test")]

use crate::support::states;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::hub_server::{Answer, HubServer, Model};
use eframe::egui::{Key, Role, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use frostline::hub::{Hub, HubConfig, Timeouts};
use frostline::session::Session;
use frostline::session::command::{Command, Edit, HubCommand};
use frostline::session::state::{DownloadEnd, Loadable, State};
use frostline::ui::actions::{Action, Actions, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::Dialogs;
use frostline::ui::panels::model::{ModelView, model_ui};
use frostline::ui::prefs::Prefs;
use frostline::ui::theme;

/// Tall, so that nothing has to be scrolled into sight.
const SIZE: Vec2 = Vec2::new(1120.0, 2000.0);
/// For any single piece of work on the tiny model, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

fn settle<S>(harness: &mut Harness<'_, S>) {
    harness.run_steps(6);
}

fn sees<S>(harness: &Harness<'_, S>, text: &str) {
    assert!(harness.query_all_by_label_contains(text).next().is_some(), "nothing says: {text}");
}

/// The page alone, with the actions that it sends.
fn page(state: State) -> Harness<'static, (ModelView, Actions)> {
    let mut harness = Harness::builder().with_size(SIZE).with_context_setup(theme::apply).build_ui_state(
        move |ui, (view, actions): &mut (ModelView, Actions)| model_ui(ui, &state, view, actions),
        (ModelView::default(), Actions::default()),
    );
    settle(&mut harness);
    harness
}

fn press(page: &mut Harness<'_, (ModelView, Actions)>, button: &str) -> Vec<Action> {
    page.get_by_role_and_label(Role::Button, button).click();
    settle(page);
    page.state_mut().1.take()
}

fn hub(command: HubCommand) -> Vec<Action> {
    vec![Action::from(Command::Hub(command))]
}

#[test]
fn a_name_is_looked_up_only_when_asked() {
    for state in [states::empty(), states::loaded(), states::failed()] {
        let mut page = page(state);
        let button = page.get_by_role_and_label(Role::Button, "Look up");
        assert!(button.accesskit_node().is_disabled(), "there is no name yet");
        page.get_by_role_and_label(Role::TextInput, "Name on the hub").focus();
        settle(&mut page);
        page.get_by_role_and_label(Role::TextInput, "Name on the hub").type_text("org/small");
        settle(&mut page);
        assert!(page.state().1.queued().is_empty(), "nothing is sent while typing");
        page.key_press(Key::Enter);
        settle(&mut page);
        let asked = hub(HubCommand::LookUp("org/small".into()));
        assert_eq!(page.state_mut().1.take(), asked);
        assert_eq!(press(&mut page, "Look up"), asked);
    }
}

#[test]
fn what_was_found_is_shown_before_it_is_fetched() {
    let mut page = page(states::hub::found(states::empty()));
    sees(&page, "438.7 MB in 11 files");
    sees(&page, "apache-2.0");
    assert_eq!(press(&mut page, "Download and use"), hub(HubCommand::Download));
    page.get_by_label("Files to be fetched").click();
    settle(&mut page);
    sees(&page, "1_Pooling/config.json");

    let mut page = self::page(states::hub::whole(states::loaded()));
    sees(&page, "yes, all of it");
    assert_eq!(press(&mut page, "Use this model"), hub(HubCommand::Download));
}

#[test]
fn a_download_shows_how_far_it_is_and_can_be_cancelled() {
    let mut page = page(states::hub::downloading(states::loaded()));
    sees(&page, "180.1 MB of 438.7 MB, 11.2 MB/s, about 23 s left: model.safetensors");
    assert!(page.query_by_role_and_label(Role::Button, "Download and use").is_none());
    assert_eq!(press(&mut page, "Cancel"), hub(HubCommand::Cancel));

    let mut page = self::page(states::hub::failed(states::failed()));
    sees(&page, "180.1 MB of it; 258.6 MB to fetch");
    sees(&page, "What was fetched is kept: download again to go on");
    assert_eq!(press(&mut page, "Try again"), hub(HubCommand::Download));
}

#[test]
fn a_model_of_the_cache_is_chosen_from_the_list() {
    let mut page = page(states::hub::found(states::empty()));
    sees(&page, "134.5 MB");
    let folder = "/home/kim/.cache/huggingface/hub/BAAI/bge-small-en-v1.5";
    assert_eq!(press(&mut page, "Use BAAI/bge-small-en-v1.5"), [Action::from(Edit::SetModel(folder.into()))]);
    let missing = HubCommand::LookUp("intfloat/e5-large-v2".into());
    assert_eq!(press(&mut page, "Complete intfloat/e5-large-v2"), hub(missing));
}

/// The app on the real session, a hub on this machine and a cache of its own.
struct Window {
    harness: Harness<'static, App>,
    server: HubServer,
    dir: tempfile::TempDir,
}

impl Window {
    fn open() -> Self {
        let (server, dir) = (HubServer::start(), tempfile::tempdir().expect("a folder"));
        let bert = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/bert");
        let readme = "---\nlicense: apache-2.0\n---\n";
        server.has("org/tiny", Model::of_folder(&bert).file("README.md", readme).file("tf_model.h5", "x"));
        let place = HubConfig {
            cache: dir.path().join("hub"),
            endpoint: server.address().parse().expect("an address"),
            token: None,
            offline: false,
            certificates: Vec::new(),
        };
        let harness = Harness::builder().with_size(SIZE).build_eframe(move |creation| {
            let ctx = creation.egui_ctx.clone();
            let mut session = Session::start(move || ctx.request_repaint());
            session.use_hub(Hub::at(place, Timeouts::default()));
            let dialogs = Dialogs::scripted([]);
            App::new(&creation.egui_ctx, session, Prefs::default(), dialogs, Environment::default())
        });
        let mut window = Self { harness, server, dir };
        window.until("the devices are known", |state| !state.devices.is_empty());
        window.harness.get_by_role_and_label(Role::Tab, Page::Model.title()).click();
        settle(&mut window.harness);
        window
    }

    fn state(&self) -> &State {
        self.harness.state().state()
    }

    fn until(&mut self, what: &str, wanted: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.harness.step();
            if wanted(self.state()) {
                break;
            }
            let (hub, model) = (&self.state().hub, &self.state().model);
            assert!(Instant::now() < deadline, "waited in vain until {what}: {hub:#?} {model:#?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        settle(&mut self.harness);
    }

    fn press(&mut self, button: &str) {
        let found = self.harness.get_by_role_and_label(Role::Button, button);
        assert!(!found.accesskit_node().is_disabled(), "{button} is disabled");
        found.click();
        settle(&mut self.harness);
    }

    fn look_up(&mut self, name: &str) {
        self.harness.get_by_role_and_label(Role::TextInput, "Name on the hub").focus();
        settle(&mut self.harness);
        self.harness.key_press_modifiers(eframe::egui::Modifiers::COMMAND, Key::A);
        self.harness.get_by_role_and_label(Role::TextInput, "Name on the hub").type_text(name);
        settle(&mut self.harness);
        self.press("Look up");
        self.until("the hub answered", |state| state.hub.offer != Loadable::Loading);
    }
}

#[test]
fn from_a_name_to_a_loaded_model() {
    let mut window = Window::open();
    assert!(window.server.requests().is_empty(), "nobody is asked before the user asks");
    window.look_up("org/tyni");
    sees(&window.harness, "has no model org/tyni, or it is private. Check the spelling");
    window.look_up("org/tiny");
    sees(&window.harness, "apache-2.0");
    sees(&window.harness, "In the cache");
    assert!(!window.dir.path().join("hub").exists(), "looking up fetches nothing");

    // The first attempt breaks off for good; what is wrong stays in sight, and the next goes on.
    window.server.misbehaves(|request, right| {
        (request.is_transfer() || request.is_for("tokenizer.json"))
            .then(|| if request.is_transfer() { Answer::status(500) } else { right.clone() })
    });
    window.press("Download and use");
    window.until("the download failed", |state| !state.hub.is_downloading());
    sees(&window.harness, "answers with status 500");
    window.server.behaves();
    window.press("Try again");
    window.until("the model is loaded", |state| matches!(state.model, Loadable::Ready(_)));
    window.until("the download ended", |state| !state.hub.is_downloading());
    let state = window.state();
    let model = state.model.ready().expect("it is loaded");
    assert!(model.path.starts_with(window.dir.path().join("hub/models--org--tiny/snapshots")));
    assert_eq!(state.project.model.as_ref(), Some(&model.path));
    assert_eq!(model.origin.licence.as_deref(), Some("apache-2.0"));
    assert!(!model.path.join("tf_model.h5").exists());
    assert!(state.notices.iter().any(|notice| notice.text.contains("is the project's model now")));
    window.until("the cache was looked through", |state| {
        state.hub.models.ready().is_some_and(|all| all.len() == 1)
    });
    let row = window.harness.get_by_role_and_label(Role::Button, "In use org/tiny");
    assert!(row.accesskit_node().is_disabled());
}

#[test]
fn a_download_that_stalls_is_cancelled_and_the_window_lives_on() {
    let mut window = Window::open();
    window.look_up("org/tiny");
    window
        .server
        .misbehaves(|request, right| request.is_transfer().then(|| right.clone().stalled_after(1000)));
    window.press("Download and use");
    window.until("some bytes came", |state| {
        state.hub.download.as_ref().is_some_and(|it| it.progress.done > 1000)
    });
    window.press("Cancel");
    window.until("it was cancelled", |state| !state.hub.is_downloading());
    // The server is still silent: waiting for it would have ended as a failure.
    let end = window.state().hub.download.as_ref().and_then(|download| download.end.clone());
    assert_eq!(end, Some(DownloadEnd::Cancelled));
    sees(&window.harness, "The download of org/tiny was cancelled.");
    window.server.behaves();
    window.press("Download and use");
    window.until("the model is loaded", |state| matches!(state.model, Loadable::Ready(_)));
}
