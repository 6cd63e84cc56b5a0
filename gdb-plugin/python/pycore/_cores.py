"""Finds the core that the kernel made of a process."""

import glob
import json
import os
import re
import subprocess
import time
from typing import Iterator, List, Optional, Sequence

from . import _program

_PATTERN = "/proc/sys/kernel/core_pattern"
_USES_PID = "/proc/sys/kernel/core_uses_pid"
_SYSTEMD = "/var/lib/systemd/coredump"
# How many files are looked into, the newest first.
_MOST = 30


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip("\n")
    except OSError:
        return ""


def pattern() -> str:
    """Where the kernel is told to put cores, as core(5) has it."""
    return _read(_PATTERN)


def _globs(pattern: str, uses_pid: bool, pid: int, folders: Sequence[str]) -> Iterator[str]:
    """What the names of cores of a process match."""
    if pattern.startswith("|"):
        # Who gets it by a pipe may do anything with it; systemd-coredump keeps a file.
        yield os.path.join(_SYSTEMD, "core.*.%d.*" % pid)
        return

    def expanded(match: "re.Match[str]") -> str:
        letter = match.group(1)
        return {"%": "%", "p": str(pid)}.get(letter, "*")

    parts = re.split("(%.)", pattern)
    name = "".join(re.sub("%(.)", expanded, part) if part[:1] == "%" else glob.escape(part) for part in parts)
    for folder in [""] if pattern.startswith("/") else folders:
        place = os.path.join(glob.escape(folder), name)
        yield place
        if uses_pid and "%p" not in pattern:
            yield place + ".%d" % pid


def _files(pid: int, folders: Sequence[str], since: float) -> List[str]:
    found = {}
    for name in _globs(pattern(), _read(_USES_PID) not in ("", "0"), pid, folders):
        for path in glob.glob(name):
            try:
                status = os.stat(path)
            except OSError:
                continue
            # Clocks of file systems are coarse.
            if os.path.isfile(path) and status.st_mtime >= since - 2:
                found[os.path.realpath(path)] = status.st_mtime
    return sorted(found, key=lambda path: -found[path])[:_MOST]


def _is_of(path: str, pid: int) -> bool:
    """Whether it is a core of that process, by what is in it."""
    command = [_program.find(), "info", "--format", "json", "--", path]
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        return bool(json.loads(run.stdout.decode("utf-8", "replace"))["process"]["pid"] == pid)
    except (OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError):
        return False


def find(pid: int, folders: Sequence[str], since: float) -> Optional[str]:
    """The core of a process that died in one of `folders` after `since`, in seconds of the epoch.

    Raises PycoreError where there is no program pycore.
    """
    end = time.monotonic() + (10.0 if pattern().startswith("|") else 0.0)
    while True:
        for path in _files(pid, folders, since):
            if _is_of(path, pid):
                return path
        if time.monotonic() >= end:
            return None
        time.sleep(0.2)
