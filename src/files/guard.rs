//! The boundary to libraries that panic on what files hold: a panic there becomes an error here, and nothing of it
//! reaches the terminal.
//!
//! It is for calls of libraries that share nothing with the rest of the program, and never for Frostline's own code.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    /// How many guards this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the last panic of this thread said, and where.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

static LISTENS: Once = Once::new();

/// Whether somebody says what a panic said that no guard caught.
static IS_PROGRAM: AtomicBool = AtomicBool::new(false);

/// Does what may panic, on this thread.
///
/// # Errors
/// What the panic said, in words.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    listen();
    DEPTH.set(DEPTH.get() + 1);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(DEPTH.get() - 1);
    done.map_err(|panic| words(panic.as_ref()))
}

/// Does the work of the whole program. A panic is said in words and with its place, as the error that a person reports.
///
/// # Errors
/// What the panic said.
pub fn last_resort<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    IS_PROGRAM.store(true, Ordering::Relaxed);
    listen();
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let placed = LAST.with(RefCell::take);
        placed.unwrap_or_else(|| words(panic.as_ref()))
    })
}

/// What a panic said.
#[must_use]
pub fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or_else(
        || "no reason given".into(),
        |text| text.split_whitespace().collect::<Vec<_>>().join(" "),
    )
}

/// From now on panics within a guard are silent, and in the program all others are kept to be said in words, unless
/// `RUST_BACKTRACE` asks for more. The fuzzer hears of all.
fn listen() {
    LISTENS.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_guarded = DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(false);
            let wants_trace = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
            if cfg!(fuzzing) || (!is_guarded && (wants_trace || !IS_PROGRAM.load(Ordering::Relaxed))) {
                before(info);
            } else if !is_guarded {
                let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
                let said = words(info.payload()) + &place.unwrap_or_default();
                tracing::error!("a fault in the program: {said}");
                drop(LAST.try_with(|last| last.replace(Some(said))));
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_library_is_an_error_with_its_words() {
        assert_eq!(guarded(|| 7), Ok(7));
        let said = guarded(|| -> u32 { panic!("the engine\n gave up after {}", 3) });
        assert_eq!(said, Err("the engine gave up after 3".to_owned()));
        let within = guarded(|| guarded(|| panic!("within")).is_err());
        assert_eq!((within, DEPTH.get()), (Ok(true), 0));
    }

    #[test]
    fn every_thread_has_a_guard_of_its_own() {
        use rayon::prelude::*;
        let work = |number: usize| guarded(move || assert!(!number.is_multiple_of(3), "number {number}"));
        let refused: Vec<usize> = (0..100).into_par_iter().filter(|number| work(*number).is_err()).collect();
        assert_eq!(refused, (0..100).step_by(3).collect::<Vec<_>>());
    }

    #[test]
    fn what_ends_the_program_is_said_in_words() {
        assert_eq!(last_resort(|| 7), Ok(7));
        assert!(last_resort(|| panic!("no {}", 1)).is_err_and(|said| said.starts_with("no 1")));
    }
}
