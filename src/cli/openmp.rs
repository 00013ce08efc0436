//! How libtorch's threads wait for each other, and how its memory is kept.
//!
//! Its OpenMP runtime spins between two pieces of work. On a machine that does anything else at the same time
//! (draws a window, compiles) the spinning threads take the processor from those they wait for: a step of the
//! smallest exercise took 8 times as long beside two busy processes. Some ten microseconds of it save most of the
//! sleeps without that; three times as much cost a quarter of the throughput beside a compiler.
//!
//! The C library gives large blocks back to the system when they are freed, and a training step frees and asks for
//! hundreds of them: one part in twenty of a step was the clearing of pages. So they are kept, in large pages where
//! the system has them. `docs/speed.md` has the measurements.

/// What a runtime is told through its environment.
#[cfg(target_os = "linux")]
struct Setting {
    /// Variables by which the user says otherwise.
    said_by: &'static [&'static str],
    /// Names and values.
    values: &'static [(&'static str, &'static str)],
}

#[cfg(target_os = "linux")]
const SETTINGS: [Setting; 2] = [
    Setting {
        said_by: &["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"],
        values: &[("OMP_WAIT_POLICY", "PASSIVE"), ("GOMP_SPINCOUNT", "1000")],
    },
    Setting {
        said_by: &["GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"],
        values: &[("GLIBC_TUNABLES", ALLOCATOR)],
    },
];

/// Commands that are over soon, or keep every thread busy with work of its own: starting once more would cost them the
/// fifth of a second that libtorch takes to load, and gain nothing.
#[cfg(target_os = "linux")]
const START_ONCE: [&str; 12] = [
    "embed",
    "predict",
    "similar",
    "eval",
    "export",
    "inspect",
    "init",
    "help",
    "--help",
    "-h",
    "--version",
    "-V",
];

/// 32 MB is the largest block that glibc keeps on its heap; a run's weights, gradients and moments fit into 1 GB.
#[cfg(target_os = "linux")]
const ALLOCATOR: &str = "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824:\
                         glibc.malloc.top_pad=33554432:glibc.malloc.hugetlb=1";

/// Makes libtorch's threads sleep while they wait and the C library keep its memory, unless the user's environment
/// says otherwise.
///
/// The runtimes read their environment before `main` starts, so the program starts itself once more; process,
/// arguments and terminal stay the same. Where that fails the program goes on as it is.
pub fn let_threads_sleep() {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        if std::env::args_os().nth(1).is_some_and(|command| START_ONCE.iter().any(|known| command == *known))
        {
            return;
        }
        let unsaid = |setting: &&Setting| setting.said_by.iter().all(|name| std::env::var_os(name).is_none());
        let settings = SETTINGS.iter().filter(unsaid).flat_map(|setting| setting.values.iter().copied());
        let settings: Vec<(&str, &str)> = settings.collect();
        let Ok(program) = std::env::current_exe() else { return };
        if settings.is_empty() {
            return;
        }
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let error = std::process::Command::new(program).arg0(name).args(arguments).envs(settings).exec();
        // `exec` returns only when it failed.
        tracing::warn!("libtorch's threads will spin while they wait: {error}");
    }
}
