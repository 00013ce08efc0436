//! What the tests share: projects and runs, the program, a hub, states of the window.
#![allow(dead_code, reason = "each binary uses a part of it")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test fails as the test does")]

pub(crate) mod bytes_touched;
pub(crate) mod dense_folder;
#[cfg(feature = "window")]
pub(crate) mod fake_measured;
#[cfg(feature = "window")]
pub(crate) mod fake_state;
pub(crate) mod families;
pub(crate) mod hub_server;
pub(crate) mod own_process;
#[cfg(feature = "window")]
pub(crate) mod page;
pub(crate) mod program;
pub(crate) mod recorded;
pub(crate) mod recorded_kinds;
pub(crate) mod same_run;
pub(crate) mod skip;
#[cfg(feature = "window")]
pub(crate) mod states;
pub(crate) mod tiny_run;
pub(crate) mod torch_file;
