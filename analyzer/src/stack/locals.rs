//! The variables of a frame that had values.

use super::Stacks;
use super::code::Code;
use super::frame::RawFrame;
use crate::addr::Address;
use crate::layout::VariablesModel;
use crate::object::{Limits, Unreadable};
use crate::report::{Local, LocalKind};
use std::collections::HashMap;

/// The most names of a module's or class's namespace that are shown.
const MAX_NAMES: usize = 10_000;

/// What a frame has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variables {
    /// A variable with this value.
    Bound(Address, LocalKind),
    /// A variable without a value.
    Unbound,
    /// No variable.
    Unknown,
}

impl Stacks<'_, '_> {
    /// Arguments, locals, cells and free variables that are bound; of modules and classes, their namespaces.
    pub(super) fn locals_of(&self, frame: &RawFrame, code: &Code, limits: Limits) -> Vec<Local> {
        let mut locals: Vec<Local> = Vec::new();
        if !code.optimized && !frame.names.is_null() {
            match self.namespace(frame.names) {
                Ok(names) => locals.extend(names.into_iter().map(|(name, value)| Local {
                    name,
                    kind: LocalKind::Local,
                    value: self.inspector.value(value, limits),
                })),
                Err(error) => {
                    self.inspector.note_gap(error.gap(format!("the namespace of {}", code.label())))
                }
            }
        }
        // A function with `exec` has a namespace too, which may be behind its variables; and in 2.7 the slot of an
        // argument that inner functions share keeps what was passed, while its cell has what it is bound to.
        let mut places: HashMap<String, usize> =
            locals.iter().enumerate().map(|(place, local)| (local.name.clone(), place)).collect();
        for (index, variable) in code.variables.iter().enumerate() {
            match self.bound(frame.slots.element(index as u64, 8), variable.kind) {
                Ok(Some(value)) => {
                    let local = Local {
                        name: variable.name.clone(),
                        kind: variable.kind,
                        value: self.inspector.value(value, limits),
                    };
                    match places.get(&variable.name).and_then(|&place| locals.get_mut(place)) {
                        Some(known) => *known = local,
                        None => {
                            places.insert(variable.name.clone(), locals.len());
                            locals.push(local);
                        }
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    self.inspector.note_gap(error.gap(format!(
                        "the variable {} of {}",
                        variable.name,
                        code.label()
                    )));
                }
            }
        }
        locals
    }

    /// As [`locals_of`](Self::locals_of), of a frame whose code is to be found.
    ///
    /// # Errors
    /// The code could not be read.
    pub(crate) fn locals_with(&self, frame: &RawFrame, limits: Limits) -> Result<Vec<Local>, Unreadable> {
        let code = self.code(frame.code)?;
        Ok(self.locals_of(frame, &code, limits))
    }

    /// The variable `name` of a frame.
    ///
    /// # Errors
    /// What it is bound to could not be read.
    pub(crate) fn variable(&self, frame: &RawFrame, name: &str) -> Result<Variables, Unreadable> {
        let code = self.code(frame.code)?;
        let mut found = Variables::Unknown;
        for (index, variable) in code.variables.iter().enumerate().filter(|(_, known)| known.name == name) {
            match self.bound(frame.slots.element(index as u64, 8), variable.kind)? {
                Some(object) => return Ok(Variables::Bound(object, variable.kind)),
                None => found = Variables::Unbound,
            }
        }
        if !code.optimized && !frame.names.is_null() {
            let names = self.namespace(frame.names)?;
            if let Some((_, object)) = names.into_iter().find(|(known, _)| known == name) {
                return Ok(Variables::Bound(object, LocalKind::Local));
            }
        }
        Ok(found)
    }

    /// The names of a frame's variables that are bound.
    pub(crate) fn names_of_variables(&self, frame: &RawFrame) -> Result<Vec<String>, Unreadable> {
        let code = self.code(frame.code)?;
        let mut names = Vec::new();
        for (index, variable) in code.variables.iter().enumerate() {
            if let Ok(Some(_)) = self.bound(frame.slots.element(index as u64, 8), variable.kind) {
                names.push(variable.name.clone());
            }
        }
        if !code.optimized && !frame.names.is_null() {
            names.extend(self.namespace(frame.names)?.into_iter().map(|(name, _)| name));
        }
        Ok(names)
    }

    /// The dict of the global names of a frame.
    pub(crate) fn globals_of(&self, frame: &RawFrame) -> Result<Address, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let field = if layout.PyInterpreterFrame.f_globals.exists() {
            layout.PyInterpreterFrame.f_globals
        } else {
            layout.PyFrameObject.f_globals
        };
        inspector.non_null(frame.address, field)
    }

    fn namespace(&self, names: Address) -> Result<Vec<(String, Address)>, Unreadable> {
        let inspector = self.inspector;
        let class = inspector.type_of(names)?;
        if !class.is_dict() && class.name != "frozendict" {
            return Err(Unreadable::Nonsense {
                at: names,
                what: format!("a namespace of type {}", class.name),
            });
        }
        let mut named = Vec::new();
        for (key, value) in inspector.dict_entries(names, MAX_NAMES)?.pairs {
            if inspector.is_str_object(key)? {
                named.push((inspector.string(key)?, value));
            }
        }
        Ok(named)
    }

    /// Whether a slot of this kind never holds the bare value.
    fn is_cell_for_sure(&self, kind: LocalKind) -> bool {
        match kind {
            LocalKind::Free => true,
            LocalKind::Cell => self.inspector.layout.variables_model() == VariablesModel::Tuples,
            LocalKind::Arg | LocalKind::Local => false,
        }
    }

    /// What a slot's variable is bound to; `None` where it is not bound.
    pub(super) fn bound(&self, slot: Address, kind: LocalKind) -> Result<Option<Address>, Unreadable> {
        let inspector = self.inspector;
        let mut value = inspector.stack_reference(slot)?;
        // A cell's slot holds the bare argument until the function has made the cell (`MAKE_CELL`, from 3.11).
        let shared = matches!(kind, LocalKind::Cell | LocalKind::Free);
        if !value.is_null() && self.is_cell_for_sure(kind) {
            inspector.assume_type(value, "cell")?;
        }
        if shared && !value.is_null() && inspector.type_of(value)?.name == "cell" {
            value = inspector.pointer(value, inspector.layout.structs.PyCellObject.ob_ref)?;
        }
        Ok((!value.is_null()).then_some(value))
    }
}
