//! How far a reading is, told by whoever works on it, whether it is to go on, and how much memory it may take.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::decode::RawBytes;
use crate::data::error::DataError;
use crate::data::table::MOST_COLUMNS;
use crate::machine::physical_memory;

/// Called now and then with bytes done and bytes in all; `false` stops the reading. It may be called from any
/// thread, but never by two at once, and never again after it said `false`.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) -> bool + Sync);

/// Bytes between two reports.
const STRIDE: u64 = 1 << 20;

/// How many times its own size a file may take while it is read. Logs and tables are packed to a tenth, hardly ever to
/// a fiftieth.
const MOST_GROWTH: u64 = 100;

/// Bytes that a file may take whatever its size.
const FREE: u64 = 256 << 20;

/// Bytes that a file may take, whatever its size, where the system does not tell how much memory it has.
const USUAL_MEMORY: u64 = 16 << 30;

/// Bytes of a record that could not be read, as it is kept: the text of its reason with what manages it.
const PROBLEM_BYTES: usize = 160;

/// Memory that is taken for as long as this lives.
pub(in crate::data) struct Loan<'a> {
    taken: &'a AtomicU64,
    bytes: u64,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let less = |taken: u64| Some(taken.saturating_sub(self.bytes));
        // An update that always has a new value does not fail.
        _ = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
    }
}

/// Counts the work of all threads and reports it.
pub(in crate::data) struct Meter<'a> {
    progress: Progress<'a>,
    total: u64,
    done: AtomicU64,
    stopped: AtomicBool,
    /// What was reported last.
    reported: Mutex<u64>,
    path: &'a Path,
    /// The file whose bytes are read.
    source: Option<&'a RawBytes>,
    /// Bytes of memory that what is read may take, beside the bytes of cells that lie in the file as they are.
    room: u64,
    /// Whether the file's size limits them, and not the machine.
    is_ratio: bool,
    taken: AtomicU64,
}

impl<'a> Meter<'a> {
    /// For the reading of a file or folder, of which only the machine limits what it takes.
    pub(in crate::data) fn new(path: &'a Path, progress: Progress<'a>, total: u64) -> Self {
        Self {
            progress,
            total,
            done: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            reported: Mutex::new(0),
            path,
            source: None,
            room: physical_memory().unwrap_or(USUAL_MEMORY) / 2,
            is_ratio: false,
            taken: AtomicU64::new(0),
        }
    }

    /// The same for the bytes of this file, whose size limits what it takes, and whose memory is given back as it is
    /// read.
    pub(in crate::data) fn over(self, source: &'a RawBytes) -> Self {
        let growth = FREE.max(MOST_GROWTH.saturating_mul(source.bytes().len() as u64));
        Self { source: Some(source), room: self.room.min(growth), is_ratio: growth < self.room, ..self }
    }

    /// The same with room for so many bytes.
    #[cfg(test)]
    pub(in crate::data) fn with_room(self, room: u64) -> Self {
        Self { room, ..self }
    }

    /// Takes note of memory that is about to be taken for what does not lie in the file as it is: what is unpacked,
    /// copies of one value, cells that are not there, four bytes each.
    ///
    /// # Errors
    /// [`DataError::TooMuch`] when it is more than the file may take.
    pub(in crate::data) fn take_room(&self, bytes: usize) -> Result<(), DataError> {
        let before = self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
        self.check(before.saturating_add(bytes as u64))
    }

    /// Looks whether there is room for so many bytes beside those that are taken.
    ///
    /// # Errors
    /// As [`take_room`](Self::take_room).
    pub(in crate::data) fn check_room(&self, bytes: usize) -> Result<(), DataError> {
        self.check(self.taken.load(Ordering::Relaxed).saturating_add(bytes as u64))
    }

    /// Takes note of a table of which only some cells may be there.
    ///
    /// # Errors
    /// As [`take_room`](Self::take_room), and when it is too wide.
    pub(in crate::data) fn take_table(&self, columns: usize, rows: usize) -> Result<(), DataError> {
        if columns > MOST_COLUMNS {
            return Err(DataError::TooWide { path: self.path.to_owned(), columns });
        }
        self.take_room(columns.saturating_mul(rows).saturating_mul(size_of::<u32>()))
    }

    /// Takes note of records that could not be read, each of which is kept with its reason.
    ///
    /// # Errors
    /// As [`take_room`](Self::take_room).
    pub(in crate::data) fn take_problems(&self, problems: usize) -> Result<(), DataError> {
        self.take_room(problems.saturating_mul(PROBLEM_BYTES))
    }

    /// Takes memory for a while: it is given back with what is returned.
    ///
    /// # Errors
    /// As [`take_room`](Self::take_room).
    pub(in crate::data) fn lend(&self, bytes: usize) -> Result<Loan<'_>, DataError> {
        let loan = Loan { taken: &self.taken, bytes: bytes as u64 };
        self.take_room(bytes)?;
        Ok(loan)
    }

    /// Forgets what was taken: it is handed over and let go.
    pub(in crate::data) fn free_room(&self) {
        self.taken.store(0, Ordering::Relaxed);
    }

    fn check(&self, taken: u64) -> Result<(), DataError> {
        if taken <= self.room {
            return Ok(());
        }
        let bytes = self.source.map_or(0, |source| source.bytes().len() as u64);
        Err(DataError::TooMuch {
            path: self.path.to_owned(),
            bytes,
            limit: self.room,
            is_ratio: self.is_ratio,
        })
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
    fn a_file_has_a_hundred_times_its_size_and_never_less_than_what_is_free() {
        let path = Path::new("a.csv");
        for (size, room) in [(1_000, FREE as usize), (4 << 20, 400 << 20)] {
            let bytes = RawBytes::Owned(vec![0; size]);
            let meter = Meter::new(path, &|_, _| true, 0).over(&bytes);
            assert!(meter.check_room(room).is_ok() && meter.check_room(room + 1).is_err(), "{size}");
        }
    }

    #[test]
    fn what_is_lent_is_given_back() {
        let meter = Meter::new(Path::new("a"), &|_, _| true, 0).with_room(10);
        let loan = meter.lend(8).unwrap();
        assert!(meter.lend(3).is_err());
        drop(loan);
        assert!(meter.lend(10).is_ok());
        // A refused loan is given back as well.
        assert!(meter.lend(11).is_err() && meter.lend(10).is_ok());
        assert!(meter.take_problems(1).is_err());
    }

    #[test]
    fn what_a_file_takes_is_bounded_by_its_size_and_by_the_machine() {
        let (small, go_on) = (RawBytes::Owned(vec![0; 10]), |_, _| true);
        let meter = Meter::new(Path::new("a.csv"), &go_on, 10).over(&small);
        assert!(meter.take_room(FREE as usize).is_ok() && meter.check_room(0).is_ok());
        let told = meter.take_room(1).unwrap_err().to_string();
        assert!(told.starts_with("a.csv takes more than 256 MB") && told.contains("has 10 bytes"), "{told}");
        meter.free_room();
        assert!(meter.check_room(1).is_ok() && meter.check_room(usize::MAX).is_err());
        let machine = Meter::new(Path::new("a.csv"), &go_on, 10).take_room(usize::MAX).unwrap_err();
        assert!(machine.to_string().contains("half of what this machine has"), "{machine}");
    }

    #[test]
    fn every_thread_ends_with_the_piece_that_it_is_at_when_the_reading_is_stopped() {
        let go_on = |done, _| done < 3 * STRIDE;
        let meter = Meter::new(Path::new("a.csv"), &go_on, 100 * STRIDE);
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
