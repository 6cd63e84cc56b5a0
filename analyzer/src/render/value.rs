//! Variables and the objects they are bound to, as text.

use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::report::{Child, ChildKind, Frame, Local, Value};
use std::io::{self, Write};

/// Prints the variables of a frame, one or more lines each.
///
/// Of a module's frame the dunder names are left out: they are the same in every module.
pub(crate) fn locals<W: Write>(p: &mut Printer<W>, frame: &Frame) -> io::Result<()> {
    let module = frame.function.as_deref() == Some("<module>");
    let locals = frame.locals.iter().flatten().filter(|local| !(module && is_dunder(&local.name)));
    p.indented("      ", |p| {
        for Local { name, value, .. } in locals {
            p.paint(p.styles.name, line(name))?;
            write!(p, " = ")?;
            object(p, value)?;
        }
        Ok(())
    })
}

/// Whether [`locals`] would print anything.
pub(crate) fn has_locals(frame: &Frame) -> bool {
    frame.locals.as_ref().is_some_and(|locals| !locals.is_empty())
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// Prints the rest of a line that begins with a name, then the parts that the line does not show.
fn object<W: Write>(p: &mut Printer<W>, value: &Value) -> io::Result<()> {
    let mut lines = value.repr.split('\n');
    write!(p, "{}", line(lines.next().unwrap_or_default()))?;
    p.indented("    ", |p| {
        for more in lines {
            write!(p, "\n{}", line(more))?;
        }
        Ok(())
    })?;
    let mut remarks = Vec::new();
    if !repr_tells_type(value) {
        remarks.push(value.type_name.as_str());
    }
    if value.truncated {
        remarks.push("cut");
    }
    remarks.extend(value.note.as_deref());
    if !remarks.is_empty() {
        p.paint(p.styles.remark, format_args!("  [{}]", line(&remarks.join("; "))))?;
    }
    writeln!(p)?;
    p.indented("  ", |p| parts(p, value))
}

/// Prints what the repr of `value` leaves out: attributes of an opaque object, and items that hold such.
fn parts<W: Write>(p: &mut Printer<W>, value: &Value) -> io::Result<()> {
    for child in value.children.iter().filter(|child| is_worth_a_line(value, child)) {
        match child.kind {
            ChildKind::Item => p.paint(p.styles.name, format_args!("[{}]", line(&child.name)))?,
            ChildKind::Attribute => p.paint(p.styles.name, format_args!(".{}", line(&child.name)))?,
        }
        write!(p, " = ")?;
        object(p, &child.value)?;
    }
    Ok(())
}

fn is_worth_a_line(parent: &Value, child: &Child) -> bool {
    let opaque = ends_with_address(&parent.repr);
    match child.kind {
        ChildKind::Attribute if opaque => true,
        ChildKind::Item if opaque => true,
        _ => child.value.children.iter().any(|grandchild| is_worth_a_line(&child.value, grandchild)),
    }
}

/// Whether this is the repr of an object that says no more than where it lies: `<app.User object at 0x7f12>`.
fn ends_with_address(repr: &str) -> bool {
    repr.starts_with('<')
        && repr.strip_suffix('>').and_then(|repr| repr.rsplit_once(" at 0x")).is_some_and(|(_, digits)| {
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
}

/// Whether who knows Python sees the type in the repr.
fn repr_tells_type(value: &Value) -> bool {
    let Some((_, name)) = value.type_name.rsplit_once('.') else {
        return true;
    };
    if value.repr.contains(&value.type_name) {
        return true;
    }
    let start = value.repr.trim_start_matches('<');
    let end = start.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(start.len());
    start.get(..end).unwrap_or_default().split('.').any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{attribute, item, local, opaque, value};

    fn shown(locals_of: Frame) -> String {
        let mut out = Vec::new();
        locals(&mut Printer::new(&mut out, false), &locals_of).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn frame(function: &str, locals: Vec<Local>) -> Frame {
        Frame { locals: Some(locals), ..crate::render::samples::frame("a.py", 1, function) }
    }

    #[test]
    fn a_type_is_named_where_the_repr_does_not_tell_it() {
        let told = [
            ("int", "5"),
            ("builtin_function_or_method", "<built-in function len>"),
            ("app.User", "<app.User object at 0x7f>"),
            ("app.f.<locals>.C", "<app.f.<locals>.C object at 0x7f>"),
            ("decimal.Decimal", "Decimal('1')"),
            ("datetime.datetime", "datetime.datetime(2024, 1, 1)"),
            ("pathlib.PosixPath", "PosixPath('/')"),
            ("app.Color", "<Color.RED: 1>"),
        ];
        for (type_name, repr) in told {
            assert!(repr_tells_type(&value(type_name, repr)), "{type_name} {repr}");
        }
        for (type_name, repr) in
            [("app.MyInt", "5"), ("numpy.ndarray", "array([1])"), ("app.MyStr", "'MyStr'")]
        {
            assert!(!repr_tells_type(&value(type_name, repr)), "{type_name} {repr}");
        }
    }

    #[test]
    fn locals_stand_below_each_other_with_the_parts_of_opaque_objects() {
        let user = opaque(
            "app.User",
            0x7f10,
            vec![
                attribute("name", value("str", "'ann'")),
                attribute("tags", value("list", "['a', 'b', ...]")),
            ],
        );
        let mut list = value("list", "[1, <app.User object at 0x7f10>]");
        list.children = vec![item("0", value("int", "1")), item("1", user.clone())];
        let mut cut = value("str", "'aaa'...");
        cut.truncated = true;
        let mut noted = opaque("app.Row", 0x80, vec![]);
        noted.note = Some("its __repr__ is Python code".into());
        let text = shown(frame(
            "f",
            vec![
                local("n", value("app.MyInt", "5")),
                local("user", user),
                local("users", list),
                local("s", cut),
                local("row", noted),
                local("grid", value("numpy.ndarray", "array([[1, 2],\n       [3, 4]])")),
            ],
        ));
        assert_eq!(
            text,
            "      \
      n = 5  [app.MyInt]
      user = <app.User object at 0x7f10>
        .name = 'ann'
        .tags = ['a', 'b', ...]
      users = [1, <app.User object at 0x7f10>]
        [1] = <app.User object at 0x7f10>
          .name = 'ann'
          .tags = ['a', 'b', ...]
      s = 'aaa'...  [cut]
      row = <app.Row object at 0x80>  [its __repr__ is Python code]
      grid = array([[1, 2],
                 [3, 4]])  [numpy.ndarray]
"
        );
    }

    #[test]
    fn dunder_names_are_left_out_of_modules_only() {
        let locals = || vec![local("__name__", value("str", "'app'")), local("__", value("int", "1"))];
        assert_eq!(shown(frame("<module>", locals())), "      __ = 1\n");
        assert_eq!(shown(frame("f", locals())), "      __name__ = 'app'\n      __ = 1\n");
    }
}
