//! Who waits for whom among futures and tasks.

use super::Stacks;
use crate::addr::Address;
use crate::object::{FutureFields, Unreadable};
use crate::report::LocalKind;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The most futures between a task and those that wait for it.
const MAX_BETWEEN: usize = 10_000;
/// The most variables or arguments of one callback that are looked at.
const MAX_PARTS: usize = 1000;
/// How the callbacks of asyncio call the future that they will finish: `outer` in `gather` and `shield`, `waiter` in `wait`,
/// `destination` in `wrap_future` (Lib/asyncio/tasks.py, futures.py).
const FINISHED_BY_CALLBACK: [&str; 3] = ["outer", "waiter", "destination"];
/// What looking at a callback costs, in entries of containers.
const CALLBACK_COST: u64 = 16;

/// The tasks that wait, by what wakes them and by what those wait for in turn.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By task: the tasks that await it, also through the futures that `gather` and its like make.
    awaited_by: HashMap<Address, Vec<Address>>,
    /// By task: the tasks that it awaits.
    awaits: HashMap<Address, Vec<Address>>,
}

impl Waiting {
    /// Looks at all tasks and at what they give as callbacks to one another.
    pub(super) fn new(stacks: &Stacks<'_, '_>, tasks: &BTreeMap<Address, FutureFields>) -> Self {
        let mut woken: HashMap<Address, Vec<Address>> = HashMap::new();
        for (&address, fields) in tasks {
            if let Some(task) = fields.task.as_ref().filter(|task| !task.waiter.is_null()) {
                woken.entry(task.waiter).or_default().push(address);
            }
        }
        let mut waiting = Waiting::default();
        for &awaited in tasks.keys() {
            let (tasks, problem) = waiting_for(stacks, awaited, tasks, &woken);
            if let Some(error) = problem {
                stacks.inspector.note_gap(error.gap(format!("who awaits the task at {awaited}")));
            }
            for &task in &tasks {
                waiting.awaits.entry(task).or_default().push(awaited);
            }
            waiting.awaited_by.insert(awaited, tasks.into_iter().collect());
        }
        waiting
    }

    /// The tasks that await this one.
    pub(super) fn awaited_by(&self, task: Address) -> Vec<Address> {
        self.awaited_by.get(&task).cloned().unwrap_or_default()
    }

    /// What wakes a task, then the tasks behind that.
    pub(super) fn awaits(&self, task: Address, waiter: Address) -> Vec<Address> {
        let mut awaits = Vec::new();
        awaits.extend((!waiter.is_null()).then_some(waiter));
        let behind = self.awaits.get(&task).into_iter().flatten();
        awaits.extend(behind.copied().filter(|&behind| behind != waiter));
        awaits
    }
}

/// The tasks that wait for `awaited`, and what ended the search early.
fn waiting_for(
    stacks: &Stacks<'_, '_>,
    awaited: Address,
    tasks: &BTreeMap<Address, FutureFields>,
    woken: &HashMap<Address, Vec<Address>>,
) -> (BTreeSet<Address>, Option<Unreadable>) {
    let mut found = BTreeSet::new();
    let mut seen = HashSet::from([awaited]);
    let mut open = vec![awaited];
    let mut search = || -> Result<(), Unreadable> {
        while let Some(future) = open.pop() {
            found.extend(woken.get(&future).into_iter().flatten());
            let read;
            let fields = match tasks.get(&future) {
                Some(fields) => fields,
                None => {
                    read = stacks.inspector.future(future)?;
                    &read
                }
            };
            for &callback in &fields.callbacks {
                stacks.inspector.spend(callback, CALLBACK_COST)?;
                for behind in stacks.behind_callback(callback)? {
                    if tasks.contains_key(&behind) {
                        found.insert(behind);
                    } else if seen.insert(behind) && seen.len() <= MAX_BETWEEN {
                        open.push(behind);
                    }
                }
            }
        }
        Ok(())
    };
    let problem = search().err();
    (found, problem)
}

impl Stacks<'_, '_> {
    /// Which futures and tasks wait through a callback that asyncio gave to another future: the one that `gather`,
    /// `wait`, `shield` or `wait_for` made, and the parent of a task group.
    fn behind_callback(&self, callback: Address) -> Result<Vec<Address>, Unreadable> {
        let inspector = self.inspector;
        let layout = &inspector.layout.structs;
        let mut parts = Vec::new();
        match inspector.shape_of(callback)?.name.as_str() {
            "function" if self.is_of_asyncio(callback)? => {
                let closure = inspector.pointer(callback, layout.PyFunctionObject.func_closure)?;
                if !closure.is_null() {
                    let code = self.code(inspector.non_null(callback, layout.PyFunctionObject.func_code)?)?;
                    let names = code.variables.iter().filter(|variable| variable.kind == LocalKind::Free);
                    for (cell, variable) in
                        inspector.tuple_items(closure, MAX_PARTS)?.0.into_iter().zip(names)
                    {
                        if FINISHED_BY_CALLBACK.contains(&variable.name.as_str()) {
                            parts.push(inspector.pointer(cell, layout.PyCellObject.ob_ref)?);
                        }
                    }
                }
            }
            // `_release_waiter` of `wait_for`, up to 3.11.
            "functools.partial" => {
                let function = inspector.non_null(callback, layout.PartialObject.function)?;
                if inspector.type_of(function)?.name == "function" && self.is_of_asyncio(function)? {
                    let arguments = inspector.non_null(callback, layout.PartialObject.args)?;
                    parts.extend(inspector.tuple_items(arguments, MAX_PARTS)?.0);
                }
            }
            "method" => {
                let owner = inspector.non_null(callback, layout.PyMethodObject.im_self)?;
                let class = inspector.shape_of(owner)?;
                if inspector.base_named(&class, "asyncio.taskgroups.TaskGroup")?.is_some() {
                    parts.extend(inspector.attribute(owner, "_parent_task")?);
                }
            }
            _ => {}
        }
        let mut futures = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_null()) {
            if inspector.future_class(&*inspector.shape_of(part)?)?.is_some() {
                futures.push(part);
            }
        }
        Ok(futures)
    }

    fn is_of_asyncio(&self, function: Address) -> Result<bool, Unreadable> {
        let inspector = self.inspector;
        let globals = inspector.non_null(function, inspector.layout.structs.PyFunctionObject.func_globals)?;
        let Some(module) = inspector.dict_get(globals, "__name__")? else { return Ok(false) };
        Ok(inspector.is_str_object(module)? && inspector.string(module)?.starts_with("asyncio."))
    }
}
