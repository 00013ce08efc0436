//! Files that a user asks for: written next to their place and renamed there, so that each is whole or not there, and
//! nothing that exists is replaced unless the user says so.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files::atomic_file::AtomicFile;
use crate::files::names;

/// Why there is no output.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Something is there already.
    #[error("{} exists already: name another file, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// It is what the command reads.
    #[error("{} is the input: the result would replace what it is made from. Name another file", .0.display())]
    IsInput(PathBuf),
    /// It is a file of a folder that the command reads.
    #[error("{} belongs to {}, which is read: it is not replaced. Name another file", path.display(), folder.display())]
    InInput {
        /// The output.
        path: PathBuf,
        /// The folder that is read.
        folder: PathBuf,
    },
    /// A link that leads nowhere.
    #[error("{} is a link to {}, which does not exist: remove the link, or name another file", path.display(), target.display())]
    BrokenLink {
        /// The output.
        path: PathBuf,
        /// Where the link leads.
        target: PathBuf,
    },
    /// A folder, a pipe, a device.
    #[error("{} is {what} and no file: name a file, or stream to stdout with `-o -`", path.display())]
    NoFile {
        /// The output.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The system refuses.
    #[error("cannot write {}: {}", path.display(), in_words(reason))]
    Write {
        /// The output.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}

/// A failed write as its user reads it, with what to do where that is known.
#[must_use]
pub fn in_words(reason: &io::Error) -> String {
    match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full. Free some space, or name a file on another disk".to_owned()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "its folder is read-only. Name a file in another folder".to_owned()
        }
        _ => reason.to_string(),
    }
}

impl OutputError {
    /// For a write that failed.
    #[must_use]
    pub fn write(path: &Path, reason: io::Error) -> Self {
        Self::Write { path: path.to_owned(), reason }
    }
}

/// A place that may be written to.
#[derive(Clone, Debug)]
pub struct OutputPlace {
    /// As the user named it.
    named: PathBuf,
    /// The file itself, where it is named through a link.
    file: PathBuf,
    replaces: bool,
}

impl OutputPlace {
    /// Looks whether a file may be written there; nothing is changed. With `replace`, a file that exists may be
    /// replaced, but never one of `inputs`, which are files and folders.
    ///
    /// # Errors
    /// When something is in the way.
    pub fn check(path: &Path, replace: bool, inputs: &[&Path]) -> Result<Self, OutputError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if cfg!(windows) && names::is_device(&name) {
            return Err(OutputError::NoFile { path: path.to_owned(), what: "a device by its name" });
        }
        let file = resolve(path)?;
        let Ok(metadata) = fs::metadata(&file) else {
            return Ok(Self { named: path.to_owned(), file, replaces: false });
        };
        let no_file = |what| Err(OutputError::NoFile { path: path.to_owned(), what });
        if metadata.is_dir() {
            return no_file("a folder");
        }
        if !metadata.is_file() {
            return no_file("a pipe or a device");
        }
        let place = Self { named: path.to_owned(), file, replaces: true };
        inputs.iter().try_for_each(|input| place.spare(input))?;
        if !replace {
            return Err(OutputError::Exists(path.to_owned()));
        }
        Ok(place)
    }

    /// Refuses the place where it is `input`, or in it: a file or folder that is read, known only after the check.
    ///
    /// # Errors
    /// When it is.
    pub fn spare(&self, input: &Path) -> Result<(), OutputError> {
        if !input.is_dir() {
            let is_input = is_same_file(&self.file, input);
            return if is_input { Err(OutputError::IsInput(self.named.clone())) } else { Ok(()) };
        }
        match (fs::canonicalize(input), fs::canonicalize(&self.file)) {
            (Ok(folder), Ok(file)) if file.starts_with(&folder) => {
                Err(OutputError::InInput { path: self.named.clone(), folder: input.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Begins to write. The folder is made where it is missing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create(self) -> Result<OutputFile, OutputError> {
        let dir = self.file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let made = fs::create_dir_all(dir).and_then(|()| AtomicFile::create(&self.file));
        let out = made.map_err(|reason| OutputError::write(&self.named, reason))?;
        Ok(OutputFile { place: self, out })
    }
}

/// A file on its way: it is removed again unless [`finish`](Self::finish) puts it at its place.
#[derive(Debug)]
pub struct OutputFile {
    place: OutputPlace,
    out: AtomicFile,
}

impl OutputFile {
    /// Puts the file at its place, on the disk for good.
    ///
    /// # Errors
    /// When the system refuses, or another program made a file there meanwhile; nothing is left then.
    pub fn finish(self) -> Result<(), OutputError> {
        let Self { place, out } = self;
        let done = if place.replaces { out.commit() } else { out.commit_new() };
        done.map_err(|reason| match reason.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists(place.named),
            _ => OutputError::write(&place.named, reason),
        })
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a file that may be replaced, as the user agreed to in a dialog.
///
/// # Errors
/// When the place is none for a file, or the system refuses; what was there before is intact.
pub fn write_agreed(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let mut file = OutputPlace::check(path, true, &[])?.create()?;
    file.write_all(bytes).map_err(|reason| OutputError::write(path, reason))?;
    file.finish()
}

/// The file itself where it is named through a link, so that the link stays one.
fn resolve(path: &Path) -> Result<PathBuf, OutputError> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(path.to_owned());
    }
    fs::canonicalize(path).map_err(|reason| match fs::read_link(path) {
        Ok(target) if reason.kind() == io::ErrorKind::NotFound => {
            OutputError::BrokenLink { path: path.to_owned(), target }
        }
        _ => OutputError::write(path, reason),
    })
}

/// Whether two names are of one file: through links of both kinds, other letter case, relative paths.
#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Windows tells no identity of a file in a stable way here; canonical names see through all but hard links, and a
/// rename leaves the other name of a hard link as it was.
#[cfg(not(unix))]
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    fn put(place: OutputPlace, text: &str) -> Result<(), OutputError> {
        let mut file = place.create()?;
        file.write_all(text.as_bytes()).unwrap();
        file.finish()
    }

    #[test]
    fn nothing_is_replaced_unless_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/out.csv");
        put(OutputPlace::check(&path, false, &[]).unwrap(), "one").unwrap();
        let told = OutputPlace::check(&path, false, &[]).unwrap_err().to_string();
        assert!(told.contains("out.csv exists already") && told.contains("--force"), "{told}");
        put(OutputPlace::check(&path, true, &[]).unwrap(), "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(entries(path.parent().unwrap()), 1, "nothing is left aside");
    }

    #[test]
    fn what_appears_meanwhile_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let place = OutputPlace::check(&path, false, &[]).unwrap();
        fs::write(&path, "another's").unwrap();
        assert!(matches!(put(place, "ours"), Err(OutputError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
        assert_eq!(entries(dir.path()), 1);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv");
        let mut file = OutputPlace::check(&path, false, &[]).unwrap().create().unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(entries(dir.path()), 0);
    }

    #[test]
    fn folders_are_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let told = OutputPlace::check(dir.path(), true, &[]).unwrap_err().to_string();
        assert!(told.contains("is a folder"), "{told}");
    }

    #[cfg(unix)]
    #[test]
    fn the_input_is_known_by_any_name() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("data.csv");
        fs::write(&input, "text\n").unwrap();
        symlink(&input, dir.path().join("link.csv")).unwrap();
        fs::hard_link(&input, dir.path().join("hard.csv")).unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        for name in ["data.csv", "link.csv", "hard.csv", "./data.csv", "sub/../data.csv"] {
            let found = OutputPlace::check(&dir.path().join(name), true, &[&input]);
            assert!(matches!(found, Err(OutputError::IsInput(_))), "{name}");
            // And the input through its other names.
            let found = OutputPlace::check(&input, true, &[&dir.path().join(name)]);
            assert!(matches!(found, Err(OutputError::IsInput(_))), "{name}");
        }
        let found = OutputPlace::check(&input, true, &[dir.path()]);
        assert!(matches!(found, Err(OutputError::InInput { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_stay() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real/out.csv"), dir.path().join("link.csv"));
        fs::create_dir(dir.path().join("real")).unwrap();
        symlink(&real, &link).unwrap();
        let told = OutputPlace::check(&link, true, &[]).unwrap_err().to_string();
        assert!(told.contains("is a link to") && told.contains("does not exist"), "{told}");
        fs::write(&real, "old").unwrap();
        assert!(matches!(OutputPlace::check(&link, false, &[]), Err(OutputError::Exists(_))));
        put(OutputPlace::check(&link, true, &[]).unwrap(), "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!((entries(dir.path()), entries(&dir.path().join("real"))), (2, 1));
    }
}
