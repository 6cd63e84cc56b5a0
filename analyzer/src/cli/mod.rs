//! The command line: arguments, one file per command, exit codes.
//!
//! Standard output gets results and nothing else; everything said about them goes to standard error.

mod analyze;
mod args;
mod completions;
mod crash;
mod dump;
mod info;
pub mod layout;
mod man;
mod options;
mod output;
mod plugin;
mod sample;
mod schema;
mod shrink;
mod stderr;
mod triage;

use args::{Arguments, Command};
use clap::Parser as _;
use std::process::ExitCode;

/// The input could not be read, or the arguments were wrong.
const FAILED: u8 = 2;

/// Runs the program on its arguments.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    stderr::set_up(&arguments.global);
    crate::dump::explain_shortened_files();
    crash::catching(|| run(&arguments)).unwrap_or_else(|error| {
        stderr::error(&error);
        ExitCode::from(FAILED)
    })
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Analyze(args) => analyze::run(args),
        Command::Dump(args) => dump::run(args),
        Command::Info(args) => info::run(args),
        Command::Shrink(args) => shrink::run(args),
        Command::Layout(args) => layout::run(args),
        Command::Plugin(args) => plugin::run(args),
        Command::Sample(args) => sample::run(args),
        Command::Triage(args) => triage::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
    }
}

/// Prints help, the version, or what is wrong with the arguments.
fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILED)),
        Err(_) if error.use_stderr() => ExitCode::from(FAILED),
        Err(_) => ExitCode::SUCCESS,
    }
}
