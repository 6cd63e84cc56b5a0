//! `pycore triage`.

mod args;
mod baseline;
mod gather;
mod judges;
mod outputs;
mod progress;
mod rules;
mod verdict;
mod worker;

pub(super) use args::TriageArgs;

use super::{FAILED, stderr};
use crate::report::{Entry, Triage};
use crate::triage;
use anyhow::Result;
use args::{TriageCommand, WorkArgs};
use gather::Gathered;
use judges::Judges;
use std::process::ExitCode;

/// Sorts dumps into groups; the exit code says whether any is new.
///
/// # Errors
/// When something is named that cannot be read or written, or the arguments make no sense.
pub(super) fn run(args: &TriageArgs) -> Result<ExitCode> {
    match &args.command {
        Some(TriageCommand::Baseline(args)) => baseline::run(args),
        Some(TriageCommand::Rules(args)) => rules::run(args),
        Some(TriageCommand::Worker(args)) => worker::run(args),
        None => sort(args),
    }
}

fn sort(args: &TriageArgs) -> Result<ExitCode> {
    outputs::check(args)?;
    let judges = Judges::read(&args.work, args.codeowners.as_deref(), args.baseline.as_deref())?;
    let (triage, entries) = groups(&args.work, &judges, outputs::want_entries(args))?;
    outputs::write(args, &triage, &entries)?;
    if !triage.complete {
        return Ok(interrupted(&args.work, &triage));
    }
    Ok(verdict::exit_code(&triage, args.fail_on))
}

/// What there is, in groups that were judged, and, where they are asked for, the entries that they were made of.
fn groups(args: &WorkArgs, judges: &Judges, with_entries: bool) -> Result<(Triage, Vec<Entry>)> {
    let Gathered { entries, dumps, complete, warnings } = gather::gather(args, judges.want_locals())?;
    let kept = if with_entries { entries.clone() } else { Vec::new() };
    let mut triage = triage::group(entries, &judges.grouping(!args.exact));
    judges.judge(&mut triage);
    triage.complete = complete;
    triage.warnings.extend(warnings);
    triage.totals.dumps = dumps;
    Ok((triage, kept))
}

fn interrupted(args: &WorkArgs, triage: &Triage) -> ExitCode {
    let goes_on = if args.resume.is_some() { "; the same command goes on" } else { "" };
    let (done, dumps) = (triage.totals.analyzed + triage.totals.failed, triage.totals.dumps);
    stderr::note(&format!("interrupted: {done} of {dumps} dumps were looked at{goes_on}"));
    ExitCode::from(FAILED)
}
