//! How far a long step is: a bar on a terminal, a line now and then in a log.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::disk::in_words;

const HEARTBEAT: Duration = Duration::from_secs(10);

/// One step whose length in bytes is known.
pub(crate) struct Progress {
    what: String,
    total_bytes: u64,
    done_bytes: u64,
    started: Instant,
    last_line: Instant,
    /// None where nobody watches a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Announces the step, for example `downloading torch 2.11.0`.
    pub(crate) fn start(what: String, total_bytes: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total_bytes).with_message(what.clone());
            if let Ok(style) = ProgressStyle::with_template(
                "{msg} [{wide_bar}] {decimal_bytes}/{decimal_total_bytes}, {eta} left",
            ) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        if bar.is_none() {
            println!("{what} ({})", in_words(total_bytes));
        }
        let now = Instant::now();
        Self { what, total_bytes, done_bytes: 0, started: now, last_line: now, bar }
    }

    /// Sets how many bytes are done.
    pub(crate) fn set(&mut self, done_bytes: u64) {
        self.done_bytes = done_bytes;
        if let Some(bar) = &self.bar {
            bar.set_position(done_bytes.min(self.total_bytes));
        } else if self.last_line.elapsed() >= HEARTBEAT {
            self.last_line = Instant::now();
            println!("{}: {} of {}", self.what, in_words(done_bytes), in_words(self.total_bytes));
        }
    }

    /// Adds to the bytes that are done.
    pub(crate) fn advance(&mut self, more_bytes: u64) {
        self.set(self.done_bytes.saturating_add(more_bytes));
    }

    /// Ends the step with the time it took.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
            println!(
                "{} ({}): {}",
                self.what,
                in_words(self.total_bytes),
                duration_in_words(self.started.elapsed())
            );
        }
    }
}

/// A duration as people write it: `0.4 s`, `12 s`, `3 min 05 s`.
pub(crate) fn duration_in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_words() {
        let words = [400, 12_900, 185_000].map(|millis| duration_in_words(Duration::from_millis(millis)));
        assert_eq!(words, ["0.4 s", "12 s", "3 min 05 s"]);
    }
}
