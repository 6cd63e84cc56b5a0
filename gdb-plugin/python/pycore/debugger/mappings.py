"""What is mapped into a process, as the kernel and gdb print it."""

import contextlib
import os
import re
from typing import Any, Dict, Iterable, List, NamedTuple, Tuple

from .. import MemoryRange, Module

DELETED = " (deleted)"


class Mapping(NamedTuple):
    """A range of memory, and the file that is mapped there."""

    start: int
    end: int
    offset: int
    permissions: str
    """`r-xp`; empty where it is not told."""
    path: str


# /proc/PID/maps: start-end permissions offset device inode path
_KERNEL = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ \S+ *(.*)$")
# gdb's `info proc mappings`: start, end, size, offset, permissions (gdb 13, and not of cores), path
_GDB = re.compile(r"^\s*0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(?:\s+([r-][w-][x-][sp]))?\s*(.*)$")
# gdb's `maint info sections`: [3] 0x1000->0x2000 at 0x500: load3 ALLOC LOAD READONLY CODE HAS_CONTENTS
_SECTION = re.compile(r"^\s*\[\d+\]\s+0x([0-9a-f]+)->0x([0-9a-f]+) at 0x[0-9a-f]+: load\S*\s+(.*)$")


def of_kernel(text: str) -> List[Mapping]:
    """Those of /proc/PID/maps."""
    found = (_KERNEL.match(line) for line in text.splitlines())
    return [Mapping(int(m[1], 16), int(m[2], 16), int(m[4], 16), m[3], m[5]) for m in found if m]


def of_gdb(text: str) -> List[Mapping]:
    """Those of gdb's `info proc mappings`."""
    found = (_GDB.match(line) for line in text.splitlines())
    return [Mapping(int(m[1], 16), int(m[2], 16), int(m[3], 16), m[4] or "", m[5]) for m in found if m]


def of_sections(text: str) -> Tuple[List[Mapping], List[Mapping]]:
    """The memory of a core, of gdb's `maint info sections`: all, and that whose bytes are in the core."""
    everything, held = [], []
    for match in filter(None, map(_SECTION.match, text.partition("Core file")[2].splitlines())):
        flags = match[3].split()
        permissions = "r%s%sp" % ("-" if "READONLY" in flags else "w", "x" if "CODE" in flags else "-")
        everything.append(Mapping(int(match[1], 16), int(match[2], 16), 0, permissions, ""))
        if "HAS_CONTENTS" in flags:
            held.append(everything[-1])
    return everything, held


def modules(mappings: Iterable[Mapping], entry: int) -> List[Module]:
    """The files among the mappings, the one that is mapped at `entry`, the main program, first. One that is mapped twice,
    as a whole each time, is two modules.
    """
    found: List[Module] = []
    for mapping in sorted(mappings):
        path = mapping.path[:-len(DELETED)] if mapping.path.endswith(DELETED) else mapping.path
        if not path.startswith("/"):
            continue
        last = found[-1] if found and found[-1].path == path else None
        if last is not None and (mapping.offset or mapping.start == last.end):
            found[-1] = last._replace(end=mapping.end)
        elif not mapping.offset:
            found.append(Module(mapping.start, mapping.end, path))
        # What is left is a part that is mapped once more elsewhere, as libffi does it.
    return sorted(found, key=lambda module: not module.base <= entry < module.end)


def program(pid: int) -> Dict[str, Any]:
    """What the kernel of this machine tells of the program of a process."""
    found: Dict[str, Any] = {}
    with contextlib.suppress(OSError):
        with open("/proc/%d/cmdline" % pid, errors="surrogateescape") as file:
            found["command_line"] = file.read().split("\0")[:-1]
        found["executable"] = os.readlink("/proc/%d/exe" % pid)
        found["uid"] = os.stat("/proc/%d" % pid).st_uid
    return found


def ranges(mappings: Iterable[Mapping]) -> List[MemoryRange]:
    """All of the memory; where permissions are not told, it counts as writable."""
    return [
        MemoryRange(one.start, one.end - one.start, "r" in one.permissions or not one.permissions,
                    "w" in one.permissions or not one.permissions, "x" in one.permissions)
        for one in mappings
    ]


def joined(mappings: Iterable[Mapping]) -> Tuple[List[int], List[int]]:
    """Where memory begins and ends, with what touches joined; ascending."""
    starts: List[int] = []
    ends: List[int] = []
    for one in sorted(mappings):
        if ends and one.start <= ends[-1]:
            ends[-1] = max(ends[-1], one.end)
        else:
            starts.append(one.start)
            ends.append(one.end)
    return starts, ends
