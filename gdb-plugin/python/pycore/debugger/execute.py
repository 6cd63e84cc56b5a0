"""py-exec: Python code that is run in the stopped process.

Up to 3.13, and with --now, by one call of a few machine instructions that take the GIL (`PyGILState_Ensure`), run the
code (`PyRun_SimpleString`) and give the GIL back (`PyGILState_Release`): in one, so that the GIL is given back also where
the user interrupts the debugger meanwhile and lets the process go on later. From 3.14 on by the remote debugging
interface (PEP 768, Python/remote_debug.h): a thread state is told the path of a script, which the thread runs where it
next looks at its `eval_breaker`.
"""

import contextlib
import os
import re
import shutil
import struct
import subprocess
import tempfile
from typing import Any, Dict, Iterator

from .core import Core
from .host import CommandError

PROT_READ, PROT_EXEC, MAP_PRIVATE, MAP_ANONYMOUS = 1, 4, 2, 32
FAILED_MAP = -4095
FRAMES_LOOKED_AT = 48
CALLED = ("PyGILState_Ensure", "PyRun_SimpleString", "PyGILState_Release", "mmap", "munmap", "__errno_location")

COMPARED = ("PyGILState_Ensure", "__errno_location")
"""Of which each process has one."""

# Functions that hold locks of an allocator, or have its lists half changed. Of those that are local to the C library a
# stripped one tells no names, but they are called by these.
ALLOCATOR = re.compile(
    r"^(_*(GI_+)?(libc_|je_|tc_|mi_|rust_|py)?(malloc|calloc|realloc|free|cfree|memalign|aligned_alloc|posix_memalign|valloc|"
    r"pvalloc|reallocarray)(_[a-z_]+)?|_int_(malloc|free|realloc|memalign).*|sysmalloc.*|malloc_consolidate|"
    r"unlink_chunk.*|systrim.*|tcache_.*|mi_[a-z_]+|_mi_[a-z_]+|je_[a-z_]+|operator (new|delete).*|_Zn[wa].*|_Zd[la].*|"
    r"_?Py(Object|Mem)_(Raw)?(Malloc|Calloc|Realloc|Free)|_PyMem_(Raw|Debug).*|pymalloc_.*|new_arena|arena_.*)$")
# Functions of the cyclic garbage collector, where symbols tell.
COLLECTOR = re.compile(r"^(_?PyGC_Collect.*|_PyObject_GC_.*Collect.*|gc_collect.*|collect(_with_callback|_generations)?)$")
LOADER = re.compile(r"/(ld-linux[^/]*|ld-musl[^/]*|ld-[0-9.]+)\.so(\.\d+)*$")

# Runs in the process, of any version: CODE and OUTCOME are put in. What other threads print meanwhile goes its way.
WRAPPER = '''
def run(code, outcome):
    import os, sys, traceback
    try:
        from thread import get_ident
    except ImportError:
        from _thread import get_ident
    parts = []
    class Here(object):
        def __init__(self, other):
            self.other, self.ident = other, get_ident()
        def write(self, text):
            if get_ident() != self.ident:
                return self.other.write(text)
            parts.append(text if isinstance(text, type(u"")) else text.decode("utf-8", "replace"))
            return len(text)
        def __getattr__(self, name):
            return getattr(self.other, name)
    before, kind, place = (sys.stdout, sys.stderr), "ok", sys.modules["__main__"].__dict__
    own = sys.stdout, sys.stderr = Here(before[0]), Here(before[1])
    try:
        try:
            ready = compile(code, "<py-exec>", "eval")
        except SyntaxError:
            ready = None
        if ready is None:
            exec(compile(code, "<py-exec>", "exec"), place)
        else:
            value = eval(ready, place)
            if value is not None:
                own[0].write(repr(value) + "\\n")
    except BaseException:
        kind = "raised"
        error = sys.exc_info()
        steps = error[2].tb_next
        parts.extend(traceback.format_exception(error[0], error[1], steps))
        del error, steps
    finally:
        if sys.stdout is own[0]:
            sys.stdout = before[0]
        if sys.stderr is own[1]:
            sys.stderr = before[1]
    text = u"".join(one if isinstance(one, type(u"")) else one.decode("utf-8", "replace") for one in parts)
    with open(outcome + ".part", "wb") as file:
        file.write((kind + u"\\n" + text).encode("utf-8", "replace"))
    os.rename(outcome + ".part", outcome)
run(CODE.decode("utf-8"), OUTCOME)
'''


def run(core: Core, arguments: Dict[str, Any]) -> str:
    """Runs the code and gives what it printed. Raises CommandError with the reason where it is refused."""
    host = core.host
    process = host.process()
    if not host.parameter("allow-exec"):
        raise CommandError(
            "py-exec changes the process, so it has to be allowed first: `%s`." % (
                "set pycore allow-exec on" if host.name == "gdb" else "py-set allow-exec on"))
    if not process.live:
        raise CommandError("A core cannot run code; py-exec needs a live process.")
    tid = core.thread()
    state = core.ask("exec_state", thread=tid, numbers=core.numbers()).data
    code, limit = _unquoted(arguments["code"]), float(host.parameter("exec-timeout"))
    with Exchange(process.options["pid"]) as exchange:
        exchange.script(code)
        if state.get("remote") and not arguments.get("now"):
            _hand_over(core, state, tid, exchange, limit)
        else:
            if state["verdict"] != "yes":
                raise CommandError("Refused: %s." % "; ".join(state["reasons"]))
            functions = _functions(core, state)
            _refuse_by_place(core, tid)
            _call_in(core, process.options["machine"], tid, functions, exchange, limit)
        return exchange.outcome()


def _unquoted(code: str) -> str:
    """`'code'` without its quotes, as a shell would have it; quotes that only part of the code stands in stay."""
    for quote in "'\"":
        if len(code) > 1 and code[0] == code[-1] == quote and quote not in code[1:-1]:
            return code[1:-1]
    return code


class Exchange:
    """A folder that both sides see: the script for the process, and what came of it."""

    def __init__(self, pid: int) -> None:
        self.code = ""
        self._pid = pid
        self._root = "/proc/%d/root" % pid

    def __enter__(self) -> "Exchange":
        try:
            self._folder = tempfile.mkdtemp(prefix="pycore-", dir=self._root + "/tmp")
            self._owner = os.stat("/proc/%d" % self._pid)
            self._give(self._folder)
        except OSError as error:
            raise CommandError(
                "py-exec hands over code in a file in /tmp of the process, which cannot be written: %s" % error) from None
        self.seen = self._folder[len(self._root):]
        return self

    def _give(self, path: str) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._owner.st_uid, self._owner.st_gid)

    def __exit__(self, *_: Any) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def script(self, code: str) -> None:
        """Writes the script for some code."""
        # As bytes with escapes, a literal that Python 2 and 3 read alike.
        self.code = WRAPPER.replace("OUTCOME", repr(self.seen + "/outcome")).replace("CODE", repr(code.encode("utf-8")))
        path = os.path.join(self._folder, "run.py")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.code)
        self._give(path)

    @property
    def path(self) -> str:
        """The script's path, as the process sees it."""
        return self.seen + "/run.py"

    @property
    def done(self) -> str:
        """A file that is there once the code has ended."""
        return self._folder + "/outcome"

    def outcome(self) -> str:
        """What the code printed. Raises CommandError with the traceback where it raised."""
        try:
            with open(self.done, encoding="utf-8") as file:
                kind, _, text = file.read().partition("\n")
        except FileNotFoundError:
            raise CommandError("The code was called, but left no outcome: the process could not read %s." % self.path) \
                from None
        if kind != "ok":
            raise CommandError("The code raised an exception.\n" + text.rstrip("\n"))
        return text


def _hand_over(core: Core, state: Dict[str, Any], tid: int, exchange: Exchange, limit: float) -> None:
    """As `sys.remote_exec` does it, in the selected thread."""
    host, remote = core.host, state["remote"]
    if state["initialised"] is not True or state["finalizing"]:
        raise CommandError("Refused: %s." % "; ".join(state["reasons"]))
    place = next((one for one in remote["threads"] if one["tid"] == tid), None)
    if place is None:
        raise CommandError("Refused: this thread has no Python thread state. Select one that py-threads shows Python of.")
    if not place["enabled"]:
        raise CommandError(
            "Refused: remote debugging is turned off in this process (-X disable-remote-debug, "
            "PYTHON_DISABLE_REMOTE_DEBUG, or how it was built). `py-exec --now` does without.")
    place = {name: int(place[name], 16) for name in ("eval_breaker", "pending_call", "script_path")}
    path = exchange.path.encode() + b"\0"
    if len(path) > remote["script_path_size"]:
        raise CommandError("The path of the script is too long for the process: %s." % exchange.path)
    host.write_memory(place["script_path"], path)
    host.write_memory(place["pending_call"], struct.pack("<i", 1))
    breaker = struct.unpack("<Q", host.read_memory(place["eval_breaker"], 8) or bytes(8))[0]
    host.write_memory(place["eval_breaker"], struct.pack("<Q", breaker | remote["stop_bit"]))
    host.run(exchange.done, limit)
    if os.path.exists(exchange.done):
        return
    if host.read_memory(place["pending_call"], 4) == struct.pack("<i", 1):
        host.write_memory(place["pending_call"], bytes(4))
        raise CommandError(
            "The thread executed no Python within %g seconds, so nothing was run: it waits in machine code. Select a "
            "thread that is busy, or use --now, which does not wait." % limit)
    raise CommandError("The code has begun, and did not end within %g seconds. It goes on when the process does." % limit)


def _functions(core: Core, state: Dict[str, Any]) -> Dict[str, int]:
    """The functions to call, as the process has them. The debugger must know them at the same places: else it has other
    files than the process, and cannot tell where threads stand.
    """
    functions = {name: int(address, 16) for name, address in state["functions"].items()}
    for name in CALLED:
        if name not in functions:
            raise CommandError("Refused: the process exports no %s to call." % name)
        if name in COMPARED and core.host.symbol(name) != functions[name]:
            raise CommandError(
                "Refused: the debugger has other files than the process (%s lies elsewhere), so it cannot tell whether "
                "the thread is inside malloc. Let it have the right ones: `%s`." % (
                    name, "set sysroot /proc/PID/root" if core.host.name == "gdb" else "platform select --sysroot"))
    return functions


def _call_in(
    core: Core, machine: str, tid: int, functions: Dict[str, int], exchange: Exchange, limit: float
) -> None:
    """By a call in a thread that stands."""
    host = core.host
    if machine != "x86_64":
        raise CommandError("Code can only be called in processes of x86-64.")
    steps, (mmap, munmap, errno) = ([functions[name] for name in names] for names in (CALLED[:3], CALLED[3:]))
    text = b"exec(%s, {})\0" % ascii(exchange.code).encode()
    size = (TEXT_AT + len(text) + 4095) // 4096 * 4096
    errno = host.call(tid, errno, limit=limit)
    before = host.read_memory(errno, 4)
    page = host.call(tid, mmap, 0, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, limit=limit)
    if FAILED_MAP <= page < 0:
        raise CommandError("The process may not map memory for code; is it confined?")
    host.write_memory(page, _instructions(*steps, page + TEXT_AT))
    host.write_memory(page + TEXT_AT, text)
    try:
        host.call(tid, page, limit=limit)
    except CommandError:
        raise CommandError(
            "The code did not end within %g seconds, or was interrupted. It stands where it is. Let it end before you "
            "detach or quit: `continue`, and the debugger stops again when it has ended; the GIL is then given back."
            % limit) from None
    host.call(tid, munmap, page, size, limit=limit)
    if before is not None:
        host.write_memory(errno, before)


TEXT_AT = 128


def _instructions(ensure: int, run: int, release: int, text: int) -> bytes:
    """`{ int state = ensure(); long result = run(text); release(state); return result; }` for x86-64."""
    def call(function: int) -> bytes:
        return b"\x48\xb8" + struct.pack("<Q", function) + b"\xff\xd0"  # mov rax, function; call rax
    return b"".join((
        b"\x53\x41\x54\x48\x83\xec\x08",  # push rbx; push r12; sub rsp, 8
        call(ensure),
        b"\x89\xc3\x48\xbf" + struct.pack("<Q", text),  # mov ebx, eax; mov rdi, text
        call(run),
        b"\x4c\x63\xe0\x89\xdf",  # movsxd r12, eax; mov edi, ebx
        call(release),
        b"\x4c\x89\xe0\x48\x83\xc4\x08\x41\x5c\x5b\xc3",  # mov rax, r12; add rsp, 8; pop r12; pop rbx; ret
    ))


def _refuse_by_place(core: Core, tid: int) -> None:
    """Refuses where the thread stands in what cannot be entered a second time."""
    host = core.host
    looked_at = [tid] if host.others_run() else list(host.numbers())
    for one in looked_at:
        who = "this thread" if one == tid else "thread %s, which the debugger would hold meanwhile," % host.numbers()[one]
        for frame in host.native_frames(one, FRAMES_LOOKED_AT):
            if ALLOCATOR.match(frame.function):
                raise CommandError(
                    "Refused: %s is inside %s: what Python allocates would wait for its lock for good, or find memory half "
                    "changed. `finish` it first, or select another thread." % (who, frame.function))
            if LOADER.search(frame.module):
                raise CommandError(
                    "Refused: %s is inside the dynamic loader (%s), whose lock an import would wait for. `finish` it first, or "
                    "select another thread." % (who, frame.function or hex(frame.pc)))
            if COLLECTOR.match(frame.function):
                raise CommandError("Refused: %s is collecting garbage (%s): objects are half taken apart." % (who, frame.function))


@contextlib.contextmanager
def interrupted_after(pid: int, limit: float, signal: str, done: str = "") -> Iterator[None]:
    """While this lasts, sends the process a signal (which the debugger takes) after so many seconds, or once a file is
    there. By a program of its own, since the debugger waits meanwhile, and its Python with it.
    """
    with tempfile.NamedTemporaryFile(prefix="pycore-guard-") as guard:
        subprocess.run(["sh", "-c", WATCH, "sh", guard.name, done, str(int(limit * 20)), signal, str(pid)], check=False)
        yield


WATCH = """
(
    left=$3
    while [ -e "$1" ] && [ "$left" -gt 0 ] && ! [ -e "$2" ]; do sleep 0.05; left=$((left - 1)); done
    if [ -e "$1" ]; then kill -s "$4" "$5"; fi
) </dev/null >/dev/null 2>&1 &
"""
