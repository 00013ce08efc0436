//! What tests of the window share.

pub(crate) mod fake_state;
