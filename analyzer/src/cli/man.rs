//! `pycore man`.

use super::args::{Arguments, ManArgs};
use super::output;
use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_mangen::Man;
use std::process::ExitCode;

/// Prints the manual page as roff, of the program or of one command.
///
/// # Errors
/// When there is no such command, or standard output cannot be written to.
pub(super) fn run(args: &ManArgs) -> Result<ExitCode> {
    let mut program = Arguments::command();
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => {
            program.find_subcommand(name).with_context(|| format!("there is no command `{name}`"))?.clone()
        }
    };
    output::stdout(|out, _| Man::new(command).render(out))?;
    Ok(ExitCode::SUCCESS)
}
