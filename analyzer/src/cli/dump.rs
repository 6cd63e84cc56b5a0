//! `pycore dump`.

use super::args::{DumpArgs, Format};
use super::{analyze, options, output};
use crate::analysis;
use crate::render::{self, TextOptions};
use anyhow::Result;
use std::process::ExitCode;

/// Shows where a live process is; the exit code says whether there are Python stacks.
///
/// # Errors
/// When the process cannot be looked into or the result not be written.
pub(super) fn run(args: &DumpArgs) -> Result<ExitCode> {
    let report = analysis::analyze_pid(args.pid, args.nonblocking, &options::dump(args)?)?;
    output::write(&args.output, |out, face| match args.output.format {
        Format::Text => render::brief_text(&report, out, TextOptions { colour: face.colour }),
        Format::Json => render::json(&report, out),
        Format::Yaml => render::yaml(&report, out, face.terminal),
    })?;
    Ok(analyze::exit_code(&report))
}
