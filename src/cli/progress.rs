//! How far a long work has come: a bar where stderr is a terminal, else a plain line now and then.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::console::{count, tell};
use crate::format::numbers::thousands;
use crate::format::visible::visible;

/// Between two plain lines; a log should not be filled by them.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress over a known number of steps.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    unit: &'static str,
    total: usize,
    last_line: Instant,
}

impl Progress {
    /// Starts at 0 of `total`.
    pub(super) fn start(what: &str, total: usize, unit: &'static str) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64).with_message(visible(what).into_owned());
            let template =
                format!("{{msg}} [{{wide_bar}}] {{human_pos}}/{{human_len}} {unit}s, {{eta}} left");
            // The template is ours; where it were wrong, the plain bar does.
            match ProgressStyle::with_template(&template) {
                Ok(style) => bar.with_style(style.progress_chars("=> ")),
                Err(_) => bar,
            }
        });
        Self { bar, what: what.to_owned(), unit, total, last_line: Instant::now() }
    }

    /// Says how much is done, and in words what is being done.
    pub(super) fn set(&mut self, done: usize, what: &str) {
        if let Some(bar) = &self.bar {
            let what = visible(what);
            if bar.message() != what {
                bar.set_message(what.into_owned());
            }
            bar.set_position(done as u64);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            tell(&format!("{what}: {} of {}", thousands(done as u64), count(self.total, self.unit)));
        }
    }

    /// Says how much is done.
    pub(super) fn advance(&mut self, done: usize) {
        let what = std::mem::take(&mut self.what);
        self.set(done, &what);
        self.what = what;
    }

    /// Writes lines of output with the bar out of the way.
    pub(super) fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
