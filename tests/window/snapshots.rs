//! A picture of every page on a software rasteriser, held against the one in `tests/snapshots`.
//!
//! `UPDATE_SNAPSHOTS=true cargo test --release --test window_snapshots` takes them anew; look at them before they are
//! committed. Only where the machine has the rasteriser that the pictures were made with.
#![cfg(all(feature = "window", target_os = "linux"))]

use crate::support::skip;
use crate::support::states;
use std::path::Path;

use eframe::egui::{ThemePreference, Vec2};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use frostline::session::Session;
use frostline::session::state::State;
use frostline::ui::actions::{Action, Page};
use frostline::ui::app::{App, Environment};
use frostline::ui::dialogs::Dialogs;
use frostline::ui::prefs::Prefs;

const SIZE: Vec2 = Vec2::new(960.0, 600.0);
/// How far the colour of a pixel may lie from the picture's, as eyes see it; and how many pixels may lie further: the
/// rasteriser rounds a little otherwise on other processors.
const THRESHOLD: f32 = 0.6;
const MOST_PIXELS: usize = 60;

/// Mesa's software Vulkan driver.
const RASTERISER: &str = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

fn compare(results: &mut SnapshotResults, name: &str, (state, page): (State, Page), theme: ThemePreference) {
    let mut harness = Harness::builder().with_size(SIZE).wgpu().build_eframe(|creation| {
        let session = Session::with_state(state);
        let prefs = Prefs { theme, ..Prefs::default() };
        let dialogs = Dialogs::scripted([]);
        let mut app = App::new(&creation.egui_ctx, session, prefs, dialogs, Environment::default());
        app.ask(Action::GoTo(page));
        // The harness begins every window in the dark.
        app.ask(Action::SetTheme(theme));
        app
    });
    harness.run_steps(8);
    let options = SnapshotOptions::new().threshold(THRESHOLD).max_failed_pixels(MOST_PIXELS);
    results.add(harness.try_snapshot_options(name, &options));
}

#[test]
fn every_page_looks_as_it_did() {
    if !Path::new(RASTERISER).exists() {
        skip::skip(&format!("there is no software rasteriser ({RASTERISER})"));
        return;
    }
    // Told together at its end.
    let mut all = SnapshotResults::new();
    let (dark, light) = (ThemePreference::Dark, ThemePreference::Light);
    compare(&mut all, "data", (states::loaded(), Page::Data), light);
    compare(&mut all, "data_empty", (states::empty(), Page::Data), dark);
    compare(&mut all, "model", (states::training(), Page::Model), dark);
    compare(&mut all, "schedule", (states::loaded(), Page::Schedule), light);
    compare(&mut all, "train", (states::compared(), Page::Train), dark);
    compare(&mut all, "evaluate", (states::trained(), Page::Evaluate), light);
    compare(&mut all, "explore", (states::trained(), Page::Explore), dark);
    compare(&mut all, "export", (states::exported(), Page::Export), light);
    compare(&mut all, "settings", (states::loaded(), Page::Settings), dark);
}
