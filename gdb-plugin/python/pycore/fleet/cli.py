"""The command line: `pycore-fleet`, `python -m pycore.fleet`."""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import dask
from distributed import Client, LocalCluster, Security

from .._errors import PycoreError
from .driver import Counts, Journal, Progress, analyze
from .jobs import FILES, Dump, FleetError, Job
from .program import program
from .stores import find

# Options of `pycore triage`, and what their values are called.
_FOR_WORKERS = {
    "--rules": "FILE",
    "--timeout": "SECONDS",
    "--max-memory": "SIZE",
    "--exe": "FILE",
    "--sysroot": "DIR",
    "--lib-path": "PATH",
    "--layout": "FILE",
    "--no-files": None,
    "--no-redact": None,
}
_FOR_GROUPS = {
    "--rules": "FILE",
    "--codeowners": "FILE",
    "--baseline": "FILE",
    "--fail-on": "WHAT",
    "--store": "URL",
    "--run": "NAME",
    "--release": "VERSION",
    "--exact": None,
    "--explain": None,
    "--no-redact": None,
}
_FOR_OUTPUT = {"--format": "FORMAT", "--output": "FORMAT=PATH"}
# Of those for workers, the files that they are sent; other paths name what workers have.
_SENT = ("--rules", "--layout")
_SHORT = {"--format": "-f", "--output": "-o"}
_HELP = {"--output": "also write the result to this file, for html to this folder; repeatable"}
# How long `pycore triage` takes for a dump at most, in seconds, where --timeout does not tell.
_TIMEOUT = 120.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pycore-fleet",
        allow_abbrev=False,
        description="Triage of dumps in any store by the workers of a Dask cluster: what `pycore triage` says of them, as"
        " if they lay on one machine.",
        epilog="Exit codes are those of `pycore triage`: 0 nothing new; 1 new groups; 2 trouble with the input or the"
        " arguments, or interrupted. A dump that cannot be had or read is no trouble: it is listed.",
    )
    parser.add_argument(
        "urls",
        nargs="+",
        metavar="URL",
        help="a dump, a folder of dumps or a pattern: s3://bucket/prefix, gs://..., az://..., https://host/index/, or a"
        " path that all workers have",
    )
    cluster = parser.add_argument_group("cluster")
    cluster.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        default=dask.config.get("scheduler-address", None),
        help="Dask's scheduler: tcp://host:8786, tls://host:8786 [default: DASK_SCHEDULER_ADDRESS]",
    )
    cluster.add_argument("--scheduler-file", metavar="FILE", help="the file that the scheduler wrote its address to")
    cluster.add_argument("--tls-ca", metavar="FILE", help="for tls: the certificate of who signed the cluster's")
    cluster.add_argument("--tls-cert", metavar="FILE", help="for tls: certificate and key of this side, in one file")
    cluster.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="where no scheduler is named: worker processes of this machine [default: as many as processors]",
    )
    cluster.add_argument(
        "--wait", type=float, default=300, metavar="SECONDS", help="how long to wait for a worker [default: 300]"
    )
    work = parser.add_argument_group("work")
    work.add_argument(
        "--storage-options",
        default="{}",
        metavar="JSON",
        help="what fsspec's file system is made with, such as {\"endpoint_url\": \"...\"}, or @FILE; better leave"
        " credentials to the environment of the workers",
    )
    work.add_argument(
        "--disk",
        type=_size,
        default="20G",
        metavar="SIZE",
        help="how much of dumps, packed and unpacked, may lie on the disk of a worker at a time; its threads share that"
        " [default: 20G]",
    )
    work.add_argument(
        "--fetch-timeout",
        type=float,
        default=900,
        metavar="SECONDS",
        help="how long a dump may take to arrive [default: 900]",
    )
    work.add_argument(
        "--resume", metavar="FILE", help="keep a journal in this file, and go on with what it holds from a run before"
    )
    triage = parser.add_argument_group("as `pycore triage --help` explains them")
    for option, value in {**_FOR_OUTPUT, **_FOR_GROUPS, **_FOR_WORKERS}.items():
        names = [_SHORT[option], option] if option in _SHORT else [option]
        if value is None:
            triage.add_argument(*names, action="store_true")
        else:
            triage.add_argument(*names, metavar=value, action="append", default=[], help=_HELP.get(option))
    return parser


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([KMGT]?)", text.upper())
    if match is None:
        raise argparse.ArgumentTypeError("%s is no size: give bytes, or with K, M, G or T" % text)
    return int(match.group(1)) << 10 * " KMGT".index(match.group(2) or " ")


def _given(
    arguments: argparse.Namespace, options: Mapping[str, Optional[str]]
) -> Iterator[Tuple[str, Optional[str]]]:
    """The options that were given, with their values."""
    for option, value in options.items():
        given = getattr(arguments, option[2:].replace("-", "_"))
        if value is None:
            yield from [(option, None)] if given else []
        else:
            yield from ((option, each) for each in given)


def _words(arguments: argparse.Namespace, options: Mapping[str, Optional[str]]) -> List[str]:
    return [
        option if value is None else "%s=%s" % (option, value) for option, value in _given(arguments, options)
    ]


def _job(arguments: argparse.Namespace) -> Job:
    words: List[str] = []
    files: Dict[str, bytes] = {}
    timeout = _TIMEOUT
    for option, value in _given(arguments, _FOR_WORKERS):
        if value is None:
            words.append(option)
            continue
        if option in _SENT:
            name = "%d-%s" % (len(files), os.path.basename(value))
            try:
                with open(value, "rb") as sent:
                    files[name] = sent.read()
            except OSError as error:
                raise FleetError("%s: %s" % (option, error)) from None
            value = FILES + name
        elif option == "--timeout":
            with contextlib.suppress(ValueError):
                timeout = float(value)
        words.append("%s=%s" % (option, value))
    return Job(
        arguments=tuple(words),
        files=files,
        storage_options=_storage_options(arguments.storage_options),
        redact=not arguments.no_redact,
        disk=arguments.disk,
        fetch_timeout=arguments.fetch_timeout,
        run_timeout=2 * timeout + 60,
    )


def _storage_options(text: str) -> Dict[str, Any]:
    try:
        if text.startswith("@"):
            with open(text[1:], encoding="utf-8") as file:
                text = file.read()
        options = json.loads(text)
    except (OSError, ValueError) as error:
        raise FleetError("--storage-options: %s" % error) from None
    if not isinstance(options, dict):
        raise FleetError("--storage-options is no JSON object")
    return options


def _group(entries: str, arguments: argparse.Namespace) -> int:
    """Has the program group entries and show the groups; gives its exit code."""
    options = {**_FOR_GROUPS, **_FOR_OUTPUT}
    return subprocess.run([program(), "triage", "--entries", entries] + _words(arguments, options)).returncode


def _check(arguments: argparse.Namespace) -> int:
    """Has the program read its arguments, as it would be late to do so behind the last dump; gives its exit code."""
    options: Dict[str, Optional[str]] = {**_FOR_GROUPS, "--format": "FORMAT"}
    for option in ("--store", "--run", "--release"):
        del options[option]
    command = [program(), "triage", "--entries", os.devnull] + _words(arguments, options)
    return subprocess.run(command, stdout=subprocess.DEVNULL).returncode


@contextlib.contextmanager
def _client(arguments: argparse.Namespace) -> Iterator[Client]:
    options: Dict[str, Any] = {}
    if arguments.tls_ca or arguments.tls_cert:
        options["security"] = Security(
            tls_ca_file=arguments.tls_ca,
            tls_client_cert=arguments.tls_cert,
            tls_client_key=arguments.tls_cert,
            require_encryption=True,
        )
    with contextlib.ExitStack() as stack:
        try:
            if arguments.scheduler_file:
                client = Client(scheduler_file=arguments.scheduler_file, timeout=arguments.wait, **options)
            elif arguments.scheduler:
                client = Client(arguments.scheduler, timeout=arguments.wait, **options)
            else:
                client = Client(stack.enter_context(_local_cluster(arguments.workers)))
            stack.enter_context(client)
            client.wait_for_workers(1, timeout=arguments.wait)
        except (OSError, TimeoutError) as error:
            raise FleetError("there is no cluster with workers: %s" % error) from None
        yield client


def _local_cluster(workers: Optional[int]) -> LocalCluster:
    """A process for each thread, so that what ends a process costs one dump."""
    # Where processors are busy, Dask would give up on a process while it starts again.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
    return LocalCluster(
        n_workers=workers or len(os.sched_getaffinity(0)),
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,
    )


def _found(urls: Sequence[str], storage_options: Mapping[str, Any]) -> Iterator[Dump]:
    for url in urls:
        yield from find(url, storage_options)


def _run(arguments: argparse.Namespace) -> int:
    job = _job(arguments)
    code = _check(arguments)
    if code not in (0, 1):
        return code
    folder = None if arguments.resume else tempfile.mkdtemp(prefix="pycore-fleet-")
    path = arguments.resume or os.path.join(str(folder), "journal.ndjson")
    counts = Counts()
    try:
        with Journal(path) as journal, _client(arguments) as client, Progress(client, counts, sys.stderr):
            analyze(client, _found(arguments.urls, job.storage_options), job, journal, counts)
        code = _group(path, arguments)
    except BaseException:
        if counts.analyzed + counts.failed:
            print("pycore-fleet: --resume %s goes on from here" % path, file=sys.stderr)
        raise
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Gives the exit code."""
    try:
        return _run(_parser().parse_args(arguments))
    except PycoreError as error:
        print("pycore-fleet: error: %s" % error, file=sys.stderr)
    except KeyboardInterrupt:
        print("pycore-fleet: interrupted", file=sys.stderr)
    return 2
