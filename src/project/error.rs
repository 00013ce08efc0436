//! What can go wrong with a project's files, worded for its user: what, where, what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files::lock::Holder;

/// Why a project, a run folder or the settings could not be read or written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProjectError {
    /// The folder holds no project file.
    #[error(
        "there is no frostline.toml in {}: choose a folder that holds a project, or make one with `frostline init`",
        .dir.display()
    )]
    NoProject {
        /// The folder.
        dir: PathBuf,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {reason}", .path.display())]
    Read {
        /// It.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}: {reason}", .path.display())]
    Write {
        /// It.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A file does not say what it should.
    #[error("{}{}: {reason}", .path.display(), at_line(*.line))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it, from 1.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
    },
    /// A later version of the program wrote the file.
    #[error(
        "{} is of version {found}, and this Frostline knows versions up to {known}: open it with a newer Frostline",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The latest version that is known.
        known: u32,
    },
    /// A path that a text file cannot hold.
    #[error("the name of {} is not valid Unicode, so a project file cannot hold it: rename it", .path.display())]
    NotUnicode {
        /// The path.
        path: PathBuf,
    },
    /// A run of that name is there already.
    #[error("there is already a run \"{name}\" in {}: choose another name", .dir.display())]
    RunExists {
        /// Its name.
        name: String,
        /// The folder of all runs.
        dir: PathBuf,
    },
    /// Another process writes to the run.
    #[error(
        "run \"{name}\" is in use by {}: wait until it ends, or stop it there",
        holder_in_words(.holder.as_ref())
    )]
    RunLocked {
        /// Its name.
        name: String,
        /// Who that is, where it can be read.
        holder: Option<Holder>,
    },
    /// A project is there where a new one was to be made.
    #[error("there is a project already: {}. Open it, or choose another folder", .path.display())]
    ProjectExists {
        /// Its file.
        path: PathBuf,
    },
    /// Another process is saving the project.
    #[error(
        "{} is being saved by {}: try again when that is done",
        .dir.display(),
        holder_in_words(.holder.as_ref())
    )]
    ProjectLocked {
        /// Its folder.
        dir: PathBuf,
        /// Who that is, where it can be read.
        holder: Option<Holder>,
    },
    /// No run has that name.
    #[error("there is no run \"{name}\" in {}", .dir.display())]
    NoRun {
        /// The name.
        name: String,
        /// The folder of all runs.
        dir: PathBuf,
    },
    /// A name that cannot be a folder's on every platform.
    #[error("\"{name}\" cannot be the name of a run: {reason}")]
    RunName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The platform names no folder for the user's files.
    #[error("this system names no folder for {what}: set {variable} to a folder that can be written")]
    NoUserFolder {
        /// What it would hold.
        what: &'static str,
        /// The environment variable that names one.
        variable: &'static str,
    },
    /// A project names a device, or a link in it leads to one.
    #[error(
        "{} reads {path}, which is a device or a file of the system's own, and no project may: take it out of the \
         project first",
        .dir.display()
    )]
    DevicePath {
        /// Folder of the project.
        dir: PathBuf,
        /// The path, as it is shown.
        path: String,
    },
    /// A demo project that is not shipped with this copy of the program.
    #[error(
        "the demo project \"{name}\" is not beside the program: install Frostline again, or run it from its checkout"
    )]
    NoDemo {
        /// Its name.
        name: String,
    },
}

fn at_line(line: Option<usize>) -> String {
    line.map(|line| format!(", line {line}")).unwrap_or_default()
}

fn holder_in_words(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), ToString::to_string)
}

impl ProjectError {
    pub(super) fn read(path: &Path, error: &io::Error) -> Self {
        Self::Read { path: path.to_owned(), reason: why_not_read(error) }
    }

    pub(super) fn write(path: &Path, error: &io::Error) -> Self {
        Self::Write { path: path.to_owned(), reason: why_not_written(error) }
    }

    /// The same of a file of the user's own, which is no project's: it lies in the platform's folder for such files, or in
    /// the one that the environment variable names.
    pub(super) fn write_own(path: &Path, variable: &str, error: &io::Error) -> Self {
        Self::Write { path: path.to_owned(), reason: why_own_not_written(path, variable, error) }
    }

    pub(super) fn malformed(path: &Path, line: Option<usize>, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), line, reason: worded(&reason.into()) }
    }
}

/// The parser's words, as someone who edits the file would put them: what it expected is named by the value, not by the
/// type that holds it.
fn worded(message: &str) -> String {
    const WORDS: [(&str, &str); 18] = [
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("unknown variant", "unknown value"),
        ("expected u8", "expected a whole number"),
        ("expected u16", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected usize", "expected a whole number"),
        ("expected i32", "expected a whole number"),
        ("expected i64", "expected a whole number"),
        ("expected f32", "expected a number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a table"),
        ("invalid type: sequence", "invalid type: list"),
        ("invalid type: map", "invalid type: table"),
        ("floating point `", "number `"),
    ];
    let words = WORDS.iter().fold(message.to_owned(), |words, (theirs, ours)| words.replace(theirs, ours));
    // `expected struct RecipeFile`: a table, whatever it is called here.
    match words.split_once("expected struct ") {
        Some((before, name)) => {
            let rest = name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            format!("{before}expected a table{rest}")
        }
        None => words,
    }
}

fn why_not_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".into(),
        io::ErrorKind::PermissionDenied => "you may not read it. Change its permissions, or move it".into(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        _ => error.to_string(),
    }
}

fn why_not_written(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "its folder is read-only. Save the project to another folder, or make this one writable".into()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full. Free some space and try again; what was written before is intact".into()
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file lies where a folder is needed. Move it away, or choose another folder".into()
        }
        io::ErrorKind::NotFound => "its folder is gone. Choose another one".into(),
        _ => error.to_string(),
    }
}

fn why_own_not_written(path: &Path, variable: &str, error: &io::Error) -> String {
    let other = format!("set {variable} to another folder");
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            let dir = path.parent().unwrap_or(path).display();
            format!("its folder is read-only. Make {dir} writable, or {other}")
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            format!("a file lies where a folder is needed. Move it away, or {other}")
        }
        io::ErrorKind::NotFound => format!("its folder cannot be made. Make it, or {other}"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => why_not_written(error),
        _ => format!("{error}. Mend that, or {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_meet_is_said_in_words_with_a_way_out() {
        let path = Path::new("/data/project/frostline.toml");
        for (kind, words) in [
            (io::ErrorKind::ReadOnlyFilesystem, "read-only. Save the project to another folder"),
            (io::ErrorKind::PermissionDenied, "read-only. Save the project to another folder"),
            (io::ErrorKind::StorageFull, "the disk is full. Free some space"),
        ] {
            let text = ProjectError::write(path, &kind.into()).to_string();
            assert!(text.contains(words) && text.contains("/data/project/frostline.toml"), "{text}");
        }
        let text = ProjectError::malformed(path, Some(7), "unknown key `colour`").to_string();
        assert_eq!(text, "/data/project/frostline.toml, line 7: unknown key `colour`");
    }

    /// Settings are no project, which could be saved elsewhere.
    #[test]
    fn a_file_of_the_users_own_is_not_to_be_saved_to_another_folder() {
        let path = Path::new("/home/kim/.config/frostline/settings.toml");
        for kind in [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::AlreadyExists,
            io::ErrorKind::NotADirectory,
            io::ErrorKind::NotFound,
            io::ErrorKind::Other,
        ] {
            let text = ProjectError::write_own(path, "FROSTLINE_CONFIG_DIR", &kind.into()).to_string();
            assert!(text.starts_with("cannot write /home/kim/.config/frostline/settings.toml: "), "{text}");
            assert!(text.ends_with("or set FROSTLINE_CONFIG_DIR to another folder"), "{text}");
            assert!(!text.contains("project"), "{text}");
        }
        let denied = io::ErrorKind::PermissionDenied.into();
        let text = ProjectError::write_own(path, "FROSTLINE_CONFIG_DIR", &denied).to_string();
        assert!(text.contains("read-only. Make /home/kim/.config/frostline writable"), "{text}");
    }

    #[test]
    fn parsers_speak_of_values_and_not_of_types() {
        let dir = tempfile::tempdir().unwrap();
        for (line, words) in [
            ("epochs = \"four\"", "expected a whole number"),
            ("epochs = -1", "expected a whole number"),
            ("lr_encoder = \"fast\"", "expected a number"),
            ("tasks = 3", "expected a table"),
            ("phases = 3", "expected a list"),
            ("preset = \"warm\"", "expected one of `freeze-all`"),
            ("colour = 1", "unknown key `colour`"),
            ("phases = [{ layers = \"all\", heads = \"none\" }]", "expected true, false or a list of tasks"),
            ("sampling = 3", "expected \"proportional\", \"round-robin\" or a table"),
            ("sampling = \"often\"", "expected \"proportional\", \"round-robin\" or a table"),
            ("sampling = { heat = 3 }", "expected \"proportional\", \"round-robin\" or a table"),
        ] {
            let text = format!("version = 1\n[recipe]\n{line}\n");
            std::fs::write(dir.path().join("frostline.toml"), text).unwrap();
            let told = crate::project::Project::load(dir.path()).unwrap_err().to_string();
            assert!(told.contains(words) && told.contains("frostline.toml, line 3"), "{line}: {told}");
            for name in
                ["u32", "usize", "f64", "struct", "sequence", "a map", "variant", "untagged", "RecipeFile"]
            {
                assert!(!told.contains(name), "{line}: {told}");
            }
        }
    }
}
