//! The window: it draws what the session knows and sends what the user wants. It must never touch a tensor, and
//! nothing below it knows that it is there.
//!
//! - [`launch`] and [`window`] open it; [`app`] holds it together; [`shell`] draws what is always in sight.
//! - [`panels`]: the pages, a file or folder each; [`widgets`]: what they share.
//! - [`actions`]: everything that can be asked for; [`dialogs`], [`drag_and_drop`], [`modals`],
//!   [`command_palette`]: ways of asking.
//! - `notices`: how long news stays; [`autosave`]: what a crash must not lose.
//! - [`page`]: the pages and their marks; [`explain`]: answers to what a newcomer asks.
//! - [`theme`], [`fonts`]: the look; [`prefs`]: what is remembered; [`diagnostics`]: facts for a bug report.
//!
//! Rules that every page keeps:
//! - Gaps and margins are multiples of 4 points. Text has five sizes: title, heading, body, caption, code.
//! - Blue means frozen, amber means trainable; green, yellow and red mean done, look and failed, and never stand
//!   alone: an icon or a word goes with them. A task or class has one colour everywhere.
//! - A page says in a sentence what it is for. While empty, it says what will be there and how to get it.
//! - What cannot be pressed says why. What can be pressed has a name that a screen reader can say.
//! - Nothing moves unless something happens; a frame is drawn on news or input only.

pub mod actions;
pub mod app;
pub mod autosave;
pub mod command_palette;
pub mod diagnostics;
pub mod dialogs;
pub mod drag_and_drop;
pub mod environment;
pub mod explain;
pub mod fonts;
pub mod launch;
pub mod modals;
mod notices;
pub mod page;
pub mod panels;
pub mod prefs;
pub mod shell;
pub mod theme;
pub mod widgets;
pub mod window;

pub use launch::launch;
pub use window::{WindowArgs, open_window};
