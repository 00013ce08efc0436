//! The program as a person or a script meets it: arguments, files, streams, signals.

mod bounds;
mod commands;
mod export_kinds;
mod hub;
mod judged;
mod kinds;
mod label_shapes;
mod locks;
mod models;
mod never_lost;
mod outputs;
mod outside;
mod project_links;
mod settings;
mod shown;
mod smallest;

#[path = "../support/mod.rs"]
mod support;
