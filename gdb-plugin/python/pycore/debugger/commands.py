"""The commands: what each is called, teaches, takes, asks and prints."""

import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import pycore

from . import execute
from .arguments import LIMITS, Spec, parse
from .core import Core
from .host import CommandError

Arguments = Dict[str, Any]


class Command(NamedTuple):
    """A command."""

    name: str
    summary: str
    """One line, as `help` lists it."""
    help: str
    spec: Spec
    run: Callable[[Core, Arguments], str]
    """Does it, and gives what is to be printed."""
    names: str = ""
    """What its argument names, for completion: `locals`, `files`, or nothing."""

    def doc(self) -> str:
        """What help shows behind the summary."""
        return "Usage: %s\n\n%s" % (self.spec.usage(self.name), self.help)


def run(core: Core, name: str, text: str) -> None:
    """Runs a command as typed and prints what it gives. Raises CommandError with the reason where it cannot."""
    command = BY_NAME[name]
    try:
        shown = command.run(core, parse(name, command.spec, text))
        if shown:
            core.host.write(shown if shown.endswith("\n") else shown + "\n")
    except pycore.PycoreError as error:
        raise CommandError(str(error)) from None
    except KeyboardInterrupt:
        raise CommandError("Interrupted. Nothing of the process was changed; the command can be given again.") from None
    except RecursionError:
        raise CommandError("The answer is nested too deep for the debugger's Python.") from None


def complete(core: Core, name: str, typed: str) -> List[str]:
    """The ways to go on with what is typed; none where that is not known."""
    try:
        tid = core.thread()
        found = core.ask("complete", thread=tid, frame=core.frame(tid), text=typed, colour=False).data
        before = typed.encode()[:found["start"]].decode()
        return [before + one for one in found["completions"]]
    except (CommandError, pycore.PycoreError, KeyboardInterrupt):
        return []


def _limits(arguments: Arguments) -> Arguments:
    return {key: value for key, value in arguments.items() if key in ("depth", "max_items", "max_string")}


def _backtrace(core: Core, arguments: Arguments, locals: bool = False, all: bool = False) -> str:
    tid = None if all else core.thread(arguments.get("thread"))
    answer = core.ask("backtrace", thread=tid, locals=locals, numbers=core.numbers(), **_limits(arguments))
    return answer.text


def _bt_full(core: Core, arguments: Arguments) -> str:
    return _backtrace(core, arguments, locals=True, all=arguments.get("all", False))


def _threads(core: Core, arguments: Arguments) -> str:
    return core.ask("threads", thread=core.host.selected_thread(), numbers=core.numbers()).text


def _move(core: Core, arguments: Arguments, direction: int) -> str:
    tid = core.thread()
    count, now, wanted = core.frame_count(tid), core.frame(tid), _number(arguments.get("count", "1"))
    if direction > 0 and now + 1 >= count:
        raise CommandError("Outermost Python frame selected; there is none above it.")
    if direction < 0 and now == 0:
        raise CommandError("Innermost Python frame selected; there is none below it.")
    return core.select(tid, max(0, min(count - 1, now + direction * wanted)))


def _frame(core: Core, arguments: Arguments) -> str:
    tid = core.thread()
    wanted = _number(arguments["number"]) if "number" in arguments else core.frame(tid)
    count = core.frame_count(tid)
    if wanted >= count:
        raise CommandError("No Python frame %d in this thread: it has %d, from 0, the innermost." % (wanted, count))
    return core.select(tid, wanted)


def _number(text: str) -> int:
    if not text.isdigit():
        raise CommandError("A number is expected, not \"%s\"." % text)
    return int(text)


def _of_frame(do: str) -> Callable[[Core, Arguments], str]:
    """A question about the selected frame."""
    def run(core: Core, arguments: Arguments) -> str:
        tid = core.thread()
        return core.ask(do, thread=tid, frame=core.frame(tid), numbers=core.numbers(), **arguments).text
    return run


def _of_process(do: str) -> Callable[[Core, Arguments], str]:
    """A question about the whole process."""
    return lambda core, arguments: core.ask(do, numbers=core.numbers(), **arguments).text


def _list(core: Core, arguments: Arguments) -> str:
    if "from" in arguments:
        arguments["from"] = _number(arguments["from"])
    return _of_frame("list")(core, arguments)


def _modules(core: Core, arguments: Arguments) -> str:
    return core.ask("modules", text=arguments.get("name")).text


def _print(core: Core, arguments: Arguments) -> str:
    expression = arguments.pop("expression")
    return value(core, expression, **arguments).text


def value(core: Core, expression: str, **arguments: Any) -> "pycore.Answer":
    """What `py-print` prints: a name or an address with a path behind it; `$expr` is the debugger's to evaluate."""
    if expression.startswith("$"):
        own, path = _own_expression(expression)
        address = core.host.evaluate(own)
        if not address:
            raise CommandError("%s is 0, which is no object." % own)
        expression = "0x%x%s" % (address & 0xFFFFFFFFFFFFFFFF, path)
    tid = core.host.selected_thread()
    frame = core.frame(tid) if tid is not None else None
    return core.ask("print", thread=tid, frame=frame, expression=expression, **arguments)


def _own_expression(text: str) -> "tuple[str, str]":
    """`$rdi`, `$fn(1)`, `$(frame->f_locals)` apart from the `.attr` and `["key"]` behind it."""
    if text.startswith("$("):
        depth = 0
        for at, letter in enumerate(text[1:], 1):
            depth += {"(": 1, ")": -1}.get(letter, 0)
            if depth == 0:
                return text[2:at], text[at + 1:]
        raise CommandError("A closing parenthesis is missing in %s." % text)
    end = next((at for at, letter in enumerate(text) if letter in ".["), len(text))
    return text[:end], text[end:]


def _exceptions(core: Core, arguments: Arguments) -> str:
    tid = None if arguments.get("all") else core.thread(arguments.get("thread"))
    return core.ask("exceptions", thread=tid, numbers=core.numbers()).text


def _report(core: Core, arguments: Arguments) -> str:
    path = os.path.expanduser(arguments.pop("file"))
    default = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}.get(os.path.splitext(path)[1], "text")
    text = core.ask("report", format=arguments.pop("format", default), colour=False, **arguments).text
    if path == "-":
        return text
    try:
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    except OSError as error:
        raise CommandError("Cannot write %s: %s" % (path, error.strerror)) from None
    return "Wrote the report to %s (%d bytes)." % (path, os.path.getsize(path))


_THREAD = ("THREAD",)
_WHICH = "THREAD is the debugger's number of a thread, or its native id; without it the selected thread."
_PATHS = """\
A path goes on from an object as Python would: self.cfg["db"].host, rows[3], rows[-1]. Nothing is run: attributes are
those that the object and its classes hold, items those of lists, tuples, dicts and their like."""

COMMANDS = [
    Command("py-bt", "Show the Python stack of a thread, as Python prints a traceback.", """\
The innermost call is the last, as in a traceback. Works without debug symbols, on live processes and on cores.
""" + _WHICH + """
See also py-bt-all (all threads), py-bt-full (with variables), py-up and py-down (select a frame).""",
            Spec(_THREAD), _backtrace),
    Command("py-bt-all", "Show the Python stacks of all threads.", """\
The thread that crashed comes first, then the main one. Threads that stand in the same place are shown once each; pipe
the text (`pipe py-bt-all | less` in gdb) or write a whole report to a file with py-report where there are many.""",
            Spec(), lambda core, arguments: _backtrace(core, arguments, all=True)),
    Command("py-bt-full", "Show the Python stack of a thread with the local variables of each frame.", """\
""" + _WHICH + """ With --all, those of all threads.
How much of values is shown, --depth, --max-items and --max-string say, else the settings of these names.""",
            Spec(_THREAD, 0, dict(LIMITS, all=bool)), _bt_full),
    Command("py-threads", "List all threads: number, native id, name, what each does, and where its Python code is.", """\
The number is the debugger's own: `thread N` selects that thread, and py-bt shows its Python stack. Marked are the
selected thread, the one that holds the GIL, those that wait for it, and the one that collects garbage.""",
            Spec(), _threads),
    Command("py-up", "Select the Python frame that called this one.", """\
py-up N goes N frames up. The selection is one for each thread, and starts anew at the innermost frame whenever the
process ran. py-list, py-locals, py-globals and py-print look at the selected frame. The debugger's own frame stays.""",
            Spec(("COUNT",)), lambda core, arguments: _move(core, arguments, 1)),
    Command("py-down", "Select the Python frame that this one called.", """\
py-down N goes N frames down. See py-up.""",
            Spec(("COUNT",)), lambda core, arguments: _move(core, arguments, -1)),
    Command("py-frame", "Select a Python frame by its number, or show the selected one.", """\
Frames are counted from the innermost, which is 0. See py-up.""",
            Spec(("NUMBER",)), _frame),
    Command("py-list", "Show the source around the line of the selected Python frame.", """\
py-list FROM begins at that line; --lines N shows so many. The file is looked for below the folders of the setting
source-root, and for a live process of this machine where the process has it.""",
            Spec(("FROM",), 0, {"lines": int}), _list),
    Command("py-locals", "Show the local variables of the selected Python frame.", """\
Parameters, locals, and what it shares with functions inside and outside of it. The values are decoded from memory;
no __repr__ is run, so an object of a class with one of its own is shown by type, address and attributes.""",
            Spec((), 0, LIMITS), _of_frame("locals")),
    Command("py-globals", "Show the global variables of the selected Python frame's module.", """\
Without those that Python itself puts into each module, its functions and classes, and what it imports: --all shows
these, too.""",
            Spec((), 0, dict(LIMITS, all=bool)), _of_frame("globals")),
    Command("py-print", "Show the object that a name, an address or an expression of the debugger leads to.", """\
  py-print order                       a variable of the selected Python frame: local, global or builtin
  py-print self.cfg["db"].host         a path from it
  py-print 0x7f12a0b3c4d0              the object at an address
  py-print 0x7f12a0b3c4d0.name         a path from there
  py-print $rdi                        the PyObject * that the debugger's own $rdi holds, a register or a variable
  py-print $(args->self).name          any expression of the debugger in $( ), and a path from it
""" + _PATHS + """
--depth, --max-items and --max-string say how much is shown, else the settings of these names.""",
            Spec(("EXPRESSION...",), 1, LIMITS), _print, "locals"),
    Command("py-exc", "Show the exceptions of a thread: the one in flight, and those being handled, with their causes.", """\
What sys.exc_info() would give comes first; chained exceptions are printed as Python does. That in flight is one that
was set and has not reached a handler yet: what a failing C function has just raised.
""" + _WHICH + """ With --all, those of all threads.""",
            Spec(_THREAD, 0, {"all": bool}), _exceptions),
    Command("py-tasks", "Show asyncio's tasks as a tree of who awaits whom, suspended generators, greenlets.", """\
Tasks of all event loops of the process, each with the stack of its coroutine; --locals adds its variables.""",
            Spec((), 0, dict(LIMITS, locals=bool)), _of_process("tasks")),
    Command("py-gil", "Show who holds the GIL and who waits for it.", """\
In free-threaded builds: which threads are attached, and whether the GIL was enabled nevertheless.""",
            Spec(), _of_process("gil")),
    Command("py-modules", "List the modules that were imported, with their files.", """\
Those of sys.modules; with NAME, that one and what is below it. `info sharedlibrary` of gdb and `image list` of lldb show the native ones.""",
            Spec(("NAME",)), _modules),
    Command("py-interpreters", "List the Python runtimes and interpreters of the process, and how they were found.", """\
Version, build, the table of layouts that is used, sub-interpreters, and how many threads each has.""",
            Spec(), _of_process("interpreters")),
    Command("py-report", "Write the whole report to a file, as `pycore analyze` does.", """\
The format is that of --format, else what the file's name ends with says: .json, .yaml, or text for all others.
FILE may be - for the screen. --locals adds variables, --tasks what is suspended.""",
            Spec(("FILE",), 1, dict(LIMITS, format=("text", "json", "yaml"), locals=bool, tasks=bool)), _report,
            "files"),
    Command("py-exec", "Run Python code in the process. It changes the process; needs `set pycore allow-exec on`.", """\
  py-exec 'import faulthandler; faulthandler.dump_traceback(all_threads=True)'
  py-exec print(len(cache))
The code runs in __main__. What it prints, the value of a lone expression and the traceback of what it raises are shown
here. From Python 3.14 on it is handed over by the remote debugging interface (PEP 768): the process runs until the
selected thread comes to a place where that is safe, at most as long as the setting exec-timeout says. Before 3.14, and
with --now, it is called in the selected thread as it stands, by PyGILState_Ensure, PyRun_SimpleString and
PyGILState_Release; other threads run meanwhile, unless the debugger holds them.
It is refused, with the reason, where that would deadlock or corrupt: inside malloc or the dynamic loader, while garbage
is collected, where another thread holds the GIL, before Python is initialised or while it ends, and in cores.""",
            Spec(("CODE...",), 1, {"now": bool}), execute.run),
]

BY_NAME: Dict[str, Command] = {command.name: command for command in COMMANDS}

TOPIC = """\
Python in the process or the core that the debugger has open, without debug symbols.

%s

Each command has its help: `help py-print`. `show pycore` lists the settings.""" % "\n".join(
    "%-17s%s" % (command.name, command.summary) for command in COMMANDS)
