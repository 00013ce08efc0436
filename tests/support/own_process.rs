//! Tests that need a process of their own, for its peak of memory or for its environment: they run once more in one.

use std::ffi::OsStr;
use std::process::Command;

/// This test program once more, running this one test alone. `module` is `module_path!()`, `test` the function's name.
pub(crate) fn again(module: &str, test: &str) -> Command {
    // libtest names a test by its path without the crate.
    let path = module.split_once("::").map_or("", |(_, path)| path);
    let name = if path.is_empty() { test.to_owned() } else { format!("{path}::{test}") };
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args([OsStr::new("--exact"), OsStr::new(&name), OsStr::new("--nocapture")]);
    command
}
