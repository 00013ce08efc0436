//! The program: it reads the arguments, has the work done, and turns the outcome into an exit code.

use std::process::ExitCode;

use frostline::cli;

/// 0 when it went well, 1 when it failed, 130 and 143 when Ctrl+C and SIGTERM ended it; a wrong command line ends in
/// the parser, with 2.
fn main() -> ExitCode {
    cli::threads::let_threads_sleep();
    match cli::run(cli::Args::of_command_line()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(&error);
            cli::exit_code_of_signal().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
