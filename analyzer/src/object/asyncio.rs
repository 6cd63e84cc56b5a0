//! The futures and tasks of asyncio, in C (Modules/_asynciomodule.c) and in Python (Lib/asyncio/futures.py, tasks.py).

use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::Field;
use crate::report::TaskState;
use std::collections::HashMap;
use std::rc::Rc;

/// The most callbacks of one future that are followed.
const MAX_CALLBACKS: usize = 10_000;

/// What a future or task holds; null addresses for what it does not have.
#[derive(Clone, Debug, Default)]
pub(crate) struct FutureFields {
    /// `_state`.
    pub(crate) state: Option<TaskState>,
    /// Its event loop.
    pub(crate) event_loop: Address,
    /// What is called when it is done.
    pub(crate) callbacks: Vec<Address>,
    /// What it ended with.
    pub(crate) exception: Address,
    /// What it returned.
    pub(crate) result: Address,
    /// What a task has beside.
    pub(crate) task: Option<TaskFields>,
}

/// What a task holds beside what a future does.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskFields {
    /// `_fut_waiter`: the future that wakes it.
    pub(crate) waiter: Address,
    /// The coroutine that it runs.
    pub(crate) coroutine: Address,
    /// Its name, from 3.8.
    pub(crate) name: Option<String>,
    /// Whether it will be cancelled in its next step.
    pub(crate) must_cancel: Option<bool>,
    /// How often it was asked to cancel itself, from 3.11.
    pub(crate) cancel_requests: Option<u64>,
}

/// Whether a class is a future's or a task's, and whose fields it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FutureClass {
    /// `_asyncio.Task`.
    NativeTask,
    /// `_asyncio.Future`.
    NativeFuture,
    /// `asyncio.tasks.Task`.
    PythonTask,
    /// `asyncio.futures.Future`.
    PythonFuture,
}

impl FutureClass {
    /// Whether it is a task's.
    pub(crate) fn is_task(self) -> bool {
        matches!(self, FutureClass::NativeTask | FutureClass::PythonTask)
    }
}

impl Inspector<'_> {
    /// Whether instances of a class are futures or tasks of asyncio.
    ///
    /// # Errors
    /// Missing bytes.
    pub(crate) fn future_class(&self, class: &TypeInfo) -> Result<Option<FutureClass>, Unreadable> {
        for &base in &class.mro {
            return Ok(Some(match self.type_shape(base)?.name.as_str() {
                "_asyncio.Task" => FutureClass::NativeTask,
                "_asyncio.Future" => FutureClass::NativeFuture,
                "asyncio.tasks.Task" => FutureClass::PythonTask,
                "asyncio.futures.Future" => FutureClass::PythonFuture,
                _ => continue,
            }));
        }
        Ok(None)
    }

    /// Reads a future or task. Objects of other types that were registered as tasks are read by the attributes that
    /// asyncio's own tasks in Python have.
    ///
    /// # Errors
    /// Missing bytes, or a struct that no table has.
    pub(crate) fn future(&self, object: Address) -> Result<FutureFields, Unreadable> {
        let class = self.shape_of(object)?;
        match self.future_class(&class)? {
            Some(kind @ (FutureClass::NativeTask | FutureClass::NativeFuture)) => {
                self.native_future(object, &class, kind)
            }
            Some(FutureClass::PythonFuture) => self.python_future(object, &class, false),
            Some(FutureClass::PythonTask) | None => self.python_future(object, &class, true),
        }
    }

    fn native_future(
        &self,
        object: Address,
        class: &TypeInfo,
        kind: FutureClass,
    ) -> Result<FutureFields, Unreadable> {
        let layout = &self.layout.structs;
        let (name, expected) = match kind {
            FutureClass::NativeTask => ("_asyncio.Task", layout.TaskObj.size_of),
            _ => ("_asyncio.Future", layout.FutureObj.size_of),
        };
        let size = self.base_named(class, name)?.map_or(0, |base| base.basic_size);
        if size != i64::from(expected) {
            let what = format!("this interpreter's {name} has {size} bytes, the layout's {expected}");
            return Err(Unreadable::Nonsense { at: object, what });
        }
        let present = |field: Field| -> Result<Address, Unreadable> {
            let target = self.pointer(object, field)?;
            Ok(if target.is_null() || self.is_none(target)? { Address::NULL } else { target })
        };
        let future = &layout.FutureObj;
        let mut callbacks = Vec::new();
        callbacks.extend(Some(present(future.fut_callback0)?).filter(|callback| !callback.is_null()));
        self.add_callbacks(present(future.fut_callbacks)?, &mut callbacks)?;
        // `fut_state`, Modules/_asynciomodule.c.
        let state = match self.uint(object, future.fut_state)? {
            0 => TaskState::Pending,
            1 => TaskState::Cancelled,
            2 => TaskState::Finished,
            other => {
                return Err(Unreadable::Nonsense { at: object, what: format!("a future in state {other}") });
            }
        };
        let task = &layout.TaskObj;
        let task = match kind {
            FutureClass::NativeTask => Some(TaskFields {
                waiter: present(task.task_fut_waiter)?,
                coroutine: present(task.task_coro)?,
                name: match task.task_name.exists().then(|| present(task.task_name)).transpose()? {
                    Some(name) => self.task_name(name)?,
                    None => None,
                },
                must_cancel: Some(self.uint(object, task.task_must_cancel)? != 0),
                cancel_requests: task
                    .task_num_cancels_requested
                    .exists()
                    .then(|| self.uint(object, task.task_num_cancels_requested))
                    .transpose()?,
            }),
            _ => None,
        };
        Ok(FutureFields {
            state: Some(state),
            event_loop: present(future.fut_loop)?,
            callbacks,
            exception: present(future.fut_exception)?,
            result: self.pointer(object, future.fut_result)?,
            task,
        })
    }

    fn python_future(
        &self,
        object: Address,
        class: &TypeInfo,
        is_task: bool,
    ) -> Result<FutureFields, Unreadable> {
        let attributes: HashMap<String, Address> =
            self.attributes(object, class, usize::MAX)?.0.into_iter().collect();
        let get = |name: &str| -> Result<Address, Unreadable> {
            let own = attributes.get(name).copied();
            // What was never set is an attribute of the class.
            let value = match own {
                Some(own) => Some(own),
                None => self.class_attribute(class, name)?,
            };
            match value {
                Some(value) if !self.is_none(value)? => Ok(value),
                _ => Ok(Address::NULL),
            }
        };
        let number = |name: &str| -> Result<Option<u64>, Unreadable> {
            let value = get(name)?;
            if value.is_null() || !self.type_of(value)?.is_int() {
                return Ok(None);
            }
            Ok(u64::try_from(self.small_int(value)?).ok())
        };
        let state = get("_state")?;
        let state = if state.is_null() || !self.is_str_object(state)? {
            None
        } else {
            match self.string(state)?.as_str() {
                "PENDING" => Some(TaskState::Pending),
                "CANCELLED" => Some(TaskState::Cancelled),
                "FINISHED" => Some(TaskState::Finished),
                _ => None,
            }
        };
        let mut callbacks = Vec::new();
        self.add_callbacks(get("_callbacks")?, &mut callbacks)?;
        let task = is_task.then(|| -> Result<TaskFields, Unreadable> {
            Ok(TaskFields {
                waiter: get("_fut_waiter")?,
                coroutine: get("_coro")?,
                name: self.task_name(get("_name")?)?,
                must_cancel: number("_must_cancel")?.map(|value| value != 0),
                cancel_requests: number("_num_cancels_requested")?,
            })
        });
        Ok(FutureFields {
            state,
            event_loop: get("_loop")?,
            callbacks,
            exception: get("_exception")?,
            result: attributes.get("_result").copied().unwrap_or_default(),
            task: task.transpose()?,
        })
    }

    /// A task's name: from 3.13 on a number until somebody asks for it.
    fn task_name(&self, name: Address) -> Result<Option<String>, Unreadable> {
        if name.is_null() {
            return Ok(None);
        }
        Ok(if self.is_str_object(name)? {
            Some(self.string(name)?)
        } else if self.type_of(name)?.is_int() {
            Some(format!("Task-{}", self.big_int(name)?))
        } else {
            None
        })
    }

    /// The callables of a list of callbacks: from 3.7 on pairs with their contexts.
    fn add_callbacks(&self, list: Address, out: &mut Vec<Address>) -> Result<(), Unreadable> {
        if list.is_null() || !self.shape_of(list)?.is_list() {
            return Ok(());
        }
        for entry in self.list_items(list, MAX_CALLBACKS)?.0 {
            if self.shape_of(entry)?.is_tuple() {
                out.extend(self.tuple_items(entry, 1)?.0);
            } else {
                out.push(entry);
            }
        }
        Ok(())
    }

    /// The class of that name among a class and its bases.
    pub(crate) fn base_named(
        &self,
        class: &TypeInfo,
        name: &str,
    ) -> Result<Option<Rc<TypeInfo>>, Unreadable> {
        for &base in &class.mro {
            let base = self.type_shape(base)?;
            if base.name == name {
                return Ok(Some(base));
            }
        }
        Ok(None)
    }
}
