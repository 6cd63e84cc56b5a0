//! The entries that a run is about: of dumps that are analyzed now, of a journal, of files.

use super::args::WorkArgs;
use super::progress::Progress;
use super::worker;
use crate::batch::{self, Event, FoundDumps, Journal, WorkerSettings};
use crate::cli::{options, stderr};
use crate::report::{Entry, Outcome};
use anyhow::{Context as _, Result, bail};
use log::info;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What one job may use by default, and the least with which it makes sense, in bytes.
const DEFAULT_MEMORY: u64 = 256 << 20;
const LEAST_MEMORY: u64 = 48 << 20;
/// What this process is to need itself, of all the memory that the user allows, in bytes.
const OWN_MEMORY: u64 = 64 << 20;

/// All entries of a run.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Each dump once, sorted.
    pub(super) entries: Vec<Entry>,
    /// How many dumps there are, looked at or not.
    pub(super) dumps: usize,
    /// Whether all were looked at.
    pub(super) complete: bool,
    /// What could not be looked into.
    pub(super) warnings: Vec<String>,
}

/// Reads entries from files, and makes those of dumps, with the names and types of variables where `locals`.
///
/// # Errors
/// When something that is named cannot be read, the journal not be written, or no worker be started.
pub(super) fn gather(args: &WorkArgs, locals: bool) -> Result<Gathered> {
    let mut entries = Vec::new();
    for path in &args.entries {
        let read = read(path).with_context(|| format!("cannot take entries from {}", path.display()))?;
        entries.extend(read);
    }
    let mut gathered = Gathered { complete: true, ..Gathered::default() };
    let mut left = 0;
    if !args.paths.is_empty() {
        let found = batch::find(&args.paths)?;
        left = analyze(args, locals, found, &mut entries, &mut gathered)?;
    }
    if !args.no_redact && entries.iter().any(|entry| !entry.redacted) {
        bail!("some entries were made with --no-redact, and may hold secrets: say --no-redact to use them");
    }
    gathered.entries = each_once(entries);
    gathered.dumps = gathered.entries.len() + left;
    Ok(gathered)
}

fn read(path: &Path) -> Result<Vec<Entry>> {
    Ok(if path == Path::new("-") {
        batch::read_entries(io::stdin().lock())?
    } else {
        batch::read_entries(BufReader::new(File::open(path)?))?
    })
}

/// Analyzes what was found and has no entry yet; gives how many dumps were left when it was interrupted.
fn analyze(
    args: &WorkArgs,
    locals: bool,
    mut found: FoundDumps,
    entries: &mut Vec<Entry>,
    gathered: &mut Gathered,
) -> Result<usize> {
    // What is wrong with the arguments is no dump's fault.
    let options = options::triage(&args.input, !args.no_redact)?;
    if let Some(layout) = &options.layout {
        crate::layout::LayoutRegistry::new().add_file(layout)?;
    }
    gathered.warnings.append(&mut found.warnings);
    if found.duplicates > 0 {
        stderr::note(&format!("{} further names of the same files are left out", found.duplicates));
    }
    info!("{} files may be dumps, {} are none", found.dumps.len(), found.others);
    let mut journal = None;
    if let Some(path) = &args.resume {
        let opened = Journal::open(path);
        let (opened, known) = opened.with_context(|| format!("cannot go on with {}", path.display()))?;
        let before = found.dumps.len();
        found.dumps.retain(|dump| !opened.has(dump));
        if !known.is_empty() {
            stderr::note(&format!("{} of {before} dumps are in the journal", before - found.dumps.len()));
        }
        entries.extend(known);
        journal = Some(opened);
    }
    if found.dumps.is_empty() {
        return Ok(0);
    }
    let (jobs, memory) = share(args);
    let settings = WorkerSettings {
        arguments: worker::arguments(args, memory, locals),
        timeout: args.timeout,
        redact: !args.no_redact,
    };
    let stop = interruption()?;
    let progress = Progress::new(found.dumps.len());
    let state = Mutex::new((journal, entries, 0));
    let outcome = batch::run(&found.dumps, jobs, &settings, &stop, &|event| {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (journal, entries, done) = &mut *state;
        *done += 1;
        match event {
            Event::NoDump => progress.step(None),
            Event::Entry(entry) => {
                if let Some(journal) = journal {
                    journal.add(&entry)?;
                }
                progress.step(match &entry.outcome {
                    Outcome::Failure(failure) => Some((&entry.path, failure)),
                    Outcome::Crash(_) => None,
                });
                entries.push(*entry);
            }
        }
        Ok(())
    });
    progress.finish();
    let (_, _, done) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.context("cannot go on")?;
    gathered.complete = !stop.load(Ordering::Relaxed) || done == found.dumps.len();
    Ok(found.dumps.len() - done)
}

/// How many workers there are, and how much memory each may use.
fn share(args: &WorkArgs) -> (usize, u64) {
    let jobs = args.jobs.map_or_else(|| thread::available_parallelism().map_or(1, usize::from), usize::from);
    let Some(whole) = args.max_memory else { return (jobs, DEFAULT_MEMORY) };
    let room = whole.saturating_sub(OWN_MEMORY).max(LEAST_MEMORY);
    let jobs = jobs.min(usize::try_from(room / LEAST_MEMORY).unwrap_or(usize::MAX)).max(1);
    (jobs, room / jobs as u64)
}

/// What Ctrl-C sets. The second one ends the program at once.
fn interruption() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_default(signal, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Sorts entries by dump. A dump that was looked at several times counts once: crashes before failures, as a worker may
/// have been lost.
fn each_once(mut entries: Vec<Entry>) -> Vec<Entry> {
    let failed = |entry: &Entry| matches!(entry.outcome, Outcome::Failure(_));
    entries.sort_by(|one, other| {
        let key = |entry: &Entry| (entry.size_bytes, failed(entry), entry.elapsed_ms);
        let names = (&one.path, &one.host, &one.time).cmp(&(&other.path, &other.host, &other.time));
        names.then_with(|| key(one).cmp(&key(other)))
    });
    let mut met = HashSet::new();
    entries.retain(|entry| {
        met.insert((entry.path.clone(), entry.host.clone(), entry.time.clone(), entry.size_bytes))
    });
    entries
}
