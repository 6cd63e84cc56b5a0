"""What runs where the user is: handing out dumps, keeping the entries that come back."""

import contextlib
import itertools
import json
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, List, Optional, Set, TextIO, Tuple

from distributed import CancelledError, Client, as_completed
from distributed.scheduler import KilledWorker

from . import worker
from .jobs import ENTRY_SCHEMA, Dump, FleetError, Job, Result, failure
from .program import program_version

# How many dumps are handed out for each thread of the cluster: what it works at, and what it goes on with.
_WINDOW = 4
# How often it is seen how many threads there are, in seconds.
_LOOK = 5.0


@dataclass
class Counts:
    """How far a run is."""

    analyzed: int = 0
    failed: int = 0
    no_dumps: int = 0
    known: int = 0
    """Dumps of which the journal has an entry, or that were met before."""
    suspects: int = 0
    """Dumps whose workers died so often that they were analyzed again alone."""
    fetched: int = 0
    """Bytes."""
    fetch_seconds: float = 0.0
    """Of all workers' threads."""
    analyze_seconds: float = 0.0

    def add(self, result: Result) -> None:
        """Counts what came of a file."""
        if result.entry is None:
            self.no_dumps += 1
        elif result.failed:
            self.failed += 1
        else:
            self.analyzed += 1
        self.fetched += result.fetched
        self.fetch_seconds += result.fetch_seconds
        self.analyze_seconds += result.analyze_seconds


class Journal:
    """A file that takes each entry as it comes, so that a run that ended too early can go on: that of `pycore triage
    --resume`.
    """

    def __init__(self, path: str) -> None:
        """Opens a journal, a new one if there is none. A last line that is torn, as the run ended while it was written, is
        taken away.

        Raises FleetError where it cannot be read, or is no journal.
        """
        self.path = path
        self.known: Set[str] = set()
        try:
            self._file = open(path, "a+b")
            self._file.seek(0)
            whole = 0
            for number, line in enumerate(self._file, 1):
                if not line.endswith(b"\n") and _is_torn(line):
                    break
                if line.strip():
                    self.known.add(_path_of(line, number))
                whole += len(line)
            self._file.truncate(whole)
        except (OSError, ValueError) as error:
            raise FleetError("%s is no journal to go on with: %s" % (path, error)) from None

    def add(self, entry: str) -> None:
        """Adds a line."""
        self._file.write(entry.encode("utf-8") + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_torn(line: bytes) -> bool:
    beginning = b'{"schema":"pycore.entry/'
    return line[: len(beginning)] == beginning[: len(line)]


def _path_of(line: bytes, number: int) -> str:
    try:
        entry = json.loads(line)
        schema, path = entry["schema"], entry["path"]
    except (ValueError, KeyError, TypeError):
        raise ValueError("line %d is no entry" % number) from None
    if schema != ENTRY_SCHEMA:
        raise ValueError("line %d follows %s, which this pycore does not know" % (number, schema))
    return str(path)


def analyze(
    client: Client, dumps: Iterable[Dump], job: Job, journal: Journal, counts: Optional[Counts] = None
) -> Counts:
    """Has the workers of a cluster analyze dumps, and adds their entries to a journal, but of those that it has.

    Workers that come are used; what those had that went is given to others. Where worker after worker died that had a
    dump, the dump is analyzed again when nothing else is: then it is known what they died of, and after `job.attempts`
    times that is its entry.

    Raises FleetError where a worker has no pycore, or one of another version, or the cluster is lost.
    """
    counts = Counts() if counts is None else counts
    kit = "pycore-%s" % uuid.uuid4().hex
    try:
        client.register_plugin(worker.Kit(job, program_version()), name=kit)
        for address, reason in client.run(worker.unfit, kit).items():
            if reason is not None:
                raise FleetError("the worker at %s is no use: %s" % (address, reason))
        suspects = []
        for dump, result in _map(client, kit, _fresh(dumps, set(journal.known), counts), job):
            if result is None:
                suspects.append(dump)
            else:
                _keep(result, journal, counts)
        counts.suspects = len(suspects)
        for dump in suspects:
            _keep(_analyze_alone(client, kit, dump, job), journal, counts)
    except (OSError, CancelledError) as error:
        raise FleetError("the cluster is lost: %s" % error) from error
    finally:
        with contextlib.suppress(Exception):
            client.unregister_worker_plugin(kit)
    return counts


def _fresh(dumps: Iterable[Dump], met: Set[str], counts: Counts) -> Iterator[Dump]:
    for dump in dumps:
        if dump.url in met:
            counts.known += 1
        else:
            met.add(dump.url)
            yield dump


def _keep(result: Result, journal: Journal, counts: Counts) -> None:
    if result.entry is not None:
        journal.add(result.entry)
    counts.add(result)


def _analyze_alone(client: Client, kit: str, dump: Dump, job: Job) -> Result:
    for _ in range(job.attempts):
        for _, result in _map(client, kit, iter([dump]), job):
            if result is not None:
                return result
    return failure(dump, "crashed", "the worker that analyzed it died, and so did each other one", job.redact)


def _map(client: Client, kit: str, dumps: Iterator[Dump], job: Job) -> Iterator[Tuple[Dump, Optional[Result]]]:
    """What came of each dump, as it comes; nothing where worker after worker died. So many are handed out at a time that
    the workers always have some.
    """
    under_way: Dict[str, Dump] = {}
    completed = as_completed()
    threads, looked = 1, -_LOOK
    try:
        while True:
            if time.monotonic() - looked >= _LOOK:
                threads, looked = max(1, sum(client.nthreads().values())), time.monotonic()
            room = _WINDOW * threads - len(under_way)
            # Many at a time are cheaper for the scheduler.
            if room >= _WINDOW * threads / 4:
                batch = list(itertools.islice(dumps, room))
                if batch:
                    keys = ["pycore-dump-%s" % uuid.uuid4().hex for _ in batch]
                    under_way.update(zip(keys, batch))
                    completed.update(
                        client.map(worker.analyze, batch, kit=kit, key=keys, pure=False, retries=job.attempts - 1)
                    )
            if not under_way:
                return
            for future in completed.next_batch(block=True):
                dump = under_way.pop(future.key)
                result: Optional[Result] = None
                with contextlib.suppress(KilledWorker):
                    result = future.result()
                future.release()
                yield dump, result
    finally:
        with contextlib.suppress(Exception):
            client.cancel(list(completed.futures))


class Progress(threading.Thread):
    """Says how far a run is: on a terminal in one line, else in one now and then."""

    def __init__(self, client: Client, counts: Counts, out: TextIO) -> None:
        super().__init__(daemon=True)
        self._client, self._counts, self._out = client, counts, out
        self._terminal = out.isatty()
        self._ended = threading.Event()
        self._began = time.monotonic()

    def run(self) -> None:
        """Until it is left."""
        while not self._ended.wait(1 if self._terminal else 15):
            self._say(last=False)

    def _say(self, last: bool) -> None:
        counts, seconds = self._counts, max(time.monotonic() - self._began, 0.001)
        done = counts.analyzed + counts.failed
        parts = ["%d dumps in %.0f s, %.1f a second" % (done, seconds, done / seconds)]
        for count, what in ((counts.failed, "not analyzed"), (counts.known, "known"), (counts.suspects, "alone")):
            if count:
                parts.append("%d %s" % (count, what))
        if not last:
            parts.append("%d workers" % len(self._client.nthreads()))
        before, after = ("\r", "\n" if last else "") if self._terminal else ("", "\n")
        self._out.write("%spycore-fleet: %s%s" % (before, ", ".join(parts), after))
        self._out.flush()

    def __enter__(self) -> "Progress":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        self._say(last=True)
