//! What the machine has. It knows nothing of what the program does with it.

use std::sync::OnceLock;

/// Bytes of this machine's memory; `None` where the system does not tell. It is looked up once.
#[must_use]
pub fn physical_memory() -> Option<u64> {
    static BYTES: OnceLock<Option<u64>> = OnceLock::new();
    *BYTES.get_or_init(|| {
        let kind = sysinfo::MemoryRefreshKind::nothing().with_ram();
        let mut system = sysinfo::System::new();
        system.refresh_memory_specifics(kind);
        // A container may be allowed less than the machine has.
        let allowed = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
        Some(system.total_memory().min(allowed)).filter(|bytes| *bytes > 0)
    })
}
