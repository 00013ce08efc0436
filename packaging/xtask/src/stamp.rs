//! The file written last into an unpacked folder: what it was made from, and the files that must be there.
//!
//! A folder without it, or with a file missing or cut short, is an interrupted setup and is made anew.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

const FILE: &str = "STAMP";

/// What an unpacked folder says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Of the pins it was made from.
    pub(crate) digest: String,
    /// Path inside the folder, with forward slashes, and size in bytes.
    pub(crate) files: Vec<(String, u64)>,
}

impl Stamp {
    /// Writes the stamp; the folder counts as complete from here on.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let files = self.files.iter().map(|(path, size_bytes)| format!("{size_bytes} {path}"));
        let lines: Vec<String> = std::iter::once(format!("pins {}", self.digest)).chain(files).collect();
        let text = lines.join("\n") + "\n";
        let path = folder.join(FILE);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join(FILE)).ok()?;
        let mut lines = text.lines();
        let digest = lines.next()?.strip_prefix("pins ")?.to_owned();
        let files = lines
            .map(|line| {
                let (size_bytes, path) = line.split_once(' ')?;
                Some((path.to_owned(), size_bytes.parse().ok()?))
            })
            .collect::<Option<_>>()?;
        Some(Self { digest, files })
    }
}

/// Whether the folder was completed from one of these pins and still holds every file at its size.
pub(crate) fn is_complete(folder: &Path, digests: &[&str]) -> bool {
    Stamp::read(folder).is_some_and(|stamp| {
        digests.contains(&stamp.digest.as_str())
            && stamp.files.iter().all(|(path, size_bytes)| {
                fs::metadata(folder.join(path)).is_ok_and(|metadata| metadata.len() == *size_bytes)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_stamp() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/a b.so"), b"12345").unwrap();
        Stamp { digest: "abc".to_owned(), files: vec![("lib/a b.so".to_owned(), 5)] }
            .write(folder.path())
            .unwrap();
        folder
    }

    #[test]
    fn a_stamped_folder_is_complete_for_its_pins_only() {
        let folder = folder_with_stamp();
        assert!(is_complete(folder.path(), &["abc"]));
        assert!(is_complete(folder.path(), &["other", "abc"]));
        assert!(!is_complete(folder.path(), &["other"]));
    }

    #[test]
    fn a_missing_or_shortened_file_makes_it_incomplete() {
        let folder = folder_with_stamp();
        fs::write(folder.path().join("lib/a b.so"), b"123").unwrap();
        assert!(!is_complete(folder.path(), &["abc"]));
        fs::remove_file(folder.path().join("lib/a b.so")).unwrap();
        assert!(!is_complete(folder.path(), &["abc"]));
    }

    #[test]
    fn no_stamp_or_a_damaged_one_is_incomplete() {
        let folder = folder_with_stamp();
        fs::write(folder.path().join(FILE), "pins abc\nnonsense").unwrap();
        assert!(!is_complete(folder.path(), &["abc"]));
        fs::remove_file(folder.path().join(FILE)).unwrap();
        assert!(!is_complete(folder.path(), &["abc"]));
    }
}
