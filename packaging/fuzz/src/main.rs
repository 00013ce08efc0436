//! What `cargo xtask fuzz` runs: LLVM's libFuzzer, which makes up inputs and keeps those that reach new code, over
//! everything in Frostline that reads files of others.
//!
//! `FROSTLINE_FUZZ_TARGET` names one of the targets in `targets`; with `FROSTLINE_FUZZ_SEEDS` the inputs to start from
//! are written into that folder instead. An input that makes a target panic ends the process, and libFuzzer keeps it.
#![no_main]
#![expect(
    clippy::print_stderr,
    clippy::exit,
    reason = "libFuzzer has the main function, and reports on stderr"
)]

mod panics;
mod seeds;
mod targets;

#[path = "../../../tests/support/torch_file.rs"]
#[expect(clippy::unwrap_used, reason = "what cannot be written cannot be a seed either")]
mod torch_file;

use std::path::Path;
use std::process;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

use crate::targets::Target;

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(init: start(), |bytes: &[u8]| {
    if let Some(target) = TARGET.get() {
        panics::stop_at_one(|| target(bytes));
    }
});

/// Before the first input.
fn start() {
    if let Some(folder) = std::env::var_os("FROSTLINE_FUZZ_SEEDS") {
        let written = seeds::write(Path::new(&folder));
        process::exit(written.map_or_else(
            |error| {
                eprintln!("the inputs to start from cannot be written: {error}");
                1
            },
            |()| 0,
        ));
    }
    let name = std::env::var("FROSTLINE_FUZZ_TARGET").unwrap_or_default();
    let Some((_, target)) = targets::ALL.iter().find(|(known, _)| *known == name) else {
        eprintln!("there is no target \"{name}\"");
        process::exit(2);
    };
    TARGET.get_or_init(|| *target);
    panics::listen();
}
