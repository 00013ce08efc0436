//! What the system has to offer beyond Rust, said in a sentence where it is missing.
//!
//! On Debian and its relatives, root is asked whether the missing packages may be installed, or says so beforehand
//! with `--yes`; everyone else is told the one line that does it.

use std::io::{self, BufRead, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::python::{self, Found};

/// Something the system has or lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Need {
    /// As it reads after "missing: ".
    what: &'static str,
    /// The package of Debian and Ubuntu.
    package: &'static str,
    probe: Probe,
}

/// How to tell whether a need is met.
#[derive(Clone, Copy, Debug)]
enum Probe {
    OnPath(&'static str),
    Library(&'static str),
    Compiler,
    Pip,
    Venv,
    OpenGl,
    Vulkan,
}

const fn need(probe: Probe, what: &'static str, package: &'static str) -> Need {
    Need { what, package, probe }
}

const COMPILER: Need = need(Probe::Compiler, "a C++ compiler (for the bindings to libtorch)", "g++");
const PIP: Need =
    need(Probe::Pip, "Python 3 with pip (it downloads libtorch and the default model)", "python3-pip");
const VENV: Need =
    need(Probe::Venv, "Python's venv module (the Python libraries get their own place)", "python3-venv");

/// What a window loads when it opens.
const WINDOW: [Need; 5] = [
    need(
        Probe::Library("libxkbcommon-x11.so.0"),
        "the keyboard library libxkbcommon-x11",
        "libxkbcommon-x11-0",
    ),
    need(Probe::Library("libX11-xcb.so.1"), "the X11 library libX11-xcb", "libx11-xcb1"),
    need(Probe::Library("libXcursor.so.1"), "the X11 library libXcursor", "libxcursor1"),
    need(Probe::Library("libXi.so.6"), "the X11 library libXi", "libxi6"),
    need(Probe::Library("libEGL.so.1"), "the graphics library libEGL", "libegl1"),
];

/// What the tests need that open real windows on a screen of their own.
const WINDOW_TESTS: [Need; 5] = [
    need(Probe::OnPath("Xvfb"), "Xvfb (the screen of the window tests)", "xvfb"),
    need(Probe::OnPath("xdotool"), "xdotool (types and clicks in the window tests)", "xdotool"),
    need(Probe::OnPath("zenity"), "zenity (the file dialog in the window tests)", "zenity"),
    need(Probe::OpenGl, "a software OpenGL driver", "libgl1-mesa-dri"),
    need(Probe::Vulkan, "a software Vulkan driver", "mesa-vulkan-drivers"),
];

/// Whether system packages may be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// With `--yes`.
    Given,
    /// There is somebody at a terminal to ask.
    Ask,
    /// There is nobody to ask, so nothing is installed.
    Nobody,
}

impl Consent {
    pub(crate) fn new(yes: bool) -> Self {
        if yes {
            Self::Given
        } else if io::stdin().is_terminal() && io::stderr().is_terminal() {
            Self::Ask
        } else {
            Self::Nobody
        }
    }

    fn allows(self, packages: &str) -> Result<bool> {
        match self {
            Self::Given => Ok(true),
            Self::Nobody => Ok(false),
            Self::Ask => {
                eprint!("install with apt-get: {packages}? [Y/n] ");
                answer(&mut io::stdin().lock()).context("cannot read the answer")
            }
        }
    }
}

/// An empty line is the yes that `[Y/n]` offers; the end of the input is no answer.
fn answer(input: &mut impl BufRead) -> io::Result<bool> {
    let mut line = String::new();
    let length = input.read_line(&mut line)?;
    Ok(length > 0 && matches!(line.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes"))
}

/// Makes sure of what a build needs.
pub(crate) fn for_build(consent: Consent) -> Result<()> {
    provide(&[COMPILER], consent)
}

/// Makes sure of what a build and a window need.
pub(crate) fn for_window(consent: Consent) -> Result<()> {
    let window: &[Need] = if cfg!(target_os = "linux") { &WINDOW } else { &[] };
    provide(&[&[COMPILER], window].concat(), consent)
}

/// Makes sure of what a build and all tests need.
pub(crate) fn for_tests(consent: Consent) -> Result<()> {
    let window =
        if cfg!(target_os = "linux") { [WINDOW.as_slice(), &WINDOW_TESTS].concat() } else { Vec::new() };
    provide(&[&[COMPILER], window.as_slice()].concat(), consent)
}

/// A Python whose pip can download.
pub(crate) fn python_with_pip(consent: Consent) -> Result<PathBuf> {
    if let Found::OldPip(python, version) = python::find() {
        let python = python.display();
        bail!(
            "pip {version} is too old to choose wheels for a platform; run `{python} -m pip install --upgrade \
             pip` and then the same command again"
        );
    }
    provide(&[PIP], consent)?;
    match python::find() {
        Found::Python(python) => Ok(python),
        _ => bail!("Python 3 with pip was there a moment ago and is gone; run the same command again"),
    }
}

/// A Python with pip that can also make virtual environments.
pub(crate) fn python_with_venv(consent: Consent) -> Result<PathBuf> {
    let python = python_with_pip(consent)?;
    provide(&[VENV], consent)?;
    Ok(python)
}

/// Installs what is missing where that is possible and allowed, and fails with the way to it where not.
fn provide(needs: &[Need], consent: Consent) -> Result<()> {
    let missing = still_missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let installer = Installer::of_this_system();
    if installer != Installer::AptAsRoot {
        bail!(message(&missing, installer));
    }
    println!("missing: {}", missing.iter().map(|need| need.what).collect::<Vec<_>>().join("; "));
    if !consent.allows(&packages(&missing))? {
        bail!(message(&missing, installer));
    }
    println!("installing with apt-get: {}", packages(&missing));
    apt_get(&["update", "-qq"])?;
    apt_get(&["install", "-y", "-qq", "--no-install-recommends", &packages(&missing)])?;
    let missing = still_missing(&missing);
    if !missing.is_empty() {
        bail!("apt-get has run, and yet: {}", message(&missing, Installer::Unknown));
    }
    Ok(())
}

fn still_missing(needs: &[Need]) -> Vec<Need> {
    needs.iter().copied().filter(|need| !need.probe.is_met()).collect()
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .args(arguments.iter().flat_map(|argument| argument.split(' ')))
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("cannot start apt-get")?;
    if !status.success() {
        bail!(
            "`apt-get {}` failed; check the network and the package sources, and run the same command again",
            arguments.join(" ")
        );
    }
    Ok(())
}

/// How missing things get onto this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Installer {
    AptAsRoot,
    Apt,
    Macos,
    Unknown,
}

impl Installer {
    fn of_this_system() -> Self {
        if cfg!(target_os = "macos") {
            Self::Macos
        } else if !Path::new("/etc/debian_version").exists() || !is_on_path("apt-get") {
            Self::Unknown
        } else if is_root() {
            Self::AptAsRoot
        } else {
            Self::Apt
        }
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn packages(needs: &[Need]) -> String {
    needs.iter().map(|need| need.package).collect::<Vec<_>>().join(" ")
}

/// What is missing, and the one line that brings it.
fn message(missing: &[Need], installer: Installer) -> String {
    let what = missing.iter().map(|need| need.what).collect::<Vec<_>>().join("\n  - ");
    let needs_compiler = missing.iter().any(|need| matches!(need.probe, Probe::Compiler));
    let remedy = match installer {
        Installer::Apt => {
            format!("sudo apt-get install -y --no-install-recommends {}", packages(missing))
        }
        Installer::AptAsRoot => {
            let packages = packages(missing);
            return format!(
                "this system lacks:\n  - {what}\nto have it installed, run the same command again with --yes; or \
                 install it yourself:\n  apt-get install -y --no-install-recommends {packages}"
            );
        }
        Installer::Macos if needs_compiler => "xcode-select --install".to_owned(),
        Installer::Macos => "brew install python3".to_owned(),
        Installer::Unknown => {
            format!("install with your package manager what Debian calls: {}", packages(missing))
        }
    };
    format!("this system lacks:\n  - {what}\nto get it, and then run the same command again:\n  {remedy}")
}

impl Probe {
    fn is_met(self) -> bool {
        match self {
            Self::OnPath(name) => is_on_path(name),
            Self::Library(file) => library_dirs().iter().any(|dir| dir.join(file).exists()),
            // On Windows the compiler is found through the registry, and the build says where it is not.
            Self::Compiler => {
                cfg!(windows)
                    || std::env::var_os("CXX").is_some()
                    || ["c++", "g++", "clang++"].iter().any(|name| is_on_path(name))
            }
            Self::Pip => matches!(python::find(), Found::Python(_)),
            Self::Venv => matches!(python::find(), Found::Python(python) if python::can_make_venvs(&python)),
            Self::OpenGl => library_dirs().iter().any(|dir| {
                dir.join("dri/swrast_dri.so").exists()
                    || has_entry(dir, |name| name.starts_with("libgallium"))
            }),
            Self::Vulkan => ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]
                .iter()
                .any(|dir| has_entry(Path::new(dir), |name| name.contains(".json"))),
        }
    }
}

fn is_on_path(name: &str) -> bool {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(&file).is_file()))
}

/// Where the dynamic linker of the usual distributions looks.
fn library_dirs() -> Vec<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let mut dirs: Vec<PathBuf> =
        ["/usr/lib", "/lib", "/usr/lib64", "/lib64", "/usr/local/lib"].map(PathBuf::from).into();
    dirs.extend(["/usr/lib", "/lib"].map(|lib| Path::new(lib).join(&triplet)));
    dirs.extend(std::env::var_os("LD_LIBRARY_PATH").iter().flat_map(std::env::split_paths));
    dirs
}

fn has_entry(folder: &Path, is_wanted: fn(&str) -> bool) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|entries| entries.flatten().any(|entry| is_wanted(&entry.file_name().to_string_lossy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_one_line_to_install_it() {
        let message = message(&[COMPILER, WINDOW_TESTS[0]], Installer::Apt);
        assert!(message.contains("C++ compiler") && message.contains("Xvfb"), "{message}");
        let line = "sudo apt-get install -y --no-install-recommends g++ xvfb";
        assert_eq!(message.lines().last().map(str::trim), Some(line), "{message}");
    }

    #[test]
    fn root_without_a_terminal_installs_nothing_without_yes() {
        let missing = need(Probe::OnPath("no-such-program-anywhere"), "it", "no-such-package-anywhere");
        let error = provide(&[missing], Consent::Nobody).unwrap_err().to_string();
        assert!(error.starts_with("this system lacks:\n  - it"), "{error}");
        let as_root = message(&[missing], Installer::AptAsRoot);
        assert!(as_root.contains("again with --yes") && !as_root.contains("sudo"), "{as_root}");
        assert!(Consent::Given.allows("it").unwrap());
        assert_eq!(Consent::new(true), Consent::Given);
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for (typed, allowed) in
            [("\n", true), ("y\n", true), ("YES\r\n", true), ("n\n", false), ("what\n", false), ("", false)]
        {
            assert_eq!(answer(&mut typed.as_bytes()).unwrap(), allowed, "{typed:?}");
        }
    }

    #[test]
    fn other_systems_are_told_in_their_own_terms() {
        assert!(message(&[COMPILER], Installer::Macos).ends_with("xcode-select --install"));
        assert!(message(&[PIP], Installer::Macos).ends_with("brew install python3"));
        assert!(message(&[PIP], Installer::Unknown).contains("python3-pip"));
    }

    #[test]
    fn probes_tell_there_from_not_there() {
        assert!(!Probe::OnPath("no-such-program-anywhere").is_met());
        assert!(!Probe::Library("libnosuch.so.99").is_met());
        let needs = [need(Probe::OnPath("no-such-program-anywhere"), "it", "it")];
        assert_eq!(still_missing(&needs).len(), 1);
    }
}
