//! `PyInterpreterState` and `PyThreadState`: the lists that everything hangs from.

use crate::addr::Address;
use crate::layout::GilModel;
use crate::object::{Inspector, Unreadable};
use crate::report::Attachment;
use std::collections::HashSet;
use std::ops::Range;

/// The most interpreters of a runtime, and threads of an interpreter, that are followed.
const MAX_INTERPRETERS: usize = 10_000;
const MAX_THREADS: usize = 100_000;

/// `_Py_THREAD_DETACHED` and its neighbours, Include/internal/pycore_pystate.h; the last two, of threads that wait to be
/// attached again, came with 3.15.
const ATTACHMENTS: [Attachment; 6] = [
    Attachment::Detached,
    Attachment::Attached,
    Attachment::Suspended,
    Attachment::ShuttingDown,
    Attachment::Suspended,
    Attachment::Detached,
];

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
    /// Its id: 0 for the main one; `None` where nothing more than its address is known.
    pub id: Option<i64>,
    /// The dict of the module `sys`; null where it is not known.
    pub sysdict: Address,
    /// The dict of the module `builtins`; null where it is not known.
    pub builtins: Address,
    /// Its thread states, in the order of the list.
    pub threads: Vec<ThreadState>,
}

/// Where the variables of an interpreter without `_PyRuntime` (up to 3.6) lie, those that are known.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    /// `_PyThreadState_Current`: the thread state that holds the GIL.
    pub tstate_current: Option<Address>,
    /// `interp_head`: the list of interpreters.
    pub interp_head: Option<Address>,
    /// `main_thread` of Python/ceval.c or of Modules/signalmodule.c, which are alike: `pthread_self` of the main thread.
    pub main_thread: Option<Address>,
    /// `interpreter_lock` of 2.7: a pointer to the semaphore that is the GIL.
    pub interpreter_lock: Option<Address>,
    /// `gil_cond` of 3.x: the condition variable that threads without the GIL wait on.
    pub gil_cond: Option<Address>,
    /// `gil_mutex` of 3.x: its mutex.
    pub gil_mutex: Option<Address>,
    /// `collecting` of Modules/gcmodule.c.
    pub collecting: Option<Address>,
}

/// What the structs of one runtime hang from, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    /// `_PyRuntime`, which is there from 3.7 on.
    pub runtime: Option<Address>,
    /// What is there before.
    pub globals: Option<Globals>,
    /// Interpreters, beside those of the runtime's own list.
    pub interpreters: Vec<Address>,
    /// Thread states, beside those of the interpreters' lists.
    pub threads: Vec<Address>,
}

impl Roots {
    /// The roots of a runtime whose `_PyRuntime` is known.
    pub fn of_runtime(runtime: Address) -> Self {
        Roots { runtime: Some(runtime), ..Roots::default() }
    }

    /// `_PyRuntime`.
    pub(super) fn known_runtime(&self) -> Result<Address, Unreadable> {
        self.runtime.ok_or(Unreadable::Unlocated("_PyRuntime"))
    }

    /// A variable of an interpreter without `_PyRuntime`.
    fn global(
        &self,
        name: &'static str,
        of: impl Fn(&Globals) -> Option<Address>,
    ) -> Result<Address, Unreadable> {
        self.globals.as_ref().and_then(of).ok_or(Unreadable::Unlocated(name))
    }
}

/// All interpreters that hang from `roots`, in the order of their list, and what ended a list early.
pub(crate) fn interpreter_states(
    inspector: &Inspector<'_>,
    roots: &Roots,
) -> (Vec<InterpreterState>, Vec<Unreadable>) {
    let mut walk = Walk { inspector, states: Vec::new(), problems: Vec::new(), seen: HashSet::new() };
    if let Some(runtime) = roots.runtime {
        match inspector.pointer(runtime, inspector.layout.structs.PyRuntimeState.interpreters_head) {
            Ok(head) => walk.list(head),
            Err(error) => walk.problems.push(error),
        }
    }
    for &interpreter in &roots.interpreters {
        if !walk.seen.contains(&interpreter) {
            walk.list(interpreter);
        }
    }
    walk.strays(&roots.threads);
    (walk.states, walk.problems)
}

/// The interpreters found so far.
struct Walk<'i, 'a> {
    inspector: &'i Inspector<'a>,
    states: Vec<InterpreterState>,
    problems: Vec<Unreadable>,
    seen: HashSet<Address>,
}

impl Walk<'_, '_> {
    /// Follows `PyInterpreterState.next`.
    fn list(&mut self, first: Address) {
        let begin = self.states.len();
        let mut first_id = 0;
        let mut at = first;
        while !at.is_null() {
            // A list that was begun further down leads on.
            let older = self.states.iter().take(begin).find(|state| state.address == at);
            if let Some(older) = older {
                first_id = older.id.map_or(0, |id| id + 1);
                break;
            }
            if self.states.len() >= MAX_INTERPRETERS || !self.seen.insert(at) {
                let what = "the list of interpreters does not end".to_owned();
                self.problems.push(Unreadable::Nonsense { at, what });
                break;
            }
            match self.interpreter(at) {
                Ok(next) => at = next,
                Err(error) => {
                    self.problems.push(error);
                    break;
                }
            }
        }
        if !self.inspector.layout.structs.PyInterpreterState.id.exists() {
            // The newest comes first.
            for (id, state) in self.states.iter_mut().skip(begin).rev().enumerate() {
                state.id = Some(first_id + id as i64);
            }
        }
    }

    fn interpreter(&mut self, at: Address) -> Result<Address, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs.PyInterpreterState;
        let next = inspector.pointer(at, layout.next)?;
        self.states.push(InterpreterState {
            address: at,
            id: layout.id.exists().then(|| inspector.int(at, layout.id)).transpose()?,
            sysdict: inspector.pointer(at, layout.sysdict)?,
            builtins: inspector.pointer(at, layout.builtins)?,
            threads: thread_states(inspector, at, &mut self.problems),
        });
        Ok(next)
    }

    /// Adds thread states that no list has led to, to their interpreter's or to those of one of which no more is known.
    fn strays(&mut self, threads: &[Address]) {
        for &thread in threads {
            if self.states.iter().flat_map(|state| &state.threads).any(|known| known.address == thread) {
                continue;
            }
            match thread_state(self.inspector, thread) {
                Ok((state, interpreter)) => {
                    let known = self.states.iter().position(|known| known.address == interpreter);
                    match known.and_then(|known| self.states.get_mut(known)) {
                        Some(known) => known.threads.push(state),
                        None => self.states.push(InterpreterState {
                            address: interpreter,
                            id: None,
                            sysdict: Address::NULL,
                            builtins: Address::NULL,
                            threads: vec![state],
                        }),
                    }
                }
                Err(error) => self.problems.push(error),
            }
        }
    }
}

/// The thread states in an interpreter's list, as far as it can be followed.
pub(crate) fn interpreter_threads(inspector: &Inspector<'_>, interpreter: Address) -> Vec<ThreadState> {
    thread_states(inspector, interpreter, &mut Vec::new())
}

/// A thread state, and `PyThreadState.interp`.
pub(crate) fn thread_state(
    inspector: &Inspector<'_>,
    at: Address,
) -> Result<(ThreadState, Address), Unreadable> {
    let layout = &inspector.layout.structs.PyThreadState;
    let native = layout.native_thread_id;
    let state = ThreadState {
        address: at,
        thread_id: inspector.uint(at, layout.thread_id)?,
        native_thread_id: native.exists().then(|| inspector.uint(at, native)).transpose()?,
    };
    Ok((state, inspector.pointer(at, layout.interp)?))
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
            let (state, owner) = thread_state(inspector, at)?;
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
            threads.push(state);
            at = inspector.pointer(at, layout.PyThreadState.next)?;
        }
        Ok(())
    };
    if let Err(error) = walk() {
        problems.push(error);
    }
    threads
}

/// Whether the global interpreter lock of an interpreter is in use: always, but in free-threaded builds, where it can be
/// enabled at run time.
pub(crate) fn gil_is_enabled(inspector: &Inspector<'_>, gil: Address) -> Result<bool, Unreadable> {
    let enabled = inspector.layout.structs.GilRuntimeState.enabled;
    Ok(!enabled.exists() || inspector.int(gil, enabled)? != 0)
}

/// Whether a thread may run Python code, in free-threaded builds; `None` in others, where the GIL tells.
pub(crate) fn attachment(
    inspector: &Inspector<'_>,
    thread: Address,
) -> Result<Option<Attachment>, Unreadable> {
    if !inspector.layout.free_threaded {
        return Ok(None);
    }
    let state = inspector.uint(thread, inspector.layout.structs.PyThreadState.state)?;
    let known = usize::try_from(state).ok().and_then(|state| ATTACHMENTS.get(state));
    known
        .map(|&known| Some(known))
        .ok_or_else(|| Unreadable::Nonsense { at: thread, what: format!("{state} is no state of a thread") })
}

/// The thread state that holds the global interpreter lock of an interpreter; null where it is free or disabled.
pub(crate) fn gil_holder(
    inspector: &Inspector<'_>,
    roots: &Roots,
    interpreter: Address,
) -> Result<Address, Unreadable> {
    let layout = &inspector.layout.structs;
    match inspector.layout.gil_model() {
        GilModel::Interpreter => {
            let gil = gil(inspector, roots, interpreter)?;
            if gil_is_enabled(inspector, gil)? && inspector.int(gil, layout.GilRuntimeState.locked)? == 1 {
                inspector.pointer(gil, layout.GilRuntimeState.last_holder)
            } else {
                Ok(Address::NULL)
            }
        }
        GilModel::Runtime => inspector.pointer(roots.known_runtime()?, layout.PyRuntimeState.tstate_current),
        GilModel::Globals => {
            let current = roots.global("_PyThreadState_Current", |globals| globals.tstate_current)?;
            Ok(inspector.memory.pointer(current)?)
        }
    }
}

/// The thread states of an interpreter that may run Python code and change what they and others see: the one that holds
/// the global interpreter lock; where that is not in use, those that are attached.
pub(crate) fn runners(
    inspector: &Inspector<'_>,
    roots: &Roots,
    interpreter: Address,
) -> Result<Vec<Address>, Unreadable> {
    if inspector.layout.free_threaded && !gil_is_enabled(inspector, gil(inspector, roots, interpreter)?)? {
        let mut attached = Vec::new();
        for thread in interpreter_threads(inspector, interpreter) {
            if attachment(inspector, thread.address)? == Some(Attachment::Attached) {
                attached.push(thread.address);
            }
        }
        return Ok(attached);
    }
    let holder = gil_holder(inspector, roots, interpreter)?;
    Ok(if holder.is_null() { Vec::new() } else { vec![holder] })
}

/// `pthread_self()` of the main thread.
pub(crate) fn main_thread(inspector: &Inspector<'_>, roots: &Roots) -> Result<u64, Unreadable> {
    match inspector.layout.gil_model() {
        GilModel::Globals => {
            let at = roots.global("the variable main_thread", |globals| globals.main_thread)?;
            Ok(inspector.memory.u64(at)?)
        }
        _ => inspector.uint(roots.known_runtime()?, inspector.layout.structs.PyRuntimeState.main_thread),
    }
}

/// The `struct _gil_runtime_state` of an interpreter: in the runtime up to 3.11.
pub(super) fn gil(
    inspector: &Inspector<'_>,
    roots: &Roots,
    interpreter: Address,
) -> Result<Address, Unreadable> {
    let layout = &inspector.layout.structs;
    match inspector.layout.gil_model() {
        GilModel::Interpreter => inspector.non_null(interpreter, layout.PyInterpreterState.gil),
        GilModel::Runtime => {
            let runtime = roots.known_runtime()?;
            let held = inspector.field_address(runtime, layout.PyRuntimeState.gil_last_holder)?;
            let within = inspector.field_address(Address::NULL, layout.GilRuntimeState.last_holder)?;
            Ok(held.sub(within.0))
        }
        GilModel::Globals => Err(Unreadable::Unlocated("the GIL")),
    }
}

/// Memory in which a futex belongs to what threads wait on for the global interpreter lock (`take_gil`,
/// Python/ceval_gil.c): its condition variable or that one's mutex; in 2.7 the semaphore that it is.
pub(crate) fn gil_futexes(
    inspector: &Inspector<'_>,
    roots: &Roots,
    interpreter: Address,
) -> Result<Vec<Range<Address>>, Unreadable> {
    // `pthread_cond_t`, `pthread_mutex_t`, `sem_t` of glibc on 64-bit machines, in bytes.
    const COND: u64 = 48;
    const MUTEX: u64 = 40;
    const SEM: u64 = 32;
    let of_size = |start: Address, size: u64| start..start.add(size);
    if inspector.layout.gil_model() != GilModel::Globals {
        let gil = gil(inspector, roots, interpreter)?;
        let layout = &inspector.layout.structs.GilRuntimeState;
        let places = [layout.cond, layout.mutex].into_iter().filter_map(|field| field.place);
        let futexes = places.map(|place| of_size(gil.add(u64::from(place.offset)), u64::from(place.size)));
        return Ok(futexes.collect());
    }
    if let Ok(lock) = roots.global("interpreter_lock", |globals| globals.interpreter_lock) {
        // Null until a second thread is made.
        let lock = inspector.memory.pointer(lock)?;
        return Ok(if lock.is_null() { Vec::new() } else { vec![of_size(lock, SEM)] });
    }
    let cond = roots.global("gil_cond", |globals| globals.gil_cond)?;
    let mutex = roots.global("gil_mutex", |globals| globals.gil_mutex)?;
    Ok(vec![of_size(cond, COND), of_size(mutex, MUTEX)])
}

/// Who runs the cyclic garbage collector of an interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collector {
    /// Nobody: it does not run.
    Nobody,
    /// This thread state.
    Thread(Address),
    /// One of several that could: the one that has this frame, where it is not null.
    OneOfSeveral(Address),
}

/// Who runs the cyclic garbage collector of an interpreter: who holds the GIL; in free-threaded builds who has stopped
/// all others, which the collector does while it looks for garbage but not while it runs finalizers; from 3.15 the frame
/// that it began in tells.
pub(crate) fn collector(
    inspector: &Inspector<'_>,
    roots: &Roots,
    interpreter: &InterpreterState,
) -> Result<Collector, Unreadable> {
    let layout = &inspector.layout.structs;
    let collecting = if layout.PyInterpreterState.gc_collecting.exists() {
        inspector.int(interpreter.address, layout.PyInterpreterState.gc_collecting)?
    } else if inspector.layout.gil_model() == GilModel::Globals {
        let at = roots.global("the variable collecting", |globals| globals.collecting)?;
        i64::from(inspector.memory.u32(at)?)
    } else {
        inspector.int(roots.known_runtime()?, layout.PyRuntimeState.gc_collecting)?
    };
    if collecting == 0 {
        return Ok(Collector::Nobody);
    }
    if !inspector.layout.free_threaded {
        return Ok(Collector::Thread(gil_holder(inspector, roots, interpreter.address)?));
    }
    if let [only] = interpreter.threads.as_slice() {
        return Ok(Collector::Thread(only.address));
    }
    let requester = inspector.pointer(interpreter.address, layout.PyInterpreterState.stop_requester)?;
    if !requester.is_null() {
        return Ok(Collector::Thread(requester));
    }
    let frame = layout.PyInterpreterState.gc_frame;
    let frame = if frame.exists() { inspector.pointer(interpreter.address, frame)? } else { Address::NULL };
    Ok(Collector::OneOfSeveral(frame))
}
