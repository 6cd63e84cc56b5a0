"""pycore: the Python inside a dead or stuck process, without debug symbols.

    import pycore

    report = pycore.analyze("core.4711", locals=True)
    for thread in report.threads:
        print(thread.name, [frame.function for frame in thread.frames])

`analyze` and `analyze_pid` give a whole report; `Session` answers questions, also to a process that only an object of
yours can read (a debugger, a remote stub, an emulator). All is done by the library `libpycore.so`; this package has no
dependencies and runs in CPython 3.8 and newer, also in the one that gdb or lldb embeds.
"""

from typing import Optional, Sequence

from ._errors import PycoreError, Unreadable
from ._library import library as _load
from .model import Report
from .reader import MemoryRange, Module, NativeThread, Reader
from .session import Answer, Path, Session

__all__ = [
    "Answer",
    "MemoryRange",
    "Module",
    "NativeThread",
    "PycoreError",
    "Reader",
    "Report",
    "Session",
    "Unreadable",
    "analyze",
    "analyze_pid",
    "library_version",
]


def analyze(
    path: Path,
    *,
    locals: bool = False,
    tasks: bool = False,
    redact: bool = False,
    depth: int = 3,
    max_items: int = 30,
    max_string: int = 200,
    source_root: Sequence[Path] = (),
    exe: Optional[Path] = None,
    sysroot: Sequence[Path] = (),
    lib_path: Sequence[Path] = (),
    no_files: bool = False,
    layout: Optional[Path] = None,
    unpack_limit: Optional[int] = None
) -> Report:
    """The report on a core or a minidump, as `pycore analyze PATH --format json` gives it.

    The arguments are those of the command line. Raises PycoreError where the file cannot be read.
    """
    with Session.open(
        path,
        exe=exe,
        sysroot=list(sysroot),
        lib_path=list(lib_path),
        no_files=no_files,
        layout=layout,
        unpack_limit=unpack_limit,
    ) as session:
        return session.report(
            locals=locals,
            tasks=tasks,
            redact=redact,
            depth=depth,
            max_items=max_items,
            max_string=max_string,
            source_root=source_root,
        )


def analyze_pid(
    pid: int,
    *,
    nonblocking: bool = False,
    locals: bool = False,
    tasks: bool = False,
    redact: bool = False,
    depth: int = 3,
    max_items: int = 30,
    max_string: int = 200,
    source_root: Sequence[Path] = (),
    layout: Optional[Path] = None
) -> Report:
    """The report on a live process, as `pycore analyze --pid PID --format json` gives it.

    The process is stopped for the moment that it takes to copy what is needed; with `nonblocking` it is not, and the
    report's warnings say what may be torn. Raises PycoreError where the process may not be read; the message says what to do.
    """
    with Session.attach(pid, nonblocking=nonblocking, layout=layout) as session:
        return session.report(
            locals=locals,
            tasks=tasks,
            redact=redact,
            depth=depth,
            max_items=max_items,
            max_string=max_string,
            source_root=source_root,
        )


def library_version() -> str:
    """The version of the library that is loaded.

    Raises PycoreError where there is none, or none that fits this package.
    """
    version = _load().pycore_version()
    return str(version.decode("ascii"))
