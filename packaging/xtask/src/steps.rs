//! Running the steps of a longer command: each announced, each timed, all summed up in the last line.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::progress::duration_in_words;

/// Steps done so far.
pub(crate) struct Steps {
    started: Instant,
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Steps {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), done: Vec::new() }
    }

    /// Runs one step, and says how it went unless `is_last`: then its own output stays the last before the
    /// summary.
    pub(crate) fn run(&mut self, name: &'static str, command: &mut Command, is_last: bool) {
        println!("\n==> {name}: {}", in_words(command));
        let started = Instant::now();
        let passed = match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                eprintln!("cannot start {}: {error}", command.get_program().display());
                false
            }
        };
        let took = started.elapsed();
        if !is_last {
            println!("==> {name}: {} ({})", if passed { "ok" } else { "FAILED" }, duration_in_words(took));
        }
        self.done.push(Step { name, took, passed });
    }

    /// A step that could not even begin.
    pub(crate) fn fail(&mut self, name: &'static str, error: &anyhow::Error) {
        eprintln!("\n==> {name}: FAILED: {error:#}");
        self.done.push(Step { name, took: Duration::ZERO, passed: false });
    }

    pub(crate) fn all_passed(&self) -> bool {
        self.done.iter().all(|step| step.passed)
    }

    /// One line: what passed, what failed, and the time of each.
    pub(crate) fn summary(&self) -> String {
        let steps: Vec<String> = self
            .done
            .iter()
            .map(|step| {
                let verdict = if step.passed { "" } else { " FAILED" };
                format!("{}{verdict} {}", step.name, duration_in_words(step.took))
            })
            .collect();
        let verdict = if self.all_passed() { "all passed" } else { "FAILED" };
        format!("{verdict} in {}: {}", duration_in_words(self.started.elapsed()), steps.join(", "))
    }
}

/// The command as one would type it.
fn in_words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit(['/', '\\']).next().unwrap_or_default();
    let words = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program.into()).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_one_line_with_verdicts_and_times() {
        let mut steps = Steps::start();
        steps.done.push(Step { name: "format", took: Duration::from_millis(1200), passed: true });
        assert!(steps.summary().starts_with("all passed in "), "{}", steps.summary());
        steps.done.push(Step { name: "tests", took: Duration::from_secs(65), passed: false });
        assert!(steps.summary().ends_with(": format 1.2 s, tests FAILED 1 min 05 s"), "{}", steps.summary());
        assert!(!steps.all_passed());
    }

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["fmt", "--all"]);
        assert_eq!(in_words(&command), "cargo fmt --all");
    }
}
