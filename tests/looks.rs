//! Pictures of every page, from a real window, to be looked at by people: not a check, hence ignored.
//!
//! `xvfb-run -s '-screen 0 1280x800x24' cargo test --release --test looks -- --ignored` writes them to
//! `target/looks`, or to the folder that `FROSTLINE_LOOKS` names.
#![cfg(all(feature = "window", target_os = "linux"))]
#![expect(clippy::expect_used, reason = "what cannot be drawn or written should stop the tour")]

#[path = "support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use support::states;

use eframe::egui;
use egui::{ColorImage, ScreenshotCallback, ThemePreference, ViewportCommand};
use frostline::model::summary::Group;
use frostline::session::Session;
use frostline::session::state::{Loadable, RateSearch, RunOutcome, State};
use frostline::train::lr_finder::{FindPoint, RateCurve};
use frostline::train::plan::RunPlan;
use frostline::train::plan::preset::Preset;
use frostline::ui::actions::{Action, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::Dialogs;
use frostline::ui::prefs::Prefs;

struct Shot {
    name: &'static str,
    state: State,
    page: Page,
    then: Option<Action>,
}

fn shots() -> Vec<Shot> {
    let shot = |name, state, page| Shot { name, state, page, then: None };
    vec![
        shot("data-empty", states::empty(), Page::Data),
        shot("data-loading", states::loading(), Page::Data),
        shot("data-failed", states::failed(), Page::Data),
        shot("data", states::loaded(), Page::Data),
        shot("data-changed", states::rows::changed(states::loaded()), Page::Data),
        shot("data-many-classes", states::many_classes(), Page::Data),
        shot("model-empty", states::empty(), Page::Model),
        shot("model-failed", states::failed(), Page::Model),
        shot("model", states::training(), Page::Model),
        shot("model-shared", shared(states::training()), Page::Model),
        shot("schedule-shared", shared(states::loaded()), Page::Schedule),
        shot("model-hub-found", states::hub::found(states::empty()), Page::Model),
        shot("model-hub-downloading", states::hub::downloading(states::loaded()), Page::Model),
        shot("model-hub-failed", states::hub::failed(states::failed()), Page::Model),
        shot("export-empty", states::loaded(), Page::Export),
        shot("export-ready", states::trained(), Page::Export),
        shot("export", states::exported(), Page::Export),
        shot("settings", states::loaded(), Page::Settings),
        Shot { name: "find", state: states::loaded(), page: Page::Data, then: Some(Action::Find) },
        Shot { name: "about", state: states::loaded(), page: Page::Data, then: Some(Action::About) },
        shot("schedule", states::loaded(), Page::Schedule),
        shot("schedule-phases", with_phases(states::loaded()), Page::Schedule),
        shot("schedule-rates", searched(), Page::Schedule),
        shot("train", states::training(), Page::Train),
        shot("train-paused", paused(), Page::Train),
        shot("train-done", states::trained(), Page::Train),
        shot("train-compared", states::compared(), Page::Train),
        shot("evaluate-empty", states::trained(), Page::Evaluate),
        shot("evaluate-suspects", support::fake_measured::suspicious(), Page::Evaluate),
        shot("evaluate-compared", support::fake_measured::compared(), Page::Evaluate),
        shot("evaluate-thresholds", support::fake_measured::alone(1), Page::Evaluate),
        shot("evaluate-entities", support::fake_measured::alone(3), Page::Evaluate),
        shot("explore-empty", states::trained(), Page::Explore),
        Shot {
            name: "zoomed",
            state: states::training(),
            page: Page::Data,
            then: Some(Action::SetZoom(2.0)),
        },
        Shot { name: "leave", state: states::training(), page: Page::Data, then: Some(Action::Quit) },
    ]
}

/// A run that was paused.
/// A model whose layers share their weights.
fn shared(mut state: State) -> State {
    let mut model = states::model();
    (model.layers, model.applications, model.model_type) = (6, 12, "albert".into());
    state.model = Loadable::Ready(Arc::new(model));
    state
}

fn paused() -> State {
    let mut state = states::training();
    if let Some(run) = &mut state.run {
        run.outcome = Some(RunOutcome::Paused { at_step: 120 });
        run.can_resume = true;
    }
    state
}

/// A project with a search for learning rates.
fn searched() -> State {
    let point = |step: u32| {
        let x = f64::from(step) / 20.0 - 4.0;
        let fall = 1.0 / (1.0 + (-3.0 * (x - 0.3)).exp());
        let rise = (3.0 * (x - 1.6)).exp();
        let smoothed = 7.4 - 2.4 * fall + rise;
        let loss = smoothed + 0.3 * f64::from(step * 7919 % 13) / 13.0 - 0.15;
        FindPoint { factor: 10f64.powf(x), loss, smoothed }
    };
    let curve = RateCurve { points: (0..120).map(point).collect(), suggestion: Some(1.8) };
    let search = RateSearch { lr_encoder: 1e-4, lr_heads: 1e-3, curve };
    State { rate_search: Loadable::Ready(Arc::new(search)), ..states::loaded() }
}

/// Shows one shot after another, in both looks, and takes a picture of each once it has settled.
struct Tour {
    shots: Vec<(Shot, ThemePreference)>,
    app: Option<App>,
    frames: u32,
    picture: Arc<Mutex<Option<Arc<ColorImage>>>>,
    folder: PathBuf,
}

/// Frames until fonts, tables and animations have settled.
const SETTLED: u32 = 12;

impl eframe::App for Tour {
    /// The pointer rests somewhere on the screen; without it no tooltip covers the page.
    fn raw_input_hook(&mut self, _ctx: &egui::Context, input: &mut egui::RawInput) {
        input
            .events
            .retain(|event| !matches!(event, egui::Event::PointerMoved(_) | egui::Event::MouseMoved(_)));
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        ctx.request_repaint();
        let (Some((shot, theme)), Some(app)) = (self.shots.last(), &mut self.app) else {
            ctx.send_viewport_cmd(ViewportCommand::Close);
            return;
        };
        app.frame_ui(ui);
        self.frames += 1;
        if self.frames == SETTLED {
            let picture = Arc::clone(&self.picture);
            let keep = ScreenshotCallback::new(move |image| *picture.lock().expect("a lock") = Some(image));
            ctx.send_viewport_cmd(ViewportCommand::Screenshot(keep));
        }
        let picture = self.picture.lock().expect("a lock").take();
        if let Some(image) = picture {
            let light = if *theme == ThemePreference::Light { "light" } else { "dark" };
            let file = self.folder.join(format!("{}-{light}.png", shot.name));
            let [width, height] = image.size;
            let bytes: Vec<u8> = image.pixels.iter().flat_map(egui::Color32::to_array).collect();
            image::save_buffer(&file, &bytes, width as u32, height as u32, image::ColorType::Rgba8)
                .expect("a picture");
            self.shots.pop();
            self.next(&ctx);
        }
    }
}

impl Tour {
    /// Sets up the next app, after a frame or before the first: styles and fonts hold from the next frame on.
    fn next(&mut self, ctx: &egui::Context) {
        self.frames = 0;
        self.app = self.shots.last().map(|(shot, theme)| {
            ctx.memory_mut(|memory| *memory = egui::Memory::default());
            let environment =
                Environment { libtorch: "2.11.0, .libtorch/lib".into(), ..Environment::default() };
            let prefs =
                Prefs { theme: *theme, recent: vec!["/home/kim/messages".into()], ..Prefs::default() };
            let session = Session::with_state(shot.state.clone());
            let mut app = App::new(ctx, session, prefs, Dialogs::scripted([]), environment);
            app.ask(Action::GoTo(shot.page));
            if let Some(action) = shot.then.clone() {
                app.ask(action);
            }
            app
        });
    }
}

#[test]
#[ignore = "needs a display; writes pictures for people to look at"]
fn pictures_of_every_page() {
    let folder =
        std::env::var_os("FROSTLINE_LOOKS").map_or_else(|| PathBuf::from("target/looks"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder");
    let wanted = std::env::var("FROSTLINE_LOOK").unwrap_or_default();
    let mut both = Vec::new();
    for shot in shots().into_iter().filter(|shot| shot.name.starts_with(&wanted)) {
        let Shot { name, state, page, then } = shot;
        let light = Shot { name, state: state.clone(), page, then: then.clone() };
        both.push((light, ThemePreference::Light));
        both.push((Shot { name, state, page, then }, ThemePreference::Dark));
    }
    // Taller pictures show what a page holds further down, narrower ones what a small window does to it.
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<f32>().ok());
    let height = number("FROSTLINE_LOOKS_HEIGHT").unwrap_or(800.0);
    let width = number("FROSTLINE_LOOKS_WIDTH").unwrap_or(1280.0);
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([width, height]).with_decorations(false),
        event_loop_builder: Some(Box::new(|builder| {
            use winit::platform::x11::EventLoopBuilderExtX11 as _;
            builder.with_any_thread(true);
        })),
        ..Default::default()
    };
    let mut tour = Tour { shots: both, app: None, frames: 0, picture: Arc::default(), folder };
    let create = Box::new(|creation: &eframe::CreationContext<'_>| {
        tour.next(&creation.egui_ctx);
        Ok(Box::new(tour) as Box<dyn eframe::App>)
    });
    eframe::run_native("Frostline looks", options, create).expect("a window");
}

/// The gradual preset, written out and changed by hand.
fn with_phases(mut state: State) -> State {
    let Some(Ok(plan)) = state.plan.clone() else { return state };
    let tasks: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    let mut recipe = state.project.recipe.clone();
    recipe.choose(Preset::Gradual);
    let mut phases = recipe.written_phases(6, &tasks).expect("the preset's phases");
    phases[2].toggle(Group::Layer(3), 6, &tasks);
    phases[1].toggle(Group::Head(1), 6, &tasks);
    phases[0].epochs = 3;
    recipe.phases = phases;
    let mut plan = RunPlan::clone(&plan);
    plan.phases = recipe.phases_for(6, &tasks).expect("phases");
    plan.recipe = recipe.clone();
    (state.project.recipe, state.plan) = (recipe, Some(Ok(Arc::new(plan))));
    state
}
