"""Questions to a process: through a debugger, in a dump, or alive."""

import contextlib
import ctypes
import json
import os
import threading
from types import TracebackType
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Sequence, Type, Union

from . import _library
from ._callbacks import Callbacks
from ._errors import PycoreError
from .model import Report
from .reader import Reader

Path = Union[str, "os.PathLike[str]"]


class Answer(NamedTuple):
    """What the library answers to a question."""

    text: str
    """For people: lines that may be printed as they are."""
    data: Any
    """For programs: parsed JSON, in the terms of the report."""


class Session:
    """A process that is being looked at; open until it is closed, which `with` does at its end.

    `Session(reader)` reads through an object of yours, see `pycore.Reader`; `Session.open(path)` reads a core or a
    minidump, `Session.attach(pid)` a live process. A session answers one question at a time; another thread waits.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        machine: str = "x86_64",
        os: str = "linux",
        pid: Optional[int] = None,
        format: str = "live",
        path: Optional[str] = None,
        **options: Any
    ) -> None:
        """Opens a session on what `reader` serves.

        `machine` (`x86_64`, `aarch64`) and `os` (`linux`, `windows`) are those of the process. The others only go into
        the report: `format` is `live`, `elf-core` or `minidump`, `path` that of the dump or the program. `options` are
        the further ones of `pycore_open`, which pycore.h describes: `executable`, `crashed_tid`, `signal`, `layout`, ...

        Raises PycoreError where the library is missing or does not fit, or the process cannot be read.
        """
        given = {"machine": machine, "os": os, "pid": pid, "format": format, "path": path}
        given.update(options)
        callbacks = Callbacks(reader)
        self._begin(
            lambda lib, *out: lib.pycore_open(
                _library.ABI_VERSION, ctypes.byref(callbacks.table), _request(given), *out
            ),
            callbacks,
        )

    @classmethod
    def open(cls, path: Path, **options: Any) -> "Session":
        """Opens a core or a minidump, packed or not, as `pycore analyze` does.

        `options`: `exe`, `sysroot`, `lib_path`, `no_files`, `layout`, `unpack_limit`, as on the command line.
        """
        session = cls.__new__(cls)
        for option in ("exe", "sysroot", "lib_path"):
            _check(option, options.get(option))
        name = os.fsencode(os.fspath(path))
        session._begin(
            lambda lib, *out: lib.pycore_open_dump(_library.ABI_VERSION, name, _request(options), *out), None
        )
        return session

    @classmethod
    def attach(cls, pid: int, **options: Any) -> "Session":
        """Opens a live process, which goes on between questions.

        `options`: `nonblocking`, not to stop it for questions either, and `layout`, as on the command line.
        """
        session = cls.__new__(cls)
        session._begin(
            lambda lib, *out: lib.pycore_open_pid(_library.ABI_VERSION, pid, _request(options), *out), None
        )
        return session

    def _begin(self, function: Callable[..., int], callbacks: Optional[Callbacks]) -> None:
        self._lib = _library.library()
        self._callbacks = callbacks
        self._handle: Optional[ctypes.c_void_p] = None
        self._lock = threading.Lock()
        self._asking: Optional[int] = None
        handle, message = ctypes.c_void_p(), ctypes.c_void_p()
        try:
            with self._alone():
                status = function(self._lib, ctypes.byref(handle), ctypes.byref(message))
        except AttributeError as error:
            raise PycoreError("pycore's library is too old for this: %s" % error) from None
        except BaseException:
            if handle.value:
                self._lib.pycore_close(handle)
            raise
        finally:
            text = _library.take(self._lib, message)
        if status != _library.OK or not handle.value:
            raise _error(status, text)
        self._handle = handle

    def ask(self, do: str, **arguments: Any) -> Answer:
        """Asks a question: `report`, `backtrace`, `threads`, `locals`, `print`, ... with its arguments.

        Raises PycoreError where there is no answer, with the reason; KeyboardInterrupt where a reader was interrupted.
        """
        request, response = _request(dict(arguments, do=do)), ctypes.c_void_p()
        try:
            with self._alone():
                status = self._lib.pycore_ask(self._opened(), request, ctypes.byref(response))
        finally:
            text = _library.take(self._lib, response)
        if status != _library.OK or text is None:
            raise _error(status, text)
        try:
            answer = json.loads(text)
        except RecursionError:
            raise PycoreError("the answer is nested too deep for this Python's JSON reader") from None
        return Answer(answer.get("text") or "", answer.get("data"))

    def report(
        self,
        *,
        locals: bool = False,
        tasks: bool = False,
        redact: bool = False,
        depth: int = 3,
        max_items: int = 30,
        max_string: int = 200,
        source_root: Sequence[Path] = ()
    ) -> Report:
        """The report on the whole process; the arguments are those of `pycore analyze`."""
        _check("source_root", source_root)
        answer = self.ask(
            "report",
            format="json",
            locals=locals,
            tasks=tasks,
            redact=redact,
            depth=depth,
            max_items=max_items,
            max_string=max_string,
            source_root=list(source_root),
        )
        return Report.from_json(answer.data)

    def refresh(self) -> None:
        """Forgets what was read: the process ran since."""
        with self._alone():
            status = self._lib.pycore_refresh(self._opened())
        if status != _library.OK:
            raise _error(status, None)

    def close(self) -> None:
        """Ends the session. Of one that is closed nothing can be asked any more."""
        with self._alone():
            handle, self._handle = self._handle, None
            if handle is not None:
                self._lib.pycore_close(handle)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()

    def _opened(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise PycoreError("the session is closed")
        return self._handle

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """For one call of the library; raises what was raised in a callback meanwhile."""
        if self._asking == threading.get_ident() and self._lock.locked():
            raise PycoreError("a reader must not use the session that calls it")
        with self._lock:
            self._asking = threading.get_ident()
            try:
                with self._callbacks.guarded() if self._callbacks is not None else contextlib.nullcontext():
                    yield
            except BaseException:
                # What a callback that failed seemed to give must not be remembered.
                if self._handle is not None:
                    self._lib.pycore_refresh(self._handle)
                raise
            finally:
                self._asking = None


def _request(values: Dict[str, Any]) -> bytes:
    given = {key: value for key, value in values.items() if value is not None}
    return json.dumps(given, default=os.fspath).encode()


def _check(option: str, given: Union[None, Path, Sequence[Path]]) -> None:
    """Raises PycoreError where a path that the caller names is not there."""
    paths = [given] if isinstance(given, (str, os.PathLike)) else given or []
    for path in paths:
        if not os.path.exists(path):
            raise PycoreError("%s: there is no %s" % (option, os.fspath(path)))


def _error(status: int, message: Optional[str]) -> BaseException:
    if status == _library.INTERRUPTED:
        return KeyboardInterrupt(message or "interrupted")
    return PycoreError(message or "pycore's library gave status %d and no reason" % status)

