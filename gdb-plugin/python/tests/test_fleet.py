"""Tests of `pycore.fleet`, with a cluster of worker processes on this machine and stores on its loopback interface;
tests/fleet.rs runs them.

PYCORE_TEST_PROGRAM is the program, PYCORE_TEST_DUMPS a folder of packed dumps.
"""

import contextlib
import datetime
import functools
import http.server
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM = os.environ["PYCORE_TEST_PROGRAM"]
DUMPS = os.environ["PYCORE_TEST_DUMPS"]
FOLDER = tempfile.TemporaryDirectory(prefix="pycore-test-fleet-")
ROOT = os.path.realpath(FOLDER.name)
BUCKET = "s3://crashes/night"
# Dumps that hold this kill the worker that analyzes them.
POISON = "this kills whoever starts pycore"
WORKERS = 3

# The program as workers start it; as one that has a bug they could die of.
WRAPPER = os.path.join(ROOT, "pycore")
with open(WRAPPER, "w") as wrapper:
    wrapper.write(
        """#!/bin/sh
for last; do :; done
if [ "$1" = triage ] && grep -rqs '%s' "$last"; then kill -9 $PPID; fi
[ ! -e '%s/slow' ] || sleep 0.3
exec '%s' "$@"
"""
        % (POISON, ROOT, PROGRAM)
    )
os.chmod(WRAPPER, 0o755)
os.environ.update(
    PYCORE_PROGRAM=WRAPPER,
    AWS_ACCESS_KEY_ID="nobody",
    AWS_SECRET_ACCESS_KEY="nothing",
    AWS_DEFAULT_REGION="us-east-1",
    DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1",
    DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT="300s",
    PYTHONWARNINGS="ignore",
)

import distributed  # noqa: E402
import s3fs  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
from pycore import fleet  # noqa: E402
from pycore.fleet import cli, driver, stores, worker  # noqa: E402

CLUSTER = CLIENT = S3 = ENDPOINT = None


def setUpModule():
    global CLUSTER, CLIENT, S3, ENDPOINT
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):
        S3 = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        S3.start()
    ENDPOINT = "http://%s:%d" % S3.get_host_and_port()
    CLUSTER = distributed.LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,
        local_directory=os.path.join(ROOT, "workers"),
        silence_logs=logging.CRITICAL,
    )
    CLIENT = distributed.Client(CLUSTER)


def tearDownModule():
    CLIENT.close()
    CLUSTER.close()
    S3.stop()
    FOLDER.cleanup()


def options():
    return {"endpoint_url": ENDPOINT}


def packed_dumps():
    names = sorted(name for name in os.listdir(DUMPS) if name.endswith((".core.zst", ".dmp.zst")))
    return [os.path.join(DUMPS, name) for name in names]


def make_night():
    """A night's crashes: good dumps under names of several hosts, bad ones, and what lies beside dumps."""
    night = os.path.join(ROOT, "night")
    boot_id = "0123456789abcdef" * 2
    for number, dump in enumerate(packed_dumps()):
        host = os.path.join(night, "host-%d" % (number % 3))
        os.makedirs(host, exist_ok=True)
        if number < 25:
            shutil.copy(dump, host)
        name = "core.python3.1000.%s.%d.17000000%02d000000.zst" % (boot_id, 1000 + number, number)
        shutil.copy(dump, os.path.join(host, name))
    problem = os.path.join(night, "abrt", "ccpp-1")
    os.makedirs(problem)
    core = os.path.join(problem, "coredump")
    with open(core, "wb") as file:
        subprocess.run(["zstd", "-dcq", packed_dumps()[0]], stdout=file, check=True)
    for name, content in (
        ("hostname", b"web-7"),
        ("time", b"1700000000"),
        ("../../host-0/core.4711", b"the disk was full"),
        ("../../host-1/core.4712", b""),
        ("../../host-1/broken.bin", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x04\0\x3e\0" + bytes(range(256)) * 50),
        ("../../host-2/torn.core.zst", content_of(packed_dumps()[0])[:5000]),
        ("../../host-2/library.so", b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0" + bytes(500)),
        ("../../host-2/access.log", b"GET / HTTP/1.1 200\n" * 20000),
        ("../../README", b"cores of the night\n"),
    ):
        with open(os.path.join(problem, name), "wb") as file:
            file.write(content)
    return night


def upload(folder, url):
    """Puts a folder into the store; its files then have the same times here."""
    fs = s3fs.S3FileSystem(**options())
    fs.mkdir(url.split("/")[2]) if not fs.exists(url.split("/")[2]) else None
    for path in files_in(folder):
        to = "%s/%s" % (url, os.path.relpath(path, folder))
        fs.put_file(path, to)
        at = fs.info(to)["LastModified"].timestamp()
        os.utime(path, (at, at))


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


def files_in(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(where, name)


def one_machine(*arguments, **options):
    run = subprocess.run([PROGRAM, "triage", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    assert run.returncode in (0, 1), run.stderr
    return run.stdout.decode()


def groups_of(*arguments):
    """What the program says of dumps or entries."""
    return json.loads(one_machine("-f", "json", *arguments))


def moved(text, one, other):
    return json.loads(json.dumps(text).replace(one, other))


def analyze(url, journal, job=None, dumps=None):
    """A run of the cluster; gives its counts."""
    job = job or fleet.Job(storage_options=options() if str(url).startswith("s3:") else {})
    with fleet.Journal(journal) as journal:
        return fleet.analyze(CLIENT, dumps or fleet.find(url, job.storage_options), job, journal)


def entries_in(journal):
    with open(journal) as file:
        return [json.loads(line) for line in file]


@functools.lru_cache(maxsize=None)
def night():
    """The night's folder, also uploaded, and what one machine says of it."""
    folder = make_night()
    upload(folder, BUCKET)
    return folder, groups_of(folder)


def analyze_and_kill(url, journal, after):
    """A run of the cluster, of which a worker is killed behind that many entries; gives its counts."""

    class Killing(fleet.Journal):
        left = after

        def add(self, entry):
            super().add(entry)
            self.left -= 1
            if self.left == 0:
                pids, busy = CLIENT.run(os.getpid), CLIENT.processing()
                address = max(pids, key=lambda address: len(busy.get(address, ())))
                assert busy[address]
                os.kill(pids[address], signal.SIGKILL)

    job = fleet.Job(storage_options=options() if url.startswith("s3:") else {})
    with Killing(journal) as opened:
        counts = fleet.analyze(CLIENT, fleet.find(url, job.storage_options), job, opened)
        assert opened.left <= 0
    return counts


@functools.lru_cache(maxsize=None)
def night_by_cluster():
    """The same by a cluster that loses a worker: the journal and the counts."""
    night()
    journal = os.path.join(ROOT, "night.ndjson")
    return journal, analyze_and_kill(BUCKET, journal, 15)


class Case(unittest.TestCase):
    maxDiff = 3000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=ROOT)
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.journal = os.path.join(self.folder, "journal.ndjson")


class Bucket(Case):
    def test_a_cluster_that_loses_a_worker_finds_the_groups_that_one_machine_finds(self):
        folder, expected = night()
        journal, counts = night_by_cluster()
        self.assertGreater(counts.analyzed, 60)
        self.assertEqual((counts.failed, counts.no_dumps), (len(expected["failures"]), 5))
        self.assertEqual(counts.analyzed + counts.failed, len(entries_in(journal)))
        self.assertEqual(moved(groups_of("--entries", journal), BUCKET, folder), expected)
        self.assertGreater(len(expected["groups"]), 5)
        self.assertGreater(len(expected["failures"]), 2)
        # As the file beside it tells.
        self.assertIn('"value": "web-7"', json.dumps(expected["groups"]))
        # What is no dump was not fetched.
        dumps = sum(os.path.getsize(path) for path in files_in(folder) if not path.endswith((".log", "README", ".so")))
        self.assertLess(counts.fetched, dumps + 5 * 4096)

    def test_nothing_is_left_on_the_disks_of_workers(self):
        night()
        analyze(BUCKET + "/host-0/core.4711", self.journal)
        for folder in CLIENT.run(lambda dask_worker: dask_worker.local_directory).values():
            self.assertEqual([name for name in os.listdir(folder) if name.startswith("pycore-")], [])

    def test_a_run_goes_on_with_its_journal(self):
        folder, expected = night()
        whole = night_by_cluster()[0]
        with open(whole) as file, open(self.journal, "w") as journal:
            before = file.readlines()[:-10]
            journal.writelines(before)
            journal.write('{"schema":"pycore.entry/1","path":"s3://cra')
        counts = analyze(BUCKET, self.journal)
        self.assertEqual((counts.known, counts.analyzed + counts.failed), (len(before), 10))
        self.assertEqual(entries_in(self.journal)[: len(before)], [json.loads(line) for line in before])
        self.assertEqual(moved(groups_of("--entries", self.journal), BUCKET, folder), expected)

    def test_a_dump_that_kills_its_workers_is_an_entry_and_costs_no_other(self):
        victims = os.path.join(self.folder, "victims")
        os.mkdir(victims)
        for dump in packed_dumps()[:6]:
            shutil.copy(dump, victims)
        upload(victims, "s3://crashes/poison")
        fs = s3fs.S3FileSystem(**options())
        fs.pipe("crashes/poison/3-core.1", b"\x7fELF" + POISON.encode())
        counts = analyze("s3://crashes/poison/", self.journal)
        self.assertEqual((counts.analyzed, counts.failed), (6, 1))
        self.assertGreaterEqual(counts.suspects, 1)
        (entry,) = (entry for entry in entries_in(self.journal) if "failure" in entry)
        self.assertEqual(entry["path"], "s3://crashes/poison/3-core.1")
        self.assertEqual(entry["failure"]["kind"], "crashed")
        self.assertIn("worker", entry["failure"]["message"])
        self.assertEqual(entry["size_bytes"], 4 + len(POISON))
        self.assertLess(abs(time.time() - datetime.datetime.fromisoformat(entry["time"]).timestamp()), 600)
        groups = groups_of("--entries", self.journal)
        expected = moved(groups_of(victims), victims, "s3://crashes/poison")
        self.assertEqual(groups["groups"], expected["groups"])
        self.assertEqual([failure["path"] for failure in groups["failures"]], [entry["path"]])
        CLIENT.wait_for_workers(WORKERS, timeout=60)

    def test_what_does_not_fit_on_the_disk_or_is_gone_is_an_entry(self):
        fs = s3fs.S3FileSystem(**options())
        fs.mkdir("crashes") if not fs.exists("crashes") else None
        fs.put_file(packed_dumps()[0], "crashes/size/a.core.zst")
        packed = subprocess.run(["zstd", "-qc"], input=bytes(200_000), stdout=subprocess.PIPE, check=True).stdout
        fs.pipe("crashes/size/b.core.zst", packed)
        job = fleet.Job(storage_options=options(), disk=100_000)
        dumps = [
            *fleet.find("s3://crashes/size", options()),
            # The store may not tell a size, or a wrong one.
            fleet.Dump("unknown", "s3", "crashes/size/a.core.zst"),
            fleet.Dump("gone", "s3", "crashes/size/c.core.zst", 5),
        ]
        analyze(None, self.journal, job, dumps)
        said = {entry["path"]: entry["failure"]["message"] for entry in entries_in(self.journal)}
        size = os.path.getsize(packed_dumps()[0])
        self.assertIn("has %d bytes, and there is room for 100000" % size, said["s3://crashes/size/a.core.zst"])
        self.assertIn("allow more with --disk", said["unknown"])
        unpacked = said["s3://crashes/size/b.core.zst"]
        self.assertIn("unpacks to more than %d bytes; allow more with --disk" % (100_000 - len(packed)), unpacked)
        self.assertIn("cannot be fetched", said["gone"])

    def test_what_is_named_has_to_exist(self):
        night()
        for url, what in (
            ("s3://crashes/nothing", "there is nothing of that name"),
            ("s3://no-such-bucket/x/", "there is nothing of that name"),
            ("sftq://host/x", "sftq"),
            ("simplecache::s3://crashes/x", "is no URL"),
        ):
            with self.assertRaisesRegex(fleet.FleetError, what):
                list(fleet.find(url, options()))
        self.assertEqual(list(fleet.find("s3://crashes/night/*.none", options())), [])
        (dump,) = fleet.find("s3://crashes/night/README", options())
        self.assertTrue(dump.named)
        found = [dump.url for dump in fleet.find("s3://crashes/night/*/core.471?", options())]
        self.assertEqual(found, [BUCKET + "/host-0/core.4711", BUCKET + "/host-1/core.4712"])


class Cluster(Case):
    def test_workers_of_another_version_are_refused(self):
        self.addCleanup(setattr, driver, "program_version", driver.program_version)
        driver.program_version = lambda: "pycore 99.0"
        with self.assertRaisesRegex(fleet.FleetError, "is no use: it has pycore [0-9.]+, this is pycore 99.0"):
            analyze(None, self.journal, dumps=[fleet.Dump("/x", "file", "/x")])

    def test_what_the_program_refuses_ends_the_run(self):
        dump = os.path.join(self.folder, "core.1")
        shutil.copy(packed_dumps()[0], dump)
        job = fleet.Job(arguments=("--sysroot=/no/such/folder",))
        with self.assertRaisesRegex(fleet.FleetError, "pycore refuses .*--sysroot"):
            analyze(self.folder, self.journal, job)
        self.assertEqual(entries_in(self.journal), [])

    def test_files_are_sent(self):
        dump = os.path.join(self.folder, "core.1")
        shutil.copy(packed_dumps()[0], dump)
        job = fleet.Job(arguments=("--layout={files}/mine.yaml",), files={"mine.yaml": b"no: table"})
        with self.assertRaisesRegex(fleet.FleetError, "mine.yaml"):
            analyze(dump, self.journal, job)


class Local(Case):
    def test_local_files_are_found_as_one_machine_finds_them_and_are_not_copied(self):
        tree = os.path.join(self.folder, "tree")
        os.makedirs(os.path.join(tree, "a", "b"))
        shutil.copy(packed_dumps()[0], os.path.join(tree, "a", "x"))
        shutil.copy(packed_dumps()[1], os.path.join(tree, "a", "b", "y.core.zst"))
        os.link(os.path.join(tree, "a", "x"), os.path.join(tree, "same"))
        os.symlink(tree, os.path.join(tree, "a", "loop"))
        os.symlink("nowhere", os.path.join(tree, "dangling"))
        os.mkfifo(os.path.join(tree, "core.1"))
        for name, content in (("core.py", "import os\n"), ("core.2", "nothing\n")):
            with open(os.path.join(tree, name), "w") as file:
                file.write(content)
        counts = analyze(tree, self.journal)
        self.assertEqual(counts.fetched, 0)
        self.assertEqual(groups_of("--entries", self.journal), groups_of(tree))
        named = os.path.join(self.folder, "named.ndjson")
        analyze(os.path.join(tree, "core.py"), named)
        self.assertEqual([entry["failure"]["kind"] for entry in entries_in(named)], ["unreadable"])


@unittest.skipUnless("PYCORE_TEST_CRASHES" in os.environ, "PYCORE_TEST_CRASHES names no folder")
class Crashes(Case):
    def test_they_fall_into_the_groups_that_one_machine_finds_though_a_worker_is_killed(self):
        folder = os.environ["PYCORE_TEST_CRASHES"]
        counts = analyze_and_kill(folder, self.journal, len(os.listdir(folder)) // 3)
        groups = groups_of("--entries", self.journal)
        self.assertEqual(groups, groups_of(folder))
        self.assertEqual(groups["totals"]["analyzed"], counts.analyzed)
        print("%d dumps, %d groups" % (groups["totals"]["dumps"], len(groups["groups"])), file=sys.stderr)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files; below /flaky each is refused or torn at first, below /stuck none ever arrives."""

    met = set()
    stuck = threading.Event()

    def do_GET(self):
        if "/stuck/" in self.path and not self.path.endswith("/"):
            self.stuck.wait(60)
            return
        if "/flaky/" in self.path and not self.path.endswith("/") and (self.path, "get") not in self.met:
            self.met.add((self.path, "get"))
            if self.path.endswith("1.core.zst"):
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(b"\x28\xb5\x2f\xfd" + bytes(1000))
            self.close_connection = True
            return
        super().do_GET()

    def log_message(self, *_):
        pass


class Web(Case):
    def setUp(self):
        super().setUp()
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=self.folder)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(Handler.stuck.set)
        self.url = "http://127.0.0.1:%d" % server.server_port

    def test_dumps_of_an_index_page(self):
        index = os.path.join(self.folder, "crashes", "more")
        os.makedirs(index)
        shutil.copy(packed_dumps()[0], index)
        shutil.copy(packed_dumps()[1], os.path.dirname(index))
        with open(os.path.join(index, "notes.txt"), "w") as file:
            file.write("hello")
        counts = analyze(self.url + "/crashes/", self.journal)
        self.assertEqual((counts.analyzed, counts.failed, counts.no_dumps), (2, 0, 1))
        groups = groups_of("--entries", self.journal)
        expected = groups_of(os.path.join(self.folder, "crashes"))
        titles = [group["title"] for group in expected["groups"]]
        self.assertEqual([group["title"] for group in groups["groups"]], titles)
        # Nobody told when they were written.
        self.assertFalse(any("time" in entry for entry in entries_in(self.journal)))

    def test_a_store_that_fails_is_asked_again(self):
        flaky = os.path.join(self.folder, "flaky")
        os.mkdir(flaky)
        for number in (1, 2):
            shutil.copy(packed_dumps()[number], os.path.join(flaky, "%d.core.zst" % number))
        counts = analyze(None, self.journal, dumps=[
            fleet.Dump(url, "http", url)
            for url in (self.url + "/flaky/1.core.zst", self.url + "/flaky/2.core.zst")
        ])
        self.assertEqual((counts.analyzed, counts.failed), (2, 0), entries_in(self.journal))

    def test_a_store_that_does_not_answer_costs_its_dumps_only(self):
        os.mkdir(os.path.join(self.folder, "stuck"))
        shutil.copy(packed_dumps()[0], os.path.join(self.folder, "fine.core.zst"))
        stuck = self.url + "/stuck/a.core"
        fine = self.url + "/fine.core.zst"
        job = fleet.Job(fetch_timeout=1)
        dumps = [fleet.Dump(url, "http", url) for url in (stuck, fine)]
        analyze(None, self.journal, job, dumps)
        kinds = {entry["path"]: entry.get("failure", {}).get("kind") for entry in entries_in(self.journal)}
        self.assertEqual(kinds, {stuck: "timeout", fine: None})

    def test_secrets_of_urls_are_in_no_entry(self):
        # Not as a URL: in a message.
        url = self.url.replace("//", "//user:hunter2@") + "/gone.core?X-Amz-Signature=s3cr%2Ft&page=2"
        shown = stores.shown(url)
        self.assertEqual(shown, self.url + "/gone.core?X-Amz-Signature=...&page=2")
        analyze(None, self.journal, dumps=[fleet.Dump(shown, "http", url)])
        text = content_of(self.journal).decode()
        self.assertIn("cannot be fetched", text)
        for secret in ("hunter2", "s3cr"):
            self.assertNotIn(secret, text)


class CommandLine(Case):
    def run_fleet(self, *arguments, **options):
        command = [sys.executable, "-m", "pycore.fleet", *arguments]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, **options)

    def test_its_outputs_are_those_of_one_machine(self):
        folder, expected = night()
        entries = os.path.join(self.folder, "entries.ndjson")
        shutil.copy(night_by_cluster()[0], self.journal)
        run = self.run_fleet(
            *(BUCKET, "--storage-options", json.dumps(options()), "--resume", self.journal),
            *("-f", "json", "-o", "ndjson=" + entries),
            env=dict(os.environ, DASK_SCHEDULER_ADDRESS=CLUSTER.scheduler_address),
        )
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(moved(json.loads(run.stdout), BUCKET, folder), expected)
        self.assertEqual(len(entries_in(entries)), expected["totals"]["dumps"])
        self.assertIn(b"dumps in", run.stderr)

    def test_its_options_are_those_of_one_machine(self):
        options = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", one_machine("--help"), re.MULTILINE))
        # How dumps are taken from one machine's disk, and what all commands have.
        options -= {"--entries", "--resume", "--jobs", "--unpack-limit", "--verbose", "--color", "--help"}
        self.assertEqual({*cli._FOR_WORKERS, *cli._FOR_GROUPS, *cli._FOR_OUTPUT}, options)

    def test_trouble_is_told_before_anything_is_done(self):
        for arguments, what in (
            (["/x", "--storage-options", "[]"], "no JSON object"),
            (["/x", "--layout", "/no/such/file"], "no/such/file"),
            (["/x", "--fail-on", "whenever"], "whenever"),
            (["/x", "--scheduler", "tcp://127.0.0.1:9", "--wait", "1"], "no cluster with workers"),
            ([self.folder + "/none", "--scheduler", CLUSTER.scheduler_address], "nothing of that name"),
        ):
            run = self.run_fleet(*arguments)
            self.assertEqual((run.returncode, run.stdout), (2, b""), run.stderr)
            self.assertIn(what, run.stderr.decode())
            self.assertNotIn("Traceback", run.stderr.decode())

    def test_interrupted_it_keeps_what_it_has_and_goes_on(self):
        dumps = os.path.join(self.folder, "dumps")
        os.mkdir(dumps)
        for dump in packed_dumps()[:12]:
            shutil.copy(dump, dumps)
        command = [sys.executable, "-m", "pycore.fleet", dumps, "--workers", "1", "-f", "json", "--resume", self.journal]
        slow = os.path.join(ROOT, "slow")
        open(slow, "w").close()
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        until = time.monotonic() + 60
        while time.monotonic() < until and not (os.path.exists(self.journal) and os.path.getsize(self.journal)):
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        out, error = run.communicate(timeout=60)
        os.unlink(slow)
        self.assertEqual((run.returncode, out), (2, b""), error)
        self.assertIn(b"goes on from here", error)
        before = entries_in(self.journal)
        self.assertLess(len(before), 12)
        again = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(again.returncode, 1, again.stderr)
        self.assertEqual(entries_in(self.journal)[: len(before)], before)
        self.assertEqual(json.loads(again.stdout), groups_of(dumps))


class Names(unittest.TestCase):
    def test_copies_are_called_as_their_dumps_are(self):
        for protocol, path, name in (
            ("s3", "bucket/a/core.1", "core.1"),
            ("s3", "bucket/a/..", "dump"),
            ("https", "https://host/a/core.zst?versionId=1", "core.zst"),
            ("https", "https://host", "dump"),
            ("s3", "b/" + "x" * 300, "x" * 255),
        ):
            self.assertEqual(worker.name_of(fleet.Dump("", protocol, path)), name)

    def test_what_is_no_journal_is_left_alone(self):
        for content in (b"dear diary\n", b"no line", b'{"schema":"pycore.entry/9","path":"x"}\n'):
            with tempfile.NamedTemporaryFile() as file:
                file.write(content)
                file.flush()
                with self.assertRaisesRegex(fleet.FleetError, "no journal"):
                    fleet.Journal(file.name)
                self.assertEqual(content_of(file.name), content)


