//! From a report to what is kept of a dump.

use super::fingerprint::{FrameRules, fingerprint};
use super::normalise;
use crate::report::{
    Crash, CrashException, CrashFrame, CrashLocal, Exception, ExceptionRole, Failure, FailureKind,
    Fingerprint, Frame, FrameKind, Local, Outcome, Python, Report, SourceFormat, Thread,
};

/// The most frames of a stack that are kept at its inner end, and at its outer one.
const INNER: usize = 192;
const OUTER: usize = 64;
/// The most variables of a frame.
const MAX_LOCALS: usize = 200;
/// The most exceptions: one and what it is chained to.
const MAX_EXCEPTIONS: usize = 16;

/// What came of a dump that was read: a crash, or a failure where it is damaged and nothing of Python is left in it.
pub fn outcome(report: &Report, libraries: Vec<String>, text: String) -> Outcome {
    let has_python = report.threads.iter().any(|thread| thread.python && !thread.frames.is_empty());
    if report.source.truncated && !has_python {
        let message =
            format!("the file is cut off, and no Python is left in it: {}", report.diagnosis.summary);
        return Outcome::Failure(Failure { kind: FailureKind::Unreadable, message });
    }
    Outcome::Crash(Box::new(crash(report, libraries, text)))
}

/// What a process died of. `libraries`: the paths of its native modules; `text`: the report, as a page shows it.
pub fn crash(report: &Report, libraries: Vec<String>, text: String) -> Crash {
    let thread = thread_that_died(report);
    let process = &report.process;
    let exceptions = thread.map(|thread| exceptions(report, thread)).unwrap_or_default();
    let python = python_of(report, thread);
    let native = thread.and_then(|thread| thread.native_location.as_ref());
    let native =
        native.or_else(|| process.exception.as_ref().and_then(|exception| exception.location.as_ref()));
    let frames = thread.map(|thread| python_frames(&thread.frames)).unwrap_or_default();
    let program = process.command_line.as_deref().and_then(normalise::program);
    let mut crash = Crash {
        fingerprint: Fingerprint { id: String::new(), parts: Vec::new() },
        summary: report.diagnosis.summary.clone(),
        category: report.diagnosis.category.clone(),
        format: format_of(report.source.format).to_owned(),
        arch: report.source.arch.clone(),
        os: process
            .system
            .as_ref()
            .map(|system| system.os.clone())
            .or_else(|| (report.source.format == SourceFormat::ElfCore).then(|| "linux".to_owned())),
        executable: process.executable.clone(),
        program: program.or_else(|| process.executable.as_deref().map(normalise::executable)),
        python: python
            .map(|python| format!("{}{}", python.version, if python.free_threaded { "t" } else { "" })),
        signal: process.signal.as_ref().map(|signal| signal.name.clone()).or_else(|| {
            let exception = process.exception.as_ref()?;
            Some(exception.name.clone().unwrap_or_else(|| exception.code.clone()))
        }),
        fault_address: process.signal.as_ref().and_then(|signal| signal.address).map(|at| at.to_string()),
        exceptions,
        frames,
        cut: thread.is_some_and(|thread| is_cut(report, thread)),
        thread: thread.and_then(|thread| thread.name.clone()),
        thread_count: report.threads.len(),
        holds_gil: thread.and_then(|thread| thread.holds_gil),
        collecting_garbage: thread.and_then(|thread| thread.collecting_garbage),
        native_module: native.and_then(|place| place.module.clone()),
        libraries,
        text,
        gaps: report.gaps.len(),
    };
    crash.fingerprint = fingerprint(&crash, &FrameRules::default());
    crash
}

/// The thread that took the signal; where none did, the main one, else the first that runs Python.
fn thread_that_died(report: &Report) -> Option<&Thread> {
    let threads = &report.threads;
    threads
        .iter()
        .find(|thread| thread.crashed)
        .or_else(|| threads.iter().find(|thread| thread.main && thread.python))
        .or_else(|| threads.iter().find(|thread| thread.python && !thread.frames.is_empty()))
        .or_else(|| threads.first())
}

fn python_of<'r>(report: &'r Report, thread: Option<&Thread>) -> Option<&'r Python> {
    match thread.and_then(|thread| thread.runtime) {
        None | Some(0) => report.python.as_ref(),
        Some(further) => report.other_pythons.get(further - 1),
    }
}

fn format_of(format: SourceFormat) -> &'static str {
    match format {
        SourceFormat::ElfCore => "elf-core",
        SourceFormat::Minidump => "minidump",
        SourceFormat::Live => "live",
    }
}

/// Whether a stack ends before its outermost frame: where a chain of frames could not be followed to its end.
fn is_cut(report: &Report, thread: &Thread) -> bool {
    let missing = |what: &str| what.starts_with("the frame");
    thread.python && report.gaps.iter().any(|gap| missing(&gap.what))
}

fn python_frames(frames: &[Frame]) -> Vec<CrashFrame> {
    let frames: Vec<&Frame> = frames.iter().filter(|frame| frame.kind == FrameKind::Python).collect();
    kept(&frames).map(|frame| crash_frame(frame)).collect()
}

/// Both ends of a stack.
fn kept<'f>(frames: &'f [&'f Frame]) -> impl Iterator<Item = &'f &'f Frame> {
    let outer = frames.len().saturating_sub(OUTER).max(INNER);
    frames.iter().take(INNER).chain(frames.iter().skip(outer))
}

fn crash_frame(frame: &Frame) -> CrashFrame {
    let name = frame.qualname.as_ref().or(frame.function.as_ref());
    CrashFrame {
        module: frame.module_name.clone(),
        function: name.cloned().unwrap_or_else(|| "?".to_owned()),
        unqualified: frame.qualname.is_none(),
        file: frame.file.clone(),
        line: frame.line,
        locals: frame.locals.iter().flatten().take(MAX_LOCALS).map(crash_local).collect(),
    }
}

fn crash_local(local: &Local) -> CrashLocal {
    CrashLocal { name: local.name.clone(), type_name: local.value.type_name.clone() }
}

/// The exception that the thread died of, if any, and what it is chained to.
fn exceptions(report: &Report, thread: &Thread) -> Vec<CrashException> {
    let own = thread.exceptions.as_ref();
    let raising = own.and_then(|own| own.raising.as_ref()).map(|raising| (raising, ExceptionRole::Raising));
    let handling =
        own.and_then(|own| own.handling.first()).map(|handling| (handling, ExceptionRole::Handling));
    let Some((first, role)) = raising.or(handling).or_else(|| last(report, thread)) else {
        return Vec::new();
    };
    let mut found = vec![crash_exception(first, role)];
    if let Some(exception) = found.first_mut() {
        let innermost_first: Vec<&Frame> = first.traceback.iter().rev().collect();
        exception.traceback = kept(&innermost_first).map(|frame| crash_frame(frame)).collect();
    }
    let mut at = first;
    while found.len() < MAX_EXCEPTIONS {
        let (next, role) = match (&at.cause, &at.context) {
            (Some(cause), _) => (cause, ExceptionRole::Cause),
            (None, Some(context)) if !at.suppress_context => (context, ExceptionRole::Context),
            _ => break,
        };
        found.push(crash_exception(next, role));
        at = next;
    }
    found
}

/// `sys.last_exc` of a main thread whose program is over: what it ended by. Where a program still runs, as in an
/// interactive session, it is an old story.
fn last<'r>(report: &'r Report, thread: &Thread) -> Option<(&'r Exception, ExceptionRole)> {
    let runs = thread.frames.last().is_some_and(|frame| frame.function.as_deref() == Some("<module>"));
    let is_main = thread.main || report.threads.iter().filter(|thread| thread.python).count() == 1;
    if !is_main || runs {
        return None;
    }
    let interpreters = &python_of(report, Some(thread))?.interpreters;
    let own = interpreters.iter().find(|interpreter| interpreter.id == thread.interpreter)?;
    let exception = own.last_exception.as_ref().filter(|exception| exception.type_name != "?")?;
    Some((exception, ExceptionRole::Last))
}

fn crash_exception(exception: &Exception, role: ExceptionRole) -> CrashException {
    CrashException {
        type_name: exception.type_name.clone(),
        message: exception.message.clone(),
        role,
        traceback: Vec::new(),
    }
}
