"""Finds the program `pycore`."""

import os
import shutil
import sys

from ._errors import PycoreError

_PACKAGE = os.path.dirname(os.path.realpath(__file__))


def find() -> str:
    """Its path: what PYCORE_PROGRAM names, else the one that was installed with this package, else the newest that cargo
    built in the source tree that this package is part of, else the one on the PATH.

    Raises PycoreError where there is none.
    """
    named = os.environ.get("PYCORE_PROGRAM")
    if named:
        return named
    installed = os.path.join(os.path.dirname(sys.executable), "pycore")
    if os.path.isfile(installed):
        return installed
    root = os.path.normpath(os.path.join(_PACKAGE, "..", "..", ".."))
    if os.path.isfile(os.path.join(root, "Cargo.toml")):
        target = os.environ.get("CARGO_TARGET_DIR") or os.path.join(root, "target")
        built = [os.path.join(root, target, profile, "pycore") for profile in ("release", "debug")]
        built = [path for path in built if os.path.isfile(path)]
        if built:
            return max(built, key=os.path.getmtime)
    found = shutil.which("pycore")
    if found is None:
        raise PycoreError("there is no program pycore; let PYCORE_PROGRAM name it")
    return found
