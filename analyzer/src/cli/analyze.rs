//! `pycore analyze`.

use super::args::{AnalyzeArgs, Format};
use super::{options, output};
use crate::analysis;
use crate::render::{self, TextOptions};
use crate::report::Report;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// The report holds no Python stack.
const NOTHING_FOUND: u8 = 1;

/// Shows the report of a dump or a live process; the exit code says whether it holds Python stacks.
///
/// # Errors
/// When the core cannot be read or the report not be written.
pub(super) fn run(args: &AnalyzeArgs) -> Result<ExitCode> {
    let options = options::analyze(args)?;
    let mut report = match (args.subject.pid, &args.subject.core) {
        (Some(pid), _) => analysis::analyze_pid(pid, args.subject.nonblocking, &options)?,
        (None, Some(core)) => analysis::analyze(core, &options)?,
        (None, None) => bail!("give a dump, or a process with --pid"),
    };
    if !args.thread.is_empty() {
        report.threads.retain(|thread| thread.tid.is_some_and(|tid| args.thread.contains(&tid)));
    }
    output::write(&args.output, |out, face| match args.output.format {
        Format::Text => render::text(&report, out, TextOptions { colour: face.colour }),
        Format::Json => render::json(&report, out),
        Format::Yaml => render::yaml(&report, out, face.terminal),
    })?;
    Ok(exit_code(&report))
}

/// The exit code that says whether there are Python stacks.
pub(super) fn exit_code(report: &Report) -> ExitCode {
    if has_python_stack(report) { ExitCode::SUCCESS } else { ExitCode::from(NOTHING_FOUND) }
}

fn has_python_stack(report: &Report) -> bool {
    report.threads.iter().any(|thread| thread.python && !thread.frames.is_empty())
}
