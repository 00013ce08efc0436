//! Finding a Python whose pip can do the downloads.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The first pip that takes several `--platform` options.
const OLDEST_PIP: (u32, u32) = (20, 3);

/// What the search for a Python with pip came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A Python with a usable pip.
    Python(PathBuf),
    /// A Python without pip.
    NoPip(PathBuf),
    /// A Python whose pip is too old, and that pip's version.
    OldPip(PathBuf, String),
    /// No Python 3 at all.
    Nothing,
}

/// Looks for a Python 3 with pip. The second and later candidates matter where the first `python3` on the path
/// is one without pip.
pub(crate) fn find() -> Found {
    let candidates = if cfg!(windows) {
        ["python", "python3", "py"].as_slice()
    } else {
        ["python3", "python", "/usr/bin/python3"].as_slice()
    };
    let mut best = Found::Nothing;
    for candidate in candidates.iter().map(PathBuf::from) {
        match (probe(&candidate), &best) {
            (found @ Found::Python(_), _) => return found,
            (found, Found::Nothing) => best = found,
            _ => {}
        }
    }
    best
}

fn probe(candidate: &PathBuf) -> Found {
    let run = |arguments: &[&str]| output(candidate, arguments);
    // Windows ships a `python` that only opens a shop; it prints no version.
    let Some(version) = run(&["-c", "import sys; print(sys.version_info[0])"]) else { return Found::Nothing };
    if String::from_utf8_lossy(&version.stdout).trim() != "3" {
        return Found::Nothing;
    }
    let Some(pip) = run(&["-m", "pip", "--version"]) else { return Found::NoPip(candidate.clone()) };
    let text = String::from_utf8_lossy(&pip.stdout).into_owned();
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    if is_recent_enough(version) {
        Found::Python(candidate.clone())
    } else {
        Found::OldPip(candidate.clone(), version.to_owned())
    }
}

fn is_recent_enough(pip_version: &str) -> bool {
    let mut numbers = pip_version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST_PIP
}

/// Runs a program and gives its output where it succeeded.
fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<Output> {
    Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())
}

/// Whether this Python can make a virtual environment. Debian packages that apart.
pub(crate) fn can_make_venvs(python: &PathBuf) -> bool {
    output(python, &["-c", "import venv, ensurepip"]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_versions_compare_by_number() {
        for good in ["20.3", "20.3.4", "23.2.1", "101.0"] {
            assert!(is_recent_enough(good), "{good}");
        }
        for bad in ["20.0.2", "9.0.3", "", "nonsense"] {
            assert!(!is_recent_enough(bad), "{bad}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_no_python() {
        assert_eq!(probe(&PathBuf::from("/nowhere/python3")), Found::Nothing);
    }
}
