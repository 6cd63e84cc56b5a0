"""What gdb tells of a process and does in it, by the Python API of gdb 12 to 16."""

import bisect
import contextlib
import os
import re
import sys

import gdb

import pycore

from . import execute, mappings, system_calls
from .host import FATAL, CommandError, Host, NativeFrame, Process

MACHINES = {"i386:x86-64": "x86_64", "aarch64": "aarch64"}


class Gdb(Host):
    """gdb, of which the selected inferior is looked at."""

    name = "gdb"
    stops = 0

    def __init__(self):
        self._kept = {}
        for event in "stop", "cont", "exited", "new_objfile", "inferior_call", "memory_changed", "register_changed":
            getattr(gdb.events, event).connect(self._ran)

    def _ran(self, _event):
        self.stops += 1
        self._kept.clear()

    def _once(self, name, make):
        """What is asked of gdb once per stop."""
        key = (name, gdb.selected_inferior().num)
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def process(self):
        inferior = gdb.selected_inferior()
        if inferior.pid == 0 or not inferior.threads():
            raise CommandError("There is no process: attach to one (`attach PID`), open a core (`core FILE`), or `run`.")
        if any(thread.is_running() for thread in inferior.threads()):
            raise CommandError("The process is running: `interrupt` it first.")
        machine = inferior.architecture().name()
        if machine not in MACHINES:
            raise CommandError("Processes of %s are not read, only 64-bit ones of x86-64 and Arm." % machine)
        options = dict(machine=MACHINES[machine], os="linux", pid=inferior.pid, format="live", **self._once("crash", lambda: self._crash(inferior)))
        if self._is_core():
            options.update(format="elf-core", path=self._once("core", self._sections)[0], **self._files())
        key, roots = (inferior.num, inferior.pid, options.get("path")), []
        if self._is_local():
            options.update(self._once("kernel", lambda: mappings.program(inferior.pid)))
            roots = ["/proc/%d/root" % inferior.pid]
        return Process(key, self.stops, options, not self._is_core(), roots)

    def _files(self):
        """Where gdb finds files: the library takes those whose build ids are right."""
        root = (gdb.parameter("sysroot") or "").replace("target:", "")
        files = {one.filename for one in gdb.objfiles() if os.path.isabs(one.filename or "")}
        return {"sysroot": [root] if root else [], "lib_path": sorted(files)}

    def _is_core(self):
        return gdb.selected_inferior().connection.type == "core"

    def _is_local(self):
        return gdb.selected_inferior().connection.type == "native"

    def _crash(self, inferior):
        """The thread that a signal ended, or is about to end."""
        threads = inferior.threads()
        if self._is_core():
            threads = [min(threads, key=lambda thread: thread.num)]
        for thread in self._each(threads):
            signal = _signal()
            if signal:
                return {"crashed_tid": _tid(thread), "signal": signal}
        return {}

    def _sections(self):
        text = gdb.execute("maint info sections", to_string=True)
        found = re.search(r"^Core file:\s+`(.*)', file type", text, re.M)
        return (found and found.group(1), *mappings.of_sections(text))

    def _each(self, threads):
        """Selects one thread after the other, and the one that was selected in the end."""
        with _selection():
            for thread in threads:
                thread.switch()
                yield thread

    def read_memory(self, address, size):
        if self._is_core() and not self._is_dumped(address, size):
            return None  # gdb would read files by their names; the library does so by their build ids.
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except gdb.MemoryError:
            return None

    def _is_dumped(self, address, size):
        starts, ends = self._once("dumped", lambda: mappings.joined(self._once("core", self._sections)[2]))
        at = bisect.bisect_right(starts, address) - 1
        return at >= 0 and address + size <= ends[at]

    def _mappings(self):
        inferior = gdb.selected_inferior()
        with contextlib.suppress(OSError):
            if self._is_local():
                with open("/proc/%d/maps" % inferior.pid, errors="surrogateescape") as file:
                    return mappings.of_kernel(file.read())
        with contextlib.suppress(gdb.error):
            return mappings.of_gdb(gdb.execute("info proc mappings", to_string=True))
        return []

    def modules(self):
        entry = re.search(r"^\d+\s+AT_ENTRY\s.*\s0x([0-9a-f]+)$", gdb.execute("info auxv", to_string=True), re.M)
        return mappings.modules(self._once("mappings", self._mappings), int(entry[1], 16) if entry else 0)

    def ranges(self):
        own = self._once("core", self._sections)[1] if self._is_core() else self._once("mappings", self._mappings)
        return mappings.ranges(own)

    def threads(self):
        return self._once("threads", lambda: [self._thread(one) for one in self._each(gdb.selected_inferior().threads())])

    def _thread(self, thread):
        frame = gdb.newest_frame()
        machine = MACHINES.get(frame.architecture().name(), "x86_64")
        futex = system_calls.futex(machine, *(_register(frame, name) for name in system_calls.REGISTERS[machine]))
        pointer = _register(frame, {"x86_64": "fs_base", "aarch64": "tpidr"}[machine])
        return pycore.NativeThread(_tid(thread), pointer or 0, frame.pc(), _register(frame, "sp"), thread.name, futex)

    def numbers(self):
        inferior, several = gdb.selected_inferior(), len(gdb.inferiors()) > 1
        return {_tid(one): "%d.%d" % (inferior.num, one.num) if several else str(one.num) for one in inferior.threads()}

    def selected_thread(self):
        thread = gdb.selected_thread()
        return _tid(thread) if thread else None

    def parameter(self, name):
        return gdb.parameter("pycore " + name)

    def colour(self):
        return bool(gdb.parameter("style enabled")) and sys.__stdout__.isatty() and os.environ.get("TERM") != "dumb"

    def write(self, text):
        gdb.write(text)

    def evaluate(self, expression):
        return int(gdb.parse_and_eval(expression))

    def native_frames(self, tid, limit):
        found = []
        with _selection():
            self._select(tid)
            frame = gdb.newest_frame()
            while frame is not None and len(found) < limit:
                found.append(NativeFrame(frame.pc(), frame.name() or "", gdb.solib_name(frame.pc()) or ""))
                frame = frame.older()
        return found

    def _select(self, tid):
        next(one for one in gdb.selected_inferior().threads() if _tid(one) == tid).switch()

    def others_run(self):
        return gdb.parameter("scheduler-locking") in ("off", "replay")

    def symbol(self, name):
        try:
            return int(gdb.parse_and_eval("(long)&'%s'" % name)) & 0xFFFFFFFFFFFFFFFF
        except gdb.error:
            return 0

    def call(self, tid, address, *arguments, limit):
        with _selection(), execute.interrupted_after(gdb.selected_inferior().pid, limit, "INT"):
            self._select(tid)
            text = "((long(*)(%s))%d)(%s)" % (",".join("long" for _ in arguments) or "void", address,
                                             ",".join("%dL" % one for one in arguments))
            try:
                return int(gdb.parse_and_eval(text))
            except gdb.error as error:
                raise CommandError(str(error)) from None

    def write_memory(self, address, data):
        gdb.selected_inferior().write_memory(address, data)

    def run(self, done, limit):
        with _selection(), execute.interrupted_after(gdb.selected_inferior().pid, limit, "INT", done):
            gdb.execute("continue", to_string=True)


def _tid(thread):
    return thread.ptid[1] or thread.ptid[0]


def _register(frame, name):
    try:
        return int(frame.read_register(name)) & 0xFFFFFFFFFFFFFFFF
    except (ValueError, gdb.error):
        return None


def _signal():
    """The signal that the selected thread took, where it is one that ends a process."""
    try:
        info = gdb.parse_and_eval("$_siginfo")
        number, fields = int(info["si_signo"]), info["_sifields"]
        return number in FATAL and {
            "number": number, "code": int(info["si_code"]),
            "address": int(fields["_sigfault"]["si_addr"]) & 0xFFFFFFFFFFFFFFFF,
            "sender_pid": int(fields["_kill"]["si_pid"]) & 0xFFFFFFFF}
    except gdb.error:
        return None


@contextlib.contextmanager
def _selection():
    """Selects the thread and the frame again that were selected."""
    thread = gdb.selected_thread()
    frame = gdb.selected_frame() if thread else None
    try:
        yield
    finally:
        if thread and thread.is_valid():
            thread.switch()
            with contextlib.suppress(gdb.error):
                frame.select()

