//! The stacks of all threads in as few lines as can be: where a live process is.

use crate::render::grouping;
use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::text::{TextOptions, field, gaps, process, title, warnings};
use crate::report::{Frame, Report, Thread};
use std::io::{self, Write};

/// Writes which process and which Python it is, then each thread with its frames, innermost first.
///
/// # Errors
/// Those of `out`.
pub fn brief_text(report: &Report, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    process(&mut p, &report.process)?;
    for python in report.python.iter().chain(&report.other_pythons) {
        let kind = if python.free_threaded { ", free-threaded" } else { "" };
        field(&mut p, "Python", &format!("{}{kind}", python.version))?;
    }
    if report.python.is_none() {
        field(&mut p, "Python", &report.diagnosis.summary)?;
    }
    let (python, native): (Vec<_>, Vec<_>) = report.threads.iter().partition(|thread| thread.python);
    for group in grouping::threads(python.into_iter()) {
        writeln!(p)?;
        threads(&mut p, &group)?;
    }
    if !native.is_empty() {
        writeln!(p)?;
    }
    for group in grouping::threads(native.into_iter()) {
        threads(&mut p, &group)?;
    }
    gaps(&mut p, &report.gaps)?;
    warnings(&mut p, &report.warnings)?;
    p.flush()
}

fn threads<W: Write>(p: &mut Printer<W>, group: &[&Thread]) -> io::Result<()> {
    let Some(first) = group.first() else { return Ok(()) };
    p.paint(p.styles.heading, line(&title(group, first)))?;
    writeln!(p)?;
    if !first.python {
        return Ok(());
    }
    if first.frames.is_empty() {
        writeln!(p, "    (no Python frame)")?;
    }
    first.frames.iter().try_for_each(|frame| one_frame(p, frame))
}

/// `    Worker.run (/srv/app.py:12)`, and its locals.
fn one_frame<W: Write>(p: &mut Printer<W>, frame: &Frame) -> io::Result<()> {
    let name = frame.qualname.as_ref().or(frame.function.as_ref());
    write!(p, "    {} (", line(name.map_or("?", String::as_str)))?;
    let number = frame.line.map_or_else(|| "?".to_owned(), |number| number.to_string());
    p.paint(p.styles.place, format_args!("{}:{number}", line(frame.file.as_deref().unwrap_or("?"))))?;
    writeln!(p, ")")?;
    for local in frame.locals.iter().flatten() {
        write!(p, "        ")?;
        p.paint(p.styles.name, line(&local.name))?;
        writeln!(p, " = {}", line(&local.value.repr))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{frame, local, report, thread, value};
    use crate::report::ThreadState;

    #[test]
    fn a_thread_is_its_state_and_its_frames_innermost_first() {
        let mut sleeper =
            thread(7, vec![frame("/srv/app.py", 7, "run"), frame("/srv/app.py", 20, "<module>")]);
        sleeper.state = Some(ThreadState::Sleeping);
        sleeper.system_call = Some("read".to_owned());
        sleeper.frames[0].locals = Some(vec![local("n", value("str", "'a\u{1b}[2J'"))]);
        let mut native = thread(8, Vec::new());
        native.python = false;
        native.state = Some(ThreadState::Running);
        let mut out = Vec::new();
        brief_text(&report(vec![sleeper, native]), &mut out, TextOptions::default()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let threads = text.split_once("\n\n").unwrap().1;
        assert_eq!(
            threads,
            "Thread 7 (sleeping in read)\n    run (/srv/app.py:7)\n        n = 'a\\x1b[2J'\n    \
             <module> (/srv/app.py:20)\n\nThread 8 (no Python, running)\n"
        );
    }
}
