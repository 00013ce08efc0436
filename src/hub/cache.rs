//! The cache as the Python ecosystem lays it out, so that each finds what the other fetched:
//!
//! ```text
//! models--ORG--NAME/
//!     refs/main                      the commit that the branch stood for when it was last asked
//!     blobs/CHECKSUM                 contents, each once
//!     snapshots/COMMIT/config.json   links to blobs, or copies where links are not possible
//!     .no_exist/COMMIT/modules.json  marks a file that the commit is known not to have
//! .locks/models--ORG--NAME/CHECKSUM.lock
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::HubError;
use super::file_selection;
use super::file_selection::MODULES;
use super::name::{HubName, is_commit, path_of_file};
use super::remote_model::Checksum;
use crate::files::atomic_file::{self, AtomicFile};
use crate::files::lock::is_still_at;
use crate::files::{inside, regular_file};

const PREFIX: &str = "models--";
/// Between two looks at a lock that another program holds.
const LOOK: Duration = Duration::from_millis(50);

/// The folder of all models.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

/// A lock on a blob, which ends with this. There is none where the file system has no locks.
pub(super) struct Lock(Option<File>);

impl Lock {
    /// Nobody else that asks for it fetches the blob.
    pub(super) const fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

impl Cache {
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn repo(&self, name: &HubName) -> PathBuf {
        self.root.join(folder_of(name))
    }

    /// Where the contents with a checksum lie.
    pub(super) fn blob(&self, name: &HubName, checksum: &Checksum) -> PathBuf {
        self.repo(name).join("blobs").join(checksum.digits())
    }

    /// The folder of a commit.
    pub(super) fn snapshot(&self, name: &HubName, commit: &str) -> PathBuf {
        self.repo(name).join("snapshots").join(commit)
    }

    /// The commit that the revision stood for when it was last asked.
    pub(super) fn commit_of(&self, name: &HubName) -> Option<String> {
        if let Some(commit) = name.commit() {
            return Some(commit.to_owned());
        }
        let text = regular_file::read_to_string(&self.ref_path(name)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    fn ref_path(&self, name: &HubName) -> PathBuf {
        let refs = self.repo(name).join("refs");
        name.revision().split('/').fold(refs, |path, part| path.join(part))
    }

    /// Remembers what the revision stands for now.
    pub(super) fn remember(&self, name: &HubName, commit: &str) -> Result<(), HubError> {
        if self.commit_of(name).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.ref_path(name);
        make_parent(&path)?;
        atomic_file::write(&path, commit.as_bytes()).map_err(|error| HubError::disk(&path, &error))
    }

    /// Marks that the commit has no `modules.json`, as the Python ecosystem does.
    pub(super) fn mark_without_modules(&self, name: &HubName, commit: &str) -> Result<(), HubError> {
        let path = self.no_modules(name, commit);
        make_parent(&path)?;
        atomic_file::write(&path, b"").map_err(|error| HubError::disk(&path, &error))
    }

    fn no_modules(&self, name: &HubName, commit: &str) -> PathBuf {
        self.repo(name).join(".no_exist").join(commit).join(MODULES)
    }

    /// What a snapshot lacks; empty when it is whole.
    pub(super) fn missing(&self, name: &HubName, commit: &str) -> Vec<String> {
        file_selection::missing(&self.snapshot(name, commit))
    }

    /// Whether it is known which modules the model has. A snapshot that another library made may hold the encoder
    /// alone, although the model says more: how it pools.
    pub(super) fn knows_modules(&self, name: &HubName, commit: &str) -> bool {
        self.snapshot(name, commit).join(MODULES).is_file() || self.no_modules(name, commit).is_file()
    }

    /// Bytes of a file that are there: all of them, or the beginning of a blob.
    pub(super) fn bytes_of(&self, name: &HubName, commit: &str, file: &str, checksum: &Checksum) -> u64 {
        let length =
            |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|about| about.len());
        let blob = self.blob(name, checksum);
        let in_snapshot = path_of_file(file).and_then(|path| length(&self.snapshot(name, commit).join(path)));
        in_snapshot.or_else(|| length(&blob)).or_else(|| length(&partial(&blob))).unwrap_or(0)
    }

    /// Puts a blob at its place in a snapshot: a relative link, or a copy where there can be no link.
    pub(super) fn place(
        &self,
        name: &HubName,
        commit: &str,
        file: &str,
        checksum: &Checksum,
    ) -> Result<(), HubError> {
        let unsafe_name = || HubError::UnsafeFile { repo: name.repo().to_owned(), file: file.to_owned() };
        let inside = path_of_file(file).ok_or_else(unsafe_name)?;
        let (blob, path) = (self.blob(name, checksum), self.snapshot(name, commit).join(&inside));
        make_parent(&path)?;
        // From the file's folder up to the snapshot, then past `snapshots` to the blobs.
        let ups = "../".repeat(inside.components().count() + 1);
        let target = PathBuf::from(format!("{ups}blobs/{}", checksum.digits()));
        let done = match link(&target, &path) {
            Err(error) if error.kind() != io::ErrorKind::StorageFull => copy(&blob, &path),
            done => done,
        };
        done.map_err(|error| HubError::disk(&path, &error))
    }

    /// Waits until nobody else fetches the blob. `waiting` is told when there is somebody.
    pub(super) fn lock(
        &self,
        name: &HubName,
        checksum: &Checksum,
        stop: &dyn Fn() -> bool,
        waiting: &mut dyn FnMut(),
    ) -> Result<Lock, HubError> {
        let path = self.root.join(".locks").join(folder_of(name)).join(format!("{}.lock", checksum.digits()));
        make_parent(&path)?;
        loop {
            let file = inside::open_to_write(&path).map_err(|error| HubError::disk(&path, &error))?;
            match file.try_lock() {
                // Its last holder may have deleted it: then others lock a new file by this name.
                Ok(()) if is_still_at(&file, &path) => return Ok(Lock(Some(file))),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    if stop() {
                        return Err(HubError::Cancelled);
                    }
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::Error(_)) => return Ok(Lock(None)),
            }
        }
    }

    /// Every snapshot of the cache with the names under which it is found, in the order of the names.
    pub(super) fn snapshots(&self) -> Vec<(HubName, String)> {
        let mut found = Vec::new();
        for repo in names_in(&self.root).iter().filter_map(|folder| repo_of(folder)) {
            let Ok(name) = repo.parse::<HubName>() else { continue };
            let commits = names_in(&self.repo(&name).join("snapshots"));
            found.extend(commits.into_iter().filter(|c| is_commit(c)).map(|commit| (name.clone(), commit)));
        }
        found.sort_by_key(|(name, _)| name.repo().to_lowercase());
        found
    }

    /// The model and the revision that a folder of this cache is of: the inverse of [`Self::snapshot`].
    pub(super) fn name_of(&self, folder: &Path) -> Option<HubName> {
        let parts: Option<Vec<&str>> =
            folder.strip_prefix(&self.root).ok()?.iter().map(|part| part.to_str()).collect();
        match parts?.as_slice() {
            [repo, "snapshots", revision @ ..] if !revision.is_empty() => {
                format!("{}@{}", repo_of(repo)?, revision.join("/")).parse().ok()
            }
            _ => None,
        }
    }
}

/// Where a blob is while it is being fetched.
pub(super) fn partial(blob: &Path) -> PathBuf {
    let mut name = blob.file_name().unwrap_or_default().to_owned();
    name.push(".incomplete");
    blob.with_file_name(name)
}

pub(super) fn make_parent(path: &Path) -> Result<(), HubError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|error| HubError::disk(parent, &error))
}

fn folder_of(name: &HubName) -> String {
    format!("{PREFIX}{}", name.repo().replace('/', "--"))
}

fn repo_of(folder: &str) -> Option<String> {
    Some(folder.strip_prefix(PREFIX)?.replace("--", "/"))
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn link(target: &Path, path: &Path) -> io::Result<()> {
    if fs::read_link(path).is_ok_and(|known| known == target) {
        return Ok(());
    }
    // What lies there is a link to other contents, or to nothing.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match symlink(target, path) {
        // Another program was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_file() => Ok(()),
        done => done,
    }
}

#[cfg(unix)]
fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(windows)]
fn symlink(target: &Path, path: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, path)
}

fn copy(blob: &Path, path: &Path) -> io::Result<()> {
    let mut from = regular_file::open(blob)?;
    let mut file = AtomicFile::create(path)?;
    io::copy(&mut from, &mut file)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn paths_and_names_belong_together() {
        let cache = Cache::at(Path::new("/cache"));
        let name: HubName = "org/my-model_v1.5".parse().unwrap();
        let snapshot = cache.snapshot(&name, COMMIT);
        assert_eq!(snapshot, Path::new("/cache/models--org--my-model_v1.5/snapshots").join(COMMIT));
        assert_eq!(cache.name_of(&snapshot).unwrap().to_string(), format!("org/my-model_v1.5@{COMMIT}"));
        let unknown = cache.name_of(Path::new("/cache/models--a--b/snapshots/refs/pr/1")).unwrap();
        assert_eq!(unknown.to_string(), "a/b@refs/pr/1");
        for other in
            ["/cache", "/elsewhere/models--a--b/snapshots/x", "/cache/models--a--b/snapshots", "/cache/x"]
        {
            assert_eq!(cache.name_of(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_blob_is_seen_through_its_link_and_a_revision_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let name: HubName = "org/name@refs/pr/1".parse().unwrap();
        let checksum = Checksum::GitBlob(COMMIT.into());
        let blob = cache.blob(&name, &checksum);
        make_parent(&blob).unwrap();
        fs::write(partial(&blob), "ab").unwrap();
        assert_eq!(cache.bytes_of(&name, COMMIT, "1_Pooling/config.json", &checksum), 2);
        fs::write(&blob, "abc").unwrap();
        for _ in 0..2 {
            cache.place(&name, COMMIT, "1_Pooling/config.json", &checksum).unwrap();
            let placed = cache.snapshot(&name, COMMIT).join("1_Pooling/config.json");
            assert_eq!(fs::read_to_string(&placed).unwrap(), "abc");
            #[cfg(unix)]
            assert_eq!(fs::read_link(&placed).unwrap(), Path::new("../../../blobs").join(COMMIT));
        }
        assert_eq!(cache.bytes_of(&name, COMMIT, "1_Pooling/config.json", &checksum), 3);

        assert_eq!(cache.commit_of(&name), None);
        cache.remember(&name, COMMIT).unwrap();
        assert_eq!(cache.commit_of(&name).as_deref(), Some(COMMIT));
        assert!(dir.path().join("models--org--name/refs/refs/pr/1").is_file());
        assert_eq!(cache.snapshots(), [("org/name".parse().unwrap(), COMMIT.into())]);
    }

    #[test]
    fn without_links_the_contents_are_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (blob, path) = (dir.path().join("blob"), dir.path().join("config.json"));
        fs::write(&blob, "abc").unwrap();
        copy(&blob, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "abc");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn a_lock_is_waited_for_and_the_wait_can_be_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, name) = (Cache::at(dir.path()), "org/name".parse().unwrap());
        let checksum = Checksum::GitBlob(COMMIT.into());
        let first = cache.lock(&name, &checksum, &|| false, &mut || {}).unwrap();
        if !first.is_held() {
            return;
        }
        let looks = std::cell::Cell::new(0);
        let stop = || looks.replace(looks.get() + 1) > 1;
        let mut waited = false;
        let second = cache.lock(&name, &checksum, &stop, &mut || waited = true);
        assert!(matches!(second, Err(HubError::Cancelled)));
        assert!(waited);
    }
}
