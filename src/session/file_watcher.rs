//! Looks now and then whether data files are still what was read, on a thread of its own: a file may lie on a disk that
//! is slow to answer.

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::outbox::Wake;
use crate::data::read::fingerprint::Fingerprint;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);

/// The session's end of the thread, which ends when this is gone.
pub(super) struct FileWatcher {
    /// A file that is another one now, or gone: told once.
    pub(super) changed: Receiver<PathBuf>,
    _end: Sender<()>,
}

impl FileWatcher {
    /// Begins to look after files as they were when they were read.
    pub(super) fn of(files: Vec<(PathBuf, Fingerprint)>, wake: Wake) -> Self {
        let (sender, changed) = unbounded();
        let (end, ended) = bounded(0);
        let run = move || look(files, &sender, &ended, &wake);
        if let Err(error) = std::thread::Builder::new().name("frostline-watch".into()).spawn(run) {
            tracing::error!("no thread to look after the data files could be started: {error}");
        }
        Self { changed, _end: end }
    }
}

fn look(
    mut files: Vec<(PathBuf, Fingerprint)>,
    changed: &Sender<PathBuf>,
    ended: &Receiver<()>,
    wake: &Wake,
) {
    while !files.is_empty() && ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        files.retain_mut(|(path, stamp)| {
            let stale = stamp.is_stale(path);
            if stale {
                // When the session is gone, nobody is left to tell.
                drop(changed.send(path.clone()));
                wake();
            } else {
                stamp.renew(path);
            }
            !stale
        });
    }
}
