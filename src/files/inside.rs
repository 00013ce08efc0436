//! Folders that may come from someone else, such as a project: nothing in them is reached through a link.
//!
//! A link in such a folder would choose which of the user's files is read or written over. So every name below the folder
//! must be a real folder or file. The folder itself is the user's choice and may be reached through links. What changes
//! between the look and the use is not guarded against: whoever can do that has the user's rights already.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Component, Path};

use super::atomic_file::AtomicFile;

/// Refuses a path below `root` that leads through a link, or is one. What does not exist yet is no link.
///
/// # Errors
/// When there is a link, or when the path leads out of the folder by its name.
pub fn refuse_links(root: &Path, path: &Path) -> io::Result<()> {
    let below = path.strip_prefix(root).map_err(|_not_below| outside(path))?;
    let mut at = root.to_owned();
    for part in below.components() {
        match part {
            Component::Normal(name) => at.push(name),
            Component::CurDir => continue,
            _ => return Err(outside(path)),
        }
        refuse_link(&at)?;
    }
    Ok(())
}

/// Refuses links among the names in a folder, and in the folders below it down to `depth`. A folder that is not there
/// has none.
///
/// # Errors
/// When there is a link, or a folder cannot be read.
pub fn refuse_links_in(dir: &Path, depth: usize) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        refuse_link(&path)?;
        if depth > 0 && path.is_dir() {
            refuse_links_in(&path, depth - 1)?;
        }
    }
    Ok(())
}

/// Makes a folder below `root` where it is missing, with those above it.
///
/// # Errors
/// As [`refuse_links`], and when the system refuses.
pub fn create_dir_all(root: &Path, dir: &Path) -> io::Result<()> {
    refuse_links(root, dir)?;
    fs::create_dir_all(dir)?;
    refuse_links(root, dir)
}

/// Opens a regular file, created where it is missing, for reading and for adding to its end. Its last name is not
/// followed where it is a link; a file with other names (hard links) is copied first, so that these keep what they have.
///
/// # Errors
/// When it is a link or no regular file, and when the system refuses.
pub fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true);
    let file = open(path, &mut options)?;
    if !has_other_names(&file.metadata()?) {
        return Ok(file);
    }
    copy_over(file, path)?;
    open(path, &mut options)
}

/// Whether a file has names elsewhere, which may be in a backup or another folder of the user's.
#[cfg(unix)]
fn has_other_names(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
const fn has_other_names(_: &fs::Metadata) -> bool {
    false
}

/// Puts a copy of a file at its path, so that what is written there later is in no other file.
fn copy_over(mut file: File, path: &Path) -> io::Result<()> {
    let mut copy = AtomicFile::create(path)?;
    io::copy(&mut file, &mut copy)?;
    copy.commit()
}

/// Opens a regular file, created where it is missing, to read and to write it, or to lock it. As [`append`] it follows no
/// link.
///
/// # Errors
/// As [`append`].
pub fn open_to_write(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().create(true).truncate(false).read(true).write(true))
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    refuse_link(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe would block whoever opens it.
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
}

fn refuse_link(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(());
    }
    let target =
        fs::read_link(path).map_or_else(|_| "another place".to_owned(), |to| to.display().to_string());
    let reason = format!(
        "{} is a link to {target}, and links here are not followed: in a folder from someone else they could lead \
         anywhere. Put the file or folder itself there, or remove the link",
        path.display()
    );
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

fn outside(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{} lies outside the folder", path.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_added_is_added_to_no_other_name_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, path) = (dir.path().join("victim"), dir.path().join("history"));
        fs::write(&victim, "precious\n").unwrap();
        fs::hard_link(&victim, &path).unwrap();
        append(&path).unwrap().write_all(b"added\n").unwrap();
        append(&path).unwrap().write_all(b"more\n").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious\nadded\nmore\n");
    }

    #[test]
    fn links_below_the_folder_are_refused_and_the_folder_may_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let (real, root) = (dir.path().join("real"), dir.path().join("root"));
        fs::create_dir_all(real.join("a/b")).unwrap();
        symlink(&real, &root).unwrap();
        assert!(refuse_links(&root, &root.join("a/b/new")).is_ok());
        symlink("/etc", real.join("a/c")).unwrap();
        symlink("nowhere", real.join("d")).unwrap();
        for path in ["a/c", "a/c/passwd", "d"] {
            let told = refuse_links(&root, &root.join(path)).unwrap_err().to_string();
            assert!(told.contains("is a link to"), "{told}");
        }
        for path in ["../real", "a/../../x"] {
            assert!(refuse_links(&root, &root.join(path)).is_err(), "{path}");
        }
        assert!(refuse_links_in(&root, 0).is_err() && refuse_links_in(&real.join("a/b"), 1).is_ok());
        fs::remove_file(real.join("d")).unwrap();
        assert!(refuse_links_in(&root, 0).is_ok() && refuse_links_in(&root, 1).is_err());
    }

    #[test]
    fn a_link_is_never_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join("link"));
        fs::write(&victim, "kept").unwrap();
        symlink(&victim, &link).unwrap();
        assert!(append(&link).is_err() && open_to_write(&link).is_err());
        let (dangling, made) = (dir.path().join("dangling"), dir.path().join("made"));
        symlink(&made, &dangling).unwrap();
        assert!(append(&dangling).is_err() && open_to_write(&dangling).is_err() && !made.exists());
        append(&dir.path().join("log")).unwrap().write_all(b"line\n").unwrap();
        append(&dir.path().join("log")).unwrap().write_all(b"line\n").unwrap();
        assert_eq!(fs::read(dir.path().join("log")).unwrap(), b"line\nline\n");
        assert_eq!(fs::read(&victim).unwrap(), b"kept");
    }
}
