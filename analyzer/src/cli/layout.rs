//! `pycore layout`: tables of offsets, from interpreters with debug information.

use crate::layout::dwarf::{self, Interpreter};
use crate::layout::{Layout, STRUCTS};
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Extract, check and show tables of where fields lie in CPython's structs
#[derive(Debug, Args)]
pub struct LayoutArgs {
    #[command(subcommand)]
    command: LayoutCommand,
}

#[derive(Debug, Subcommand)]
enum LayoutCommand {
    Extract(ExtractArgs),
}

/// Make a table from the debug information of an interpreter built with -g
///
/// Give the file that holds the interpreter (libpython3.x.so, or a static python) and, for the types they define,
/// extension modules such as _datetime, _decimal, array, _queue. Nothing is run.
#[derive(Debug, Args)]
struct ExtractArgs {
    /// The interpreter and extension modules, with debug information
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The interpreter's version, as `python --version` prints it
    #[arg(long, value_name = "X.Y.Z", value_parser = python_version)]
    python: (u8, u8, String),

    /// The interpreter's unicodedata.unidata_version
    #[arg(long, value_name = "X.Y.Z")]
    unicode: String,

    /// The table's name [default: cpython-X.Y-lp64]
    #[arg(long)]
    name: Option<String>,

    /// Where to write the table [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn python_version(text: &str) -> Result<(u8, u8, String), String> {
    let mut parts = text.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor, text.to_owned())),
        _ => Err("not a version such as 3.11.7".to_owned()),
    }
}

/// Runs `pycore layout`.
///
/// # Errors
/// When files cannot be read or written, or hold no usable debug information.
pub fn run(args: &LayoutArgs) -> Result<ExitCode> {
    match &args.command {
        LayoutCommand::Extract(args) => extract(args),
    }
}

fn extract(args: &ExtractArgs) -> Result<ExitCode> {
    let (major, minor, _) = args.python;
    let interpreter = Interpreter {
        name: args.name.clone().unwrap_or_else(|| format!("cpython-{major}.{minor}-lp64")),
        python: args.python.clone(),
        unicode: args.unicode.clone(),
    };
    let layout = dwarf::extract(&args.files, &interpreter)?;
    let absent = absent_fields(&layout);
    log::info!("{} has no {}", layout.name, absent.join(", "));
    let yaml = layout.to_yaml();
    Layout::from_yaml(&yaml, "the extracted table")?;
    match &args.output {
        Some(path) => std::fs::write(path, yaml).with_context(|| path.display().to_string())?,
        None => io::stdout().lock().write_all(yaml.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn absent_fields(layout: &Layout) -> Vec<String> {
    let mut absent = Vec::new();
    for spec in STRUCTS {
        if layout.structs.size(spec.name) == Some(0) {
            absent.push(spec.name.to_owned());
            continue;
        }
        for field in spec.fields {
            if layout.structs.field(spec.name, field.name).is_some_and(|field| !field.exists()) {
                absent.push(format!("{}.{}", spec.name, field.name));
            }
        }
    }
    absent
}
