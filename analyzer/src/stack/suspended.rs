//! What threads do not show: the tasks of asyncio's event loops, and generators that nobody executes.

use super::Stacks;
use super::frame::RawFrame;
use super::generator::{Chain, Generator, generator_kind};
use super::greenlets::Greenlets;
use super::state::{InterpreterState, Roots, ThreadState};
use super::threads::native_of;
use super::waiting::Waiting;
use crate::addr::Address;
use crate::object::{FutureFields, Inspector, MAX_TRACKED, Unreadable};
use crate::process::{NativeThreads, ProcessInfo};
use crate::report::{self, GeneratorState};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The most tasks, and generators, of one report.
const MAX_FOUND: usize = 200_000;
/// The most frames of generators that others await, whose frames are part of those others' stacks too.
const MAX_REPEATED: usize = 200_000;
/// The most types that the collector's objects have.
const MAX_TYPES: usize = 1 << 17;
/// The most items of a set of tasks that are looked at.
const MAX_ITEMS: usize = 1 << 20;

/// What an object is, as far as this room cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Task,
    Generator,
    Greenlet,
}

/// Objects by where they lie, with the ids of their interpreters.
#[derive(Debug, Default)]
struct Found {
    tasks: BTreeMap<Address, Option<i64>>,
    generators: BTreeMap<Address, Option<i64>>,
    greenlets: BTreeMap<Address, Option<i64>>,
}

/// The frames that threads and greenlets execute.
#[derive(Debug, Default)]
pub(super) struct Executing {
    /// Each thread's and each suspended greenlet's, innermost first.
    stacks: Vec<Vec<RawFrame>>,
    /// By native thread id: its stack.
    threads: HashMap<u32, usize>,
    /// By frame: its stack and its place there.
    places: HashMap<Address, (usize, usize)>,
}

/// Threads by the event loops that run in them.
#[derive(Debug, Default)]
struct Loops {
    by_loop: HashMap<Address, u32>,
    by_thread_id: HashMap<u64, u32>,
}

/// The native id of a thread state's thread: that of the native thread, else what the thread state says.
fn tid_of(natives: &NativeThreads<'_>, thread: &ThreadState) -> Option<u32> {
    let own = thread.native_thread_id.and_then(|id| u32::try_from(id).ok()).filter(|&id| id != 0);
    native_of(natives, thread).map(|native| native.tid).or(own)
}

/// What threads do not show, by address.
#[derive(Debug, Default)]
pub(crate) struct Suspended {
    /// The tasks.
    pub(crate) tasks: Vec<report::Task>,
    /// The generators that belong neither to a task nor to a thread.
    pub(crate) generators: Vec<report::Generator>,
    /// The greenlets.
    pub(crate) greenlets: Vec<report::Greenlet>,
}

impl Suspended {
    /// Looks at all that asyncio's modules register and that the collector tracks.
    pub(crate) fn read(
        stacks: &Stacks<'_, '_>,
        states: &[InterpreterState],
        roots: &Roots,
        process: &ProcessInfo,
    ) -> Self {
        let inspector = stacks.inspector;
        let mut found = Found::default();
        for state in states.iter().filter(|state| !state.sysdict.is_null()) {
            if let Err(error) = registered_tasks(inspector, state, &mut found) {
                inspector.note_gap(error.gap("asyncio's sets of tasks"));
            }
        }
        states.iter().for_each(|state| listed_tasks(inspector, state, &mut found));
        tracked(inspector, states, roots, &mut found);
        let greenlets = Greenlets::read(stacks, &found.greenlets.keys().copied().collect::<Vec<_>>());
        let natives = NativeThreads::new(inspector.memory, process);
        let executing = Executing::new(stacks, states, &natives, &greenlets);
        let loops = Loops::new(inspector, states, &natives);

        let mut fields = BTreeMap::new();
        for &task in found.tasks.keys() {
            match inspector.future(task) {
                Ok(read) => {
                    fields.insert(task, read);
                }
                Err(error) => inspector.note_gap(error.gap(format!("the task at {task}"))),
            }
        }
        let waiting = Waiting::new(stacks, &fields);
        let mut owned = HashSet::new();
        let mut tasks = Vec::new();
        for (&address, fields) in &fields {
            let interpreter = found.tasks.get(&address).copied().flatten();
            let task = Task { address, interpreter, fields };
            tasks.push(task.report(stacks, &executing, &loops, &waiting, &mut owned));
        }
        Suspended {
            tasks,
            generators: unowned_generators(stacks, &found, &executing, &owned),
            greenlets: greenlets.report(stacks, &executing, process, &found.greenlets),
        }
    }

    /// Says of all that they belong to the runtime of this number.
    pub(crate) fn set_runtime(&mut self, index: usize) {
        self.tasks.iter_mut().for_each(|task| task.runtime = Some(index));
        self.generators.iter_mut().for_each(|generator| generator.runtime = Some(index));
        self.greenlets.iter_mut().for_each(|greenlet| greenlet.runtime = Some(index));
    }
}

/// The sets in which asyncio's modules keep tasks: `_all_tasks` up to 3.11, `_scheduled_tasks` and `_eager_tasks` later,
/// from 3.14 only those that are not of its own type.
fn registered_tasks(
    inspector: &Inspector<'_>,
    state: &InterpreterState,
    found: &mut Found,
) -> Result<(), Unreadable> {
    let Some(modules) = inspector.dict_get(state.sysdict, "modules")? else { return Ok(()) };
    for module in ["asyncio.tasks", "_asyncio"] {
        let Some(module) = inspector.dict_get(modules, module)? else { continue };
        if inspector.type_of(module)?.name != "module" {
            continue;
        }
        let names = inspector.non_null(module, inspector.layout.structs.PyModuleObject.md_dict)?;
        for set in ["_all_tasks", "_scheduled_tasks", "_eager_tasks"] {
            let Some(set) = inspector.dict_get(names, set)? else { continue };
            for task in set_of_tasks(inspector, set)? {
                if found.tasks.len() < MAX_FOUND {
                    found.tasks.insert(task, state.id);
                }
            }
        }
    }
    Ok(())
}

/// The lists in which tasks of asyncio's own type are from 3.14 on: each thread's, and the interpreter's for tasks of
/// threads that ended (`register_task`, Modules/_asynciomodule.c).
fn listed_tasks(inspector: &Inspector<'_>, state: &InterpreterState, found: &mut Found) {
    let layout = &inspector.layout.structs;
    let (of_thread, of_interpreter) =
        (layout.PyThreadStateImpl.asyncio_tasks_head, layout.PyInterpreterState.asyncio_tasks_head);
    let Some(node) = layout.TaskObj.task_node.place.map(|place| u64::from(place.offset)) else { return };
    let threads = state.threads.iter().map(|thread| (thread.address, of_thread));
    let owners = threads.chain(std::iter::once((state.address, of_interpreter)));
    for (owner, head) in owners.filter(|(_, head)| head.exists()) {
        let mut walk = || -> Result<(), Unreadable> {
            let head = inspector.field_address(owner, head)?;
            let mut at = inspector.pointer(head, layout.LlistNode.next)?;
            let mut seen = HashSet::new();
            while at != head {
                if at.is_null() || found.tasks.len() >= MAX_FOUND || !seen.insert(at) {
                    let what = "the list of tasks does not lead back to its head".to_owned();
                    return Err(Unreadable::Nonsense { at, what });
                }
                found.tasks.insert(at.sub(node), state.id);
                at = inspector.pointer(at, layout.LlistNode.next)?;
            }
            Ok(())
        };
        if let Err(error) = walk() {
            inspector.note_gap(error.gap(format!("the list of tasks of {owner}")));
        }
    }
}

/// The members of a `set`, or of a `weakref.WeakSet`, whose `data` is a set of references.
fn set_of_tasks(inspector: &Inspector<'_>, set: Address) -> Result<Vec<Address>, Unreadable> {
    let class = inspector.type_of(set)?;
    if class.name == "set" {
        return Ok(inspector.set_items(set, MAX_ITEMS)?.0);
    }
    let Some(data) = inspector.attribute(set, "data")? else { return Ok(Vec::new()) };
    let mut tasks = Vec::new();
    for reference in inspector.set_items(data, MAX_ITEMS)?.0 {
        let task = inspector.pointer(reference, inspector.layout.structs.PyWeakReference.wr_object)?;
        if !inspector.is_none(task)? {
            tasks.push(task);
        }
    }
    Ok(tasks)
}

/// All that the collectors of the interpreters track.
fn tracked(inspector: &Inspector<'_>, states: &[InterpreterState], roots: &Roots, found: &mut Found) {
    let mut kinds: HashMap<Address, Option<Kind>> = HashMap::new();
    let mut left = MAX_TRACKED;
    let mut visit = |object: Address, class: Address, interpreter: Option<i64>| {
        let kind = match kinds.get(&class) {
            Some(&known) => known,
            None if kinds.len() >= MAX_TYPES => None,
            None => *kinds.entry(class).or_insert_with(|| {
                kind_of(inspector, class).unwrap_or_else(|error| {
                    inspector.note_gap(error.gap(format!(
                        "whether objects of the type at {class} are tasks, generators or greenlets"
                    )));
                    None
                })
            }),
        };
        let set = match kind {
            Some(Kind::Task) => &mut found.tasks,
            Some(Kind::Generator) => &mut found.generators,
            Some(Kind::Greenlet) => &mut found.greenlets,
            None => return,
        };
        if set.len() < MAX_FOUND {
            set.entry(object).or_insert(interpreter);
        }
    };
    if inspector.layout.free_threaded {
        // The heaps do not tell whose objects are in them.
        let only = match states {
            [state] => state.id,
            _ => None,
        };
        if let Err(error) =
            inspector.tracked_in_heaps(&mut left, &mut |object, class| visit(object, class, only))
        {
            inspector.note_gap(error.gap("the objects that the collector tracks"));
        }
    } else {
        let mut heads = HashSet::new();
        for state in states {
            let lists = inspector.collector_lists(roots.runtime, state.address).unwrap_or_else(|error| {
                inspector.note_gap(error.gap("the objects that the collector tracks"));
                Vec::new()
            });
            for head in lists.into_iter().filter(|&head| heads.insert(head)) {
                let mut visit = |object, class| visit(object, class, state.id);
                if let Err(error) = inspector.tracked_objects(head, &mut left, &mut visit) {
                    inspector.note_gap(error.gap(format!("a list of the collector's, at {head}")));
                }
            }
        }
    }
    let counts = [
        (found.tasks.len(), "tasks"),
        (found.generators.len(), "generators"),
        (found.greenlets.len(), "greenlets"),
    ];
    for (set, what) in counts {
        if set >= MAX_FOUND {
            inspector.note_gap(report::Gap {
                at: None,
                what: format!("more than {MAX_FOUND} {what}"),
                why: "only so many are looked at".to_owned(),
            });
        }
    }
}

fn kind_of(inspector: &Inspector<'_>, class: Address) -> Result<Option<Kind>, Unreadable> {
    let class = inspector.type_shape(class)?;
    if generator_kind(&class.name).is_some() {
        return Ok(Some(Kind::Generator));
    }
    if inspector.is_greenlet_class(&class)? {
        return Ok(Some(Kind::Greenlet));
    }
    Ok(inspector.future_class(&class)?.filter(|class| class.is_task()).map(|_| Kind::Task))
}

impl Executing {
    fn new(
        stacks: &Stacks<'_, '_>,
        states: &[InterpreterState],
        natives: &NativeThreads<'_>,
        greenlets: &Greenlets,
    ) -> Self {
        let mut executing = Executing::default();
        for thread in states.iter().flat_map(|state| &state.threads) {
            executing.threads.extend(tid_of(natives, thread).map(|tid| (tid, executing.stacks.len())));
            executing.add(stacks.frames_of(thread.address).0);
        }
        greenlets.stacks().for_each(|frames| executing.add(frames));
        executing
    }

    fn add(&mut self, frames: Vec<RawFrame>) {
        let index = self.stacks.len();
        self.places.extend(frames.iter().enumerate().map(|(at, frame)| (frame.address, (index, at))));
        self.stacks.push(frames);
    }

    /// A thread's frames, outermost first.
    pub(super) fn of_thread(&self, tid: u32) -> Vec<RawFrame> {
        let frames = self.threads.get(&tid).and_then(|&index| self.stacks.get(index));
        frames.into_iter().flatten().rev().cloned().collect()
    }

    /// From a frame inwards, outermost first; `None` for a frame that no thread executes.
    fn from(&self, frame: Address) -> Option<Vec<RawFrame>> {
        let &(stack, place) = self.places.get(&frame)?;
        Some(self.stacks.get(stack)?.get(..=place)?.iter().rev().cloned().collect())
    }
}

impl Loops {
    fn new(inspector: &Inspector<'_>, states: &[InterpreterState], natives: &NativeThreads<'_>) -> Self {
        let mut loops = Loops::default();
        for thread in states.iter().flat_map(|state| &state.threads) {
            let Some(tid) = tid_of(natives, thread) else { continue };
            loops.by_thread_id.insert(thread.thread_id, tid);
            match running_loop(inspector, thread) {
                Ok(Some(running)) => {
                    loops.by_loop.insert(running, tid);
                }
                Ok(None) => {}
                Err(error) => {
                    inspector.note_gap(error.gap(format!("the event loop of the thread {tid}")));
                }
            }
        }
        loops
    }

    /// The thread that runs a loop: by what the thread says of itself, else by the loop's `_thread_id`.
    fn thread_of(&self, inspector: &Inspector<'_>, event_loop: Address) -> Option<u32> {
        if let Some(&tid) = self.by_loop.get(&event_loop) {
            return Some(tid);
        }
        let ident = inspector.attribute(event_loop, "_thread_id").ok()??;
        let ident = u64::try_from(inspector.small_int(ident).ok()?).ok()?;
        self.by_thread_id.get(&ident).copied()
    }
}

/// The event loop that a thread runs: `set_running_loop`, Modules/_asynciomodule.c, keeps it in the thread state, up to
/// 3.13 in its dict.
fn running_loop(inspector: &Inspector<'_>, thread: &ThreadState) -> Result<Option<Address>, Unreadable> {
    let layout = &inspector.layout.structs;
    let running = layout.PyThreadStateImpl.asyncio_running_loop;
    if running.exists() {
        let running = inspector.pointer(thread.address, running)?;
        return Ok((!running.is_null() && !inspector.is_none(running)?).then_some(running));
    }
    let dict = inspector.pointer(thread.address, layout.PyThreadState.dict)?;
    if dict.is_null() {
        return Ok(None);
    }
    let Some(holder) = inspector.dict_get(dict, "__asyncio_running_event_loop__")? else { return Ok(None) };
    // The loop itself, or an object around it, as the release has it.
    let class = inspector.shape_of(holder)?;
    // No module has the holder's type, so its name may be missing; a loop's is not.
    let is_holder = class.short_name() == "_RunningLoopHolder"
        || class.nameless.is_some() && class.basic_size == i64::from(layout.PyRunningLoopHolder.size_of);
    let running =
        if is_holder { inspector.pointer(holder, layout.PyRunningLoopHolder.rl_loop)? } else { holder };
    Ok((!running.is_null() && !inspector.is_none(running)?).then_some(running))
}

/// A task while its report is made.
struct Task<'f> {
    address: Address,
    interpreter: Option<i64>,
    fields: &'f FutureFields,
}

impl Task<'_> {
    fn report(
        &self,
        stacks: &Stacks<'_, '_>,
        executing: &Executing,
        loops: &Loops,
        waiting: &Waiting,
        owned: &mut HashSet<Address>,
    ) -> report::Task {
        let inspector = stacks.inspector;
        let fields = self.fields;
        let task = fields.task.clone().unwrap_or_default();
        let name_of = |object: Address| inspector.type_of(object).ok().map(|class| class.name.clone());
        let chain = stacks.chain(task.coroutine);
        owned.extend(chain.links.iter().map(|link| link.address));
        let frames = stack_of(&chain, executing);
        let running = chain.links.iter().any(|link| link.state == GeneratorState::Running);
        let known = |object: Address| (!object.is_null()).then_some(object);
        report::Task {
            address: self.address,
            runtime: None,
            type_name: name_of(self.address).unwrap_or_default(),
            name: task.name,
            state: fields.state,
            running,
            must_cancel: task.must_cancel,
            cancel_requests: task.cancel_requests,
            coroutine: known(task.coroutine).and_then(|coroutine| coroutine_name(inspector, coroutine)),
            coroutine_address: known(task.coroutine),
            event_loop: known(fields.event_loop),
            thread: known(fields.event_loop).and_then(|at| loops.thread_of(inspector, at)),
            interpreter: self.interpreter,
            stack: report_frames(stacks, &frames),
            awaits: waiting.awaits(self.address, task.waiter),
            awaits_type: known(task.waiter).and_then(name_of),
            awaited_by: waiting.awaited_by(self.address),
            exception: known(fields.exception).map(|exception| stacks.exception(exception)),
            result: stacks
                .locals
                .filter(|_| fields.state == Some(report::TaskState::Finished) && fields.exception.is_null())
                .and_then(|limits| known(fields.result).map(|result| inspector.value(result, limits))),
        }
    }
}

/// The qualified name of a coroutine; the type's of a coroutine that is not CPython's own.
fn coroutine_name(inspector: &Inspector<'_>, coroutine: Address) -> Option<String> {
    let read = || -> Result<String, Unreadable> {
        let class = inspector.type_of(coroutine)?;
        if generator_kind(&class.name).is_none() {
            return Ok(class.name.clone());
        }
        inspector.string(inspector.non_null(coroutine, inspector.layout.structs.PyGenObject.gi_qualname)?)
    };
    read().map_err(|error| inspector.note_gap(error.gap("the name of a coroutine"))).ok()
}

/// The frames of generators that await one another; from one that a thread executes, the thread's.
fn stack_of(chain: &Chain, executing: &Executing) -> Vec<RawFrame> {
    let mut frames = Vec::new();
    for frame in chain.links.iter().filter_map(|link| link.frame.as_ref()) {
        match executing.from(frame.address) {
            Some(executed) => {
                frames.extend(executed);
                break;
            }
            None => frames.push(frame.clone()),
        }
    }
    frames
}

pub(super) fn report_frames(stacks: &Stacks<'_, '_>, frames: &[RawFrame]) -> Vec<report::Frame> {
    let mut shown = Vec::with_capacity(frames.len());
    for raw in frames {
        match stacks.frame(&RawFrame { is_entry: None, ..raw.clone() }) {
            Ok(frame) => shown.push(frame),
            Err(error) => stacks.inspector.note_gap(error.gap(format!("the frame at {}", raw.address))),
        }
    }
    shown
}

fn unowned_generators(
    stacks: &Stacks<'_, '_>,
    found: &Found,
    executing: &Executing,
    owned: &HashSet<Address>,
) -> Vec<report::Generator> {
    let inspector = stacks.inspector;
    let mut generators: BTreeMap<Address, Generator> = BTreeMap::new();
    for &address in found.generators.keys().filter(|address| !owned.contains(address)) {
        match stacks.generator(address) {
            Ok(Some(generator)) => {
                let frame = generator.frame.as_ref().map(|frame| frame.address);
                let is_executed = frame.is_some_and(|frame| executing.places.contains_key(&frame));
                if generator.state != GeneratorState::Closed && !is_executed {
                    generators.insert(address, generator);
                }
            }
            Ok(None) => {}
            Err(error) => inspector.note_gap(error.gap(format!("the generator at {address}"))),
        }
    }
    let chains: BTreeMap<Address, Address> = generators
        .values()
        .filter_map(|generator| Some((generator.address, stacks.awaited(generator)?)))
        .collect();
    let mut awaited_by: HashMap<Address, Vec<Address>> = HashMap::new();
    for (&from, &to) in &chains {
        awaited_by.entry(to).or_default().push(from);
    }
    let mut left = MAX_REPEATED;
    generators
        .values()
        .map(|generator| {
            let address = generator.address;
            let awaited_by = awaited_by.get(&address).cloned().unwrap_or_default();
            let frames = stack_of(&stacks.chain(address), executing);
            let shown = if awaited_by.is_empty() { frames.len() } else { frames.len().min(left) };
            if !awaited_by.is_empty() {
                left -= shown;
            }
            if shown < frames.len() {
                let why = "they are part of the stack of the one that awaits it".to_owned();
                let what = format!("more frames of the generator at {address}");
                inspector.note_gap(report::Gap { at: Some(address), what, why });
            }
            report::Generator {
                address,
                runtime: None,
                kind: generator.kind,
                name: coroutine_name(inspector, address),
                state: generator.state,
                interpreter: found.generators.get(&address).copied().flatten(),
                stack: report_frames(stacks, frames.get(..shown).unwrap_or_default()),
                awaits: chains.get(&address).copied().into_iter().collect(),
                awaited_by,
            }
        })
        .collect()
}
