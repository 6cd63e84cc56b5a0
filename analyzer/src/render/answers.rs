//! Answers to single questions as text.

use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::render::table::Table;
use crate::render::text::{self, TextOptions};
use crate::render::{greenlets, grouping, stack, tasks, value};
use crate::report::{
    Backtrace, Completions, ExecState, Frame, FrameAnswer, Gil, GilThread, Gils, InterpreterList, Listing,
    ModuleList, Printed, RaisedAnswer, TasksAnswer, ThreadList, Verdict, file_name,
};
use std::io::{self, Write};

/// What `write` writes; nothing that it writes to a string fails.
pub fn to_string(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut bytes = Vec::new();
    // A vector takes all that is written.
    let _ = write(&mut bytes);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Writes the frames of threads; of all threads those in the same place once.
///
/// # Errors
/// Those of `out`.
pub fn backtrace(found: &Backtrace, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let mut shown = Shown::default();
    for (index, group) in grouping::threads(found.threads.iter()).iter().enumerate() {
        if index > 0 {
            writeln!(p)?;
        }
        text::threads(&mut p, group, &mut shown)?;
    }
    if found.threads.is_empty() {
        writeln!(p, "No thread has a Python thread state.")?;
    }
    if found.without_python > 0 {
        let plural = if found.without_python == 1 { "" } else { "s" };
        writeln!(p)?;
        p.paint(
            p.styles.remark,
            format_args!("[{} more thread{plural} without Python]", found.without_python),
        )?;
        writeln!(p)?;
    }
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes a line for each thread.
///
/// # Errors
/// Those of `out`.
pub fn thread_list(found: &ThreadList, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let numbered = found.threads.iter().any(|listed| listed.thread.number.is_some());
    let mut head = vec![" ", "Thread", "Name", "State", "Innermost frame"];
    if numbered {
        head.insert(1, "Id");
    }
    let mut table = Table::new(head);
    for listed in &found.threads {
        let thread = &listed.thread;
        let mut cells = vec![if listed.selected { "*" } else { " " }.to_owned()];
        if numbered {
            cells.push(thread.number.clone().unwrap_or_default());
        }
        cells.push(thread.tid.map_or("?".to_owned(), |tid| tid.to_string()));
        cells.push(thread.name.clone().unwrap_or_default());
        cells.push(text::states(thread).join(", "));
        cells.push(match thread.frames.first() {
            Some(frame) => place(frame),
            None if thread.python => "(no Python frame)".to_owned(),
            None => String::new(),
        });
        table.add(cells);
    }
    table.print(&mut p)?;
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// `run (app.py:12)`.
fn place(frame: &Frame) -> String {
    if let Some(native) = &frame.native {
        return stack::native_place(native);
    }
    let function = frame.qualname.as_ref().or(frame.function.as_ref());
    let number = frame.line.map_or("?".to_owned(), |number| number.to_string());
    let file = frame.file.as_deref().map_or("?", file_name);
    line(&format!("{} ({file}:{number})", function.map_or("?", String::as_str))).to_string()
}

/// Writes which frame it is, with its variables if they are there.
///
/// # Errors
/// Those of `out`.
pub fn frame(found: &FrameAnswer, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let thread = match (&found.number, found.thread) {
        (Some(number), Some(tid)) => format!(" of thread {number} (tid {tid})"),
        (_, Some(tid)) => format!(" of thread {tid}"),
        _ => String::new(),
    };
    let heading =
        format!("Python frame {} of 0 to {}{thread}", found.index, found.frame_count.saturating_sub(1));
    p.paint(p.styles.heading, line(&heading))?;
    writeln!(p)?;
    let shown = Frame { locals: found.locals.clone(), ..found.frame.clone() };
    stack::frames(&mut p, &mut Shown::default(), [&shown])?;
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes the variables of a frame, one or more lines each; of a module's frame not what its source defines.
///
/// # Errors
/// Those of `out`.
pub fn locals(found: &FrameAnswer, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let frame = Frame { locals: found.locals.clone(), ..found.frame.clone() };
    if value::has_locals(&frame) {
        value::flush_locals(&mut p, &mut Shown::default(), &frame)?;
    } else {
        writeln!(p, "No variable has a value here.")?;
    }
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes global names, one or more lines each.
///
/// # Errors
/// Those of `out`.
pub fn globals(found: &FrameAnswer, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let mut shown = Shown::default();
    for local in found.locals.iter().flatten() {
        value::named(&mut p, &mut shown, &local.name, &local.value)?;
    }
    if found.left_out > 0 {
        p.paint(
            p.styles.remark,
            format_args!("[{} more: the module's own names, modules, classes and functions]", found.left_out),
        )?;
        writeln!(p)?;
    }
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes the value of an expression.
///
/// # Errors
/// Those of `out`.
pub fn printed(found: &Printed, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    value::named(&mut p, &mut Shown::default(), &found.expression, &found.value)?;
    for remark in &found.remarks {
        p.paint(p.styles.remark, format_args!("[{}]", line(remark)))?;
        writeln!(p)?;
    }
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes completions, one a line.
///
/// # Errors
/// Those of `out`.
pub fn completions(found: &Completions, out: impl Write) -> io::Result<()> {
    let mut p = Printer::new(out, false);
    for completion in &found.completions {
        writeln!(p, "{}", line(completion))?;
    }
    p.flush()
}

/// Writes lines of a source file with their numbers, the current one marked.
///
/// # Errors
/// Those of `out`.
pub fn listing(found: &Listing, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    p.paint(p.styles.place, line(&found.path))?;
    writeln!(p)?;
    for (number, source) in (found.first..).zip(&found.lines) {
        let current = number == found.line;
        let mark = if current { "->" } else { "  " };
        let text = format!("{mark} {number:>5}  {}", line(&source.replace('\t', "        ")));
        if current {
            p.paint(p.styles.heading, text.trim_end())?
        } else {
            write!(p, "{}", text.trim_end())?
        }
        writeln!(p)?;
    }
    if found.changed {
        let warning =
            "the file changed after this was run: lines may not be those that are executed".to_owned();
        text::warnings(&mut p, &[warning])?;
    }
    p.flush()
}

/// Writes what threads raise and handle.
///
/// # Errors
/// Those of `out`.
pub fn raised(found: &RaisedAnswer, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let mut shown = Shown::default();
    let mut any = false;
    for thread in &found.threads {
        let Some(exceptions) = thread.exceptions.as_ref() else { continue };
        if exceptions.raising.is_none() && exceptions.handling.is_empty() {
            continue;
        }
        if any {
            writeln!(p)?;
        }
        any = true;
        p.paint(p.styles.heading, line(&text::title(&[thread], thread)))?;
        writeln!(p)?;
        text::exceptions(&mut p, exceptions, &mut shown)?;
    }
    for (interpreter, last) in found.unhandled() {
        any = true;
        text::last_exception(&mut p, interpreter, last, &mut shown)?;
    }
    if !any {
        let who = if found.threads.len() == 1 { "The thread" } else { "No thread" };
        let verb = if found.threads.len() == 1 {
            "raises and handles no exception"
        } else {
            "raises or handles an exception"
        };
        writeln!(p, "{who} {verb}.")?;
    }
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes who holds the global interpreter lock.
///
/// # Errors
/// Those of `out`.
pub fn gil(found: &Gils, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let several = found.gils.len() > 1;
    for gil in &found.gils {
        if several {
            let id = gil.interpreter.map_or("?".to_owned(), |id| id.to_string());
            let runtime = gil.runtime.map(|index| format!(" of Python #{}", index + 1)).unwrap_or_default();
            p.paint(p.styles.heading, format_args!("Interpreter {id}{runtime}"))?;
            writeln!(p)?;
        }
        one_gil(&mut p, gil, several)?;
    }
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

fn one_gil<W: Write>(p: &mut Printer<W>, gil: &Gil, several: bool) -> io::Result<()> {
    if !gil.enabled {
        writeln!(
            p,
            "There is no GIL: the build is free-threaded. Attached, and so free to run Python code:"
        )?;
        return gil_threads(p, &gil.attached);
    }
    match &gil.holder {
        Some(holder) => {
            writeln!(p, "The GIL is held by")?;
            gil_threads(p, std::slice::from_ref(holder))?;
        }
        None if !gil.known => writeln!(p, "It is not known who holds the GIL.")?,
        None if several => writeln!(p, "None of its threads holds the GIL.")?,
        None => writeln!(p, "Nobody holds the GIL.")?,
    }
    match (gil.waiting.as_slice(), gil.waiting_known) {
        ([], true) => writeln!(p, "Nobody waits for it.")?,
        ([], false) => writeln!(p, "It is not known who waits for it.")?,
        (waiting, _) => {
            writeln!(p, "Waiting for it:")?;
            gil_threads(p, waiting)?;
        }
    }
    if let Some(collecting) = &gil.collecting {
        writeln!(p, "Garbage is collected by")?;
        gil_threads(p, std::slice::from_ref(collecting))?;
    }
    Ok(())
}

fn gil_threads<W: Write>(p: &mut Printer<W>, threads: &[GilThread]) -> io::Result<()> {
    for thread in threads {
        let at = thread.frame.as_ref().map(|frame| format!(" in {}", place(frame))).unwrap_or_default();
        writeln!(p, "  {}{at}", line(&thread.label()))?;
    }
    if threads.is_empty() {
        writeln!(p, "  (no thread)")?;
    }
    Ok(())
}

/// Writes which interpreters there are.
///
/// # Errors
/// Those of `out`.
pub fn interpreters(found: &InterpreterList, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    for (index, python) in found.pythons.iter().enumerate() {
        text::python(&mut p, python, (found.pythons.len() > 1).then_some(index + 1))?;
        let mut table = Table::new(vec!["Interpreter", "Threads", "GIL", ""]);
        for interpreter in &python.interpreters {
            table.add(vec![
                interpreter.id.map_or("?".to_owned(), |id| id.to_string()),
                interpreter.thread_count.to_string(),
                match (python.free_threaded, interpreter.gil_enabled) {
                    (false, _) => "yes",
                    (true, Some(true)) => "enabled",
                    (true, Some(false)) => "no",
                    (true, None) => "?",
                }
                .to_owned(),
                if interpreter.main { "main" } else { "" }.to_owned(),
            ]);
        }
        table.print(&mut p)?;
    }
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes a line for each module.
///
/// # Errors
/// Those of `out`.
pub fn modules(found: &ModuleList, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let first = found.modules.first().map(|module| module.interpreter);
    let several = found.modules.iter().any(|module| Some(module.interpreter) != first);
    let mut head = vec!["Module", "Version", "File"];
    if several {
        head.insert(0, "Interp.");
    }
    let mut table = Table::new(head);
    for module in &found.modules {
        let mut cells = vec![
            module.name.clone(),
            module.version.clone().unwrap_or_default(),
            module.file.clone().unwrap_or_default(),
        ];
        if several {
            cells.insert(0, module.interpreter.map_or("?".to_owned(), |id| id.to_string()));
        }
        table.add(cells);
    }
    table.print(&mut p)?;
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes tasks, generators and greenlets.
///
/// # Errors
/// Those of `out`.
pub fn suspended(found: &TasksAnswer, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let mut shown = Shown::default();
    tasks::tasks(&mut p, &mut shown, &found.tasks)?;
    tasks::generators(&mut p, &mut shown, &found.generators)?;
    greenlets::greenlets(&mut p, &mut shown, &found.greenlets)?;
    text::gaps(&mut p, &found.gaps)?;
    p.flush()
}

/// Writes whether code may be run, and why not.
///
/// # Errors
/// Those of `out`.
pub fn exec_state(state: &ExecState, out: impl Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    let verdict = match state.verdict {
        Verdict::Yes => "Code can be run now.",
        Verdict::Waits => "Code has to wait.",
        Verdict::No => "No code can be run now.",
    };
    p.paint(p.styles.summary, verdict)?;
    writeln!(p)?;
    for reason in &state.reasons {
        writeln!(p, "  {}", line(reason))?;
    }
    if let Some(remote) = &state.remote {
        let enabled = remote.threads.iter().filter(|thread| thread.enabled == Some(true)).count();
        writeln!(
            p,
            "Scripts of debuggers (PEP 768) are taken by {enabled} of {} threads.",
            remote.threads.len()
        )?;
    }
    text::gaps(&mut p, &state.gaps)?;
    p.flush()
}
