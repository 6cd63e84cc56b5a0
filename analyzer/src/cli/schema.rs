//! `pycore schema`.

use super::args::{SchemaArgs, SchemaOf};
use super::output;
use crate::render;
use crate::report::{
    ENTRY_SCHEMA, Entry, HISTORY_SCHEMA, HistoryAnswer, PROFILE_SCHEMA, Profile, Report, SCHEMA,
    TRIAGE_SCHEMA, Triage,
};
use anyhow::Result;
use schemars::generate::SchemaSettings;
use std::process::ExitCode;

/// Prints the JSON Schema of a report, a profile, or what triage writes, made from its types.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode> {
    let generator = SchemaSettings::default().for_serialize().into_generator();
    let (mut schema, title) = match args.of {
        SchemaOf::Report => (generator.into_root_schema_for::<Report>(), SCHEMA),
        SchemaOf::Profile => (generator.into_root_schema_for::<Profile>(), PROFILE_SCHEMA),
        SchemaOf::Triage => (generator.into_root_schema_for::<Triage>(), TRIAGE_SCHEMA),
        SchemaOf::Entry => (generator.into_root_schema_for::<Entry>(), ENTRY_SCHEMA),
        SchemaOf::History => (generator.into_root_schema_for::<HistoryAnswer>(), HISTORY_SCHEMA),
    };
    schema.insert("title".to_owned(), title.into());
    output::stdout(|out, _| render::json(&schema, out))?;
    Ok(ExitCode::SUCCESS)
}
