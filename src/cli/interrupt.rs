//! Ctrl+C during a run: the first asks it to stop in good order, the second ends the program.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::console::tell;

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// What shells report of a program that Ctrl+C ended: 128 + SIGINT.
const ENDED_BY_INTERRUPT: i32 = 130;

/// From here on, Ctrl+C (and a scheduler's request to end) is kept for [`is_asked`] instead of ending the program.
pub(super) fn listen() {
    let set = || -> io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in this order: the first signal finds the flag unset and sets it, a second one ends.
            flag::register_conditional_shutdown(signal, ENDED_BY_INTERRUPT, Arc::clone(&ASKED))?;
            flag::register(signal, Arc::clone(&ASKED))?;
        }
        Ok(())
    };
    if let Err(error) = set() {
        tell(&format!("warning: Ctrl+C will end the program without recording the run as stopped: {error}"));
    }
}

/// Whether the user asked to stop.
pub(super) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
