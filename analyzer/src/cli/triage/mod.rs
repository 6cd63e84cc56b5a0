//! `pycore triage`.

mod args;
mod gather;
mod history;
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
        Some(TriageCommand::History(args)) => history::history(args),
        Some(TriageCommand::Regressions(args)) => history::regressions(args),
        Some(TriageCommand::Trend(args)) => history::trend(args),
        Some(TriageCommand::Fixed(args)) => history::fixed(args),
        None => sort(args),
    }
}

fn sort(args: &TriageArgs) -> Result<ExitCode> {
    outputs::check(args)?;
    let mut store = history::open(args)?;
    let Gathered { entries, dumps, complete, warnings } = gather::gather(args)?;
    let kept = if outputs::want_entries(args) { entries.clone() } else { Vec::new() };
    let mut triage =
        triage::group(entries, &GroupOptions { similar: !args.exact, ..GroupOptions::default() });
    triage.complete = complete;
    triage.warnings.extend(warnings);
    triage.totals.dumps = dumps;
    // What was found is shown even where it cannot be recorded.
    let recorded = store.as_mut().map_or(Ok(()), |store| history::record(args, store, &mut triage));
    outputs::write(args, &triage, &kept)?;
    recorded?;
    if !complete {
        let goes_on = if args.resume.is_some() { "; the same command goes on" } else { "" };
        let done = triage.totals.analyzed + triage.totals.failed;
        stderr::note(&format!("interrupted: {done} of {dumps} dumps were looked at{goes_on}"));
        return Ok(ExitCode::from(FAILED));
    }
    Ok(verdict::exit_code(&triage, args.fail_on))
}
