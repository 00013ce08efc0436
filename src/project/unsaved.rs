//! Changes that were not saved yet, kept beside the user's data so that a crash or a power failure loses none.
//!
//! Each window that is open has a folder of its own here and holds the lock in it; a folder whose lock nobody holds
//! was left by one that did not end as it should. It knows projects and files, no window.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Project;
use super::disk::write_whole;
use super::error::ProjectError;
use super::file::FILE_NAME;
use crate::files::lock::{Lock, NoLock};
use crate::files::{private_dir, regular_file};

const LOCK: &str = "lock";
/// Where the project is saved that the draft changes.
const PLACE: &str = "folder";
/// Most windows whose drafts are kept.
const MOST: usize = 100;

/// Changes that were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsaved {
    /// The draft.
    pub project: Project,
    /// Folder of the project; `None` of one that was never saved.
    pub dir: Option<PathBuf>,
}

/// The folder of one window.
#[derive(Debug)]
pub struct UnsavedStore {
    root: PathBuf,
    dir: PathBuf,
    /// Held for as long as the window lives; the system lets go of it, however that ends.
    _lock: Lock,
}

impl UnsavedStore {
    /// A folder of one's own below `root`, and what another one left behind unsaved. That stays where it is until
    /// [`Self::forget`] or until something else is kept.
    ///
    /// # Errors
    /// When no folder can be made or locked below `root`.
    pub fn open(root: &Path) -> io::Result<(Self, Option<Unsaved>)> {
        private_dir::create(root)?;
        for dir in places(root).filter(|dir| dir.join(FILE_NAME).exists()) {
            let Some(lock) = claim(&dir)? else { continue };
            if let Ok(project) = Project::load(&dir) {
                let place =
                    regular_file::read_to_string(&dir.join(PLACE)).ok().filter(|place| !place.is_empty());
                let unsaved = Unsaved { project, dir: place.map(PathBuf::from) };
                return Ok((Self { root: root.to_owned(), dir, _lock: lock }, Some(unsaved)));
            }
        }
        Ok((Self::empty(root)?, None))
    }

    /// A folder with nothing in it.
    fn empty(root: &Path) -> io::Result<Self> {
        for dir in places(root).filter(|dir| !dir.join(FILE_NAME).exists()) {
            if let Some(lock) = claim(&dir)? {
                return Ok(Self { root: root.to_owned(), dir, _lock: lock });
            }
        }
        Err(io::Error::other(format!("more than {MOST} drafts are kept in {}", root.display())))
    }

    /// Keeps a draft, in place of the one before.
    ///
    /// # Errors
    /// When it cannot be written; the one before is still there then.
    pub fn keep(&self, project: &Project, dir: Option<&Path>) -> Result<(), ProjectError> {
        let place = dir.map(|dir| dir.display().to_string()).unwrap_or_default();
        write_whole(&self.dir.join(PLACE), place.as_bytes())?;
        project.save(&self.dir)
    }

    /// Keeps nothing any more: the changes were saved, or given up.
    pub fn forget(&self) {
        // What is not there needs no taking away.
        drop(fs::remove_file(self.dir.join(FILE_NAME)));
        drop(fs::remove_file(self.dir.join(PLACE)));
    }

    /// Leaves what was found for another time, and takes an empty folder instead.
    ///
    /// # Errors
    /// When there is none to be had.
    pub fn set_aside(&mut self) -> io::Result<()> {
        *self = Self::empty(&self.root.clone())?;
        Ok(())
    }
}

fn places(root: &Path) -> impl Iterator<Item = PathBuf> {
    let root = root.to_owned();
    (1..=MOST).map(move |number| root.join(number.to_string()))
}

/// Takes hold of a folder, which is made where it is missing; `None` where another one holds it.
fn claim(dir: &Path) -> io::Result<Option<Lock>> {
    private_dir::create(dir)?;
    match Lock::take_within(&dir.join(LOCK), Duration::ZERO) {
        Ok(lock) => Ok(Some(lock)),
        Err(NoLock::Held(_)) => Ok(None),
        Err(NoLock::Refused(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(name: &str) -> Project {
        Project { name: name.into(), ..Project::default() }
    }

    #[test]
    fn what_a_lost_window_left_is_found_once() {
        let root = tempfile::tempdir().unwrap();
        let (lost, found) = UnsavedStore::open(root.path()).unwrap();
        assert_eq!(found, None);
        lost.keep(&draft("first"), None).unwrap();
        lost.keep(&draft("second"), Some(Path::new("/home/kim/messages"))).unwrap();

        // As long as that window lives, its draft is nobody else's.
        let (other, found) = UnsavedStore::open(root.path()).unwrap();
        assert_eq!(found, None);
        drop((other, lost));

        let (store, found) = UnsavedStore::open(root.path()).unwrap();
        let expected = Unsaved { project: draft("second"), dir: Some("/home/kim/messages".into()) };
        assert_eq!(found, Some(expected));
        store.forget();
        drop(store);
        assert_eq!(UnsavedStore::open(root.path()).unwrap().1, None);
    }

    #[cfg(unix)]
    #[test]
    fn drafts_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        let root = data.path().join("unsaved");
        let (store, _) = UnsavedStore::open(&root).unwrap();
        store.keep(&draft("mine"), None).unwrap();
        for folder in [&root, &store.dir] {
            assert_eq!(
                fs::metadata(folder).unwrap().permissions().mode() & 0o777,
                0o700,
                "{}",
                folder.display()
            );
        }
        // Nor is a folder taken that somebody else chose by a link.
        let (victim, link) = (data.path().join("victim"), data.path().join("link"));
        fs::create_dir(&victim).unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(UnsavedStore::open(&link).is_err());
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    }

    #[test]
    fn what_is_set_aside_is_found_the_next_time() {
        let root = tempfile::tempdir().unwrap();
        let (lost, _) = UnsavedStore::open(root.path()).unwrap();
        lost.keep(&draft("kept"), None).unwrap();
        drop(lost);
        let (mut store, _) = UnsavedStore::open(root.path()).unwrap();
        store.set_aside().unwrap();
        store.keep(&draft("another"), None).unwrap();
        store.forget();
        drop(store);
        let (_, found) = UnsavedStore::open(root.path()).unwrap();
        assert_eq!(found.map(|found| found.project.name), Some("kept".to_owned()));
    }
}
