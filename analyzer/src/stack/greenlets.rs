//! Greenlets: stacks that take turns in one thread.

use super::Stacks;
use super::frame::RawFrame;
use super::suspended::{Executing, report_frames};
use crate::addr::Address;
use crate::layout::{FrameModel, PackageLayout};
use crate::memory::Range;
use crate::object::{GreenletFields, Inspector, SavedStack, Unreadable};
use crate::process::ProcessInfo;
use crate::report::{self, GreenletState};
use std::collections::{BTreeMap, HashMap};

/// The most parents between a greenlet and the one that its thread began with.
const MAX_PARENTS: usize = 10_000;

/// The greenlets while their report is made.
#[derive(Debug, Default)]
pub(super) struct Greenlets {
    fields: BTreeMap<Address, GreenletFields>,
    /// The frames of those that are suspended, outermost first.
    frames: BTreeMap<Address, Vec<RawFrame>>,
}

impl Greenlets {
    /// Reads greenlets and their frames.
    pub(super) fn read(stacks: &Stacks<'_, '_>, found: &[Address]) -> Self {
        let inspector = stacks.inspector;
        let mut greenlets = Greenlets::default();
        if found.is_empty() {
            return greenlets;
        }
        let table = match inspector.greenlet_table(found) {
            Ok(table) => table,
            Err(error) => {
                inspector.note_gap(error.gap("the greenlets"));
                return greenlets;
            }
        };
        for &address in found {
            if let Err(error) = greenlets.add(stacks, &table, address) {
                inspector.note_gap(error.gap(format!("the greenlet at {address}")));
            }
        }
        greenlets
    }

    fn add(
        &mut self,
        stacks: &Stacks<'_, '_>,
        table: &PackageLayout,
        address: Address,
    ) -> Result<(), Unreadable> {
        let fields = stacks.inspector.greenlet(table, address)?;
        if !fields.top_frame.is_null() {
            let (mut frames, problem) = stacks.saved_frames(fields.top_frame, fields.stack);
            if let Some(error) = problem {
                let what = format!("the frames of the greenlet at {address}");
                stacks.inspector.note_gap(error.gap(what));
            }
            frames.reverse();
            self.frames.insert(address, frames);
        }
        self.fields.insert(address, fields);
        Ok(())
    }

    /// The frames of those that are suspended, innermost first.
    pub(super) fn stacks(&self) -> impl Iterator<Item = Vec<RawFrame>> {
        self.frames.values().map(|frames| frames.iter().rev().cloned().collect())
    }

    /// The greenlets of the report.
    pub(super) fn report(
        &self,
        stacks: &Stacks<'_, '_>,
        executing: &Executing,
        process: &ProcessInfo,
        interpreters: &BTreeMap<Address, Option<i64>>,
    ) -> Vec<report::Greenlet> {
        let inspector = stacks.inspector;
        let threads = self.threads(inspector, process);
        self.fields
            .iter()
            .map(|(&address, fields)| {
                let thread = threads.get(&self.family(address)).copied();
                let running = (fields.state == GreenletState::Running).then_some(thread).flatten();
                let frames = match running {
                    Some(tid) => executing.of_thread(tid),
                    None => self.frames.get(&address).cloned().unwrap_or_default(),
                };
                let stack = report_frames(stacks, &frames);
                let class = inspector.shape_of(address).ok();
                if let Some(why) = class.as_ref().and_then(|class| class.nameless.clone()) {
                    inspector.note_gap(why.gap(format!("the type of the greenlet at {address}")));
                }
                let name = inspector.greenlet_name(address).unwrap_or_else(|error| {
                    inspector.note_gap(error.gap(format!("the name of the greenlet at {address}")));
                    None
                });
                let runs = if fields.run.is_null() {
                    let outermost = stack.first().filter(|_| !fields.main);
                    outermost.and_then(|frame| frame.qualname.clone().or_else(|| frame.function.clone()))
                } else {
                    function_name(inspector, fields.run)
                };
                report::Greenlet {
                    address,
                    type_name: class.map(|class| class.name.clone()).unwrap_or_default(),
                    name,
                    state: fields.state,
                    main: fields.main,
                    coroutine: runs,
                    parent: (!fields.parent.is_null()).then_some(fields.parent),
                    thread,
                    runtime: None,
                    interpreter: interpreters.get(&address).copied().flatten(),
                    stack,
                    awaits: Vec::new(),
                    awaited_by: Vec::new(),
                }
            })
            .collect()
    }

    /// The first of a greenlet's line of parents: the one that its thread began with.
    fn family(&self, greenlet: Address) -> Address {
        let mut at = greenlet;
        for _ in 0..MAX_PARENTS {
            match self.fields.get(&at) {
                Some(fields) if !fields.parent.is_null() => at = fields.parent,
                _ => break,
            }
        }
        at
    }

    /// The threads of greenlets, by the first of their line: those whose native stack theirs is a part of.
    fn threads(&self, inspector: &Inspector<'_>, process: &ProcessInfo) -> HashMap<Address, u32> {
        let ranges = inspector.memory.ranges();
        let range_of = |at: Address| -> Option<Range> {
            let index = ranges.partition_point(|range| range.start <= at).checked_sub(1)?;
            ranges.get(index).copied().filter(|range| range.contains(at))
        };
        let stacks: HashMap<Address, u32> = process
            .threads
            .iter()
            .filter_map(|native| Some((range_of(native.stack_pointer?)?.start, native.tid)))
            .collect();
        let mut threads = HashMap::new();
        for (&address, fields) in &self.fields {
            // The main one's stack has no known end, and begins anywhere while it runs.
            let within = if fields.main { fields.stack.start } else { fields.stack.stop.sub(1) };
            if let Some(tid) = range_of(within).and_then(|range| stacks.get(&range.start)) {
                threads.insert(self.family(address), *tid);
            }
        }
        threads
    }
}

fn function_name(inspector: &Inspector<'_>, run: Address) -> Option<String> {
    let layout = &inspector.layout.structs;
    let read = || -> Result<Option<String>, Unreadable> {
        let mut function = run;
        if inspector.type_of(function)?.name == "method" {
            function = inspector.non_null(function, layout.PyMethodObject.im_func)?;
        }
        if inspector.type_of(function)?.name != "function" {
            return Ok(None);
        }
        inspector.string(inspector.non_null(function, layout.PyFunctionObject.func_qualname)?).map(Some)
    };
    read().ok().flatten()
}

impl Stacks<'_, '_> {
    /// The frames from a `PyFrameObject` outwards, innermost first, of which the interpreter's own on the native stack
    /// may lie elsewhere; and what ended the walk early.
    fn saved_frames(&self, top: Address, stack: SavedStack) -> (Vec<RawFrame>, Option<Unreadable>) {
        let inspector = self.inspector;
        let first = match inspector.layout.frame_model() {
            Some(FrameModel::FrameObject) => Ok(top),
            _ => inspector.non_null(top, inspector.layout.structs.PyFrameObject.f_frame),
        };
        match first {
            Ok(first) => self.frames_from(first, |at| stack.place_of(at)),
            Err(error) => (Vec::new(), Some(error)),
        }
    }
}
