//! What threads do not show: tasks, generators and greenlets that wait.

use super::{Exception, Frame, Value};
use crate::addr::Address;
use schemars::JsonSchema;
use serde::Serialize;

/// A task of an asyncio event loop.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Task {
    /// Where the object lies.
    pub address: Address,
    /// The type's qualified name, `_asyncio.Task`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its name, `Task-7`; tasks have names from 3.8 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How far it has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
    /// Whether a thread was executing it.
    pub running: bool,
    /// Whether its next step is to raise `CancelledError` in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub must_cancel: Option<bool>,
    /// `Task.cancelling()`: how often it was asked to cancel itself, from 3.11.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requests: Option<u64>,
    /// The qualified name of the coroutine that it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coroutine: Option<String>,
    /// Where the coroutine object lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coroutine_address: Option<Address>,
    /// Where its event loop lies.
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    pub event_loop: Option<Address>,
    /// The native id of the thread in which its event loop runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<u32>,
    /// Which runtime it belongs to, where there are several: as [`Thread::runtime`](super::Thread::runtime).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<usize>,
    /// The id of the interpreter it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<i64>,
    /// Outermost first: the coroutine, then what it awaits, down to where it is.
    pub stack: Vec<Frame>,
    /// The future or task that wakes it first, then the tasks behind that: the children of a gather or a task group.
    pub awaits: Vec<Address>,
    /// What the first of `awaits` is: `_asyncio.Future`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaits_type: Option<String>,
    /// The tasks that await it, also through a gather, a task group, `wait`, `shield`.
    pub awaited_by: Vec<Address>,
    /// What it ended with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<Exception>,
    /// What it returned; absent unless locals were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// How far a task or future has come: `_state` in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// It is not done.
    Pending,
    /// It returned or raised.
    Finished,
    /// It was cancelled.
    Cancelled,
}

/// A generator, coroutine or asynchronous generator that no thread executes and no task awaits.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Generator {
    /// Where the object lies.
    pub address: Address,
    /// What it is.
    pub kind: GeneratorKind,
    /// Its qualified name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How far it has come.
    pub state: GeneratorState,
    /// Which runtime it belongs to, where there are several: as [`Thread::runtime`](super::Thread::runtime).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<usize>,
    /// The id of the interpreter it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<i64>,
    /// Outermost first: itself, then what it delegates to, down to where it is.
    pub stack: Vec<Frame>,
    /// What it delegates to or awaits by `yield from` or `await`.
    pub awaits: Vec<Address>,
    /// The generators that delegate to it or await it.
    pub awaited_by: Vec<Address>,
}

/// The kinds of generators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeneratorKind {
    /// Of a function with `yield`.
    Generator,
    /// Of an `async def`.
    Coroutine,
    /// Of an `async def` with `yield`.
    AsyncGenerator,
}

/// How far a generator has come, as `inspect.getgeneratorstate` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GeneratorState {
    /// It was not started: a coroutine that was never awaited.
    Created,
    /// It waits at a `yield` or `await`.
    Suspended,
    /// It is being executed.
    Running,
    /// It ended.
    Closed,
}

/// A greenlet of the package greenlet or of gevent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Greenlet {
    /// Where the object lies.
    pub address: Address,
    /// The type's qualified name, `greenlet.greenlet`, `gevent._gevent_cgreenlet.Greenlet`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its attribute `name`, or the name that gevent makes, where somebody asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How far it has come.
    pub state: GreenletState,
    /// Whether it is what its thread began with.
    pub main: bool,
    /// The function that it runs or will run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coroutine: Option<String>,
    /// The greenlet that goes on when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Address>,
    /// The native id of the thread that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<u32>,
    /// Which runtime it belongs to, where there are several: as [`Thread::runtime`](super::Thread::runtime).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<usize>,
    /// The id of the interpreter it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<i64>,
    /// Outermost first; of a running one, its thread's.
    pub stack: Vec<Frame>,
    /// What it awaits; no greenlet tells.
    pub awaits: Vec<Address>,
    /// The greenlets that await it: none tells.
    pub awaited_by: Vec<Address>,
}

/// How far a greenlet has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GreenletState {
    /// It was never switched to.
    Unstarted,
    /// It switched to another one.
    Suspended,
    /// Its thread was executing it.
    Running,
    /// It ended.
    Dead,
}
