"""Asks about a child process through the library, as a debugger does: `smoke.py LIBRARY`."""

import ctypes as c
import json
import os
import re
import subprocess
import sys

CHILD = """
import threading, time
def inner(secret):
    print("ready", flush=True)
    time.sleep(1000)
def outer(count):
    inner({"count": count})
threading.current_thread().name = "Smoke"
outer(7)
"""


class Module(c.Structure):
    _fields_ = [("base", c.c_uint64), ("end", c.c_uint64), ("path", c.c_char_p), ("build_id", c.c_char_p),
                ("build_id_size", c.c_size_t)]


class Thread(c.Structure):
    _fields_ = [("tid", c.c_uint32), ("thread_pointer", c.c_uint64), ("instruction_pointer", c.c_uint64),
                ("stack_pointer", c.c_uint64), ("name", c.c_char_p), ("futex", c.c_uint64)]


class Range(c.Structure):
    _fields_ = [("start", c.c_uint64), ("size", c.c_uint64), ("flags", c.c_uint32)]


READ = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_uint64, c.POINTER(c.c_uint8), c.c_size_t)
LIST = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_void_p)


class Callbacks(c.Structure):
    _fields_ = [("context", c.c_void_p), ("read_memory", READ), ("list_modules", LIST), ("list_threads", LIST),
                ("list_ranges", LIST)]


def load(path):
    library = c.CDLL(path)
    library.pycore_version.restype = c.c_char_p
    library.pycore_abi_version.restype = c.c_uint32
    library.pycore_open.argtypes = [c.c_uint32, c.POINTER(Callbacks), c.c_char_p, c.POINTER(c.c_void_p),
                                    c.POINTER(c.c_void_p)]
    library.pycore_ask.argtypes = [c.c_void_p, c.c_char_p, c.POINTER(c.c_void_p)]
    library.pycore_free.argtypes = library.pycore_close.argtypes = library.pycore_refresh.argtypes = [c.c_void_p]
    for name in ("module", "thread", "range"):
        getattr(library, f"pycore_add_{name}").argtypes = [c.c_void_p, c.c_void_p]
    return library


class Reader:
    """A process, by /proc."""

    def __init__(self, library, pid):
        self.library = library
        self.pid = pid
        self.memory = open(f"/proc/{pid}/mem", "rb", 0)
        self.reads = 0
        self.interrupt = False
        self.callbacks = Callbacks(None, READ(self.read), LIST(self.modules), LIST(self.threads), LIST(self.ranges))

    def read(self, _, address, buffer, size):
        self.reads += 1
        if self.interrupt:
            return 2
        try:
            found = os.pread(self.memory.fileno(), size, address)
        except OSError:
            return 1
        if len(found) != size:
            return 1
        c.memmove(buffer, found, size)
        return 0

    def mappings(self):
        with open(f"/proc/{self.pid}/maps") as maps:
            for line in maps:
                start, end, flags, path = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+\s*(.*)", line).groups()
                yield int(start, 16), int(end, 16), flags, path

    def modules(self, _, sink):
        first = {}
        for start, end, _, path in self.mappings():
            if path.startswith("/") and (".so" in path or "python" in path):
                first.setdefault(path, [start, end])[1] = end
        for path, (start, end) in first.items():
            self.library.pycore_add_module(sink, c.byref(Module(start, end, path.encode(), None, 0)))
        return 0

    def threads(self, _, sink):
        for tid in os.listdir(f"/proc/{self.pid}/task"):
            self.library.pycore_add_thread(sink, c.byref(Thread(int(tid), 0, 0, 0, None, 0)))
        return 0

    def ranges(self, _, sink):
        for start, end, flags, _ in self.mappings():
            bits = sum(bit for letter, bit in (("r", 1), ("w", 2), ("x", 4)) if letter in flags)
            self.library.pycore_add_range(sink, c.byref(Range(start, end - start, bits)))
        return 0


def main():
    library = load(sys.argv[1])
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE)
    child.stdout.readline()
    reader = Reader(library, child.pid)
    session, error = c.c_void_p(), c.c_void_p()
    options = json.dumps({"machine": os.uname().machine, "pid": child.pid}).encode()

    def ask(**request):
        response = c.c_void_p()
        status = library.pycore_ask(session, json.dumps(request).encode(), c.byref(response))
        text = c.string_at(response).decode()
        library.pycore_free(response)
        return status, json.loads(text) if status == 0 else text

    try:
        status = library.pycore_open(99, c.byref(reader.callbacks), options, c.byref(session), c.byref(error))
        assert status == 3 and b"version 99" in c.string_at(error), c.string_at(error)
        library.pycore_free(error)
        abi = library.pycore_abi_version()
        status = library.pycore_open(abi, c.byref(reader.callbacks), options, c.byref(session), c.byref(error))
        assert status == 0, c.string_at(error)

        status, answer = ask(do="report", locals=True)
        assert status == 0, answer
        frames = answer["data"]["threads"][0]["frames"]
        assert [frame["function"] for frame in frames] == ["inner", "outer", "<module>"], frames
        assert frames[0]["locals"][0]["value"]["repr"] == "{'count': 7}", frames[0]
        before = reader.reads
        status, answer = ask(do="backtrace", thread=child.pid, numbers={child.pid: "1"})
        assert status == 0 and "in outer" in answer["text"], answer
        assert reader.reads == before, "what was read is kept"
        status, answer = ask(do="threads", thread=child.pid)
        assert status == 0 and "Smoke" in answer["text"], answer

        reader.interrupt = True
        assert library.pycore_refresh(session) == 0
        assert ask(do="threads") == (2, "interrupted")
        reader.interrupt = False
        status, answer = ask(do="threads")
        assert status == 0 and answer["data"]["threads"][0]["frame_count"] == 3, answer
        status, answer = ask(do="nothing")
        assert status == 1 and "unknown variant" in answer, answer
        library.pycore_close(session)
    finally:
        child.kill()
    print("ok", library.pycore_version().decode(), reader.reads, "reads")


main()
