//! The one model that all faces of pycore show: owned, serialisable, without lifetimes.
//!
//! The field names are a contract (`pycore.report/1`): outside tools rely on them. What cannot be known is absent.

mod answers;
mod history;
mod info;
mod process;
mod profile;
mod tasks;
mod triage;

pub use answers::{
    Backtrace, Completions, ExecState, ExecThread, FrameAnswer, Gil, GilThread, Gils, InterpreterList,
    ListedThread, Listing, ModuleList, NameScope, Printed, PythonModule, RaisedAnswer, RemoteDebugging,
    RemoteThread, TasksAnswer, ThreadList, Verdict,
};
pub use history::{
    GroupHistory, GroupState, GroupTrend, HISTORY_SCHEMA, History, HistoryAnswer, Mark, Marked, RecordedDump,
    RecordedGroup, Regression, Trend, TrendDay,
};
pub use info::{Info, InfoModule, InfoThread};
pub use process::{
    Assertion, NativeException, Process, Signal, System, ThreadState, ThreadTimes, Times, UnloadedModule,
};
pub(crate) use process::{file_name, is_windows_path};
pub use profile::{
    Ended, Missed, PROFILE_SCHEMA, Profile, ProfileFrame, ProfileStack, ProfileThread, SampledThreads,
    Sampling,
};
pub use tasks::{Generator, GeneratorKind, GeneratorState, Greenlet, GreenletState, Task, TaskState};
pub use triage::{
    Counted, Crash, CrashException, CrashFrame, CrashLocal, Difference, ENTRY_SCHEMA, Entry, ExceptionRole,
    FailedDump, Failure, FailureKind, Fingerprint, FingerprintPart, Group, GroupStatus, Member, Outcome,
    PartKind, RuleVerdict, Severity, TRIAGE_SCHEMA, Totals, Triage,
};

use crate::addr::Address;
use schemars::JsonSchema;
use serde::Serialize;

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The name and version of the contract that [`Report`] follows.
pub const SCHEMA: &str = "pycore.report/1";

/// Everything that was found in one dump or process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// The name of this contract: `pycore.report/1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// What was read.
    pub source: Source,
    /// What the operating system knew of the process.
    pub process: Process,
    /// The interpreter, where one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<Python>,
    /// Further runtimes in the same process, each with interpreters of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_pythons: Vec<Python>,
    /// The crashed thread first, then the main one, then by native thread id.
    pub threads: Vec<Thread>,
    /// The tasks of asyncio's event loops, by address; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Task>>,
    /// The generators and coroutines that belong to no thread and no task, by address; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generators: Option<Vec<Generator>>,
    /// Greenlets, by address; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greenlets: Option<Vec<Greenlet>>,
    /// Why the process died or hangs, as far as it can be told.
    pub diagnosis: Diagnosis,
    /// With `--redact`, how many values were hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted: Option<usize>,
    /// What was wanted and could not be read.
    pub gaps: Vec<Gap>,
    /// What the reader should know before trusting the report.
    pub warnings: Vec<String>,
}

/// The file or process that was read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Source {
    /// The path as given by the user; of a live process, its folder in /proc.
    pub path: String,
    /// The kind of container.
    pub format: SourceFormat,
    /// The instruction set of the target, as in `uname -m`.
    pub arch: String,
    /// The size of the file, in bytes, as it lies on the disk; of a live process, that of its memory.
    pub size_bytes: u64,
    /// Whether the file ends before what its headers promise.
    pub truncated: bool,
    /// When the process died, in UTC as RFC 3339 has it, where the file's name or attributes tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The name of the machine where it died, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The id of that machine's boot, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// What a minidump was told to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<DumpContents>,
}

/// What a minidump was told to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DumpContents {
    /// Which memory it holds, in words: `full memory`, `thread stacks`, ...
    pub memory: String,
    /// How many bytes of memory it promises to hold.
    pub memory_bytes: u64,
    /// The names of the flags in its header, of `MINIDUMP_TYPE`.
    pub flags: Vec<String>,
    /// How to write one that holds all that a report needs, where this one does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The kinds of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceFormat {
    /// An ELF core file.
    ElfCore,
    /// A Windows minidump.
    Minidump,
    /// A live process.
    Live,
}

/// The interpreter in the process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Python {
    /// Always `cpython` so far.
    pub implementation: String,
    /// `3.11.7`; without the last number where only the layout is known.
    pub version: String,
    /// Whether it was built with `--disable-gil`.
    pub free_threaded: bool,
    /// Whether it was built with `--with-pydebug`.
    pub debug_build: bool,
    /// The name of the layout table that was used.
    pub layout: String,
    /// How the interpreter was found.
    pub evidence: Vec<Evidence>,
    /// All interpreters of the runtime.
    pub interpreters: Vec<Interpreter>,
}

/// One reason to believe that an interpreter is where it was found, or of which version it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evidence {
    /// `symbol`, `section`, `layout-fit`, `hexversion`, `debug-offsets`.
    pub method: &'static str,
    /// What was seen.
    pub detail: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// One `PyInterpreterState`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Interpreter {
    /// Its id; 0 for the main one. Absent where the interpreter's own data is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Whether it is the one the runtime started with.
    pub main: bool,
    /// How many thread states it holds.
    pub thread_count: usize,
    /// In free-threaded builds: whether it runs with a global interpreter lock nevertheless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gil_enabled: Option<bool>,
    /// `sys.last_exc` (or `sys.last_value`): the last exception that reached the top unhandled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exception: Option<Exception>,
}

/// A thread of the process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Thread {
    /// The native thread id, as the operating system gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// What the debugger that holds the process calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// `threading.Thread.name` where one exists, else the operating system's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the process has several runtimes, the one it belongs to: 0 is `python`, 1 the first of `other_pythons`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<usize>,
    /// The id of the interpreter it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<i64>,
    /// Whether it took the signal that ended the process.
    pub crashed: bool,
    /// Whether it is the thread that initialised the interpreter.
    pub main: bool,
    /// Whether it held the global interpreter lock; none does where it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds_gil: Option<bool>,
    /// Whether it waited for the global interpreter lock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for_gil: Option<bool>,
    /// Whether it ran the cyclic garbage collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collecting_garbage: Option<bool>,
    /// In free-threaded builds: whether it may run Python code, which several threads may at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment: Option<Attachment>,
    /// What the native thread did, in a live process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ThreadState>,
    /// The system call that it was in, `futex`, `read`, in a live process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_call: Option<String>,
    /// `false` for a native thread that holds no Python thread state.
    pub python: bool,
    /// Where the processor was in this thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_location: Option<NativeLocation>,
    /// Where the thread began to run, where the dump says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<NativeLocation>,
    /// When it was made and how long it ran, where the dump says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<ThreadTimes>,
    /// Innermost first: `frames[0]` is where the thread is.
    pub frames: Vec<Frame>,
    /// What is being raised and handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<ThreadExceptions>,
}

/// How a thread state is tied to its interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Attachment {
    /// It may run Python code and use objects.
    Attached,
    /// It waits or computes without Python.
    Detached,
    /// It is detached, and has to stay so while another thread has stopped all.
    Suspended,
    /// Its interpreter ends, and it can never run Python code again.
    ShuttingDown,
}

/// The place of an instruction pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NativeLocation {
    /// The instruction pointer.
    pub address: Address,
    /// The path of the file mapped there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The distance from where the module begins in memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<Address>,
}

/// A frame of a stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Frame {
    /// Python's or the machine's.
    pub kind: FrameKind,
    /// The code's name, `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The code's qualified name where known, `Worker.run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qualname: Option<String>,
    /// `__name__` of the module whose global names the code uses, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_name: Option<String>,
    /// The source path as the code object has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line being executed, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The text of that line, where the user said where sources are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Native frames: the file mapped there, the address in it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub native: Option<NativeLocation>,
    /// Native frames: how the frame was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<&'static str>,
    /// Whether this Python frame was entered from C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_entry: Option<bool>,
    /// Arguments, locals, cells and free variables; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locals: Option<Vec<Local>>,
}

/// Whose frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FrameKind {
    /// A frame of the interpreter.
    Python,
    /// A frame of machine code.
    Native,
}

/// A variable of a frame that had a value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Local {
    /// Its name.
    pub name: String,
    /// How the function refers to it.
    pub kind: LocalKind,
    /// What it was bound to.
    pub value: Value,
}

/// How a function refers to a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LocalKind {
    /// A parameter.
    Arg,
    /// Any other local variable.
    Local,
    /// A local variable that inner functions share.
    Cell,
    /// A variable of an enclosing function.
    Free,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Value {
    /// The type's qualified name, its module before it unless `builtins`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What `repr()` would print, where that can be known without running code.
    pub repr: String,
    /// Where the object lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Whether a limit (`--depth`, `--max-items`, `--max-string`) cut the repr or the children.
    pub truncated: bool,
    /// Whether `--redact` hid something in the repr.
    #[serde(skip_serializing_if = "is_false")]
    pub redacted: bool,
    /// Why the repr is not what Python would print: a `__repr__` that is code, memory that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Items and attributes, within `--depth`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
}

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Child {
    /// How it belongs to its object.
    pub kind: ChildKind,
    /// An attribute's name, or the repr of an item's index or key.
    pub name: String,
    /// The part itself.
    pub value: Value,
}

/// How a child belongs to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChildKind {
    /// An element of a container.
    Item,
    /// An instance attribute.
    Attribute,
}

/// What a thread was raising and handling.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct ThreadExceptions {
    /// Innermost first: `handling[0]` is what `sys.exc_info()` would give.
    pub handling: Vec<Exception>,
    /// The exception in flight.
    pub raising: Option<Exception>,
}

/// An exception object.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Exception {
    /// `module.Class`, or the name alone for builtins.
    #[serde(rename = "type")]
    pub type_name: String,
    /// What `str()` would give, where that can be known without running code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where the object lies.
    pub address: Address,
    /// `__notes__`.
    pub notes: Vec<String>,
    /// Whether `--redact` hid something in the message or the notes.
    #[serde(skip_serializing_if = "is_false")]
    pub redacted: bool,
    /// Outermost first, as Python prints it.
    pub traceback: Vec<Frame>,
    /// `__cause__`.
    pub cause: Option<Box<Exception>>,
    /// `__context__`.
    pub context: Option<Box<Exception>>,
    /// `__suppress_context__`.
    pub suppress_context: bool,
    /// The members of an exception group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// Why this entry is not whole: already shown above, nested too deep, unreadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Exception {
    /// An exception of which no more than this is known.
    pub fn bare(type_name: impl Into<String>, address: Address) -> Self {
        Exception {
            type_name: type_name.into(),
            message: None,
            address,
            notes: Vec::new(),
            redacted: false,
            traceback: Vec::new(),
            cause: None,
            context: None,
            suppress_context: false,
            exceptions: Vec::new(),
            note: None,
        }
    }
}

/// Why the process died or hangs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// One line that a person can act on.
    pub summary: String,
    /// A word to group by: `crash`, `abort`, `killed`, `snapshot`, `live`, `no-python`.
    pub category: String,
    /// What the summary rests on.
    pub details: Vec<String>,
}

/// Something that was wanted and could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Gap {
    /// The virtual address that could not be read, or whose content made no sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Address>,
    /// What was wanted.
    pub what: String,
    /// Why it could not be had.
    pub why: String,
}
