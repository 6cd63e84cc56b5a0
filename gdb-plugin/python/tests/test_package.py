"""Tests of the installed package; tests/wheel.rs runs them, in an environment that has nothing but the wheel.

PYCORE_TEST_CORE names a plain core of a process with several threads, of the program `orders`.
"""

import copy
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import pycore
from elf_core import ElfCore
from pycore import model

SOURCES = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../../fixtures/programs"))
CORE = os.environ["PYCORE_TEST_CORE"]
PROGRAM = os.environ.get("PYCORE_TEST_PROGRAM", os.path.join(os.path.dirname(sys.executable), "pycore"))


def command(*arguments):
    """What the program prints."""
    return subprocess.run([PROGRAM] + list(arguments), check=True, stdout=subprocess.PIPE).stdout.decode()


def in_new_process(code, **environment):
    """Runs code in another Python; gives its standard output."""
    run = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ, **environment), stdout=subprocess.PIPE, timeout=60
    )
    return run.stdout.decode()


def frames(report):
    return [
        (thread.tid, thread.name, [(frame.function, frame.file, frame.line) for frame in thread.frames])
        for thread in report.threads
        if thread.python
    ]


class Installed(unittest.TestCase):
    def test_the_package_and_the_program_are_those_of_the_environment(self):
        self.assertTrue(os.path.dirname(pycore.__file__).startswith(sys.prefix), pycore.__file__)
        self.assertEqual(command("--version"), "pycore %s\n" % pycore.library_version())

    def test_the_program_knows_where_the_plug_ins_are(self):
        folder = os.path.dirname(os.path.realpath(pycore.__file__))
        for arguments, name in (
            (["gdb"], "gdb_plugin.py"),
            (["gdb", "--no-python"], "pycore.gdb"),
            (["lldb"], "lldb_plugin.py"),
        ):
            path = command("plugin", *arguments).rstrip("\n")
            self.assertEqual(os.path.realpath(path), os.path.join(folder, name))
            self.assertTrue(os.path.isfile(path), path)

    def test_what_many_machines_need_is_not_needed_else(self):
        run = subprocess.run(
            [os.path.join(os.path.dirname(PROGRAM), "pycore-fleet"), "/nowhere"], stderr=subprocess.PIPE
        )
        self.assertEqual(run.returncode, 2)
        self.assertIn("pip install 'pycore[fleet]'", run.stderr.decode())

    def test_it_has_types(self):
        self.assertTrue(os.path.isfile(os.path.join(os.path.dirname(pycore.__file__), "py.typed")))


class Analyze(unittest.TestCase):
    maxDiff = 2000

    def test_the_report_is_that_of_the_program(self):
        for options, arguments in (
            ({}, []),
            ({"locals": True, "source_root": [SOURCES]}, ["--locals", "--source-root", SOURCES]),
            (
                {"locals": True, "tasks": True, "redact": True, "depth": 1, "max_items": 2, "max_string": 5},
                ["--locals", "--tasks", "--redact", "--depth=1", "--max-items=2", "--max-string=5"],
            ),
            ({"no_files": True, "locals": True, "depth": 0}, ["--no-files", "--locals", "--depth=0"]),
        ):
            with self.subTest(arguments=arguments):
                report = pycore.analyze(CORE, **options)
                self.assertEqual(report.json, json.loads(command("analyze", CORE, "--format=json", *arguments)))
                self.assertEqual(json.loads(report.to_json(indent=1)), report.json)

    def test_the_objects_are_typed(self):
        report = pycore.analyze(CORE, locals=True)
        self.assertIsInstance(report.threads[0], model.Thread)
        innermost = report.threads[0].frames[0]
        self.assertEqual((innermost.function, innermost.kind), ("render", "python"))
        self.assertIn("width", [local.name for local in innermost.locals])
        (error,) = report.threads[0].exceptions.handling
        self.assertEqual((error.type, error.cause.type), ("__main__.PaymentError", "OverflowError"))
        with self.assertRaises(AttributeError):
            innermost.line = 5

    def test_what_cannot_be_read_is_an_error_with_the_reason(self):
        with self.assertRaisesRegex(pycore.PycoreError, "test_package.py"):
            pycore.analyze(__file__)
        with self.assertRaisesRegex(pycore.PycoreError, "/no/such"):
            pycore.analyze("/no/such")
        with self.assertRaisesRegex(pycore.PycoreError, "/no/such"):
            pycore.analyze(CORE, exe="/no/such")


class Alive(unittest.TestCase):
    CODE = "import time\ndef waiting(token):\n    print('ready', flush=True)\n    time.sleep(1000)\nwaiting(17)"

    def setUp(self):
        self.child = subprocess.Popen([sys.executable, "-c", self.CODE], stdout=subprocess.PIPE)
        self.addCleanup(self.child.stdout.close)
        self.addCleanup(self.child.wait)
        self.addCleanup(self.child.kill)
        self.child.stdout.readline()

    def test_a_live_process_is_read_and_goes_on(self):
        report = pycore.analyze_pid(self.child.pid, locals=True)
        innermost = report.threads[0].frames[0]
        self.assertEqual((report.source.format, innermost.function, innermost.line), ("live", "waiting", 4))
        self.assertEqual([local.value.repr for local in innermost.locals], ["17"])
        with pycore.Session.attach(self.child.pid) as session:
            self.assertEqual(frames(session.report()), frames(report))
            self.assertIn("waiting", session.ask("backtrace").text)
        self.assertIsNone(self.child.poll())

    def test_what_may_be_torn_is_said_unless_the_process_stands_still(self):
        def warnings():
            report = pycore.analyze_pid(self.child.pid, nonblocking=True)
            self.assertEqual(report.threads[0].frames[0].function, "waiting")
            return "".join(report.warnings)

        self.assertIn("may be torn", warnings())
        self.child.send_signal(signal.SIGSTOP)
        os.waitpid(self.child.pid, os.WUNTRACED)
        self.assertNotIn("torn", warnings())

    def test_a_process_that_is_not_there_is_an_error(self):
        self.child.kill()
        self.child.wait()
        with self.assertRaisesRegex(pycore.PycoreError, str(self.child.pid)):
            pycore.analyze_pid(self.child.pid)


class Model(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.report = pycore.analyze(CORE)

    def test_fields_of_a_newer_library_are_kept_and_passed_over(self):
        document = copy.deepcopy(self.report.json)
        document["weather"] = "fine"
        document["threads"][0]["mood"] = {"good": True}
        newer = pycore.Report.from_json(document)
        self.assertEqual(newer, self.report)
        self.assertEqual(newer.threads[0].json["mood"], {"good": True})
        self.assertEqual(hash(newer), hash(self.report))

    def test_what_is_no_report_is_refused(self):
        document = copy.deepcopy(self.report.json)
        del document["threads"][0]["crashed"]
        with self.assertRaisesRegex(pycore.PycoreError, "Thread.*crashed"):
            pycore.Report.from_json(document)


class Broken(ElfCore):
    """Raises an exception in place of the answer to a call."""

    def __init__(self, path):
        super().__init__(path)
        self.calls = {}
        self.error = None
        self.name = None
        self.at = 0

    def break_at(self, name, at, error):
        self.calls, self.name, self.at, self.error = {}, name, at, error

    def _count(self, name):
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.error is not None and name == self.name and self.calls[name] >= self.at:
            raise self.error

    def read_memory(self, address, size):
        self._count("read_memory")
        return super().read_memory(address, size)

    def modules(self):
        self._count("modules")
        return super().modules()

    def threads(self):
        self._count("threads")
        return super().threads()


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        document = json.loads(command("analyze", CORE, "--no-files", "--format=json"))
        cls.expected = frames(pycore.Report.from_json(document))

    def test_any_object_can_be_read_from(self):
        self.assertGreater(len(self.expected), 3)
        with pycore.Session(ElfCore(CORE), format="elf-core", path=CORE) as session:
            self.assertEqual(frames(session.report()), self.expected)
            text, data = session.ask("threads")
            for tid, name, _ in self.expected:
                self.assertIn(name, text)
            self.assertTrue(data)
            session.refresh()
            self.assertEqual(frames(session.report()), self.expected)

    def test_memory_that_is_not_there_is_a_gap(self):
        class Empty(ElfCore):
            def read_memory(self, address, size):
                return b""

        with pycore.Session(Empty(CORE)) as session:
            self.assertEqual([frame for _, _, frames_ in frames(session.report()) for frame in frames_], [])

    def test_ranges_need_not_be_known(self):
        class Without(ElfCore):
            def ranges(self):
                return None

        with pycore.Session(Without(CORE)) as session:
            session.ask("modules")

    def test_exceptions_of_readers_are_not_lost(self):
        reader = Broken(CORE)
        with pycore.Session(reader) as session:
            for name, at in (("modules", 1), ("read_memory", 1), ("threads", 1), ("read_memory", 20)):
                with self.subTest(name=name, at=at):
                    session.refresh()
                    reader.break_at(name, at, ValueError("a bug of the reader"))
                    with self.assertRaisesRegex(ValueError, "a bug of the reader"):
                        session.report()
                    self.assertEqual(reader.calls[name], at, "nothing is asked after it")
            reader.error = None
            self.assertEqual(frames(session.report()), self.expected)

    def test_an_interrupt_ends_the_question_and_not_the_session(self):
        reader = Broken(CORE)
        with pycore.Session(reader) as session:
            reader.break_at("read_memory", 5, KeyboardInterrupt())
            with self.assertRaises(KeyboardInterrupt):
                session.report()
            reader.error = None
            self.assertEqual(frames(session.report()), self.expected)

    def test_interrupts_at_any_moment(self):
        """Also between callbacks, where Python can only raise the exception in no code of ours."""
        chance = random.Random(5)
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        with pycore.Session(ElfCore(CORE)) as session:
            begin = time.perf_counter()
            session.report()
            takes = time.perf_counter() - begin
            interrupted = 0
            for _ in range(40):
                session.refresh()
                try:
                    signal.setitimer(signal.ITIMER_REAL, max(1e-6, chance.random() * takes))
                    found = frames(session.report())
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    self.assertEqual(found, self.expected)
                except KeyboardInterrupt:
                    interrupted += 1
            self.assertGreater(interrupted, 0)
            self.assertEqual(frames(session.report()), self.expected)

    def test_a_reader_must_not_use_its_session(self):
        class Curious(ElfCore):
            session = None

            def modules(self):
                self.session.ask("threads")
                return super().modules()

        reader = Curious(CORE)
        with pycore.Session(reader) as session:
            reader.session = session
            with self.assertRaisesRegex(pycore.PycoreError, "must not use the session"):
                session.report()

    def test_sessions_do_not_disturb_each_other(self):
        with pycore.Session(ElfCore(CORE)) as one, pycore.Session.open(CORE, no_files=True) as other:
            found = []
            threads = [
                threading.Thread(target=lambda session=session: found.append(frames(session.report())))
                for session in (one, other, one, other)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(found, [self.expected] * 4)

    def test_a_closed_session_says_so(self):
        session = pycore.Session(ElfCore(CORE))
        session.close()
        session.close()
        with self.assertRaisesRegex(pycore.PycoreError, "closed"):
            session.report()

    def test_what_cannot_be_answered_is_an_error(self):
        with pycore.Session(ElfCore(CORE)) as session:
            with self.assertRaises(pycore.PycoreError):
                session.ask("fly")


class Library(unittest.TestCase):
    def message(self, path):
        code = "import pycore\ntry: pycore.library_version()\nexcept pycore.PycoreError as error: print(error)"
        return in_new_process(code, PYCORE_LIBRARY=path)

    def test_a_library_of_another_version_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "libpycore.so")
            source = b"unsigned pycore_abi_version(void) { return 99; }"
            subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", path], input=source, check=True)
            message = self.message(path)
        for part in (path, "version 99", "version 1", "install both from one wheel"):
            self.assertIn(part, message)

    def test_what_is_no_library_is_refused(self):
        self.assertIn("there is no such file", self.message("/no/such.so"))
        self.assertIn("cannot load", self.message(__file__))
        self.assertIn("has no pycore_abi_version", self.message(sys.modules["_ctypes"].__file__))


if __name__ == "__main__":
    unittest.main(verbosity=2)
