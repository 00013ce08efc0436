//! A project on a tiny model, and runs of it through the session.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use frostline::project::{DataFile, Project};
use frostline::session::Session;
use frostline::session::command::Command;
use frostline::session::state::{RunOutcome, RunReport, RunView, Severity};
use frostline::train::plan::preset::Preset;
use frostline::train::plan::recipe::Recipe;

pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) fn tiny_model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
}

/// Rows whose labels can be learnt from words; the second task lacks a third of its labels.
pub(crate) fn csv(rows: usize) -> String {
    let openings = ["the train", "a card", "my account", "this recipe", "our test", "the bank"];
    let feelings = [("was cancelled", "bad"), ("starts tomorrow", "plain"), ("was wonderful", "good")];
    let mut text = String::from("text,topic,mood\n");
    for row in 0..rows {
        let topic = row % openings.len();
        let (words, mood) = feelings[(row / openings.len()) % feelings.len()];
        let mood = if row % 3 == 2 { "" } else { mood };
        let (opening, class) = (openings[topic], ["go", "pay", "eat"][topic % 3]);
        writeln!(text, "{opening} {words} number {row},{class},{mood}").expect("memory");
    }
    text
}

/// libtorch has one random generator per process, and the program one worker: the tests take turns.
pub(crate) static TURN: Mutex<()> = Mutex::new(());

pub(crate) struct Place {
    _turn: MutexGuard<'static, ()>,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) session: Session,
}

/// A saved project on the tiny model, loaded and ready.
pub(crate) fn place(model: &str, recipe: Recipe) -> Place {
    place_on(&tiny_model(model), recipe)
}

/// The same on the model of a folder.
pub(crate) fn place_on(model: &Path, recipe: Recipe) -> Place {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data.csv");
    std::fs::write(&data, csv(90)).expect("rows");
    let project = Project {
        name: "tiny".into(),
        files: vec![DataFile::new(data)],
        model: Some(model.to_owned()),
        recipe,
        ..Project::default()
    };
    let home = dir.path().join("project");
    std::fs::create_dir(&home).expect("a project folder");
    project.save(&home).expect("the project file");
    let mut session = Session::start(|| {});
    session.send(Command::OpenProject(home));
    let mut place = Place { _turn: turn, dir, session };
    place.settle();
    place
}

impl Place {
    /// Waits until nothing is queued or running.
    pub(crate) fn settle(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.session.is_idle() {
            assert!(Instant::now() < deadline, "still at work: {:?}", self.session.state().busy);
            self.session.wait(Duration::from_millis(50));
        }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(crate) fn train(&mut self) -> RunView {
        self.session.send(Command::Train { name: None });
        self.settle();
        self.session
            .state()
            .run
            .clone()
            .unwrap_or_else(|| panic!("no run: {:?}", self.session.state().notices))
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        let notices = self.session.state().notices.iter();
        notices
            .filter(|notice| notice.severity == Severity::Error)
            .map(|notice| notice.text.clone())
            .collect()
    }
}

pub(crate) fn recipe(preset: Preset) -> Recipe {
    let mut recipe = Recipe { batch_size: 16, max_length: 32, ..Recipe::default() };
    recipe.choose(preset);
    recipe.epochs = recipe.epochs.min(4);
    recipe
}

pub(crate) fn report(run: &RunView) -> Arc<RunReport> {
    assert_eq!(run.outcome, Some(RunOutcome::Finished));
    run.report.clone().expect("a report")
}

/// Rows of which every thirteenth says another topic than its words do.
pub(crate) fn with_wrong_labels(rows: usize) -> String {
    let wrong = |(line, text): (usize, &str)| {
        let other = [(",go,", ",pay,"), (",pay,", ",eat,"), (",eat,", ",go,")];
        let swap = other.iter().find(|(is, _)| text.contains(is)).filter(|_| line % 13 == 5);
        swap.map_or_else(|| text.to_owned(), |(is, other)| text.replacen(is, other, 1))
    };
    csv(rows).lines().enumerate().map(wrong).collect::<Vec<_>>().join("\n")
}

/// A project on such rows, with settings that learn its words in seconds.
pub(crate) fn mislabelled() -> Place {
    let recipe =
        Recipe { epochs: 12, lr_encoder: 1e-3, lr_heads: 3e-2, batch_size: 16, ..recipe(Preset::Full) };
    let mut place = place("bert", recipe);
    std::fs::write(place.dir.path().join("data.csv"), with_wrong_labels(240)).expect("rows");
    place.session.send(Command::ReloadData);
    place.settle();
    place
}
