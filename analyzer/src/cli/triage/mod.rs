//! `pycore triage`.

mod args;
mod baseline;
mod gather;
mod history;
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
        Some(TriageCommand::History(args)) => history::history(args),
        Some(TriageCommand::Regressions(args)) => history::regressions(args),
        Some(TriageCommand::Trend(args)) => history::trend(args),
        Some(TriageCommand::Fixed(args)) => history::fixed(args),
        None => sort(args),
    }
}

fn sort(args: &TriageArgs) -> Result<ExitCode> {
    outputs::check(args)?;
    let judges = Judges::read(&args.work, args.codeowners.as_deref(), args.baseline.as_deref())?;
    let mut store = history::open(&args.history)?;
    let mut recorded = Ok(());
    let (kept, triage) = groups(&args.work, &judges, outputs::want_entries(args), |triage| {
        if let Some(store) = &mut store {
            recorded = history::record(args, store, triage);
        }
    })?;
    outputs::write(args, &triage, &kept)?;
    // What was found is shown even where it cannot be recorded.
    recorded?;
    if !triage.complete {
        return Ok(interrupted(&args.work, &triage));
    }
    Ok(verdict::exit_code(&triage, args.fail_on))
}

/// What there is, in groups that were recorded and then judged; with `keep`, the entries as well.
fn groups(
    args: &WorkArgs,
    judges: &Judges,
    keep: bool,
    record: impl FnOnce(&mut Triage),
) -> Result<(Vec<Entry>, Triage)> {
    let Gathered { entries, dumps, complete, warnings } = gather::gather(args, judges.want_locals())?;
    let kept = if keep { entries.clone() } else { Vec::new() };
    let mut triage = triage::group(entries, &judges.grouping(!args.exact));
    triage.totals.dumps = dumps;
    triage.complete = complete;
    triage.warnings.extend(warnings);
    record(&mut triage);
    judges.judge(&mut triage);
    Ok((kept, triage))
}

fn interrupted(args: &WorkArgs, triage: &Triage) -> ExitCode {
    stderr::note(&format!(
        "interrupted: {} of {} dumps were looked at{}",
        triage.totals.analyzed + triage.totals.failed,
        triage.totals.dumps,
        if args.resume.is_some() { "; the same command goes on" } else { "" }
    ));
    ExitCode::from(FAILED)
}
