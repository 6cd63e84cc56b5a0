//! Searching memory for thread states: for where nothing names the interpreter.
//!
//! `PyThreadState.thread_id` is `pthread_self()`, which every native thread's registers, and the memory near them, tell.
//! On Windows it is the thread id, and the thread's slots lead to its thread state.
//! A place with this number counts only if the structs around it agree: the thread state leads to an interpreter whose
//! list of threads has it.

use super::words::{self, Wanted};
use crate::addr::Address;
use crate::layout::{Field, Layout};
use crate::memory::{Memory, Range};
use crate::object::Inspector;
use crate::process::{Inferior, NativeThreads, OperatingSystem, ProcessInfo, windows};
use crate::stack::{Roots, Stacks, ThreadState, interpreter_states, interpreter_threads, thread_state};
use std::collections::{HashMap, HashSet};

/// The most places with a wanted number that are looked at.
const MAX_PLACES: usize = 1 << 20;

/// How much memory is looked at for shapes, in bytes.
const MAX_SHAPED: u64 = 1 << 30;
/// How far behind its start a `PyThreadState` has its `thread_id` at most, in bytes, a multiple of 4.
const LARGEST_STATE: usize = 512;
/// The most values in slots of threads that are looked at; a thread has a dozen.
const MAX_VALUES: usize = 1 << 18;
/// The most native threads that are looked for: one thread state leads to all of its interpreter.
const MAX_THREADS: usize = 1 << 16;

/// Places in writable memory that hold the `pthread_self()` of a native thread; on Windows those that its slots lead to.
pub(super) fn places(inferior: &dyn Inferior, memory: &dyn Memory) -> Vec<Address> {
    let process = inferior.process();
    if process.os == OperatingSystem::Windows {
        return places_by_slots(process, memory);
    }
    let natives = NativeThreads::new(memory, process);
    let threads = || process.threads.iter().take(MAX_THREADS);
    let mut ids = Vec::from_iter(threads().flat_map(|thread| natives.pthreads(thread)));
    if ids.is_empty() {
        let tids = threads().map(|thread| thread.own_tid().into());
        let tids = places_of(memory, tids.collect());
        ids.extend(tids.into_iter().filter_map(|place| natives.pthread_around(place)));
    }
    places_of(memory, ids.into_iter().map(|id| id.0).collect())
}

/// Reads what [`places`] reads of threads themselves where it needs no memory to be passed over: in a smaller dump that
/// is to lead to the same places.
pub(super) fn note_slots(process: &ProcessInfo, memory: &dyn Memory) {
    if process.os == OperatingSystem::Windows {
        for thread in process.threads.iter().take(MAX_THREADS) {
            windows::tls_values(memory, thread);
        }
    }
}

/// Whether [`places`] need no memory to be passed over.
pub(super) fn is_cheap(inferior: &dyn Inferior) -> bool {
    inferior.process().os == OperatingSystem::Windows
}

/// Places that hold the id of a native thread near what the thread's own slots lead to. Ids of Windows are small numbers
/// of 32 bits, which are everywhere; but each thread has its thread state in a slot (`autoTSSkey` of the runtime, up to
/// 3.6 `autoTLSkey`, Python/pystate.c).
fn places_by_slots(process: &ProcessInfo, memory: &dyn Memory) -> Vec<Address> {
    let mut places = Vec::new();
    let mut left = MAX_VALUES;
    for thread in process.threads.iter().take(MAX_THREADS) {
        let values = windows::tls_values(memory, thread);
        for value in values.into_iter().take(left) {
            left -= 1;
            let mut bytes = [0; LARGEST_STATE];
            if let Err(fault) = memory.read(value, &mut bytes) {
                let held = usize::try_from(fault.at.0.wrapping_sub(value.0)).unwrap_or(LARGEST_STATE);
                bytes = [0; LARGEST_STATE];
                let Some(held) = bytes.get_mut(..held) else { continue };
                if memory.read(value, held).is_err() {
                    continue;
                }
            }
            let words = (0..).zip(bytes.as_chunks::<4>().0);
            let ids = words.filter(|(_, word)| u32::from_le_bytes(**word) == thread.own_tid());
            places.extend(ids.map(|(index, _)| value.element(index, 4)));
        }
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// Places in writable memory that hold one of `numbers`.
fn places_of(memory: &dyn Memory, numbers: Vec<u64>) -> Vec<Address> {
    let mut places = Vec::new();
    let Some(wanted) = Wanted::new(numbers) else { return places };
    for range in memory.ranges().into_iter().filter(|range| range.writable) {
        words::find(memory, range, &wanted, MAX_PLACES, &mut places);
    }
    places
}

/// Places of `PyThreadState.thread_id` by this layout, where nothing else leads to thread states: of those that an
/// interpreter has at the head of its list and that lead back to it.
pub(super) fn places_by_shape(memory: &dyn Memory, inspector: &Inspector<'_>) -> Vec<Address> {
    let layout = &inspector.layout.structs;
    let offset = |field: Field| field.place.map(|place| u64::from(place.offset));
    let (Some(head), Some(owner), Some(id)) = (
        offset(layout.PyInterpreterState.tstate_head),
        offset(layout.PyThreadState.interp),
        offset(layout.PyThreadState.thread_id),
    ) else {
        return Vec::new();
    };
    let ranges: Vec<Range> = memory.ranges().into_iter().filter(|range| range.writable).collect();
    let bounds = ranges.first().zip(ranges.last()).map(|(first, last)| (first.start, last.end()));
    let mut places = Vec::new();
    let mut left = MAX_SHAPED;
    for range in ranges {
        left = left.saturating_sub(range.size);
        if left > 0
            && let Some(bounds) = bounds
        {
            words::pointers(memory, range, bounds, |at, thread| {
                let interpreter = at.sub(head);
                if places.len() < MAX_PLACES && memory.pointer(thread.add(owner)) == Ok(interpreter) {
                    places.push(thread.add(id));
                }
            });
        }
    }
    places
}

/// The runtimes whose thread states, by this layout, lie around `places`.
pub(super) fn runtimes(inferior: &dyn Inferior, inspector: &Inspector<'_>, places: &[Address]) -> Vec<Roots> {
    let mut interpreters = interpreters(inspector, places);
    let mut found = Vec::new();
    while let Some(&first) = interpreters.first() {
        let runtime = runtime_of(inferior, inspector, first, &interpreters);
        let roots = match runtime {
            Some(_) => Roots { runtime, ..Roots::default() },
            // Each leads to the older ones; those that another leads to need no mention.
            None => Roots { interpreters: interpreters.clone(), ..Roots::default() },
        };
        let (states, _) = interpreter_states(inspector, &roots);
        interpreters.retain(|&known| known != first && !states.iter().any(|state| state.address == known));
        found.push(roots);
    }
    found
}

/// The interpreters that thread states around `places` lead to, and whose lists lead back.
fn interpreters(inspector: &Inspector<'_>, places: &[Address]) -> Vec<Address> {
    let mut threads_of: HashMap<Address, HashSet<Address>> = HashMap::new();
    let mut found = Vec::new();
    for at in thread_states(inspector.layout, places) {
        let Ok((_, interpreter)) = thread_state(inspector, at) else { continue };
        if interpreter.is_null() || !interpreter.0.is_multiple_of(8) {
            continue;
        }
        let threads = threads_of.entry(interpreter).or_insert_with(|| {
            interpreter_threads(inspector, interpreter).into_iter().map(|thread| thread.address).collect()
        });
        if threads.contains(&at) && !found.contains(&interpreter) {
            found.push(interpreter);
        }
    }
    found
}

/// Whether a thread state of these leads to a frame with code: what merely has the shape of an interpreter does not.
pub(super) fn leads_to_code(inspector: &Inspector<'_>, roots: &Roots) -> bool {
    let stacks = Stacks::new(inspector, None);
    let (states, _) = interpreter_states(inspector, roots);
    states.iter().flat_map(|state| &state.threads).any(|thread| {
        let code = stacks.innermost_code(thread).ok().flatten();
        code.is_some_and(|code| stacks.line_table_fits(code) == Ok(true))
    })
}

/// Thread states around `places` by this layout, whatever lists they are in: those of interpreters of which at least one
/// leads to a frame with code.
pub(super) fn stray_thread_states(inspector: &Inspector<'_>, places: &[Address]) -> Vec<Address> {
    let stacks = Stacks::new(inspector, None);
    let states: Vec<_> = thread_states(inspector.layout, places)
        .filter_map(|at| thread_state(inspector, at).ok())
        .filter(|(_, interpreter)| !interpreter.is_null() && interpreter.0.is_multiple_of(8))
        .collect();
    let leads_to_code = |state: &ThreadState| {
        let code = stacks.innermost_code(state).ok().flatten();
        code.is_some_and(|code| stacks.line_table_fits(code) == Ok(true))
    };
    let leading = states.iter().filter(|(state, _)| leads_to_code(state));
    let interpreters: HashSet<Address> = leading.map(|(_, interpreter)| *interpreter).collect();
    let known = states.into_iter().filter(|(_, interpreter)| interpreters.contains(interpreter));
    known.map(|(state, _)| state.address).collect()
}

/// Where thread states would begin whose `thread_id` lies at `places`.
fn thread_states<'p>(layout: &Layout, places: &'p [Address]) -> impl Iterator<Item = Address> + use<'p> {
    let offset = layout.structs.PyThreadState.thread_id.place.map(|place| u64::from(place.offset));
    let starts = places.iter().filter_map(move |place| Some(place.sub(offset?)));
    starts.filter(|start| start.0.is_multiple_of(8))
}

/// `_PyRuntime`, by the interpreter's pointer to it (from 3.10), else by the place in a module's data that has one of
/// `known` as the head of its list or as its main interpreter, and leads to the interpreter.
fn runtime_of(
    inferior: &dyn Inferior,
    inspector: &Inspector<'_>,
    interpreter: Address,
    known: &[Address],
) -> Option<Address> {
    let layout = &inspector.layout.structs;
    let leads_back = |runtime: &Address| {
        let (states, _) = interpreter_states(inspector, &Roots::of_runtime(*runtime));
        let main = inspector.pointer(*runtime, layout.PyRuntimeState.interpreters_main);
        states.iter().any(|state| state.address == interpreter)
            && main.is_ok_and(|main| states.iter().any(|state| state.address == main))
    };
    if layout.PyInterpreterState.runtime.exists() {
        return inspector.pointer(interpreter, layout.PyInterpreterState.runtime).ok().filter(leads_back);
    }
    let fields = [layout.PyRuntimeState.interpreters_head, layout.PyRuntimeState.interpreters_main];
    let offsets = fields.map(|field| field.place.map(|place| u64::from(place.offset)));
    let memory = inferior.memory();
    let memory: &dyn Memory = &memory;
    let wanted = Wanted::new(known.iter().map(|known| known.0).collect())?;
    let mut places = Vec::new();
    for (range, _) in module_data(inferior, memory) {
        words::find(memory, range, &wanted, MAX_PLACES, &mut places);
    }
    let starts = |place: Address| offsets.into_iter().flatten().map(move |offset| place.sub(offset));
    places.into_iter().flat_map(starts).find(leads_back)
}

/// Writable data of modules, `.bss` included, with the index of the module in the process's list; all writable memory
/// where the modules are not known.
pub(super) fn module_data(inferior: &dyn Inferior, memory: &dyn Memory) -> Vec<(Range, Option<usize>)> {
    let modules = &inferior.process().modules;
    let mut data: Vec<(Range, Option<usize>)> = Vec::new();
    for range in memory.ranges().into_iter().filter(|range| range.writable) {
        // The kernel maps what `.bss` needs beyond the file's last page without a file, right behind it.
        let behind = data.last().filter(|(before, _)| before.end() == range.start);
        let module = modules
            .iter()
            .position(|module| module.base <= range.start && range.start <= module.end)
            .or_else(|| behind.and_then(|(_, module)| *module));
        if module.is_some() || modules.is_empty() {
            data.push((range, module));
        }
    }
    data
}
