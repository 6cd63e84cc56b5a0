//! `truth.json`, as `fixtures/programs/truth.py` writes it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// All that a process knew of itself.
#[derive(Debug, Deserialize)]
pub struct Truth {
    /// Its interpreter.
    pub python: Python,
    /// Its process id.
    pub pid: u32,
    /// Its arguments, the program's name first.
    pub command_line: Vec<String>,
    /// The path of its main program.
    pub executable: String,
    /// The signal that ended it; none for a debugger's core of a living process.
    pub signal: Option<Signal>,
    /// The native id of the thread that took the signal.
    pub crashed_tid: Option<u32>,
    /// All threads, native ones too, by tid.
    pub threads: Vec<Thread>,
    /// All tasks of asyncio, where the program wrote them down.
    pub tasks: Option<Vec<Task>>,
    /// The generators that no thread executes and no task awaits, where the program wrote them down.
    pub generators: Option<Vec<Generator>>,
    /// The greenlets, where the program wrote them down.
    pub greenlets: Option<Vec<Greenlet>>,
    /// `sys.last_exc`: a key of [`Truth::exceptions`].
    pub last_exception: Option<String>,
    /// All exceptions that are mentioned, by address.
    pub exceptions: BTreeMap<String, Exception>,
}

/// The interpreter of the process.
#[derive(Debug, Deserialize)]
pub struct Python {
    /// `3.11.7`.
    pub version: String,
    /// Whether it was built with `--with-pydebug`.
    #[serde(default)]
    pub debug_build: bool,
    /// Whether it was built with `--disable-gil`.
    #[serde(default)]
    pub free_threaded: bool,
}

/// The signal that ended the process.
#[derive(Debug, Deserialize)]
pub struct Signal {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: String,
    /// The address whose access failed, where the program knew it before.
    pub address: Option<String>,
}

/// A thread of the process.
#[derive(Debug, Deserialize)]
pub struct Thread {
    /// Its native id.
    pub tid: u32,
    /// Whether it has a Python thread state.
    pub python: bool,
    /// `threading.Thread.name`.
    pub name: Option<String>,
    /// Whether it is `threading.main_thread()`.
    pub main: bool,
    /// Whether it holds the GIL when the process dies.
    pub holds_gil: bool,
    /// Whether it may run Python code when the process dies, in free-threaded builds.
    #[serde(default)]
    pub attached: Option<bool>,
    /// Whether it waits for the GIL when the process dies; nothing where it may have woken since it was looked at.
    #[serde(default)]
    pub waiting_for_gil: Option<bool>,
    /// Whether it is in the cyclic garbage collector when the process dies.
    #[serde(default)]
    pub collecting_garbage: bool,
    /// Innermost first.
    pub frames: Vec<Frame>,
    /// Innermost first: keys of [`Truth::exceptions`]; nothing where it is not known.
    pub handling: Option<Vec<String>>,
    /// Whether [`Thread::handling`] is complete, not only its first.
    pub handling_whole: bool,
    /// The exception in flight: a key of [`Truth::exceptions`].
    pub raising: Option<String>,
}

/// A frame of a stack or an entry of a traceback.
#[derive(Debug, Deserialize)]
pub struct Frame {
    /// `co_name`.
    pub function: String,
    /// `co_qualname`, from 3.11 on.
    pub qualname: Option<String>,
    /// Before 3.11: the `__qualname__` of the only function that has this code.
    pub qualname_hint: Option<String>,
    /// `co_filename`.
    pub file: String,
    /// The line being executed.
    pub line: u32,
    /// Whether the variables live in a dictionary, as in modules and class bodies.
    pub namespace: bool,
    /// By name; a module's are its globals.
    pub locals: BTreeMap<String, Value>,
}

/// A task of asyncio.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// `id()`.
    pub address: String,
    /// The type's qualified name.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `get_name()`, from 3.8 on.
    pub name: Option<String>,
    /// `_state` in lower case.
    pub state: String,
    /// Whether it is its loop's current task.
    pub running: bool,
    /// `_must_cancel`.
    pub must_cancel: bool,
    /// `cancelling()`, from 3.11 on.
    pub cancel_requests: Option<u64>,
    /// The `__qualname__` of its coroutine.
    pub coroutine: Option<String>,
    /// `id()` of its event loop.
    #[serde(rename = "loop")]
    pub event_loop: String,
    /// The native id of the thread that runs its event loop.
    pub thread: Option<u32>,
    /// Outermost first.
    pub frames: Vec<Frame>,
    /// `id()` of `_fut_waiter`.
    pub waiter: Option<String>,
    /// The other tasks that it awaits.
    pub awaits: Vec<String>,
    /// The tasks that await it.
    pub awaited_by: Vec<String>,
    /// What it ended with: a key of [`Truth::exceptions`].
    pub exception: Option<String>,
    /// What it returned.
    pub result: Option<Value>,
}

/// A generator, coroutine or asynchronous generator.
#[derive(Debug, Deserialize)]
pub struct Generator {
    /// `id()`.
    pub address: String,
    /// `generator`, `coroutine` or `async_generator`.
    pub kind: String,
    /// `__qualname__`.
    pub name: String,
    /// `created`, `suspended` or `running`.
    pub state: String,
    /// Outermost first: its own and those of what it delegates to.
    pub frames: Vec<Frame>,
    /// `id()` of what it delegates to.
    pub delegate: Option<String>,
}

/// A greenlet.
#[derive(Debug, Deserialize)]
pub struct Greenlet {
    /// `id()`.
    pub address: String,
    /// The type's qualified name.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its attribute `name`, or gevent's name where it was asked for.
    pub name: Option<String>,
    /// `unstarted`, `suspended`, `running` or `dead`.
    pub state: String,
    /// Whether its thread began with it.
    pub main: bool,
    /// `id()` of its parent.
    pub parent: Option<String>,
    /// The native id of its thread.
    pub thread: Option<u32>,
    /// Outermost first.
    pub frames: Vec<Frame>,
}

/// An object.
#[derive(Debug, Deserialize)]
pub struct Value {
    /// `module.Qualname`, without the module for builtins.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `id()`.
    pub address: String,
    /// `repr()`.
    pub repr: String,
    /// What `repr()` gives when Python-coded `__repr__`s, in it or below it, are replaced by `object.__repr__`.
    #[serde(default)]
    pub accept: Vec<String>,
    /// How its function may be said to refer to the variable.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Whether its `__repr__` is Python code that pycore does not know.
    #[serde(default)]
    pub opaque: bool,
    /// Whether its `__repr__` is C code of a type that pycore does not promise to know.
    #[serde(default)]
    pub unlisted: bool,
    /// The attributes of an object whose repr does not tell them.
    pub attributes: Option<BTreeMap<String, Value>>,
    /// What is known of a numpy array or scalar beside its repr.
    pub numpy: Option<Numpy>,
}

/// A numpy array or scalar.
#[derive(Debug, Deserialize)]
pub struct Numpy {
    /// `str(dtype)`.
    pub dtype: String,
    /// The length of each dimension.
    pub shape: Vec<u64>,
    /// The reprs of the first items, in C order.
    pub first: Vec<String>,
}

/// An exception object.
#[derive(Debug, Deserialize)]
pub struct Exception {
    /// `module.Qualname`, without the module for builtins.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `str()`.
    pub message: String,
    /// What `str()` gives without Python-coded `__repr__`s.
    #[serde(default)]
    pub accept: Vec<String>,
    /// Whether its `__str__` is Python code.
    pub message_opaque: bool,
    /// `__notes__`.
    pub notes: Vec<String>,
    /// Outermost first.
    pub traceback: Vec<Frame>,
    /// `__cause__`: a key of [`Truth::exceptions`].
    pub cause: Option<String>,
    /// `__context__`: a key of [`Truth::exceptions`].
    pub context: Option<String>,
    /// `__suppress_context__`.
    pub suppress_context: bool,
    /// The members of a group: keys of [`Truth::exceptions`].
    pub exceptions: Vec<String>,
}

impl Truth {
    /// Reads what a program wrote.
    ///
    /// # Errors
    /// The file cannot be read or is not of this form.
    pub fn read(path: &Path) -> Result<Truth, String> {
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Truth::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads it from memory.
    ///
    /// # Errors
    /// The text is not of this form.
    pub fn parse(text: &[u8]) -> Result<Truth, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }
}
