//! `cargo xtask package`: the program with all it needs in one folder, which runs wherever it is put.
//!
//! The program is built without the feature `dev-paths`, so it knows of no folder of the machine that it was built on:
//! on another machine such a folder may be anybody's, and what lies in it would be loaded as libraries. That is looked
//! at in the program itself before anything is packed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::platform::Platform;
use crate::workspace::Workspace;
use crate::{needs, setup};

/// Where the program looks for its libraries: beside itself, and nowhere else.
const RUNPATH: &str = "$ORIGIN/lib";

/// Where a library looks for others: in its own folder. As `PyTorch` ships them they look first where pip would have
/// put their neighbours, in `nvidia` beside the package, which may be the folder of all downloads.
const LIBRARY_PATH: &str = "$ORIGIN";

/// What `lib/build-version` states, as in a libtorch; the program reads it before it loads a library from there.
const LIBTORCH_VERSION: &str = "2.11.0";

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Look at a program that was built already, and pack nothing
    #[arg(long, value_name = "PROGRAM")]
    check: Option<PathBuf>,
}

/// The subcommand.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("packages are made on Linux only so far");
    }
    if let Some(program) = &options.check {
        check(workspace, program)?;
        println!("{} looks for its libraries in lib beside itself and nowhere else", program.display());
        return Ok(());
    }
    needs::for_window(workspace.consent)?;
    setup::ensure(workspace, &setup::Options::default())?;
    let arguments = ["build", "--release", "--no-default-features", "--features", "window"];
    let status = workspace.cargo().args(arguments).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the build failed; the compiler says why above");
    }
    let folder = workspace.dist(&format!("frostline-{}", Platform::current()?.name()));
    pack(workspace, &folder)?;
    println!("packed into {}", folder.display());
    Ok(())
}

/// Refuses a program that looks beyond its own folder.
fn check(workspace: &Workspace, program: &Path) -> Result<()> {
    let paths = search_paths(&dynamic_section(program)?);
    if paths != [RUNPATH] {
        bail!("{} looks for libraries in {paths:?}, and should in {RUNPATH} alone", program.display());
    }
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    // Messages of libtorch's headers name their file; nobody opens it.
    let headers = [workspace.libtorch(), workspace.chosen_libtorch().unwrap_or_default()];
    let headers = headers.map(|libtorch| libtorch.join("include").display().to_string());
    let root = workspace.root().display().to_string();
    if let Some(path) = foreign_path(&bytes, &root, &headers) {
        bail!("{} holds a path of this machine: {path}", program.display());
    }
    Ok(())
}

/// What readelf prints of where the loader looks.
fn dynamic_section(file: &Path) -> Result<String> {
    let output = Command::new("readelf").args(["--dynamic", "--wide"]).arg(file).output();
    let output = output.context("cannot start readelf, which comes with the compiler (package binutils)")?;
    if !output.status.success() {
        bail!("readelf cannot read {}", file.display());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes a library look for others in its own folder alone.
fn look_in_own_folder(library: &Path) -> Result<()> {
    let is_right = |paths: &[String]| paths.iter().all(|path| path == LIBRARY_PATH);
    let paths = search_paths(&dynamic_section(library)?);
    if is_right(&paths) {
        return Ok(());
    }
    let mut bytes = fs::read(library).with_context(|| format!("cannot read {}", library.display()))?;
    shorten_text(&mut bytes, &paths.join(":"), LIBRARY_PATH)
        .with_context(|| format!("{} cannot be told where to look for libraries", library.display()))?;
    fs::write(library, bytes).with_context(|| format!("cannot write {}", library.display()))?;
    if !is_right(&search_paths(&dynamic_section(library)?)) {
        bail!("{} still looks for libraries in {paths:?}", library.display());
    }
    Ok(())
}

/// Replaces a text that stands once between zeros by another that is not longer.
fn shorten_text(bytes: &mut [u8], old: &str, new: &str) -> Result<()> {
    let whole = [b"\0", old.as_bytes(), b"\0"].concat();
    let zeros = bytes.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(place, _)| place);
    let places: Vec<usize> =
        zeros.filter(|place| bytes.get(*place..).is_some_and(|rest| rest.starts_with(&whole))).collect();
    let [place] = places[..] else { bail!("\"{old}\" stands in {} places of it", places.len()) };
    if new.len() > old.len() {
        bail!("\"{old}\" is shorter than \"{new}\"");
    }
    let text = bytes.iter_mut().skip(place + 1).take(old.len());
    for (byte, new) in text.zip(new.bytes().chain(std::iter::repeat(0))) {
        *byte = new;
    }
    Ok(())
}

/// The folders in which the loader looks for libraries, from what readelf prints.
fn search_paths(dynamic_section: &str) -> Vec<String> {
    let lines = dynamic_section.lines().filter(|line| line.contains("(RUNPATH)") || line.contains("(RPATH)"));
    let values = lines.filter_map(|line| Some(line.split_once('[')?.1.rsplit_once(']')?.0));
    values.flat_map(|value| value.split(':').map(str::to_owned)).collect()
}

/// A path in the checkout that a program holds, apart from those that begin as allowed.
fn foreign_path(program: &[u8], root: &str, allowed: &[String]) -> Option<String> {
    let rests = program.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let rests = rests.filter_map(|(start, _)| program.get(start..));
    let found = rests
        .filter(|rest| rest.starts_with(root.as_bytes()))
        .filter(|rest| !allowed.iter().any(|path| rest.starts_with(path.as_bytes())));
    let shown = |rest: &[u8]| {
        let end = rest.iter().position(|byte| !byte.is_ascii_graphic()).unwrap_or(rest.len()).min(200);
        String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned()
    };
    found.map(shown).next()
}

/// Program, libraries, licences, demo projects and model, as the program looks for them.
fn pack(workspace: &Workspace, folder: &Path) -> Result<()> {
    let parent = folder.parent().context("the package has no parent folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let partial = tempfile::Builder::new().prefix("partial-").tempdir_in(parent).context("cannot write")?;
    let package = partial.path().join("frostline");
    fs::create_dir(&package)?;
    let program = package.join("frostline");
    copy(&workspace.program(), &program)?;
    // Line tables name the folders of the machine; what a message says of a place in the code stays.
    let stripped = Command::new("strip").arg("--strip-debug").arg(&program).status();
    if !stripped.context("cannot start strip, which comes with the compiler (package binutils)")?.success() {
        bail!("strip cannot work on {}", program.display());
    }
    check(workspace, &program)?;

    let libtorch = workspace.chosen_libtorch().unwrap_or_else(|| workspace.libtorch());
    fs::create_dir(package.join("lib"))?;
    for entry in fs::read_dir(libtorch.join("lib")).context("there is no libtorch")? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(".so") {
            let library = package.join("lib").join(entry.file_name());
            copy(&entry.path(), &library)?;
            look_in_own_folder(&library)?;
        }
    }
    let version = package.join("lib").join("build-version");
    fs::write(&version, format!("{LIBTORCH_VERSION}\n"))?;

    let root = workspace.root();
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        copy(&root.join(name), &package.join(name))?;
    }
    for name in ["assets/demo", "assets/smallest", "docs"] {
        copy_folder(&root.join(name), &package.join(name))?;
    }
    let model = workspace.model();
    let name = model.file_name().context("the model has no name")?;
    copy_folder(&model, &package.join(".models").join(name))?;
    if libtorch.join("licenses").is_dir() {
        copy_folder(&libtorch.join("licenses"), &package.join("licenses"))?;
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    fs::rename(&package, folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            // Runs of the demo are whoever's made them.
            if entry.file_name() != "runs" {
                copy_folder(&from, &to)?;
            }
        } else {
            copy(&from, &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_that_the_loader_looks_in_is_seen() {
        let section = |value: &str, kind: &str| {
            format!(
                "Dynamic section at offset 0x1 contains 2 entries:\n \
                 0x1 (NEEDED)             Shared library: [libtorch_cpu.so]\n \
                 0x1d ({kind})            Library {}: [{value}]\n",
                kind.to_lowercase()
            )
        };
        assert_eq!(search_paths(&section("$ORIGIN/lib", "RUNPATH")), [RUNPATH]);
        for (value, kind) in [
            ("$ORIGIN/lib:/home/ada/frostline/.libtorch/lib", "RUNPATH"),
            ("$ORIGIN/lib:", "RUNPATH"),
            ("$ORIGIN", "RUNPATH"),
            ("/lib", "RPATH"),
        ] {
            assert_ne!(search_paths(&section(value, kind)), [RUNPATH], "{value}");
        }
        let both = section("$ORIGIN/lib", "RUNPATH") + &section("/tmp", "RPATH");
        assert_ne!(search_paths(&both), [RUNPATH]);
        assert!(search_paths("").is_empty());
    }

    #[test]
    fn a_text_is_shortened_where_it_is_the_only_one() {
        let shortened = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            shorten_text(&mut bytes, "$ORIGIN/../nvidia:$ORIGIN", LIBRARY_PATH).map(|()| bytes)
        };
        let (before, after) =
            (b"a\0$ORIGIN/../nvidia:$ORIGIN\0b", shortened(b"a\0$ORIGIN/../nvidia:$ORIGIN\0b"));
        let after = after.unwrap();
        assert_eq!(after.len(), before.len());
        assert!(after.starts_with(b"a\0$ORIGIN\0\0") && after.ends_with(b"\0\0b"), "{after:?}");
        for bad in [&b"\0x\0"[..], b"\0x$ORIGIN/../nvidia:$ORIGIN\0", &[&before[..], &before[..]].concat()] {
            assert!(shortened(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_path_of_the_checkout_is_found_in_a_program() {
        let allowed = ["/home/ada/frostline/.libtorch/include".to_owned()];
        let found = |program: &[u8]| foreign_path(program, "/home/ada/frostline", &allowed);
        assert_eq!(found(b"\0/home/ada/frostline/.libtorch/include/c10/util/typeid.h\0"), None);
        assert_eq!(found(b"\0/home/bob\0"), None);
        let program = b"/home/ada/frostline/.libtorch/include/x\0\x7f/home/ada/frostline/.libtorch/lib\0";
        assert_eq!(found(program).as_deref(), Some("/home/ada/frostline/.libtorch/lib"));
    }

    #[test]
    fn a_folder_is_copied_without_its_runs() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("demo/runs/full-01")).unwrap();
        fs::create_dir_all(dir.path().join("demo/data")).unwrap();
        fs::write(dir.path().join("demo/data/train.csv"), "text").unwrap();
        copy_folder(&dir.path().join("demo"), &dir.path().join("copy")).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("copy/data/train.csv")).unwrap(), "text");
        assert!(!dir.path().join("copy/runs").exists());
    }
}
