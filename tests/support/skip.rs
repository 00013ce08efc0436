//! Tests that a machine cannot run: each is reported, and `cargo xtask test` counts them at its end.
#![allow(clippy::print_stderr, reason = "why a test was skipped belongs in its output")]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Names a file that takes a line for every skipped test: its name, a tab, the reason. Set by `cargo xtask test`.
const RECORD: &str = "FROSTLINE_SKIPPED_TESTS";

/// Records that the calling test is skipped, because the machine lacks what it needs.
pub(crate) fn skip(reason: &str) {
    let thread = std::thread::current();
    // With one test thread, libtest runs the tests on the main one.
    let test = thread.name().filter(|name| *name != "main").unwrap_or(module_path!());
    eprintln!("skipped: {reason}");
    let Some(record) = std::env::var_os(RECORD) else { return };
    // One write, so that the lines of several tests stay whole.
    let line = format!("{test}\t{reason}\n");
    let written = OpenOptions::new().append(true).create(true).open(&record);
    let written = written.and_then(|mut file| file.write_all(line.as_bytes()));
    assert!(written.is_ok(), "{} cannot be written: {written:?}", Path::new(&record).display());
}

/// Whether a file or folder is there that `cargo xtask setup` provides. Without it the calling test is skipped where
/// it is run by hand, and fails in `cargo xtask test`, which has set everything up.
pub(crate) fn is_set_up(path: &Path) -> bool {
    let is_there = path.exists();
    if !is_there {
        let missing = format!("{} is missing: run `cargo xtask setup`", path.display());
        assert!(std::env::var_os(RECORD).is_none(), "{missing}");
        skip(&missing);
    }
    is_there
}
