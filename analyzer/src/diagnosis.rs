//! Why the process died or hangs: one line that a person can act on, from what the report holds.

use crate::report::{
    Assertion, Attachment, Diagnosis, Exception, Frame, FrameKind, NativeException, Report, Signal, Source,
    SourceFormat, Thread, file_name,
};
use crate::runtime::NotFound;

/// Signals that ask a process to end or to leave a core, rather than tell of its own fault, Linux numbers.
const SENT: [i64; 7] = [1, 2, 3, 9, 13, 15, 24];
const SIGABRT: i64 = 6;

/// The diagnosis before there is one.
pub(crate) fn nothing() -> Diagnosis {
    Diagnosis { summary: String::new(), category: "unknown".to_owned(), details: Vec::new() }
}

/// Looks at a report that is otherwise complete.
pub(crate) fn diagnose(report: &Report, problem: Option<&NotFound>) -> Diagnosis {
    let crashed = report.threads.iter().find(|thread| thread.crashed);
    let shown = crashed.or_else(|| report.threads.iter().find(|thread| thread.main));
    let process = &report.process;
    let (how, category) = match (&process.signal, &process.exception) {
        (_, Some(exception)) => died_of_exception(exception),
        (Some(signal), None) => died_of(signal),
        (None, None) if report.source.format == SourceFormat::Live => ("is alive,".to_owned(), "live"),
        (None, None) if report.source.format == SourceFormat::Minidump => {
            ("was alive (no exception),".to_owned(), "snapshot")
        }
        (None, None) => ("was alive (no fatal signal),".to_owned(), "snapshot"),
    };
    let mut summary = format!("{} {how}", name_of(report));
    if let Some(assertion) = &process.assertion {
        summary += &format!(": {},", failed(assertion));
    }
    if let Some(thread) = shown {
        summary += &place(thread);
    }
    let details = gil(report).into_iter().collect();
    let python_stack = report.threads.iter().any(|thread| thread.python && !thread.frames.is_empty());
    let category = match problem {
        Some(problem) => {
            summary += &format!("; no Python shown: {}", explain(problem, &report.source));
            "no-python"
        }
        None if !python_stack => {
            summary += "; no thread has a Python frame";
            category
        }
        None => category,
    };
    Diagnosis { summary, category: category.to_owned(), details }
}

/// What to say where no interpreter can be shown in `source`, and what to do next.
pub(crate) fn explain(problem: &NotFound, source: &Source) -> String {
    let advice = source.contents.as_ref().and_then(|contents| contents.advice.as_ref());
    match problem {
        NotFound::NoInterpreter if advice.is_some() => advice.cloned().unwrap_or_default(),
        NotFound::NoInterpreter if source.format == SourceFormat::Live => "no CPython interpreter was found in its \
            memory. Is the Python a child of it? `pstree -p` shows them"
            .to_owned(),
        NotFound::NoInterpreter => "no CPython interpreter was found. If the process ran one, its program and \
            libraries are needed: name them with --exe, --lib-path or --sysroot; `pycore info` lists what is missing"
            .to_owned(),
        NotFound::Unsupported { what } => {
            format!("the process runs {what}, which pycore cannot read; it reads CPython 2.7 and 3.6 to 3.15")
        }
        NotFound::NoMemory { version, fault, .. } => {
            format!(
                "a CPython {}was found, but the memory that it leads to is missing ({fault}){}",
                version.as_ref().map(|version| format!("{version} ")).unwrap_or_default(),
                advice.map(|advice| format!(": {advice}")).unwrap_or_default()
            )
        }
        NotFound::NoLayout { version, why, .. } => format!(
            "a CPython {}was found, but no layout table fits it ({why}). Make one from an interpreter of the same \
             build with debug information: `pycore layout extract`, then --layout FILE",
            version.as_ref().map(|version| format!("{version} ")).unwrap_or_default()
        ),
    }
}

fn name_of(report: &Report) -> String {
    let process = &report.process;
    let program = process.executable.as_deref().map_or("process", file_name);
    match process.pid {
        Some(pid) => format!("{program} ({pid})"),
        None => program.to_owned(),
    }
}

fn died_of(signal: &Signal) -> (String, &'static str) {
    let code = signal.code_name.as_ref().map(|code| format!(", {code}")).unwrap_or_default();
    let sender = signal.sender_pid.map(|pid| format!(" from process {pid}")).unwrap_or_default();
    if SENT.contains(&signal.number) {
        return (format!("was ended by {}{sender}", signal.name), "killed");
    }
    if signal.number == SIGABRT {
        return (format!("aborted ({})", signal.name), "abort");
    }
    let address = signal.address.map(|address| format!(" at address {address}")).unwrap_or_default();
    (format!("died of {}{code}{address}", signal.name), "crash")
}

fn died_of_exception(exception: &NativeException) -> (String, &'static str) {
    /// `STATUS_CONTROL_C_EXIT`.
    const CONTROL_C: &str = "0xc000013a";
    /// `__fastfail(FAST_FAIL_FATAL_APP_EXIT)`, which `abort()` of Windows' C library ends with.
    const ABORT: (&str, &str) = ("0xc0000409", "0x7");
    let name = exception.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let how = format!("died of {} ({}{name})", exception.description, exception.code);
    let first = exception.parameters.first().map(String::as_str).unwrap_or_default();
    let category = match exception.code.as_str() {
        CONTROL_C => "killed",
        code if (code, first) == ABORT => "abort",
        _ => "crash",
    };
    (how, category)
}

/// `assertion failed: x > 0 in f (a.c:12)`.
fn failed(assertion: &Assertion) -> String {
    let part = |before: &str, part: &Option<String>| {
        part.as_ref().map(|part| format!("{before}{part}")).unwrap_or_default()
    };
    let line = assertion.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!(
        "{} failed{}{}{}{line}",
        assertion.kind,
        part(": ", &assertion.expression),
        part(" in ", &assertion.function),
        part(" at ", &assertion.file)
    )
}

/// Where a thread was, and what it was raising or handling.
fn place(thread: &Thread) -> String {
    let who = match (&thread.name, thread.tid) {
        (Some(name), Some(tid)) => format!(" in thread {tid} \"{name}\""),
        (None, Some(tid)) => format!(" in thread {tid}"),
        (Some(name), None) => format!(" in thread \"{name}\""),
        (None, None) => String::new(),
    };
    let at =
        thread.frames.iter().find(|frame| frame.kind == FrameKind::Python).map(line_of).unwrap_or_default();
    let exceptions = thread.exceptions.as_ref();
    let during = match exceptions.and_then(|exceptions| exceptions.raising.as_ref()) {
        Some(raising) => format!(", raising {}", headline(raising)),
        None => match exceptions.and_then(|exceptions| exceptions.handling.first()) {
            Some(handling) => format!(", handling {}", headline(handling)),
            None => String::new(),
        },
    };
    format!("{who}{at}{during}")
}

fn line_of(frame: &Frame) -> String {
    let function = frame
        .qualname
        .as_ref()
        .or(frame.function.as_ref())
        .map(|name| format!(" in {name}"))
        .unwrap_or_default();
    let line = frame.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!(" at {}{line}{function}", frame.file.as_deref().unwrap_or("?"))
}

/// `Type: first line of the message`.
fn headline(exception: &Exception) -> String {
    const LONGEST: usize = 200;
    let message = exception.message.as_deref().unwrap_or_default();
    let line: String = message.lines().next().unwrap_or_default().chars().take(LONGEST).collect();
    if line.is_empty() { exception.type_name.clone() } else { format!("{}: {line}", exception.type_name) }
}

/// Who holds the global interpreter lock, and how many wait for it; nothing where the one thread shown first has it.
/// Where it is disabled, how many threads ran.
fn gil(report: &Report) -> Option<String> {
    let interpreters = report.python.iter().flat_map(|python| &python.interpreters);
    if interpreters.clone().any(|interpreter| interpreter.gil_enabled == Some(false)) {
        let states = || report.threads.iter().filter_map(|thread| thread.attachment);
        let attached = states().filter(|&state| state == Attachment::Attached).count();
        let all = states().count();
        return Some(format!(
            "no GIL (free-threaded); attached to the interpreter: {attached} of {all} threads"
        ));
    }
    let holder = report.threads.iter().find(|thread| thread.holds_gil == Some(true));
    let waiting = report.threads.iter().filter(|thread| thread.waiting_for_gil == Some(true)).count();
    let waiting = match waiting {
        0 => String::new(),
        1 => "; 1 thread waits for it".to_owned(),
        count => format!("; {count} threads wait for it"),
    };
    match holder {
        Some(holder) if holder.crashed && waiting.is_empty() => None,
        Some(holder) => Some(format!("the GIL is held{}{waiting}", place(holder))),
        None if report.threads.iter().any(|thread| thread.holds_gil == Some(false)) => {
            Some(format!("no thread holds the GIL{waiting}"))
        }
        None => None,
    }
}
