//! Which panics count: one that leaves the target, and one of Frostline's own code even where it is caught.
//!
//! The reader of Parquet catches what its decoder panics on, which is meant to be so.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process;
use std::sync::Mutex;

/// What the last panic said.
static LAST: Mutex<String> = Mutex::new(String::new());

/// Takes the place of libFuzzer's hook, to which every panic is the end.
pub(crate) fn listen() {
    panic::set_hook(Box::new(|info| {
        let is_ours = info.location().is_some_and(|place| place.file().starts_with("src/"));
        if is_ours {
            stop(&in_words(info));
        } else if let Ok(mut last) = LAST.lock() {
            *last = in_words(info);
        }
    }));
}

/// Runs a target; a panic in it ends the process.
pub(crate) fn stop_at_one(target: impl FnOnce()) {
    if panic::catch_unwind(AssertUnwindSafe(target)).is_err() {
        stop(&LAST.lock().map(|last| last.clone()).unwrap_or_default());
    }
}

fn stop(message: &str) -> ! {
    eprintln!("panic: {message}");
    process::abort()
}

/// With its place, as `panicked at ...` says it.
fn in_words(info: &PanicHookInfo) -> String {
    info.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
