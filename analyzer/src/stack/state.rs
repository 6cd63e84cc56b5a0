//! `PyInterpreterState` and `PyThreadState`: the lists that everything hangs from.

use crate::addr::Address;
use crate::layout::GilModel;
use crate::object::{Inspector, Unreadable};
use std::collections::HashSet;

/// The most interpreters of a runtime, and threads of an interpreter, that are followed.
const MAX_INTERPRETERS: usize = 10_000;
const MAX_THREADS: usize = 100_000;

/// A `PyThreadState`.
#[derive(Clone, Debug)]
pub struct ThreadState {
    /// Where it lies.
    pub address: Address,
    /// `pthread_self()` of its thread.
    pub thread_id: u64,
    /// The native thread id, from 3.11.
    pub native_thread_id: Option<u64>,
}

/// A `PyInterpreterState`.
#[derive(Clone, Debug)]
pub struct InterpreterState {
    /// Where it lies.
    pub address: Address,
    /// Its id.
    pub id: i64,
    /// The dict of the module `sys`.
    pub sysdict: Address,
    /// Its thread states, in the order of the list.
    pub threads: Vec<ThreadState>,
}

/// All interpreters of the runtime at `runtime`, in the order of the list, and what ended a list early.
pub(crate) fn interpreter_states(
    inspector: &Inspector<'_>,
    runtime: Address,
) -> (Vec<InterpreterState>, Vec<Unreadable>) {
    let layout = &inspector.layout.structs;
    let mut states = Vec::new();
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    let mut at =
        inspector.pointer(runtime, layout.PyRuntimeState.interpreters_head).unwrap_or_else(|error| {
            problems.push(error);
            Address::NULL
        });
    while !at.is_null() {
        if states.len() >= MAX_INTERPRETERS || !seen.insert(at) {
            problems
                .push(Unreadable::Nonsense { at, what: "the list of interpreters does not end".to_owned() });
            break;
        }
        match interpreter_state(inspector, at, &mut problems) {
            Ok((state, next)) => {
                states.push(state);
                at = next;
            }
            Err(error) => {
                problems.push(error);
                break;
            }
        }
    }
    (states, problems)
}

fn interpreter_state(
    inspector: &Inspector<'_>,
    at: Address,
    problems: &mut Vec<Unreadable>,
) -> Result<(InterpreterState, Address), Unreadable> {
    let layout = &inspector.layout.structs.PyInterpreterState;
    let state = InterpreterState {
        address: at,
        id: inspector.int(at, layout.id)?,
        sysdict: inspector.pointer(at, layout.sysdict)?,
        threads: thread_states(inspector, at, problems),
    };
    Ok((state, inspector.pointer(at, layout.next)?))
}

fn thread_states(
    inspector: &Inspector<'_>,
    interpreter: Address,
    problems: &mut Vec<Unreadable>,
) -> Vec<ThreadState> {
    let layout = &inspector.layout.structs;
    let mut threads = Vec::new();
    let mut seen = HashSet::new();
    let mut walk = || -> Result<(), Unreadable> {
        let mut at = inspector.pointer(interpreter, layout.PyInterpreterState.tstate_head)?;
        while !at.is_null() {
            let owner = inspector.pointer(at, layout.PyThreadState.interp)?;
            if owner != interpreter {
                return Err(Unreadable::Nonsense {
                    at,
                    what: format!("a thread state of the interpreter {owner}, not {interpreter}"),
                });
            }
            if threads.len() >= MAX_THREADS || !seen.insert(at) {
                return Err(Unreadable::Nonsense {
                    at,
                    what: "the list of thread states does not end".to_owned(),
                });
            }
            let native = layout.PyThreadState.native_thread_id;
            threads.push(ThreadState {
                address: at,
                thread_id: inspector.uint(at, layout.PyThreadState.thread_id)?,
                native_thread_id: native.exists().then(|| inspector.uint(at, native)).transpose()?,
            });
            at = inspector.pointer(at, layout.PyThreadState.next)?;
        }
        Ok(())
    };
    if let Err(error) = walk() {
        problems.push(error);
    }
    threads
}

/// The thread state that holds the global interpreter lock of an interpreter; null where it is free.
pub(crate) fn gil_holder(
    inspector: &Inspector<'_>,
    runtime: Address,
    interpreter: Address,
) -> Result<Address, Unreadable> {
    let layout = &inspector.layout.structs;
    match inspector.layout.gil_model() {
        GilModel::Interpreter => {
            let gil = gil(inspector, runtime, interpreter)?;
            if inspector.int(gil, layout.GilRuntimeState.locked)? == 1 {
                inspector.pointer(gil, layout.GilRuntimeState.last_holder)
            } else {
                Ok(Address::NULL)
            }
        }
        GilModel::Runtime => inspector.pointer(runtime, layout.PyRuntimeState.tstate_current),
    }
}

/// The `struct _gil_runtime_state` of an interpreter: in the runtime up to 3.11.
pub(crate) fn gil(
    inspector: &Inspector<'_>,
    runtime: Address,
    interpreter: Address,
) -> Result<Address, Unreadable> {
    let layout = &inspector.layout.structs;
    match inspector.layout.gil_model() {
        GilModel::Interpreter => inspector.non_null(interpreter, layout.PyInterpreterState.gil),
        GilModel::Runtime => {
            let held = inspector.field_address(runtime, layout.PyRuntimeState.gil_last_holder)?;
            let within = inspector.field_address(Address::NULL, layout.GilRuntimeState.last_holder)?;
            Ok(held.sub(within.0))
        }
    }
}

/// Whether a futex belongs to what threads wait on for the global interpreter lock (`take_gil`, Python/ceval_gil.c):
/// its condition variable or that one's mutex.
pub(crate) fn is_gil_futex(inspector: &Inspector<'_>, gil: Address, futex: Address) -> bool {
    let layout = &inspector.layout.structs.GilRuntimeState;
    [layout.cond, layout.mutex].into_iter().filter_map(|field| field.place).any(|place| {
        let start = gil.add(u64::from(place.offset));
        start <= futex && futex < start.add(u64::from(place.size))
    })
}

/// Whether the cyclic garbage collector of an interpreter runs.
pub(crate) fn is_collecting(
    inspector: &Inspector<'_>,
    runtime: Address,
    interpreter: Address,
) -> Result<bool, Unreadable> {
    let layout = &inspector.layout.structs;
    let collecting = if layout.PyInterpreterState.gc_collecting.exists() {
        inspector.int(interpreter, layout.PyInterpreterState.gc_collecting)?
    } else {
        inspector.int(runtime, layout.PyRuntimeState.gc_collecting)?
    };
    Ok(collecting != 0)
}
