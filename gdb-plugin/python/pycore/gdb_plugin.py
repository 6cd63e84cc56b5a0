"""The plug-in for gdb: `gdb -x "$(pycore plugin gdb)"`, or `source` it in ~/.gdbinit."""

import os
import sys

if sys.version_info < (3, 8):
    raise RuntimeError("pycore needs Python 3.8 or newer in gdb; without, use `pycore plugin gdb --no-python`")

if "pycore" not in sys.modules:
    # By its place, and not by sys.path: what else is installed beside the package is not for gdb's Python.
    import importlib.util

    folder = os.path.dirname(os.path.realpath(__file__))
    spec = importlib.util.spec_from_file_location(
        "pycore", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    sys.modules["pycore"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pycore"])

import pycore.debugger.gdb_front  # noqa: E402,F401
