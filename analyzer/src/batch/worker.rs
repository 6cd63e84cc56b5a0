//! Processes that analyze one dump at a time: this program again, which reads paths and writes entries.
//!
//! A request is a byte that tells what was found, the path, and a NUL; the answer is a line of JSON, the entry, or
//! `null` for a file that turned out to hold no dump.

use super::analyze::{NO_MEMORY, failure, unknown};
use super::find::{Found, FoundDump};
use crate::dump;
use crate::render;
use crate::report::{Entry, FailureKind, Outcome};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What [`Found`] is called in requests.
const DUMP: u8 = b'd';
const PACKED: u8 = b'p';
/// The longest answer that is taken, in bytes.
const MAX_ANSWER: u64 = 64 << 20;
/// How much is kept of what a worker said on standard error, in bytes.
const MAX_SAID: usize = 4 << 10;
/// How often it is seen whether the run was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// The exit code of this program where something could not be read.
const FAILED: i32 = 2;
const SIGKILL: i32 = 9;
const SIGXCPU: i32 = 24;

/// Answers requests until there are none any more: the life of a worker. `analyze` gives the entry of a dump, or what
/// went wrong in it. The worker may use `memory` bytes for its data; it ends with the process that started it.
///
/// # Errors
/// When requests cannot be read or answers not be written.
pub fn serve(memory: Option<u64>, analyze: impl Fn(&Path) -> Result<Entry, String>) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let limit = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::Core, limit(0))?;
    if let Some(memory) = memory {
        setrlimit(Resource::Data, limit(memory))?;
    }
    let mut requests = io::stdin().lock();
    let mut answers = io::stdout().lock();
    let mut request = Vec::new();
    while requests.read_until(0, &mut request)? > 0 {
        let Some((&kind, path)) = request.split_last().and_then(|(_, request)| request.split_first()) else {
            break;
        };
        let path = Path::new(OsStr::from_bytes(path));
        // Where that cannot be known, the entry will say why.
        let answer = if kind == PACKED && !dump::holds_dump(path).unwrap_or(true) {
            None
        } else {
            Some(analyze(path).unwrap_or_else(|message| Entry {
                outcome: failure(FailureKind::Crashed, message),
                ..unknown(path, true)
            }))
        };
        answers.write_all(render::compact_json(&answer).as_bytes())?;
        answers.write_all(b"\n")?;
        answers.flush()?;
        request.clear();
    }
    Ok(())
}

/// What came of a file.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its entry.
    Entry(Box<Entry>),
    /// It holds no dump.
    Nothing,
    /// The run was interrupted meanwhile.
    Interrupted,
}

/// What workers are started with.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The arguments that make this program a worker.
    pub arguments: Vec<OsString>,
    /// How long one dump may take.
    pub timeout: Duration,
    /// Whether its entries are redacted.
    pub redact: bool,
}

/// A worker, from without. It is started for the first dump, and again after it ended.
pub(super) struct Worker<'a> {
    settings: &'a WorkerSettings,
    process: Option<Process>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(settings: &'a WorkerSettings) -> Self {
        Worker { settings, process: None }
    }

    /// Has a dump analyzed. What the worker died of is the dump's entry.
    ///
    /// # Errors
    /// When no worker can be started.
    pub(super) fn analyze(&mut self, dump: &FoundDump, stop: &AtomicBool) -> io::Result<Answer> {
        let started = Instant::now();
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(Process::start(&self.settings.arguments)?),
        };
        let request = [
            &[if dump.found == Found::Packed { PACKED } else { DUMP }],
            dump.path.as_os_str().as_bytes(),
            b"\0",
        ];
        // A worker that cannot be written to has ended, which is met below.
        let _ = process.requests.write_all(&request.concat());
        let answer = loop {
            let left = self.settings.timeout.saturating_sub(started.elapsed());
            match process.answers.recv_timeout(left.min(LOOK)) {
                Ok(line) => match serde_json::from_slice::<Option<Entry>>(&line) {
                    Ok(entry) => {
                        return Ok(entry.map_or(Answer::Nothing, |entry| Answer::Entry(Box::new(entry))));
                    }
                    Err(error) => {
                        let message = format!("its worker's answer makes no sense: {error}");
                        break Some(failure(FailureKind::Crashed, message));
                    }
                },
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                    self.end();
                    return Ok(Answer::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    let limit = self.settings.timeout.as_secs_f64();
                    let message = format!("took longer than {limit} s; allow more with --timeout");
                    break Some(failure(FailureKind::Timeout, message));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        let death = self.end();
        let outcome =
            answer.unwrap_or_else(|| death.unwrap_or_else(|| failure(FailureKind::Crashed, String::new())));
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let entry = Entry { outcome, elapsed_ms, ..unknown(&dump.path, self.settings.redact) };
        Ok(Answer::Entry(Box::new(entry)))
    }

    /// Ends the process; gives what it died of if it was dead already.
    fn end(&mut self) -> Option<Outcome> {
        let mut process = self.process.take()?;
        // A process that is dead already cannot be killed, and stays what it is.
        let _ = process.child.kill();
        let status = process.child.wait().ok()?;
        drop(process.requests);
        let said = process.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        Some(death(status, &said))
    }
}

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a worker died of, as its status and its last words tell.
fn death(status: ExitStatus, said: &str) -> Outcome {
    let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let of_memory = said.contains("memory allocation of");
    match (status.code(), status.signal()) {
        _ if of_memory => failure(FailureKind::Memory, NO_MEMORY.to_owned()),
        (Some(FAILED), _) => failure(FailureKind::Unreadable, last.trim_start_matches("error: ").to_owned()),
        (_, Some(SIGKILL | SIGXCPU)) => failure(
            FailureKind::Memory,
            "the process that analyzed it was killed, likely as the machine had no memory left".to_owned(),
        ),
        _ if last.is_empty() => {
            failure(FailureKind::Crashed, format!("the process that analyzed it ended: {status}"))
        }
        _ => failure(FailureKind::Crashed, format!("the process that analyzed it ended: {status}: {last}")),
    }
}

/// A running worker.
struct Process {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Vec<u8>>,
    /// Reads what it says on standard error; gives the end of it.
    said: Option<JoinHandle<String>>,
}

impl Process {
    fn start(arguments: &[OsString]) -> io::Result<Process> {
        // The program may have been replaced on the disk since it was started.
        let mut child = Command::new("/proc/self/exe")
            .arg0("pycore")
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(requests), Some(answers), Some(said)) = pipes else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            let mut answers = BufReader::new(answers);
            loop {
                let mut line = Vec::new();
                match (&mut answers).take(MAX_ANSWER).read_until(b'\n', &mut line) {
                    Ok(count) if count > 0 && sender.send(line).is_ok() => {}
                    _ => break,
                }
            }
        })?;
        let said = thread::Builder::new().spawn(move || last_words(said))?;
        Ok(Process { child, requests, answers: receiver, said: Some(said) })
    }
}

/// Reads to the end, and keeps the end.
fn last_words(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        kept.extend(buffer.get(..count).unwrap_or_default());
        let excess = kept.len().saturating_sub(MAX_SAID);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: i32, said: &str) -> (FailureKind, String) {
        match death(ExitStatus::from_raw(status), said) {
            Outcome::Failure(failure) => (failure.kind, failure.message),
            Outcome::Crash(_) => unreachable!(),
        }
    }

    #[test]
    fn what_a_worker_died_of_is_told_by_its_status_and_its_last_words() {
        assert_eq!(kind(6, "memory allocation of 5 bytes failed\n").0, FailureKind::Memory);
        assert_eq!(kind(9, "").0, FailureKind::Memory);
        let shortened = kind(2 << 8, "error: a file cannot be read any more: x\n");
        assert_eq!(shortened, (FailureKind::Unreadable, "a file cannot be read any more: x".to_owned()));
        let overflow = kind(6, "\nthread 'main' has overflowed its stack\n\n");
        assert_eq!(overflow.0, FailureKind::Crashed);
        assert!(overflow.1.contains("overflowed its stack"), "{}", overflow.1);
        assert!(kind(11, "").1.contains("signal: 11"));
    }

    #[test]
    fn only_the_end_of_what_was_said_is_kept() {
        let text = [vec![b'x'; 10 * MAX_SAID], b"the end".to_vec()].concat();
        let kept = last_words(&text[..]);
        assert!(kept.len() == MAX_SAID && kept.ends_with("xthe end"));
    }
}
