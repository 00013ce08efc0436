//! Where an export goes: whether the folder may be used, and putting a finished folder there in one step. An earlier
//! export with files or edits of its user is kept under another name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::ExportError;
use super::report::KeptExport;
use super::written;

/// Most earlier exports that are kept beside one place.
const MOST_ASIDE: u32 = 10_000;

/// What every export has and nobody else writes.
pub(super) const HEADS: &str = "heads";

/// A tokenizer's files, copied as they are.
const TOKENIZER: [&str; 7] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
];

/// Whether a file of this name in a model's folder belongs to its tokenizer.
pub(super) fn is_of_tokenizer(name: &str) -> bool {
    let sentencepiece = Path::new(name).extension().is_some_and(|extension| extension == "model");
    sentencepiece || TOKENIZER.contains(&name)
}

/// A folder that is being written beside its place.
pub(super) struct Staged {
    /// Holds the new folder, and for a moment the one it replaces.
    around: TempDir,
    place: PathBuf,
    /// Whether an earlier export was at the place when this one began: only that may be replaced.
    replaces: bool,
}

impl Staged {
    /// Looks whether `place` may be used, and makes an empty folder beside it.
    pub(super) fn beside(place: &Path, base: &Path) -> Result<Self, ExportError> {
        let place = resolve(place).map_err(|error| ExportError::write(place, &error))?;
        check(&place, &place, base)?;
        let parent = place.parent().ok_or_else(|| in_use(&place, "the whole disk"))?;
        fs::create_dir_all(parent).map_err(|error| ExportError::write(parent, &error))?;
        let around = tempfile::Builder::new().prefix(".frostline-export-").tempdir_in(parent);
        let around = around.map_err(|error| ExportError::write(parent, &error))?;
        let replaces = place.exists();
        let staged = Self { around, place, replaces };
        // A folder inside, for the temporary one is for its owner's eyes only, and an export is not.
        fs::create_dir(staged.dir()).map_err(|error| ExportError::write(&staged.place, &error))?;
        Ok(staged)
    }

    /// The folder to write into.
    pub(super) fn dir(&self) -> PathBuf {
        self.around.path().join("new")
    }

    /// The place of a file of the folder once it is there: what messages name.
    pub(super) fn shown(&self, relative: &str) -> PathBuf {
        self.place.join(relative)
    }

    /// Puts the folder at its place, and gives that; and the earlier export, where it is kept.
    pub(super) fn put(self) -> Result<(PathBuf, Option<KeptExport>), ExportError> {
        let (new, mut old, place) = (self.dir(), self.around.path().join("old"), self.place);
        let earlier = place.exists();
        if earlier && !self.replaces {
            // Another program was quicker: what it made is not ours to throw away.
            return Err(in_use(&place, "another export"));
        }
        let mut kept = None;
        if earlier {
            fs::rename(&place, &old).map_err(|error| ExportError::write(&place, &error))?;
            // Looked at here, where nobody else puts anything into it any more.
            let aside = check(&old, &place, &old.join("no base")).and_then(|()| {
                let additions = if is_empty(&old) { None } else { written::additions(&old) };
                let aside = additions.map(|additions| Ok((set_aside(&old, &place)?, additions)));
                aside.transpose()
            });
            match aside {
                Ok(None) => {}
                Ok(Some((dir, additions))) => {
                    old.clone_from(&dir);
                    kept = Some(KeptExport { dir, additions });
                }
                Err(error) => {
                    if fs::rename(&old, &place).is_err() {
                        let kept = self.around.keep();
                        return Err(ExportError::Stranded { path: place, kept, reason: error.to_string() });
                    }
                    return Err(error);
                }
            }
        }
        if let Err(error) = fs::rename(&new, &place) {
            if earlier && fs::rename(&old, &place).is_err() {
                let kept = self.around.keep();
                return Err(ExportError::Stranded { path: place, kept, reason: error.to_string() });
            }
            return Err(ExportError::write(&place, &error));
        }
        let leftover = self.around.path().to_owned();
        if let Err(error) = self.around.close() {
            tracing::warn!("the replaced export is still in {}: {error}", leftover.display());
        }
        Ok((place, kept))
    }
}

/// Moves an earlier export to the first free name beside its place: `NAME.before-1`.
fn set_aside(old: &Path, place: &Path) -> Result<PathBuf, ExportError> {
    let name = place.file_name().unwrap_or_default();
    for number in 1..=MOST_ASIDE {
        let mut name = name.to_owned();
        name.push(format!(".before-{number}"));
        let aside = place.with_file_name(name);
        // Made first, so that the name is ours: a folder takes the place of an empty one, and of nothing else.
        match fs::create_dir(&aside) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(ExportError::write(&aside, &error)),
        }
        let moved = if cfg!(windows) {
            fs::remove_dir(&aside).and_then(|()| fs::rename(old, &aside))
        } else {
            fs::rename(old, &aside)
        };
        return match moved {
            Ok(()) => Ok(aside),
            Err(error) => {
                drop(fs::remove_dir(&aside));
                Err(ExportError::write(&aside, &error))
            }
        };
    }
    Err(in_use(place, "files of yours, and so do all earlier exports beside it"))
}

/// The folder itself where it is named through a link, so that the link stays one.
fn resolve(place: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(place),
        other => other,
    }
}

/// Whether an export may take the place of `dir`, which messages call `place`: it may have been moved aside by now.
fn check(dir: &Path, place: &Path, base: &Path) -> Result<(), ExportError> {
    if !dir.exists() {
        return Ok(());
    }
    if !dir.is_dir() {
        return Err(ExportError::TargetIsFile(place.to_owned()));
    }
    if fs::canonicalize(base).is_ok_and(|base| base.starts_with(dir)) {
        return Err(ExportError::TargetHoldsBase(place.to_owned()));
    }
    if is_export(dir) {
        return Ok(());
    }
    let unreadable = |reason| ExportError::Read { path: place.to_owned(), reason };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names.first().map_or(Ok(()), |first| Err(in_use(place, first)))
}

/// Whether a folder is an earlier export, which the next one may replace.
#[must_use]
pub fn is_export(dir: &Path) -> bool {
    dir.join(HEADS).join("config.json").is_file()
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

fn in_use(path: &Path, found: &str) -> ExportError {
    ExportError::TargetInUse { path: path.to_owned(), found: found.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(place: &Path) -> Staged {
        let staged = Staged::beside(place, Path::new("no base")).unwrap();
        fs::create_dir(staged.dir().join(HEADS)).unwrap();
        fs::write(staged.dir().join(HEADS).join("config.json"), "{}").unwrap();
        let mut list = written::Written::default();
        list.bytes("heads/config.json", b"{}");
        list.bytes("README.md", b"first");
        fs::write(staged.dir().join(written::LIST), list.to_json().unwrap()).unwrap();
        staged
    }

    #[test]
    fn of_two_exports_to_one_new_place_the_later_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("model");
        let (first, second) = (staged(&place), staged(&place));
        fs::write(first.dir().join("README.md"), "first").unwrap();
        first.put().unwrap();
        assert!(second.put().is_err());
        assert_eq!(fs::read_to_string(place.join("README.md")).unwrap(), "first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn what_is_put_into_an_earlier_export_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("model");
        staged(&place).put().unwrap();
        for (number, name) in [(1, "notes.txt"), (2, "heads/notes.txt")] {
            let later = staged(&place);
            fs::write(place.join(name), "mine").unwrap();
            let kept = later.put().unwrap().1.unwrap();
            assert_eq!(kept.dir, dir.path().join(format!("model.before-{number}")));
            assert_eq!(kept.additions, [name]);
            assert_eq!(fs::read_to_string(kept.dir.join(name)).unwrap(), "mine");
            assert!(!place.join(name).exists());
        }
        staged(&place).put().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else is left beside it");
    }

    #[test]
    fn an_earlier_export_takes_no_name_that_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("model");
        staged(&place).put().unwrap();
        fs::write(dir.path().join("model.before-1"), "a file").unwrap();
        fs::create_dir(dir.path().join("model.before-2")).unwrap();
        fs::write(place.join("notes.txt"), "mine").unwrap();
        let kept = staged(&place).put().unwrap().1.unwrap();
        assert_eq!(kept.dir, dir.path().join("model.before-3"));
        assert_eq!(fs::read(dir.path().join("model.before-1")).unwrap(), b"a file");
    }

    #[test]
    fn what_took_the_place_of_an_export_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("model");
        staged(&place).put().unwrap();
        let later = staged(&place);
        fs::remove_dir_all(&place).unwrap();
        fs::create_dir(&place).unwrap();
        fs::write(place.join("thesis.tex"), "mine").unwrap();
        let told = later.put().unwrap_err().to_string();
        assert!(told.contains("thesis.tex") && told.contains(&place.display().to_string()), "{told}");
        assert_eq!(fs::read_to_string(place.join("thesis.tex")).unwrap(), "mine");
    }
}
