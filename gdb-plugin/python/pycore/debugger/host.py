"""What the commands ask of a debugger. Each front end is one of these; nothing else of it is known to the commands."""

from typing import Any, Dict, List, NamedTuple, Optional

from .. import MemoryRange, Module, NativeThread

# The signals by which a process ends of its own fault, as Linux numbers them: SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE,
# SIGSEGV, SIGSYS.
FATAL = {3, 4, 6, 7, 8, 11, 31}


class CommandError(Exception):
    """A command cannot do what was asked; the message says why, and what to do."""


class Process(NamedTuple):
    """The process that the debugger has selected."""

    key: Any
    """Differs between processes, also between those that had the same id one after another."""
    stop: Any
    """Differs whenever the process ran in between."""
    options: Dict[str, Any]
    """What a session is opened with: `machine`, `os`, `pid`, `format`, `path`, `crashed_tid`."""
    live: bool
    roots: List[str]
    """Where files lie as the process has them, where they may be opened: its root folder on this machine."""


class NativeFrame(NamedTuple):
    """A frame of machine code."""

    pc: int
    function: str
    """Empty where no symbol tells."""
    module: str
    """The path of the file that is mapped there; empty where it is none."""


class Host:
    """A debugger; also the `pycore.Reader` of its selected process."""

    name = ""

    def process(self) -> Process:
        """The selected process. Raises CommandError where there is none."""
        raise NotImplementedError

    def read_memory(self, address: int, size: int) -> Optional[bytes]:
        """As `pycore.Reader` has it, and the next three."""
        raise NotImplementedError

    def modules(self) -> List[Module]:
        raise NotImplementedError

    def threads(self) -> List[NativeThread]:
        raise NotImplementedError

    def ranges(self) -> List[MemoryRange]:
        raise NotImplementedError

    def numbers(self) -> Dict[int, str]:
        """What the debugger calls its threads, by native id."""
        raise NotImplementedError

    def selected_thread(self) -> Optional[int]:
        """The native id of the debugger's selected thread."""
        raise NotImplementedError

    def parameter(self, name: str) -> Any:
        """The value of one of `parameters.PARAMETERS`; None where it is not set."""
        raise NotImplementedError

    def colour(self) -> bool:
        """Whether what is printed may be coloured."""
        raise NotImplementedError

    def write(self, text: str) -> None:
        """Prints, page by page where the debugger does so."""
        raise NotImplementedError

    def evaluate(self, expression: str) -> int:
        """The value of an expression of the debugger's language, as a number or an address."""
        raise NotImplementedError

    # For py-exec:

    def native_frames(self, tid: int, limit: int) -> List[NativeFrame]:
        """The innermost frames of a thread, innermost first."""
        raise NotImplementedError

    def others_run(self) -> bool:
        """Whether the other threads run while a function is called in one."""
        raise NotImplementedError

    def symbol(self, name: str) -> int:
        """Where the debugger has a function of the process, by the files that it found; 0 where it knows none."""
        raise NotImplementedError

    def call(self, tid: int, address: int, *arguments: int, limit: float) -> int:
        """Calls a function of the process in a stopped thread, for at most `limit` seconds. Raises CommandError."""
        raise NotImplementedError

    def write_memory(self, address: int, data: bytes) -> None:
        """Writes into the process. Raises CommandError."""
        raise NotImplementedError

    def run(self, done: str, limit: float) -> None:
        """Lets the process run until there is a file of that path, for at most `limit` seconds, and stops it again."""
        raise NotImplementedError
