"""What lldb tells of a process and does in it, by the Python API of lldb 14 to 19."""

import contextlib
import os

import lldb

import pycore

from . import execute, mappings, parameters, system_calls
from .host import FATAL, CommandError, Host, NativeFrame, Process

POINTERS = ("fs_base", "tpidr")
STOPPED = (lldb.eStateStopped, lldb.eStateCrashed, lldb.eStateSuspended)
NOWHERE = lldb.LLDB_INVALID_ADDRESS


class Lldb(Host):
    """lldb, of which the selected target's process is looked at."""

    name = "lldb"

    def __init__(self, debugger):
        self._debugger = debugger
        self._kept = {}
        self.settings = {one.name: one.default for one in parameters.PARAMETERS}
        self.out = []

    def begin(self, debugger):
        """A command begins, in that debugger."""
        self._debugger, self.out = debugger, []

    @property
    def _target(self):
        return self._debugger.GetSelectedTarget()

    @property
    def _process(self):
        return self._target.GetProcess()

    def _once(self, name, make):
        """What is asked of lldb once per stop."""
        now = (self._process.GetUniqueID(), self._process.GetStopID(True))
        if self._kept.get("stop") != now:
            self._kept = {"stop": now}
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def process(self):
        process = self._process
        if not process.IsValid() or process.GetState() in (
                lldb.eStateInvalid, lldb.eStateUnloaded, lldb.eStateExited, lldb.eStateDetached):
            raise CommandError("There is no process: attach to one (`process attach --pid PID`), open a core "
                               "(`target create --core FILE`), or `run`.")
        if process.GetState() not in STOPPED:
            raise CommandError("The process is running: `process interrupt` it first.")
        machine = self._target.GetTriple().split("-")[0]
        if machine not in ("x86_64", "aarch64"):
            raise CommandError("Processes of %s are not read, only 64-bit ones of x86-64 and Arm." % machine)
        options = {"machine": machine, "os": "linux", "pid": process.GetProcessID(), "format": "live"}
        if self._is_core():
            path = process.GetCoreFile().fullpath if hasattr(process, "GetCoreFile") else ""
            files = {module.GetFileSpec().fullpath or "" for module in self._target.module_iter()}
            options.update(format="elf-core", path=path, lib_path=sorted(filter(os.path.isfile, files)))
        options.update(self._once("crash", self._crash))
        key, stop, roots = process.GetUniqueID(), process.GetStopID(True), []
        if self._target.GetPlatform().GetName() == "host" and not self._is_core():
            options.update(self._once("kernel", lambda: mappings.program(process.GetProcessID())))
            roots = ["/proc/%d/root" % process.GetProcessID()]
        return Process(key, stop, options, not self._is_core(), roots)

    def _is_core(self):
        return self._process.GetPluginName() == "elf-core"

    def _crash(self):
        """The thread that a signal ended, or is about to end, and the signal."""
        for thread in list(self._process)[:1 if self._is_core() else None]:
            number = thread.GetStopReasonDataAtIndex(0)
            if thread.GetStopReason() == lldb.eStopReasonSignal and number in FATAL:
                return {"crashed_tid": thread.GetThreadID(), "signal": {"number": number}}
        return {}

    def _check(self):
        """lldb notes a Ctrl-C, and leaves it to commands to look."""
        if self._debugger.GetCommandInterpreter().WasInterrupted():
            raise KeyboardInterrupt

    def read_memory(self, address, size):
        self._check()
        error = lldb.SBError()
        data = self._process.ReadMemory(address, size, error)
        return data if error.Success() else None

    def modules(self):
        found, target = [], self._target
        for module in target.module_iter():
            places = [(one.GetLoadAddress(target), one.GetByteSize()) for one in module.section_iter()]
            places = [(start, size) for start, size in places if start != NOWHERE and size]
            base = module.GetObjectFileHeaderAddress().GetLoadAddress(target)
            if places and base != NOWHERE:
                path = module.GetPlatformFileSpec().fullpath or module.GetFileSpec().fullpath or ""
                found.append(pycore.Module(base, max(start + size for start, size in places), path))
        # Files that lldb did not find on this machine.
        known = [(one.base, one.end) for one in found]
        for region in self._once("regions", self._regions):
            name = region.GetName() or ""
            start, end = region.GetRegionBase(), region.GetRegionEnd()
            if name.startswith("/") and not any(base <= start < last for base, last in known):
                if found and found[-1].path == name:
                    found[-1] = found[-1]._replace(end=end)
                else:
                    found.append(pycore.Module(start, end, name))
        return found

    def _regions(self):
        regions, found = self._process.GetMemoryRegions(), []
        for at in range(regions.GetSize()):
            region = lldb.SBMemoryRegionInfo()
            if regions.GetMemoryRegionAtIndex(at, region) and region.IsMapped():
                found.append(region)
        return found

    def ranges(self):
        return [
            pycore.MemoryRange(one.GetRegionBase(), one.GetRegionEnd() - one.GetRegionBase(), one.IsReadable(),
                               one.IsWritable(), one.IsExecutable())
            for one in self._once("regions", self._regions)
        ]

    def threads(self):
        return self._once("threads", lambda: [self._thread(one) for one in self._process])

    def _thread(self, thread):
        self._check()
        frame, tid = thread.GetFrameAtIndex(0), thread.GetThreadID()
        pointers = (frame.FindRegister(name) for name in POINTERS)
        pointer = next((one.GetValueAsUnsigned() for one in pointers if one.IsValid()), 0)
        futex = 0 if self._is_core() else system_calls.futex_by_kernel(
            self._target.GetTriple().split("-")[0], self._process.GetProcessID(), tid)
        return pycore.NativeThread(tid, pointer, frame.GetPC(), frame.GetSP(), thread.GetName(), futex)

    def numbers(self):
        return {one.GetThreadID(): str(one.GetIndexID()) for one in self._process}

    def selected_thread(self):
        thread = self._process.GetSelectedThread()
        return thread.GetThreadID() if thread.IsValid() else None

    def parameter(self, name):
        return self.settings[name]

    def colour(self):
        return self._debugger.GetUseColor()

    def write(self, text):
        self.out.append(text)

    def evaluate(self, expression):
        value = self._process.GetSelectedThread().GetSelectedFrame().EvaluateExpression(expression)
        if not value.GetError().Success():
            raise CommandError(str(value.GetError()).strip())
        return value.GetValueAsUnsigned()

    def native_frames(self, tid, limit):
        found = []
        thread = self._process.GetThreadByID(tid)
        for at in range(limit):
            frame = thread.GetFrameAtIndex(at)
            if not frame.IsValid():
                break
            path = frame.GetModule().GetFileSpec().fullpath
            found.append(NativeFrame(frame.GetPC(), frame.GetFunctionName() or "", path or ""))
        return found

    def others_run(self):
        return True

    def symbol(self, name):
        for context in self._target.FindSymbols(name):
            address = context.GetSymbol().GetStartAddress().GetLoadAddress(self._target)
            if address != NOWHERE:
                return address
        return 0

    def call(self, tid, address, *arguments, limit):
        options = lldb.SBExpressionOptions()
        options.SetLanguage(lldb.eLanguageTypeC)
        options.SetTimeoutInMicroSeconds(int(limit * 1e6))
        options.SetStopOthers(False)
        options.SetUnwindOnError(False)
        options.SetIgnoreBreakpoints(True)
        text = "((long(*)(%s))%d)(%s)" % (",".join("long" for _ in arguments) or "void", address,
                                         ",".join("%dL" % one for one in arguments))
        value = self._process.GetThreadByID(tid).GetFrameAtIndex(0).EvaluateExpression(text, options)
        if not value.GetError().Success():
            raise CommandError(str(value.GetError()).strip())
        return value.GetValueAsSigned()

    def write_memory(self, address, data):
        error = lldb.SBError()
        self._process.WriteMemory(address, data, error)
        if not error.Success():
            raise CommandError(str(error))

    def run(self, done, limit):
        thread, asynchronous = self._process.GetSelectedThread().GetThreadID(), self._debugger.GetAsync()
        self._debugger.SetAsync(False)
        try:
            with execute.interrupted_after(self._process.GetProcessID(), limit, "STOP", done):
                self._process.Continue()
        finally:
            self._debugger.SetAsync(asynchronous)
            with contextlib.suppress(Exception):
                self._process.SetSelectedThreadByID(thread)
