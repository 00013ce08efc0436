//! The window as a person meets it, page by page, driven without a screen.
#![cfg(feature = "window")]

mod cancelled;
mod data;
mod evaluate;
mod everywhere;
mod figures_shown;
mod hub;
mod outside;
mod pages;
mod panels;
mod road;
mod schedule;
mod snapshots;
mod train;

#[path = "../support/mod.rs"]
mod support;
