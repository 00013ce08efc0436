//! What is shipped with the program: the demo projects and the default model, and where they are found.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ProjectError;
use super::file::FILE_NAME;
use super::user_dirs;
use crate::files::regular_file;

/// The demo projects: the one a first start opens, and the smallest exercise.
pub const DEMOS: [&str; 2] = ["demo", "smallest"];

/// The default model, by the name of its folder.
pub const DEFAULT_MODEL: &str = "all-MiniLM-L6-v2";

/// The shipped demo project, which is read-only for most users; see [`install_demo`].
#[must_use]
pub fn demo_dir() -> Option<PathBuf> {
    shipped_demo("demo")
}

/// Copies a shipped project, one of [`DEMOS`], to the user's data folder, where runs can be written, and says
/// where it is. A copy that is there already stays as the user left it.
///
/// # Errors
/// When it is not shipped, or the copy cannot be written.
pub fn install_demo(name: &str) -> Result<PathBuf, ProjectError> {
    let shipped = shipped_demo(name).ok_or_else(|| ProjectError::NoDemo { name: name.to_owned() })?;
    install(&shipped, &user_dirs::data_dir()?.join("projects").join(name))
}

/// The folder of the default model, where one is found: beside the program, in the checkout, or in the user's
/// data folder.
#[must_use]
pub fn default_model_dir() -> Option<PathBuf> {
    let shipped = shipped_roots().into_iter().map(|root| root.join(".models"));
    let fetched = user_dirs::data_dir().ok().map(|dir| dir.join("models"));
    let folders = shipped.chain(fetched).map(|models| models.join(DEFAULT_MODEL));
    folders.into_iter().find(|dir| dir.join("config.json").is_file())
}

fn shipped_demo(name: &str) -> Option<PathBuf> {
    // Only names that are known: a name is never a path.
    let name = DEMOS.into_iter().find(|known| *known == name)?;
    let folders = shipped_roots().into_iter().map(|root| root.join("assets").join(name));
    folders.into_iter().find(|dir| dir.join(FILE_NAME).is_file())
}

/// Folders that may hold `assets` and `.models`, in the order they are looked at.
fn shipped_roots() -> Vec<PathBuf> {
    let program = env::current_exe().ok().and_then(|path| fs::canonicalize(path).ok());
    let mut roots = program.as_deref().and_then(Path::parent).map(roots_of_bundle).unwrap_or_default();
    // In a checkout the program lies in target/release; the last resort is where it was built. A package has none: on
    // another machine that folder may be anybody's.
    if cfg!(feature = "dev-paths") {
        roots.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    }
    roots
}

/// Beside the program; in a macOS bundle, the resources; in a Unix installation, the shared files.
fn roots_of_bundle(program_dir: &Path) -> Vec<PathBuf> {
    let above = program_dir.parent().unwrap_or(program_dir);
    vec![program_dir.to_owned(), above.join("Resources"), above.join("share/frostline")]
}

/// Copies a project, without the runs that it may hold, unless there is one already.
fn install(shipped: &Path, target: &Path) -> Result<PathBuf, ProjectError> {
    if target.join(FILE_NAME).is_file() {
        return Ok(target.to_owned());
    }
    let failed = |error: &io::Error| ProjectError::write(target, error);
    let parent = target.parent().unwrap_or(target);
    fs::create_dir_all(parent).map_err(|error| failed(&error))?;
    // Copied aside and renamed, so that a copy that was interrupted is never taken for a project.
    let aside = tempfile::Builder::new().prefix(".copying-").tempdir_in(parent).map_err(|e| failed(&e))?;
    let copy = aside.path().join("project");
    copy_folder(shipped, &copy, true)?;
    fs::rename(&copy, target).map_err(|error| failed(&error))?;
    Ok(target.to_owned())
}

fn copy_folder(from: &Path, to: &Path, is_project: bool) -> Result<(), ProjectError> {
    fs::create_dir(to).map_err(|error| ProjectError::write(to, &error))?;
    let entries = fs::read_dir(from).map_err(|error| ProjectError::read(from, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| ProjectError::read(from, &error))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if is_project && entry.file_name() == "runs" {
            continue;
        }
        if source.is_dir() {
            copy_folder(&source, &target, false)?;
        } else {
            copy_file(&source, &target)?;
        }
    }
    Ok(())
}

/// Copies the bytes and not the permissions: what is shipped may be read-only, the copy is to be edited.
fn copy_file(from: &Path, to: &Path) -> Result<(), ProjectError> {
    let mut source = regular_file::open(from).map_err(|error| ProjectError::read(from, &error))?;
    let copied = fs::File::create_new(to).and_then(|mut copy| io::copy(&mut source, &mut copy));
    copied.map(drop).map_err(|error| ProjectError::write(to, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shipped project: read-only, and with a run in it that is nobody's business.
    fn shipped(dir: &Path) -> PathBuf {
        let shipped = dir.join("assets/demo");
        fs::create_dir_all(shipped.join("data/runs")).unwrap();
        fs::create_dir_all(shipped.join("runs/full-01")).unwrap();
        for (name, text) in [("frostline.toml", "name = \"Demo\"\n"), ("data/runs/train.csv", "text\n")] {
            fs::write(shipped.join(name), text).unwrap();
        }
        let mut permissions = fs::metadata(shipped.join("frostline.toml")).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(shipped.join("frostline.toml"), permissions).unwrap();
        shipped
    }

    #[test]
    fn a_copy_is_whole_writable_and_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let (shipped, target) = (shipped(dir.path()), dir.path().join("user/projects/demo"));
        assert_eq!(install(&shipped, &target).unwrap(), target);
        assert_eq!(fs::read_to_string(target.join("data/runs/train.csv")).unwrap(), "text\n");
        assert!(!target.join("runs").exists());
        assert!(!fs::metadata(target.join(FILE_NAME)).unwrap().permissions().readonly());
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");

        fs::write(target.join(FILE_NAME), "name = \"Mine\"\n").unwrap();
        assert_eq!(install(&shipped, &target).unwrap(), target);
        assert_eq!(fs::read_to_string(target.join(FILE_NAME)).unwrap(), "name = \"Mine\"\n");
    }

    #[test]
    fn a_copy_that_cannot_be_made_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let shipped = shipped(dir.path());
        fs::write(dir.path().join("taken"), "").unwrap();
        let error = install(&shipped, &dir.path().join("taken/projects/demo")).unwrap_err().to_string();
        assert!(error.contains("a file lies where a folder is needed"), "{error}");
    }

    #[test]
    fn only_known_names_are_looked_for() {
        for name in ["", "..", "demo/../demo", "other"] {
            assert_eq!(install_demo(name), Err(ProjectError::NoDemo { name: name.into() }));
        }
    }

    #[test]
    fn bundles_of_each_platform_are_looked_at() {
        let roots = roots_of_bundle(Path::new("/Applications/Frostline.app/Contents/MacOS"));
        assert!(roots.contains(&PathBuf::from("/Applications/Frostline.app/Contents/Resources")));
        let roots = roots_of_bundle(Path::new("/usr/bin"));
        assert_eq!(roots, ["/usr/bin", "/usr/Resources", "/usr/share/frostline"].map(PathBuf::from));
    }
}
