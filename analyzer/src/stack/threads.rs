//! The threads of the report: thread states joined with the native threads.

use super::Stacks;
use super::frame::RawFrame;
use super::state::{
    Collector, InterpreterState, Roots, ThreadState, attachment, collector, gil, gil_futexes, gil_holder,
    gil_is_enabled, main_thread,
};
use crate::addr::Address;
use crate::object::{Inspector, Unreadable};
use crate::process::{self, NativeThread, NativeThreads, OperatingSystem, ProcessInfo};
use crate::report::{self, Exception, Frame, FrameKind, NativeLocation, Thread};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The interpreters of the report.
pub fn interpreters(
    stacks: &Stacks<'_, '_>,
    states: &[InterpreterState],
    roots: &Roots,
) -> Vec<report::Interpreter> {
    let inspector = stacks.inspector;
    let field = inspector.layout.structs.PyRuntimeState.interpreters_main;
    let main = roots.known_runtime().and_then(|runtime| inspector.pointer(runtime, field));
    states
        .iter()
        .map(|state| report::Interpreter {
            id: state.id,
            main: main.as_ref().map_or(state.id == Some(0), |&main| main == state.address),
            thread_count: state.threads.len(),
            gil_enabled: inspector
                .layout
                .free_threaded
                .then(|| {
                    gil(inspector, roots, state.address).and_then(|gil| gil_is_enabled(inspector, gil)).ok()
                })
                .flatten(),
            last_exception: last_exception(stacks, state.sysdict),
        })
        .collect()
}

/// `sys.last_exc` (from 3.12) or `sys.last_value`.
fn last_exception(stacks: &Stacks<'_, '_>, sysdict: Address) -> Option<Exception> {
    let inspector = stacks.inspector;
    if sysdict.is_null() {
        return None;
    }
    let find = || -> Result<Option<(Address, Address)>, Unreadable> {
        for name in ["last_exc", "last_value"] {
            if let Some(value) = inspector.dict_get(sysdict, name)?
                && !inspector.is_none(value)?
            {
                let traceback = inspector.dict_get(sysdict, "last_traceback")?;
                return Ok(Some((value, traceback.unwrap_or_default())));
            }
        }
        Ok(None)
    };
    match find() {
        Ok(found) => found.map(|(value, traceback)| stacks.exception_with(value, traceback)),
        Err(error) => {
            inspector.note_gap(error.gap("sys.last_value"));
            None
        }
    }
}

/// `threading._active`: the names of threads by their `thread_id`.
pub(crate) fn thread_names(
    inspector: &Inspector<'_>,
    sysdict: Address,
) -> Result<HashMap<u64, String>, Unreadable> {
    let mut names = HashMap::new();
    if sysdict.is_null() {
        return Err(Unreadable::Unlocated("the module sys"));
    }
    let Some(modules) = inspector.dict_get(sysdict, "modules")? else { return Ok(names) };
    let Some(threading) = inspector.dict_get(modules, "threading")? else { return Ok(names) };
    if inspector.type_of(threading)?.name != "module" {
        return Ok(names);
    }
    let globals = inspector.non_null(threading, inspector.layout.structs.PyModuleObject.md_dict)?;
    let Some(active) = inspector.dict_get(globals, "_active")? else { return Ok(names) };
    let attribute = inspector.layout.thread_name_attribute();
    for (ident, thread) in inspector.dict_entries(active, usize::MAX)?.pairs {
        let named = || -> Result<Option<(u64, String)>, Unreadable> {
            let ident = inspector.big_int(ident)?;
            let Some(name) = inspector.attribute(thread, attribute)? else { return Ok(None) };
            Ok(u64::try_from(ident).ok().zip(Some(inspector.string(name)?)))
        };
        match named() {
            Ok(found) => names.extend(found),
            Err(error) => inspector.note_gap(error.gap(format!("the name of the thread object at {thread}"))),
        }
    }
    Ok(names)
}

/// The threads of a runtime: one for each thread state.
pub fn python_threads(
    stacks: &Stacks<'_, '_>,
    states: &[InterpreterState],
    roots: &Roots,
    process: &ProcessInfo,
) -> Vec<Thread> {
    python_threads_that(stacks, states, roots, process, |_| true)
}

/// The threads of a runtime whose native ids `are_wanted`, `None` where it is not known. The others' frames are not
/// read.
pub(crate) fn python_threads_that(
    stacks: &Stacks<'_, '_>,
    states: &[InterpreterState],
    roots: &Roots,
    process: &ProcessInfo,
    are_wanted: impl Fn(Option<u32>) -> bool,
) -> Vec<Thread> {
    let natives = NativeThreads::new(stacks.inspector.memory, process);
    let mut threads = Vec::new();
    for state in states {
        let interpreter = OnceCell::new();
        for thread in &state.threads {
            let joined = Joined::new(stacks.inspector, &natives, thread);
            if are_wanted(joined.tid) {
                let interpreter = interpreter
                    .get_or_init(|| InterpreterFacts::new(stacks.inspector, state, roots, process));
                threads.push(python_thread(stacks, interpreter, thread, &joined, process));
            }
        }
    }
    threads
}

/// The thread states of a runtime with the native ids of their threads, where these are known, each with its
/// interpreter.
pub(crate) fn thread_states<'s>(
    inspector: &Inspector<'_>,
    states: &'s [InterpreterState],
    process: &ProcessInfo,
) -> Vec<(Option<u32>, &'s InterpreterState, &'s ThreadState)> {
    let natives = NativeThreads::new(inspector.memory, process);
    let all = states.iter().flat_map(|state| state.threads.iter().map(move |thread| (state, thread)));
    all.map(|(state, thread)| (Joined::new(inspector, &natives, thread).tid, state, thread)).collect()
}

/// A thread state's native thread.
struct Joined<'p> {
    native: Option<&'p NativeThread>,
    /// What `pthread_self()` gives in the thread that runs it.
    ident: u64,
    tid: Option<u32>,
}

impl<'p> Joined<'p> {
    fn new(inspector: &Inspector<'_>, natives: &NativeThreads<'p>, thread: &ThreadState) -> Self {
        let runner = runner(inspector, natives, thread);
        let native = runner.or_else(|| native_of(natives, thread));
        let own = runner.and_then(|native| natives.pthreads(native).first().copied());
        let own_id = thread.native_thread_id.and_then(|id| u32::try_from(id).ok()).filter(|&id| id != 0);
        Joined {
            native,
            ident: own.map_or(thread.thread_id, |pthread| pthread.0),
            tid: native.map(|native| native.tid).or(own_id),
        }
    }
}

/// Adds the native threads that are not among `threads`, and sorts all: the crashed one first, then the main one, then
/// by native id.
pub fn with_native_threads(mut threads: Vec<Thread>, process: &ProcessInfo) -> Vec<Thread> {
    let joined: HashSet<u32> = threads.iter().filter_map(|thread| thread.tid).collect();
    let rest = process.threads.iter().filter(|native| !joined.contains(&native.tid));
    threads.extend(rest.map(|native| native_thread(native, process)));
    sorted(threads)
}

/// Threads in the report's order: the crashed one first, then the main one, then by native id.
pub(crate) fn sorted(mut threads: Vec<Thread>) -> Vec<Thread> {
    threads.sort_by_key(|thread| (!thread.crashed, !thread.main, thread.tid.unwrap_or(u32::MAX)));
    threads
}

/// What the threads of one interpreter share.
struct InterpreterFacts {
    id: Option<i64>,
    /// `threading`'s names by `thread_id`.
    names: HashMap<u64, String>,
    /// The `thread_id` of the thread that initialised the runtime.
    main_thread: Option<u64>,
    /// Where the futexes lie that threads without the GIL wait on; `None` also where the operating system has none, as
    /// then nothing tells what a thread waits for.
    gil_futexes: Option<Vec<Range<Address>>>,
    /// The thread state that holds the GIL, null where it is free or disabled.
    gil_holder: Option<Address>,
    collector: Option<Collector>,
}

impl InterpreterFacts {
    fn new(
        inspector: &Inspector<'_>,
        state: &InterpreterState,
        roots: &Roots,
        process: &ProcessInfo,
    ) -> Self {
        fn known<T>(inspector: &Inspector<'_>, what: &str, result: Result<T, Unreadable>) -> Option<T> {
            result.map_err(|error| inspector.note_gap(error.gap(what))).ok()
        }
        let main_thread = main_thread(inspector, roots);
        let names = thread_names(inspector, state.sysdict);
        let holder = gil_holder(inspector, roots, state.address);
        InterpreterFacts {
            id: state.id,
            names: known(inspector, "the names of the threads", names).unwrap_or_default(),
            main_thread: known(inspector, "the main thread", main_thread),
            gil_futexes: (process.os == OperatingSystem::Linux)
                .then(|| known(inspector, "the GIL", gil_futexes(inspector, roots, state.address)))
                .flatten(),
            gil_holder: known(inspector, "the holder of the GIL", holder),
            collector: known(inspector, "the collector", collector(inspector, roots, state)),
        }
    }
}

fn python_thread(
    stacks: &Stacks<'_, '_>,
    interpreter: &InterpreterFacts,
    thread: &ThreadState,
    &Joined { native, ident, tid }: &Joined<'_>,
    process: &ProcessInfo,
) -> Thread {
    let holds_gil = interpreter.gil_holder.map(|holder| holder == thread.address);
    let (raw, frames) = python_frames(stacks, thread);
    Thread {
        tid,
        number: None,
        name: interpreter
            .names
            .get(&ident)
            .cloned()
            .or_else(|| native.and_then(|native| native.name.clone())),
        runtime: None,
        interpreter: interpreter.id,
        crashed: tid.is_some() && tid == process.crashed_tid,
        // Linux names a process after its first thread, which is the one that starts Python in most programs.
        main: match interpreter.main_thread {
            Some(id) => id == ident,
            None => tid.is_some() && tid == process.first_tid(),
        },
        holds_gil,
        waiting_for_gil: native.zip(interpreter.gil_futexes.as_ref()).map(|(native, of_gil)| {
            native.futex.is_some_and(|futex| of_gil.iter().any(|range| range.contains(&futex)))
        }),
        collecting_garbage: match interpreter.collector {
            Some(Collector::Nobody) => Some(false),
            Some(Collector::Thread(collecting)) => Some(collecting == thread.address),
            Some(Collector::OneOfSeveral(frame)) => {
                raw.iter().any(|raw| raw.address == frame).then_some(true)
            }
            None => None,
        },
        attachment: attachment(stacks.inspector, thread.address).unwrap_or_else(|error| {
            stacks
                .inspector
                .note_gap(error.gap(format!("the state of the thread state at {}", thread.address)));
            None
        }),
        state: native.and_then(|native| native.state),
        system_call: native.and_then(|native| native.system_call.clone()),
        python: true,
        native_location: native.and_then(|native| place(native.instruction_pointer, process)),
        start: native.and_then(|native| place(native.start_address, process)),
        times: native.and_then(|native| native.times.clone()),
        frames,
        exceptions: stacks.exceptions.then(|| stacks.exceptions_of(thread.address, &raw)),
    }
}

/// The native thread of a thread state: by its native id, else by `pthread_self()`.
pub(crate) fn native_of<'p>(natives: &NativeThreads<'p>, thread: &ThreadState) -> Option<&'p NativeThread> {
    let by_tid = thread.native_thread_id.and_then(|id| natives.by_tid(id));
    by_tid.or_else(|| natives.by_pthread(Address(thread.thread_id)))
}

/// The native thread that runs a thread state that another made, and whose ids it has: so run sub-interpreters of
/// `_xxsubinterpreters` in 3.12 (`_run_script_in_interpreter`, Modules/_xxsubinterpretersmodule.c). In the versions that
/// have it, `cframe` points into the C stack of the running thread, or into the thread state where nothing runs.
fn runner<'p>(
    inspector: &Inspector<'_>,
    natives: &NativeThreads<'p>,
    thread: &ThreadState,
) -> Option<&'p NativeThread> {
    let cframe = inspector.pointer(thread.address, inspector.layout.structs.PyThreadState.cframe).ok()?;
    let native = natives.by_stack(cframe)?;
    native_of(natives, thread).is_none_or(|own| own.tid != native.tid).then_some(native)
}

fn python_frames(stacks: &Stacks<'_, '_>, thread: &ThreadState) -> (Vec<RawFrame>, Vec<Frame>) {
    let (raw, problem) = stacks.frames_of(thread.address);
    let frames = raw.iter().filter_map(|raw| noted_frame(stacks, raw)).collect();
    if let Some(error) = problem {
        stacks.inspector.note_gap(error.gap(format!("the frames of the thread state at {}", thread.address)));
    }
    (raw, frames)
}

/// What a frame shows; `None`, with a gap, where that cannot be read.
fn noted_frame(stacks: &Stacks<'_, '_>, raw: &RawFrame) -> Option<Frame> {
    let frame = stacks.frame(raw);
    frame.map_err(|error| stacks.inspector.note_gap(error.gap(format!("the frame at {}", raw.address)))).ok()
}

/// The frames of a thread that are shown, innermost first, each with where it lies.
pub(crate) fn frames_with_places(stacks: &Stacks<'_, '_>, thread: &ThreadState) -> Vec<(RawFrame, Frame)> {
    let (raw, _) = stacks.frames_of(thread.address);
    raw.into_iter().filter_map(|raw| noted_frame(stacks, &raw).map(|frame| (raw, frame))).collect()
}

fn place(address: Option<Address>, process: &ProcessInfo) -> Option<NativeLocation> {
    address.map(|address| process::location(address, &process.modules))
}

fn native_thread(native: &NativeThread, process: &ProcessInfo) -> Thread {
    let location = place(native.instruction_pointer, process);
    Thread {
        tid: Some(native.tid),
        number: None,
        name: native.name.clone(),
        runtime: None,
        interpreter: None,
        crashed: process.crashed_tid == Some(native.tid),
        main: process.first_tid() == Some(native.tid),
        holds_gil: None,
        waiting_for_gil: None,
        collecting_garbage: None,
        attachment: None,
        state: native.state,
        system_call: native.system_call.clone(),
        python: false,
        native_location: location.clone(),
        start: place(native.start_address, process),
        times: native.times.clone(),
        frames: location
            .into_iter()
            .map(|location| Frame {
                kind: FrameKind::Native,
                function: None,
                qualname: None,
                module_name: None,
                file: None,
                line: None,
                source: None,
                native: Some(location),
                trust: Some("context"),
                is_entry: None,
                locals: None,
            })
            .collect(),
        exceptions: None,
    }
}
