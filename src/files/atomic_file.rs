//! Writing a file whole or not at all: under another name in the same folder, then renamed.
//!
//! A reader, and a crash, find the old file or the new one, and nothing in between. The temporary file has a random
//! name and is created new, so no link that lies in the folder leads the write elsewhere.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 20;

/// How the names of temporary files begin.
const PREFIX: &str = ".frostline-";

/// A file on its way to its path. Dropped before it is committed, it leaves nothing.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    out: BufWriter<NamedTempFile>,
}

impl AtomicFile {
    /// Begins a file for `path`. Its folder must exist. A link at `path` is replaced by the file; see [`resolve`] for
    /// keeping it.
    ///
    /// # Errors
    /// When no file can be created in that folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let temporary = builder().tempfile_in(folder(path))?;
        Ok(Self { path: path.to_owned(), out: BufWriter::with_capacity(BUFFER, temporary) })
    }

    /// Where the bytes lie until the file is committed, for a writer that wants a path. Nothing may be written through
    /// `self` then.
    #[must_use]
    pub fn temporary_path(&self) -> &Path {
        self.out.get_ref().path()
    }

    /// Puts the file at its path in place of what is there, whose permissions it takes over.
    ///
    /// # Errors
    /// When the system refuses; what was at the path is intact then, and nothing else is left.
    pub fn commit(self) -> io::Result<()> {
        let (path, file) = self.settled()?;
        if let Ok(earlier) = fs::symlink_metadata(&path)
            && earlier.is_file()
        {
            file.as_file().set_permissions(earlier.permissions())?;
        }
        file.persist(&path).map_err(|error| error.error)?;
        sync_folder(&path);
        Ok(())
    }

    /// Puts the file at its path where nothing is.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when something is at the path; and when the system refuses. Nothing is left then.
    pub fn commit_new(self) -> io::Result<()> {
        let (path, file) = self.settled()?;
        match file.persist_noclobber(&path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Err(error.error),
            // File systems without hard links, which is how nothing is replaced, can only rename.
            Err(error) if fs::symlink_metadata(&path).is_err() => {
                error.file.persist(&path).map_err(|error| error.error)?;
            }
            Err(error) => return Err(error.error),
        }
        sync_folder(&path);
        Ok(())
    }

    /// The file with all its bytes on the disk.
    fn settled(self) -> io::Result<(PathBuf, NamedTempFile)> {
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        Ok((self.path, file))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a whole file; as [`AtomicFile::create`] and [`AtomicFile::commit`].
///
/// # Errors
/// When the system refuses; what was at the path is intact then.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// Removes temporary files that killed processes left in a folder where nobody else writes now. What cannot be removed
/// stays.
pub fn remove_leftovers(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// The file itself where it is named through a link, for files of the user's own where a link is to stay one. Never for
/// a file in a folder that may come from someone else: the link would choose what is written over.
///
/// # Errors
/// When the link leads nowhere, or the system refuses.
pub fn resolve(path: &Path) -> io::Result<PathBuf> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        fs::canonicalize(path)
    } else {
        Ok(path.to_owned())
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        // A temporary file is for its owner's eyes; a result follows the user's umask as any other.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// A new name, too, must outlive a power failure. The file is in place by now: a folder that may be written and not
/// read, or a file system that syncs no folders, is no failure.
fn sync_folder(path: &Path) {
    let folder = folder(path);
    if cfg!(unix)
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::debug!("{} is not synced: {error}", folder.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file.toml");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mut dropped = AtomicFile::create(&path).unwrap();
        dropped.write_all(b"three").unwrap();
        drop(dropped);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let begin = |bytes| {
            let mut file = AtomicFile::create(&path).unwrap();
            file.write_all(bytes).unwrap();
            file
        };
        let (first, second) = (begin(b"first"), begin(b"second"));
        first.commit_new().unwrap();
        assert_eq!(second.commit_new().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((fs::read(&real).unwrap(), fs::read(&link).unwrap()), (b"old".to_vec(), b"new".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_can_be_written_into() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("drop-box");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o300)).unwrap();
        let written = write(&folder.join("file"), b"one");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        written.unwrap();
        assert_eq!(fs::read(folder.join("file")).unwrap(), b"one");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_the_earlier_file_or_of_any_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (ours, plain) = (dir.path().join("ours"), dir.path().join("plain"));
        write(&ours, b"").unwrap();
        fs::write(&plain, b"").unwrap();
        assert_eq!(mode(&ours), mode(&plain));
        for kept in [0o600, 0o644, 0o755] {
            fs::set_permissions(&ours, fs::Permissions::from_mode(kept)).unwrap();
            write(&ours, b"again").unwrap();
            assert_eq!(mode(&ours), kept);
        }
    }
}
