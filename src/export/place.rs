//! The place of an export: whether it may be used, and putting a finished folder there in one step. It must
//! never know what the folder holds beyond the names of its entries.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::ExportError;

/// Beside the tokenizer's files, everything at the top of an exported folder.
const WRITTEN: [&str; 7] = [
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "README.md",
    "tasks",
];

/// Whether a folder of this name is that of a module: `1_Pooling`.
fn is_of_module(name: &str) -> bool {
    name.split_once('_').is_some_and(|(place, class)| {
        place.parse::<u32>().is_ok() && matches!(class, "Pooling" | "Dense" | "Normalize")
    })
}

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
        check(&place, base)?;
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

    /// Puts the folder at its place, and gives that.
    pub(super) fn put(self) -> Result<PathBuf, ExportError> {
        let (new, old, place) = (self.dir(), self.around.path().join("old"), self.place);
        let earlier = place.exists();
        if earlier && !self.replaces {
            // Another program was quicker: what it made is not ours to throw away.
            return Err(in_use(&place, "another export"));
        }
        if earlier {
            fs::rename(&place, &old).map_err(|error| ExportError::write(&place, &error))?;
        }
        // Something may have been put into the earlier export while this one was written.
        let still_ours = if earlier { check(&old, &old.join("no base")) } else { Ok(()) };
        if let Err(error) = still_ours {
            if fs::rename(&old, &place).is_err() {
                let kept = self.around.keep();
                return Err(ExportError::Stranded { path: place, kept, reason: error.to_string() });
            }
            return Err(error);
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
        Ok(place)
    }
}

/// The folder itself where it is named through a link, so that the link stays one.
fn resolve(place: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => std::path::absolute(place),
        other => other,
    }
}

fn check(place: &Path, base: &Path) -> Result<(), ExportError> {
    if !place.exists() {
        return Ok(());
    }
    if !place.is_dir() {
        return Err(ExportError::TargetIsFile(place.to_owned()));
    }
    if fs::canonicalize(base).is_ok_and(|base| base.starts_with(place)) {
        return Err(ExportError::TargetHoldsBase(place.to_owned()));
    }
    let unreadable = |reason| ExportError::Read { path: place.to_owned(), reason };
    let mut names = Vec::new();
    for entry in fs::read_dir(place).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let ours = |name: &String| {
        name == HEADS || WRITTEN.contains(&name.as_str()) || is_of_module(name) || is_of_tokenizer(name)
    };
    // Something that was put into an export is not for us to throw away.
    if let Some(other) = names.iter().find(|name| !ours(name)) {
        return Err(in_use(place, other));
    }
    match names.first() {
        Some(first) if !place.join(HEADS).join("config.json").is_file() => Err(in_use(place, first)),
        _ => Ok(()),
    }
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
        let later = staged(&place);
        fs::write(place.join("notes.txt"), "mine").unwrap();
        let told = later.put().unwrap_err().to_string();
        assert!(told.contains("notes.txt"), "{told}");
        assert_eq!(fs::read_to_string(place.join("notes.txt")).unwrap(), "mine");
        staged(&dir.path().join("other")).put().unwrap();
    }
}
