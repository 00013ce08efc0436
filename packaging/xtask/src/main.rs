//! `cargo xtask`: everything between a fresh clone and a running, tested program.
//!
//! It is built before libtorch is there, so it knows nothing of the main package and shares no code with it.
//! Each subcommand is a module; the modules below them each own one thing: `pins` what is downloaded,
//! `wheels` the download, `unpack` what is kept of it, `stamp` whether that is complete, `place` how it gets
//! into the checkout, `needs` what the system has to offer.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a terminal tool talks on the terminal")]

mod bench;
mod deny;
mod disk;
mod fuzz;
mod needs;
mod package;
mod peers;
mod pins;
mod place;
mod platform;
mod progress;
mod python;
mod run;
mod screenshots;
mod setup;
mod stamp;
mod steps;
mod test;
mod unpack;
mod wheels;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::needs::Consent;
use crate::workspace::Workspace;

/// Frostline's own commands: set up, run, test, measure, fuzz, take pictures.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    /// Install missing system packages without asking; as root on Debian and Ubuntu
    #[arg(long, short, global = true)]
    yes: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put libtorch into .libtorch and the default model into .models
    Setup(setup::Options),
    /// Build and start Frostline, with setup first where that is needed
    Run(run::Options),
    /// Every check and every test, with setup first where that is needed
    Test(test::Options),
    /// Measure Frostline beside its Python peers, with setup first where that is needed
    ///
    /// The peers are installed into .venv with Python 3.11 or newer: 0.7 GB to download, 2.1 GB on the disk. The
    /// CUDA libraries that torch asks for are not among them. A full run takes about an hour on 2 cores.
    Bench(bench::Options),
    /// Look for inputs that make a reader of files panic, with setup first where that is needed
    ///
    /// Every target, one after the other, each for 60 seconds unless --seconds says otherwise, after a
    /// build of some minutes. An input that is found is kept in .fuzz/found/TARGET; what was learnt about inputs stays
    /// in .fuzz/corpus and is where the next run goes on.
    Fuzz(fuzz::Options),
    /// Put the program and all it needs into a folder of dist, with setup first where that is needed
    ///
    /// The program in it knows of no folder of this machine: that is checked before anything is packed.
    Package(package::Options),
    /// Take pictures of the real program at work, with setup first where that is needed
    ///
    /// Every page in both looks and several sizes, empty and on the demo, which is trained for it.
    Screenshots(screenshots::Options),
}

fn main() -> ExitCode {
    if let Some(outcome) = fuzz::as_compiler() {
        return outcome;
    }
    let cli = Cli::parse();
    let outcome = Workspace::find(Consent::new(cli.yes)).and_then(|workspace| match cli.command {
        Command::Setup(options) => setup::command(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Command::Run(options) => run::command(&workspace, &options),
        Command::Test(options) => test::command(&workspace, &options),
        Command::Bench(options) => bench::command(&workspace, &options),
        Command::Fuzz(options) => fuzz::command(&workspace, &options),
        Command::Package(options) => package::command(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Command::Screenshots(options) => screenshots::command(&workspace, &options),
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
