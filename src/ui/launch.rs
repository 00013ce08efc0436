//! From what is remembered to an open window, and back to what is remembered.

use std::path::{Path, PathBuf};

use crossbeam_channel::Sender;
use eframe::egui::ThemePreference;

use super::autosave::{Keep, Unsaveds};
use super::environment::Environment;
use super::prefs::Prefs;
use super::window::{WindowArgs, open_window};
use crate::model::cuda::LIBTORCH_VERSION;
use crate::project::ProjectError;
use crate::project::demo::{default_model_dir, demo_dir, install_demo};
use crate::project::settings::{Settings, Theme, WindowPlace};
use crate::project::unsaved::UnsavedStore;
use crate::project::user_dirs::{DATA_VARIABLE, config_dir, data_dir};
use crate::session::command::Command;

/// Opens the window on a project; without one on the project opened last, the first time on the demo.
///
/// # Errors
/// When there is no display, or no way to draw on it.
pub fn launch(project: Option<PathBuf>) -> eframe::Result {
    let (sender, complaints) = crossbeam_channel::unbounded();
    let (mut settings, complaint) = Settings::load();
    let mut complaining = Complaining { sender, last: None };
    if let Some(complaint) = complaint {
        complaining.tell(complaint);
    }
    let first = project.or_else(|| first_project(&mut settings)).map(Command::OpenProject);
    let prefs = prefs_of(&settings);
    let keep_prefs = Box::new(prefs_keeper(config_dir(), settings.seen_demo, complaining.clone()));
    let environment = Environment {
        default_model: default_model_dir(),
        demo: demo_dir().and_then(|_| install_demo("demo").ok()),
        libtorch: LIBTORCH_VERSION.into(),
    };
    let unsaveds = unsaveds(data_dir().map(|dir| dir.join("unsaved")), complaining);
    open_window(WindowArgs { first, prefs, keep_prefs, unsaveds, environment, complaints })
}

/// The way of what goes wrong around the project to the window, where the user sees it.
#[derive(Clone)]
struct Complaining {
    sender: Sender<String>,
    /// What was told last: once is enough.
    last: Option<String>,
}

impl Complaining {
    fn tell(&mut self, text: String) {
        if self.last.as_ref() == Some(&text) {
            return;
        }
        tracing::warn!("{text}");
        // Once the window is gone nobody is left to tell.
        drop(self.sender.send(text.clone()));
        self.last = Some(text);
    }
}

/// Writes what the window remembers into the folder of the settings.
fn prefs_keeper(
    dir: Result<PathBuf, ProjectError>,
    seen_demo: bool,
    mut complaining: Complaining,
) -> impl FnMut(&Prefs) {
    let save = move |dir: &Path, prefs: &Prefs| {
        // What others wrote meanwhile (the folder of CUDA) is kept.
        let mut latest = Settings::load_from(dir).0;
        latest.seen_demo |= seen_demo;
        update(&mut latest, prefs);
        latest.save_to(dir)
    };
    move |prefs| {
        let saved = dir.as_ref().map_err(Clone::clone).and_then(|dir| save(dir, prefs));
        if let Err(error) = saved {
            complaining.tell(format!("Settings and recent projects are not remembered: {error}"));
        }
    }
}

/// A folder for unsaved changes; where it cannot be used nothing is kept.
fn unsaveds(root: Result<PathBuf, ProjectError>, mut complaining: Complaining) -> Unsaveds {
    let not_kept = |why: &dyn std::fmt::Display| {
        format!("A crash would lose unsaved changes, which cannot be kept: {why}. Save the project often")
    };
    let opened = root.map_err(|error| not_kept(&error)).and_then(|root| {
        UnsavedStore::open(&root).map_err(|error| {
            let root = root.display();
            not_kept(&format!(
                "cannot use {root} ({error}). Make it writable, or set {DATA_VARIABLE} to another folder"
            ))
        })
    });
    let (mut store, found) = match opened {
        Ok(opened) => opened,
        Err(reason) => {
            complaining.tell(reason);
            return Unsaveds::default();
        }
    };
    let keep = move |what: Keep<'_>| {
        let outcome = match what {
            Keep::Draft(project, dir) => store.keep(project, dir).map_err(|error| match error {
                // Its advice is for a project that its user saves.
                ProjectError::Write { path, .. } => not_kept(&format!("cannot write {}", path.display())),
                error => not_kept(&error),
            }),
            Keep::SetAside => store.set_aside().map_err(|error| not_kept(&error)),
            Keep::Forget => {
                store.forget();
                Ok(())
            }
        };
        if let Err(reason) = outcome {
            complaining.tell(reason);
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::project::Project;

    /// A file where a folder would be: that stops even those whom permissions do not.
    fn taken() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let taken = home.path().join("taken");
        fs::write(&taken, "").unwrap();
        (home, taken)
    }

    fn complaining() -> (Complaining, crossbeam_channel::Receiver<String>) {
        let (sender, told) = crossbeam_channel::unbounded();
        (Complaining { sender, last: None }, told)
    }

    #[test]
    fn settings_that_cannot_be_written_are_told_once_with_the_file_and_the_way_out() {
        let ((_home, taken), (complaining, told)) = (taken(), complaining());
        let mut keep = prefs_keeper(Ok(taken.clone()), false, complaining);
        keep(&Prefs::default());
        keep(&Prefs { zoom: 1.5, ..Prefs::default() });
        let told: Vec<String> = told.try_iter().collect();
        let [told] = told.as_slice() else { panic!("{told:?}") };
        assert!(told.contains(&taken.join("settings.toml").display().to_string()), "{told}");
        assert!(told.contains("FROSTLINE_CONFIG_DIR") && !told.contains("Save the project"), "{told}");
    }

    #[test]
    fn settings_are_written_beside_what_others_wrote() {
        let home = tempfile::tempdir().unwrap();
        Settings { cuda_dir: Some("/opt/venv".into()), ..Settings::default() }.save_to(home.path()).unwrap();
        let (complaining, told) = complaining();
        prefs_keeper(Ok(home.path().to_owned()), true, complaining)(&Prefs { zoom: 1.5, ..Prefs::default() });
        let kept = Settings::load_from(home.path()).0;
        assert_eq!((kept.zoom, kept.seen_demo, kept.cuda_dir), (1.5, true, Some("/opt/venv".into())));
        assert!(told.is_empty());
    }

    #[test]
    fn unsaved_changes_that_cannot_be_kept_are_told() {
        let ((_home, taken), (complaining, told)) = (taken(), complaining());
        assert_eq!(unsaveds(Ok(taken.join("unsaved")), complaining.clone()).found, None);
        let text = told.try_recv().unwrap();
        assert!(text.contains("taken") && text.contains("FROSTLINE_DATA_DIR"), "{text}");

        let home = tempfile::tempdir().unwrap();
        let mut unsaveds = unsaveds(Ok(home.path().join("unsaved")), complaining);
        // The folder of this window goes away under it.
        fs::remove_dir_all(home.path().join("unsaved")).unwrap();
        fs::write(home.path().join("unsaved"), "").unwrap();
        (unsaveds.keep)(Keep::Draft(&Project::default(), None));
        let text = told.try_recv().unwrap();
        assert!(text.contains("unsaved") && !text.contains("to another folder"), "{text}");
    }
}
