"""The functions that the library calls while it works: they ask a reader, and lose no exception."""

import contextlib
import ctypes
import sys
import threading
from typing import Any, Callable, Iterator, Optional

from . import _library
from ._errors import Unreadable
from .reader import Reader


class Callbacks:
    """The callbacks of one session; what went wrong in them is kept until the library returns."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lib = _library.library()
        self._error: Optional[BaseException] = None
        # The library calls through these as long as the session is open: they must live as long.
        self.table = _library.CCallbacks(
            None,
            _library.ReadMemory(self._read_memory),
            _library.ListAll(self._modules),
            _library.ListAll(self._threads),
            _library.ListAll(self._ranges),
        )

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """For calls of the library: raises what was raised in a callback meanwhile."""
        self._error = None
        with _interrupts_to(self):
            yield
        error, self._error = self._error, None
        if error is not None:
            raise error

    def fail(self, error: BaseException) -> int:
        """Notes the first exception; from then on all callbacks fail at once. Returns a callback's status."""
        if self._error is None:
            self._error = error
        return _library.INTERRUPTED

    def _run(self, body: Callable[[], None]) -> int:
        if self._error is not None:
            return _library.INTERRUPTED
        try:
            body()
        except (Unreadable, OSError):
            return _library.UNREADABLE
        except BaseException as error:
            return self.fail(error)
        return _library.OK

    def _read_memory(self, _context: Any, address: int, buffer: int, size: int) -> int:
        # As `_run`, written out: this is called often.
        if self._error is not None:
            return _library.INTERRUPTED
        try:
            data = self._reader.read_memory(address, size)
            if data is None or len(data) < size:
                return _library.UNREADABLE
            ctypes.memmove(buffer, bytes(data), size)
        except (Unreadable, OSError):
            return _library.UNREADABLE
        except BaseException as error:
            return self.fail(error)
        return _library.OK

    def _modules(self, _context: Any, sink: int) -> int:
        def give() -> None:
            for module in self._reader.modules():
                build_id = module.build_id or None
                item = _library.CModule(
                    module.base, module.end, _text(module.path), build_id, len(build_id) if build_id else 0
                )
                self._lib.pycore_add_module(sink, ctypes.byref(item))

        return self._run(give)

    def _threads(self, _context: Any, sink: int) -> int:
        def give() -> None:
            for thread in self._reader.threads():
                item = _library.CThread(
                    thread.tid,
                    thread.thread_pointer,
                    thread.instruction_pointer,
                    thread.stack_pointer,
                    _text(thread.name) if thread.name is not None else None,
                    thread.futex,
                )
                self._lib.pycore_add_thread(sink, ctypes.byref(item))

        return self._run(give)

    def _ranges(self, _context: Any, sink: int) -> int:
        def give() -> None:
            ranges = self._reader.ranges()
            if ranges is None:
                raise Unreadable()
            for each in ranges:
                flags = each.readable * 1 | each.writable * 2 | each.executable * 4
                item = _library.CRange(each.start, each.size, flags)
                self._lib.pycore_add_range(sink, ctypes.byref(item))

        return self._run(give)


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# Ctrl-C may arrive while machine code runs. Python then raises KeyboardInterrupt when the next callback begins, before
# its first line, where nothing can catch it: ctypes gives it to `sys.unraisablehook`, and the callback seems to have
# succeeded. So as long as a call of the library is under way, that hook watches for it.
_calls = threading.local()
_hook_lock = threading.Lock()
_hook_users = 0
_hook_before: Callable[[Any], Any] = sys.unraisablehook


@contextlib.contextmanager
def _interrupts_to(callbacks: Callbacks) -> Iterator[None]:
    global _hook_users, _hook_before
    outer = getattr(_calls, "callbacks", None)
    _calls.callbacks = callbacks
    with _hook_lock:
        if _hook_users == 0:
            _hook_before, sys.unraisablehook = sys.unraisablehook, _unraisable
        _hook_users += 1
    try:
        yield
    finally:
        with _hook_lock:
            _hook_users -= 1
            if _hook_users == 0 and sys.unraisablehook is _unraisable:
                sys.unraisablehook = _hook_before
        _calls.callbacks = outer


def _unraisable(unraisable: Any) -> None:
    callbacks: Optional[Callbacks] = getattr(_calls, "callbacks", None)
    if callbacks is not None and issubclass(unraisable.exc_type, KeyboardInterrupt):
        callbacks.fail(KeyboardInterrupt())
    else:
        _hook_before(unraisable)
