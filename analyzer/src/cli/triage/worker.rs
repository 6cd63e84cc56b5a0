//! A process that analyzes dumps for `pycore triage`.

use super::args::{WorkArgs, WorkerArgs};
use crate::batch;
use crate::cli::args::InputArgs;
use crate::cli::{crash, options};
use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Analyzes the dumps that standard input names, until it ends.
///
/// # Errors
/// When standard input cannot be read or standard output not be written.
pub(super) fn run(args: &WorkerArgs) -> Result<ExitCode> {
    let mut options = options::triage(&args.input, !args.no_redact)?;
    options.locals = args.locals;
    batch::serve(args.memory, |path| {
        crash::catching(|| Ok(batch::entry_of(path, &options))).map_err(|bug| bug.to_string())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The arguments that start a worker which may use `memory` bytes.
pub(super) fn arguments(args: &WorkArgs, memory: u64, locals: bool) -> Vec<OsString> {
    let InputArgs { unpack_limit, exe, sysroot, lib_path, no_files, layout } = &args.input;
    let mut arguments: Vec<OsString> = ["triage", "__worker"].map(OsString::from).to_vec();
    let mut with = |option: &str, value: &Path| {
        arguments.extend([option.into(), value.into()]);
    };
    exe.iter().for_each(|path| with("--exe", path));
    sysroot.iter().for_each(|path| with("--sysroot", path));
    lib_path.iter().for_each(|path| with("--lib-path", path));
    layout.iter().for_each(|path| with("--layout", path));
    with("--memory", Path::new(&memory.to_string()));
    if let Some(limit) = unpack_limit {
        with("--unpack-limit", Path::new(&limit.to_string()));
    }
    if *no_files {
        arguments.push("--no-files".into());
    }
    if args.no_redact {
        arguments.push("--no-redact".into());
    }
    if locals {
        arguments.push("--locals".into());
    }
    arguments
}
