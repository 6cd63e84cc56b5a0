//! Code objects: names, variables, lines. Read once each.

use super::Stacks;
use super::lines::LineTable;
use crate::addr::Address;
use crate::layout::{Field, LineTableModel, VariablesModel};
use crate::object::{Inspector, Unreadable};
use crate::report::LocalKind;
use std::collections::HashSet;
use std::rc::Rc;

/// `CO_VARARGS`, `CO_VARKEYWORDS`, `CO_OPTIMIZED`, Include/cpython/code.h.
const VARARGS: u64 = 0x4;
const VARKEYWORDS: u64 = 0x8;
const OPTIMIZED: u64 = 0x1;
/// `CO_FAST_CELL` and `CO_FAST_FREE`, Include/internal/pycore_code.h.
const FAST_CELL: u8 = 0x40;
const FAST_FREE: u8 = 0x80;
/// The longest line table and the most variables that are read.
const MAX_TABLE: usize = 1 << 24;
const MAX_VARIABLES: usize = 1 << 16;

/// A variable of a function: the slot of the frame it lies in is its place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// How the function refers to it.
    pub kind: LocalKind,
}

/// What is known of a code object.
#[derive(Clone, Debug)]
pub struct Code {
    /// `co_name`; `None` where its bytes are missing.
    pub name: Option<String>,
    /// `co_qualname`, from 3.11.
    pub qualname: Option<String>,
    /// `co_filename`; `None` where its bytes are missing.
    pub file: Option<String>,
    /// The variables in the order of the frame's slots.
    pub variables: Vec<Variable>,
    /// Whether all variables are in the frame's slots; else (modules, classes) they are in a mapping.
    pub optimized: bool,
    /// `co_code_adaptive`: where the instructions start, from 3.11; null before.
    pub instructions: Address,
    /// Instructions below this offset, in bytes, set the frame up, from 3.11.
    pub first_traceable: i64,
    /// `None` where its bytes are missing.
    lines: Option<LineTable>,
}

impl Code {
    /// Whether all that a frame needs is there; else what is missing and what is not.
    pub(crate) fn whole(&self, last_instruction: i64) -> Result<(), String> {
        let known = [
            self.name.as_ref().map(|name| format!("function {name}")),
            self.file.as_ref().map(|file| format!("file {file}")),
            self.line(last_instruction).map(|line| format!("line {line}")),
        ];
        if self.is_whole() {
            return Ok(());
        }
        let known: Vec<_> = known.into_iter().flatten().collect();
        Err(if known.is_empty() {
            "its names and its lines are missing".to_owned()
        } else {
            format!("a part of it is missing; what is known: {}", known.join(", "))
        })
    }

    /// Whether all that a frame needs is there.
    pub(super) fn is_whole(&self) -> bool {
        self.name.is_some() && self.file.is_some() && self.lines.is_some()
    }

    /// `co_firstlineno`; `None` where the line table is missing.
    pub(crate) fn first_line(&self) -> Option<u32> {
        u32::try_from(self.lines.as_ref()?.first_line).ok()
    }

    /// What to call it in messages.
    pub(super) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("?")
    }

    /// The line of the instruction at `offset`, in bytes from the first one.
    pub fn line(&self, offset: i64) -> Option<u32> {
        self.lines.as_ref()?.line(offset)
    }
}

impl Stacks<'_, '_> {
    /// The code object at `address`.
    ///
    /// # Errors
    /// Missing bytes, or no code object there.
    pub fn code(&self, address: Address) -> Result<Rc<Code>, Unreadable> {
        if let Some(known) = self.codes.borrow().get(&address) {
            return Ok(Rc::clone(known));
        }
        let code = match self.kept {
            Some(kept) => kept.code(self.inspector, address)?,
            None => Rc::new(read_code(self.inspector, address, true)?),
        };
        self.codes.borrow_mut().insert(address, Rc::clone(&code));
        Ok(code)
    }

    /// Whether the line table of the code object at `address` speaks of as many instructions as there are, which one in
    /// another version's form does not. Missing bytes speak against nothing.
    pub(crate) fn line_table_fits(&self, address: Address) -> Result<bool, Unreadable> {
        let code = self.code(address)?;
        let layout = &self.inspector.layout.structs.PyCodeObject;
        let size = if layout.co_code_adaptive.exists() {
            self.inspector.ob_size(address).map(|units| units.saturating_mul(2))
        } else {
            let instructions = self.inspector.non_null(address, layout.co_code);
            instructions.and_then(|instructions| self.inspector.ob_size(instructions))
        };
        match (size, &code.lines) {
            (Ok(size), Some(lines)) => Ok(lines.spans(size)),
            _ => Ok(true),
        }
    }
}

/// Reads a code object; `variables`: with the names of its variables.
pub(super) fn read_code(
    inspector: &Inspector<'_>,
    address: Address,
    variables: bool,
) -> Result<Code, Unreadable> {
    let layout = &inspector.layout.structs.PyCodeObject;
    if inspector.type_of(address).is_err() && is_shaped_like_code(inspector, address).unwrap_or(false) {
        assume_types(inspector, address)?;
    }
    let class = inspector.type_of(address)?;
    if class.name != "code" {
        return Err(Unreadable::Nonsense {
            at: address,
            what: format!("a {} object instead of a code object", class.name),
        });
    }
    let text = |field: Field| {
        let text = inspector.string(inspector.non_null(address, field)?);
        present_or_noted(inspector, text, || format!("{field} of the code at {address}"))
    };
    let (model, table) = line_table(inspector)?;
    let bytes = inspector.bytes_content(inspector.non_null(address, table)?, MAX_TABLE);
    let bytes = present_or_noted(inspector, bytes, || format!("{table} of the code at {address}"))?;
    let first_line = inspector.int(address, layout.co_firstlineno)?;
    let adaptive = layout.co_code_adaptive.exists();
    Ok(Code {
        name: text(layout.co_name)?,
        qualname: layout.co_qualname.exists().then(|| text(layout.co_qualname)).transpose()?.flatten(),
        file: text(layout.co_filename)?,
        variables: if variables {
            present_or_noted(inspector, read_variables(inspector, address), || {
                format!("the variables of the code at {address}")
            })?
            .unwrap_or_default()
        } else {
            Vec::new()
        },
        optimized: inspector.uint(address, layout.co_flags)? & OPTIMIZED != 0,
        instructions: if adaptive {
            inspector.field_address(address, layout.co_code_adaptive)?
        } else {
            Address::NULL
        },
        first_traceable: if layout._co_firsttraceable.exists() {
            inspector.int(address, layout._co_firsttraceable)? * 2
        } else {
            0
        },
        lines: bytes.map(|(bytes, _)| LineTable {
            model,
            bytes,
            first_line,
            signed: inspector.layout.line_increments_are_signed(),
        }),
    })
}

/// What was read; `None`, with a gap, where its bytes are missing.
fn present_or_noted<T>(
    inspector: &Inspector<'_>,
    read: Result<T, Unreadable>,
    what: impl Fn() -> String,
) -> Result<Option<T>, Unreadable> {
    match read {
        Err(error @ Unreadable::Fault(_)) => {
            inspector.note_gap(error.gap(what()));
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Whether what lies at `address` makes a code object, whatever its type says: names that are shaped like strings, and
/// around them objects of one type where code has objects of one type.
fn is_shaped_like_code(inspector: &Inspector<'_>, address: Address) -> Result<bool, Unreadable> {
    let layout = &inspector.layout.structs;
    let class_of = |object: Address| inspector.non_null(object, layout.PyObject.ob_type);
    let [name, file, table, names] = parts(inspector, address)?;
    let [code, string, bytes, tuple] =
        [class_of(address)?, class_of(name)?, class_of(table)?, class_of(names)?];
    let distinct = [code, string, bytes, tuple].iter().collect::<HashSet<_>>().len() == 4;
    let (items, _) = inspector.tuple_items(names, MAX_VARIABLES)?;
    let named = items.iter().all(|&item| class_of(item) == Ok(string) && inspector.is_shaped_like_str(item));
    Ok(distinct
        && named
        && class_of(file)? == string
        && [name, file].iter().all(|&text| inspector.is_shaped_like_str(text))
        && inspector.bytes_content(table, MAX_TABLE).is_ok())
}

fn assume_types(inspector: &Inspector<'_>, address: Address) -> Result<(), Unreadable> {
    let [name, _, table, names] = parts(inspector, address)?;
    inspector.assume_type(address, "code")?;
    inspector.assume_type(name, "str")?;
    inspector.assume_type(table, "bytes")?;
    inspector.assume_type(names, "tuple")
}

/// The code's name, its file's name, its line table, and the names of its variables.
fn parts(inspector: &Inspector<'_>, address: Address) -> Result<[Address; 4], Unreadable> {
    let layout = &inspector.layout.structs.PyCodeObject;
    let names = match inspector.layout.variables_model() {
        VariablesModel::LocalsPlus => layout.co_localsplusnames,
        VariablesModel::Tuples => layout.co_varnames,
    };
    let part = |field: Field| inspector.non_null(address, field);
    Ok([part(layout.co_name)?, part(layout.co_filename)?, part(line_table(inspector)?.1)?, part(names)?])
}

/// How the code maps instructions to lines, and the field that has it.
fn line_table(inspector: &Inspector<'_>) -> Result<(LineTableModel, Field), Unreadable> {
    let layout = &inspector.layout.structs.PyCodeObject;
    let model =
        inspector.layout.line_table_model().ok_or(Unreadable::NoField("PyCodeObject.co_linetable"))?;
    Ok((
        model,
        match model {
            LineTableModel::Lnotab => layout.co_lnotab,
            LineTableModel::Linetable310 | LineTableModel::LocationTable => layout.co_linetable,
        },
    ))
}

fn read_variables(inspector: &Inspector<'_>, code: Address) -> Result<Vec<Variable>, Unreadable> {
    let layout = &inspector.layout.structs.PyCodeObject;
    let flags = inspector.uint(code, layout.co_flags)?;
    let arguments = inspector.uint(code, layout.co_argcount)?
        + if layout.co_kwonlyargcount.exists() {
            inspector.uint(code, layout.co_kwonlyargcount)?
        } else {
            0
        }
        + u64::from(flags & VARARGS != 0)
        + u64::from(flags & VARKEYWORDS != 0);
    let names = |field: Field| -> Result<Vec<String>, Unreadable> {
        let (items, _) = inspector.tuple_items(inspector.non_null(code, field)?, MAX_VARIABLES)?;
        items.into_iter().map(|name| inspector.string(name)).collect()
    };
    let plain = |index: usize| if (index as u64) < arguments { LocalKind::Arg } else { LocalKind::Local };
    match inspector.layout.variables_model() {
        VariablesModel::LocalsPlus => {
            let kinds = inspector.non_null(code, layout.co_localspluskinds)?;
            let (kinds, _) = inspector.bytes_content(kinds, MAX_VARIABLES)?;
            let names = names(layout.co_localsplusnames)?;
            Ok(names
                .into_iter()
                .zip(kinds)
                .enumerate()
                .map(|(index, (name, kind))| Variable {
                    name,
                    kind: match kind {
                        kind if kind & FAST_FREE != 0 => LocalKind::Free,
                        kind if kind & FAST_CELL != 0 => LocalKind::Cell,
                        _ => plain(index),
                    },
                })
                .collect())
        }
        VariablesModel::Tuples => {
            let local =
                names(layout.co_varnames)?.into_iter().enumerate().map(|(index, name)| (name, plain(index)));
            let cells = names(layout.co_cellvars)?.into_iter().map(|name| (name, LocalKind::Cell));
            let free = names(layout.co_freevars)?.into_iter().map(|name| (name, LocalKind::Free));
            Ok(local.chain(cells).chain(free).map(|(name, kind)| Variable { name, kind }).collect())
        }
    }
}
