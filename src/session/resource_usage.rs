//! What this process takes of the machine, looked at every few seconds while a run goes on.

use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::state::ResourceUsage;

/// How often it is looked: shares of a core mean nothing over shorter times.
const EVERY: Duration = Duration::from_secs(2);

/// Looks at this process.
pub(super) struct UsageMeter {
    system: System,
    pid: Option<Pid>,
    looked: Option<Instant>,
}

impl UsageMeter {
    pub(super) fn new() -> Self {
        Self { system: System::new(), pid: sysinfo::get_current_pid().ok(), looked: None }
    }

    /// Nothing is of interest for a while: processor time is counted from the next look on.
    pub(super) const fn rest(&mut self) {
        self.looked = None;
    }

    /// What it takes now; `None` where it was looked a moment ago, or the system does not tell.
    pub(super) fn look(&mut self) -> Option<ResourceUsage> {
        let pid = self.pid?;
        if self.looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            return None;
        }
        let first = self.looked.is_none();
        self.looked = Some(Instant::now());
        let kind = ProcessRefreshKind::nothing().with_memory().with_cpu();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
        let process = self.system.process(pid)?;
        // Processor time is a difference, which the first look does not have.
        if first {
            return None;
        }
        let of_cores = std::thread::available_parallelism().map_or(1, usize::from);
        Some(ResourceUsage { memory: process.memory(), cores: process.cpu_usage() / 100.0, of_cores })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory_and_is_not_looked_at_all_the_time() {
        let mut meter = UsageMeter::new();
        assert_eq!(meter.look(), None);
        assert_eq!(meter.look(), None);
        meter.looked = Instant::now().checked_sub(EVERY);
        let load = meter.look().expect("a load");
        assert!(load.memory > 1_000_000 && load.of_cores > 0, "{load:?}");
    }
}
