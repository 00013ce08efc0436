//! Ctrl+C and a scheduler's SIGTERM: the first asks to stop in good order, one a second later or more ends the program.
//! Either way the exit code is what shells report of a program that the signal ended: 130 and 143.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::console::tell;

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// The signal that asked; 0 before.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// A signal this soon after the first is the same wish again: `timeout` and some schedulers signal a program and then its
/// group.
const SAME_WISH: Duration = Duration::from_secs(1);
/// Between two looks at whether a signal came.
const LOOK: Duration = Duration::from_millis(200);

/// Added to a signal's number by shells.
const ENDED_BY: i32 = 128;

/// The command was given up because a signal asked for it.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: the result is not written")]
pub(super) struct Interrupted;

/// From here on, the first signal is kept for [`is_asked`] instead of ending the program: for commands that have
/// something to save or to clear away.
pub(super) fn listen() {
    let ends = Arc::new(AtomicBool::new(false));
    install(&ends, &ASKED, "without recording the run as stopped, or clearing away what is half written");
    let watch = move || {
        while !is_asked() {
            std::thread::sleep(LOOK);
        }
        std::thread::sleep(SAME_WISH);
        ends.store(true, Ordering::Relaxed);
    };
    if let Err(error) = std::thread::Builder::new().name("second signal".into()).spawn(watch) {
        tell(&format!("warning: a second Ctrl+C will not end the program: {error}"));
    }
}

/// From here on, a signal ends the program at once: for commands that write nothing, or nothing that is not whole.
pub(super) fn end_at_once() {
    install(&Arc::new(AtomicBool::new(true)), &ASKED, "with another exit code");
}

/// Handlers run in the order of their registration: a signal that finds `ends` set ends the program, any other sets
/// `asked`.
fn install(ends: &Arc<AtomicBool>, asked: &Arc<AtomicBool>, lacking: &str) {
    let set = || -> io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, ENDED_BY + signal, Arc::clone(ends))?;
            flag::register_usize(signal, Arc::clone(&SIGNAL), signal as usize)?;
            flag::register(signal, Arc::clone(asked))?;
        }
        Ok(())
    };
    if let Err(error) = set() {
        tell(&format!("warning: Ctrl+C will end the program {lacking}: {error}"));
    }
}

/// Whether the user asked to stop.
pub(super) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// The same as a switch for work that looks at one.
pub(super) fn switch() -> Arc<AtomicBool> {
    Arc::clone(&ASKED)
}

/// The error of work that a signal ended; any other as it is.
pub(super) fn or_interrupted(error: anyhow::Error) -> anyhow::Error {
    if is_asked() { Interrupted.into() } else { error }
}

/// The exit code of a command that did not come to its end because it was asked to stop.
pub(super) fn exit_code() -> Option<u8> {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => None,
        signal => u8::try_from(ENDED_BY as usize + signal).ok(),
    }
}
