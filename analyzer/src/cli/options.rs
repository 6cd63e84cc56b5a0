//! The meaning of the arguments: checked and turned into what the library takes.

use super::args::{AnalyzeArgs, InfoArgs, InputArgs, OutputArgs};
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
    check(&args.input, &args.output)?;
    let values = &args.values;
    Ok(AnalyzeOptions {
        files: files(&args.input),
        layout: args.input.layout.clone(),
        locals: values.locals,
        limits: Limits {
            depth: usize::from(values.depth),
            max_items: values.max_items as usize,
            max_string: values.max_string as usize,
        },
        source_root: args.source_root.clone(),
    })
}

/// What `info` was asked for.
///
/// # Errors
/// When a path is not what its option needs.
pub(super) fn info(args: &InfoArgs) -> Result<AnalyzeOptions> {
    check(&args.input, &args.output)?;
    Ok(AnalyzeOptions {
        files: files(&args.input),
        layout: args.input.layout.clone(),
        locals: false,
        limits: Limits { depth: 0, max_items: 0, max_string: 0 },
        source_root: Vec::new(),
    })
}

fn files(input: &InputArgs) -> FileSearch {
    FileSearch {
        exe: input.exe.clone(),
        sysroots: input.sysroot.clone(),
        lib_paths: input.lib_path.clone(),
        ..FileSearch::default()
    }
}

fn check(input: &InputArgs, output: &OutputArgs) -> Result<()> {
    file("--exe", input.exe.as_deref())?;
    file("--layout", input.layout.as_deref())?;
    directories("--sysroot", &input.sysroot)?;
    directories("--lib-path", &input.lib_path)?;
    if let Some(path) = &output.output
        && is_same_file(path, &input.core)
    {
        bail!("--output {} would overwrite the core; give another file", path.display());
    }
    Ok(())
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
