//! Exceptions as Python prints them: chains oldest first, groups in boxes (the format of Lib/traceback.py, 3.11-3.14).

use crate::addr::Address;
use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::render::stack::frames;
use crate::report::Exception;
use std::io::{self, Write};

const CAUSE: &str = "\nThe above exception was the direct cause of the following exception:\n\n";
const CONTEXT: &str = "\nDuring handling of the above exception, another exception occurred:\n\n";

/// `TracebackException.max_group_width`.
const MAX_GROUP_WIDTH: usize = 15;
/// `TracebackException.max_group_depth`.
const MAX_GROUP_DEPTH: usize = 10;

/// Prints an exception with all that Python would print before it.
pub(crate) fn chain<W: Write>(
    p: &mut Printer<W>,
    shown: &mut Shown,
    exception: &Exception,
) -> io::Result<()> {
    shown.add_exceptions(addresses(exception));
    Boxes { base: p.set_prefix(String::new()), shown, depth: 0, needs_close: false }.chain(p, exception)
}

/// The addresses of all exceptions that [`chain`] prints whole for `exception`.
fn addresses(exception: &Exception) -> Vec<Address> {
    let mut found = Vec::new();
    let mut pending = vec![exception];
    while let Some(exception) = pending.pop() {
        if exception.note.is_none() {
            found.push(exception.address);
        }
        pending.extend(exception.exceptions.iter().take(MAX_GROUP_WIDTH));
        pending.extend(earlier(exception).map(|(_, earlier)| earlier));
    }
    found
}

/// The type and message on one line.
pub(crate) fn one_line(exception: &Exception) -> String {
    let name = line(short_type(exception));
    let Some(message) = message(exception) else {
        return name.to_string();
    };
    match message.split_once('\n') {
        Some((first, _)) => format!("{name}: {} ...", line(first)),
        None => format!("{name}: {}", line(message)),
    }
}

/// The exception that Python prints before this one, and what it says between them.
fn earlier(exception: &Exception) -> Option<(&'static str, &Exception)> {
    match (&exception.cause, &exception.context) {
        (Some(cause), _) => Some((CAUSE, cause)),
        (None, Some(context)) if !exception.suppress_context => Some((CONTEXT, context)),
        _ => None,
    }
}

/// The type's name, its module before it unless Python leaves that out.
fn short_type(exception: &Exception) -> &str {
    exception.type_name.strip_prefix("__main__.").unwrap_or(&exception.type_name)
}

fn message(exception: &Exception) -> Option<&str> {
    exception.message.as_deref().filter(|message| !message.is_empty())
}

/// Where the printing stands in the boxes of exception groups.
struct Boxes<'a> {
    shown: &'a mut Shown,
    /// The prefix that all lines have.
    base: String,
    /// How many boxes are open, two for each group.
    depth: usize,
    /// Whether the last member still has to close its box; members that are groups close it themselves.
    needs_close: bool,
}

impl Boxes<'_> {
    fn chain<W: Write>(&mut self, p: &mut Printer<W>, exception: &Exception) -> io::Result<()> {
        let mut links = vec![(None, exception)];
        while let Some((message, before)) = links.last().and_then(|(_, last)| earlier(last)) {
            if let Some(last) = links.last_mut() {
                last.0 = Some(message);
            }
            links.push((None, before));
        }
        for (message, exception) in links.into_iter().rev() {
            self.margin(p, "| ");
            if let Some(message) = message {
                write!(p, "{message}")?;
            }
            if exception.exceptions.is_empty() {
                self.single(p, exception, "Traceback (most recent call last):")?;
            } else if self.depth > MAX_GROUP_DEPTH {
                writeln!(p, "... (max_group_depth is {MAX_GROUP_DEPTH})")?;
            } else {
                self.group(p, exception)?;
            }
        }
        p.set_prefix(self.base.clone());
        Ok(())
    }

    fn single<W: Write>(
        &mut self,
        p: &mut Printer<W>,
        exception: &Exception,
        heading: &str,
    ) -> io::Result<()> {
        if !exception.traceback.is_empty() {
            writeln!(p, "{heading}")?;
            self.margin(p, "| ");
            frames(p, self.shown, &exception.traceback)?;
        }
        self.margin(p, "| ");
        p.paint(p.styles.exception, line(short_type(exception)))?;
        if let Some(message) = message(exception) {
            write!(p, ": {message}")?;
        }
        writeln!(p)?;
        for note in &exception.notes {
            writeln!(p, "{note}")?;
        }
        if let Some(note) = &exception.note {
            p.paint(p.styles.remark, format_args!("[{}]", line(note)))?;
            writeln!(p)?;
        }
        Ok(())
    }

    fn group<W: Write>(&mut self, p: &mut Printer<W>, group: &Exception) -> io::Result<()> {
        let outermost = self.depth == 0;
        if outermost {
            self.depth += 1;
        }
        self.margin(p, if outermost && !group.traceback.is_empty() { "+ " } else { "| " });
        self.single(p, group, "Exception Group Traceback (most recent call last):")?;

        let cut = group.exceptions.len().saturating_sub(MAX_GROUP_WIDTH);
        let lines = group.exceptions.len().min(MAX_GROUP_WIDTH + 1);
        self.needs_close = false;
        for (index, member) in group.exceptions.iter().take(lines).enumerate() {
            let last = index + 1 == lines;
            if last {
                self.needs_close = true;
            }
            self.margin(p, "");
            let corner = if index == 0 { "+-" } else { "  " };
            if index < MAX_GROUP_WIDTH {
                writeln!(p, "{corner}+---------------- {} ----------------", index + 1)?;
                self.depth += 1;
                self.chain(p, member)?;
            } else {
                writeln!(p, "{corner}+---------------- ... ----------------")?;
                self.depth += 1;
                self.margin(p, "| ");
                writeln!(p, "and {cut} more exception{}", if cut == 1 { "" } else { "s" })?;
            }
            if last && self.needs_close {
                self.margin(p, "");
                writeln!(p, "+------------------------------------")?;
                self.needs_close = false;
            }
            self.depth -= 1;
        }
        if outermost {
            self.depth = 0;
        }
        Ok(())
    }

    /// Begins the next lines as deep as the boxes stand; `edge` is drawn within boxes only.
    fn margin<W: Write>(&self, p: &mut Printer<W>, edge: &str) {
        let edge = if self.depth == 0 { "" } else { edge };
        p.set_prefix(format!("{}{}{edge}", self.base, "  ".repeat(self.depth)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{exception, frame, local, value};
    use serde_json::Value as Json;

    fn shown(exception: &Exception) -> String {
        let mut out = Vec::new();
        chain(&mut Printer::new(&mut out, false), &mut Shown::default(), exception).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn from_json(json: &Json) -> Exception {
        let boxed = |name: &str| json[name].is_object().then(|| Box::new(from_json(&json[name])));
        let list = |name: &str| json[name].as_array().unwrap();
        let text = |json: &Json| json.as_str().unwrap().to_owned();
        Exception {
            notes: list("notes").iter().map(text).collect(),
            traceback: list("traceback")
                .iter()
                .map(|at| {
                    frame(&text(&at["file"]), at["line"].as_u64().unwrap() as u32, &text(&at["function"]))
                })
                .collect(),
            cause: boxed("cause"),
            context: boxed("context"),
            suppress_context: json["suppress_context"].as_bool().unwrap(),
            exceptions: list("exceptions").iter().map(from_json).collect(),
            ..exception(0, &text(&json["type"]), &text(&json["message"]))
        }
    }

    /// The truth is CPython's own output, recorded by scripts/record-tracebacks (3.11, 3.12 and 3.13 agree).
    #[test]
    fn exceptions_are_printed_as_cpython_prints_them() {
        let recorded: Json = serde_json::from_str(include_str!("../../tests/data/tracebacks.json")).unwrap();
        let cases = recorded["cases"].as_array().unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let text = shown(&from_json(&case["exception"]));
            assert_eq!(text, case["text"].as_str().unwrap(), "{}", case["name"]);
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut unknown = exception(1, "app.Odd", "");
        unknown.message = None;
        unknown.note = Some("its __str__ is Python code".into());
        unknown.traceback = vec![frame("app.py", 3, "f")];
        unknown.traceback[0].locals = Some(vec![local("n", value("int", "1"))]);
        assert_eq!(
            shown(&unknown),
            "\
Traceback (most recent call last):
  File \"app.py\", line 3, in f
      n = 1
app.Odd
[its __str__ is Python code]
"
        );
        assert_eq!(one_line(&exception(1, "__main__.Bad", "a\nb")), "Bad: a ...");
        assert_eq!(one_line(&unknown), "app.Odd");
    }

    #[test]
    fn an_endless_nest_of_groups_is_cut() {
        let mut nest = exception(0, "ExceptionGroup", "leaf");
        for _ in 0..1000 {
            nest = Exception { exceptions: vec![nest], ..exception(0, "ExceptionGroup", "g") };
        }
        assert!(shown(&nest).contains("... (max_group_depth is 10)"));
    }

    #[test]
    fn addresses_are_those_of_what_is_printed_whole() {
        let mut last = exception(1, "A", "");
        let mut stub = exception(2, "B", "");
        stub.note = Some("shown above".into());
        stub.context = Some(Box::new(exception(3, "C", "")));
        last.cause = Some(Box::new(stub));
        last.context = Some(Box::new(exception(4, "D", "")));
        assert_eq!(addresses(&last), [Address(1), Address(3)]);
    }
}
