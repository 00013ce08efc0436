//! A real window of the built program, under a screen of its own.
#![cfg(feature = "window")]

mod window;

#[path = "../support/mod.rs"]
mod support;
