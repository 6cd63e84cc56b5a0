//! Stacks as Python prints them: the innermost frame last, repeated frames folded.

use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::render::value::{has_locals, locals};
use crate::report::file_name;
use crate::report::{Frame, FrameKind};
use std::io::{self, Write};

/// How many equal frames Python prints before it counts the rest.
const REPEATED_SHOWN: usize = 3;

/// Prints frames that come outermost first, each with its source line and locals where the report has them.
///
/// Of frames folded into `[Previous line repeated ...]` only the last one's locals are shown.
pub(crate) fn frames<'a, W: Write>(
    p: &mut Printer<W>,
    shown: &mut Shown,
    frames: impl IntoIterator<Item = &'a Frame>,
) -> io::Result<()> {
    let mut last: Option<&Frame> = None;
    let mut count = 0;
    for current in frames {
        if let Some(before) = last
            && !is_repetition(before, current)
        {
            repetitions(p, shown, before, count)?;
            count = 0;
        }
        count += 1;
        last = Some(current);
        if count <= REPEATED_SHOWN {
            frame(p, shown, current)?;
        }
    }
    match last {
        Some(last) => repetitions(p, shown, last, count),
        None => Ok(()),
    }
}

/// Whether two frames are at the same line of the same function, of which all parts are known.
fn is_repetition(a: &Frame, b: &Frame) -> bool {
    a.kind == FrameKind::Python
        && b.kind == FrameKind::Python
        && a.line.is_some()
        && (a.line, &a.file, &a.function) == (b.line, &b.file, &b.function)
}

fn repetitions<W: Write>(
    p: &mut Printer<W>,
    shown: &mut Shown,
    last: &Frame,
    count: usize,
) -> io::Result<()> {
    let Some(more) = count.checked_sub(REPEATED_SHOWN).filter(|&more| more > 0) else {
        return Ok(());
    };
    let plural = if more == 1 { "" } else { "s" };
    if has_locals(last) {
        writeln!(p, "  [Previous line repeated {more} more time{plural}; in the last of them:]")?;
        locals(p, shown, last)
    } else {
        writeln!(p, "  [Previous line repeated {more} more time{plural}]")
    }
}

fn frame<W: Write>(p: &mut Printer<W>, shown: &mut Shown, frame: &Frame) -> io::Result<()> {
    match frame.kind {
        FrameKind::Python => python_frame(p, shown, frame),
        FrameKind::Native => native_frame(p, frame),
    }
}

fn python_frame<W: Write>(p: &mut Printer<W>, shown: &mut Shown, frame: &Frame) -> io::Result<()> {
    let style = p.styles.place;
    write!(p, "  File ")?;
    p.paint(style, format_args!("\"{}\"", line(frame.file.as_deref().unwrap_or("?"))))?;
    write!(p, ", line ")?;
    match frame.line {
        Some(number) => p.paint(style, number)?,
        None => p.paint(style, "?")?,
    }
    writeln!(p, ", in {}", line(frame.function.as_deref().unwrap_or("?")))?;
    if let Some(source) = frame.source.as_deref().map(str::trim).filter(|source| !source.is_empty()) {
        writeln!(p, "    {}", line(source))?;
    }
    locals(p, shown, frame)
}

fn native_frame<W: Write>(p: &mut Printer<W>, frame: &Frame) -> io::Result<()> {
    write!(p, "  Native ")?;
    if let Some(native) = &frame.native {
        p.paint(p.styles.place, native_place(native))?;
    }
    if let Some(symbol) = &frame.function {
        write!(p, ", in {}", line(symbol))?;
    }
    if let Some(trust) = frame.trust {
        p.paint(p.styles.remark, format_args!("  [{}]", line(trust)))?;
    }
    writeln!(p)
}

/// `libc.so.6+0x9e7ec (0x7f12...)`, or the address alone.
pub(crate) fn native_place(native: &crate::report::NativeLocation) -> String {
    let Some(module) = &native.module else {
        return native.address.to_string();
    };
    let file = file_name(module);
    match native.offset {
        Some(offset) => format!("{}+{offset} ({})", line(file), native.address),
        None => format!("{} ({})", line(file), native.address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Address;
    use crate::render::samples::{frame, local, value};
    use crate::report::NativeLocation;

    fn shown(stack: &[Frame]) -> String {
        let mut out = Vec::new();
        frames(&mut Printer::new(&mut out, false), &mut Shown::default(), stack).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn recursion(depth: usize) -> Vec<Frame> {
        let mut stack = vec![frame("app.py", 9, "<module>")];
        stack.extend((0..depth).map(|_| frame("app.py", 3, "f")));
        stack
    }

    #[test]
    fn frames_read_as_python_prints_them() {
        let mut inner = frame("/srv/app.py", 7, "run");
        inner.source = Some("    return self.step()  # next\n".into());
        let mut unknown = frame("", 0, "");
        (unknown.file, unknown.line, unknown.function) = (None, None, None);
        let mut native = frame("", 0, "memcpy");
        native.kind = FrameKind::Native;
        native.native = Some(NativeLocation {
            address: Address(0x7f00_1010),
            module: Some("/lib/libc.so.6".into()),
            offset: Some(Address(0x10)),
        });
        native.trust = Some("scan");
        assert_eq!(
            shown(&[frame("/srv/app.py", 20, "<module>"), inner, unknown, native]),
            "  File \"/srv/app.py\", line 20, in <module>\n  \
               File \"/srv/app.py\", line 7, in run\n    \
                 return self.step()  # next\n  \
               File \"?\", line ?, in ?\n  \
               Native libc.so.6+0x10 (0x7f001010), in memcpy  [scan]\n"
        );
    }

    #[test]
    fn repeated_frames_are_folded_as_python_does() {
        let line = "  File \"app.py\", line 3, in f\n";
        let top = "  File \"app.py\", line 9, in <module>\n";
        assert_eq!(shown(&recursion(3)), format!("{top}{}", line.repeat(3)));
        assert_eq!(
            shown(&recursion(4)),
            format!("{top}{}  [Previous line repeated 1 more time]\n", line.repeat(3))
        );
        let mut stack = recursion(10_000);
        stack.push(frame("app.py", 2, "f"));
        assert_eq!(
            shown(&stack),
            format!(
                "{top}{}  [Previous line repeated 9997 more times]\n  File \"app.py\", line 2, in f\n",
                line.repeat(3)
            )
        );
    }

    #[test]
    fn the_last_of_the_folded_frames_shows_its_locals() {
        let mut stack = recursion(5);
        for (index, frame) in stack.iter_mut().enumerate() {
            frame.locals = Some(vec![local("n", value("int", &index.to_string()))]);
        }
        assert_eq!(
            shown(&stack),
            "  File \"app.py\", line 9, in <module>
      n = 0
  File \"app.py\", line 3, in f
      n = 1
  File \"app.py\", line 3, in f
      n = 2
  File \"app.py\", line 3, in f
      n = 3
  [Previous line repeated 2 more times; in the last of them:]
      n = 5
"
        );
    }

    #[test]
    fn a_file_name_cannot_forge_a_line() {
        assert_eq!(
            shown(&[frame("a\n  File \"b\x1b[2J", 1, "f\u{202e}")]),
            "  File \"a\\n  File \"b\\x1b[2J\", line 1, in f\\u202e\n"
        );
    }
}
