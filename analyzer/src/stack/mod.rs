//! Interpreters, thread states, frames, code and lines, exceptions and tracebacks.

mod code;
mod exception;
mod frame;
mod generator;
mod greenlets;
mod handlers;
mod kept;
mod lines;
mod locals;
mod names;
mod state;
mod suspended;
mod threads;
mod waiting;

pub use code::{Code, Variable};
pub use frame::RawFrame;
pub(crate) use kept::KeptCodes;
pub(crate) use locals::Variables;
pub use state::{Globals, InterpreterState, Roots, ThreadState};
pub(crate) use state::{gil_holder, interpreter_states, interpreter_threads, runners, thread_state};
pub(crate) use suspended::Suspended;
pub(crate) use threads::{
    frames_with_places, native_of, python_threads_that, sorted, thread_names, thread_states,
};
pub use threads::{interpreters, python_threads, with_native_threads};

use crate::object::{Inspector, Limits, Unreadable};
use crate::report;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The threads whose frames are looked at to learn of types.
const LEARNED_FROM: usize = 1000;

/// Reads stacks; keeps the code objects it has met.
pub struct Stacks<'i, 'a> {
    /// Reads objects.
    pub inspector: &'i Inspector<'a>,
    /// How much of values is shown; `None` for no locals.
    pub locals: Option<Limits>,
    /// Whether what threads raise and handle is read with them.
    pub exceptions: bool,
    /// Whether the modules of frames are named, and what their code is called where it does not tell itself.
    pub names: bool,
    codes: RefCell<HashMap<crate::addr::Address, Rc<Code>>>,
    /// `__name__` by the address of the global names.
    modules: RefCell<HashMap<crate::addr::Address, Option<Rc<str>>>>,
    /// Qualified names by the address of the code, up to 3.10.
    qualified: RefCell<HashMap<crate::addr::Address, Option<Rc<str>>>>,
    kept: Option<&'i KeptCodes>,
}

impl<'i, 'a> Stacks<'i, 'a> {
    /// Starts with nothing read.
    pub fn new(inspector: &'i Inspector<'a>, locals: Option<Limits>) -> Self {
        Stacks {
            inspector,
            locals,
            exceptions: true,
            names: true,
            codes: RefCell::default(),
            modules: RefCell::default(),
            qualified: RefCell::default(),
            kept: None,
        }
    }

    /// As [`new`](Self::new) without locals and without looking for names, with code objects that were met before.
    pub(crate) fn with_kept(inspector: &'i Inspector<'a>, kept: &'i KeptCodes) -> Self {
        Stacks { kept: Some(kept), names: false, ..Stacks::new(inspector, None) }
    }

    /// Tells the inspector what it needs beforehand: where modules are, whose attributes name types, and by the code of
    /// frames what the basic types are, where their own data is missing.
    pub(crate) fn learn(&self, states: &[InterpreterState]) {
        self.find_modules(states);
        for thread in states.iter().flat_map(|state| &state.threads).take(LEARNED_FROM) {
            let code = self.innermost_code(thread);
            if code.is_ok_and(|code| code.is_some_and(|code| self.code(code).is_ok())) {
                break;
            }
        }
        if self.inspector.sys_modules().is_null() {
            self.find_modules(states);
        }
    }

    fn find_modules(&self, states: &[InterpreterState]) {
        for state in states.iter().filter(|state| !state.sysdict.is_null()) {
            if let Ok(Some(modules)) = self.inspector.dict_get(state.sysdict, "modules") {
                self.inspector.set_sys_modules(modules);
                break;
            }
        }
    }

    /// What a frame shows: its code's names, its line, its locals where they are wanted.
    ///
    /// # Errors
    /// Any of the names or the line table is missing; what is there is said.
    pub(crate) fn frame(&self, raw: &RawFrame) -> Result<report::Frame, Unreadable> {
        let code = self.code(raw.code)?;
        code.whole(raw.last_instruction).map_err(|what| Unreadable::Nonsense { at: raw.code, what })?;
        Ok(report::Frame {
            kind: report::FrameKind::Python,
            function: code.name.clone(),
            qualname: self.qualified_name(raw, &code),
            module_name: self.module_name(raw),
            file: code.file.clone(),
            line: raw.line.or_else(|| code.line(raw.last_instruction)),
            source: None,
            native: None,
            trust: None,
            is_entry: raw.is_entry,
            locals: self.locals.map(|limits| self.locals_of(raw, &code, limits)),
        })
    }
}
