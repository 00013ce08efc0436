//! What tests of the window share.

pub mod fake_state;
