//! Which paths outside a project's folder its user has agreed to: `confirmed-paths.toml` in the user's own folder of
//! settings, never in the project, which may come from anyone.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Project;
use super::disk::{absolute, parse_toml, set_aside, to_toml};
use super::error::ProjectError;
use super::outside::{OutsidePath, is_outside, outside_paths, outside_paths_of_run};
use super::user_dirs;
use crate::files::atomic_file::AtomicFile;
use crate::files::lock::Lock;
use crate::files::regular_file;

const FILE_NAME: &str = "confirmed-paths.toml";
const LOCK: &str = "confirmed-paths.lock";
const VERSION: u32 = 1;
const HEADER: &str = "\
# Paths outside a project's folder that you agreed to read for it. Take a project out, and Frostline asks again.
";
/// Most projects that are remembered; those confirmed last stay.
const MOST_PROJECTS: usize = 1000;
/// Bytes of the largest file that makes sense.
const LARGEST: u64 = 1 << 26;
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);

/// What the user of this computer agreed to.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Folder of the settings.
    dir: Result<PathBuf, ProjectError>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct TrustFile {
    #[serde(default = "first_version")]
    version: u32,
    /// Those confirmed last come first.
    #[serde(default)]
    project: Vec<Entry>,
}

const fn first_version() -> u32 {
    VERSION
}

#[derive(Debug, Deserialize, Serialize)]
struct Entry {
    folder: String,
    paths: Vec<String>,
}

impl Trust {
    /// What the user agreed to, by [`user_dirs::config_dir`]. Without such a folder nothing is remembered.
    #[must_use]
    pub fn of_user() -> Self {
        Self { dir: user_dirs::config_dir() }
    }

    /// The same in another folder.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: Ok(dir.to_owned()) }
    }

    /// Paths outside its folder that a project would read, and that nobody agreed to yet. Touches none of them.
    ///
    /// # Errors
    /// As [`outside_paths`].
    pub fn unconfirmed(&self, project_dir: &Path) -> Result<Vec<OutsidePath>, ProjectError> {
        let paths = outside_paths(project_dir)?;
        Ok(self.without_confirmed(project_dir, paths))
    }

    /// The same of one run of a project.
    ///
    /// # Errors
    /// As [`outside_paths`].
    pub fn unconfirmed_of_run(
        &self,
        project_dir: &Path,
        run: &str,
    ) -> Result<Vec<OutsidePath>, ProjectError> {
        let paths = outside_paths_of_run(project_dir, run)?;
        Ok(self.without_confirmed(project_dir, paths))
    }

    /// Remembers that the user agreed to these paths for the project of a folder.
    ///
    /// # Errors
    /// When that cannot be written down: the user is then asked again the next time.
    pub fn confirm(&self, project_dir: &Path, paths: &[PathBuf]) -> Result<(), ProjectError> {
        if paths.is_empty() {
            return Ok(());
        }
        let dir = self.dir.clone()?;
        let path = dir.join(FILE_NAME);
        let refused = |error: io::Error| ProjectError::write_own(&path, user_dirs::CONFIG_VARIABLE, &error);
        fs::create_dir_all(&dir).map_err(refused)?;
        // Without the lock a confirmation could be lost at worst.
        let _lock = Lock::take_within(&dir.join(LOCK), WRITTEN_WITHIN).ok();
        let mut file = self.read();
        let folder = key(project_dir);
        let at = file.project.iter().position(|entry| entry.folder == folder);
        let mut entry = at.map_or_else(|| Entry { folder, paths: Vec::new() }, |at| file.project.remove(at));
        let known = entry.paths.len();
        entry.paths.extend(paths.iter().map(|path| path.to_string_lossy().into_owned()));
        entry.paths.sort();
        entry.paths.dedup();
        if entry.paths.len() == known {
            return Ok(());
        }
        file.project.insert(0, entry);
        file.project.truncate(MOST_PROJECTS);
        let text = to_toml(&path, HEADER, &file, true)?;
        write_private(&path, text.as_bytes()).map_err(refused)
    }

    /// Remembers the paths outside its folder of a project whose paths the user chose on this computer.
    ///
    /// # Errors
    /// As [`Self::confirm`].
    pub fn confirm_chosen(&self, project_dir: &Path, project: &Project) -> Result<(), ProjectError> {
        let chosen = project.files.iter().map(|file| &file.path).chain(&project.model);
        let outside: Vec<PathBuf> =
            chosen.filter(|path| is_outside(path, project_dir)).map(|path| absolute(path)).collect();
        self.confirm(project_dir, &outside)
    }

    fn without_confirmed(&self, project_dir: &Path, mut paths: Vec<OutsidePath>) -> Vec<OutsidePath> {
        if paths.is_empty() {
            return paths;
        }
        let (file, folder) = (self.read(), key(project_dir));
        if let Some(entry) = file.project.iter().find(|entry| entry.folder == folder) {
            paths.retain(|outside| {
                entry.paths.binary_search(&outside.path.to_string_lossy().into_owned()).is_err()
            });
        }
        paths
    }

    /// What is remembered. A file that cannot be read confirms nothing, and is set aside before the next is written.
    fn read(&self) -> TrustFile {
        let empty = TrustFile { version: VERSION, ..TrustFile::default() };
        let Ok(dir) = &self.dir else { return empty };
        let path = dir.join(FILE_NAME);
        let bytes = match regular_file::read_at_most(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return empty,
            Err(error) => {
                tracing::warn!("{} confirms nothing: {error}", path.display());
                return empty;
            }
        };
        let parsed = String::from_utf8(bytes)
            .map_err(|error| ProjectError::malformed(&path, None, error.to_string()))
            .and_then(|text| parse_toml::<TrustFile>(&path, &text, VERSION));
        match parsed {
            Ok(mut file) => {
                file.project.iter_mut().for_each(|entry| entry.paths.sort());
                file
            }
            Err(error) => {
                let kept = set_aside(&path);
                tracing::warn!("{error}. {kept}");
                empty
            }
        }
    }
}

/// A project by its folder, whatever link it is named through.
fn key(project_dir: &Path) -> String {
    let dir = fs::canonicalize(project_dir).unwrap_or_else(|_| absolute(project_dir));
    dir.to_string_lossy().into_owned()
}

/// A file for its owner's eyes: it tells what projects there are.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let owner_alone = || fs::Permissions::from_mode(0o600);
        fs::set_permissions(file.temporary_path(), owner_alone())?;
        // The new file takes over what the earlier one allows.
        if fs::symlink_metadata(path).is_ok_and(|earlier| earlier.is_file()) {
            fs::set_permissions(path, owner_alone())?;
        }
    }
    file.write_all(bytes)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::DataFile;
    use crate::project::settings::Settings;

    /// A project that names `path`, and the settings of a user who never saw it.
    fn stranger(path: &str) -> (tempfile::TempDir, PathBuf, Trust) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("project");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("frostline.toml"), format!("[[data.file]]\npath = '{path}'\n")).unwrap();
        let trust = Trust::at(&home.path().join("config"));
        (home, dir, trust)
    }

    fn paths(found: &[OutsidePath]) -> Vec<PathBuf> {
        found.iter().map(|outside| outside.path.clone()).collect()
    }

    #[test]
    fn a_path_is_asked_about_once_and_another_one_again() {
        let (home, dir, trust) = stranger("../a.csv");
        let found = trust.unconfirmed(&dir).unwrap();
        assert_eq!(paths(&found), [absolute(&home.path().join("a.csv"))]);
        trust.confirm(&dir, &paths(&found)).unwrap();
        assert_eq!(trust.unconfirmed(&dir).unwrap(), []);
        assert_eq!(Trust::at(&home.path().join("config")).unconfirmed(&dir).unwrap(), []);

        fs::write(dir.join("frostline.toml"), "[[data.file]]\npath = '../b.csv'\n").unwrap();
        assert_eq!(paths(&trust.unconfirmed(&dir).unwrap()), [absolute(&home.path().join("b.csv"))]);
        // Another project with the same path is another question.
        let other = home.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("frostline.toml"), "[[data.file]]\npath = '../a.csv'\n").unwrap();
        assert_eq!(trust.unconfirmed(&other).unwrap().len(), 1);
    }

    #[test]
    fn what_the_user_chose_needs_no_question() {
        let (home, dir, trust) = stranger("../a.csv");
        let files = vec![DataFile::new(home.path().join("a.csv")), DataFile::new(dir.join("inside.csv"))];
        trust.confirm_chosen(&dir, &Project { files, ..Project::default() }).unwrap();
        assert_eq!(trust.unconfirmed(&dir).unwrap(), []);
        let text = fs::read_to_string(home.path().join("config").join(FILE_NAME)).unwrap();
        assert!(text.contains("a.csv") && !text.contains("inside.csv"), "{text}");
    }

    #[test]
    fn a_damaged_or_newer_record_confirms_nothing() {
        let (home, dir, trust) = stranger("../a.csv");
        let file = home.path().join("config").join(FILE_NAME);
        let found = trust.unconfirmed(&dir).unwrap();
        for text in ["= no toml", "version = 99", "\u{0}"] {
            trust.confirm(&dir, &paths(&found)).unwrap();
            assert_eq!(trust.unconfirmed(&dir).unwrap(), []);
            fs::write(&file, text).unwrap();
            assert_eq!(trust.unconfirmed(&dir).unwrap(), found, "{text}");
            // Whoever wrote it, a newer version perhaps, finds it again.
            assert_eq!(fs::read_to_string(file.with_extension("toml.bad")).unwrap(), text, "{text}");
        }
    }

    /// A project that was opened and closed is no project that its user agreed to.
    #[test]
    fn a_recent_project_is_asked_about_like_any_other() {
        let (home, dir, trust) = stranger("../a.csv");
        let config = home.path().join("config");
        let mut settings = Settings::default();
        settings.remember(&dir);
        settings.save_to(&config).unwrap();
        assert_eq!(trust.unconfirmed(&dir).unwrap().len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_record_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (home, dir, trust) = stranger("../a.csv");
        trust.confirm(&dir, &["/x".into()]).unwrap();
        let file = home.path().join("config").join(FILE_NAME);
        let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        trust.confirm(&dir, &["/y".into()]).unwrap();
        assert_eq!(mode(), 0o600);
    }
}
