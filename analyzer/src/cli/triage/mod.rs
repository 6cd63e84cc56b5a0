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
    let gathered = gather::gather(args)?;
    let mut triage = triage::group(
        gathered.entries.clone(),
        &GroupOptions { similar: !args.exact, ..GroupOptions::default() },
    );
    triage.totals.dumps = gathered.dumps;
    triage.complete = gathered.complete;
    triage.warnings.extend(gathered.warnings);
    outputs::write(args, &triage, &gathered.entries)?;
    if !triage.complete {
        stderr::note(&format!(
            "interrupted: {} of {} dumps were looked at{}",
            triage.totals.analyzed + triage.totals.failed,
            triage.totals.dumps,
            if args.resume.is_some() { "; the same command goes on" } else { "" }
        ));
        return Ok(ExitCode::from(FAILED));
    }
    Ok(verdict::exit_code(&triage, args.fail_on))
}
