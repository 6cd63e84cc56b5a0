//! The report as text: what a person wants at three in the morning, most urgent first.

use crate::addr::Address;
use crate::render::exception;
use crate::render::grouping;
use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::stack;
use crate::report::{Exception, Process, Python, Report, Signal, Source, SourceFormat, Thread};
use std::collections::HashSet;
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
    let mut shown = HashSet::new();
    let (python, native): (Vec<_>, Vec<_>) =
        report.threads.iter().partition(|thread| thread.python || thread.crashed);
    for group in grouping::threads(python.into_iter()).iter().chain(&grouping::threads(native.into_iter())) {
        threads(&mut p, group, &mut shown)?;
    }
    last_exceptions(&mut p, report, &mut shown)?;
    gaps(&mut p, report)?;
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
        Some(found) => python(p, found)?,
        None => field(p, "Python", "none found")?,
    }
    source(p, &report.source)
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
    if let Some(signal) = &process.signal {
        field(p, "Signal", &signal_text(signal))?;
    }
    Ok(())
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

/// Prints which interpreter it is and how it was found.
pub(crate) fn python<W: Write>(p: &mut Printer<W>, python: &Python) -> io::Result<()> {
    let mut text = python.version.clone();
    if python.free_threaded {
        text.push_str(", free-threaded");
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
                format!("{} ({main}{} thread{plural})", interpreter.id, interpreter.thread_count)
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
    field(p, name, &format!("{} ({kind}, {}, {size:.1} MiB{cut})", source.path, source.arch))
}

/// Prints threads that are all in the same place; each exception whose address is in `shown` only by name.
fn threads<W: Write>(p: &mut Printer<W>, group: &[&Thread], shown: &mut HashSet<Address>) -> io::Result<()> {
    let Some(first) = group.first() else {
        return Ok(());
    };
    writeln!(p)?;
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
        stack::frames(p, first.frames.iter().rev())?;
    }
    if let Some(exceptions) = &first.exceptions {
        if let Some(raising) = &exceptions.raising {
            one_exception(p, "In flight:", raising, shown)?;
        }
        let headings =
            std::iter::once("Being handled:").chain(std::iter::repeat("Being handled further out:"));
        for (heading, handling) in headings.zip(&exceptions.handling) {
            one_exception(p, heading, handling, shown)?;
        }
    }
    Ok(())
}

/// `Thread 12345 "Worker-1" (crashed, holds the GIL)`, or the same for many.
fn title(group: &[&Thread], first: &Thread) -> String {
    let mut text = match group {
        [_] => match first.tid {
            Some(tid) => format!("Thread {tid}"),
            None => "Thread ?".to_owned(),
        },
        many => format!("{} threads like this: {}", many.len(), grouping::id_ranges(many)),
    };
    let last = group.last().and_then(|last| last.name.as_ref());
    match (&first.name, last) {
        (Some(name), Some(last)) if name != last => text = format!("{text} \"{name}\" ... \"{last}\""),
        (Some(name), _) => text = format!("{text} \"{name}\""),
        (None, _) => {}
    }
    let states = [
        (first.crashed, "crashed"),
        (first.main, "main"),
        (first.holds_gil == Some(true), "holds the GIL"),
        (first.waiting_for_gil == Some(true), "waiting for the GIL"),
        (first.collecting_garbage == Some(true), "collecting garbage"),
        (!first.python, "no Python"),
    ];
    let mut states: Vec<String> =
        states.iter().filter(|(is, _)| *is).map(|(_, state)| (*state).to_owned()).collect();
    if let Some(id) = first.interpreter.filter(|&id| id != 0) {
        states.push(format!("interpreter {id}"));
    }
    if !states.is_empty() {
        text = format!("{text} ({})", states.join(", "));
    }
    if let Some(native) = first.native_location.as_ref().filter(|_| !first.python && !first.crashed) {
        text = format!("{text} in {}", stack::native_place(native));
    }
    text
}

fn one_exception<W: Write>(
    p: &mut Printer<W>,
    heading: &str,
    exception: &Exception,
    shown: &mut HashSet<Address>,
) -> io::Result<()> {
    writeln!(p)?;
    p.paint(p.styles.heading, line(heading))?;
    if shown.contains(&exception.address) {
        return writeln!(p, " {} (shown above)", exception::one_line(exception));
    }
    writeln!(p)?;
    exception::addresses(exception, shown);
    exception::chain(p, exception)
}

fn last_exceptions<W: Write>(
    p: &mut Printer<W>,
    report: &Report,
    shown: &mut HashSet<Address>,
) -> io::Result<()> {
    for interpreter in report.python.iter().flat_map(|python| &python.interpreters) {
        if let Some(last) = &interpreter.last_exception {
            let of =
                if interpreter.main { String::new() } else { format!(" of interpreter {}", interpreter.id) };
            one_exception(p, &format!("Last unhandled exception{of} (sys.last_exc):"), last, shown)?;
        }
    }
    Ok(())
}

fn gaps<W: Write>(p: &mut Printer<W>, report: &Report) -> io::Result<()> {
    let groups = grouping::gaps(&report.gaps);
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
