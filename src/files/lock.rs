//! Locks between processes: who writes to a run's folder, and who saves a project, at this moment.
//!
//! A lock is an operating-system lock on a file, so it ends with its holder, however that ends: what a killed process
//! leaves behind blocks nobody. Its name and place are in a file next to it, because Windows lets nobody read a locked
//! file. Readers take no lock and never wait.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{inside, regular_file};

/// How long a held lock is tried again: a look at whether it is held takes it for an instant.
const TRY_FOR: Duration = Duration::from_millis(300);
/// Between two tries.
const TRY_EVERY: Duration = Duration::from_millis(10);

/// No process describes itself at greater length.
const LARGEST_HOLDER: u64 = 1 << 16;

/// What this process is called in its locks; see [`call_this_process`].
static THIS_PROCESS: OnceLock<String> = OnceLock::new();

/// Names this process for the messages of others: `frostline train messages`, `the window`. The first name stays.
pub fn call_this_process(name: String) {
    drop(THIS_PROCESS.set(name));
}

/// The process that holds a lock, as it describes itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Holder {
    pid: u32,
    host: String,
    /// Seconds since 1970.
    since: u64,
    what: String,
}

impl Holder {
    fn this_process() -> Self {
        Self {
            pid: std::process::id(),
            host: sysinfo::System::host_name().unwrap_or_else(|| "an unnamed host".to_owned()),
            since: seconds_now(),
            what: THIS_PROCESS.get().cloned().unwrap_or_else(|| "another program".to_owned()),
        }
    }

    fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&regular_file::read_at_most(path, LARGEST_HOLDER).ok()?).ok()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, host, since, what } = self;
        let minutes = seconds_now().saturating_sub(*since) / 60;
        let ago = match minutes {
            0 => "for less than a minute".to_owned(),
            1 => "for 1 minute".to_owned(),
            2..120 => format!("for {minutes} minutes"),
            _ => format!("for {} hours", minutes / 60),
        };
        write!(f, "{what} (process {pid} on {host}, {ago})")
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

/// Why there is no lock.
#[derive(Debug)]
pub enum NoLock {
    /// Another process holds it, or this one by another handle; its name where that can be read.
    Held(Option<Holder>),
    /// The system refuses to make the file or to lock it.
    Refused(io::Error),
}

/// A lock that is held. It ends when this is dropped, and with the process at the latest.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// `None` on file systems that know no locks: nothing can be promised there, and nothing is refused.
    file: Option<File>,
}

impl Lock {
    /// Takes the lock of that path. The file is made where it is missing; a link is not followed.
    ///
    /// # Errors
    /// When another holds it, or the system refuses.
    pub fn take(path: &Path) -> Result<Self, NoLock> {
        Self::take_within(path, TRY_FOR)
    }

    /// The same, with as much patience as the caller has.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_within(path: &Path, patience: Duration) -> Result<Self, NoLock> {
        let deadline = Instant::now() + patience;
        loop {
            let file = inside::open_to_write(path).map_err(NoLock::Refused)?;
            match file.try_lock() {
                Ok(()) if is_still_at(&file, path) => {
                    let lock = Self { path: path.to_owned(), file: Some(file) };
                    lock.sign();
                    return Ok(lock);
                }
                // The holder before took the file away as it let go: the lock is on the one that is there now.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(TRY_EVERY),
                Err(TryLockError::WouldBlock) => return Err(NoLock::Held(Holder::read(&holder_of(path)))),
                Err(TryLockError::Error(error)) if knows_no_locks(&error) => {
                    tracing::warn!("{} is on a file system without locks: {error}", path.display());
                    return Ok(Self { path: path.to_owned(), file: None });
                }
                Err(TryLockError::Error(error)) => return Err(NoLock::Refused(error)),
            }
        }
    }

    /// Writes down who holds the lock; for the messages of others, so a failure costs no more than a name.
    fn sign(&self) {
        let path = holder_of(&self.path);
        let write = || -> io::Result<()> {
            let text = serde_json::to_vec(&Holder::this_process())?;
            // Whatever is there is left over, or a link that would lead the write elsewhere.
            drop(fs::remove_file(&path));
            File::create_new(&path)?.write_all(&text)
        };
        if let Err(error) = write() {
            tracing::debug!("the holder of {} could not be written: {error}", self.path.display());
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.file.is_some() {
            // While the lock is still held, so that nobody else's file is taken away.
            drop(fs::remove_file(holder_of(&self.path)));
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Whether the lock of that path is held, and by whom. It changes nothing and waits for nobody.
#[must_use]
pub fn holder(path: &Path) -> Option<Holder> {
    let file = regular_file::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(Holder::read(&holder_of(path)).unwrap_or_default()),
        _ => None,
    }
}

fn holder_of(path: &Path) -> PathBuf {
    path.with_extension("holder")
}

/// Network file systems without a lock daemon, and some of user space.
fn knows_no_locks(error: &io::Error) -> bool {
    const ENOLCK: i32 = 37;
    error.kind() == io::ErrorKind::Unsupported
        || (cfg!(target_os = "linux") && error.raw_os_error() == Some(ENOLCK))
}

/// Whether the file that was opened is the one that lies at the path now.
#[cfg(unix)]
pub(crate) fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(there)) => identity(opened) == identity(there),
        _ => false,
    }
}

/// Windows keeps the name of a file that is to be removed until its last handle is closed.
#[cfg(not(unix))]
pub(crate) fn is_still_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_is_named_to_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(holder(&path), None);
        let lock = Lock::take(&path).unwrap();
        let Err(NoLock::Held(Some(other))) = Lock::take(&path) else { panic!("it is held twice") };
        assert_eq!((other.pid, holder(&path)), (std::process::id(), Some(other.clone())));
        let told = other.to_string();
        assert!(
            told.contains(&format!("process {}", std::process::id())) && told.contains("less than a minute")
        );
        drop(lock);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
        drop(Lock::take(&path).unwrap());
    }

    #[test]
    fn what_a_killed_process_left_blocks_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        fs::write(&path, "").unwrap();
        fs::write(
            holder_of(&path),
            serde_json::to_vec(&Holder { pid: 1, ..Holder::this_process() }).unwrap(),
        )
        .unwrap();
        assert_eq!(holder(&path), None);
        let lock = Lock::take(&path).unwrap();
        assert_eq!(holder(&path).map(|holder| holder.pid), Some(std::process::id()));
        drop(lock);
    }

    #[test]
    fn of_many_at_once_one_at_a_time_holds_it() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let (path, inside, most) = (dir.path().join("lock"), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let lock = Lock::take_within(&path, Duration::from_mins(1)).unwrap();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
    }
}
