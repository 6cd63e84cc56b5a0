//! Writing lines for people: indentation, colours, and nothing unsafe from the dump.

use crate::render::sanitize::{Guard, Notation};
use anstyle::{AnsiColor, Style};
use std::fmt;
use std::io::{self, Write};

/// The looks of each kind of text; all plain when colours are off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Styles {
    /// What the reader should see first.
    pub(crate) summary: Style,
    /// A heading.
    pub(crate) heading: Style,
    /// The thread that crashed.
    pub(crate) crashed: Style,
    /// The type of an exception.
    pub(crate) exception: Style,
    /// A file and its line.
    pub(crate) place: Style,
    /// A variable's name.
    pub(crate) name: Style,
    /// What pycore says about a value, not the value itself.
    pub(crate) remark: Style,
    /// A warning.
    pub(crate) warning: Style,
}

impl Styles {
    /// The looks for a terminal with colours.
    pub(crate) fn coloured() -> Styles {
        Styles {
            summary: Style::new().bold(),
            heading: Style::new().bold(),
            crashed: AnsiColor::Red.on_default().bold(),
            exception: AnsiColor::Magenta.on_default().bold(),
            place: AnsiColor::Cyan.on_default(),
            name: AnsiColor::Green.on_default(),
            remark: Style::new().dimmed(),
            warning: AnsiColor::Yellow.on_default().bold(),
        }
    }
}

/// Writes text with a prefix before every line.
pub(crate) struct Printer<W> {
    out: Guard<W>,
    prefix: String,
    at_line_start: bool,
    /// The looks in use.
    pub(crate) styles: Styles,
}

impl<W: Write> Printer<W> {
    /// A printer on `out`.
    pub(crate) fn new(out: W, colour: bool) -> Self {
        let styles = if colour { Styles::coloured() } else { Styles::default() };
        Printer { out: Guard::new(out, Notation::Python), prefix: String::new(), at_line_start: true, styles }
    }

    /// Puts `prefix` before every line that begins from now on; gives back the one before.
    pub(crate) fn set_prefix(&mut self, prefix: String) -> String {
        std::mem::replace(&mut self.prefix, prefix)
    }

    /// Adds to the prefix while `body` prints.
    pub(crate) fn indented(
        &mut self,
        by: &str,
        body: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let length = self.prefix.len();
        self.prefix.push_str(by);
        let result = body(self);
        self.prefix.truncate(length);
        result
    }

    /// Prints in a style, which never reaches over what `text` says.
    pub(crate) fn paint(&mut self, style: Style, text: impl fmt::Display) -> io::Result<()> {
        if style.is_plain() {
            return write!(self, "{text}");
        }
        self.begin_line()?;
        write!(self.out.inner(), "{}", style.render())?;
        write!(self, "{text}")?;
        write!(self.out.inner(), "{}", style.render_reset())
    }

    fn begin_line(&mut self) -> io::Result<()> {
        if self.at_line_start {
            self.at_line_start = false;
            self.out.write_all(self.prefix.as_bytes())?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Printer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|&b| b == b'\n') {
            self.begin_line()?;
            self.out.write_all(part)?;
            self.at_line_start = part.ends_with(b"\n");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_gets_the_prefix_also_an_empty_one() {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, false);
        printer.indented("  | ", |p| write!(p, "a\n\nb\n")).unwrap();
        writeln!(printer, "c").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  | a\n  | \n  | b\nc\n");
    }

    #[test]
    fn only_the_printer_itself_writes_escape_sequences() {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, true);
        let style = printer.styles.heading;
        printer.paint(style, "\x1b[31mred").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\x1b[1m\\x1b[31mred\x1b[0m");
    }
}
