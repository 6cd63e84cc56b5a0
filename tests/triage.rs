//! `pycore triage`: many dumps, each of which may be anything, end in groups and a list of what could not be read.

use pycore_tests::cores::fixtures;
use pycore_tests::program::{self, Run};
use pycore_tests::synthetic::{core_of_threads, core_without_python};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
/// Cores of the corpus that hold Python.
const GOOD: [&str; 3] =
    ["3.13.0-orders.core.zst", "3.12.1-orders.core.zst", "3.11.7-values_instances.core.zst"];

fn triage(arguments: &[&str]) -> Run {
    program::run(&[&["triage"], arguments].concat(), LIMIT).unwrap()
}

fn corpus(name: &str) -> PathBuf {
    fixtures().join("corpus").join(name)
}

/// A folder with the good cores, one below another and called what tells nothing.
fn good_cores() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, name) in GOOD.iter().enumerate() {
        let below = folder.path().join(format!("run {index}"));
        fs::create_dir(&below).unwrap();
        fs::copy(corpus(name), below.join("upload")).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The entries that a run prints, by the path below `root`.
fn entries(run: &Run, root: &Path) -> BTreeMap<String, Value> {
    let parsed =
        run.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
    let name = |entry: &Value| {
        let path = PathBuf::from(entry["path"].as_str().unwrap());
        path.strip_prefix(root).unwrap_or(&path).to_str().unwrap().to_owned()
    };
    let count = parsed.len();
    let by_path: BTreeMap<_, _> = parsed.into_iter().map(|entry| (name(&entry), entry)).collect();
    assert_eq!(by_path.len(), count, "each dump has one entry");
    by_path
}

/// A zstd frame that unpacks to `start` and then 512 GiB of zeros, which takes long.
fn endless(start: &[u8]) -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    const RAW: u32 = 0;
    const RLE: u32 = 1;
    // No flags, and a window of 128 KiB.
    let mut frame = b"\x28\xb5\x2f\xfd\x00\x38".to_vec();
    let mut block = |kind: u32, size: u32, bytes: &[u8]| {
        frame.extend(&(size << 3 | kind << 1).to_le_bytes()[..3]);
        frame.extend(bytes);
    };
    block(RAW, start.len() as u32, start);
    for _ in 0..(512u64 << 30) / u64::from(BLOCK) {
        block(RLE, BLOCK, &[0]);
    }
    frame
}

/// A core, packed to next to nothing, of a process with so many threads that a list of them needs 100 MB.
fn hungry() -> Vec<u8> {
    zstd::encode_all(&core_of_threads(b"x", 100_000)[..], 1).unwrap()
}

#[test]
fn bad_dumps_cost_no_other_one_and_are_listed_with_what_is_wrong() {
    let folder = good_cores();
    let root = folder.path();
    let core = core_without_python(b"nothing here");
    let mut whole = Vec::new();
    zstd::stream::copy_decode(fs::File::open(corpus(GOOD[0])).unwrap(), &mut whole).unwrap();
    for (name, bytes) in [
        ("core.1", &b""[..]),
        ("core.2", b"no space left on device"),
        ("cut.bin", &core[..40]),
        ("half", &whole[..whole.len() / 2]),
        ("endless", &endless(&core)),
        ("hungry", &hungry()),
        ("no-python", &core),
        ("x.dmp", b"MDMP\x93\xa7\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("core.py", b"import os\n"),
        ("readme", b"not a dump\n"),
        ("cut.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0"),
        ("log.zst", &zstd::encode_all(&b"not a dump"[..], 1).unwrap()),
    ] {
        fs::write(root.join(name), bytes).unwrap();
    }
    symlink(root, root.join("run 0/up")).unwrap();
    assert!(Command::new("mkfifo").arg(root.join("core.fifo")).status().unwrap().success());
    let started = Instant::now();
    let run = triage(&[
        text(root),
        "--format",
        "ndjson",
        "--jobs",
        "2",
        "--timeout",
        "6",
        "--unpack-limit",
        "1T",
        "--max-memory",
        "160M",
        "--no-files",
    ]);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    let entries = entries(&run, root);
    let kind = |name: &str| entries[name]["failure"]["kind"].as_str().unwrap_or("crash").to_owned();
    let kinds: BTreeMap<_, _> = entries.keys().map(|name| (name.as_str(), kind(name))).collect();
    let expected = [
        ("core.1", "unreadable"),
        ("core.2", "unreadable"),
        ("cut.bin", "unreadable"),
        ("cut.gz", "unreadable"),
        ("endless", "timeout"),
        ("half", "unreadable"),
        ("hungry", "memory"),
        ("no-python", "crash"),
        ("run 0/upload", "crash"),
        ("run 1/upload", "crash"),
        ("run 2/upload", "crash"),
        ("x.dmp", "unreadable"),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name, kind.to_owned())).into());
    for (name, part) in
        [("core.1", "is empty"), ("half", "cut off"), ("core.2", "no dump"), ("endless", "longer than 6 s")]
    {
        let message = entries[name]["failure"]["message"].as_str().unwrap();
        assert!(message.contains(part) && !message.contains(text(root)), "{message}");
    }
    let good = &entries["run 0/upload"];
    assert_eq!(good["crash"]["python"], "3.13.0");
    assert_eq!((&good["redacted"], good["schema"].as_str()), (&Value::Bool(true), Some("pycore.entry/1")));
    assert!(run.stderr.contains("12 of 12 dumps") || run.stderr.contains("13 of 13 dumps"), "{}", run.stderr);
}

#[test]
fn entries_made_anywhere_give_the_groups_of_one_machine() {
    let folder = good_cores();
    fs::write(folder.path().join("core.1"), "").unwrap();
    let whole = triage(&[text(folder.path()), "--no-files", "--format", "json", "--jobs", "2"]);
    let mut parts = Vec::new();
    for (index, name) in ["run 2", "run 0", "core.1", "run 1", "run 0"].iter().enumerate() {
        let run = triage(&[text(&folder.path().join(name)), "--no-files", "--format", "ndjson"]);
        let part = folder.path().join(format!("{index}.ndjson"));
        fs::write(&part, run.stdout).unwrap();
        parts.push(part);
    }
    let files: Vec<&str> = parts.iter().map(|part| text(part)).collect();
    let reduced = triage(&[&["--format", "json", "--entries"], &files[..]].concat());
    assert_eq!(reduced.status.code(), Some(1));
    assert_eq!(whole.text(), reduced.text());
    let triage: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!((&triage["totals"]["dumps"], &triage["totals"]["failed"]), (&4.into(), &1.into()));
    assert_eq!(triage["complete"], true);
}

#[test]
fn each_output_goes_where_it_is_wanted() {
    let folder = good_cores();
    let json = folder.path().join("out.json");
    let run =
        triage(&[text(folder.path()), "--no-files", "-o", &format!("json={}", text(&json)), "-f", "ndjson"]);
    assert_eq!(entries(&run, folder.path()).len(), 3);
    let triage: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(triage["schema"], "pycore.triage/1");
}

#[test]
fn exit_codes() {
    let folder = good_cores();
    let empty = tempfile::tempdir().unwrap();
    let good = text(folder.path());
    let missing = folder.path().join("nowhere");
    let pattern = folder.path().join("nothing-*.core");
    let code = |arguments: &[&str]| triage(arguments).status.code().unwrap();
    assert_eq!(code(&[text(empty.path())]), 0);
    assert_eq!(code(&[text(&pattern)]), 0);
    assert_eq!(code(&[good, "--no-files"]), 1);
    assert_eq!(code(&[good, "--no-files", "--fail-on", "never"]), 0);
    assert_eq!(code(&[good, "--no-files", "--fail-on", "critical"]), 0);
    for wrong in [
        &[text(&missing)][..],
        &[],
        &["--entries", text(&missing)],
        &["--entries", text(&corpus(GOOD[0]))],
        &[good, "--fail-on", "sometimes"],
        &[good, "-o", "json"],
        &[good, "-o", "docx=x"],
        &[good, "-o", "json=/nowhere/at/all"],
        &[good, "-f", "html"],
        &[good, "--layout", text(&missing)],
        &[good, "--layout", text(&corpus(GOOD[0]))],
        &[good, "--jobs", "0"],
        &[good, "--max-memory", "much"],
        &[good, "--resume", "/nowhere/at/all"],
        &[good, "--resume", text(&corpus(GOOD[0]))],
    ] {
        let run = triage(wrong);
        assert_eq!(run.status.code(), Some(2), "{wrong:?}: {}", run.stderr);
        assert!(run.stderr.contains("error: ") && run.stdout.is_empty(), "{wrong:?}: {}", run.stderr);
    }
}

#[test]
fn entries_with_secrets_are_used_only_by_who_asks_for_secrets() {
    let folder = good_cores();
    let path = folder.path().join("open.ndjson");
    let run = triage(&[text(&folder.path().join("run 0")), "--no-files", "-f", "ndjson", "--no-redact"]);
    assert_eq!(entries(&run, folder.path())["run 0/upload"]["redacted"], false);
    fs::write(&path, &run.stdout).unwrap();
    let refused = triage(&["--entries", text(&path)]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stderr.contains("--no-redact") && refused.stdout.is_empty());
    let shown = triage(&["--entries", text(&path), "--no-redact", "-f", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["redacted"], false);
}

/// Starts a run that a slow dump holds up, and waits until the journal has all others.
fn held_up(root: &Path, journal: &Path) -> Child {
    let child = Command::new(program::path())
        .args(["triage", text(root), "--no-files", "-f", "json", "--jobs", "2", "--resume", text(journal)])
        .args(["--timeout", "50", "--unpack-limit", "1T"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while fs::read_to_string(journal).unwrap_or_default().lines().count() < GOOD.len() {
        assert!(started.elapsed() < LIMIT, "the journal has not got its entries");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// The processes that `parent` started, by id.
fn children(parent: u32) -> Vec<u32> {
    let listed =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let has_parent = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line == format!("PPid:\t{parent}"))
    };
    listed.filter(has_parent).collect()
}

#[test]
fn an_interrupted_run_keeps_what_it_has_and_goes_on() {
    let folder = good_cores();
    let root = folder.path();
    fs::write(root.join("slow"), endless(&core_without_python(b"x"))).unwrap();
    let state = tempfile::tempdir().unwrap();
    let journal = state.path().join("journal");

    let child = held_up(root, &journal);
    let workers = children(child.id());
    signal("-INT", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let partial: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&partial["complete"], &partial["totals"]["analyzed"]), (&false.into(), &3.into()));
    assert_eq!(partial["totals"]["dumps"], 4);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("interrupted: 3 of 4 dumps"), "{said}");
    assert!(!workers.is_empty() && workers.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));

    // What was killed outright leaves a torn line.
    let mut lines = fs::read(&journal).unwrap();
    lines.truncate(lines.len() - 100);
    fs::write(&journal, lines).unwrap();
    fs::write(root.join("slow"), "").unwrap();
    let run = triage(&[text(root), "--no-files", "-f", "json", "--resume", text(&journal)]);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("2 of 3 dumps are in the journal"), "{}", run.stderr);
    let resumed: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&resumed["complete"], &resumed["totals"]["analyzed"]), (&true.into(), &3.into()));
    fs::remove_file(root.join("slow")).unwrap();
    assert_eq!(triage(&[text(root), "--no-files", "-f", "json"]).text(), run.text());
}

#[test]
fn workers_end_with_who_started_them_and_a_killed_one_is_a_failure() {
    let folder = good_cores();
    let root = folder.path();
    fs::write(root.join("slow"), endless(&core_without_python(b"x"))).unwrap();
    let state = tempfile::tempdir().unwrap();
    let mut child = held_up(root, &state.path().join("one"));
    let workers = children(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let started = Instant::now();
    let lives =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"));
    while workers.iter().any(lives) {
        assert!(started.elapsed() < LIMIT, "a worker lives on");
        std::thread::sleep(Duration::from_millis(20));
    }

    let child = held_up(root, &state.path().join("two"));
    for worker in children(child.id()) {
        // One that has nothing left to do may have ended already.
        let _ = Command::new("kill").args(["-ABRT", &worker.to_string()]).stderr(Stdio::null()).status();
    }
    let output = child.wait_with_output().unwrap();
    let triage: Value = serde_json::from_slice(&output.stdout).unwrap();
    let failure = &triage["failures"][0];
    assert_eq!((&triage["totals"]["failed"], &failure["kind"]), (&1.into(), &"crashed".into()), "{failure}");
    assert!(failure["message"].as_str().unwrap().contains("signal: 6"), "{failure}");
}
