//! What the program remembers of its user between starts: `settings.toml` in the platform's configuration folder.
//!
//! Settings are a convenience: a damaged file is set aside and never stands in the way of a start.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::{absolute, parse_toml, read_text, set_aside, to_toml, write_own};
use super::error::ProjectError;
use super::user_dirs;

const FILE_NAME: &str = "settings.toml";
const VERSION: u32 = 1;
const HEADER: &str = "# Settings of Frostline, written when it closes.\n";

/// Most projects in the list of recent ones.
pub const MOST_RECENT: usize = 10;

/// Colours of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the desktop.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];
}

/// Where the window was, in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowPlace {
    /// Left and upper edge; `None` where the platform does not tell.
    pub position: Option<[f32; 2]>,
    /// Width and height.
    pub size: [f32; 2],
    /// Whether it filled the screen.
    pub maximised: bool,
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Colours.
    pub theme: Theme,
    /// Folders of projects, the last opened first.
    pub recent: Vec<PathBuf>,
    /// Where the window was when it closed.
    pub window: Option<WindowPlace>,
    /// Key of the device chosen last: `cpu`, `cuda:0`.
    pub device: Option<String>,
    /// Folder to look for CUDA in: a Python environment, a libtorch.
    pub cuda_dir: Option<PathBuf>,
    /// Size of everything in the window; 1 is the platform's.
    pub zoom: f32,
    /// The demo project was shown once, and need not be opened again.
    pub seen_demo: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: Theme::System,
            recent: Vec::new(),
            window: None,
            device: None,
            cuda_dir: None,
            zoom: 1.0,
            seen_demo: false,
        }
    }
}

/// Keys that are not known are passed over: a newer version's settings are of use to an older one.
#[derive(Debug, Default, Deserialize, Serialize)]
struct SettingsFile {
    version: Option<u32>,
    theme: Option<ThemeKey>,
    zoom: Option<f32>,
    device: Option<String>,
    cuda_dir: Option<PathBuf>,
    seen_demo: Option<bool>,
    recent: Option<Vec<PathBuf>>,
    window: Option<WindowTable>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum ThemeKey {
    System,
    Light,
    Dark,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct WindowTable {
    x: Option<f32>,
    y: Option<f32>,
    width: f32,
    height: f32,
    #[serde(default)]
    maximised: bool,
}

impl Settings {
    /// The user's settings, from [`user_dirs::config_dir`]; and a sentence when they could not be read and
    /// defaults are used.
    #[must_use]
    pub fn load() -> (Self, Option<String>) {
        match user_dirs::config_dir() {
            Ok(dir) => Self::load_from(&dir),
            Err(error) => (Self::default(), Some(error.to_string())),
        }
    }

    /// The settings in a folder. A damaged file is renamed to `settings.toml.bad`, so that the next save does not
    /// overwrite what someone may want to look at.
    #[must_use]
    pub fn load_from(dir: &Path) -> (Self, Option<String>) {
        let path = dir.join(FILE_NAME);
        if !path.exists() {
            return (Self::default(), None);
        }
        let read = read_text(&path).and_then(|text| parse_toml::<SettingsFile>(&path, &text, u32::MAX));
        match read {
            Ok(file) => (file.into(), None),
            Err(error) => {
                let kept = set_aside(&path);
                let note = format!("The settings could not be read, and defaults are used: {error}. {kept}");
                (Self::default(), Some(note))
            }
        }
    }

    /// Writes the user's settings.
    pub fn save(&self) -> Result<(), ProjectError> {
        self.save_to(&user_dirs::config_dir()?)
    }

    /// Writes the settings into a folder.
    pub fn save_to(&self, dir: &Path) -> Result<(), ProjectError> {
        let path = dir.join(FILE_NAME);
        let text = to_toml(&path, HEADER, &SettingsFile::from(self), true)?;
        write_own(&path, user_dirs::CONFIG_VARIABLE, text.as_bytes())
    }

    /// Puts a project in front of the recent ones.
    pub fn remember(&mut self, project_dir: &Path) {
        let dir = absolute(project_dir);
        self.recent.retain(|known| *known != dir);
        self.recent.insert(0, dir);
        self.recent.truncate(MOST_RECENT);
    }

    /// Takes a project off the recent ones, as when its folder is gone.
    pub fn forget(&mut self, project_dir: &Path) {
        let dir = absolute(project_dir);
        self.recent.retain(|known| *known != dir);
    }
}

impl From<&Settings> for SettingsFile {
    fn from(settings: &Settings) -> Self {
        // TOML holds Unicode only; a path that is not is left out rather than the whole file.
        let writable = |path: &&PathBuf| path.to_str().is_some();
        Self {
            version: Some(VERSION),
            theme: Some(match settings.theme {
                Theme::System => ThemeKey::System,
                Theme::Light => ThemeKey::Light,
                Theme::Dark => ThemeKey::Dark,
            }),
            zoom: Some(settings.zoom),
            device: settings.device.clone(),
            cuda_dir: settings.cuda_dir.as_ref().filter(writable).cloned(),
            seen_demo: Some(settings.seen_demo),
            recent: Some(settings.recent.iter().filter(writable).cloned().collect()),
            window: settings.window.map(|window| WindowTable {
                x: window.position.map(|[x, _]| x),
                y: window.position.map(|[_, y]| y),
                width: window.size[0],
                height: window.size[1],
                maximised: window.maximised,
            }),
        }
    }
}

impl From<SettingsFile> for Settings {
    fn from(file: SettingsFile) -> Self {
        let defaults = Self::default();
        let mut recent = file.recent.unwrap_or_default();
        recent.truncate(MOST_RECENT);
        Self {
            theme: match file.theme {
                None | Some(ThemeKey::System) => Theme::System,
                Some(ThemeKey::Light) => Theme::Light,
                Some(ThemeKey::Dark) => Theme::Dark,
            },
            recent,
            window: file.window.and_then(WindowTable::place),
            device: file.device,
            cuda_dir: file.cuda_dir,
            // A zoom that hides the controls to undo it would lock the user out.
            zoom: file.zoom.filter(|zoom| (0.2..=5.0).contains(zoom)).unwrap_or(defaults.zoom),
            seen_demo: file.seen_demo.unwrap_or(defaults.seen_demo),
        }
    }
}

impl WindowTable {
    /// The place, unless its size is none that a window could have.
    fn place(self) -> Option<WindowPlace> {
        let sane = |length: f32| (50.0..=100_000.0).contains(&length);
        if !(sane(self.width) && sane(self.height)) {
            return None;
        }
        let position = self.x.zip(self.y).map(|(x, y)| [x, y]).filter(|p| p.iter().all(|x| x.is_finite()));
        Some(WindowPlace { position, size: [self.width, self.height], maximised: self.maximised })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn all_set() -> Settings {
        let mut settings = Settings {
            theme: Theme::Dark,
            recent: Vec::new(),
            window: Some(WindowPlace {
                position: Some([10.0, -20.5]),
                size: [1280.0, 800.0],
                maximised: true,
            }),
            device: Some("cuda:0".into()),
            cuda_dir: Some("/opt/venv".into()),
            zoom: 1.25,
            seen_demo: true,
        };
        settings.remember(Path::new("/projects/one"));
        settings.remember(Path::new("/projects/zwei ü"));
        settings
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("not/yet/there");
        for settings in [all_set(), Settings::default(), Settings { theme: Theme::Light, ..all_set() }] {
            settings.save_to(&new).unwrap();
            assert_eq!(Settings::load_from(&new), (settings, None));
        }
    }

    #[test]
    fn version_1_is_read_field_by_field() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/settings/v1");
        assert_eq!(Settings::load_from(&dir), (all_set(), None));
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        for text in ["theme = \"dark", "zoom = \"big\"", "theme = 3"] {
            fs::write(&path, text).unwrap();
            let (settings, note) = Settings::load_from(dir.path());
            assert_eq!(settings, Settings::default());
            assert!(note.unwrap().contains("settings.toml.bad"));
            assert_eq!(fs::read_to_string(dir.path().join("settings.toml.bad")).unwrap(), text);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_with_the_file_and_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::write(&taken, "").unwrap();
        let told = Settings::default().save_to(&taken).unwrap_err().to_string();
        assert!(told.contains("taken/settings.toml: a file lies where a folder is needed"), "{told}");
        assert!(told.contains("FROSTLINE_CONFIG_DIR") && !told.contains("project"), "{told}");
    }

    #[test]
    fn unknown_keys_newer_versions_and_odd_values_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            "version = 7\nfuture = 1\nzoom = 900.0\nseen_demo = true\n[window]\nwidth = 0\nheight = 5\n";
        fs::write(dir.path().join("settings.toml"), text).unwrap();
        let expected = Settings { seen_demo: true, ..Settings::default() };
        assert_eq!(Settings::load_from(dir.path()), (expected, None));
    }

    #[test]
    fn recent_projects_are_few_unique_and_newest_first() {
        let mut settings = Settings::default();
        let names: Vec<PathBuf> = (0..12).map(|i| absolute(Path::new(&format!("/p/{i}")))).collect();
        for name in names.iter().chain([&names[5]]) {
            settings.remember(name);
        }
        assert_eq!(settings.recent.len(), MOST_RECENT);
        assert_eq!(settings.recent[..3], [names[5].clone(), names[11].clone(), names[10].clone()]);
        settings.forget(Path::new("/p/../p/11"));
        assert_eq!(settings.recent[1], names[10]);
    }
}
