//! Reading and writing of small text files: whole or not at all, with a version in each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::error::ProjectError;
use crate::files::{atomic_file, regular_file};

/// Reads a UTF-8 file.
pub(super) fn read_text(path: &Path) -> Result<String, ProjectError> {
    regular_file::read_to_string(path).map_err(|error| ProjectError::read(path, &error))
}

/// Writes a file whole or not at all, and makes its folder where it is missing. A link at the path is replaced.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ProjectError> {
    write_with_folder(path, bytes).map_err(|error| ProjectError::write(path, &error))
}

fn write_with_folder(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    atomic_file::write(path, bytes)
}

/// The same for a file of the user's own, such as the settings, in a folder that the environment variable names: a link
/// to it stays one.
pub(super) fn write_own(path: &Path, variable: &str, bytes: &[u8]) -> Result<(), ProjectError> {
    let refused = |error| ProjectError::write_own(path, variable, &error);
    let target = atomic_file::resolve(path).map_err(refused)?;
    write_with_folder(&target, bytes).map_err(|error| ProjectError::write_own(&target, variable, &error))
}

/// Reads TOML of a version up to `known`; a file that says no version is taken to be of the first.
///
/// The version is looked at before anything else: a newer file may hold keys that are not known here, and its
/// reader should hear of the version, not of the keys.
pub(super) fn parse_toml<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    known: u32,
) -> Result<T, ProjectError> {
    let malformed = |error: &toml::de::Error| {
        let line = error.span().map(|span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
        ProjectError::malformed(path, line, error.message().trim())
    };
    let table: toml::Table = toml::from_str(text).map_err(|error| malformed(&error))?;
    match table.get("version") {
        None => {}
        Some(toml::Value::Integer(version)) if (1..=i64::from(known)).contains(version) => {}
        Some(toml::Value::Integer(version)) if *version > i64::from(known) => {
            return Err(ProjectError::Newer { path: path.to_owned(), found: *version, known });
        }
        Some(other) => {
            let reason = format!("the version is {other}: a whole number from 1 was expected");
            return Err(ProjectError::malformed(path, None, reason));
        }
    }
    toml::from_str(text).map_err(|error| malformed(&error))
}

/// Serialises to TOML under a comment.
pub(super) fn to_toml<T: serde::Serialize>(
    path: &Path,
    header: &str,
    value: &T,
    arrays_by_line: bool,
) -> Result<String, ProjectError> {
    let text = if arrays_by_line { toml::to_string_pretty(value) } else { toml::to_string(value) };
    let text =
        text.map_err(|error| ProjectError::Write { path: path.to_owned(), reason: error.to_string() })?;
    Ok(format!("{header}\n{text}"))
}

/// Renames a file of the user's that cannot be read to `NAME.toml.bad`, so that the next one does not overwrite what
/// someone may want to look at; a sentence that says so.
pub(super) fn set_aside(path: &Path) -> String {
    let aside = path.with_extension("toml.bad");
    match std::fs::rename(path, &aside) {
        Ok(()) => format!("It was set aside as {}.", aside.display()),
        Err(error) => format!("It could not be set aside: {error}."),
    }
}

/// An absolute path without `.` and `..`, read off the name alone.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match part {
            std::path::Component::ParentDir => {
                clean.pop();
            }
            std::path::Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

/// How a path is written in a file of the project in `dir`: relative, with slashes, when it lies in that folder
/// or beside it, so that both can be moved together; absolute otherwise.
pub(super) fn path_to_text(path: &Path, dir: &Path) -> Result<String, ProjectError> {
    let (path, dir) = (absolute(path), absolute(dir));
    // Beside a folder at the top of a disk lies everything; that is not what "beside" means.
    let beside = dir.parent().filter(|parent| parent.parent().is_some());
    let relative = if let Ok(inside) = path.strip_prefix(&dir) {
        Some((inside, ""))
    } else {
        beside.and_then(|parent| path.strip_prefix(parent).ok()).map(|outside| (outside, "../"))
    };
    let not_unicode = || ProjectError::NotUnicode { path: path.clone() };
    let Some((relative, up)) = relative else {
        return path.to_str().map(str::to_owned).ok_or_else(not_unicode);
    };
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    let text = format!("{up}{}", parts.ok_or_else(not_unicode)?.join("/"));
    Ok(if text.is_empty() { ".".to_owned() } else { text })
}

/// The path that a file of the project in `dir` means.
pub(super) fn path_from_text(text: &str, dir: &Path) -> PathBuf {
    absolute(&dir.join(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn near_paths_are_relative_and_come_back() {
        let dir = Path::new("/home/ada/projects/messages");
        for (path, text) in [
            ("/home/ada/projects/messages/data/train.csv", "data/train.csv"),
            ("/home/ada/projects/messages", "."),
            ("/home/ada/projects/shared/model", "../shared/model"),
            ("/home/ada/other/train.csv", "/home/ada/other/train.csv"),
            ("/home/ada/projects/messages/../shared/./x", "../shared/x"),
        ] {
            assert_eq!(path_to_text(Path::new(path), dir).as_deref(), Ok(text));
            assert_eq!(path_from_text(text, dir), absolute(Path::new(path)));
        }
        // A project at the top of the disk has nothing beside it.
        assert_eq!(path_to_text(Path::new("/etc/x"), Path::new("/messages")).as_deref(), Ok("/etc/x"));
    }

    #[test]
    fn a_write_replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made/here/file.toml");
        write_whole(&path, b"one").unwrap();
        write_whole(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_where_the_file_is_the_users_own() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.toml"), dir.path().join("link.toml"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_own(&link, "VARIABLE", b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        write_whole(&link, b"other").unwrap();
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn a_file_in_the_way_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("taken"), "").unwrap();
        let text = write_whole(&dir.path().join("taken/file.toml"), b"").unwrap_err().to_string();
        assert!(text.contains("a file lies where a folder is needed"), "{text}");
    }
}
