//! What is written, and where.

use super::args::{TriageArgs, TriageFormat};
use crate::cli::output::{self, Face};
use crate::render;
use crate::report::{Entry, Triage};
use anyhow::{Result, bail};
use std::io::{self, Write};
use std::path::Path;

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

/// Writes all outputs.
///
/// # Errors
/// When one cannot be written.
pub(super) fn write(args: &TriageArgs, triage: &Triage, entries: &[Entry]) -> Result<()> {
    for place in &args.output {
        if place.format == TriageFormat::Html {
            site(triage, &place.path)?;
        } else {
            output::to(Some(&place.path), |out, face| one(place.format, triage, entries, out, face))?;
        }
    }
    output::stdout(|out, face| one(args.format, triage, entries, out, face))
}

fn one(
    format: TriageFormat,
    triage: &Triage,
    entries: &[Entry],
    out: &mut dyn Write,
    _face: Face,
) -> io::Result<()> {
    match format {
        TriageFormat::Text => {
            for group in &triage.groups {
                writeln!(out, "{:5} {}", group.count, group.title)?;
            }
            Ok(())
        }
        TriageFormat::Json => render::json(triage, out),
        TriageFormat::Ndjson => {
            entries.iter().try_for_each(|entry| writeln!(out, "{}", render::compact_json(entry)))
        }
        TriageFormat::Junit
        | TriageFormat::Sarif
        | TriageFormat::Github
        | TriageFormat::Markdown
        | TriageFormat::Html => Err(io::Error::other("this format is not there yet")),
    }
}

fn site(_triage: &Triage, _folder: &Path) -> Result<()> {
    bail!("this format is not there yet")
}
