"""What runs in the workers of a cluster: fetching a dump, having the program make its entry."""

import contextlib
import dataclasses
import json
import os
import posixpath
import re
import shutil
import subprocess
import tempfile
import threading
import time
from typing import Any, Optional
from urllib.parse import urlsplit

from distributed import WorkerPlugin, get_worker

from .jobs import FILES, Dump, FleetError, Job, Result, failure, to_line
from .program import program, program_version
from .stores import WEB, file_system, said

_CHUNK = 16 << 20
# How much of a file tells whether it may be a dump.
_HEAD = 4 << 10
# How ELF files, minidumps, Apport's reports, and files of zstd, LZ4, xz, gzip and bzip2 begin.
_MAGICS = (
    *(b"\x7fELF", b"MDMP", b"ProblemType: "),
    *(b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"\xfd7zXZ\0", b"\x1f\x8b", b"BZh"),
)
_SKIPPABLE_FRAME = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
# In the names of all files that the program takes for dumps whatever they hold.
_IN_NAMES = re.compile(r"core|dmp")
# Files beside a dump of ABRT and of Apport that tell of it, and how much of them is of use.
_BESIDE = {
    "coredump": ("global_pid", "pid", "uid", "executable", "time", "hostname"),
    "CoreDump": ("Signal", "ExecutablePath"),
}
_BESIDE_SIZE = 4096
_MAX_NAME = 255
# When a file was last written to where the store does not tell, in seconds since 1970, and that in entries.
_UNKNOWN = 0.0
_UNKNOWN_IN_ENTRIES = "1970-01-01T00:00:00Z"


def analyze(dump: Dump, kit: str) -> Result:
    """What a worker makes of a file, with the kit of that name."""
    plugin: Any = get_worker().plugins[kit]
    result: Result = plugin.analyze(dump)
    return result


def unfit(kit: str, dask_worker: Any) -> Optional[str]:
    """Why a worker is no use; `dask_worker` is Dask's name for it."""
    reason = dask_worker.plugins[kit].unfit
    return None if reason is None else str(reason)


class NotFetched(Exception):
    """A dump that could not be fetched: an entry's kind of failure, and its message."""

    def __init__(self, message: str, kind: str = "unreadable") -> None:
        super().__init__(message)
        self.kind = kind


class Kit(WorkerPlugin):
    """What a worker analyzes with. Dask gives it to all workers, also to those that come later."""

    def __init__(self, job: Job, version: str) -> None:
        """`version` is what `pycore --version` has to print."""
        self._job = job
        self._version = version
        self.unfit: Optional[str] = None

    def setup(self, worker: Any) -> None:
        """Makes its folder, in the one that Dask gives the worker and clears where a worker was killed."""
        self._folder = tempfile.mkdtemp(prefix="pycore-", dir=worker.local_directory)
        self._share = self._job.disk // max(1, worker.state.nthreads)
        for name, content in self._job.files.items():
            with open(os.path.join(self._folder, name), "wb") as file:
                file.write(content)
        try:
            version = program_version()
            if version != self._version:
                self.unfit = "it has %s, this is %s" % (version, self._version)
        except FleetError as error:
            self.unfit = str(error)

    def teardown(self, worker: Any) -> None:
        """Clears its folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def analyze(self, dump: Dump) -> Result:
        """Raises FleetError where no dump can be analyzed here."""
        if self.unfit is not None:
            raise FleetError("the worker at %s is no use: %s" % (get_worker().address, self.unfit))
        folder = tempfile.mkdtemp(dir=self._folder)
        try:
            return self._analyze(dump, os.path.join(folder, name_of(dump)))
        except NotFetched as error:
            return failure(dump, error.kind, str(error), self._job.redact)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _analyze(self, dump: Dump, copy: str) -> Result:
        started = time.monotonic()
        may_be_dump = dump.named or _IN_NAMES.search(os.path.basename(copy)) is not None
        if dump.protocol == "file":
            os.symlink(dump.path, copy)
            fetched = 0
            if not may_be_dump and not _begins_like_dump(copy):
                return Result(None)
        else:
            fetch = self._fetch(dump, copy, started, only_dumps=not may_be_dump)
            fetched = fetch.size
            if fetch.is_no_dump:
                return Result(None, False, fetched, time.monotonic() - started)
            for name in _BESIDE.get(os.path.basename(copy), ()):
                path = posixpath.join(posixpath.dirname(dump.path), name)
                beside = dataclasses.replace(dump, path=path, size=None)
                with contextlib.suppress(NotFetched):
                    self._fetch(beside, posixpath.join(os.path.dirname(copy), name), started, limit=_BESIDE_SIZE)
        fetch_seconds = time.monotonic() - started
        made = self._run(dump, copy, max(1, self._share - fetched))
        seconds = time.monotonic() - started - fetch_seconds
        return dataclasses.replace(made, fetched=fetched, fetch_seconds=fetch_seconds, analyze_seconds=seconds)

    def _fetch(
        self, dump: Dump, copy: str, started: float, only_dumps: bool = False, limit: Optional[int] = None
    ) -> "Fetch":
        """Raises NotFetched where it cannot be had, now or at all."""
        limit = self._share if limit is None else limit
        too_large = "has %s bytes, and there is room for %d on a worker's disk; allow more with --disk"
        if dump.size is not None and dump.size > limit and not only_dumps:
            raise NotFetched(too_large % (dump.size, limit))
        attempt = 0
        while True:
            attempt += 1
            fetch = Fetch(dump, self._job, copy, limit, only_dumps)
            fetch.start()
            left = started + self._job.fetch_timeout - time.monotonic()
            fetch.join(max(0.0, left))
            if fetch.is_alive():
                fetch.stop.set()
                message = "did not arrive within %g s; allow more with --fetch-timeout" % self._job.fetch_timeout
                raise NotFetched(message, "timeout")
            if fetch.error is None:
                break
            # On the web, whatever is wrong is a FileNotFoundError.
            is_final = isinstance(fetch.error, (FileNotFoundError, PermissionError)) and dump.protocol not in WEB
            if is_final or attempt == self._job.attempts:
                raise NotFetched("cannot be fetched: %s" % said(fetch.error, dump.path))
            time.sleep(min(2.0**attempt, max(0.0, left)))
        if fetch.size > limit:
            raise NotFetched(too_large % (dump.size or "%d or more" % fetch.size, limit))
        modified = _UNKNOWN if dump.modified is None else dump.modified
        os.utime(copy, (modified, modified))
        return fetch

    def _run(self, dump: Dump, copy: str, room: int) -> Result:
        """Has the program make the entry, if it finds that this is a dump. It may unpack to `room` bytes."""
        command = [program(), "triage", "--format=ndjson", "--jobs=1", "--unpack-limit=%d" % room]
        command += [each.replace(FILES, self._folder + "/") for each in self._job.arguments]
        command += ["--", copy if dump.named else os.path.dirname(copy)]
        try:
            run = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(os.environ, TMPDIR=self._folder),
                timeout=self._job.run_timeout,
            )
        except subprocess.TimeoutExpired:
            return failure(dump, "timeout", "pycore did not end by itself", self._job.redact)
        lines = run.stdout.splitlines()
        if run.returncode in (0, 1) and not lines:
            return Result(None)
        if len(lines) == 1:
            with contextlib.suppress(ValueError):
                entry = json.loads(lines[0])
                if entry.get("time") == _UNKNOWN_IN_ENTRIES:
                    del entry["time"]
                failed = entry.get("failure")
                if failed:
                    failed["message"] = failed["message"].replace("--unpack-limit", "--disk")
                return Result(to_line(_renamed(entry, copy, dump.url)), failed is not None)
        end = run.stderr.decode("utf-8", "replace").strip()[-1000:]
        if run.returncode == 2:
            raise FleetError("pycore refuses to work at %s: %s" % (get_worker().address, end))
        return failure(dump, "crashed", "pycore ended with %d: %s" % (run.returncode, end), self._job.redact)


class Fetch(threading.Thread):
    """Copies a file from a store. A thread, since a store that does not answer cannot be interrupted."""

    def __init__(self, dump: Dump, job: Job, copy: str, limit: int, only_dumps: bool) -> None:
        """Ends early behind `limit` bytes, and of what does not begin like a dump if `only_dumps`."""
        super().__init__(daemon=True)
        self._dump, self._job, self._copy, self._limit = dump, job, copy, limit
        self._only_dumps = only_dumps
        self.stop = threading.Event()
        self.error: Optional[Exception] = None
        self.size = 0
        self.is_no_dump = False

    def run(self) -> None:
        """Copies; what went wrong is in `error`."""
        try:
            fs = file_system(self._dump.protocol, self._job.storage_options)
            with fs.open(self._dump.path, "rb", block_size=_CHUNK, cache_type="none") as source:
                with open(self._copy, "wb") as copy:
                    self._pass_on(source, copy)
        except Exception as error:  # Each store has exceptions of its own.
            self.error = error

    def _pass_on(self, source: Any, copy: Any) -> None:
        size = _HEAD if self._only_dumps else _CHUNK
        while not self.stop.is_set() and self.size <= self._limit:
            data = source.read(size)
            if self._only_dumps and not self.size and not _is_beginning_of_dump(data):
                self.is_no_dump = True
                return
            if not data:
                return
            copy.write(data)
            self.size += len(data)
            size = _CHUNK


def _is_beginning_of_dump(data: bytes) -> bool:
    return data.startswith(_MAGICS) or _SKIPPABLE_FRAME.match(data) is not None


def _begins_like_dump(path: str) -> bool:
    # What cannot be read is for the program to tell.
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return _is_beginning_of_dump(file.read(_HEAD))
    return True


def name_of(dump: Dump) -> str:
    """The name of the copy: that of the file, as names tell of cores where and when they were made."""
    path = urlsplit(dump.path).path if dump.protocol in WEB else dump.path
    name = path.rstrip("/").rpartition("/")[2]
    name = os.fsdecode(os.fsencode(name)[:_MAX_NAME])
    return "dump" if name in ("", ".", "..") or "\0" in name else name


def _renamed(value: Any, copy: str, url: str) -> Any:
    """An entry with the dump's name in it wherever the copy's is."""
    if isinstance(value, str):
        return value.replace(copy, url)
    if isinstance(value, list):
        return [_renamed(each, copy, url) for each in value]
    if isinstance(value, dict):
        return {key: _renamed(each, copy, url) for key, each in value.items()}
    return value
