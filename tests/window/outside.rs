//! The window asks before it touches anything outside the folder of a project that came from elsewhere.
#![cfg(feature = "window")]
#![expect(clippy::expect_used, reason = "a broken fixture should stop the test")]

use std::fs;
use std::path::{Path, PathBuf};

use eframe::egui::{Role, ThemePreference, Vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use frostline::project::trust::Trust;
use frostline::project::unsaved::Unsaved;
use frostline::project::{DataFile, Project};
use frostline::session::Session;
use frostline::session::command::Command;
use frostline::session::state::State;
use frostline::ui::actions::Action;
use frostline::ui::app::{App, Environment};
use frostline::ui::autosave::{Keep, Unsaveds};
use frostline::ui::dialogs::{Answer, Dialogs};
use frostline::ui::prefs::Prefs;

const SIZE: Vec2 = Vec2::new(960.0, 600.0);
const HEADING: &str = "This project reads files outside its folder";
/// Mesa's software Vulkan driver.
const RASTERISER: &str = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

/// A project on a text file of the user's, and the folder of a user who never saw it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(place.project()).expect("a folder");
        fs::write(
            place.project().join("frostline.toml"),
            "name = \"Theirs\"\n[[data.file]]\npath = \"../secret.csv\"\n",
        )
        .expect("a project");
        fs::write(place.0.path().join("secret.csv"), "text,label\na,b\n").expect("a file");
        place
    }

    fn project(&self) -> PathBuf {
        self.0.path().join("project")
    }

    fn trust(&self) -> Trust {
        Trust::at(&self.0.path().join("config"))
    }

    /// A window that asks, with changes that a crash left behind.
    fn window_with(
        &self,
        found: Option<Unsaved>,
        kept: std::rc::Rc<std::cell::RefCell<Vec<String>>>,
    ) -> Harness<'static, App> {
        let (trust, project) = (self.trust(), self.project());
        let keep = Box::new(move |what: Keep<'_>| kept.borrow_mut().push(format!("{what:?}")));
        Harness::builder().with_size(SIZE).build_eframe(move |creation| {
            let session = Session::with_state(State::default());
            let dialogs = Dialogs::scripted([Answer::Chosen(vec![project])]);
            App::new(&creation.egui_ctx, session, Prefs::default(), dialogs, Environment::default())
                .keeping_unsaved(Unsaveds { keep, found })
                .asking_about_paths(trust)
        })
    }

    fn window(&self) -> Harness<'static, App> {
        let mut window = self.window_with(None, std::rc::Rc::default());
        window.run_steps(6);
        window
    }
}

fn ask(window: &mut Harness<'static, App>, action: impl Into<Action>) {
    window.state_mut().ask(action);
    window.run_steps(6);
}

fn press(window: &mut Harness<'static, App>, label: &str) {
    let is_it = |node: &egui_kittest::Node<'_>| node.accesskit_node().role() == Role::Button;
    // The last: the page below may have one of that name, too.
    window.query_all_by_label(label).rfind(is_it).expect("a button").click();
    window.run_steps(6);
}

fn sees(window: &Harness<'static, App>, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

fn dir<'a>(window: &'a Harness<'static, App>) -> Option<&'a Path> {
    window.state().state().dir.as_deref()
}

#[test]
fn a_strangers_project_opens_only_once_its_user_agrees() {
    let place = Place::new();
    let mut window = place.window();
    // By the dialog, from the list of recent ones, and by dropping it: all of them ask.
    ask(&mut window, Action::OpenProject);
    assert!(sees(&window, HEADING) && sees(&window, "secret.csv"));
    press(&mut window, "Cancel");
    assert!(!sees(&window, HEADING) && dir(&window).is_none());

    ask(&mut window, Command::OpenProject(place.project()));
    assert!(sees(&window, HEADING) && dir(&window).is_none());
    press(&mut window, "Read these files");
    assert!(!sees(&window, HEADING));
    assert_eq!(dir(&window), Some(place.project().as_path()));

    // Once: here, and in the next window.
    let mut window = place.window();
    ask(&mut window, Command::OpenProject(place.project()));
    assert_eq!(dir(&window), Some(place.project().as_path()));
}

#[test]
fn an_answer_that_cannot_be_written_down_is_taken_all_the_same() {
    let place = Place::new();
    // A file in the way of the folder of settings.
    fs::write(place.0.path().join("config"), "").expect("a file");
    let mut window = place.window();
    ask(&mut window, Command::OpenProject(place.project()));
    press(&mut window, "Read these files");
    assert_eq!(dir(&window), Some(place.project().as_path()));
    assert!(sees(&window, "is not remembered"));
    assert!(sees(&window, "confirmed-paths.toml: a file lies where a folder is needed"));
    assert!(sees(&window, "FROSTLINE_CONFIG_DIR") && !sees(&window, "Save the project"));
}

#[test]
fn what_goes_wrong_around_the_project_is_told_in_the_window() {
    let (sender, complaints) = crossbeam_channel::unbounded();
    let mut window = Harness::builder().with_size(SIZE).build_eframe(move |creation| {
        let session = Session::with_state(State::default());
        let dialogs = Dialogs::scripted([]);
        App::new(&creation.egui_ctx, session, Prefs::default(), dialogs, Environment::default())
            .keeping_prefs(move |_| drop(sender.send("Settings are not remembered: no room".into())))
            .hearing(complaints)
    });
    window.run_steps(6);
    ask(&mut window, Action::SetZoom(1.25));
    assert!(sees(&window, "Settings are not remembered: no room"));
}

#[test]
fn what_is_chosen_and_saved_in_the_window_is_agreed_to() {
    let place = Place::new();
    let mut window = place.window();
    let mine = place.0.path().join("mine");
    let files = vec![DataFile::new(place.0.path().join("secret.csv"))];
    let project = Project { files, model: Some(place.0.path().join("model")), ..Project::default() };
    ask(&mut window, Command::NewProject(Box::new(project)));
    ask(&mut window, Command::SaveProject(Some(mine.clone())));
    assert_eq!(dir(&window), Some(mine.as_path()));
    assert_eq!(place.trust().unconfirmed(&mine), Ok(Vec::new()));
    assert_eq!(place.trust().unconfirmed(&place.project()).map(|paths| paths.len()), Ok(1));
}

#[test]
fn a_run_that_came_into_the_folder_later_is_asked_about() {
    let place = Place::new();
    let mut window = place.window();
    ask(&mut window, Command::OpenProject(place.project()));
    press(&mut window, "Read these files");
    let run = place.project().join("runs/theirs");
    fs::create_dir_all(&run).expect("a folder");
    fs::write(run.join("run.toml"), "model = \"../other\"\n").expect("a plan");
    ask(&mut window, Command::ShowRun("theirs".into()));
    assert!(sees(&window, HEADING) && sees(&window, "pretrained model of run theirs"));
    press(&mut window, "Cancel");
    assert!(!sees(&window, HEADING));
}

#[test]
fn a_device_is_refused_without_a_question() {
    let place = Place::new();
    fs::write(place.project().join("frostline.toml"), "model = '\\\\.\\PhysicalDrive0'\n")
        .expect("a project");
    let mut window = place.window();
    ask(&mut window, Command::OpenProject(place.project()));
    assert!(sees(&window, "a device") && !sees(&window, HEADING) && dir(&window).is_none());
}

/// Whatever the program is started with, the window opens and says what is wrong with it.
#[test]
fn what_is_no_project_is_told_in_the_window() {
    let place = Place::new();
    let (empty, damaged) = (place.0.path().join("empty"), place.0.path().join("damaged"));
    fs::create_dir(&empty).expect("a folder");
    fs::create_dir(&damaged).expect("a folder");
    fs::write(damaged.join("frostline.toml"), "name = [").expect("a file");
    let mut cases = vec![
        (place.0.path().join("nowhere"), "there is no frostline.toml in"),
        (place.0.path().join("secret.csv"), "there is no frostline.toml in"),
        (empty, "there is no frostline.toml in"),
        (damaged, "frostline.toml, line 1"),
    ];
    #[cfg(unix)]
    {
        cases.push(("/dev/null".into(), "there is no frostline.toml in /dev/null"));
        let linked = place.0.path().join("linked");
        fs::create_dir(&linked).expect("a folder");
        std::os::unix::fs::symlink("/dev/zero", linked.join("frostline.toml")).expect("a link");
        cases.push((linked, "cannot read"));
    }
    for (path, words) in cases {
        let mut window = place.window();
        ask(&mut window, Command::OpenProject(path.clone()));
        assert!(sees(&window, words), "{}: nothing says {words}", path.display());
        assert!(dir(&window).is_none() && !sees(&window, HEADING), "{}", path.display());
    }
}

#[test]
fn changes_that_a_crash_left_wait_for_the_answer() {
    let place = Place::new();
    let found = || Some(Unsaved { project: Project::default(), dir: Some(place.project()) });
    let kept = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let mut window = place.window_with(found(), kept.clone());
    // What the program was started with waits behind the first question, and is not opened over what is brought back.
    ask(&mut window, Command::OpenProject(place.project()));
    press(&mut window, "Bring them back");
    assert!(sees(&window, HEADING) && kept.borrow().is_empty());
    press(&mut window, "Cancel");
    assert_eq!(*kept.borrow(), ["SetAside"]);
    assert!(dir(&window).is_none() && !sees(&window, HEADING));

    let mut window = place.window_with(found(), std::rc::Rc::default());
    ask(&mut window, Command::OpenProject(place.project()));
    press(&mut window, "Later");
    assert!(sees(&window, HEADING) && dir(&window).is_none());
    press(&mut window, "Read these files");
    assert_eq!(dir(&window), Some(place.project().as_path()));
}

#[test]
fn the_question_looks_as_it_did() {
    if !Path::new(RASTERISER).exists() {
        crate::support::skip::skip(&format!("there is no software rasteriser ({RASTERISER})"));
        return;
    }
    let place = Place::new();
    let paths =
        [r"'\\files.example\team\model'", "'/home/kim/.ssh/id_ed25519'", "'/home/kim/mail/archive.csv'"];
    let [model, key, mail] = paths;
    let text = format!("model = {model}\n[[data.file]]\npath = {key}\n[[data.file]]\npath = {mail}\n");
    fs::write(place.project().join("frostline.toml"), text).expect("a project");
    let mut results = SnapshotResults::new();
    for (theme, name) in [(ThemePreference::Dark, "outside_dark"), (ThemePreference::Light, "outside_light")]
    {
        let (trust, project) = (place.trust(), place.project());
        let mut harness = Harness::builder().with_size(SIZE).wgpu().build_eframe(move |creation| {
            let session = Session::with_state(State::default());
            let prefs = Prefs { theme, ..Prefs::default() };
            let dialogs = Dialogs::scripted([]);
            let mut app = App::new(&creation.egui_ctx, session, prefs, dialogs, Environment::default())
                .asking_about_paths(trust);
            app.ask(Action::SetTheme(theme));
            app.ask(Command::OpenProject(project));
            app
        });
        harness.run_steps(8);
        let options = SnapshotOptions::new().threshold(0.6).max_failed_pixels(60);
        results.add(harness.try_snapshot_options(name, &options));
    }
}
