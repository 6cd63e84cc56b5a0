//! Variables and the objects they are bound to, as text.

use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::report::{Child, ChildKind, Frame, Local, Value};
use std::io::{self, Write};

/// Prints the variables of a frame, one or more lines each.
///
/// Of a module's frame the dunder names are left out, and modules, classes and functions are only counted: they are
/// what the module's source says, not what happened.
pub(crate) fn locals<W: Write>(p: &mut Printer<W>, shown: &mut Shown, frame: &Frame) -> io::Result<()> {
    p.indented("      ", |p| flush_locals(p, shown, frame))
}

/// As [`locals`], not indented.
pub(crate) fn flush_locals<W: Write>(p: &mut Printer<W>, shown: &mut Shown, frame: &Frame) -> io::Result<()> {
    let module = frame.function.as_deref() == Some("<module>");
    let mut definitions = 0;
    for Local { name, value, .. } in frame.locals.iter().flatten() {
        if module && is_definition(value) {
            definitions += 1;
        } else if !(module && is_dunder(name)) {
            named(p, shown, name, value)?;
        }
    }
    if definitions > 0 {
        p.paint(p.styles.remark, format_args!("[modules, classes and functions: {definitions}]"))?;
        writeln!(p)?;
    }
    Ok(())
}

/// Prints what a name or an expression is bound to.
pub(crate) fn named<W: Write>(
    p: &mut Printer<W>,
    shown: &mut Shown,
    name: &str,
    value: &Value,
) -> io::Result<()> {
    p.paint(p.styles.name, line(name))?;
    write!(p, " = ")?;
    object(p, shown, value)
}

/// Whether [`locals`] would print anything.
pub(crate) fn has_locals(frame: &Frame) -> bool {
    frame.locals.as_ref().is_some_and(|locals| !locals.is_empty())
}

fn is_dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

fn is_definition(value: &Value) -> bool {
    matches!(value.type_name.as_str(), "module" | "function" | "builtin_function_or_method")
        || ["<class '", "<enum '", "<flag '"].iter().any(|start| value.repr.starts_with(start))
}

/// Prints the rest of a line that begins with a name, then the parts that the line does not show.
fn object<W: Write>(p: &mut Printer<W>, shown: &mut Shown, value: &Value) -> io::Result<()> {
    let mut lines = value.repr.split('\n');
    write!(p, "{}", line(lines.next().unwrap_or_default()))?;
    p.indented("    ", |p| {
        for more in lines {
            write!(p, "\n{}", line(more))?;
        }
        Ok(())
    })?;
    let levels = levels_of_parts(value);
    let is_new = levels == 0 || shown.is_new_object(value.address, levels);
    let mut remarks = Vec::new();
    if !repr_tells_type(value) {
        remarks.push(value.type_name.as_str());
    }
    if value.truncated {
        remarks.push("cut");
    }
    remarks.extend(value.note.as_deref());
    if !is_new {
        remarks.push("see above");
    }
    if !remarks.is_empty() {
        p.paint(p.styles.remark, format_args!("  [{}]", line(&remarks.join("; "))))?;
    }
    writeln!(p)?;
    if is_new { p.indented("  ", |p| parts(p, shown, value)) } else { Ok(()) }
}

/// Prints what the repr of `value` leaves out: attributes of an opaque object, and items that hold such.
fn parts<W: Write>(p: &mut Printer<W>, shown: &mut Shown, value: &Value) -> io::Result<()> {
    for child in value.children.iter().filter(|child| is_worth_a_line(value, child)) {
        match child.kind {
            ChildKind::Item => p.paint(p.styles.name, format_args!("[{}]", line(&child.name)))?,
            ChildKind::Attribute => p.paint(p.styles.name, format_args!(".{}", line(&child.name)))?,
        }
        write!(p, " = ")?;
        object(p, shown, &child.value)?;
    }
    Ok(())
}

/// Whether the repr of `parent` says less about the child than there is to say.
fn is_worth_a_line(parent: &Value, child: &Child) -> bool {
    ends_with_address(&parent.repr)
        || ((child.kind == ChildKind::Item || parent.repr.contains(&child.value.repr))
            && child.value.children.iter().any(|grandchild| is_worth_a_line(&child.value, grandchild)))
}

/// How many levels [`parts`] prints.
fn levels_of_parts(value: &Value) -> usize {
    let children = value.children.iter().filter(|child| is_worth_a_line(value, child));
    children.map(|child| 1 + levels_of_parts(&child.value)).max().unwrap_or(0)
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
        locals(&mut Printer::new(&mut out, false), &mut Shown::default(), &locals_of).unwrap();
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
        [1] = <app.User object at 0x7f10>  [see above]
      s = 'aaa'...  [cut]
      row = <app.Row object at 0x80>  [its __repr__ is Python code]
      grid = array([[1, 2],
                 [3, 4]])  [numpy.ndarray]
"
        );
    }

    #[test]
    fn an_object_is_shown_again_only_with_more_levels() {
        let inner = |children| opaque("app.B", 0x20, children);
        let short = opaque("app.A", 0x10, vec![attribute("b", inner(vec![]))]);
        let tall =
            opaque("app.A", 0x10, vec![attribute("b", inner(vec![attribute("n", value("int", "1"))]))]);
        let text = shown(frame("f", vec![local("x", short.clone()), local("y", tall), local("z", short)]));
        assert_eq!(
            text,
            "      \
      x = <app.A object at 0x10>
        .b = <app.B object at 0x20>
      y = <app.A object at 0x10>
        .b = <app.B object at 0x20>
          .n = 1
      z = <app.A object at 0x10>  [see above]
"
        );
    }

    #[test]
    fn attributes_are_shown_where_the_repr_only_names_them() {
        let row = || opaque("app.Row", 0x10, vec![attribute("id", value("int", "5"))]);
        let mut point = value("app.P", "P(row=<app.Row object at 0x10>)");
        point.children = vec![attribute("row", row())];
        let mut thread = value("threading.Thread", "<Thread(W-0, started daemon 140)>");
        thread.children =
            vec![attribute("_target", opaque("app.X", 0x30, vec![attribute("n", value("int", "1"))]))];
        assert_eq!(
            shown(frame("f", vec![local("point", point), local("thread", thread)])),
            "      \
      point = P(row=<app.Row object at 0x10>)
        .row = <app.Row object at 0x10>
          .id = 5
      thread = <Thread(W-0, started daemon 140)>
"
        );
    }

    #[test]
    fn of_modules_definitions_are_counted_and_dunder_names_left_out() {
        let locals = || {
            vec![
                local("__name__", value("str", "'app'")),
                local("os", value("module", "<module 'os' (frozen)>")),
                local("State", value("enum.EnumType", "<enum 'State'>")),
                local("__", value("int", "1")),
            ]
        };
        assert_eq!(
            shown(frame("<module>", locals())),
            "      __ = 1\n      [modules, classes and functions: 2]\n"
        );
        assert_eq!(
            shown(frame("f", locals())),
            "      \
      __name__ = 'app'
      os = <module 'os' (frozen)>
      State = <enum 'State'>  [enum.EnumType]
      __ = 1
"
        );
    }
}
