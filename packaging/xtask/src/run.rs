//! `cargo xtask run`: from a checkout to an open window, or to the same road in the terminal.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{disk, needs, setup};

/// What a first release build of everything takes.
pub(crate) const BUILD_BYTES: u64 = 3_000_000_000;

/// The subcommand of the program that does the demo in the terminal.
const TOUR: &str = "tour";

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Do the demo in the terminal even where a window could open
    #[arg(long)]
    headless: bool,
    /// Arguments for frostline itself
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

/// The subcommand; its exit code is that of the program.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let in_terminal = options.headless || !has_display();
    if in_terminal {
        needs::for_build(workspace.consent)?;
    } else {
        needs::for_window(workspace.consent)?;
    }
    setup::ensure(workspace, &setup::Options::default())?;
    build(workspace)?;
    let arguments = arguments(&options.arguments, in_terminal);
    if !options.headless && arguments.first().is_some_and(|first| first == TOUR) {
        println!(
            "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set), so the demo runs in the terminal"
        );
    }
    let status = workspace
        .command(workspace.program())
        .args(arguments)
        .status()
        .with_context(|| format!("cannot start {}", workspace.program().display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The release build.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    if !workspace.program().exists() {
        disk::require(&workspace.target(), BUILD_BYTES, "to build Frostline")?;
        println!("building Frostline; the first time takes several minutes");
    }
    let status = workspace.cargo().args(["build", "--release"]).status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the build failed; the compiler says why above");
    }
    Ok(())
}

/// Without a display the demo runs in the terminal, unless the arguments ask for a command of their own.
fn arguments(given: &[OsString], in_terminal: bool) -> Vec<OsString> {
    let names_a_command = given.first().is_some_and(|first| !first.to_string_lossy().starts_with('-'));
    let tour = (in_terminal && !names_a_command).then(|| OsString::from(TOUR));
    tour.into_iter().chain(given.iter().cloned()).collect()
}

fn has_display() -> bool {
    !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_gets_the_tour_unless_a_command_is_named() {
        let given = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(arguments(&given(&[]), true), given(&["tour"]));
        assert_eq!(arguments(&given(&["--seed", "2"]), true), given(&["tour", "--seed", "2"]));
        assert_eq!(arguments(&given(&["train", "p"]), true), given(&["train", "p"]));
        assert_eq!(arguments(&given(&[]), false), given(&[]));
    }
}
