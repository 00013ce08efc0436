//! The program: it reads the arguments, has the work done, and turns the outcome into an exit code.

use std::process::ExitCode;

use frostline::cli;
use frostline::files::guard;

/// 0 when it went well, 1 when it failed, 130 and 143 when Ctrl+C and SIGTERM ended it; a wrong command line ends in
/// the parser, with 2.
fn main() -> ExitCode {
    cli::openmp::let_threads_sleep();
    let args = cli::Args::of_command_line();
    match guard::last_resort(|| cli::run(args)).unwrap_or_else(|panic| Err(cli::fault(&panic))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(&error);
            cli::exit_code_of_signal().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
