//! Analyzing a core whole, and comparing the report with the truth.

use crate::compare::{Comparison, compare};
use crate::program;
use crate::truth::Truth;
use std::path::Path;
use std::time::Duration;

/// The arguments after which a report is cut nowhere.
pub const WHOLE: [&str; 10] = [
    "--format",
    "json",
    "--locals",
    "--tasks",
    "--depth",
    "20",
    "--max-items",
    "100000",
    "--max-string",
    "1000000",
];

/// Runs `pycore analyze` on a core, with `more` arguments, and compares the report with the truth beside it.
///
/// # Errors
/// The truth cannot be read, pycore fails, or what it prints is not JSON.
pub fn analyze_and_compare(core: &Path, truth: &Path, more: &[String]) -> Result<Comparison, String> {
    let path = core.display().to_string();
    analyze_this_and_compare(&[&path], truth, more)
}

/// As [`analyze_and_compare`], of what `this` names: a core, or `--pid` and a process.
///
/// # Errors
/// The truth cannot be read, pycore fails, or what it prints is not JSON.
pub fn analyze_this_and_compare(this: &[&str], truth: &Path, more: &[String]) -> Result<Comparison, String> {
    let truth = Truth::read(truth)?;
    let mut arguments = vec!["analyze"];
    arguments.extend(this);
    arguments.extend(WHOLE);
    arguments.extend(more.iter().map(String::as_str));
    let run = program::run(&arguments, Duration::from_secs(60))?;
    if run.status.code() != Some(0) {
        return Err(format!("pycore {}: {}\n{}", arguments.join(" "), run.status, run.stderr));
    }
    let report = serde_json::from_slice(&run.stdout).map_err(|error| format!("not JSON: {error}"))?;
    Ok(compare(&truth, &report))
}
