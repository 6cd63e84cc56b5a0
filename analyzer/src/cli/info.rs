//! `pycore info`.

use super::args::{Format, InfoArgs};
use super::{options, output};
use crate::analysis;
use crate::render::{self, TextOptions};
use anyhow::Result;
use std::process::ExitCode;

/// Says what a core is.
///
/// # Errors
/// When the core cannot be read or the result not be written.
pub(super) fn run(args: &InfoArgs) -> Result<ExitCode> {
    let info = analysis::info(&args.core, &options::info(args)?)?;
    output::write(&args.output, |out, face| match args.output.format {
        Format::Text => render::info_text(&info, out, TextOptions { colour: face.colour }),
        Format::Json => render::json(&info, out),
        Format::Yaml => render::yaml(&info, out, face.terminal),
    })?;
    Ok(ExitCode::SUCCESS)
}
