"""A plug-in for pytest: the report on a process that died in a test becomes a part of what pytest says of that test.

It is there wherever this package is installed. Where a worker of pytest-xdist or the process of a test that pytest-forked
runs dies of a signal, its core is looked for where the kernel puts cores, and `pycore analyze` reads it. For that, processes
may write cores of any size, as far as the hard limit goes. What looks like a secret is hidden, unless
--pycore-no-redact is given; --no-pycore turns all of it off.
"""

import os
import resource
import shutil
import subprocess
import tempfile
import time
from typing import Any, List, Optional, Tuple

import pytest

from . import _cores, _program
from ._errors import PycoreError

_TITLE = "pycore"
# How much of a report is kept, in characters, and how long it may take to make it, in seconds.
_LONGEST = 100_000
_PATIENCE = 120


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("pycore", "reports on processes that died")
    group.addoption("--no-pycore", action="store_true", help="make no report on workers and forked tests that died")
    group.addoption("--pycore-no-redact", action="store_true", help="show what looks like a secret in these reports")
    parser.addini(
        "pycore_args",
        type="args",
        default=[],
        help="further arguments of `pycore analyze`, such as --locals or --sysroot=DIR",
    )


def pytest_configure(config: Any) -> None:
    has_workers = hasattr(config, "workerinput") or getattr(config.option, "dist", "no") != "no"
    # A marker may have a single test forked.
    may_fork = config.pluginmanager.hasplugin("pytest_forked")
    if (has_workers or may_fork) and not config.getoption("no_pycore"):
        config.pluginmanager.register(_Plugin(config), "pycore-reports")


class _Note:
    """Where the tests of one process run, kept in a file, as who reads it may be another process."""

    def __init__(self, folder: str, name: str) -> None:
        self._path = os.path.join(folder, name)

    def write(self, *further: str) -> None:
        """This process, the current directory, and further ones that it may change to."""
        try:
            text = "\n".join([str(os.getpid()), os.getcwd(), *further])
            with open(self._path, "wb") as file:
                file.write(os.fsencode(text))
        except OSError:
            pass  # The folder is on another machine, or the current one is gone: no core is found then.

    def read(self) -> Optional[Tuple[int, List[str]]]:
        """The process that ran the last test, and the directories in which it may have died."""
        try:
            with open(self._path, "rb") as file:
                pid, *folders = os.fsdecode(file.read()).split("\n")
            return int(pid), folders
        except (OSError, ValueError):
            return None


class _Plugin:
    """In the process that the user started, in workers of pytest-xdist, and in copies that pytest-forked makes of both."""

    def __init__(self, config: Any) -> None:
        self._config = config
        self._since = time.time()
        self._pid = os.getpid()
        given = getattr(config, "workerinput", None)
        self._worker = None if given is None else str(given["workerid"])
        self._own = None if given is not None else tempfile.mkdtemp(prefix="pycore-pytest-")
        self._folder: Optional[str] = self._own or (given or {}).get("pycore_folder")
        self._note = _Note(self._folder or os.devnull, self._worker or "main")
        self._note.write()
        try:
            _, hard = resource.getrlimit(resource.RLIMIT_CORE)
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        except (OSError, ValueError):
            pass

    def pytest_unconfigure(self) -> None:
        if self._own is not None and os.getpid() == self._pid:
            shutil.rmtree(self._own, ignore_errors=True)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A worker is about to be started."""
        node.workerinput["pycore_folder"] = self._folder

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._note.write()

    # A fixture may have changed the directory, which is where cores go, and tests like to go to their own.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: Any) -> None:
        fixtures = getattr(item, "funcargs", {})
        self._note.write(*(str(fixtures[name]) for name in ("tmp_path", "tmpdir") if name in fixtures))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        self._note.write()

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, report: Any) -> None:
        """A worker died in a test."""
        self._attach(report, _Note(self._folder or os.devnull, str(report.node.gateway.id)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        # What pytest-forked says of a process that died belongs to no phase. What has a node came from a worker, or is of one.
        if report.when == "???" and report.failed and not hasattr(report, "node"):
            self._attach(report, self._note)

    def _attach(self, report: Any, note: _Note) -> None:
        """Adds to the report of a test what is known of the process that died in it."""
        died = note.read()
        if died is None or died[0] == self._pid:
            return
        text = self._said(died[0], died[1])
        if isinstance(report.longrepr, str):
            # This is what JUnit XML has as well.
            report.longrepr = "%s\n\n%s" % (report.longrepr, text)
        else:
            report.sections.append((_TITLE, text))

    def _said(self, pid: int, folders: List[str]) -> str:
        for place in (str(self._config.invocation_params.dir), str(self._config.rootpath)):
            if place not in folders:
                folders.append(place)
        try:
            core = _cores.find(pid, folders, self._since)
            return _no_core(pid) if core is None else self._analyzed(core)
        except PycoreError as error:
            return "%s: %s" % (_TITLE, error)

    def _analyzed(self, core: str) -> str:
        command = [_program.find(), "--color", "never", "analyze", *self._config.getini("pycore_args")]
        if not self._config.getoption("pycore_no_redact"):
            command.append("--redact")
        try:
            run = subprocess.run(
                [*command, "--", core], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=_PATIENCE
            )
        except (OSError, subprocess.SubprocessError) as error:
            return "%s: %s: %s" % (_TITLE, core, error)
        text = (run.stdout or run.stderr).decode("utf-8", "replace").rstrip()
        if len(text) > _LONGEST:
            # The beginning says what happened, the end where.
            half = _LONGEST // 2
            text = "%s\n... cut; `pycore analyze` shows all ...\n%s" % (text[:half], text[-half:])
        return "%s: %s\n%s" % (_TITLE, core, text)


def _no_core(pid: int) -> str:
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    if soft == 0:
        why = "this machine forbids cores (ulimit -H -c is 0)"
    else:
        why = "the kernel puts cores to %r (/proc/sys/kernel/core_pattern)" % _cores.pattern()
    return "%s: process %d left no core that was found; %s" % (_TITLE, pid, why)
