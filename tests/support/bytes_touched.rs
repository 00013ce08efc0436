//! How much a thread has read and touched: a measure of work that does not depend on how busy the machine is.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

use std::fs::read_to_string;

/// What a page fault brings in.
const PAGE: u64 = 4096;

/// Bytes that the calling thread has read from files so far, and the pages of mapped files and of memory that it was the
/// first to touch; 0 where the system keeps no account of it.
pub(crate) fn bytes_touched() -> u64 {
    let account = read_to_string("/proc/thread-self/io").unwrap_or_default();
    let read = account.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap_or("0");
    let state = read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // After the name in brackets, which may hold spaces: state, six numbers, then minor faults.
    let faults = state.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(7)).unwrap_or("0");
    read.parse::<u64>().unwrap() + PAGE * faults.parse::<u64>().unwrap()
}
