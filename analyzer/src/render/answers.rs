//! Answers to single questions as text.

use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::render::table::Table;
use crate::render::text::{self, TextOptions};
use crate::render::{grouping, stack};
use crate::report::{Backtrace, Frame, ThreadList, file_name};
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
        p.paint(
            p.styles.remark,
            format_args!("\n[{} more thread{plural} without Python]", found.without_python),
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
