//! `cargo xtask test`: every check and every test, in the profile that the program is built with.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::run::BUILD_BYTES;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{disk, needs, peers, setup};

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Also open exported folders with sentence-transformers, in a virtual environment in .venv
    #[arg(long)]
    python: bool,
    /// Run only the tests with one of these words in their names, and no other check
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

/// The subcommand. A failed step does not keep the later ones from running: one run tells everything.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    needs::for_tests()?;
    setup::ensure(workspace, &setup::Options::default())?;
    let python = options.python.then(|| peers::ensure(workspace)).transpose()?;
    if !workspace.program().exists() {
        disk::require(&workspace.target(), BUILD_BYTES, "to build Frostline and its tests")?;
    }

    let cargo = |arguments: &[&str]| {
        let mut cargo = workspace.cargo();
        cargo.args(arguments);
        cargo
    };
    let mut steps = Steps::start();
    if options.filters.is_empty() {
        steps.run("format", &mut cargo(&["fmt", "--all", "--check"]), false);
        let lints = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
        steps.run("lints", &mut cargo(&lints), false);
        let core = ["check", "--release", "--no-default-features", "--lib"];
        steps.run("core without a window", &mut cargo(&core), false);
    }
    let mut tests = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    filter(&mut tests, &options.filters);
    if cfg!(target_os = "linux") {
        // A window test that finds no screen then fails instead of being skipped.
        tests.env("FROSTLINE_WINDOW_TESTS", "required");
    }
    if let Some(python) = python {
        tests.env("FROSTLINE_PYTHON", python);
    }
    steps.run("tests", &mut tests, true);
    println!("{}", steps.summary());
    Ok(if steps.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn filter(tests: &mut Command, filters: &[String]) {
    if !filters.is_empty() {
        tests.arg("--").args(filters);
    }
}
