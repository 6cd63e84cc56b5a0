"""What travels between the machines, and the entries that are made without the program."""

import datetime
import json
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from .._errors import PycoreError

ENTRY_SCHEMA = "pycore.entry/1"
"""The contract that entries follow."""

FILES = "{files}/"
"""How arguments begin that name one of a job's files."""


class FleetError(PycoreError):
    """A run that cannot go on."""


@dataclass(frozen=True)
class Dump:
    """A file in a store that may be a dump."""

    url: str
    """What it is called in entries: a path on local disks, else a URL without what is secret in it."""
    protocol: str
    path: str
    """As fsspec's file system of that protocol takes it."""
    size: Optional[int] = None
    modified: Optional[float] = None
    """Seconds since 1970."""
    named: bool = False
    """Whether the user named it: it then has an entry, whatever it is."""


@dataclass(frozen=True)
class Job:
    """What every worker has to know."""

    arguments: Tuple[str, ...] = ()
    """Further arguments of `pycore triage`."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What files are to lie beside a worker for arguments to name as `{files}/NAME`, by their names."""
    storage_options: Mapping[str, Any] = field(default_factory=dict)
    """What fsspec's file systems are made with."""
    redact: bool = True
    """Whether secrets are hidden; `arguments` has `--no-redact` where not."""
    disk: int = 20 << 30
    """How many bytes of dumps may lie on a worker's disk at a time, packed and unpacked; its threads share that."""
    fetch_timeout: float = 900
    """How many seconds a dump may take to arrive."""
    run_timeout: float = 600
    """How many seconds `pycore triage` may take for a dump; its own `--timeout` should end it before."""
    attempts: int = 3
    """How often a dump is asked for, and how often one is analyzed alone whose workers died."""


@dataclass(frozen=True)
class Result:
    """What a worker made of a file."""

    entry: Optional[str]
    """A line of JSON; absent if the file is no dump."""
    failed: bool = False
    fetched: int = 0
    """Bytes."""
    fetch_seconds: float = 0.0
    analyze_seconds: float = 0.0


def failure(dump: Dump, kind: str, message: str, redacted: bool) -> Result:
    """The entry of a dump that was not analyzed."""
    entry: Dict[str, Any] = {"schema": ENTRY_SCHEMA, "path": dump.url, "size_bytes": dump.size or 0}
    if dump.modified is not None:
        time = datetime.datetime.fromtimestamp(int(dump.modified), datetime.timezone.utc)
        entry["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ")
    entry.update(redacted=redacted, elapsed_ms=0, failure={"kind": kind, "message": message})
    return Result(to_line(entry), failed=True)


def to_line(entry: Any) -> str:
    """An entry as a line."""
    return json.dumps(entry, separators=(",", ":"))
