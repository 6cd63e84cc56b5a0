"""The plug-in for lldb: `command script import` it, by hand or in ~/.lldbinit."""

import os
import sys

if sys.version_info < (3, 8):
    raise RuntimeError("pycore needs Python 3.8 or newer in lldb")

if "pycore" not in sys.modules:
    # By its place, and not by sys.path: what else is installed beside the package is not for lldb's Python.
    import importlib.util

    folder = os.path.dirname(os.path.realpath(__file__))
    spec = importlib.util.spec_from_file_location(
        "pycore", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    sys.modules["pycore"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pycore"])

from pycore.debugger.lldb_front import __lldb_init_module  # noqa: E402,F401
