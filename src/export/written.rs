//! The list of files that an export wrote, kept in its folder. The next export compares the folder with it, and takes
//! nothing away that its user added or edited.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::files::regular_file;
use crate::model::files::safetensors::file_sha256;

/// The list, relative to the exported folder. No reader of such folders looks for a file of that name.
pub(super) const LIST: &str = "heads/written.json";

const VERSION: u32 = 1;
/// Bytes of the longest list that makes sense.
const LARGEST: u64 = 1 << 24;
/// Most differences that are looked for: one is enough to keep the folder, a few are named.
const MOST: usize = 100;
/// Files that file managers put into every folder that they show ...
const DROPPINGS: [&str; 2] = [".DS_Store", "Thumbs.db"];
/// ... and bytes of the largest of them.
const LARGEST_DROPPING: u64 = 1 << 24;

/// What an export wrote.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Written {
    version: u32,
    files: Vec<WrittenFile>,
    /// Folders that have no file in them.
    folders: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct WrittenFile {
    /// Relative to the folder, with slashes.
    path: String,
    bytes: u64,
    sha256: String,
}

impl Default for Written {
    fn default() -> Self {
        Self { version: VERSION, files: Vec::new(), folders: Vec::new() }
    }
}

impl Written {
    /// Adds a file by its bytes.
    pub(super) fn bytes(&mut self, relative: &str, bytes: &[u8]) {
        let sha256 = format!("{:x}", Sha256::digest(bytes));
        self.files.push(WrittenFile { path: relative.to_owned(), bytes: bytes.len() as u64, sha256 });
    }

    /// Adds a file that is at `path` by now.
    pub(super) fn file(&mut self, relative: &str, path: &Path) -> io::Result<()> {
        let bytes = fs::symlink_metadata(path)?.len();
        let sha256 = file_sha256(path).map_err(io::Error::other)?;
        self.files.push(WrittenFile { path: relative.to_owned(), bytes, sha256 });
        Ok(())
    }

    /// Adds a file with the contents of one that was added.
    pub(super) fn second_name(&mut self, relative: &str, of: &str) {
        let first = self.files.iter().find(|file| file.path == of).cloned();
        self.files.extend(first.map(|first| WrittenFile { path: relative.to_owned(), ..first }));
    }

    /// Adds a folder without files.
    pub(super) fn folder(&mut self, relative: &str) {
        self.folders.push(relative.to_owned());
    }

    /// Names and sizes of the files so far.
    pub(super) fn sizes(&self) -> Vec<(String, u64)> {
        self.files.iter().map(|file| (file.path.clone(), file.bytes)).collect()
    }

    /// The list as it is kept.
    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    fn read(dir: &Path) -> Option<Self> {
        let bytes = regular_file::read_at_most(&dir.join(LIST), LARGEST).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|list: &Self| list.version == VERSION)
    }
}

/// What in an earlier export is not as it was written, in words for its user, empty where it has no list to tell by;
/// `None` where all of it may go. No link is followed.
pub(super) fn additions(dir: &Path) -> Option<Vec<String>> {
    let Some(list) = Written::read(dir) else { return Some(Vec::new()) };
    let mut folders: HashSet<&str> = list.folders.iter().map(String::as_str).collect();
    let paths = list.files.iter().map(|file| file.path.as_str());
    for path in paths.chain([LIST]).chain(list.folders.iter().map(String::as_str)) {
        folders.extend(path.match_indices('/').filter_map(|(end, _)| path.get(..end)));
    }
    let files = list.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut comparison = Comparison { dir, files, folders, hashed: HashMap::new(), found: Vec::new() };
    comparison.look("");
    comparison.found.sort();
    Some(comparison.found).filter(|found| !found.is_empty())
}

struct Comparison<'a> {
    dir: &'a Path,
    files: HashMap<&'a str, &'a WrittenFile>,
    folders: HashSet<&'a str>,
    /// Hashes of files that may have other names: the weights in the tasks' folders.
    hashed: HashMap<(u64, u64), String>,
    found: Vec<String>,
}

impl Comparison<'_> {
    /// Looks at the entries of a folder that was written.
    fn look(&mut self, folder: &str) {
        let entries = match fs::read_dir(self.dir.join(folder)) {
            Ok(entries) => entries,
            Err(error) => return self.found.push(format!("{folder}/, which cannot be read: {error}")),
        };
        for entry in entries {
            if self.found.len() >= MOST {
                return;
            }
            let Ok(entry) = entry else {
                self.found.push(format!("{folder}/, which cannot be read"));
                return;
            };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let relative = if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") };
            // Of a link, not of what it leads to.
            match fs::symlink_metadata(entry.path()) {
                Ok(metadata) if metadata.is_dir() && self.folders.contains(relative.as_str()) => {
                    self.look(&relative);
                }
                Ok(metadata) if metadata.is_dir() => self.found.push(format!("{relative}/")),
                Ok(metadata) if is_dropping(&entry.file_name(), &metadata) => {}
                Ok(metadata) => self.compare(relative, &entry.path(), &metadata),
                Err(error) => self.found.push(format!("{relative}, which cannot be read: {error}")),
            }
        }
    }

    fn compare(&mut self, relative: String, path: &Path, metadata: &Metadata) {
        if relative == LIST && metadata.is_file() {
            return;
        }
        match self.files.get(relative.as_str()).copied() {
            None => self.found.push(relative),
            Some(_) if !metadata.is_file() => self.found.push(format!("{relative}, now a link")),
            Some(written) => {
                let same = written.bytes == metadata.len()
                    && self.sha256(path, metadata).is_some_and(|sha256| sha256 == written.sha256);
                if !same {
                    self.found.push(format!("{relative}, which was edited"));
                }
            }
        }
    }

    fn sha256(&mut self, path: &Path, metadata: &Metadata) -> Option<String> {
        let identity = identity(metadata);
        if let Some(known) = identity.and_then(|identity| self.hashed.get(&identity)) {
            return Some(known.clone());
        }
        let sha256 = file_sha256(path).ok()?;
        if let Some(identity) = identity {
            self.hashed.insert(identity, sha256.clone());
        }
        Some(sha256)
    }
}

fn is_dropping(name: &OsStr, metadata: &Metadata) -> bool {
    DROPPINGS.iter().any(|known| name == *known) && metadata.is_file() && metadata.len() <= LARGEST_DROPPING
}

/// What all names of a file on the disk share.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    (metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
const fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(dir: &Path) {
        let mut list = Written::default();
        for (path, text) in
            [("README.md", "card"), ("heads/config.json", "{}"), ("tasks/a/model.safetensors", "w")]
        {
            fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
            fs::write(dir.join(path), text).unwrap();
            list.bytes(path, text.as_bytes());
        }
        fs::create_dir(dir.join("2_Normalize")).unwrap();
        list.folder("2_Normalize");
        fs::hard_link(dir.join("tasks/a/model.safetensors"), dir.join("model.safetensors")).unwrap();
        list.second_name("model.safetensors", "tasks/a/model.safetensors");
        fs::write(dir.join(LIST), list.to_json().unwrap()).unwrap();
    }

    #[test]
    fn what_was_written_and_is_unchanged_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        exported(dir.path());
        assert_eq!(additions(dir.path()), None);
        // What is gone cannot be lost, and a file manager's droppings are not the user's.
        fs::remove_file(dir.path().join("README.md")).unwrap();
        fs::write(dir.path().join("tasks/.DS_Store"), "x").unwrap();
        assert_eq!(additions(dir.path()), None);
    }

    #[test]
    fn whatever_else_is_there_is_found_anywhere() {
        let cases: [(&str, &str); 6] = [
            ("notes.txt", "notes.txt"),
            ("tasks/notes.md", "tasks/notes.md"),
            ("tasks/a/deep/notes.md", "tasks/a/deep/"),
            ("2_Normalize/x", "2_Normalize/x"),
            (".git/HEAD", ".git/"),
            ("README.md", "README.md, which was edited"),
        ];
        for (path, told) in cases {
            let dir = tempfile::tempdir().unwrap();
            exported(dir.path());
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), "mine").unwrap();
            assert_eq!(additions(dir.path()).unwrap(), [told], "{path}");
        }
        let dir = tempfile::tempdir().unwrap();
        exported(dir.path());
        fs::create_dir(dir.path().join("tasks/empty")).unwrap();
        // Named as a file manager's file, and a folder of the user's all the same.
        fs::create_dir(dir.path().join("tasks/.DS_Store")).unwrap();
        // The weights have two names: both are told.
        fs::write(dir.path().join("model.safetensors"), "v").unwrap();
        let edited = "tasks/a/model.safetensors, which was edited";
        assert_eq!(
            additions(dir.path()).unwrap(),
            ["model.safetensors, which was edited", "tasks/.DS_Store/", edited, "tasks/empty/"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_found_and_not_followed() {
        use std::os::unix::fs::symlink;
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        exported(dir.path());
        fs::write(other.path().join("same"), "card").unwrap();
        fs::remove_file(dir.path().join("README.md")).unwrap();
        symlink(other.path().join("same"), dir.path().join("README.md")).unwrap();
        fs::remove_dir(dir.path().join("2_Normalize")).unwrap();
        symlink(other.path(), dir.path().join("2_Normalize")).unwrap();
        symlink("/nowhere", dir.path().join("tasks/dangling")).unwrap();
        let found = additions(dir.path()).unwrap();
        assert_eq!(found, ["2_Normalize", "README.md, now a link", "tasks/dangling"]);
    }

    #[test]
    fn without_a_list_nothing_is_known() {
        let dir = tempfile::tempdir().unwrap();
        exported(dir.path());
        for text in ["", "{}", r#"{"version": 2, "files": [], "folders": []}"#] {
            fs::write(dir.path().join(LIST), text).unwrap();
            assert_eq!(additions(dir.path()), Some(Vec::new()), "{text}");
        }
        fs::remove_file(dir.path().join(LIST)).unwrap();
        assert_eq!(additions(dir.path()), Some(Vec::new()));
    }
}
