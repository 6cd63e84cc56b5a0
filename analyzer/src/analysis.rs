//! Stand-in for the lead's entry to the library; dropped when that lands.

use crate::report::{Info, Report};
use std::path::{Path, PathBuf};

/// Where to look for the files that the dump names.
#[derive(Clone, Debug, Default)]
pub struct FileSearch {
    /// The main program.
    pub exe: Option<PathBuf>,
    /// Directories that hold the target's file tree.
    pub sysroots: Vec<PathBuf>,
    /// Directories that hold libraries.
    pub lib_paths: Vec<PathBuf>,
}

/// How much of values is shown.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Levels of nesting.
    pub depth: usize,
    /// Items of a container.
    pub max_items: usize,
    /// Characters of a string.
    pub max_string: usize,
}

/// What to analyze, and how.
#[derive(Clone, Debug)]
pub struct AnalyzeOptions {
    /// Where to look for files.
    pub files: FileSearch,
    /// A layout table of the user's own.
    pub layout: Option<PathBuf>,
    /// Whether to read locals.
    pub locals: bool,
    /// How much of values is shown.
    pub limits: Limits,
    /// Where sources are.
    pub source_root: Vec<PathBuf>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[error("{0}: reading dumps is not built yet")]
pub struct AnalyzeError(String);

/// Reads a dump.
///
/// # Errors
/// Always.
pub fn analyze(path: &Path, _: &AnalyzeOptions) -> Result<Report, AnalyzeError> {
    Err(AnalyzeError(path.display().to_string()))
}

/// Says what a dump is.
///
/// # Errors
/// Always.
pub fn info(path: &Path, _: &AnalyzeOptions) -> Result<Info, AnalyzeError> {
    Err(AnalyzeError(path.display().to_string()))
}
