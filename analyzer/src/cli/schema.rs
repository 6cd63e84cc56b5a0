//! `pycore schema`.

use super::output;
use crate::render;
use crate::report::{Report, SCHEMA};
use anyhow::Result;
use schemars::generate::SchemaSettings;
use std::process::ExitCode;

/// Prints the JSON Schema of the report, made from its types.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn run() -> Result<ExitCode> {
    let mut schema =
        SchemaSettings::default().for_serialize().into_generator().into_root_schema_for::<Report>();
    schema.insert("title".to_owned(), SCHEMA.into());
    output::stdout(|out, _| render::json(&schema, out))?;
    Ok(ExitCode::SUCCESS)
}
