"""The plug-in for pytest, with pytest-xdist and pytest-forked: python -m unittest test_pytest.

PYCORE_PROGRAM is the program.
"""

import os
import resource
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

from pycore import _cores

TESTS = '''
import ctypes, os, pytest

def dies(depth):
    password = "hunter2-%d" % depth
    if depth:
        dies(depth - 1)
    ctypes.string_at(0)

def test_fine():
    pass

def test_fails():
    assert not "an ordinary failure"

def test_crashes_here():
    dies(2)

def test_crashes_away(tmp_path):
    os.chdir(tmp_path)
    os.abort()

def test_exits():
    os._exit(7)

@pytest.mark.parametrize("number", range(20))
def test_many(number):
    pass
'''


class Plugin(unittest.TestCase):
    def setUp(self):
        if _cores.pattern().startswith("|"):
            self.skipTest("the kernel gives cores to a program: " + _cores.pattern())
        if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
            self.skipTest("this machine forbids cores")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(os.path.join(self.folder, "test_it.py"), "w") as file:
            file.write(TESTS)

    def failures(self, *arguments):
        """What a run says of the tests that fail, by test, and all that it prints."""
        command = [sys.executable, "-m", "pytest", "-p", "pycore.pytest_plugin", "-p", "no:cacheprovider"]
        command += ["--junitxml=out.xml", "--basetemp=temp", *arguments]
        run = subprocess.run(
            command,
            cwd=self.folder,
            # No core is wanted unless the plug-in wants it.
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1])
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        said = run.stdout.decode()
        self.assertEqual(run.returncode, 1, said)
        cases = ElementTree.parse(os.path.join(self.folder, "out.xml")).iter("testcase")
        found = {}
        for case in cases:
            for failure in [*case.iter("failure"), *case.iter("error")]:
                found[case.get("name")] = failure.text or ""
        return found, said

    def check(self, found, said):
        self.assertEqual(set(found), {"test_fails", "test_crashes_here", "test_crashes_away", "test_exits"})
        here = found["test_crashes_here"]
        self.assertIn("SIGSEGV", here)
        self.assertEqual(here.count(", in dies"), 3, here)
        self.assertIn("test_it.py\", line 8, in dies", here)
        self.assertIn("SIGABRT", found["test_crashes_away"])
        self.assertIn("in test_crashes_away", found["test_crashes_away"])
        self.assertIn("left no core", found["test_exits"])
        self.assertNotIn("pycore", found["test_fails"])
        # On the terminal as well, once.
        self.assertEqual(said.count("test_it.py\", line 8, in dies"), 1, said)

    def test_workers_that_die(self):
        self.check(*self.failures("-n", "2"))

    def test_secrets_are_hidden_unless_they_are_asked_for(self):
        arguments = ["-n", "1", "-o", "pycore_args=--locals", "-k", "here"]
        hidden, _ = self.failures(*arguments)
        self.assertNotIn("hunter2", hidden["test_crashes_here"])
        shown, _ = self.failures(*arguments, "--pycore-no-redact")
        self.assertIn("hunter2", shown["test_crashes_here"])

    def test_forked_tests_that_die(self):
        self.check(*self.failures("--forked"))

    def test_forked_tests_of_workers(self):
        self.check(*self.failures("--forked", "-n", "2"))

    def test_it_can_be_turned_off(self):
        found, said = self.failures("-n", "1", "--no-pycore", "-k", "here or fails")
        self.assertEqual(set(found), {"test_fails", "test_crashes_here"})
        self.assertNotIn("pycore:", said)
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("core")], [])

    def test_a_program_that_is_missing_is_said(self):
        os.environ["PYCORE_PROGRAM"], before = "/no/such/pycore", os.environ["PYCORE_PROGRAM"]
        self.addCleanup(os.environ.__setitem__, "PYCORE_PROGRAM", before)
        found, _ = self.failures("-n", "1", "-k", "here")
        self.assertIn("pycore: ", found["test_crashes_here"])


class Names(unittest.TestCase):
    """What the kernel calls cores, by core(5)."""

    def names(self, pattern, uses_pid=False):
        return list(_cores._globs(pattern, uses_pid, 42, ["/a", "/b[1]"]))

    def test_patterns(self):
        self.assertEqual(self.names("core"), ["/a/core", "/b[[]1]/core"])
        self.assertEqual(self.names("core", True)[:2], ["/a/core", "/a/core.42"])
        self.assertEqual(self.names("core.%p.%e", True)[0], "/a/core.42.*")
        self.assertEqual(self.names("/c/%h%%p-%P[x]%"), ["/c/*%p-*[[]x]%"])
        self.assertEqual(self.names("|/lib/systemd/systemd-coredump %P"), ["/var/lib/systemd/coredump/core.*.42.*"])
