//! The meaning of the arguments: checked and turned into what the library takes.

use super::args::{AnalyzeArgs, DumpArgs, InfoArgs, InputArgs, ShrinkArgs};
use super::stderr;
use crate::analysis::AnalyzeOptions;
use crate::dump::FileSearch;
use crate::object::Limits;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// What `analyze` was asked for.
///
/// # Errors
/// When a path is not what its option needs.
pub(super) fn analyze(args: &AnalyzeArgs) -> Result<AnalyzeOptions> {
    directories("--source-root", &args.source_root)?;
    let values = &args.values;
    Ok(AnalyzeOptions {
        locals: values.locals,
        tasks: args.tasks,
        limits: Limits {
            depth: usize::from(values.depth),
            max_items: values.max_items as usize,
            max_string: values.max_string as usize,
        },
        redact: args.redact.redact,
        source_root: args.source_root.clone(),
        ..input(&args.input, args.subject.core.as_deref(), args.output.output.as_deref())?
    })
}

/// What `dump` was asked for: values on one line each.
///
/// # Errors
/// When a path is not what its option needs.
pub(super) fn dump(args: &DumpArgs) -> Result<AnalyzeOptions> {
    file("--layout", args.layout.as_deref())?;
    Ok(AnalyzeOptions {
        files: FileSearch::default(),
        layout: args.layout.clone(),
        locals: args.locals,
        tasks: false,
        limits: Limits { depth: 0, max_items: 10, max_string: 100 },
        redact: args.redact.redact,
        source_root: Vec::new(),
    })
}

/// What `info` was asked for.
///
/// # Errors
/// When a path is not what its option needs.
pub(super) fn info(args: &InfoArgs) -> Result<AnalyzeOptions> {
    input(&args.input, Some(&args.core), args.output.output.as_deref())
}

/// What `shrink` was asked for.
///
/// # Errors
/// When a path is not what its option needs.
pub(super) fn shrink(args: &ShrinkArgs) -> Result<AnalyzeOptions> {
    Ok(AnalyzeOptions {
        redact: args.redact.redact,
        ..input(&args.input, Some(&args.core), Some(&args.output))?
    })
}

/// What `triage` was asked for: reports of which entries are made, of each dump.
///
/// # Errors
/// When a path is not what its option needs.
pub(super) fn triage(args: &InputArgs, redact: bool) -> Result<AnalyzeOptions> {
    Ok(AnalyzeOptions { redact, ..input(args, None, None)? })
}

/// What every command that reads a core is asked: a report without values.
fn input(input: &InputArgs, dump: Option<&Path>, output: Option<&Path>) -> Result<AnalyzeOptions> {
    file("--exe", input.exe.as_deref())?;
    file("--layout", input.layout.as_deref())?;
    directories("--sysroot", &input.sysroot)?;
    if let Some(path) = input.lib_path.iter().find(|path| !path.exists()) {
        bail!("--lib-path {}: no such file or directory", path.display());
    }
    if let (Some(path), Some(dump)) = (output, dump)
        && is_same_file(path, dump)
    {
        bail!("--output {} would overwrite the core; give another file", path.display());
    }
    Ok(AnalyzeOptions {
        files: FileSearch {
            exe: input.exe.clone(),
            sysroots: input.sysroot.clone(),
            lib_paths: input.lib_path.clone(),
            none: input.no_files,
            unpack_limit: input.unpack_limit,
            progress: stderr::progress(),
        },
        layout: input.layout.clone(),
        locals: false,
        tasks: false,
        limits: Limits { depth: 0, max_items: 0, max_string: 0 },
        redact: false,
        source_root: Vec::new(),
    })
}

fn file(option: &str, path: Option<&Path>) -> Result<()> {
    match path {
        Some(path) if path.is_dir() => bail!("{option} {} is a directory; give a file", path.display()),
        Some(path) if !path.exists() => bail!("{option} {}: no such file", path.display()),
        _ => Ok(()),
    }
}

fn directories(option: &str, paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        if !path.exists() {
            bail!("{option} {}: no such directory", path.display());
        }
        if !path.is_dir() {
            bail!("{option} {} is a file; give a directory", path.display());
        }
    }
    Ok(())
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
