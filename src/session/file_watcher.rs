//! Looks now and then whether data files are still what was read, on a thread of its own: a file may lie on a disk that
//! is slow to answer.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::changed_file::FileState;
use super::outbox::Wake;
use crate::data::read::fingerprint::Fingerprint;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);

/// The session's end of the thread, which ends when this is gone.
pub(super) struct FileWatcher {
    /// What became of a file, told each time that it is something else.
    pub(super) changed: Receiver<(PathBuf, FileState)>,
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
    files: Vec<(PathBuf, Fingerprint)>,
    changed: &Sender<(PathBuf, FileState)>,
    ended: &Receiver<()>,
    wake: &Wake,
) {
    let mut files: Vec<_> = files.into_iter().map(|(path, stamp)| (path, stamp, FileState::Same)).collect();
    while !files.is_empty() && ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        for (path, stamp, known) in &mut files {
            let now = state_of(path, stamp, *known);
            if now == FileState::Same {
                stamp.renew(path);
            }
            if now != *known {
                *known = now;
                // When the session is gone, nobody is left to tell.
                drop(changed.send((path.clone(), now)));
                wake();
            }
        }
    }
}

fn state_of(path: &Path, stamp: &Fingerprint, known: FileState) -> FileState {
    match known {
        _ if fs::metadata(path).is_err() => FileState::Gone,
        // Its bytes are not read over and over to see whether they are the old ones again.
        FileState::Changed => FileState::Changed,
        FileState::Same | FileState::Gone if stamp.is_stale(path) => FileState::Changed,
        FileState::Same | FileState::Gone => FileState::Same,
    }
}
