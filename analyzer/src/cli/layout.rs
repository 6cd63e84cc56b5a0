//! `pycore layout`: tables of offsets, from interpreters with debug information.

use super::output::stdout;
use crate::layout::check::{Comparison, compare};
use crate::layout::dwarf::{self, Interpreter};
use crate::layout::{Layout, LayoutRegistry, PackageLayout, Provenance, STRUCTS, Structs, overlay};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  pycore layout list
  pycore layout check libpython3.11.so.1.0
  pycore layout extract libpython3.11.so.1.0 --python 3.11.7 --unicode 14.0.0 -o own.yaml
  pycore analyze core.4711 --layout own.yaml

Exit codes:
  0  done; `check`: no differences
  1  `check`: the table differs
  2  a file could not be read, or the arguments were wrong";

/// Extract, check and show tables of where fields lie in CPython's structs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct LayoutArgs {
    #[command(subcommand)]
    command: LayoutCommand,
}

#[derive(Debug, Subcommand)]
enum LayoutCommand {
    /// List the built-in tables
    List,
    Show(ShowArgs),
    Extract(ExtractArgs),
    Check(CheckArgs),
}

/// Print a built-in table
#[derive(Debug, Args)]
struct ShowArgs {
    /// The table's name, as `pycore layout list` prints it
    name: String,
}

/// Make a table from the debug information of an interpreter built with -g
///
/// Give the file that holds the interpreter (libpython3.x.so, or a static python) and, for the types they define,
/// its extension modules such as _datetime, _decimal, array, _queue. Nothing is run.
#[derive(Debug, Args)]
struct ExtractArgs {
    /// The interpreter and extension modules, with debug information
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The interpreter's version, as `python --version` prints it
    #[arg(long, value_name = "X.Y.Z", value_parser = python_version)]
    python: (u8, u8, String),

    /// The interpreter's unicodedata.unidata_version
    #[arg(long, value_name = "X.Y.Z", required_unless_present_any = ["package", "base"])]
    unicode: Option<String>,

    /// The interpreter's opcode.opmap["PUSH_EXC_INFO"], from 3.11
    #[arg(long, value_name = "NUMBER")]
    push_exc_info: Option<u8>,

    /// Make the table of a package's structs instead
    #[arg(long, value_name = "PACKAGE=VERSION", value_parser = package_version, requires = "name")]
    package: Option<(String, String)>,

    /// Make a table for the machine of the files that has only what differs from this built-in one
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["package", "unicode", "push_exc_info"])]
    base: Option<String>,

    /// The table's name [default: cpython-X.Y-ABI; with --base, TABLE-MACHINE]
    #[arg(long)]
    name: Option<String>,

    /// What else is to be known of how the files were made
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    note: String,

    /// Where to write the table [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Compare a table with the debug information of an interpreter
///
/// Exits with 1 when they differ.
#[derive(Debug, Args)]
struct CheckArgs {
    /// The interpreter and extension modules, with debug information
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The built-in table to check [default: the one that differs least]
    #[arg(long, value_name = "NAME", conflicts_with = "layout")]
    table: Option<String>,

    /// A table of your own to check
    #[arg(long, value_name = "FILE")]
    layout: Option<PathBuf>,
}

fn python_version(text: &str) -> Result<(u8, u8, String), String> {
    let mut parts = text.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor, text.to_owned())),
        _ => Err("not a version such as 3.11.7".to_owned()),
    }
}

fn package_version(text: &str) -> Result<(String, String), String> {
    let (package, version) = text.split_once('=').ok_or("not of the form numpy=2.1.0")?;
    Ok((package.to_owned(), version.to_owned()))
}

/// Runs `pycore layout`.
///
/// # Errors
/// When files cannot be read or written, or hold no usable debug information.
pub(super) fn run(args: &LayoutArgs) -> Result<ExitCode> {
    match &args.command {
        LayoutCommand::List => list(),
        LayoutCommand::Show(args) => show(args),
        LayoutCommand::Extract(args) => extract(args),
        LayoutCommand::Check(args) => check(args),
    }
}

fn list() -> Result<ExitCode> {
    let registry = LayoutRegistry::new();
    stdout(|out, _| {
        for entry in registry.entries() {
            let (major, minor) = entry.target.python;
            let machine = entry.target.machine.map(|machine| format!(", {machine}")).unwrap_or_default();
            writeln!(out, "{}  CPython {major}.{minor}, {}{machine}", entry.name, entry.target.abi)?;
        }
        registry.packages().iter().try_for_each(|entry| writeln!(out, "{}  {}", entry.name, entry.package))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs) -> Result<ExitCode> {
    let registry = LayoutRegistry::new();
    let package = registry.packages().iter().find(|entry| entry.name == args.name);
    let yaml = match (registry.get(&args.name), package) {
        (Some(entry), _) => entry.layout()?.to_yaml(),
        (None, Some(entry)) => entry.layout()?.to_yaml(),
        (None, None) => bail!("no table {}; `pycore layout list` prints their names", args.name),
    };
    stdout(|out, _| out.write_all(yaml.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}

fn extract(args: &ExtractArgs) -> Result<ExitCode> {
    let (major, minor, version) = &args.python;
    let abi = dwarf::abi(args.files.first().context("no file is given")?)?;
    let name = args.name.clone().unwrap_or_else(|| format!("cpython-{major}.{minor}-{abi}"));
    let note = |provenance: &mut [Provenance]| {
        provenance.iter_mut().for_each(|file| file.note.clone_from(&args.note));
    };
    let (yaml, structs) = match (&args.package, &args.base) {
        (_, Some(base)) => {
            let machine = args.files.first().map(|file| dwarf::machine(file)).transpose()?;
            let machine = machine.context("no file is given")?;
            let name = args.name.clone().unwrap_or_else(|| format!("{base}-{machine}"));
            let (structs, mut provenance) = dwarf::structs(&args.files, version, None)?;
            note(&mut provenance);
            let layout = overlay(name, base, machine, &structs, provenance).map_err(anyhow::Error::msg)?;
            (layout.to_yaml(), structs)
        }
        (Some((package, package_version)), None) => {
            let mut layout = PackageLayout::new(name, package.clone(), package_version.clone());
            (layout.structs, layout.provenance) = dwarf::structs(&args.files, version, Some(package))?;
            layout.abi = abi;
            note(&mut layout.provenance);
            let yaml = layout.to_yaml();
            (yaml.clone(), PackageLayout::from_yaml(&yaml, "the extracted table")?.structs)
        }
        (None, None) => {
            let unicode = args.unicode.clone().unwrap_or_default();
            let interpreter =
                Interpreter { name, python: args.python.clone(), unicode, push_exc_info: args.push_exc_info };
            let mut layout = dwarf::extract(&args.files, &interpreter)?;
            note(&mut layout.provenance);
            let yaml = layout.to_yaml();
            (yaml.clone(), Layout::from_yaml(&yaml, "the extracted table")?.structs)
        }
    };
    let package = args.package.as_ref().map(|(package, _)| package.as_str());
    log::info!("not in these files: {}", absent(&structs, package).join(", "));
    match &args.output {
        Some(path) => std::fs::write(path, yaml).with_context(|| path.display().to_string())?,
        None => stdout(|out, _| out.write_all(yaml.as_bytes()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The structs and fields of the schema that have no place.
fn absent(structs: &Structs, package: Option<&str>) -> Vec<String> {
    let mut absent = Vec::new();
    for spec in STRUCTS.iter().filter(|spec| spec.package == package) {
        if structs.size(spec.name) == Some(0) {
            absent.push(spec.name.to_owned());
            continue;
        }
        let fields = spec.fields.iter().filter_map(|field| structs.field(spec.name, field.name));
        absent.extend(fields.filter(|field| !field.exists()).map(|field| field.name.to_owned()));
    }
    absent
}

fn check(args: &CheckArgs) -> Result<ExitCode> {
    let (found, _) = dwarf::structs(&args.files, "", None)?;
    let mut registry = LayoutRegistry::new();
    if let Some(path) = &args.layout {
        registry.add_file(path)?;
    }
    let chosen = match (&args.table, &args.layout) {
        (Some(name), _) => Some(name.as_str()),
        (None, Some(_)) => registry.entries().first().map(|entry| entry.name.as_str()),
        (None, None) => None,
    };
    let mut best: Option<(&str, Comparison)> = None;
    for entry in registry.entries().iter().filter(|entry| chosen.is_none_or(|name| name == entry.name)) {
        let comparison = compare(&entry.layout()?.structs, &found);
        if best.as_ref().is_none_or(|(_, best)| comparison.differences.len() < best.differences.len()) {
            best = Some((&entry.name, comparison));
        }
    }
    let Some((name, comparison)) = best else {
        bail!("no such table; `pycore layout list` prints their names");
    };
    let (compared, different) = (comparison.compared.len(), comparison.differences.len());
    stdout(|out, _| {
        for difference in &comparison.differences {
            writeln!(out, "{difference}")?;
        }
        if !comparison.undefined.is_empty() {
            writeln!(out, "not in these files: {}", comparison.undefined.join(", "))?;
        }
        writeln!(out, "{name}: {compared} structs compared, {different} differences")
    })?;
    Ok(if different == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
