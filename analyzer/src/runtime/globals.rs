//! Interpreters without `_PyRuntime`: up to 3.6 their state is in variables of their own, of which other modules see
//! `_PyThreadState_Current` only (Python/pystate.c).

use super::search::module_data;
use crate::addr::Address;
use crate::memory::{Memory, Range};
use crate::object::Inspector;
use crate::process::{Inferior, NativeThreads, symbols};
use crate::report::Evidence;
use crate::stack::{Globals, Roots, interpreter_states, thread_state};
use std::collections::HashSet;

/// The variable that every such interpreter exports.
const EXPORTED: &str = "_PyThreadState_Current";
/// The most data of one module that is searched for the list of interpreters, in bytes.
const MAX_DATA: u64 = 64 << 20;

/// A module that holds such an interpreter.
pub(super) struct Candidate {
    /// The module's index in the process's list.
    pub(super) module: usize,
    /// Its variables.
    pub(super) globals: Globals,
    /// How it was found.
    pub(super) evidence: Vec<Evidence>,
}

/// The modules that export what such interpreters do. Variables that are not exported are found in the symbol table of
/// the module's file, where that is at hand and was not stripped.
pub(super) fn candidates(inferior: &dyn Inferior, memory: &dyn Memory) -> Vec<Candidate> {
    let modules = &inferior.process().modules;
    let exported: Vec<(usize, Address)> = modules
        .iter()
        .enumerate()
        .filter_map(|(index, module)| {
            Some((index, symbols::dynamic_symbol(memory, module, EXPORTED).ok().flatten()?))
        })
        .collect();
    let holds_one = |&(_, at): &(usize, Address)| memory.pointer(at).is_ok_and(|current| !current.is_null());
    exported
        .iter()
        .filter_map(|&(index, own)| {
            let module = modules.get(index)?;
            // A main program that was linked to libpython may have the variable in libpython's stead (`R_*_COPY`).
            let first = exported.first().filter(|first| first.0 == 0 && holds_one(first));
            let current = if holds_one(&(index, own)) { own } else { first.map_or(own, |&(_, at)| at) };
            let evidence =
                evidence("symbol", format!("dynamic symbol {EXPORTED} of {}", module.path), current);
            let file = inferior.module_file(index);
            let globals = globals(|name| symbols::static_symbol(file?, module, name), Some(current));
            Some(Candidate { module: index, globals, evidence: vec![evidence] })
        })
        .collect()
}

/// The variables by their names in Python/pystate.c, Python/ceval.c, Python/ceval_gil.h and Modules/gcmodule.c.
fn globals(find: impl Fn(&str) -> Option<Address>, tstate_current: Option<Address>) -> Globals {
    Globals {
        tstate_current,
        interp_head: find("interp_head"),
        main_thread: find("main_thread"),
        interpreter_lock: find("interpreter_lock"),
        gil_cond: find("gil_cond"),
        gil_mutex: find("gil_mutex"),
        collecting: find("collecting"),
    }
}

fn evidence(method: &'static str, detail: String, address: Address) -> Evidence {
    Evidence { method, detail, address: Some(address) }
}

/// The interpreters of a candidate by one layout, and how they were found: by `interp_head`, else by what in the
/// module's data leads to an interpreter, as `interp_head` does even where nothing names it.
pub(super) fn roots(
    inferior: &dyn Inferior,
    inspector: &Inspector<'_>,
    candidate: &Candidate,
) -> Option<(Roots, Vec<Evidence>)> {
    let module = inferior.process().modules.get(candidate.module)?;
    let globals = candidate.globals.clone();
    let found = |interpreters, how| {
        let evidence = candidate.evidence.iter().cloned().chain(how).collect();
        (Roots { interpreters, globals: Some(globals.clone()), ..Roots::default() }, evidence)
    };
    if let Some(head) = globals.interp_head
        && let Ok(first) = inspector.memory.pointer(head)
        && !first.is_null()
    {
        let how = evidence("symbol", format!("symbol interp_head of {}", module.path), head);
        return Some(found(vec![first], Some(how)));
    }
    let heads = heads_in_data(inferior, inspector, candidate.module);
    if let Some(&(at, _)) = heads.first() {
        let how = evidence("scan", format!("a list of interpreters in the data of {}", module.path), at);
        return Some(found(heads.into_iter().map(|(_, interpreter)| interpreter).collect(), Some(how)));
    }
    let current = inspector.memory.pointer(globals.tstate_current?).ok().filter(|at| !at.is_null())?;
    let (_, interpreter) = thread_state(inspector, current).ok()?;
    Some(found(vec![interpreter], None))
}

/// Words in a module's data that lead to an interpreter with a living thread: where they lie, and the interpreter. Those
/// that lead to the longest lists first.
fn heads_in_data(
    inferior: &dyn Inferior,
    inspector: &Inspector<'_>,
    module: usize,
) -> Vec<(Address, Address)> {
    let memory = inferior.memory();
    let memory: &dyn Memory = &memory;
    let writable: Vec<Range> = memory.ranges().into_iter().filter(|range| range.writable).collect();
    let natives = NativeThreads::new(memory, inferior.process());
    let mut tried = HashSet::new();
    let mut heads: Vec<(usize, Address, Address)> = Vec::new();
    let data = module_data(inferior, memory).into_iter().filter(|(_, owner)| *owner == Some(module));
    for (range, _) in data {
        let size = range.size.min(MAX_DATA) as usize;
        let Ok(bytes) = memory.bytes(range.start, size) else { continue };
        for (index, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
            let interpreter = Address(u64::from_le_bytes(*word));
            let at = writable.partition_point(|range| range.end() <= interpreter);
            let is_pointer = interpreter.0.is_multiple_of(8)
                && writable.get(at).is_some_and(|range| range.start <= interpreter);
            if is_pointer
                && tried.insert(interpreter)
                && let Some(length) = length_of_list(inspector, interpreter, &natives)
            {
                heads.push((length, range.start.element(index as u64, 8), interpreter));
            }
        }
    }
    heads.sort_by_key(|&(length, at, _)| (std::cmp::Reverse(length), at));
    heads.into_iter().map(|(_, at, interpreter)| (at, interpreter)).collect()
}

/// How many interpreters the list has that begins here; `None` where this is none whose first thread lives.
fn length_of_list(
    inspector: &Inspector<'_>,
    interpreter: Address,
    natives: &NativeThreads<'_>,
) -> Option<usize> {
    let head = inspector.layout.structs.PyInterpreterState.tstate_head;
    let first = inspector.pointer(interpreter, head).ok().filter(|at| !at.is_null())?;
    let (thread, owner) = thread_state(inspector, first).ok()?;
    if owner != interpreter {
        return None;
    }
    natives.by_pthread(Address(thread.thread_id))?;
    let roots = Roots { interpreters: vec![interpreter], ..Roots::default() };
    Some(interpreter_states(inspector, &roots).0.len())
}
