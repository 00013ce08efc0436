//! How the loop drives a device: the CPU step by step, a GPU by queueing work that it does in its own time. What is
//! trained does not depend on it, but for the rounding of the update.

use std::time::Duration;

use tch::Device;

use crate::train::optim::Kernel;

/// How the loop drives a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// How the optimiser's step is carried out.
    pub kernel: Kernel,
    /// Steps whose losses are read back together, at most: each reading waits until nothing is queued any more.
    pub read_every: usize,
    /// Fewer steps are read together where so many would take longer than this: Stop waits for them, and so does the
    /// curve.
    pub read_within: Duration,
}

impl Dispatch {
    /// Every step is read as soon as it is done.
    pub const STEPWISE: Self = Self { kernel: Kernel::Memory, read_every: 1, read_within: Duration::ZERO };

    /// The one that suits a device.
    #[must_use]
    pub fn of(device: Device) -> Self {
        match device {
            Device::Cpu => Self::STEPWISE,
            _ => Self { kernel: Kernel::Queued, read_every: 16, read_within: Duration::from_millis(100) },
        }
    }
}
