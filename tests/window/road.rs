//! The whole road through the window, on the real session: from files to an exported folder, and every way of
//! giving it something wrong. Only the file dialogs answer from a script.
//!
//! Settings and data folders are named by the environment, so each test runs in a process of its own.
#![cfg(feature = "window")]
#![expect(clippy::expect_used, reason = "a broken fixture should stop the test")]
#![expect(clippy::print_stderr, reason = "why a part was skipped belongs in the test's output")]

use crate::support::own_process;
use crate::support::skip;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eframe::egui::{Key, Role, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use frostline::data::dataset::Split;
use frostline::session::Session;
use frostline::session::command::Command;
use frostline::session::state::{Loadable, Prediction as Said, RunOutcome, State};
use frostline::train::plan::preset::Preset;
use frostline::ui::actions::{Action, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::{Answer, Dialogs};
use frostline::ui::prefs::Prefs;

/// Tall, so that nothing has to be scrolled into sight.
const SIZE: Vec2 = Vec2::new(1280.0, 2600.0);
/// For any single piece of work on the tiny model, on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// Most stops of the Tab key on a page.
const MOST_TABS: usize = 400;
/// Set in the process in which a test's body runs; names the folder that is its home.
const HOME: &str = "FROSTLINE_TEST_HOME";

/// Runs a test's body in a process of its own, with settings and data folders of its own. The environment cannot
/// be changed safely in a process that has threads.
fn alone(test: &str, body: fn(&Path)) {
    if let Some(home) = std::env::var_os(HOME) {
        body(Path::new(&home));
        return;
    }
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = own_process::again(module_path!(), test)
        .env(HOME, home.path())
        .env("FROSTLINE_CONFIG_DIR", home.path().join("config"))
        .env("FROSTLINE_DATA_DIR", home.path().join("data"))
        .output()
        .expect("this program, once more");
    let words =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && words.contains("1 passed"), "{words}");
    eprintln!("{words}");
}

/// The app in a window without a screen.
struct Window(Harness<'static, App>);

impl Window {
    /// A window whose dialogs answer with these paths, in order.
    fn open<'a>(answers: impl IntoIterator<Item = &'a Path>) -> Self {
        let answers: Vec<Answer> =
            answers.into_iter().map(|path| Answer::Chosen(vec![path.to_path_buf()])).collect();
        let harness = Harness::builder().with_size(SIZE).build_eframe(move |creation| {
            let ctx = creation.egui_ctx.clone();
            let session = Session::start(move || ctx.request_repaint());
            let dialogs = Dialogs::scripted(answers);
            App::new(&creation.egui_ctx, session, Prefs::default(), dialogs, Environment::default())
        });
        let mut window = Self(harness);
        window.until("the devices are known", |state| !state.devices.is_empty());
        window
    }

    fn state(&self) -> &State {
        self.0.state().state()
    }

    fn settle(&mut self) {
        self.0.run_steps(6);
    }

    /// Draws frames until the state is as wanted.
    fn until(&mut self, what: &str, wanted: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.0.step();
            if wanted(self.state()) {
                break;
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}: {:#?}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        self.settle();
    }

    /// Every sentence of the session that is about something wrong.
    fn said(&self) -> Vec<String> {
        let state = self.state();
        let mut said: Vec<String> = state.notices.iter().map(|notice| notice.text.clone()).collect();
        if let Loadable::Failed(reason) = &state.data {
            said.push(reason.clone());
        }
        if let Loadable::Failed(reason) = &state.model {
            said.push(reason.clone());
        }
        if let Some(Err(reason)) = &state.plan {
            said.push(reason.clone());
        }
        said
    }

    fn sees(&self, text: &str) {
        let seen = self.0.query_all_by_label_contains(text).next().is_some();
        assert!(seen, "nothing says \"{text}\"; the session says {:#?}", self.said());
    }

    fn go_to(&mut self, page: Page) {
        self.0.get_by_role_and_label(Role::Tab, page.title()).click();
        self.settle();
        assert_eq!(self.0.state().page(), page);
    }

    /// Presses the first button of that name, which must be possible.
    fn press(&mut self, name: &str) {
        self.press_role(Role::Button, name);
    }

    fn press_role(&mut self, role: Role, name: &str) {
        let button = self.0.query_all_by_role_and_label(role, name).next();
        let Some(button) = button else { panic!("no \"{name}\"; the session says {:#?}", self.said()) };
        assert!(!button.accesskit_node().is_disabled(), "{name} is disabled; {:#?}", self.said());
        button.click();
        self.settle();
    }

    fn open_data(&mut self) {
        self.go_to(Page::Data);
        self.press("Open files\u{2026}");
        self.until("the files are read", |state| !matches!(state.data, Loadable::Loading));
    }

    fn open_model(&mut self) {
        self.go_to(Page::Model);
        self.press("Open a model folder\u{2026}");
        self.until("the model is loaded", |state| !matches!(state.model, Loadable::Loading));
    }

    /// Chooses a preset by its card and types the number of epochs.
    fn schedule(&mut self, preset: Preset, epochs: u32) {
        self.go_to(Page::Schedule);
        if self.state().project.recipe.preset != preset {
            self.press_role(Role::RadioButton, preset.title());
        }
        assert_eq!(self.state().project.recipe.preset, preset);
        self.type_into("Epochs", epochs);
        // The tiny model has 64 positions, fewer than the 128 tokens that a recipe begins with.
        self.type_into("Maximum length", 64);
        let recipe = &self.state().project.recipe;
        assert_eq!((recipe.epochs, recipe.max_length), (epochs, 64), "typed into the fields");
        assert!(matches!(self.state().plan, Some(Ok(_))), "{:#?}", self.said());
    }

    fn type_into(&mut self, field: &str, value: u32) {
        self.0.get_by_role_and_label(Role::SpinButton, field).focus();
        self.settle();
        self.0.event(eframe::egui::Event::Text(value.to_string()));
        self.settle();
        self.0.key_press(Key::Enter);
        self.settle();
    }

    /// Presses Train and waits for the run to end.
    fn train(&mut self) -> RunOutcome {
        let before = self.state().runs.len();
        self.press("Train");
        self.until("the run has ended", |state| {
            state.runs.len() > before && state.run.as_ref().is_some_and(|run| run.outcome.is_some())
        });
        self.state().run.as_ref().and_then(|run| run.outcome.clone()).expect("an outcome")
    }

    /// Walks to a control with the Tab key alone.
    fn tab_to(&mut self, role: Role, name: &str) {
        for _ in 0..MOST_TABS {
            let found = self.0.query_all_by_role_and_label(role, name).next();
            if found.is_some_and(|node| node.accesskit_node().is_focused()) {
                return;
            }
            self.0.key_press(Key::Tab);
            self.0.step();
        }
        panic!("Tab never came to {role:?} \"{name}\"; the session says {:#?}", self.said());
    }

    /// Walks to a control and presses it.
    fn key(&mut self, role: Role, name: &str) {
        self.tab_to(role, name);
        self.0.key_press(Key::Enter);
        self.settle();
    }

    /// Walks to a field and types a number into it.
    fn key_in(&mut self, field: &str, value: u32) {
        self.tab_to(Role::SpinButton, field);
        self.settle();
        self.0.event(eframe::egui::Event::Text(value.to_string()));
        self.settle();
        self.0.key_press(Key::Enter);
        self.settle();
    }

    /// Something else still works: the sound files are read and there is a plan.
    fn still_stands(&mut self, sound: &Path) {
        self.0.state_mut().ask(Action::from(frostline::session::command::Edit::SetFiles(vec![sound.into()])));
        self.settle();
        self.until("sound files are read", |state| state.data.ready().is_some());
        self.go_to(Page::Data);
        self.sees("tone is a task");
    }
}

fn tiny_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/bert")
}

/// A table of 60 short messages with two label columns.
fn messages(dir: &Path) -> PathBuf {
    let subjects = [("card", "billing"), ("flight", "travel"), ("hotel", "travel"), ("account", "billing")];
    let verdicts = [("was cancelled again", "bad"), ("works very well", "good")];
    let mut text = "text,topic,tone\n".to_owned();
    for row in 0..60 {
        let (subject, topic) = subjects[row % subjects.len()];
        let (verdict, tone) = verdicts[row / 2 % verdicts.len()];
        writeln!(text, "my {subject} number {row} {verdict},{topic},{tone}").expect("a string takes it");
    }
    write(dir, "messages.csv", &text)
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    fs::create_dir_all(dir).expect("a folder");
    let path = dir.join(name);
    fs::write(&path, text).expect("a file");
    path
}

/// A copy of the tiny model that can be damaged.
fn copied_model(to: &Path) -> PathBuf {
    fs::create_dir_all(to.join("1_Pooling")).expect("a folder");
    for name in [
        "config.json",
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "1_Pooling/config.json",
    ] {
        fs::copy(tiny_model().join(name), to.join(name)).expect("a copy");
    }
    to.to_path_buf()
}

fn is_finished(outcome: &RunOutcome) -> bool {
    matches!(outcome, RunOutcome::Finished)
}

#[test]
fn the_whole_road_once() {
    alone("the_whole_road_once", |home| {
        let (data, model, exported) = (messages(home), tiny_model(), home.join("exported"));
        let mut window = Window::open([data.as_path(), &model, &exported]);

        window.open_data();
        window.sees("topic is a task");
        window.sees("tone is a task");
        window.open_model();
        assert_eq!(window.state().model.ready().map(|model| model.layers), Some(3));

        window.schedule(Preset::FreezeBackbone, 2);
        assert!(is_finished(&window.train()), "{:#?}", window.said());
        window.schedule(Preset::Full, 2);
        assert!(is_finished(&window.train()), "{:#?}", window.said());
        assert_eq!(window.state().runs.len(), 2);
        let run = window.state().run.as_ref().expect("a run");
        assert_eq!(run.epochs.last().map(|epoch| epoch.epoch), Some(2));
        assert!(run.dir.join("report.json").is_file());
        let run_name = run.plan.name.clone();
        assert_eq!(window.0.state().page(), Page::Train);
        window.sees(&format!("{run_name} finished"));

        window.go_to(Page::Evaluate);
        window.press(Action::Evaluate(Split::Test).label());
        window.until("the test rows are measured", |state| state.evaluation.ready().is_some());
        window.sees("confusion matrix of topic");

        window.go_to(Page::Explore);
        window.press("Compare");
        window.until("sentences are compared", |state| state.similarity.ready().is_some());
        assert!(window.state().similarity.ready().is_some_and(|similarity| similarity.after.is_some()));
        window.press("Draw the map");
        window.until("the map is drawn", |state| state.map.ready().is_some());
        window.sees("map before fine-tuning");
        window.sees("map after fine-tuning");
        let mover = window.state().map.ready().and_then(|map| map.movers.first().copied()).expect("a mover");
        let row = window.state().map.ready().expect("a map").rows[mover.0];
        let text = window.state().data.ready().expect("data").dataset.text(row).to_owned();
        window.press(&text);
        window.until("its neighbours are found", |state| state.neighbours.ready().is_some());
        assert_eq!(window.state().neighbours.ready().map(|near| near.row), Some(row));
        window.press("Classify");
        window.until("a text is classified", |state| state.prediction.ready().is_some());
        let tasks = &window.state().prediction.ready().expect("a prediction").tasks;
        for (task, classes) in tasks {
            let Said::OneOf(classes) = classes else { panic!("{classes:?}") };
            let sum: f32 = classes.iter().map(|(_, probability)| probability).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{task}: {classes:?}");
        }

        window.go_to(Page::Export);
        window.press("Export\u{2026}");
        window.until("the model is exported", |state| {
            matches!(state.export, Loadable::Ready(_) | Loadable::Failed(_))
        });
        window.sees("Largest difference, embeddings");
        let report = window.state().export.ready().cloned().expect("a report");
        assert_eq!(report.dir, exported);
        assert!(report.max_difference < 1e-5 && report.max_logit_difference < 1e-5, "{report:?}");
        for file in ["model.safetensors", "config.json", "tokenizer.json", "modules.json", "README.md"] {
            assert!(exported.join(file).is_file(), "{file} is missing");
        }
    });
}

#[test]
fn the_whole_road_by_keyboard_alone() {
    alone("the_whole_road_by_keyboard_alone", |home| {
        let (data, model, exported) = (messages(home), tiny_model(), home.join("exported"));
        let mut window = Window::open([data.as_path(), &model, &exported]);
        window.key(Role::Tab, "Data");
        window.key(Role::Button, "Open files\u{2026}");
        window.until("the files are read", |state| state.data.ready().is_some());
        window.key(Role::Tab, "Model");
        window.key(Role::Button, "Open a model folder\u{2026}");
        window.until("the model is loaded", |state| state.model.ready().is_some());

        window.key(Role::Tab, "Schedule");
        window.key(Role::RadioButton, Preset::FreezeBackbone.title());
        window.key_in("Epochs", 2);
        window.key_in("Maximum length", 64);
        assert_eq!(window.state().project.recipe.preset, Preset::FreezeBackbone);
        assert_eq!((window.state().project.recipe.epochs, window.state().project.recipe.max_length), (2, 64));
        window.key(Role::Button, "Train");
        window.until("the run has ended", |state| {
            state.run.as_ref().is_some_and(|run| run.report.is_some() && run.outcome.is_some())
        });

        window.key(Role::Tab, "Evaluate");
        window.key(Role::Button, Action::Evaluate(Split::Test).label());
        window.until("the test rows are measured", |state| state.evaluation.ready().is_some());
        window.key(Role::Tab, "Explore");
        window.key(Role::Button, "Compare");
        window.until("sentences are compared", |state| state.similarity.ready().is_some());
        window.key(Role::Tab, "Export");
        window.key(Role::Button, "Export\u{2026}");
        window.until("the model is exported", |state| state.export.ready().is_some());
        assert!(exported.join("model.safetensors").is_file());
    });
}

#[test]
fn files_that_cannot_be_used_are_explained() {
    alone("files_that_cannot_be_used_are_explained", |home| {
        let sound = messages(home);
        let empty = write(home, "empty.csv", "");
        let one_class = write(
            home,
            "one_class.csv",
            &format!("text,topic\n{}", "my card was declined,billing\n".repeat(30)),
        );
        let (gone, model) = (home.join("gone.csv"), tiny_model());
        let mut window = Window::open([empty.as_path(), &gone, &model, &one_class]);

        window.open_data();
        window.sees("empty.csv is empty: it holds no record");
        window.still_stands(&sound);
        window.open_data();
        window.sees("gone.csv cannot be read");
        window.still_stands(&sound);
        window.open_model();
        window.open_data();
        window.sees("one class only, \"billing\": there is nothing to tell apart.");
        window.go_to(Page::Schedule);
        window.type_into("Maximum length", 64);
        window.sees("classification needs at least two");
        window.still_stands(&sound);
    });
}

#[test]
fn a_project_with_a_column_that_is_not_there_is_explained() {
    alone("a_project_with_a_column_that_is_not_there_is_explained", |home| {
        let sound = messages(home);
        let project = home.join("project");
        let text = "version = 1\nname = \"Moved\"\n\n[data]\ntext = \"message\"\n\n[[data.file]]\n\
                    path = \"../messages.csv\"\n\n[[data.task]]\ncolumn = \"topic\"\n";
        write(&project, "frostline.toml", text);
        let mut window = Window::open([]);
        window.0.state_mut().ask(Command::OpenProject(project));
        window.settle();
        window.until("the project is read", |state| matches!(state.data, Loadable::Failed(_)));
        window.go_to(Page::Data);
        window.sees("there is no column \"message\" for the text. The file has: text, topic, tone");
        window.press("Guess the columns anew");
        window.until("the data are read", |state| state.data.ready().is_some());
        window.sees("tone is a task");
        window.still_stands(&sound);

        let broken = home.join("broken");
        write(&broken, "frostline.toml", "version = \"one\"\n[data\n");
        window.0.state_mut().ask(Command::OpenProject(broken));
        window.settle();
        // The project that is open has changes: they are not thrown away without a question.
        window.sees("Save the changes of");
        window.press("Go on without saving");
        window.until("it is refused", |state| !state.notices.is_empty());
        window.sees("frostline.toml");
        window.still_stands(&sound);
    });
}

#[test]
fn models_that_cannot_be_used_are_explained() {
    alone("models_that_cannot_be_used_are_explained", |home| {
        let sound = messages(home);
        let no_config = home.join("photos");
        fs::create_dir_all(&no_config).expect("a folder");
        let truncated = copied_model(&home.join("truncated"));
        let weights = fs::read(truncated.join("model.safetensors")).expect("weights");
        fs::write(truncated.join("model.safetensors"), &weights[..weights.len() / 2]).expect("half of them");
        let unknown = copied_model(&home.join("unknown"));
        replace(&unknown.join("config.json"), "\"model_type\": \"bert\"", "\"model_type\": \"mamba\"");
        let unfit = copied_model(&home.join("unfit"));
        replace(&unfit.join("tokenizer.json"), "\"[MASK]\": 4", "\"[MASK]\": 4, \"far\": 90000");
        let model = tiny_model();
        let mut window = Window::open([no_config.as_path(), &truncated, &unknown, &unfit, &model]);
        window.still_stands(&sound);
        for told in [
            "photos has no config.json, so it is not a model folder",
            "model.safetensors is damaged or not a safetensors file",
            "says model_type \"mamba\"",
            "the tokenizer knows ids up to 90000, but the model has 272 embeddings",
        ] {
            window.open_model();
            window.sees(told);
            assert!(window.state().plan.is_none(), "nothing can be trained with that");
        }
        window.open_model();
        assert!(window.state().model.ready().is_some(), "{:#?}", window.said());
        window.go_to(Page::Schedule);
        window.until("the shorter cut is told", |state| {
            state.notices.iter().any(|notice| notice.text.contains("texts are cut at 64 tokens"))
        });
        assert!(matches!(window.state().plan, Some(Ok(_))), "{:#?}", window.said());
    });
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("a file of text");
    assert!(text.contains(from), "{} holds no {from}", path.display());
    fs::write(path, text.replacen(from, to, 1)).expect("the file again");
}

#[test]
fn a_folder_that_cannot_be_written_is_explained() {
    alone("a_folder_that_cannot_be_written_is_explained", |home| {
        let (data, model) = (messages(home), tiny_model());
        // A file lies where the folder would be: that stops even those whom permissions do not.
        let taken = write(home, "taken", "").join("project");
        let exported = home.join("taken/exported");
        let (kept, sound) = (home.join("kept"), home.join("sound"));
        let mut window = Window::open([data.as_path(), &model, &taken, &kept, &exported, &sound]);
        window.open_data();
        window.open_model();
        window.0.state_mut().ask(Action::SaveProjectAs);
        window.until("saving is refused", |state| !state.notices.is_empty());
        window.sees("a file lies where a folder is needed");
        assert_eq!(window.state().dir, None, "it is not taken for the project's folder");
        window.0.state_mut().ask(Action::SaveProjectAs);
        window.until("it is saved elsewhere", |state| state.dir.is_some());
        assert!(kept.join("frostline.toml").is_file());

        window.schedule(Preset::FreezeBackbone, 1);
        assert!(is_finished(&window.train()), "{:#?}", window.said());
        window.go_to(Page::Export);
        window.press("Export\u{2026}");
        window.until("the export is refused", |state| matches!(state.export, Loadable::Failed(_)));
        let Loadable::Failed(reason) = window.state().export.clone() else { unreachable!() };
        window.sees(&reason);
        assert!(reason.contains("taken"), "{reason}");
        window.press("Export\u{2026}");
        window.until("it is exported elsewhere", |state| state.export.ready().is_some());
        assert!(sound.join("model.safetensors").is_file());
    });
}

#[test]
fn a_run_whose_pretrained_model_is_gone_says_so_and_is_measured_once_it_is_back() {
    alone("a_run_whose_pretrained_model_is_gone_says_so_and_is_measured_once_it_is_back", |home| {
        let (data, model) = (messages(home), copied_model(&home.join("model")));
        let (project, exported) = (home.join("project"), home.join("exported"));
        let mut window = Window::open([data.as_path(), &model, &project]);
        window.open_data();
        window.open_model();
        window.0.state_mut().ask(Action::SaveProjectAs);
        window.until("it is saved", |state| state.dir.is_some());
        window.schedule(Preset::FreezeBackbone, 1);
        assert!(is_finished(&window.train()), "{:#?}", window.said());
        window.0.state_mut().ask(Action::SaveProject);
        window.until("it is saved again", |state| !state.dirty);
        drop(window);

        let away = home.join("away");
        fs::rename(&model, &away).expect("the model is moved");
        let mut window = Window::open([project.as_path(), &exported]);
        window.0.state_mut().ask(Action::OpenProject);
        window.until("the run is shown", |state| state.run.is_some() && state.data.ready().is_some());
        window.go_to(Page::Evaluate);
        window.press(Action::Evaluate(Split::Test).label());
        window.until("it is refused", |state| matches!(state.evaluation, Loadable::Failed(_)));
        let Loadable::Failed(reason) = window.state().evaluation.clone() else { unreachable!() };
        assert!(reason.contains("its pretrained model is not here any more"), "{reason}");
        assert!(reason.contains(&model.display().to_string()), "{reason}");
        window.sees(&reason);
        // The export is asked for by the same model.
        window.0.state_mut().ask(Action::Export);
        window.until("the export is refused", |state| matches!(state.export, Loadable::Failed(_)));
        assert!(matches!(&window.state().export, Loadable::Failed(told) if *told == reason));

        fs::rename(&away, &model).expect("the model is moved back");
        window.0.state_mut().ask(Action::Evaluate(Split::Test));
        window.until("it is measured", |state| state.evaluation.ready().is_some());
    });
}

#[cfg(unix)]
#[test]
fn a_read_only_project_is_explained() {
    use std::os::unix::fs::PermissionsExt as _;
    alone("a_read_only_project_is_explained", |home| {
        let (data, model, project) = (messages(home), tiny_model(), home.join("project"));
        let mut window = Window::open([data.as_path(), &model, &project]);
        window.open_data();
        window.open_model();
        window.0.state_mut().ask(Action::SaveProjectAs);
        window.until("it is saved", |state| state.dir.is_some());
        let lock =
            |mode| fs::set_permissions(&project, fs::Permissions::from_mode(mode)).expect("permissions");
        lock(0o555);
        if fs::write(project.join("probe"), "").is_ok() {
            skip::skip("this user (root?) may write into read-only folders");
            return;
        }
        window.schedule(Preset::FreezeBackbone, 1);
        window.press("Train");
        window.until("the run is refused", |state| !state.notices.is_empty() && !state.is_training());
        window.sees("project");
        lock(0o755);
        assert!(is_finished(&window.train()), "{:#?}", window.said());
    });
}

#[test]
fn a_run_is_stopped_in_its_first_batches() {
    alone("a_run_is_stopped_in_its_first_batches", |home| {
        let (data, model) = (messages(home), tiny_model());
        let mut window = Window::open([data.as_path(), &model]);
        window.open_data();
        window.open_model();
        window.schedule(Preset::Full, 1000);
        window.press("Train");
        window.until("the first batch is done", |state| {
            state.run.as_ref().is_some_and(|run| run.outcome.is_none() && !run.steps.is_empty())
        });
        window.press("Stop");
        window.until("it is stopped", |state| !state.is_training());
        let run = window.state().run.as_ref().expect("a run");
        assert!(matches!(run.outcome, Some(RunOutcome::Stopped { .. })), "{:?}", run.outcome);
        assert!(run.steps.len() < 500, "stopped after {} steps", run.steps.len());
        window.sees("stopped at step");
        // What it learnt is kept, and the next run can start at once.
        window.schedule(Preset::FreezeBackbone, 1);
        assert!(is_finished(&window.train()), "{:#?}", window.said());
    });
}

#[test]
fn a_paused_run_is_gone_on_with_after_a_restart() {
    alone("a_paused_run_is_gone_on_with_after_a_restart", |home| {
        let (data, model, project) = (messages(home), tiny_model(), home.join("project"));
        let mut window = Window::open([data.as_path(), &model, &project]);
        window.open_data();
        window.open_model();
        window.schedule(Preset::Full, 60);
        window.0.state_mut().ask(Action::SaveProjectAs);
        window.until("it is saved", |state| state.dir.is_some());
        window.press("Train");
        window.until("an epoch is done", |state| {
            state.run.as_ref().is_some_and(|run| run.outcome.is_none() && run.epochs.len() > 1)
        });
        window.press("Pause");
        window.until("it is paused", |state| !state.is_training());
        let run = window.state().run.clone().expect("a run");
        let Some(RunOutcome::Paused { at_step }) = run.outcome else { panic!("{:?}", run.outcome) };
        window.sees(&format!("Paused at step {at_step} of "));
        drop(window);

        // By the program in another process, on a copy; and in another window.
        let copy = home.join("copy");
        copy_all(&project, &copy);
        let resumed = std::process::Command::new(env!("CARGO_BIN_EXE_frostline"))
            .args(["train", "--resume", "--trust-paths"])
            .arg(&copy)
            .output()
            .expect("the program");
        assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
        let mut window = Window::open([]);
        window.0.state_mut().ask(Command::OpenProject(project.clone()));
        window.until("the run is shown", |state| state.run.is_some() && state.plan.is_some());
        window.go_to(Page::Train);
        window.press("Resume");
        window.until("it has ended", |state| {
            state.run.as_ref().is_some_and(|run| run.outcome == Some(RunOutcome::Finished))
        });
        let gone_on = window.state().run.clone().expect("a run");
        assert_eq!(gone_on.resumed_at, Some(at_step));
        let steps: Vec<usize> = gone_on.steps.iter().map(|point| point.step).collect();
        assert_eq!(
            steps,
            (1..=gone_on.plan.total_steps()).collect::<Vec<_>>(),
            "no step twice, none missing"
        );
        assert!(is_finished(&window.train()), "{:#?}", window.said());
        let whole = window.state().run.clone().expect("a run");

        let name = Path::new("runs").join(&run.plan.name).join("checkpoints/best.safetensors");
        let bytes = |path: &Path| fs::read(path).expect("weights");
        let wanted = bytes(&whole.dir.join("checkpoints/best.safetensors"));
        assert!(bytes(&project.join(&name)) == wanted, "the window came to other weights");
        assert!(bytes(&copy.join(&name)) == wanted, "the program came to other weights");
    });
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}
