"""The report as typed objects: frozen dataclasses, one for each object of the JSON document.

Made by scripts/make-python-model from analyzer/schema/report.schema.json; not to be edited.

Names are those of the JSON. What is not known is `None` or empty. Every object keeps the part of the document that it
was made from (`json`), which has all that the library said, also what this version of the package knows nothing of.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

from ._document import Document


SourceFormat = str
"""The kinds of container.
`elf-core`: An ELF core file.
`minidump`: A Windows minidump.
`live`: A live process.
A newer library may say something else.
"""

Address = str
"""A virtual address of the target, in hexadecimal."""

FrameKind = str
"""Whose frame it is.
`python`: A frame of the interpreter.
`native`: A frame of machine code.
A newer library may say something else.
"""

LocalKind = str
"""How a function refers to a variable.
`arg`: A parameter.
`local`: Any other local variable.
`cell`: A local variable that inner functions share.
`free`: A variable of an enclosing function.
A newer library may say something else.
"""

ChildKind = str
"""How a child belongs to its object.
`item`: An element of a container.
`attribute`: An instance attribute.
A newer library may say something else.
"""

Attachment = str
"""How a thread state is tied to its interpreter.
`attached`: It may run Python code and use objects.
`detached`: It waits or computes without Python.
`suspended`: It is detached, and has to stay so while another thread has stopped all.
`shutting-down`: Its interpreter ends, and it can never run Python code again.
A newer library may say something else.
"""

ThreadState = str
"""What a thread of a live process did when it was looked at.
`running`: It ran, or was ready to run.
`sleeping`: It waited.
`uninterruptible`: It waited in the kernel and nothing, not even SIGKILL, could wake it but what it waited for: a
disk, a network file system, the child of a `vfork`.
`stopped`: A signal of job control, as SIGSTOP, had stopped it before.
`traced`: A debugger had stopped it.
`ended`: It had ended.
A newer library may say something else.
"""

TaskState = str
"""How far a task or future has come: `_state` in lower case.
`pending`: It is not done.
`finished`: It returned or raised.
`cancelled`: It was cancelled.
A newer library may say something else.
"""

GeneratorKind = str
"""The kinds of generators.
`generator`: Of a function with `yield`.
`coroutine`: Of an `async def`.
`async_generator`: Of an `async def` with `yield`.
A newer library may say something else.
"""

GeneratorState = str
"""How far a generator has come, as `inspect.getgeneratorstate` has it.
`created`: It was not started: a coroutine that was never awaited.
`suspended`: It waits at a `yield` or `await`.
`running`: It is being executed.
`closed`: It ended.
A newer library may say something else.
"""

GreenletState = str
"""How far a greenlet has come.
`unstarted`: It was never switched to.
`suspended`: It switched to another one.
`running`: Its thread was executing it.
`dead`: It ended.
A newer library may say something else.
"""


@dataclass(frozen=True)
class Source(Document):
    """The file or process that was read."""

    path: str
    """The path as given by the user; of a live process, its folder in /proc."""

    format: "SourceFormat"
    """The kind of container."""

    arch: str
    """The instruction set of the target, as in `uname -m`."""

    size_bytes: int
    """The size of the file, in bytes, as it lies on the disk; of a live process, that of its memory."""

    truncated: bool
    """Whether the file ends before what its headers promise."""

    time: Optional[str] = None
    """When the process died, in UTC as RFC 3339 has it, where the file's name or attributes tell."""

    host: Optional[str] = None
    """The name of the machine where it died, likewise."""

    boot_id: Optional[str] = None
    """The id of that machine's boot, likewise."""

    contents: Optional["DumpContents"] = None
    """What a minidump was told to hold."""


@dataclass(frozen=True)
class DumpContents(Document):
    """What a minidump was told to hold."""

    memory: str
    """Which memory it holds, in words: `full memory`, `thread stacks`, ..."""

    memory_bytes: int
    """How many bytes of memory it promises to hold."""

    flags: Tuple[str, ...]
    """The names of the flags in its header, of `MINIDUMP_TYPE`."""

    advice: Optional[str] = None
    """How to write one that holds all that a report needs, where this one does not."""


@dataclass(frozen=True)
class Process(Document):
    """What the operating system knew of the process."""

    pid: Optional[int] = None
    """The process id."""

    uid: Optional[int] = None
    """The id of the user that it ran as."""

    executable: Optional[str] = None
    """The path of the main program."""

    command_line: Optional[Tuple[str, ...]] = None
    """The arguments, the program's name first."""

    signal: Optional["Signal"] = None
    """The signal that ended the process; on Windows and macOS, the exception's code, name and address."""

    exception: Optional["NativeException"] = None
    """The exception that ended the process, on Windows and macOS, with all that is known of it."""

    crashed_tid: Optional[int] = None
    """The native id of the thread that took the signal or the exception."""

    system: Optional["System"] = None
    """The machine and the operating system, where the dump describes them."""

    times: Optional["Times"] = None
    """When the process began and how long it ran."""

    handles: Optional[int] = None
    """How many handles it had open."""

    assertion: Optional["Assertion"] = None
    """What failed, where an assertion or the check of a parameter ended the process."""

    comments: Tuple[str, ...] = ()
    """What the writer of the dump noted."""

    unloaded_modules: Tuple["UnloadedModule", ...] = ()
    """Modules that were unloaded before, in the dump's order."""


@dataclass(frozen=True)
class Signal(Document):
    """A signal, as the dump's `siginfo_t` describes it, or the code of an exception."""

    number: int
    """The signal's number on the target, or the exception's code."""

    name: str
    """Its name, `SIGSEGV`, `EXCEPTION_ACCESS_VIOLATION`."""

    code: Optional[int] = None
    """`si_code`: who sent it and why."""

    code_name: Optional[str] = None
    """The code's name, `SEGV_MAPERR`."""

    address: Optional["Address"] = None
    """`si_addr`: the virtual address whose access failed, for faults."""

    sender_pid: Optional[int] = None
    """`si_pid`: the process that sent it, where one did."""


@dataclass(frozen=True)
class NativeException(Document):
    """An exception of Windows or macOS that nobody handled."""

    code: str
    """Its code, in hexadecimal: `0xc0000005`."""

    description: str
    """What it means, in words: `access violation reading 0x10`."""

    parameters: Tuple[str, ...]
    """What was given with it, in hexadecimal; what it means depends on the code."""

    name: Optional[str] = None
    """The code's name in the system's headers, `EXCEPTION_ACCESS_VIOLATION`."""

    address: Optional["Address"] = None
    """The instruction that raised it."""

    location: Optional["NativeLocation"] = None
    """Where that is."""


@dataclass(frozen=True)
class NativeLocation(Document):
    """The place of an instruction pointer."""

    address: "Address"
    """The instruction pointer."""

    module: Optional[str] = None
    """The path of the file mapped there."""

    offset: Optional["Address"] = None
    """The distance from where the module begins in memory, in bytes."""


@dataclass(frozen=True)
class System(Document):
    """The machine and the operating system."""

    os: str
    """`windows`, `linux`, `macos`."""

    processors: int
    """How many processors there were."""

    version: Optional[str] = None
    """Its version and build, `10.0.19045`."""

    build: Optional[str] = None
    """What it says of itself beyond that: the service pack, the kernel."""

    cpu: Optional[str] = None
    """The processor: maker, family, model."""


@dataclass(frozen=True)
class Times(Document):
    """When a process began and how long it ran."""

    started: Optional[str] = None
    """When it began, in UTC as RFC 3339 has it."""

    uptime_seconds: Optional[int] = None
    """How long before the dump that was, in seconds."""

    user_seconds: Optional[int] = None
    """The time that processors spent in its own code, in seconds."""

    kernel_seconds: Optional[int] = None
    """The time that processors spent in the kernel for it, in seconds."""


@dataclass(frozen=True)
class Assertion(Document):
    """What failed, as the C library or the writer of the dump was told."""

    kind: str
    """`assertion`, `invalid parameter`, `pure virtual call`, ..."""

    expression: Optional[str] = None
    """The expression that was not true."""

    function: Optional[str] = None
    """The function it is in."""

    file: Optional[str] = None
    """The file it is in."""

    line: Optional[int] = None
    """The line of that file."""


@dataclass(frozen=True)
class UnloadedModule(Document):
    """A module that was no longer loaded."""

    path: str
    """Its path or name."""

    base: "Address"
    """Where it began."""

    end: "Address"
    """The first virtual address behind it."""

    timestamp: int
    """`TimeDateStamp` of its file header."""


@dataclass(frozen=True)
class Python(Document):
    """The interpreter in the process."""

    implementation: str
    """Always `cpython` so far."""

    version: str
    """`3.11.7`; without the last number where only the layout is known."""

    free_threaded: bool
    """Whether it was built with `--disable-gil`."""

    debug_build: bool
    """Whether it was built with `--with-pydebug`."""

    layout: str
    """The name of the layout table that was used."""

    evidence: Tuple["Evidence", ...]
    """How the interpreter was found."""

    interpreters: Tuple["Interpreter", ...]
    """All interpreters of the runtime."""


@dataclass(frozen=True)
class Evidence(Document):
    """One reason to believe that an interpreter is where it was found, or of which version it is."""

    method: str
    """`symbol`, `section`, `layout-fit`, `hexversion`, `debug-offsets`."""

    detail: str
    """What was seen."""

    address: Optional["Address"] = None
    """Where."""


@dataclass(frozen=True)
class Interpreter(Document):
    """One `PyInterpreterState`."""

    main: bool
    """Whether it is the one the runtime started with."""

    thread_count: int
    """How many thread states it holds."""

    id: Optional[int] = None
    """Its id; 0 for the main one. Absent where the interpreter's own data is missing."""

    gil_enabled: Optional[bool] = None
    """In free-threaded builds: whether it runs with a global interpreter lock nevertheless."""

    last_exception: Optional["PythonException"] = None
    """`sys.last_exc` (or `sys.last_value`): the last exception that reached the top unhandled."""


@dataclass(frozen=True)
class PythonException(Document):
    """An exception object."""

    type: str
    """`module.Class`, or the name alone for builtins."""

    address: "Address"
    """Where the object lies."""

    notes: Tuple[str, ...]
    """`__notes__`."""

    traceback: Tuple["Frame", ...]
    """Outermost first, as Python prints it."""

    cause: Optional["PythonException"]
    """`__cause__`."""

    context: Optional["PythonException"]
    """`__context__`."""

    suppress_context: bool
    """`__suppress_context__`."""

    message: Optional[str] = None
    """What `str()` would give, where that can be known without running code."""

    redacted: bool = False
    """Whether `--redact` hid something in the message or the notes."""

    exceptions: Tuple["PythonException", ...] = ()
    """The members of an exception group."""

    note: Optional[str] = None
    """Why this entry is not whole: already shown above, nested too deep, unreadable."""


@dataclass(frozen=True)
class Frame(Document):
    """A frame of a stack."""

    kind: "FrameKind"
    """Python's or the machine's."""

    function: Optional[str] = None
    """The code's name, `run`."""

    qualname: Optional[str] = None
    """The code's qualified name where known, `Worker.run`."""

    module_name: Optional[str] = None
    """`__name__` of the module whose global names the code uses, where known."""

    file: Optional[str] = None
    """The source path as the code object has it."""

    line: Optional[int] = None
    """The line being executed, counted from 1."""

    source: Optional[str] = None
    """The text of that line, where the user said where sources are."""

    address: Optional["Address"] = None
    """The instruction pointer."""

    module: Optional[str] = None
    """The path of the file mapped there."""

    offset: Optional["Address"] = None
    """The distance from where the module begins in memory, in bytes."""

    trust: Optional[str] = None
    """Native frames: how the frame was found."""

    is_entry: Optional[bool] = None
    """Whether this Python frame was entered from C."""

    locals: Optional[Tuple["Local", ...]] = None
    """Arguments, locals, cells and free variables; absent unless asked for."""


@dataclass(frozen=True)
class Local(Document):
    """A variable of a frame that had a value."""

    name: str
    """Its name."""

    kind: "LocalKind"
    """How the function refers to it."""

    value: "Value"
    """What it was bound to."""


@dataclass(frozen=True)
class Value(Document):
    """An object."""

    type: str
    """The type's qualified name, its module before it unless `builtins`."""

    repr: str
    """What `repr()` would print, where that can be known without running code."""

    truncated: bool
    """Whether a limit (`--depth`, `--max-items`, `--max-string`) cut the repr or the children."""

    address: Optional["Address"] = None
    """Where the object lies."""

    redacted: bool = False
    """Whether `--redact` hid something in the repr."""

    note: Optional[str] = None
    """Why the repr is not what Python would print: a `__repr__` that is code, memory that is missing."""

    children: Tuple["Child", ...] = ()
    """Items and attributes, within `--depth`."""


@dataclass(frozen=True)
class Child(Document):
    """A part of an object."""

    kind: "ChildKind"
    """How it belongs to its object."""

    name: str
    """An attribute's name, or the repr of an item's index or key."""

    value: "Value"
    """The part itself."""


@dataclass(frozen=True)
class Thread(Document):
    """A thread of the process."""

    crashed: bool
    """Whether it took the signal that ended the process."""

    main: bool
    """Whether it is the thread that initialised the interpreter."""

    python: bool
    """`false` for a native thread that holds no Python thread state."""

    frames: Tuple["Frame", ...]
    """Innermost first: `frames[0]` is where the thread is."""

    tid: Optional[int] = None
    """The native thread id, as the operating system gives it."""

    number: Optional[str] = None
    """What the debugger that holds the process calls it."""

    name: Optional[str] = None
    """`threading.Thread.name` where one exists, else the operating system's name for it."""

    runtime: Optional[int] = None
    """Where the process has several runtimes, the one it belongs to: 0 is `python`, 1 the first of `other_pythons`."""

    interpreter: Optional[int] = None
    """The id of the interpreter it belongs to."""

    holds_gil: Optional[bool] = None
    """Whether it held the global interpreter lock; none does where it is disabled."""

    waiting_for_gil: Optional[bool] = None
    """Whether it waited for the global interpreter lock."""

    collecting_garbage: Optional[bool] = None
    """Whether it ran the cyclic garbage collector."""

    attachment: Optional["Attachment"] = None
    """In free-threaded builds: whether it may run Python code, which several threads may at once."""

    state: Optional["ThreadState"] = None
    """What the native thread did, in a live process."""

    system_call: Optional[str] = None
    """The system call that it was in, `futex`, `read`, in a live process."""

    native_location: Optional["NativeLocation"] = None
    """Where the processor was in this thread."""

    start: Optional["NativeLocation"] = None
    """Where the thread began to run, where the dump says so."""

    times: Optional["ThreadTimes"] = None
    """When it was made and how long it ran, where the dump says so."""

    exceptions: Optional["ThreadExceptions"] = None
    """What is being raised and handled."""


@dataclass(frozen=True)
class ThreadTimes(Document):
    """When a thread was made and how long it ran."""

    user_ms: int
    """The time that processors spent in its own code, in milliseconds."""

    kernel_ms: int
    """The time that processors spent in the kernel for it, in milliseconds."""

    started: Optional[str] = None
    """When it was made, in UTC as RFC 3339 has it."""


@dataclass(frozen=True)
class ThreadExceptions(Document):
    """What a thread was raising and handling."""

    handling: Tuple["PythonException", ...]
    """Innermost first: `handling[0]` is what `sys.exc_info()` would give."""

    raising: Optional["PythonException"]
    """The exception in flight."""


@dataclass(frozen=True)
class Task(Document):
    """A task of an asyncio event loop."""

    address: "Address"
    """Where the object lies."""

    type: str
    """The type's qualified name, `_asyncio.Task`."""

    running: bool
    """Whether a thread was executing it."""

    stack: Tuple["Frame", ...]
    """Outermost first: the coroutine, then what it awaits, down to where it is."""

    awaits: Tuple["Address", ...]
    """The future or task that wakes it first, then the tasks behind that: the children of a gather or a task group."""

    awaited_by: Tuple["Address", ...]
    """The tasks that await it, also through a gather, a task group, `wait`, `shield`."""

    name: Optional[str] = None
    """Its name, `Task-7`; tasks have names from 3.8 on."""

    state: Optional["TaskState"] = None
    """How far it has come."""

    must_cancel: Optional[bool] = None
    """Whether its next step is to raise `CancelledError` in it."""

    cancel_requests: Optional[int] = None
    """`Task.cancelling()`: how often it was asked to cancel itself, from 3.11."""

    coroutine: Optional[str] = None
    """The qualified name of the coroutine that it runs."""

    coroutine_address: Optional["Address"] = None
    """Where the coroutine object lies."""

    loop: Optional["Address"] = None
    """Where its event loop lies."""

    thread: Optional[int] = None
    """The native id of the thread in which its event loop runs."""

    runtime: Optional[int] = None
    """Which runtime it belongs to, where there are several: as [`Thread::runtime`](super::Thread::runtime)."""

    interpreter: Optional[int] = None
    """The id of the interpreter it belongs to."""

    awaits_type: Optional[str] = None
    """What the first of `awaits` is: `_asyncio.Future`."""

    exception: Optional["PythonException"] = None
    """What it ended with."""

    result: Optional["Value"] = None
    """What it returned; absent unless locals were asked for."""


@dataclass(frozen=True)
class Generator(Document):
    """A generator, coroutine or asynchronous generator that no thread executes and no task awaits."""

    address: "Address"
    """Where the object lies."""

    kind: "GeneratorKind"
    """What it is."""

    state: "GeneratorState"
    """How far it has come."""

    stack: Tuple["Frame", ...]
    """Outermost first: itself, then what it delegates to, down to where it is."""

    awaits: Tuple["Address", ...]
    """What it delegates to or awaits by `yield from` or `await`."""

    awaited_by: Tuple["Address", ...]
    """The generators that delegate to it or await it."""

    name: Optional[str] = None
    """Its qualified name."""

    runtime: Optional[int] = None
    """Which runtime it belongs to, where there are several: as [`Thread::runtime`](super::Thread::runtime)."""

    interpreter: Optional[int] = None
    """The id of the interpreter it belongs to."""


@dataclass(frozen=True)
class Greenlet(Document):
    """A greenlet of the package greenlet or of gevent."""

    address: "Address"
    """Where the object lies."""

    type: str
    """The type's qualified name, `greenlet.greenlet`, `gevent._gevent_cgreenlet.Greenlet`."""

    state: "GreenletState"
    """How far it has come."""

    main: bool
    """Whether it is what its thread began with."""

    stack: Tuple["Frame", ...]
    """Outermost first; of a running one, its thread's."""

    awaits: Tuple["Address", ...]
    """What it awaits; no greenlet tells."""

    awaited_by: Tuple["Address", ...]
    """The greenlets that await it: none tells."""

    name: Optional[str] = None
    """Its attribute `name`, or the name that gevent makes, where somebody asked for it."""

    coroutine: Optional[str] = None
    """The function that it runs or will run."""

    parent: Optional["Address"] = None
    """The greenlet that goes on when it ends."""

    thread: Optional[int] = None
    """The native id of the thread that it belongs to."""

    runtime: Optional[int] = None
    """Which runtime it belongs to, where there are several: as [`Thread::runtime`](super::Thread::runtime)."""

    interpreter: Optional[int] = None
    """The id of the interpreter it belongs to."""


@dataclass(frozen=True)
class Diagnosis(Document):
    """Why the process died or hangs."""

    summary: str
    """One line that a person can act on."""

    category: str
    """A word to group by: `crash`, `abort`, `killed`, `snapshot`, `live`, `no-python`."""

    details: Tuple[str, ...]
    """What the summary rests on."""


@dataclass(frozen=True)
class Gap(Document):
    """Something that was wanted and could not be read."""

    what: str
    """What was wanted."""

    why: str
    """Why it could not be had."""

    at: Optional["Address"] = None
    """The virtual address that could not be read, or whose content made no sense."""


@dataclass(frozen=True)
class Report(Document):
    """Everything that was found in one dump or process."""

    schema: str
    """The name of this contract: `pycore.report/1`."""

    source: "Source"
    """What was read."""

    process: "Process"
    """What the operating system knew of the process."""

    threads: Tuple["Thread", ...]
    """The crashed thread first, then the main one, then by native thread id."""

    diagnosis: "Diagnosis"
    """Why the process died or hangs, as far as it can be told."""

    gaps: Tuple["Gap", ...]
    """What was wanted and could not be read."""

    warnings: Tuple[str, ...]
    """What the reader should know before trusting the report."""

    python: Optional["Python"] = None
    """The interpreter, where one was found."""

    other_pythons: Tuple["Python", ...] = ()
    """Further runtimes in the same process, each with interpreters of its own."""

    tasks: Optional[Tuple["Task", ...]] = None
    """The tasks of asyncio's event loops, by address; absent unless asked for."""

    generators: Optional[Tuple["Generator", ...]] = None
    """The generators and coroutines that belong to no thread and no task, by address; absent unless asked for."""

    greenlets: Optional[Tuple["Greenlet", ...]] = None
    """Greenlets, by address; absent unless asked for."""

    redacted: Optional[int] = None
    """With `--redact`, how many values were hidden."""
