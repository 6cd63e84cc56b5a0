//! `pycore triage`.

mod args;
mod gather;
mod outputs;
mod progress;
mod verdict;
mod worker;

pub(super) use args::TriageArgs;

use super::{FAILED, stderr};
use crate::triage::{self, GroupOptions};
use anyhow::Result;
use args::TriageCommand;
use gather::Gathered;
use std::process::ExitCode;

/// Sorts dumps into groups; the exit code says whether any is new.
///
/// # Errors
/// When something is named that cannot be read or written, or the arguments make no sense.
pub(super) fn run(args: &TriageArgs) -> Result<ExitCode> {
    match &args.command {
        Some(TriageCommand::Worker(args)) => worker::run(args),
        None => sort(args),
    }
}

fn sort(args: &TriageArgs) -> Result<ExitCode> {
    outputs::check(args)?;
    let Gathered { entries, dumps, complete, warnings } = gather::gather(args)?;
    let kept = if outputs::want_entries(args) { entries.clone() } else { Vec::new() };
    let mut triage =
        triage::group(entries, &GroupOptions { similar: !args.exact, ..GroupOptions::default() });
    triage.complete = complete;
    triage.warnings.extend(warnings);
    triage.totals.dumps = dumps;
    outputs::write(args, &triage, &kept)?;
    if !complete {
        let goes_on = if args.resume.is_some() { "; the same command goes on" } else { "" };
        let done = triage.totals.analyzed + triage.totals.failed;
        stderr::note(&format!("interrupted: {done} of {dumps} dumps were looked at{goes_on}"));
        return Ok(ExitCode::from(FAILED));
    }
    Ok(verdict::exit_code(&triage, args.fail_on))
}
