//! What the window remembers of its user: look, size, device, recent projects. Where it is kept is not known here.

use std::path::{Path, PathBuf};

use eframe::egui::ThemePreference;

/// Most recent projects that are remembered.
const MOST_RECENT: usize = 8;

/// Remembered from one start to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefs {
    /// Dark, light, or as the system says.
    pub theme: ThemePreference,
    /// Size of everything; 1 is as it comes.
    pub zoom: f32,
    /// Inner size of the window in points, when it was last closed.
    pub window: Option<[f32; 2]>,
    /// Key of the device chosen last.
    pub device: Option<String>,
    /// Folders of projects, latest first.
    pub recent: Vec<PathBuf>,
}

impl Default for Prefs {
    fn default() -> Self {
        Self { theme: ThemePreference::System, zoom: 1.0, window: None, device: None, recent: Vec::new() }
    }
}

impl Prefs {
    /// Puts a project first in the list of recent ones, by its absolute path: the next start may have another working
    /// folder.
    pub fn remember(&mut self, project: &Path) {
        let project = std::path::absolute(project).unwrap_or_else(|_| project.to_path_buf());
        if self.recent.first().is_some_and(|first| *first == project) {
            return;
        }
        self.recent.retain(|known| *known != project);
        self.recent.insert(0, project);
        self.recent.truncate(MOST_RECENT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_projects_are_latest_first_without_repeats() {
        let mut prefs = Prefs::default();
        for name in ["a", "b", "a", "c", "c"] {
            prefs.remember(Path::new(name));
        }
        assert_eq!(prefs.recent, ["c", "a", "b"].map(|name| std::path::absolute(name).unwrap()));
        for number in 0..20 {
            prefs.remember(Path::new(&number.to_string()));
        }
        assert_eq!(prefs.recent.len(), MOST_RECENT);
        assert_eq!(prefs.recent[0], std::path::absolute("19").unwrap());
    }
}
