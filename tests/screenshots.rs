//! Pictures of the real program at work: every page in both looks and several sizes, empty, on the demo and on a project
//! of one's own, with a real model that really trains. `cargo xtask screenshots` runs it under Xvfb; it is no check,
//! hence ignored.
//!
//! `FROSTLINE_SHOTS` is the folder for the pictures, `FROSTLINE_SHOTS_PROJECT` a further project.
#![cfg(all(feature = "window", target_os = "linux"))]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what cannot be drawn or written should stop the tour"
)]
#![expect(clippy::print_stdout, reason = "tells how far it is")]

#[path = "support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eframe::egui;
use egui::{ColorImage, ScreenshotCallback, Theme, ThemePreference, ViewportCommand};
use frostline::data::dataset::Split;
use frostline::project::Project;
use frostline::project::demo::default_model_dir;
use frostline::session::Session;
use frostline::session::command::Command;
use frostline::session::state::{Loadable, State};
use frostline::ui::actions::{Action, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::Dialogs;
use frostline::ui::prefs::Prefs;

/// Frames until fonts, tables and animations have settled.
const SETTLED: u32 = 12;
/// How long a step may take: a run of a large project takes its time.
const PATIENCE: Duration = Duration::from_hours(1);
/// Width and height in pixels, and how many pixels a point is; the last is a small window at 200 %.
const SIZES: [(f32, f32, f32); 4] =
    [(1280.0, 800.0, 1.0), (1920.0, 1080.0, 1.0), (2560.0, 1600.0, 2.0), (1280.0, 800.0, 2.0)];

enum Step {
    Ask(Action),
    /// Goes on once this holds.
    Until(&'static str, fn(&State) -> bool),
    Look(Theme, (f32, f32, f32)),
    Shoot(String, Page),
}

struct Tour {
    steps: VecDeque<Step>,
    app: App,
    frames: u32,
    since: Instant,
    picture: Arc<Mutex<Option<Arc<ColorImage>>>>,
    folder: PathBuf,
    look: String,
    /// In pixels.
    size: egui::Vec2,
}

impl eframe::App for Tour {
    /// The pointer rests somewhere on the screen; without it no tooltip covers the page.
    fn raw_input_hook(&mut self, _ctx: &egui::Context, input: &mut egui::RawInput) {
        input
            .events
            .retain(|event| !matches!(event, egui::Event::PointerMoved(_) | egui::Event::MouseMoved(_)));
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        ctx.request_repaint_after(Duration::from_millis(5));
        self.app.frame_ui(ui);
        let Some(step) = self.steps.front() else {
            ctx.send_viewport_cmd(ViewportCommand::Close);
            return;
        };
        assert!(self.since.elapsed() < PATIENCE, "the tour hangs: {:?}", self.app.state().busy);
        match step {
            Step::Ask(action) => {
                self.app.ask(action.clone());
                self.go_on();
            }
            Step::Until(what, holds) => {
                if holds(self.app.state()) {
                    println!("{what}");
                    self.go_on();
                }
            }
            Step::Look(theme, (width, height, scale)) => {
                let preference =
                    if *theme == Theme::Dark { ThemePreference::Dark } else { ThemePreference::Light };
                self.app.ask(Action::SetTheme(preference));
                self.app.ask(Action::SetZoom(*scale));
                self.size = egui::vec2(*width, *height);
                let word = if *theme == Theme::Dark { "dark" } else { "light" };
                self.look = format!("{word}-{width}x{height}@{scale}");
                self.go_on();
            }
            Step::Shoot(name, page) => {
                let name = format!("{name}-{}-{}", page.title().to_lowercase(), self.look);
                let page = *page;
                self.shoot(&ctx, &name, page);
            }
        }
    }
}

impl Tour {
    fn go_on(&mut self) {
        self.steps.pop_front();
        (self.frames, self.since) = (0, Instant::now());
    }

    fn shoot(&mut self, ctx: &egui::Context, name: &str, page: Page) {
        if self.frames == 0 {
            self.app.ask(Action::GoTo(page));
        } else if self.frames == 2 {
            // How large a point is holds from the frame after it was asked for.
            ctx.send_viewport_cmd(ViewportCommand::InnerSize(self.size / ctx.pixels_per_point()));
        }
        self.frames += 1;
        ctx.request_repaint();
        if self.frames == SETTLED {
            let picture = Arc::clone(&self.picture);
            let keep = ScreenshotCallback::new(move |image| {
                *picture.lock().expect("a lock") = Some(image);
            });
            ctx.send_viewport_cmd(ViewportCommand::Screenshot(keep));
        }
        let Some(image) = self.picture.lock().expect("a lock").take() else { return };
        let [width, height] = image.size;
        let bytes: Vec<u8> = image.pixels.iter().flat_map(egui::Color32::to_array).collect();
        let file = self.folder.join(format!("{name}.png"));
        image::save_buffer(&file, &bytes, width as u32, height as u32, image::ColorType::Rgba8)
            .expect("a picture");
        self.go_on();
    }
}

/// All pages, in both looks and every size.
fn pictures(name: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for size in SIZES {
        for theme in [Theme::Light, Theme::Dark] {
            steps.push(Step::Look(theme, size));
            let pages = Page::RAIL.into_iter().chain([Page::Settings]);
            steps.extend(pages.map(|page| Step::Shoot(name.to_owned(), page)));
        }
    }
    steps
}

fn ready(state: &State) -> bool {
    if let Loadable::Failed(reason) = &state.data {
        panic!("{reason}");
    }
    if let Loadable::Failed(reason) = &state.model {
        panic!("{reason}");
    }
    matches!(state.plan, Some(Ok(_))) && state.busy.is_none() && state.lengths.ready().is_some()
}

/// Opens a project, walks the road and takes the pictures on the way.
fn walk(name: &str, project: PathBuf, exported: PathBuf) -> Vec<Step> {
    let texts =
        ["Where is my parcel?", "The parcel has not come.", "I love the new colour.", "Please refund me."];
    let ask = |command: Command| Step::Ask(Action::Session(command));
    let mut steps = vec![
        ask(Command::OpenProject(project)),
        Step::Until("opened", ready),
        Step::Ask(Action::Train),
        Step::Until("trained", |state| state.run.as_ref().is_some_and(|run| run.report.is_some())),
        Step::Ask(Action::Evaluate(Split::Test)),
        Step::Until("measured", |state| state.evaluation.ready().is_some()),
        ask(Command::Similarity(texts.map(str::to_owned).to_vec())),
        Step::Until("compared", |state| state.similarity.ready().is_some()),
        ask(Command::Map { limit: 2000 }),
        Step::Until("mapped", |state| state.map.ready().is_some()),
        ask(Command::Predict(texts[1].to_owned())),
        Step::Until("predicted", |state| state.prediction.ready().is_some()),
        ask(Command::Tokenize("Unfreezing isn't magic.".to_owned())),
        ask(Command::Export(exported)),
        Step::Until("exported", |state| state.export.ready().is_some()),
    ];
    steps.extend(pictures(name));
    steps
}

#[test]
#[ignore = "needs a display and the default model; trains, and writes pictures"]
fn the_real_program_at_work() {
    let folder = std::env::var_os("FROSTLINE_SHOTS")
        .map_or_else(|| PathBuf::from("target/screenshots"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder for the pictures");
    let workshop = tempfile::tempdir().expect("a folder to work in");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));

    let mut steps = VecDeque::from([
        Step::Ask(Action::Session(Command::NewProject(Box::default()))),
        Step::Until("empty", |state| !state.devices.is_empty()),
    ]);
    steps.extend(pictures("empty"));
    let mut projects = vec![("demo", root.join("assets/demo"))];
    if let Some(own) = std::env::var_os("FROSTLINE_SHOTS_PROJECT") {
        projects.push(("own", PathBuf::from(own)));
    }
    for (name, source) in projects {
        // Runs belong in a folder that is thrown away.
        let mut project = Project::load(&source).expect("a project");
        project.model = project.model.or_else(default_model_dir);
        let place = workshop.path().join(name);
        project.save(&place).expect("a copy of the project");
        steps.extend(walk(name, place, workshop.path().join(format!("{name}-exported"))));
    }

    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([1280.0, 800.0]).with_decorations(false),
        event_loop_builder: Some(Box::new(|builder| {
            use winit::platform::x11::EventLoopBuilderExtX11 as _;
            builder.with_any_thread(true);
        })),
        ..Default::default()
    };
    let create = Box::new(move |creation: &eframe::CreationContext<'_>| {
        let waker = creation.egui_ctx.clone();
        let session = Session::start(move || waker.request_repaint());
        let environment = Environment {
            default_model: default_model_dir(),
            libtorch: "2.11.0".into(),
            ..Environment::default()
        };
        let app = App::new(&creation.egui_ctx, session, Prefs::default(), Dialogs::scripted([]), environment);
        let (picture, since) = (Arc::default(), Instant::now());
        let tour = Tour {
            steps,
            app,
            frames: 0,
            since,
            picture,
            folder,
            look: String::new(),
            size: egui::Vec2::ZERO,
        };
        Ok(Box::new(tour) as Box<dyn eframe::App>)
    });
    eframe::run_native("Frostline screenshots", options, create).expect("a window");
}
