"""The program `pycore`, which does the work."""

import subprocess

from .. import _program
from .._errors import PycoreError
from .jobs import FleetError


def program() -> str:
    """Its path, as `_program.find` gives it.

    Raises FleetError where there is none.
    """
    try:
        return _program.find()
    except PycoreError as error:
        raise FleetError(str(error)) from None


def program_version() -> str:
    """What `pycore --version` prints.

    Raises FleetError where it cannot be run.
    """
    try:
        run = subprocess.run([program(), "--version"], stdout=subprocess.PIPE, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise FleetError("cannot run pycore: %s" % error) from None
    return run.stdout.decode("utf-8", "replace").strip()
