//! The program: it reads the arguments, has the work done, and turns the outcome into an exit code.

use std::process::ExitCode;

use clap::Parser;
use frostline::cli;

/// 0 when it went well, 1 when it failed; a wrong command line ends in the parser, with 2.
fn main() -> ExitCode {
    cli::threads::let_threads_sleep();
    match cli::run(cli::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(&error);
            ExitCode::FAILURE
        }
    }
}
