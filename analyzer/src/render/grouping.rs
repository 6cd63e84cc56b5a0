//! What is said once for many: threads in the same place, gaps of the same kind.

use crate::addr::Address;
use crate::report::{Attachment, Frame, Gap, Generator, NativeLocation, Task, Thread, ThreadState};
use std::collections::HashMap;
use std::hash::Hash;

/// From how many on threads in the same place are shown as one.
const MANY: usize = 3;

/// How many addresses of a group of gaps are kept.
const ADDRESSES_KEPT: usize = 4;

/// The threads in their order, each alone or with all others that are in the same place.
///
/// Threads that have something of their own to show (the crashed one, locks held, exceptions, locals) stay alone.
pub(crate) fn threads<'a>(all: impl Iterator<Item = &'a Thread> + Clone) -> Vec<Vec<&'a Thread>> {
    many(all, place)
}

/// Tasks in their order, each alone or with all others that are in the same place; those that have locals, exceptions or,
/// as `leads_on` says, other tasks below them to show stay alone.
pub(crate) fn tasks<'a>(
    all: impl Iterator<Item = &'a Task> + Clone,
    leads_on: impl Fn(&Task) -> bool,
) -> Vec<Vec<&'a Task>> {
    many(all, |task| {
        let has_more = task.exception.is_some() || task.result.is_some() || has_locals(&task.stack);
        let state =
            (task.state.map(|state| state as u8), task.must_cancel, task.cancel_requests, task.thread);
        let alone = task.running || has_more || leads_on(task);
        (!alone).then(|| (state, &task.coroutine, &task.awaits_type, places(&task.stack)))
    })
}

/// Generators in their order, each alone or with all others that are in the same place.
pub(crate) fn generators<'a>(all: impl Iterator<Item = &'a Generator> + Clone) -> Vec<Vec<&'a Generator>> {
    many(all, |generator| {
        let state = (generator.kind as u8, generator.state as u8, &generator.name);
        (!has_locals(&generator.stack)).then(|| (state, places(&generator.stack)))
    })
}

fn has_locals(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| frame.locals.as_ref().is_some_and(|locals| !locals.is_empty()))
}

fn places(frames: &[Frame]) -> Vec<FramePlace<'_>> {
    frames.iter().map(frame_place).collect()
}

/// The items in their order, each alone or with all others of its key where those are many.
fn many<'a, T, K: Eq + Hash>(
    all: impl Iterator<Item = &'a T> + Clone,
    key: impl Fn(&'a T) -> Option<K>,
) -> Vec<Vec<&'a T>> {
    let mut sizes: HashMap<K, usize> = HashMap::new();
    for key in all.clone().filter_map(&key) {
        *sizes.entry(key).or_default() += 1;
    }
    grouped(all, |item| key(item).filter(|key| sizes.get(key).is_some_and(|&size| size >= MANY)))
}

/// Where a thread is, as far as text shows it.
#[derive(PartialEq, Eq, Hash)]
struct Place<'a> {
    python: bool,
    interpreter: (Option<usize>, Option<i64>),
    waiting_for_gil: bool,
    attachment: Option<Attachment>,
    state: (Option<ThreadState>, Option<&'a str>),
    native: Option<(Option<&'a str>, Option<Address>)>,
    frames: Vec<FramePlace<'a>>,
}

/// Where a frame is, as far as text shows it.
type FramePlace<'a> = (Option<&'a str>, Option<u32>, Option<&'a str>, Option<Address>);

/// Where the thread is; `None` if it should be shown alone.
fn place(thread: &Thread) -> Option<Place<'_>> {
    let alone = thread.crashed
        || thread.main
        || thread.holds_gil == Some(true)
        || thread.collecting_garbage == Some(true)
        || thread.exceptions.as_ref().is_some_and(|all| !all.handling.is_empty() || all.raising.is_some())
        || has_locals(&thread.frames);
    (!alone).then(|| Place {
        python: thread.python,
        interpreter: (thread.runtime, thread.interpreter),
        waiting_for_gil: thread.waiting_for_gil == Some(true),
        attachment: thread.attachment,
        state: (thread.state, thread.system_call.as_deref()),
        native: thread.native_location.as_ref().filter(|_| !thread.python).map(native_place),
        frames: places(&thread.frames),
    })
}

fn native_place(native: &NativeLocation) -> (Option<&str>, Option<Address>) {
    (native.module.as_deref(), native.offset)
}

fn frame_place(frame: &Frame) -> FramePlace<'_> {
    let address = frame.native.as_ref().map(|native| native.address);
    (frame.file.as_deref(), frame.line, frame.function.as_deref(), address)
}

/// The items by key, in the order of each group's first one; an item without a key makes a group alone.
fn grouped<'a, T, K: Eq + Hash>(
    items: impl Iterator<Item = &'a T>,
    key: impl Fn(&'a T) -> Option<K>,
) -> Vec<Vec<&'a T>> {
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut index_of: HashMap<K, usize> = HashMap::new();
    for item in items {
        let index = match key(item) {
            Some(key) => *index_of.entry(key).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(index) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// Gaps that differ in their addresses only.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GapGroup<'a> {
    pub(crate) what: &'a str,
    pub(crate) why: &'a str,
    /// How many there are.
    pub(crate) count: usize,
    /// The first of their addresses.
    pub(crate) at: Vec<Address>,
    /// How many more addresses there are.
    pub(crate) more: usize,
}

/// The gaps, those of one kind together.
pub(crate) fn gaps(all: &[Gap]) -> Vec<GapGroup<'_>> {
    grouped(all.iter(), |gap| Some((&gap.what, &gap.why)))
        .into_iter()
        .filter_map(|group| {
            let first = group.first()?;
            let mut at: Vec<Address> = group.iter().filter_map(|gap| gap.at).collect();
            let more = at.len().saturating_sub(ADDRESSES_KEPT);
            at.truncate(ADDRESSES_KEPT);
            Some(GapGroup { what: &first.what, why: &first.why, count: group.len(), at, more })
        })
        .collect()
}

/// Thread ids, ascending, three or more in a row as a range: `7, 101-499`. Unknown ones are counted at the end.
pub(crate) fn id_ranges(threads: &[&Thread]) -> String {
    let ids: Vec<u32> = threads.iter().filter_map(|thread| thread.tid).collect();
    let unknown = threads.len() - ids.len();
    let mut parts = ranges(ids);
    if unknown > 0 {
        parts.push(format!("{unknown} unknown"));
    }
    parts.join(", ")
}

/// As [`id_ranges`], of the debugger's numbers for the threads; `None` where there are none.
pub(crate) fn number_ranges(threads: &[&Thread]) -> Option<String> {
    let numbers: Option<Vec<u32>> =
        threads.iter().map(|thread| thread.number.as_ref()?.parse().ok()).collect();
    Some(ranges(numbers?).join(", "))
}

fn ranges(mut ids: Vec<u32>) -> Vec<String> {
    ids.sort_unstable();
    ids.dedup();
    ids.chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .flat_map(|run| match run {
            [first, _, .., last] => vec![format!("{first}-{last}")],
            few => few.iter().map(u32::to_string).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{frame, local, thread, value};
    use crate::report::ThreadExceptions;

    fn ids(groups: &[Vec<&Thread>]) -> Vec<String> {
        groups.iter().map(|group| id_ranges(group)).collect()
    }

    #[test]
    fn threads_in_the_same_place_are_one_group_from_three_on() {
        let at = |tid, line| thread(tid, vec![frame("a.py", line, "run")]);
        let mut all = [at(1, 5), at(2, 5), at(3, 7), at(4, 5), at(5, 7), at(9, 5)];
        all[0].exceptions = Some(ThreadExceptions::default());
        assert_eq!(ids(&threads(all.iter())), ["1, 2, 4, 9", "3", "5"]);
        all[0].crashed = true;
        all[1].frames[0].locals = Some(vec![local("n", value("int", "1"))]);
        assert_eq!(ids(&threads(all.iter())), ["1", "2", "3", "4", "5", "9"]);
    }

    #[test]
    fn ids_in_a_row_become_a_range() {
        let mut all: Vec<Thread> =
            [5, 1, 7, 6, 2, u32::MAX].into_iter().map(|id| thread(id, Vec::new())).collect();
        all.push(thread(0, Vec::new()));
        all[6].tid = None;
        assert_eq!(id_ranges(&all.iter().collect::<Vec<_>>()), "1, 2, 5-7, 4294967295, 1 unknown");
    }

    #[test]
    fn gaps_of_a_kind_are_counted() {
        let gap =
            |at, what: &str| Gap { at: Some(Address(at)), what: what.into(), why: "not in the dump".into() };
        let mut all: Vec<Gap> = (1..=6).map(|at| gap(at, "code object")).collect();
        all.insert(1, gap(9, "name"));
        let groups = gaps(&all);
        assert_eq!(groups.len(), 2);
        assert_eq!((groups[0].count, groups[0].at.len(), groups[0].more), (6, 4, 2));
        assert_eq!((groups[1].what, groups[1].count, groups[1].more), ("name", 1, 0));
    }
}
