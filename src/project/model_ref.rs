//! How a project's files write which model they mean: a model of the hub's cache by its name and commit, which mean
//! the same bytes on every machine; any other by its path.

use std::path::{Path, PathBuf};

use super::disk::{path_from_text, path_to_text};
use super::error::ProjectError;
use crate::hub::{Hub, HubName};

/// `ORG/NAME@COMMIT` for a folder in the hub's cache; else the path, as [`path_to_text`] writes it.
pub(super) fn model_to_text(model: &Path, dir: &Path) -> Result<String, ProjectError> {
    to_text(model, dir, Hub::from_env().ok().as_ref())
}

/// The folder that is meant; that of a hub's model may not be there yet.
pub(super) fn model_from_text(text: &str, dir: &Path) -> PathBuf {
    from_text(text, dir, Hub::from_env().ok().as_ref())
}

/// A model for people: its name on the hub where its folder is of the hub's cache, else its path.
#[must_use]
pub fn model_name(model: &Path) -> String {
    let name = Hub::from_env().ok().and_then(|hub| hub.name_of(model));
    name.map_or_else(|| model.display().to_string(), |name| name.to_string())
}

fn to_text(model: &Path, dir: &Path, hub: Option<&Hub>) -> Result<String, ProjectError> {
    match hub.and_then(|hub| hub.name_of(model)) {
        Some(name) => Ok(format!("{}@{}", name.repo(), name.revision())),
        None => path_to_text(model, dir),
    }
}

/// Only with an `@` is a text a name: a path that leads nowhere any more is not to become one.
fn from_text(text: &str, dir: &Path, hub: Option<&Hub>) -> PathBuf {
    let path = path_from_text(text, dir);
    match (hub, text.parse::<HubName>()) {
        (Some(hub), Ok(name)) if text.contains('@') && !path.exists() => hub.folder_of(&name),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{HubConfig, Timeouts};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_model_of_the_cache_is_written_by_its_name_and_found_by_it() {
        let home = tempfile::tempdir().unwrap();
        let (cache, dir) = (home.path().join("hub"), home.path().join("project"));
        let place = HubConfig {
            cache: cache.clone(),
            endpoint: "https://hub".parse().unwrap(),
            token: None,
            offline: true,
            certificates: Vec::new(),
        };
        let hub = Hub::at(place, Timeouts::default());
        let snapshot = cache.join("models--org--name/snapshots").join(COMMIT);
        let text = to_text(&snapshot, &dir, Some(&hub)).unwrap();
        assert_eq!(text, format!("org/name@{COMMIT}"));
        assert_eq!(from_text(&text, &dir, Some(&hub)), snapshot);
        assert!(!snapshot.exists(), "it means the same where it is not there yet");

        // A branch stands for the commit that was fetched last; before that, for itself.
        let branch = from_text("org/name@main", &dir, Some(&hub));
        assert_eq!(to_text(&branch, &dir, Some(&hub)).unwrap(), "org/name@main");
        std::fs::create_dir_all(cache.join("models--org--name/refs")).unwrap();
        std::fs::write(cache.join("models--org--name/refs/main"), COMMIT).unwrap();
        assert_eq!(from_text("org/name@main", &dir, Some(&hub)), snapshot);
    }

    #[test]
    fn paths_stay_paths() {
        let home = tempfile::tempdir().unwrap();
        let (dir, model) = (home.path().join("project"), home.path().join("project/org/name@main"));
        assert_eq!(from_text("../models/tiny", &dir, None), home.path().join("models/tiny"));
        assert_eq!(from_text("models/tiny", &dir, None), dir.join("models/tiny"));
        std::fs::create_dir_all(&model).unwrap();
        assert_eq!(model_from_text("org/name@main", &dir), model, "a folder of that name comes first");
        assert_eq!(model_to_text(&model, &dir).unwrap(), "org/name@main");
    }
}
