//! From one dump to its entry.

use crate::analysis::{self, AnalyzeError, AnalyzeOptions};
use crate::dump::{Dump, OpenProblem, rfc3339};
use crate::render::{self, TextOptions};
use crate::report::{ENTRY_SCHEMA, Entry, Failure, FailureKind, Outcome, Report};
use crate::triage;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Instant, UNIX_EPOCH};

/// The most of a report's text that an entry keeps, in bytes.
const MAX_TEXT: usize = 8 << 10;

/// What is said of a dump that the memory does not suffice for.
pub(super) const NO_MEMORY: &str = "needs more memory than one dump may use; allow more with --max-memory";

/// Analyzes the dump at `path`. That it cannot be read is an entry as well.
pub fn entry_of(path: &Path, options: &AnalyzeOptions) -> Entry {
    let started = Instant::now();
    let mut entry = unknown(path, options.redact);
    entry.outcome = match analyzed(path, options) {
        Ok((report, libraries)) => {
            entry.size_bytes = report.source.size_bytes;
            entry.time = report.source.time.clone().or(entry.time);
            entry.host.clone_from(&report.source.host);
            triage::outcome(&report, libraries, text_of(&report))
        }
        Err(error) if wants_memory(&error) => failure(FailureKind::Memory, NO_MEMORY.to_owned()),
        Err(error) => failure(FailureKind::Unreadable, message(&error)),
    };
    entry.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    entry
}

/// What is known of a dump before it was looked at.
pub(super) fn unknown(path: &Path, redacted: bool) -> Entry {
    let metadata = path.metadata().ok();
    let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
    let seconds = modified.and_then(|time| Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs()));
    Entry {
        schema: ENTRY_SCHEMA.to_owned(),
        path: name_of(path),
        size_bytes: metadata.map_or(0, |metadata| metadata.len()),
        time: seconds.map(rfc3339),
        host: None,
        redacted,
        elapsed_ms: 0,
        outcome: failure(FailureKind::Crashed, "it was not looked at".to_owned()),
    }
}

/// A dump that was not analyzed.
pub(super) fn failure(kind: FailureKind, message: String) -> Outcome {
    Outcome::Failure(Failure { kind, message })
}

/// A path as text; bytes that are no UTF-8 are escaped, so that no two files are called the same.
pub(super) fn name_of(path: &Path) -> String {
    let mut name = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        name += chunk.valid();
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(name, "\\x{byte:02x}");
        }
    }
    name
}

fn analyzed(path: &Path, options: &AnalyzeOptions) -> Result<(Report, Vec<String>), AnalyzeError> {
    let dump = Dump::open(path, options.files.clone())?;
    let mut report = analysis::analyze_dump(&dump, options)?;
    // The entry tells where it lies. What is said of a dump is the same wherever that is.
    report.source.path = name_of(path.file_name().map_or(path, Path::new));
    Ok((report, dump.module_paths()))
}

/// Whether it failed for want of memory. zstd's library says so in words alone.
fn wants_memory(error: &AnalyzeError) -> bool {
    let AnalyzeError::Open(error) = error else { return false };
    match &error.problem {
        OpenProblem::Unpack { error, .. }
        | OpenProblem::Unreadable(error)
        | OpenProblem::Temporary(error) => {
            error.kind() == io::ErrorKind::OutOfMemory || error.to_string().contains("not enough memory")
        }
        _ => false,
    }
}

/// What is wrong, without the path, which the entry has.
fn message(error: &AnalyzeError) -> String {
    match error {
        AnalyzeError::Open(error) => error.problem.to_string(),
        AnalyzeError::Live(_) | AnalyzeError::Layout(_) => error.to_string(),
    }
}

/// The report as text, whole lines of it up to [`MAX_TEXT`].
fn text_of(report: &Report) -> String {
    const CUT: &str = "...\n";
    let mut out = Bounded(Vec::new());
    let whole = render::text(report, &mut out, TextOptions { colour: false }).is_ok();
    let mut text = String::from_utf8_lossy(&out.0).into_owned();
    if !whole {
        text.truncate(text.rfind('\n').map_or(0, |at| at + 1));
        text += CUT;
    }
    text
}

/// Takes [`MAX_TEXT`] bytes and then no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_TEXT - self.0.len();
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.0.extend(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn names_that_are_no_text_stay_apart() {
        let of = |bytes: &[u8]| name_of(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(of(b"/c\xc3\xa4/core.1"), "/cä/core.1");
        assert_eq!(of(b"/core.\xff\xfe"), "/core.\\xff\\xfe");
        assert_ne!(of(b"\xff"), of(b"\xfe"));
    }

    #[test]
    fn no_more_text_is_kept_than_a_page_can_show() {
        let mut out = Bounded(Vec::new());
        let error = out.write_all(&[b'x'; MAX_TEXT + 1]).unwrap_err();
        assert_eq!((error.kind(), out.0.len()), (io::ErrorKind::StorageFull, MAX_TEXT));
    }
}
