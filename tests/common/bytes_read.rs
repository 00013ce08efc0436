//! How much a thread has read: a measure of work that does not depend on how busy the machine is.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not find is a failed test")]

/// Bytes that the calling thread has read from files so far; 0 where the system keeps no account of it.
pub(crate) fn bytes_read() -> u64 {
    let account = std::fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
    let line = account.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap_or("0");
    line.parse().unwrap()
}
