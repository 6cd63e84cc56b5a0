//! `pycore triage baseline`.

use super::args::{BaselineArgs, BaselineCommand, BaselineUpdateArgs};
use super::judges::{Judges, today};
use super::{groups, interrupted};
use crate::cli::output;
use crate::render::sanitize::line;
use crate::triage::baseline::{Baseline, BaselineError};
use anyhow::{Context as _, Result};
use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Updates or shows a baseline.
///
/// # Errors
/// When something that is named cannot be read or written.
pub(super) fn run(args: &BaselineArgs) -> Result<ExitCode> {
    match &args.command {
        BaselineCommand::Update(args) => update(args),
        BaselineCommand::Show { baseline } => show(baseline),
    }
}

fn update(args: &BaselineUpdateArgs) -> Result<ExitCode> {
    let path = &args.baseline;
    let before = match Baseline::read(path) {
        Err(BaselineError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Baseline::default(),
        read => read.with_context(|| format!("cannot use the baseline {}", path.display()))?,
    };
    let judges = Judges::read(&args.work, None, None)?;
    let (_, triage) = groups(&args.work, &judges, false, |_| {})?;
    if !triage.complete {
        return Ok(interrupted(&args.work, &triage));
    }
    let after = before.updated(&triage, today(), args.prune);
    after.write(path).with_context(|| format!("cannot write {}", path.display()))?;
    let ids =
        |baseline: &Baseline| baseline.groups().iter().map(|known| known.id.clone()).collect::<HashSet<_>>();
    let (old, new) = (ids(&before), ids(&after));
    output::stdout(|out, _| {
        let (added, dropped) = (new.difference(&old).count(), old.difference(&new).count());
        writeln!(
            out,
            "{}: {} groups are known, {added} of them added; {dropped} dropped",
            path.display(),
            new.len()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(path: &Path) -> Result<ExitCode> {
    let baseline =
        Baseline::read(path).with_context(|| format!("cannot use the baseline {}", path.display()))?;
    output::stdout(|out, _| {
        for known in baseline.groups() {
            let since =
                known.since.as_deref().map_or_else(|| " ".repeat(10), |since| line(since).to_string());
            writeln!(out, "{}  {since}  {}", line(&known.id), line(&known.title))?;
            if let Some(note) = &known.note {
                writeln!(out, "    {}", line(note))?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}
