"""The sessions behind the commands: one for each process that the debugger has, with its Python selection."""

import collections
from typing import Any, Dict, Optional

import pycore

from . import parameters
from .host import CommandError, Host, Process

MOST_SESSIONS = 8


class Held:
    """A process, its session, and what is selected in it."""

    def __init__(self, session: "pycore.Session", process: Process) -> None:
        self.session = session
        self.stop = process.stop
        self.roots = process.roots
        self.frames: Dict[int, int] = {}
        """The selected Python frame of threads, by native id; the innermost where nothing is said."""


class Core:
    """What all commands share. It asks sessions, and knows no debugger but through its host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._held: "collections.OrderedDict[Any, Held]" = collections.OrderedDict()

    def held(self) -> Held:
        """The selected process, as it is now."""
        process = self.host.process()
        options = self._options(process)
        key = (process.key, repr(sorted(options.items())))
        held = self._held.pop(key, None)
        if held is None:
            held = Held(pycore.Session(self.host, **options), process)
        elif held.stop != process.stop:
            held.stop = process.stop
            held.frames.clear()
            held.session.refresh()
        self._held[key] = held
        while len(self._held) > MOST_SESSIONS:
            self._held.popitem(last=False)[1].session.close()
        return held

    def forget(self) -> None:
        """Has everything read anew by the next command."""
        for held in self._held.values():
            held.session.close()
        self._held.clear()

    def _options(self, process: Process) -> Dict[str, Any]:
        return dict(process.options, layout=self.host.parameter("layout") or None)

    def ask(self, do: str, **arguments: Any) -> "pycore.Answer":
        """Asks the session of the selected process, under the limits that are set."""
        held = self.held()
        roots = parameters.paths(self.host.parameter("source-root"))
        asked = {
            "depth": self.host.parameter("depth"),
            "max_items": self.host.parameter("max-items"),
            "max_string": self.host.parameter("max-string"),
            "redact": self.host.parameter("redact"),
            "source_root": roots + held.roots,
            "colour": self.host.colour(),
        }
        asked.update((key, value) for key, value in arguments.items() if value is not None)
        return held.session.ask(do, **asked)

    def thread(self, name: Optional[str] = None) -> int:
        """The native id of a thread: the debugger's selected one, or that of its number or native id."""
        self.host.process()
        if name is None:
            tid = self.host.selected_thread()
            if tid is None:
                raise CommandError("No thread is selected.")
            return tid
        numbers = self.host.numbers()
        for tid, number in numbers.items():
            if number == name:
                return tid
        if name.isdigit() and int(name) in numbers:
            return int(name)
        raise CommandError("No thread %s. `py-threads` lists them, by the debugger's numbers and native ids." % name)

    def frame(self, tid: int) -> int:
        """The number of the selected Python frame of a thread; 0 is the innermost."""
        return self.held().frames.get(tid, 0)

    def frame_count(self, tid: int) -> int:
        """How many Python frames a thread has."""
        return self.ask("frame", thread=tid, frame=0, colour=False).data["frame_count"]

    def numbers(self) -> Dict[str, str]:
        """What the debugger calls its threads, by native id, for the library."""
        return {str(tid): number for tid, number in self.host.numbers().items()}

    def select(self, tid: int, frame: int) -> str:
        """Selects a Python frame that there is, and gives the text that shows it."""
        text = self.ask("frame", thread=tid, frame=frame, numbers=self.numbers()).text
        self.held().frames[tid] = frame
        return text
