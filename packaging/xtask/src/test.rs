//! `cargo xtask test`: every check and every test. Dependencies are built as for the program, Frostline itself as
//! [`FOR_TESTS`] has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::deny::{self, Advisories};
use crate::run::BUILD_BYTES;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{disk, needs, peers, setup};

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Also open exported folders with sentence-transformers, in a virtual environment in .venv
    #[arg(long)]
    python: bool,
    /// Also hold every dependency against the advisories in this clone of rustsec/advisory-db
    #[arg(long, value_name = "PATH")]
    advisories: Option<PathBuf>,
    /// Run only the tests with one of these words in their names, and no other check
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
}

/// How Frostline itself is built for its tests: not optimised, which compiles in a fifth of the time and keeps most tests
/// as fast, because the work is done in libtorch and other dependencies; and with arithmetic that overflows, and failed
/// debug assertions, as panics.
const FOR_TESTS: [&str; 3] = ["opt-level=0", "overflow-checks=true", "debug-assertions=true"];

/// The subcommand. A failed step does not keep the later ones from running: one run tells everything.
pub(crate) fn command(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    needs::for_tests(workspace.consent)?;
    setup::ensure(workspace, &setup::Options::default())?;
    let python = options.python.then(|| peers::ensure(workspace)).transpose()?;
    if !workspace.program().exists() {
        disk::require(&workspace.target(), BUILD_BYTES, "to build Frostline and its tests")?;
    }

    let advisories =
        options.advisories.as_deref().map(|path| Advisories::open(workspace, path)).transpose()?;

    let cargo = |arguments: &[&str]| {
        let mut cargo = workspace.cargo();
        cargo.args(arguments);
        cargo
    };
    let mut steps = Steps::start();
    if options.filters.is_empty() {
        steps.run("format", &mut cargo(&["fmt", "--all", "--check"]), false);
        dependencies(workspace, &mut steps, advisories.as_ref());
        let lints = ["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"];
        steps.run("lints", &mut cargo(&lints), false);
        let core = ["check", "--release", "--no-default-features", "--lib"];
        steps.run("core without a window", &mut cargo(&core), false);
    }
    let mut tests = cargo(&[]);
    for setting in FOR_TESTS {
        tests.arg("--config").arg(format!("profile.release.package.frostline.{setting}"));
    }
    tests.args(["test", "--release", "--workspace", "--no-fail-fast"]);
    filter(&mut tests, &options.filters);
    if cfg!(target_os = "linux") {
        // A window test that finds no screen then fails instead of being skipped.
        tests.env("FROSTLINE_WINDOW_TESTS", "required");
    }
    if let Some(python) = python {
        tests.env("FROSTLINE_PYTHON", python);
    }
    // With it a test without a file that setup provides fails, and one that this machine cannot run is counted.
    let record = workspace.target().join("skipped-tests.txt");
    fs::create_dir_all(workspace.target()).and_then(|()| fs::write(&record, "")).with_context(|| {
        format!("{} cannot be written: make room, or give the program leave to write", record.display())
    })?;
    tests.env("FROSTLINE_SKIPPED_TESTS", &record);
    steps.run("tests", &mut tests, true);
    let skipped = fs::read_to_string(&record).with_context(|| format!("cannot read {}", record.display()))?;
    println!("{}", Skipped::of(&skipped).report());
    println!("{}", steps.summary());
    Ok(if steps.all_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Without network this step fails where cargo-deny or a crate of another platform is still to come; the others go on.
fn dependencies(workspace: &Workspace, steps: &mut Steps, advisories: Option<&Advisories>) {
    match setup::cargo_deny(workspace) {
        Ok(program) => {
            steps.run("dependencies", &mut deny::rules(workspace, &program), false);
            if let Some(advisories) = advisories {
                steps.run("advisories", &mut advisories.check(workspace, &program), false);
            }
        }
        Err(error) => steps.fail("dependencies", &error),
    }
}

/// Tests that could not run on this machine: name to reason.
struct Skipped<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Skipped<'a> {
    /// Of the lines that `tests/support/skip.rs` writes: a name, a tab, a reason. A test that skips several parts of
    /// itself has several lines, and is one test.
    fn of(record: &'a str) -> Self {
        Self(record.lines().map(|line| line.split_once('\t').unwrap_or((line, "no reason given"))).collect())
    }

    fn report(&self) -> String {
        let count = match self.0.len() {
            0 => return "no test was skipped".to_owned(),
            1 => "1 test was skipped".to_owned(),
            count => format!("{count} tests were skipped"),
        };
        let lines: Vec<String> = self.0.iter().map(|(test, reason)| format!("  {test}: {reason}")).collect();
        format!("{count}:\n{}", lines.join("\n"))
    }
}

fn filter(tests: &mut Command, filters: &[String]) {
    if !filters.is_empty() {
        tests.arg("--").args(filters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_tests_are_counted_and_named() {
        assert_eq!(Skipped::of("").report(), "no test was skipped");
        assert_eq!(Skipped::of("one\tno display\n").report(), "1 test was skipped:\n  one: no display");
        let record = "two\tno Python\none\tno display\ntwo\tno Python\n";
        let report = "2 tests were skipped:\n  one: no display\n  two: no Python";
        assert_eq!(Skipped::of(record).report(), report);
    }
}
