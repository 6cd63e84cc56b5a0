"""What a session reads from: anything that serves the memory, the modules and the threads of a process."""

from typing import Callable, Iterable, NamedTuple, Optional, Protocol


class Module(NamedTuple):
    """A file that is mapped into the process: the program, a library."""

    base: int
    """The lowest address where it is mapped."""
    end: int
    """The first address behind it."""
    path: str
    """The path of the file, as the process sees it."""
    build_id: Optional[bytes] = None
    """Its GNU build id, where it is known; else it is read from memory."""


class NativeThread(NamedTuple):
    """A thread of the operating system. What is not known is 0 or None."""

    tid: int
    """Its id, as the operating system gives it."""
    thread_pointer: int = 0
    """What `pthread_self()` gives: on x86-64 the base of `fs`."""
    instruction_pointer: int = 0
    stack_pointer: int = 0
    name: Optional[str] = None


class MemoryRange(NamedTuple):
    """A range of mapped memory."""

    start: int
    size: int
    readable: bool = True
    writable: bool = True
    executable: bool = False


class Reader(Protocol):
    """Serves a process to a session.

    The library asks only while a call of the session is under way, in the thread of that call. The process must
    stand still until then; where it ran, `Session.refresh` is to be called.

    A method may raise `pycore.Unreadable` or OSError where there is nothing to be had. Any other exception ends the
    call and is raised from it, as KeyboardInterrupt is.
    """

    def read_memory(self, address: int, size: int) -> Optional[bytes]:
        """The `size` bytes at a virtual address. Fewer, or None, mean that not all of them can be read."""

    def modules(self) -> Iterable[Module]:
        """The files that are mapped, in any order."""

    def threads(self) -> Iterable[NativeThread]:
        """The threads of the operating system."""

    @property
    def ranges(self) -> Optional[Callable[[], Iterable[MemoryRange]]]:
        """A method that gives the mapped memory; None where that is not known, which is then taken from the modules."""
