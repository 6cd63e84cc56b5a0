//! `pycore completions`.

use super::args::{Arguments, CompletionsArgs};
use super::output;
use anyhow::Result;
use clap::CommandFactory as _;
use std::process::ExitCode;

/// Prints the completion script of a shell.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "pycore", &mut script);
    output::stdout(|out, _| out.write_all(&script))?;
    Ok(ExitCode::SUCCESS)
}
