//! Entries in files: a line of JSON each.

use super::analyze::name_of;
use super::find::FoundDump;
use crate::render;
use crate::report::{ENTRY_SCHEMA, Entry};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Entries that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is no entry.
    #[error("line {line} is no entry as `pycore triage --format ndjson` writes them: {error}")]
    Line {
        /// Its number, from 1 on.
        line: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A line follows another contract.
    #[error("line {line} follows {schema}, which this pycore does not know; it knows {ENTRY_SCHEMA}")]
    Schema {
        /// Its number, from 1 on.
        line: usize,
        /// What it says that it follows.
        schema: String,
    },
}

/// Whether this may be the beginning of an entry.
fn is_torn(line: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"schema\":\"pycore.entry/";
    line.iter().zip(BEGINNING).all(|(one, other)| one == other)
}

/// Reads entries, a line each; empty lines are passed over.
///
/// # Errors
/// When they cannot be read, or a line is none.
pub fn read_entries(from: impl BufRead) -> Result<Vec<Entry>, JournalError> {
    let mut entries = Vec::new();
    for (index, line) in from.split(b'\n').enumerate() {
        let line = line?;
        if !line.trim_ascii().is_empty() {
            entries.push(entry(&line, index + 1)?);
        }
    }
    Ok(entries)
}

fn entry(line: &[u8], number: usize) -> Result<Entry, JournalError> {
    let entry: Entry =
        serde_json::from_slice(line).map_err(|error| JournalError::Line { line: number, error })?;
    if entry.schema == ENTRY_SCHEMA {
        Ok(entry)
    } else {
        Err(JournalError::Schema { line: number, schema: entry.schema })
    }
}

/// A file that takes each entry as it comes, so that a run that ended too early can go on.
#[derive(Debug)]
pub struct Journal {
    file: File,
    known: HashSet<(String, u64)>,
}

impl Journal {
    /// Opens a journal, a new one if there is none, and reads what is in it. A last line that is torn, as the run ended
    /// while it was written, is taken away.
    ///
    /// # Errors
    /// When it cannot be read or written, or is no journal.
    pub fn open(path: &Path) -> Result<(Journal, Vec<Entry>), JournalError> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let (mut entries, mut whole) = (Vec::new(), 0);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let count = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") && (line.is_empty() || is_torn(&line)) {
                break;
            }
            if !line.trim_ascii().is_empty() {
                entries.push(entry(&line, number)?);
            }
            whole += count as u64;
        }
        file.set_len(whole)?;
        file.seek(SeekFrom::End(0))?;
        let known = entries.iter().map(|entry| (entry.path.clone(), entry.size_bytes)).collect();
        Ok((Journal { file, known }, entries))
    }

    /// Whether it has an entry of this dump: a file of the same path and size.
    pub fn has(&self, dump: &FoundDump) -> bool {
        self.known.contains(&(name_of(&dump.path), dump.size))
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, entry: &Entry) -> io::Result<()> {
        self.file.write_all((render::compact_json(entry) + "\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::analyze::unknown;
    use super::*;
    use crate::batch::Found;

    fn entry_of(path: &str) -> Entry {
        Entry { size_bytes: 7, ..unknown(Path::new(path), true) }
    }

    #[test]
    fn a_journal_goes_on_behind_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries, []);
        journal.add(&entry_of("/a\n")).unwrap();
        journal.add(&entry_of("/b")).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 10);
        std::fs::write(&path, &bytes).unwrap();
        let (mut journal, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries, [entry_of("/a\n")]);
        let dump = |path: &str, size| FoundDump { path: path.into(), found: Found::Dump, size };
        assert!(journal.has(&dump("/a\n", 7)));
        assert!(!journal.has(&dump("/a\n", 8)) && !journal.has(&dump("/b", 7)));
        journal.add(&entry_of("/c")).unwrap();
        let (_, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries, [entry_of("/a\n"), entry_of("/c")]);
    }

    #[test]
    fn what_is_no_journal_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        std::fs::write(&path, "dear diary\nno end").unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.starts_with("line 1 is no entry"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"dear diary\nno end");
        std::fs::write(&path, "no line").unwrap();
        assert!(Journal::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"no line");
        let other = Entry { schema: "pycore.entry/9".to_owned(), ..entry_of("/a") };
        let text = format!("\n{}", render::compact_json(&other));
        let error = read_entries(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 2 follows pycore.entry/9"), "{error}");
    }
}
