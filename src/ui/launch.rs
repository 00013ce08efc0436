//! From what is remembered to an open window, and back to what is remembered.

use std::path::PathBuf;

use eframe::egui::ThemePreference;

use super::app::Environment;
use super::autosave::{Keep, Unsaveds};
use super::prefs::Prefs;
use super::window::{WindowArgs, open_window};
use crate::model::cuda::LIBTORCH_VERSION;
use crate::project::demo::{default_model_dir, demo_dir, install_demo};
use crate::project::settings::{Settings, Theme, WindowPlace};
use crate::project::unsaved::UnsavedStore;
use crate::project::user_dirs::data_dir;
use crate::session::command::Command;

/// Opens the window on a project; without one on the project opened last, the first time on the demo.
///
/// # Errors
/// When there is no display, or no way to draw on it.
pub fn launch(project: Option<PathBuf>) -> eframe::Result {
    let (mut settings, complaint) = Settings::load();
    if let Some(complaint) = complaint {
        tracing::warn!("{complaint}");
    }
    let first = project.or_else(|| first_project(&mut settings)).map(Command::OpenProject);
    let prefs = prefs_of(&settings);
    let keep_prefs = Box::new(move |prefs: &Prefs| {
        // What others wrote meanwhile (the folder of CUDA) is kept.
        let mut latest = Settings::load().0;
        latest.seen_demo |= settings.seen_demo;
        update(&mut latest, prefs);
        if let Err(error) = latest.save() {
            tracing::warn!("{error}");
        }
    });
    let environment = Environment {
        default_model: default_model_dir(),
        demo: demo_dir().and_then(|_| install_demo("demo").ok()),
        libtorch: LIBTORCH_VERSION.into(),
    };
    open_window(WindowArgs { first, prefs, keep_prefs, unsaveds: unsaveds(), environment })
}

/// The user's folder for unsaved changes; without one nothing is kept.
fn unsaveds() -> Unsaveds {
    let opened = data_dir().map_err(|error| error.to_string()).and_then(|dir| {
        UnsavedStore::open(&dir.join("unsaved"))
            .map_err(|error| format!("no unsaved changes are kept: {error}"))
    });
    let (mut store, found) = match opened {
        Ok(opened) => opened,
        Err(reason) => {
            tracing::warn!("{reason}");
            return Unsaveds::default();
        }
    };
    let keep = move |what: Keep<'_>| {
        let outcome = match what {
            Keep::Draft(project, dir) => store.keep(project, dir).map_err(|error| error.to_string()),
            Keep::SetAside => store.set_aside().map_err(|error| error.to_string()),
            Keep::Forget => {
                store.forget();
                Ok(())
            }
        };
        if let Err(reason) = outcome {
            tracing::warn!("{reason}");
        }
    };
    Unsaveds { keep: Box::new(keep), found }
}

/// The demo at the first start; later the project that was open last, if it is still there.
fn first_project(settings: &mut Settings) -> Option<PathBuf> {
    let last = settings.recent.first().filter(|dir| dir.join("frostline.toml").is_file()).cloned();
    if last.is_some() || settings.seen_demo {
        return last;
    }
    settings.seen_demo = true;
    match install_demo("demo") {
        Ok(dir) => Some(dir),
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    }
}

fn prefs_of(settings: &Settings) -> Prefs {
    Prefs {
        theme: match settings.theme {
            Theme::System => ThemePreference::System,
            Theme::Light => ThemePreference::Light,
            Theme::Dark => ThemePreference::Dark,
        },
        zoom: settings.zoom,
        window: settings.window.map(|place| place.size),
        device: settings.device.clone(),
        recent: settings.recent.clone(),
    }
}

fn update(settings: &mut Settings, prefs: &Prefs) {
    settings.theme = match prefs.theme {
        ThemePreference::System => Theme::System,
        ThemePreference::Light => Theme::Light,
        ThemePreference::Dark => Theme::Dark,
    };
    settings.zoom = prefs.zoom;
    settings.device.clone_from(&prefs.device);
    settings.recent.clone_from(&prefs.recent);
    if let Some(size) = prefs.window {
        let place = settings.window.unwrap_or(WindowPlace { position: None, size, maximised: false });
        settings.window = Some(WindowPlace { size, ..place });
    }
}
