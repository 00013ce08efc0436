//! What a frame costs on the processor: layout and tessellation of every page, with a real project loaded, a real run
//! measured and a history of 200,000 steps. `cargo xtask bench --only window` runs it; it judges nothing, hence ignored.
//!
//! `FROSTLINE_FRAMES_PROJECT` names the project; without it the demo is taken.
#![cfg(feature = "window")]
#![expect(clippy::expect_used, clippy::panic, reason = "a measurement ends where its ground is missing")]

#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, Event, RawInput, Rect, ThemePreference, pos2, vec2};
use frostline::data::dataset::Split;
use frostline::project::Project;
use frostline::project::demo::default_model_dir;
use frostline::session::Session;
use frostline::session::command::Command;
use frostline::session::state::{Loadable, State};
use frostline::train::metrics::StepPoint;
use frostline::train::plan::preset::Preset;
use frostline::ui::actions::{Action, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::Dialogs;
use frostline::ui::prefs::Prefs;

const STEPS: usize = 200_000;
const WARM_UP: usize = 30;
const FRAMES: usize = 300;
const PATIENCE: Duration = Duration::from_mins(30);

fn until(session: &mut Session, what: &str, holds: impl Fn(&State) -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds(session.state()) {
        session.wait(Duration::from_millis(50));
        if let Loadable::Failed(reason) = &session.state().data {
            panic!("{reason}");
        }
        assert!(Instant::now() < until, "{what} takes too long");
    }
}

/// A project with everything in it that a page can show.
fn full_state(workshop: &Path) -> State {
    let source = std::env::var_os("FROSTLINE_FRAMES_PROJECT")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo"), PathBuf::from);
    let mut project = Project::load(&source).expect("a project");
    project.model = project.model.or_else(default_model_dir);
    project.recipe.choose(Preset::FreezeBackbone);
    project.recipe.epochs = 3;
    project.save(workshop).expect("a copy of the project");
    let mut session = Session::start(|| {});
    session.send(Command::OpenProject(workshop.to_owned()));
    until(&mut session, "opening", |state| {
        matches!(state.plan, Some(Ok(_))) && state.lengths.ready().is_some() && !state.devices.is_empty()
    });
    session.send(Command::Train { name: None });
    until(&mut session, "training", |state| state.run.as_ref().is_some_and(|run| run.report.is_some()));
    session.send(Command::Evaluate(Split::Test));
    until(&mut session, "measuring", |state| state.evaluation.ready().is_some());
    let texts = ["Where is my parcel?", "It has not come.", "I love the colour.", "Please refund me."];
    session.send(Command::Similarity(texts.map(str::to_owned).to_vec()));
    session.send(Command::Map { limit: 2000 });
    until(&mut session, "mapping", |state| state.map.ready().is_some() && state.similarity.ready().is_some());
    session.send(Command::Export(workshop.join("exported")));
    until(&mut session, "exporting", |state| state.export.ready().is_some());

    let mut state = session.state().clone();
    if let Some(run) = &mut state.run {
        let (first, epochs) = (run.steps.first().cloned().expect("a step"), f64::from(run.plan.epochs()));
        run.steps = (1..=STEPS).map(|step| long(&first, step, epochs)).collect();
    }
    state
}

/// A step of a long run.
fn long(first: &StepPoint, step: usize, epochs: f64) -> StepPoint {
    let noise = (step * 7919 % 1000) as f64 / 1000.0;
    let mut point = first.clone();
    (point.step, point.epoch) = (step, step as f64 / STEPS as f64 * epochs);
    for score in &mut point.tasks {
        score.loss = 3.0 / (1.0 + step as f64 / 20_000.0) + 0.5 * noise;
    }
    point
}

/// Milliseconds of every frame of a page at a size, the pointer moving about.
fn frames(state: &State, page: Page, size: egui::Vec2) -> Vec<f64> {
    let ctx = egui::Context::default();
    let prefs = Prefs { theme: ThemePreference::Dark, ..Prefs::default() };
    let session = Session::with_state(state.clone());
    let mut app = App::new(&ctx, session, prefs, Dialogs::scripted([]), Environment::default());
    app.ask(Action::GoTo(page));
    let mut took = Vec::with_capacity(FRAMES);
    for frame in 0..WARM_UP + FRAMES {
        let (x, y) = (frame * 37 % size.x as usize, frame * 23 % size.y as usize);
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), size)),
            time: Some(frame as f64 / 60.0),
            events: vec![Event::PointerMoved(pos2(x as f32, y as f32))],
            ..RawInput::default()
        };
        let started = Instant::now();
        let output = ctx.run_ui(input, |ui| app.frame_ui(ui));
        let shapes = ctx.tessellate(output.shapes, output.pixels_per_point);
        let elapsed = started.elapsed().as_secs_f64() * 1e3;
        assert!(!shapes.is_empty(), "an empty frame costs nothing");
        if frame >= WARM_UP {
            took.push(elapsed);
        }
    }
    took
}

#[test]
#[ignore = "a measurement, to be taken on a quiet machine"]
fn every_page_with_a_long_history() {
    let workshop = tempfile::tempdir().expect("a folder to work in");
    let state = full_state(workshop.path());
    let state = Arc::new(state);
    for page in Page::RAIL.into_iter().chain([Page::Settings]) {
        let mut took = frames(&state, page, vec2(1920.0, 1080.0));
        took.sort_by(f64::total_cmp);
        let at =
            |part: usize| took.get((took.len() * part / 100).min(took.len() - 1)).copied().unwrap_or(0.0);
        println!("frame {} {:.2} {:.2}", page.title(), at(50), at(99));
    }
}
