//! The same work without a window: the command line, on the same project files and the same session.
//!
//! Results go to stdout, progress and warnings to stderr. It must never know a tensor or a widget.

mod args;
mod console;
mod demo_tour;
mod encode;
mod evaluate;
mod export;
mod figures;
mod find_rate;
mod hub;
mod init;
mod inspect;
mod inspect_data;
mod inspect_model;
mod interrupt;
mod mistyped;
pub mod openmp;
mod output;
mod output_format;
mod outside;
mod parquet_file;
mod progress;
mod reading_args;
mod session;
mod settings;
mod tables;
mod train;
mod writers;

pub use args::Args;
use args::Command;

use std::path::PathBuf;

use crate::files::lock;

/// Does what the arguments ask for.
///
/// # Errors
/// When it cannot be done: a sentence on what, where, and what to do.
pub fn run(args: Args) -> anyhow::Result<()> {
    // A name that is no Unicode is no reason to fail: this is only what others are told.
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let process = format!("frostline {}", words.join(" "));
    lock::call_this_process(if args.command.is_some() { process } else { "the window".to_owned() });
    match &args.command {
        None => {}
        // These have something to save or to clear away first.
        Some(
            Command::Train(_)
            | Command::Tour(_)
            | Command::Embed(_)
            | Command::Predict(_)
            | Command::Export(_),
        ) => interrupt::listen(),
        // What is written here is whole, or, for a download, resumed by the next.
        Some(
            Command::Eval(_)
            | Command::Similar(_)
            | Command::Inspect(_)
            | Command::Init(_)
            | Command::Settings(_)
            | Command::FindRate(_)
            | Command::Download(_),
        ) => interrupt::end_at_once(),
    }
    let as_json = args.command.as_ref().is_some_and(Command::is_json);
    let done = match args.command {
        None => open_window(args.project),
        Some(Command::Train(args)) => train::run(&args),
        Some(Command::FindRate(args)) => find_rate::run(&args),
        Some(Command::Eval(args)) => evaluate::run(&args),
        Some(Command::Embed(args)) => encode::embed(&args),
        Some(Command::Predict(args)) => encode::predict(&args),
        Some(Command::Similar(args)) => encode::similar(&args),
        Some(Command::Export(args)) => export::run(&args),
        Some(Command::Inspect(args)) => inspect::run(&args),
        Some(Command::Init(args)) => init::run(&args),
        Some(Command::Settings(args)) => settings::run(&args),
        Some(Command::Download(args)) => hub::download(&args),
        Some(Command::Tour(args)) => demo_tour::run(&args),
    };
    match done {
        // The reader of our output has seen enough: `frostline inspect ... | head`.
        Err(error) if console::is_closed_pipe(&error) => Ok(()),
        // Whoever reads objects learns from an object what went wrong; people read it on stderr as ever.
        Err(error) if as_json && !error.is::<console::ToldAsJson>() => {
            drop(console::say_json(&serde_json::json!({"error": format!("{error:#}")})));
            Err(error)
        }
        done => done,
    }
}

/// The exit code of a command that Ctrl+C or SIGTERM ended: 130 and 143.
#[must_use]
pub fn exit_code_of_signal() -> Option<u8> {
    interrupt::exit_code()
}

/// The error for a panic that nothing else caught: a fault of the program, whatever it was given.
#[must_use]
pub fn fault(panic: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "an unexpected fault in the program: {panic}. What was saved is whole. Please report it, with the command and, \
         if you can share it, the file that was read"
    )
}

/// Says on stderr why something could not be done.
pub fn report(error: &anyhow::Error) {
    console::tell_error(error);
}

#[cfg(feature = "window")]
fn open_window(project: Option<PathBuf>) -> anyhow::Result<()> {
    if cfg!(target_os = "linux") && !["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| is_set(name)) {
        anyhow::bail!(
            "there is no display to open the window on: neither DISPLAY nor WAYLAND_DISPLAY is set. \
             `frostline --help` lists what can be done without one"
        );
    }
    // What cannot be opened is told in the window: who clicks on a folder sees no terminal.
    crate::ui::launch(project).map_err(|error| anyhow::anyhow!("the window could not be opened: {error}"))
}

#[cfg(feature = "window")]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

#[cfg(not(feature = "window"))]
fn open_window(_project: Option<PathBuf>) -> anyhow::Result<()> {
    anyhow::bail!("this build of Frostline has no window. `frostline --help` lists what it can do")
}
