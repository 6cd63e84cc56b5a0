//! `pycore triage rules`.

use super::args::{RulesArgs, RulesCommand};
use crate::cli::output;
use crate::render;
use crate::triage::rules::{Rules, STARTER};
use anyhow::Result;
use std::process::ExitCode;

/// Checks rules, or prints what one writes them by.
///
/// # Errors
/// When the rules are wrong, or something cannot be read or written.
pub(super) fn run(args: &RulesArgs) -> Result<ExitCode> {
    match &args.command {
        RulesCommand::Check { file } => {
            let rules = Rules::read(file)?;
            output::stdout(|out, _| {
                writeln!(out, "{}: {} rules, nothing wrong", file.display(), rules.count())
            })?;
        }
        RulesCommand::Starter => output::stdout(|out, _| out.write_all(STARTER.as_bytes()))?,
        RulesCommand::Schema => {
            let mut schema = Rules::schema();
            schema.insert("title".to_owned(), "pycore.rules/1".into());
            output::stdout(|out, _| render::json(&schema, out))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
