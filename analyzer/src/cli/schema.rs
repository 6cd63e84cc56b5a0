//! `pycore schema`.

use super::output;
use crate::render;
use crate::report::{Report, SCHEMA};
use anyhow::Result;
use std::process::ExitCode;

/// Prints the JSON Schema of the report, made from its types.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn run() -> Result<ExitCode> {
    let mut schema = schemars::schema_for!(Report);
    schema.insert("title".to_owned(), SCHEMA.into());
    output::stdout(|out, _| render::json(&schema, out))?;
    Ok(ExitCode::SUCCESS)
}
