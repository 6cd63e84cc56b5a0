//! `pycore shrink`.

use super::args::ShrinkArgs;
use super::options;
use crate::analysis;
use anyhow::Result;
use std::process::ExitCode;

/// Writes a small core that gives the same report.
///
/// # Errors
/// When the core cannot be read or the small one not be written.
pub(super) fn run(args: &ShrinkArgs) -> Result<ExitCode> {
    let written = analysis::shrink(&args.input.core, &args.output, &options::shrink(args)?)?;
    log::info!("{} pages kept", written.pages);
    if written.unreadable > 0 {
        log::info!("{} pages are not at hand", written.unreadable);
    }
    Ok(ExitCode::SUCCESS)
}
