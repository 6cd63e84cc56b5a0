//! What is written, and where.

use super::args::{TriageArgs, TriageFormat};
use crate::cli::output::{self, Face};
use crate::render;
use crate::render::triage::TriageOptions;
use crate::report::{Entry, Triage};
use anyhow::{Context as _, Result, bail};
use std::io::{self, Write};

/// Sees before any work is done whether the outputs can be written.
///
/// # Errors
/// When one cannot.
pub(super) fn check(args: &TriageArgs) -> Result<()> {
    if args.format == TriageFormat::Html {
        bail!("a site is a folder of files; give one with -o html=FOLDER");
    }
    for place in &args.output {
        if let Some(folder) = place.path.parent()
            && !folder.as_os_str().is_empty()
            && !folder.is_dir()
        {
            bail!("cannot write {}: there is no such folder", place.path.display());
        }
    }
    Ok(())
}

/// Whether any output is made of entries.
pub(super) fn want_entries(args: &TriageArgs) -> bool {
    args.format == TriageFormat::Ndjson
        || args.output.iter().any(|place| place.format == TriageFormat::Ndjson)
}

/// Writes all outputs.
///
/// # Errors
/// When one cannot be written.
pub(super) fn write(args: &TriageArgs, triage: &Triage, entries: &[Entry]) -> Result<()> {
    for place in &args.output {
        if place.format == TriageFormat::Html {
            let options = TriageOptions { source_roots: source_roots(), ..TriageOptions::default() };
            render::triage::html(triage, &options, &place.path)
                .with_context(|| format!("cannot write {}", place.path.display()))?;
        } else {
            output::to(Some(&place.path), |out, face| {
                one(place.format, triage, entries, &options(args, face), out)
            })?;
        }
    }
    output::stdout(|out, face| one(args.format, triage, entries, &options(args, face), out))
}

fn options(args: &TriageArgs, face: Face) -> TriageOptions {
    TriageOptions { colour: face.colour, explain: args.explain, source_roots: source_roots() }
}

/// The folders below which a code host knows files by their paths: the checkout, as CI servers tell it.
fn source_roots() -> Vec<String> {
    const TOLD_BY: [&str; 2] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"];
    let here = std::env::current_dir().ok().and_then(|folder| folder.into_os_string().into_string().ok());
    TOLD_BY.iter().filter_map(|name| std::env::var(name).ok()).chain(here).collect()
}

fn one(
    format: TriageFormat,
    triage: &Triage,
    entries: &[Entry],
    options: &TriageOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    match format {
        TriageFormat::Text => render::triage::text(triage, options, out),
        TriageFormat::Json => render::triage::json(triage, out),
        TriageFormat::Ndjson => render::triage::ndjson(entries, out),
        TriageFormat::Junit => render::triage::junit(triage, options, out),
        TriageFormat::Sarif => render::triage::sarif(triage, options, out),
        TriageFormat::Github => render::triage::github(triage, options, out),
        TriageFormat::Markdown => render::triage::markdown(triage, options, out),
        TriageFormat::Html => Err(io::Error::other("a site is a folder of files")),
    }
}
