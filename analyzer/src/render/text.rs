//! The report as text: what a person wants at three in the morning, most urgent first.

use crate::addr::Address;
use crate::render::exception;
use crate::render::greenlets;
use crate::render::grouping;
use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::render::stack;
use crate::render::tasks;
use crate::report::{
    Attachment, Exception, Gap, Interpreter, NativeException, Process, Python, Report, Signal, Source,
    SourceFormat, System, Thread, ThreadExceptions, ThreadState, Times,
};
use std::io::{self, Write};

/// How the text looks.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextOptions {
    /// Whether to write colours as ANSI escape sequences.
    pub colour: bool,
}

/// Writes `report` as text: the summary, the process, the crashed thread, the other threads, what is missing.
///
/// # Errors
/// Those of `out`.
pub fn text(report: &Report, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    summary(&mut p, report)?;
    header(&mut p, report)?;
    let mut shown = Shown::default();
    let (python, native): (Vec<_>, Vec<_>) =
        report.threads.iter().partition(|thread| thread.python || thread.crashed);
    for group in grouping::threads(python.into_iter()).iter().chain(&grouping::threads(native.into_iter())) {
        writeln!(p)?;
        threads(&mut p, group, &mut shown)?;
    }
    if let Some(found) = &report.tasks {
        tasks::tasks(&mut p, &mut shown, found)?;
    }
    if let Some(found) = &report.generators {
        tasks::generators(&mut p, &mut shown, found)?;
    }
    if let Some(found) = &report.greenlets {
        greenlets::greenlets(&mut p, &mut shown, found)?;
    }
    last_exceptions(&mut p, report, &mut shown)?;
    gaps(&mut p, &report.gaps)?;
    warnings(&mut p, &report.warnings)?;
    p.flush()
}

fn summary<W: Write>(p: &mut Printer<W>, report: &Report) -> io::Result<()> {
    p.paint(p.styles.summary, line(&report.diagnosis.summary))?;
    writeln!(p)?;
    for detail in &report.diagnosis.details {
        writeln!(p, "  {}", line(detail))?;
    }
    writeln!(p)
}

fn header<W: Write>(p: &mut Printer<W>, report: &Report) -> io::Result<()> {
    process(p, &report.process)?;
    match &report.python {
        Some(found) => python(p, found, number_of(0, &report.other_pythons))?,
        None => field(p, "Python", "none found")?,
    }
    for (index, other) in report.other_pythons.iter().enumerate() {
        python(p, other, Some(index + 2))?;
    }
    source(p, &report.source)?;
    match report.redacted {
        Some(0) => field(p, "Redacted", "nothing looked like a secret"),
        Some(1) => field(p, "Redacted", "1 value that looks like a secret is not shown"),
        Some(count) => field(p, "Redacted", &format!("{count} values that look like secrets are not shown")),
        None => Ok(()),
    }
}

/// Prints one line of a header; `name` is padded to line up with the others.
pub(crate) fn field<W: Write>(p: &mut Printer<W>, name: &str, text: &str) -> io::Result<()> {
    p.paint(p.styles.heading, format_args!("{name:<9}"))?;
    writeln!(p, "{}", line(text))
}

/// Prints what the operating system knew, with the parts that are known.
pub(crate) fn process<W: Write>(p: &mut Printer<W>, process: &Process) -> io::Result<()> {
    let command = process
        .command_line
        .as_ref()
        .filter(|words| !words.is_empty())
        .map(|words| words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "));
    match (process.pid, command) {
        (Some(pid), Some(command)) => field(p, "Process", &format!("{pid}: {command}"))?,
        (Some(pid), None) => field(p, "Process", &pid.to_string())?,
        (None, Some(command)) => field(p, "Process", &command)?,
        (None, None) => {}
    }
    if let Some(executable) = &process.executable {
        field(p, "Program", executable)?;
    }
    if let Some(exception) = &process.exception {
        field(p, "Crash", &exception_text(exception))?;
    } else if let Some(signal) = &process.signal {
        field(p, "Signal", &signal_text(signal))?;
    }
    if let Some(system) = &process.system {
        field(p, "System", &system_text(system))?;
    }
    if let Some(times) = &process.times {
        field(p, "Times", &times_text(times, process.handles))?;
    }
    for comment in &process.comments {
        field(p, "Comment", comment)?;
    }
    Ok(())
}

/// `access violation reading 0x0 (0xc0000005 EXCEPTION_ACCESS_VIOLATION) at C:\\a.dll+0x10 (0x1010)`.
fn exception_text(exception: &NativeException) -> String {
    let name = exception.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let at = match (&exception.location, exception.address) {
        (Some(location), _) => format!(" at {}", stack::native_place(location)),
        (None, Some(address)) => format!(" at {address}"),
        (None, None) => String::new(),
    };
    format!("{} ({}{name}){at}", exception.description, exception.code)
}

fn system_text(system: &System) -> String {
    let build = system.build.as_ref().map(|build| format!("({build})"));
    let name: Vec<&str> =
        std::iter::once(&system.os).chain(&system.version).chain(&build).map(String::as_str).collect();
    let cpu = system.cpu.as_ref().map(|cpu| format!(", {cpu}")).unwrap_or_default();
    let plural = if system.processors == 1 { "" } else { "s" };
    format!("{}, {} processor{plural}{cpu}", name.join(" "), system.processors)
}

fn times_text(times: &Times, handles: Option<u32>) -> String {
    let seconds = |what: &str, seconds: Option<u64>| seconds.map(|seconds| format!("{seconds} s {what}"));
    let parts = [
        times.started.as_ref().map(|started| format!("started {started}")),
        seconds("before the dump", times.uptime_seconds),
        seconds("in user code", times.user_seconds),
        seconds("in the kernel", times.kernel_seconds),
        handles.map(|handles| format!("{handles} handles")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A word as one would type it into a shell.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn signal_text(signal: &Signal) -> String {
    let mut text = signal.name.clone();
    if let Some(code) = &signal.code_name {
        text = format!("{text} ({code})");
    }
    if let Some(address) = signal.address {
        text = format!("{text} at address {address}");
    }
    if let Some(sender) = signal.sender_pid {
        text = format!("{text}, sent by process {sender}");
    }
    text
}

/// The number that a runtime is shown by: none where it is the only one.
pub(crate) fn number_of(index: usize, others: &[Python]) -> Option<usize> {
    (!others.is_empty()).then_some(index + 1)
}

/// Prints which interpreter it is and how it was found.
pub(crate) fn python<W: Write>(p: &mut Printer<W>, python: &Python, number: Option<usize>) -> io::Result<()> {
    let mut text = python.version.clone();
    if let Some(number) = number {
        text = format!("#{number} {text}");
    }
    if python.free_threaded {
        let enabled = |interpreter: &Interpreter| interpreter.gil_enabled == Some(true);
        let all_enabled = python.interpreters.iter().all(enabled) && !python.interpreters.is_empty();
        text.push_str(if all_enabled { ", free-threaded with the GIL enabled" } else { ", free-threaded" });
    }
    if python.debug_build {
        text.push_str(", debug build");
    }
    if let Some(evidence) = python.evidence.first() {
        text = format!("{text}, found by {} ({})", evidence.method, evidence.detail);
    }
    field(p, "Python", &format!("{text}, layout {}", python.layout))?;
    if python.interpreters.len() > 1 {
        let each: Vec<String> = python
            .interpreters
            .iter()
            .map(|interpreter| {
                let main = if interpreter.main { "main, " } else { "" };
                let plural = if interpreter.thread_count == 1 { "" } else { "s" };
                let id = interpreter.id.map_or("?".to_owned(), |id| id.to_string());
                format!("{id} ({main}{} thread{plural})", interpreter.thread_count)
            })
            .collect();
        field(p, "Interp.", &each.join(", "))?;
    }
    Ok(())
}

/// Prints what was read.
pub(crate) fn source<W: Write>(p: &mut Printer<W>, source: &Source) -> io::Result<()> {
    let (name, kind) = match source.format {
        SourceFormat::ElfCore => ("Core", "ELF core"),
        SourceFormat::Minidump => ("Dump", "minidump"),
        SourceFormat::Live => ("Source", "live process"),
    };
    let cut = if source.truncated { ", TRUNCATED: its end is missing" } else { "" };
    let size = source.size_bytes as f64 / f64::from(1 << 20);
    let path = if source.path == "-" { "standard input" } else { &source.path };
    let contents =
        source.contents.as_ref().map(|contents| format!(" of {}", contents.memory)).unwrap_or_default();
    field(p, name, &format!("{path} ({kind}{contents}, {}, {size:.1} MiB{cut})", source.arch))?;
    let host = source.host.as_ref().map(|host| format!("on {host}"));
    let died = source.time.iter().chain(&host).cloned().collect::<Vec<_>>().join(" ");
    let name = if source.format == SourceFormat::Minidump { "Written" } else { "Died" };
    if died.is_empty() { Ok(()) } else { field(p, name, &died) }
}

/// Prints threads that are all in the same place.
pub(crate) fn threads<W: Write>(p: &mut Printer<W>, group: &[&Thread], shown: &mut Shown) -> io::Result<()> {
    let Some(first) = group.first() else {
        return Ok(());
    };
    let style = if first.crashed { p.styles.crashed } else { p.styles.heading };
    p.paint(style, line(&title(group, first)))?;
    writeln!(p)?;
    if first.crashed
        && let Some(native) = &first.native_location
    {
        writeln!(p, "  Native code at {}", stack::native_place(native))?;
    }
    if first.frames.is_empty() {
        if first.python {
            writeln!(p, "  (no Python frame)")?;
        }
    } else {
        writeln!(p, "Traceback (most recent call last):")?;
        stack::frames(p, shown, first.frames.iter().rev())?;
    }
    match &first.exceptions {
        Some(found) => exceptions(p, found, shown),
        None => Ok(()),
    }
}

/// Prints what a thread raises and handles.
pub(crate) fn exceptions<W: Write>(
    p: &mut Printer<W>,
    exceptions: &ThreadExceptions,
    shown: &mut Shown,
) -> io::Result<()> {
    if let Some(raising) = &exceptions.raising {
        one_exception(p, "In flight:", raising, shown)?;
    }
    let headings = std::iter::once("Being handled:").chain(std::iter::repeat("Being handled further out:"));
    for (heading, handling) in headings.zip(&exceptions.handling) {
        one_exception(p, heading, handling, shown)?;
    }
    Ok(())
}

/// What is said of threads that are all in the same place, `first` the first of them.
///
/// `Thread 12345 "Worker-1" (crashed, holds the GIL)`, or the same for many.
pub(crate) fn title(group: &[&Thread], first: &Thread) -> String {
    let mut text = match group {
        [_] => match first.tid {
            Some(tid) => match &first.number {
                Some(number) => format!("Thread {number} (tid {tid})"),
                None => format!("Thread {tid}"),
            },
            None => "Thread ?".to_owned(),
        },
        many => {
            let ids = grouping::id_ranges(many);
            let ids = grouping::number_ranges(many)
                .map_or(ids.clone(), |numbers| format!("{numbers} (tids {ids})"));
            format!("{} threads like this: {ids}", many.len())
        }
    };
    let last = group.last().and_then(|last| last.name.as_ref());
    match (&first.name, last) {
        (Some(name), Some(last)) if name != last => text = format!("{text} \"{name}\" ... \"{last}\""),
        (Some(name), _) => text = format!("{text} \"{name}\""),
        (None, _) => {}
    }
    let states = states(first);
    if !states.is_empty() {
        text = format!("{text} ({})", states.join(", "));
    }
    if let Some(native) = first.native_location.as_ref().filter(|_| !first.python && !first.crashed) {
        text = format!("{text} in {}", stack::native_place(native));
    }
    text
}

/// What is to be said of a thread in a word or two each.
pub(crate) fn states(thread: &Thread) -> Vec<String> {
    let states = [
        (thread.crashed, "crashed"),
        (thread.main, "main"),
        (thread.holds_gil == Some(true), "holds the GIL"),
        (thread.waiting_for_gil == Some(true), "waiting for the GIL"),
        (thread.attachment == Some(Attachment::Attached), "attached"),
        (thread.attachment == Some(Attachment::ShuttingDown), "shutting down"),
        (thread.collecting_garbage == Some(true), "collecting garbage"),
        (!thread.python, "no Python"),
    ];
    let mut states: Vec<String> =
        states.iter().filter(|(is, _)| *is).map(|(_, state)| (*state).to_owned()).collect();
    states.extend(thread.state.map(|state| state_text(state, thread.system_call.as_deref())));
    if let Some(index) = thread.runtime {
        states.push(format!("Python #{}", index + 1));
    }
    if let Some(id) = thread.interpreter.filter(|&id| id != 0) {
        states.push(format!("interpreter {id}"));
    }
    states
}

/// `running`, `sleeping in futex`.
pub(crate) fn state_text(state: ThreadState, system_call: Option<&str>) -> String {
    let state = match state {
        ThreadState::Running => "running",
        ThreadState::Sleeping => "sleeping",
        ThreadState::Uninterruptible => "sleeping uninterruptibly",
        ThreadState::Stopped => "stopped by a signal",
        ThreadState::Traced => "stopped by a debugger",
        ThreadState::Ended => "ended",
    };
    system_call.map_or_else(|| state.to_owned(), |call| format!("{state} in {call}"))
}

fn one_exception<W: Write>(
    p: &mut Printer<W>,
    heading: &str,
    exception: &Exception,
    shown: &mut Shown,
) -> io::Result<()> {
    writeln!(p)?;
    p.paint(p.styles.heading, line(heading))?;
    if shown.has_exception(exception.address) {
        return writeln!(p, " {} (shown above)", exception::one_line(exception));
    }
    writeln!(p)?;
    exception::chain(p, shown, exception)
}

fn last_exceptions<W: Write>(p: &mut Printer<W>, report: &Report, shown: &mut Shown) -> io::Result<()> {
    let pythons = report.python.iter().chain(&report.other_pythons);
    for interpreter in pythons.flat_map(|python| &python.interpreters) {
        if let Some(last) = &interpreter.last_exception {
            last_exception(p, interpreter, last, shown)?;
        }
    }
    Ok(())
}

/// Prints the exception that reached the top of an interpreter.
pub(crate) fn last_exception<W: Write>(
    p: &mut Printer<W>,
    interpreter: &Interpreter,
    last: &Exception,
    shown: &mut Shown,
) -> io::Result<()> {
    let of = match interpreter.id {
        Some(id) if !interpreter.main => format!(" of interpreter {id}"),
        _ => String::new(),
    };
    one_exception(p, &format!("Last unhandled exception{of} (sys.last_exc):"), last, shown)
}

/// Prints what could not be read.
pub(crate) fn gaps<W: Write>(p: &mut Printer<W>, gaps: &[Gap]) -> io::Result<()> {
    let groups = grouping::gaps(gaps);
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(p)?;
    p.paint(p.styles.heading, "Could not be read:")?;
    writeln!(p)?;
    for group in groups {
        let times = if group.count == 1 { String::new() } else { format!("{} x ", group.count) };
        write!(p, "  {times}{}: {}", line(group.what), line(group.why))?;
        if !group.at.is_empty() {
            let at: Vec<String> = group.at.iter().map(Address::to_string).collect();
            let more = if group.more == 0 { String::new() } else { format!(" and {} more", group.more) };
            write!(p, " (at {}{more})", at.join(", "))?;
        }
        writeln!(p)?;
    }
    Ok(())
}

/// Prints what the reader should know before trusting the rest.
pub(crate) fn warnings<W: Write>(p: &mut Printer<W>, warnings: &[String]) -> io::Result<()> {
    if !warnings.is_empty() {
        writeln!(p)?;
    }
    for warning in warnings {
        p.paint(p.styles.warning, "Warning:")?;
        writeln!(p, " {}", line(warning))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{exception, frame, local, report, thread, value};
    use crate::report::{Gap, Interpreter, NativeLocation, ThreadExceptions};

    fn shown(report: &Report) -> String {
        let mut out = Vec::new();
        text(report, &mut out, TextOptions::default()).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn crashed() -> Thread {
        let mut crashed = thread(4711, vec![frame("app.py", 3, "f"), frame("app.py", 9, "<module>")]);
        crashed.name = Some("MainThread".into());
        (crashed.crashed, crashed.main, crashed.holds_gil) = (true, true, Some(true));
        crashed.native_location = Some(NativeLocation {
            address: Address(0x7f00_0010),
            module: Some("/lib/libc.so.6".into()),
            offset: Some(Address(0x10)),
        });
        crashed
    }

    const HEADER: &str = "\
python3 (pid 4711) died of SIGSEGV in app.py line 3, in f

Process  4711: python3 app.py --name 'a b'
Program  /usr/bin/python3.11
Signal   SIGSEGV (SEGV_MAPERR) at address 0x10
Python   3.11.7, found by symbol (_PyRuntime in libpython3.11.so.1.0), layout cpython-3.11-x86_64
Core     core.4711 (ELF core, x86_64, 52.0 MiB)
";

    const CRASHED: &str = "
Thread 4711 \"MainThread\" (crashed, main, holds the GIL)
  Native code at libc.so.6+0x10 (0x7f000010)
Traceback (most recent call last):
  File \"app.py\", line 9, in <module>
  File \"app.py\", line 3, in f
";

    #[test]
    fn the_summary_comes_first_then_the_crashed_thread() {
        let mut crashed = crashed();
        crashed.frames[0].locals = Some(vec![local("n", value("int", "1"))]);
        crashed.frames[0].source = Some("  return g(n)".into());
        assert_eq!(shown(&report(vec![crashed])), format!("{HEADER}{CRASHED}    return g(n)\n      n = 1\n"));
    }

    #[test]
    fn exceptions_follow_their_thread_each_once() {
        let mut first = exception(0x10, "KeyError", "'k'");
        first.traceback = vec![frame("app.py", 2, "g")];
        let mut second = exception(0x20, "__main__.Bad", "b");
        second.context = Some(Box::new(first.clone()));
        let mut crashed = crashed();
        crashed.exceptions = Some(ThreadExceptions {
            raising: Some(exception(0x30, "ValueError", "")),
            handling: vec![second.clone(), first],
        });
        let mut report = report(vec![crashed]);
        report.python.as_mut().unwrap().interpreters[0].last_exception = Some(second);
        assert_eq!(
            shown(&report),
            format!(
                "{HEADER}{CRASHED}
In flight:
ValueError

Being handled:
Traceback (most recent call last):
  File \"app.py\", line 2, in g
KeyError: 'k'

During handling of the above exception, another exception occurred:

Bad: b

Being handled further out: KeyError: 'k' (shown above)

Last unhandled exception (sys.last_exc): Bad: b (shown above)
"
            )
        );
    }

    #[test]
    fn many_threads_in_the_same_place_are_shown_once() {
        let mut threads = vec![crashed()];
        for tid in 5000..5497 {
            let mut worker = thread(tid, vec![frame("worker.py", 7, "wait")]);
            worker.name = Some(format!("Worker-{}", tid - 4999));
            worker.waiting_for_gil = Some(true);
            threads.push(worker);
        }
        let mut native = thread(4800, Vec::new());
        (native.python, native.interpreter) = (false, None);
        native.native_location = crashed().native_location;
        threads.insert(1, native);
        let mut sub = thread(6000, Vec::new());
        sub.interpreter = Some(1);
        threads.push(sub);
        assert_eq!(
            shown(&report(threads)),
            format!(
                "{HEADER}{CRASHED}
497 threads like this: 5000-5496 \"Worker-1\" ... \"Worker-497\" (waiting for the GIL)
Traceback (most recent call last):
  File \"worker.py\", line 7, in wait

Thread 6000 (interpreter 1)
  (no Python frame)

Thread 4800 (no Python) in libc.so.6+0x10 (0x7f000010)
"
            )
        );
    }

    #[test]
    fn gaps_and_warnings_come_last() {
        let mut report = report(Vec::new());
        let gap =
            |at, what: &str| Gap { at: Some(Address(at)), what: what.into(), why: "not in the dump".into() };
        report.gaps = (1..=6).map(|at| gap(at * 16, "code object")).collect();
        report.gaps.push(Gap {
            at: None,
            what: "interpreter".into(),
            why: "no \u{1b}[2J layout fits".into(),
        });
        report.warnings = vec!["the file ends early".into()];
        (report.python, report.source.truncated) = (None, true);
        report.process = Process { pid: Some(7), ..Process::default() };
        report.diagnosis.details = vec!["seen in the note".into()];
        assert_eq!(
            shown(&report),
            "\
python3 (pid 4711) died of SIGSEGV in app.py line 3, in f
  seen in the note

Process  7
Python   none found
Core     core.4711 (ELF core, x86_64, 52.0 MiB, TRUNCATED: its end is missing)

Could not be read:
  6 x code object: not in the dump (at 0x10, 0x20, 0x30, 0x40 and 2 more)
  interpreter: no \\x1b[2J layout fits

Warning: the file ends early
"
        );
    }

    #[test]
    fn several_interpreters_are_listed() {
        let mut report = report(Vec::new());
        let python = report.python.as_mut().unwrap();
        (python.free_threaded, python.debug_build) = (true, true);
        python.interpreters.push(Interpreter {
            id: Some(1),
            main: false,
            thread_count: 2,
            gil_enabled: None,
            last_exception: Some(exception(1, "ValueError", "v")),
        });
        let text = shown(&report);
        assert!(text.contains("Python   3.11.7, free-threaded, debug build, found by"), "{text}");
        assert!(text.contains("Interp.  0 (main, 1 thread), 1 (2 threads)\n"), "{text}");
        assert!(
            text.ends_with("Last unhandled exception of interpreter 1 (sys.last_exc):\nValueError: v\n"),
            "{text}"
        );
    }

    #[test]
    fn free_threaded_builds_show_who_is_attached_and_whether_there_is_a_gil_nevertheless() {
        let mut attached = thread(1, Vec::new());
        attached.attachment = Some(Attachment::Attached);
        let mut detached = thread(2, Vec::new());
        detached.attachment = Some(Attachment::Detached);
        let mut report = report(vec![attached, detached]);
        report.python.as_mut().unwrap().free_threaded = true;
        report.python.as_mut().unwrap().interpreters[0].gil_enabled = Some(false);
        let text = shown(&report);
        assert!(text.contains("Python   3.11.7, free-threaded, found by"), "{text}");
        assert!(text.contains("Thread 1 (attached)\n") && text.contains("Thread 2\n"), "{text}");

        report.python.as_mut().unwrap().interpreters[0].gil_enabled = Some(true);
        let text = shown(&report);
        assert!(text.contains("3.11.7, free-threaded with the GIL enabled, found by"), "{text}");
    }

    /// Every string of a report that could come out of a dump, hostile; only a message, a note and an array's repr
    /// may have several lines, as Python prints them.
    #[test]
    fn no_string_of_a_dump_reaches_the_terminal_as_it_is() {
        let evil = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r\nThread 1 (crashed)";
        let mut crashed = crashed();
        crashed.name = Some(evil.into());
        crashed.native_location.as_mut().unwrap().module = Some(evil.into());
        let mut object = value(evil, "<x at 0x1>");
        object.note = Some(evil.into());
        object.children = vec![crate::render::samples::attribute(evil, value(evil, "1"))];
        crashed.frames[0].locals = Some(vec![local(evil, object)]);
        (crashed.frames[0].file, crashed.frames[0].function) = (Some(evil.into()), Some(evil.into()));
        crashed.frames[0].source = Some(evil.into());
        let mut error = exception(1, evil, "m");
        error.note = Some(evil.into());
        crashed.exceptions = Some(ThreadExceptions { handling: vec![error.clone(), error], raising: None });
        let mut report = report(vec![crashed]);
        report.source.path = evil.into();
        report.source.arch = evil.into();
        report.process.executable = Some(evil.into());
        report.process.command_line = Some(vec![evil.into()]);
        report.process.signal.as_mut().unwrap().name = evil.into();
        let python = report.python.as_mut().unwrap();
        (python.version, python.layout) = (evil.into(), evil.into());
        python.evidence[0].detail = evil.into();
        report.diagnosis.summary = evil.into();
        report.diagnosis.details = vec![evil.into()];
        report.warnings = vec![evil.into()];
        report.gaps = vec![Gap { at: None, what: evil.into(), why: evil.into() }];
        let text = shown(&report);
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\r']), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("Thread 1 ")), "{text}");

        report.threads[0].exceptions.as_mut().unwrap().handling[0].message = Some(evil.into());
        report.threads[0].exceptions.as_mut().unwrap().handling[0].notes = vec![evil.into()];
        let text = shown(&report);
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\r']), "{text:?}");
    }

    #[test]
    fn colours_change_nothing_but_the_looks() {
        let report = report(vec![crashed()]);
        let mut coloured = Vec::new();
        text(&report, &mut coloured, TextOptions { colour: true }).unwrap();
        assert!(coloured.contains(&0x1b));
        assert_eq!(anstream::adapter::strip_bytes(&coloured).into_vec(), shown(&report).into_bytes());
    }
}
