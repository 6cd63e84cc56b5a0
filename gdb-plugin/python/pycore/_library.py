"""Finds `libpycore.so`, loads it and declares its C ABI, that of `gdb-plugin/include/pycore.h`."""

import ctypes
import functools
import os
from typing import List, Optional

from ._errors import PycoreError

ABI_VERSION = 1
"""The version of the C ABI that this package speaks."""

# What the functions return.
OK, FAILED, INTERRUPTED, ABI_MISMATCH, BUG = range(5)
# What callbacks return.
UNREADABLE = 1

_HERE = os.path.dirname(os.path.realpath(__file__))


class CModule(ctypes.Structure):
    """`PycoreModule`."""

    _fields_ = [
        ("base", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
        ("path", ctypes.c_char_p),
        ("build_id", ctypes.c_char_p),
        ("build_id_size", ctypes.c_size_t),
    ]


class CThread(ctypes.Structure):
    """`PycoreThread`."""

    _fields_ = [
        ("tid", ctypes.c_uint32),
        ("thread_pointer", ctypes.c_uint64),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("futex", ctypes.c_uint64),
    ]


class CRange(ctypes.Structure):
    """`PycoreRange`."""

    _fields_ = [("start", ctypes.c_uint64), ("size", ctypes.c_uint64), ("flags", ctypes.c_uint32)]


ReadMemory = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t
)
ListAll = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)


class CCallbacks(ctypes.Structure):
    """`PycoreCallbacks`."""

    _fields_ = [
        ("context", ctypes.c_void_p),
        ("read_memory", ReadMemory),
        ("list_modules", ListAll),
        ("list_threads", ListAll),
        ("list_ranges", ListAll),
    ]


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """The library, loaded and checked.

    Raises PycoreError where there is none, or none that fits this package.
    """
    path = find()
    try:
        loaded = ctypes.CDLL(path)
    except OSError as error:
        raise PycoreError("cannot load %s: %s" % (path, error)) from None
    try:
        version = loaded.pycore_abi_version
    except AttributeError:
        raise PycoreError("%s is not pycore's library: it has no pycore_abi_version" % path) from None
    version.argtypes, version.restype = [], ctypes.c_uint32
    if version() != ABI_VERSION:
        raise PycoreError(
            "%s speaks version %d of pycore's C interface, the Python package at %s version %d: they are of different"
            " versions of pycore; install both from one wheel, or let PYCORE_LIBRARY name the right library"
            % (path, version(), _HERE, ABI_VERSION)
        )
    _declare(loaded)
    return loaded


def find() -> str:
    """The path of the library: PYCORE_LIBRARY, else the one in this package, else the newest that cargo built in the
    source tree that this package is part of.
    """
    named = os.environ.get("PYCORE_LIBRARY")
    if named:
        if not os.path.isfile(named):
            raise PycoreError("PYCORE_LIBRARY names %s, and there is no such file" % named)
        return named
    candidates = [os.path.join(_HERE, "libpycore.so")]
    if os.path.isfile(candidates[0]):
        return candidates[0]
    built = _built()
    found = [path for path in built if os.path.isfile(path)]
    if found:
        return max(found, key=os.path.getmtime)
    raise PycoreError(
        "pycore's library is not there: looked for %s; let PYCORE_LIBRARY name it" % ", ".join(candidates + built)
    )


def _built() -> List[str]:
    """Where cargo puts the library, if this is a source tree."""
    root = os.path.normpath(os.path.join(_HERE, "..", "..", ".."))
    if not os.path.isfile(os.path.join(root, "Cargo.toml")):
        return []
    target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(root, "target")
    return [os.path.join(root, target, profile, "libpycore_plugin.so") for profile in ("release", "debug")]


def _declare(lib: ctypes.CDLL) -> None:
    handle, text = ctypes.c_void_p, ctypes.c_char_p
    # Texts that the library allocates are given back to it, so they are kept as addresses.
    handle_out = texts_out = ctypes.POINTER(ctypes.c_void_p)
    signatures = {
        "pycore_version": (text, []),
        "pycore_add_module": (None, [handle, ctypes.POINTER(CModule)]),
        "pycore_add_thread": (None, [handle, ctypes.POINTER(CThread)]),
        "pycore_add_range": (None, [handle, ctypes.POINTER(CRange)]),
        "pycore_open": (
            ctypes.c_int32,
            [ctypes.c_uint32, ctypes.POINTER(CCallbacks), text, handle_out, texts_out],
        ),
        "pycore_open_dump": (ctypes.c_int32, [ctypes.c_uint32, text, text, handle_out, texts_out]),
        "pycore_open_pid": (ctypes.c_int32, [ctypes.c_uint32, ctypes.c_uint32, text, handle_out, texts_out]),
        "pycore_ask": (ctypes.c_int32, [handle, text, texts_out]),
        "pycore_refresh": (ctypes.c_int32, [handle]),
        "pycore_close": (None, [handle]),
        "pycore_free": (None, [handle]),
    }
    for name, (result, arguments) in signatures.items():
        # What an older library of the same ABI lacks is missed by who uses it.
        if hasattr(lib, name):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments


def take(lib: ctypes.CDLL, text: ctypes.c_void_p) -> Optional[str]:
    """The text at an address that the library gave, which it then frees."""
    if not text.value:
        return None
    try:
        return ctypes.string_at(text.value).decode("utf-8", "replace")
    finally:
        lib.pycore_free(text)
