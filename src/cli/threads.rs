//! How the threads of libtorch wait for each other.
//!
//! Its OpenMP runtime spins between two pieces of work. On a machine that does anything else at the same time
//! (draws a window, compiles) the spinning threads take the processor from those they wait for: a step of the
//! smallest exercise took 8 times as long beside two busy processes. Sleeping costs a few microseconds instead.

/// Makes libtorch's threads sleep while they wait, unless the user's environment says otherwise.
///
/// The runtime reads its environment before `main` starts, so the program starts itself once more; process,
/// arguments and terminal stay the same. Where that fails the program goes on as it is.
pub fn let_threads_sleep() {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        let said = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"].iter().any(|name| std::env::var_os(name).is_some());
        let Ok(program) = std::env::current_exe() else { return };
        if said {
            return;
        }
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let error = std::process::Command::new(program)
            .arg0(name)
            .args(arguments)
            .env("OMP_WAIT_POLICY", "PASSIVE")
            .exec();
        // `exec` returns only when it failed.
        tracing::warn!("libtorch's threads will spin while they wait: {error}");
    }
}
