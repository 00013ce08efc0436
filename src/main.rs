//! Frostline
fn main() {}
