//! How far a reading is, told by whoever works on it, and whether it is to go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::decode::RawBytes;
use crate::data::error::DataError;

/// Called now and then with bytes done and bytes in all; `false` stops the reading. It may be called from any
/// thread, but never by two at once, and never again after it said `false`.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) -> bool + Sync);

/// Bytes between two reports.
const STRIDE: u64 = 1 << 20;

/// Counts the work of all threads and reports it.
pub(in crate::data) struct Meter<'a> {
    progress: Progress<'a>,
    total: u64,
    done: AtomicU64,
    stopped: AtomicBool,
    /// What was reported last.
    reported: Mutex<u64>,
    /// The file whose bytes are read.
    source: Option<&'a RawBytes>,
}

impl<'a> Meter<'a> {
    pub(in crate::data) const fn new(progress: Progress<'a>, total: u64) -> Self {
        Self {
            progress,
            total,
            done: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            reported: Mutex::new(0),
            source: None,
        }
    }

    /// The same for the bytes of this file, whose memory is given back as it is read.
    pub(in crate::data) const fn over(self, source: &'a RawBytes) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Takes note of a part that has been read.
    ///
    /// # Errors
    /// When the reading is to stop.
    pub(in crate::data) fn pass(&self, part: &[u8]) -> Result<(), DataError> {
        self.let_go(part);
        self.advance(part.len())
    }

    /// Gives back the memory of a part that nobody reads again, where all that was read of it is told already.
    pub(in crate::data) fn let_go(&self, part: &[u8]) {
        if let Some(source) = self.source {
            source.let_go(part);
        }
    }

    /// Takes note of `bytes` more.
    ///
    /// # Errors
    /// When the reading is to stop.
    pub(in crate::data) fn advance(&self, bytes: usize) -> Result<(), DataError> {
        let done = self.done.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        self.report(done.min(self.total), STRIDE)
    }

    /// The last report: all is done.
    pub(in crate::data) fn finish(&self) -> Result<(), DataError> {
        self.report(self.total, 0)
    }

    /// False once the reading is to stop.
    pub(in crate::data) fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    fn report(&self, done: u64, stride: u64) -> Result<(), DataError> {
        // A thread that panicked while it reported leaves nothing half done.
        let mut reported = self.reported.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.goes_on() && done >= *reported + stride {
            *reported = done;
            if !(self.progress)(done, self.total) {
                self.stopped.store(true, Ordering::Relaxed);
            }
        }
        drop(reported);
        if self.goes_on() { Ok(()) } else { Err(DataError::Cancelled) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_ends_with_the_piece_that_it_is_at_when_the_reading_is_stopped() {
        let meter = Meter::new(&|done, _| done < 3 * STRIDE, 100 * STRIDE);
        let pieces = |_| {
            let meter = &meter;
            move || (0..50).take_while(|_| meter.advance(STRIDE as usize).is_ok()).count()
        };
        let passed: usize = std::thread::scope(|scope| {
            let threads = [0, 1].map(pieces).map(|work| scope.spawn(work));
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        // The third report stops it; by then the other thread may have taken one more piece, and no further.
        assert!((2..=3).contains(&passed), "{passed} pieces");
        assert!(matches!(meter.advance(0), Err(DataError::Cancelled)) && !meter.goes_on());
    }
}
