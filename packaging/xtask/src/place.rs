//! Bringing an unpacked folder from the cache into a checkout.
//!
//! Files are hard-linked: a second checkout costs no room and a second of time, and, unlike a symbolic link, what
//! is in place outlives the cache. Where linking is impossible, across disks for one, files are copied.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::disk;

/// Puts a copy of `source` at `target`, replacing what is there. Until the copy is whole it lies beside the
/// target under another name.
pub(crate) fn place(source: &Path, target: &Path) -> Result<()> {
    let parent = target.parent().context("the target has no parent folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let name = target.file_name().context("the target has no name")?.to_string_lossy().into_owned();
    let partial_prefix = format!("{name}.partial-");
    let old_prefix = format!("{name}.old-");
    remove_leftovers(parent, &partial_prefix)?;
    remove_leftovers(parent, &old_prefix)?;

    let partial = tempfile::Builder::new()
        .prefix(&partial_prefix)
        .tempdir_in(parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    let copy = partial.path().join("copy");
    if !can_link(source, partial.path()) {
        disk::require(parent, tree_size(source)?, "to copy libtorch or the model into the checkout")?;
    }
    link_tree(source, &copy)?;
    if fs::symlink_metadata(target).is_ok() {
        let old = parent.join(format!("{old_prefix}{}", std::process::id()));
        fs::rename(target, &old).with_context(|| format!("cannot replace {}", target.display()))?;
        fs::rename(&copy, target).with_context(|| format!("cannot make {}", target.display()))?;
        remove(&old)?;
    } else {
        fs::rename(&copy, target).with_context(|| format!("cannot make {}", target.display()))?;
    }
    Ok(())
}

fn can_link(source: &Path, folder: &Path) -> bool {
    let probe = folder.join("probe");
    fs::hard_link(source.join("STAMP"), &probe).is_ok() && fs::remove_file(&probe).is_ok()
}

/// Copies a folder by hard links where the file system can, by content where not.
fn link_tree(source: &Path, target: &Path) -> Result<()> {
    fs::create_dir(target).with_context(|| format!("cannot make {}", target.display()))?;
    for entry in fs::read_dir(source).with_context(|| format!("cannot read {}", source.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            link_tree(&from, &to)?;
        } else if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    Ok(())
}

/// Removes what an interrupted run left in a folder: entries whose names start with `prefix`.
pub(crate) fn remove_leftovers(folder: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file, a link, or a folder with all it holds; nothing there is no error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let outcome = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    outcome.with_context(|| format!("cannot remove {}", path.display()))
}

/// The bytes of all files below a folder.
fn tree_size(folder: &Path) -> Result<u64> {
    let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
    let mut total_bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                total_bytes += entry.metadata()?.len();
            }
        }
    }
    Ok(total_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_placed_over_an_older_one_and_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("cache/tree"), folder.path().join("checkout/.libtorch"));
        fs::create_dir_all(source.join("lib")).unwrap();
        fs::write(source.join("lib/a.so"), b"new").unwrap();
        fs::write(source.join("STAMP"), b"pins abc\n").unwrap();
        fs::create_dir_all(target.join("lib")).unwrap();
        fs::write(target.join("lib/old.so"), b"old").unwrap();
        fs::create_dir_all(folder.path().join("checkout/.libtorch.partial-1/copy")).unwrap();

        place(&source, &target).unwrap();

        assert_eq!(fs::read(target.join("lib/a.so")).unwrap(), b"new");
        assert!(!target.join("lib/old.so").exists());
        assert_eq!(fs::read_dir(folder.path().join("checkout")).unwrap().count(), 1);
        assert_eq!(tree_size(&source).unwrap(), 12);
    }

    #[test]
    fn what_is_in_place_outlives_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("cache"), folder.path().join("target"));
        fs::create_dir(&source).unwrap();
        fs::write(source.join("STAMP"), b"pins abc\n").unwrap();
        place(&source, &target).unwrap();
        remove(&source).unwrap();
        assert_eq!(fs::read(target.join("STAMP")).unwrap(), b"pins abc\n");
    }
}
