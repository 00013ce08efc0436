//! How far a download has come, and how fast it goes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Speed is that of the last so many seconds: steady to read, quick to follow a change.
const WINDOW: Duration = Duration::from_secs(4);
/// Between two marks of the window.
const MARK_EVERY: Duration = Duration::from_millis(100);

/// How far a download has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Bytes that are there, those of earlier downloads included.
    pub done: u64,
    /// Bytes of all files.
    pub total: u64,
    /// Bytes per second over the last seconds; 0 before there is anything to measure.
    pub bytes_per_second: f64,
    /// The file that is being fetched.
    pub file: String,
    /// Another program fetches it already; this one waits for it.
    pub waiting: bool,
}

impl Progress {
    /// From 0 to 1.
    #[must_use]
    pub fn fraction(&self) -> f32 {
        if self.total == 0 { 1.0 } else { (self.done as f64 / self.total as f64) as f32 }
    }

    /// Seconds to the end at this speed.
    #[must_use]
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.total.saturating_sub(self.done) as f64;
        (self.bytes_per_second > 0.0).then(|| left / self.bytes_per_second)
    }
}

/// Counts bytes as they come.
pub(super) struct Meter {
    progress: Progress,
    /// Bytes of the files that are done.
    before: u64,
    /// Bytes that came from the network, and when.
    received: u64,
    marks: VecDeque<(Instant, u64)>,
}

impl Meter {
    pub(super) fn new(total: u64) -> Self {
        let marks = VecDeque::from([(Instant::now(), 0)]);
        Self { progress: Progress { total, ..Progress::default() }, before: 0, received: 0, marks }
    }

    /// The next file begins.
    pub(super) fn file(&mut self, name: &str) -> &Progress {
        name.clone_into(&mut self.progress.file);
        self.progress.waiting = false;
        &self.progress
    }

    pub(super) fn waiting(&mut self) -> &Progress {
        self.progress.waiting = true;
        &self.progress
    }

    /// So many bytes of the file are there, and so many of them have just come.
    pub(super) fn bytes(&mut self, there: u64, came: u64) -> &Progress {
        self.bytes_at(Instant::now(), there, came)
    }

    fn bytes_at(&mut self, now: Instant, there: u64, came: u64) -> &Progress {
        self.progress.waiting = false;
        self.progress.done = self.before + there;
        self.received += came;
        if self.marks.back().is_none_or(|(last, _)| now.duration_since(*last) >= MARK_EVERY) {
            self.marks.push_back((now, self.received));
        }
        while self.marks.len() > 2
            && self.marks.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW)
        {
            self.marks.pop_front();
        }
        if let Some((since, received)) = self.marks.front() {
            let seconds = now.duration_since(*since).as_secs_f64();
            if seconds > 0.0 {
                self.progress.bytes_per_second = (self.received - received) as f64 / seconds;
            }
        }
        &self.progress
    }

    /// The file is whole.
    pub(super) fn done(&mut self, bytes: u64) -> &Progress {
        self.before += bytes;
        self.progress.done = self.before;
        &self.progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_now_counts_for_the_speed() {
        let mut meter = Meter::new(1000);
        let meter_began = meter.marks[0].0;
        assert_eq!(meter.file("a").bytes_per_second, 0.0);
        let after = |millis| meter_began + Duration::from_millis(millis);
        let progress = meter.bytes_at(after(20), 600, 0).clone();
        assert_eq!((progress.done, progress.bytes_per_second), (600, 0.0));
        assert_eq!(progress.seconds_left(), None);
        let progress = meter.bytes_at(after(500), 700, 100).clone();
        assert_eq!(progress.bytes_per_second, 200.0);
        assert_eq!(progress.seconds_left(), Some(1.5));
        meter.done(750);
        assert_eq!(meter.bytes(250, 250).done, 1000);
        assert_eq!(meter.done(250).fraction(), 1.0);
    }
}
