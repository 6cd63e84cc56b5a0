//! What questions are answered with, beside whole reports.

use super::{Exception, Frame, Gap, Generator, Greenlet, Interpreter, Local, Python, Task, Thread, Value};
use crate::addr::Address;
use serde::Serialize;
use std::collections::BTreeMap;

/// The frames of threads.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Backtrace {
    /// In the report's order, without what they raise and handle.
    pub threads: Vec<Thread>,
    /// Of all threads, how many have no thread state and are not shown.
    pub without_python: usize,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// The threads of a process.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadList {
    /// In the report's order.
    pub threads: Vec<ListedThread>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// A thread of a list.
#[derive(Clone, Debug, Serialize)]
pub struct ListedThread {
    /// Whether it is the one that was asked about.
    pub selected: bool,
    /// How many frames it has.
    pub frame_count: usize,
    /// The thread with its innermost frame only.
    #[serde(flatten)]
    pub thread: Thread,
}

/// A frame and what was asked of it.
#[derive(Clone, Debug, Serialize)]
pub struct FrameAnswer {
    /// The native id of its thread.
    pub thread: Option<u32>,
    /// What the debugger calls that thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Its place: 0 is the innermost.
    pub index: usize,
    /// How many frames the thread has.
    pub frame_count: usize,
    /// The frame, without variables.
    pub frame: Frame,
    /// Its variables, or global names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locals: Option<Vec<Local>>,
    /// How many global names are left out: the module's own and what it defines and imports.
    pub left_out: usize,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// Lines of a source file.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The path as the code object has it.
    pub file: String,
    /// The file that was read.
    pub path: String,
    /// The line being executed.
    pub line: u32,
    /// The number of the first line listed.
    pub first: u32,
    /// The lines.
    pub lines: Vec<String>,
    /// Whether the file changed after the process began, or after its dump was written.
    pub changed: bool,
}

/// Where a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameScope {
    /// A parameter of the frame's function.
    Arg,
    /// A variable of the frame.
    Local,
    /// A variable of the frame that inner functions share.
    Cell,
    /// A variable of an enclosing function.
    Free,
    /// A name of the frame's module.
    Global,
    /// A name of `builtins`.
    Builtin,
}

/// The value of an expression.
#[derive(Clone, Debug, Serialize)]
pub struct Printed {
    /// The expression.
    pub expression: String,
    /// The native id of the thread in whose frame names were looked up.
    pub thread: Option<u32>,
    /// That frame's place: 0 is the innermost.
    pub frame: Option<usize>,
    /// Where the name was found that it begins with; absent where it begins with an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<NameScope>,
    /// Where the object lies; absent for what is no object, such as a character of a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// What it is.
    pub value: Value,
    /// What is to be said of how it was found.
    pub remarks: Vec<String>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// How an expression may go on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Completions {
    /// Where in the text what they replace begins, in bytes.
    pub start: usize,
    /// What may stand there instead, sorted.
    pub completions: Vec<String>,
    /// Whether there are more.
    pub truncated: bool,
}

/// What threads raise and handle.
#[derive(Clone, Debug, Serialize)]
pub struct RaisedAnswer {
    /// The threads, each with its innermost frame only.
    pub threads: Vec<Thread>,
    /// The interpreters, which have what reached the top unhandled; only where all threads are asked about.
    pub interpreters: Vec<Interpreter>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

impl RaisedAnswer {
    /// The exceptions that reached the top unhandled.
    pub(crate) fn unhandled(&self) -> impl Iterator<Item = (&Interpreter, &Exception)> {
        self.interpreters.iter().filter_map(|one| Some((one, one.last_exception.as_ref()?)))
    }
}

/// The global interpreter locks.
#[derive(Clone, Debug, Serialize)]
pub struct Gils {
    /// One for each interpreter; those that share one lock have the same holder.
    pub gils: Vec<Gil>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// The lock as the threads of one interpreter see it.
#[derive(Clone, Debug, Serialize)]
pub struct Gil {
    /// The runtime, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<usize>,
    /// The interpreter's id.
    pub interpreter: Option<i64>,
    /// `false` in free-threaded builds that run without.
    pub enabled: bool,
    /// Whether it is known who holds it.
    pub known: bool,
    /// Who holds it, if it is one of the interpreter's threads.
    pub holder: Option<GilThread>,
    /// Who waits for it.
    pub waiting: Vec<GilThread>,
    /// Whether it is known who waits.
    pub waiting_known: bool,
    /// In free-threaded builds: who may run Python code.
    pub attached: Vec<GilThread>,
    /// Who collects garbage.
    pub collecting: Option<GilThread>,
}

/// A thread in a few words.
#[derive(Clone, Debug, Serialize)]
pub struct GilThread {
    /// Its native id.
    pub tid: Option<u32>,
    /// What the debugger calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its innermost frame.
    pub frame: Option<Frame>,
}

impl GilThread {
    /// `thread 3 (tid 4711) "Worker"`.
    pub(crate) fn label(&self) -> String {
        let tid = self.tid.map_or("?".to_owned(), |tid| tid.to_string());
        let name = self.name.as_ref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        match &self.number {
            Some(number) => format!("thread {number} (tid {tid}){name}"),
            None => format!("thread {tid}{name}"),
        }
    }
}

/// The interpreters of a process.
#[derive(Clone, Debug, Serialize)]
pub struct InterpreterList {
    /// The runtimes, each with its interpreters.
    pub pythons: Vec<Python>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// What is imported.
#[derive(Clone, Debug, Serialize)]
pub struct ModuleList {
    /// By interpreter and name.
    pub modules: Vec<PythonModule>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// An entry of `sys.modules`.
#[derive(Clone, Debug, Serialize)]
pub struct PythonModule {
    /// Its key.
    pub name: String,
    /// `__version__`, where that is a str.
    pub version: Option<String>,
    /// `__file__`.
    pub file: Option<String>,
    /// The interpreter whose it is.
    pub interpreter: Option<i64>,
    /// Where the module object lies.
    pub address: Address,
}

/// What no thread shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TasksAnswer {
    /// The tasks of asyncio's event loops, by address.
    pub tasks: Vec<Task>,
    /// The generators and coroutines that belong to no thread and no task, by address.
    pub generators: Vec<Generator>,
    /// Greenlets, by address.
    pub greenlets: Vec<Greenlet>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// Whether code may be run in the process as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct ExecState {
    /// The version of Python.
    pub python: String,
    /// Whether the main interpreter is ready to run code.
    pub initialised: Option<bool>,
    /// Whether it is being finalised.
    pub finalizing: Option<bool>,
    /// `false` in free-threaded builds that run without the global interpreter lock.
    pub gil_enabled: bool,
    /// Whether it is known who holds the lock.
    pub gil_known: bool,
    /// Who holds it.
    pub gil_holder: Option<GilThread>,
    /// Who collects garbage.
    pub collecting: Option<GilThread>,
    /// Whether it is known who does.
    pub collecting_known: bool,
    /// The thread in which code would be run.
    pub thread: Option<ExecThread>,
    /// How a debugger leaves a script for the interpreter to run; from 3.14 (PEP 768).
    pub remote: Option<RemoteDebugging>,
    /// The functions that are called to run code, by name; those that are not exported are not there.
    pub functions: BTreeMap<&'static str, Address>,
    /// Whether `PyGILState_Ensure`, code, `PyGILState_Release` may be called in the thread.
    pub verdict: Verdict,
    /// Why not, or what to know before.
    pub reasons: Vec<String>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// Whether code may be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// At once.
    Yes,
    /// It would wait for another thread, which has to be let run.
    Waits,
    /// It would never come back, or do damage.
    No,
}

/// A thread in which code would be run.
#[derive(Clone, Debug, Serialize)]
pub struct ExecThread {
    /// Its native id.
    pub tid: u32,
    /// Whether it has a thread state; `PyGILState_Ensure` makes one otherwise.
    pub has_thread_state: bool,
    /// Whether it holds the global interpreter lock.
    pub holds_gil: bool,
    /// The ids of the interpreters for which it has thread states.
    pub interpreters: Vec<i64>,
    /// Its innermost frame.
    pub frame: Option<Frame>,
}

/// Where a debugger leaves a script: write its path, ended by NUL, to `script_path` of a thread, then the 32-bit integer 1
/// to `pending_call`, then set `stop_bit` in the word at `eval_breaker`.
#[derive(Clone, Debug, Serialize)]
pub struct RemoteDebugging {
    /// How long the path may be with its NUL, in bytes.
    pub script_path_size: u64,
    /// The bit that makes a thread look.
    pub stop_bit: u64,
    /// One for each thread state.
    pub threads: Vec<RemoteThread>,
}

/// Where a script is left for one thread.
#[derive(Clone, Debug, Serialize)]
pub struct RemoteThread {
    /// The native id.
    pub tid: Option<u32>,
    /// The interpreter's id.
    pub interpreter: Option<i64>,
    /// Whether the interpreter takes scripts: not where it was told not to (`-X disable-remote-debug`).
    pub enabled: Option<bool>,
    /// The `PyThreadState`.
    pub thread_state: Address,
    /// A word of 64 bits.
    pub eval_breaker: Address,
    /// An integer of 32 bits.
    pub pending_call: Address,
    /// An array of characters.
    pub script_path: Address,
}
