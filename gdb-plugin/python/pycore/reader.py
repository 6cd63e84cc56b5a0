"""What a session reads from: anything that serves the memory, the modules and the threads of a process."""

from typing import Iterable, NamedTuple, Optional, Protocol


class Module(NamedTuple):
    """A file that is mapped into the process: the program, a library."""

    base: int
    """The lowest address where it is mapped."""
    end: int = 0
    """The first address behind it; 0 where its own headers are to tell."""
    path: str = ""
    """The path of the file, as the process sees it."""
    build_id: Optional[bytes] = None
    """Its GNU build id, where it is known; else it is read from memory."""


class NativeThread(NamedTuple):
    """A thread of the operating system. What is not known is 0 or None."""

    tid: int
    """Its id, as the operating system gives it."""
    thread_pointer: int = 0
    """`fs_base` on x86-64, `tpidr_el0` on aarch64, the thread environment block on Windows."""
    instruction_pointer: int = 0
    stack_pointer: int = 0
    name: Optional[str] = None
    futex: int = 0
    """On Linux, the address of the futex that it waits for: it tells who waits for the GIL."""


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
    call and is raised from it, as KeyboardInterrupt is. A method must not use the session that calls it.
    """

    def read_memory(self, address: int, size: int) -> Optional[bytes]:
        """The `size` bytes at a virtual address. Fewer, or None, mean that not all of them can be read."""

    def modules(self) -> Iterable[Module]:
        """The files that are mapped, the main program first."""

    def threads(self) -> Iterable[NativeThread]:
        """The threads of the operating system."""

    def ranges(self) -> Optional[Iterable[MemoryRange]]:
        """The mapped memory. None where it is not known: it is then taken from the modules, and an interpreter that no
        symbol and no section names is not found.
        """
