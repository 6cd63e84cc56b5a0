//! `pycore triage --store`: what runs leave in a database, and what it tells later.

use pycore_tests::program::{self, Run};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn triage(arguments: &[&str]) -> Run {
    program::run(&[&["triage"], arguments].concat(), LIMIT).unwrap()
}

fn answer(arguments: &[&str]) -> Value {
    let run = triage(&[arguments, &["--format", "json"]].concat());
    assert!(matches!(run.status.code(), Some(0 | 1)), "{}", run.stderr);
    serde_json::from_slice(&run.stdout).unwrap()
}

/// A PostgreSQL that ends when this does, as its standard input then ends.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Option<Server> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("scripts/test-postgres");
        let mut process = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            assert_eq!(process.wait().unwrap().code(), Some(3), "scripts/test-postgres failed");
            eprintln!("skipped on PostgreSQL: scripts/setup-tests installs it");
            return None;
        }
        Some(Server { process, url: url.trim_end().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

/// The entry of a dump that died in `function`.
fn entry(path: &str, time: &str, function: &str) -> Value {
    let id = format!("v1:{:016x}", function.bytes().fold(7u64, |hash, byte| hash * 31 + u64::from(byte)));
    let part = json!({"kind": "frame", "value": format!("app.{function}")});
    let frame = json!({"module": "app", "function": function, "file": "/srv/app.py", "line": 3});
    json!({
        "schema": "pycore.entry/1", "path": path, "size_bytes": 4096, "time": time, "redacted": true, "elapsed_ms": 3,
        "crash": {
            "fingerprint": {"id": id, "parts": [{"kind": "signal", "value": "SIGSEGV"}, part]},
            "summary": format!("SIGSEGV in {function}"), "category": "crash", "format": "elf-core",
            "arch": "x86_64", "python": "3.12.1", "signal": "SIGSEGV", "exceptions": [], "frames": [frame],
            "thread_count": 1, "libraries": [], "text": "Thread 1\n", "gaps": 0, "cut": false,
        },
    })
}

fn write(path: PathBuf, entries: &[Value]) -> String {
    let lines: Vec<String> = entries.iter().map(Value::to_string).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    path.into_os_string().into_string().unwrap()
}

const MONDAY: &str = "2026-11-16T10:00:00Z";

/// Processes that record at once, into a store that none of them has made.
fn records_of_processes_at_once(url: &str) {
    const WRITERS: usize = 8;
    const DUMPS: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<String> = (0..WRITERS)
        .map(|writer| {
            let mut entries: Vec<Value> =
                (0..DUMPS).map(|at| entry(&format!("/{writer}/core.{at}"), MONDAY, "run")).collect();
            entries.push(entry("/shared/core", MONDAY, "shared"));
            entries.push(entry(&format!("/{writer}/own"), MONDAY, &format!("own_{writer}")));
            write(folder.path().join(format!("{writer}.ndjson")), &entries)
        })
        .collect();
    let children: Vec<Child> = files
        .iter()
        .map(|file| {
            Command::new(program::path())
                .args(["triage", "--fail-on", "never", "--entries", file])
                .env("PYCORE_STORE", url)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let history = answer(&["history", "--store", url]);
    assert_eq!(
        (&history["runs"], history["groups"].as_array().unwrap().len()),
        (&json!(WRITERS), 2 + WRITERS)
    );
    let count = |title: &str| {
        let groups = history["groups"].as_array().unwrap();
        groups.iter().find(|group| group["title"].as_str().unwrap().ends_with(title)).unwrap()["count"]
            .clone()
    };
    assert_eq!((count(".run"), count(".shared")), (json!(WRITERS * DUMPS), json!(1)));
}

#[test]
fn processes_that_record_at_once_lose_nothing_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    records_of_processes_at_once(folder.path().join("store.db").to_str().unwrap());
}

#[test]
fn processes_that_record_at_once_lose_nothing_in_postgresql() {
    let Some(server) = Server::start() else { return };
    records_of_processes_at_once(&server.url);
    // A store that cannot be reached is trouble, and its password no part of what is said.
    let Some((head, tail)) = server.url.split_once("@127") else { panic!("{}", server.url) };
    let wrong = format!("{}:topsecret@127{tail}", &head[..head.rfind(':').unwrap()]);
    for arguments in [&["history", "--store", &wrong][..], &["/dev/null", "--store", &wrong]] {
        let run = triage(arguments);
        assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
        assert!(run.stderr.contains("cannot open the store postgres://tester@127.0.0.1:"), "{}", run.stderr);
        assert!(!run.stderr.contains("topsecret"), "{}", run.stderr);
    }
}

#[test]
fn a_group_is_followed_from_new_to_fixed_to_regressed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let store = at("store.db").into_os_string().into_string().unwrap();
    let run = |name: &str, entries: &[Value], more: &[&str]| {
        let file = write(at(name), entries);
        let arguments = [&["--entries", &file, "--store", &store, "--format", "json"], more].concat();
        let run = triage(&arguments);
        let found: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
        (run.status.code().unwrap(), found["groups"][0]["status"].as_str().unwrap().to_owned())
    };
    let first = [entry("/core.1", MONDAY, "run")];
    assert_eq!(run("1", &first, &[]), (1, "new".to_owned()));
    // A job that is tried again finds the same; another one knows it.
    assert_eq!(run("1", &first, &[]), (1, "new".to_owned()));
    let later = [entry("/core.2", MONDAY, "run")];
    assert_eq!(run("2", &later, &["--release", "1.0"]), (0, "known".to_owned()));
    let ids = answer(&["history", "--store", &store]);
    let id = ids["groups"][0]["id"].as_str().unwrap();
    let shown = triage(&["fixed", &id[..8], "--in", "1.1", "--note", "#12", "--store", &store]);
    assert!(
        shown.status.success() && shown.text().starts_with("fixed  "),
        "{} {}",
        shown.text(),
        shown.stderr
    );
    assert_eq!(triage(&["regressions", "--store", &store]).status.code(), Some(0));
    let again = [entry("/core.3", "2099-01-01T00:00:00Z", "run")];
    assert_eq!(run("3", &again, &["--release", "1.0"]), (0, "known".to_owned()));
    assert_eq!(run("4", &again, &["--release", "1.1"]), (1, "regressed".to_owned()));
    let regressions = triage(&["regressions", "--store", &store]);
    assert_eq!(regressions.status.code(), Some(1));
    assert!(regressions.text().contains("regressed"), "{}", regressions.text());
    let whole = triage(&["history", id, "--store", &store]).text();
    for part in ["seen again since 2099-01-01T00:00:00Z", "marked as fixed in 1.1", "/core.2", "Thread 1"] {
        assert!(whole.contains(part), "{part}: {whole}");
    }
    assert!(triage(&["trend", "--days", "3", "--store", &store]).status.success());
    let reopened = triage(&["fixed", id, "--reopen", "--store", &store]);
    assert!(reopened.text().starts_with("open  "), "{}", reopened.text());
    for arguments in
        [&["fixed", "v9:none", "--store", &store][..], &["history", "--store", "/no/such.db"], &["trend"]]
    {
        assert_eq!(triage(arguments).status.code(), Some(2));
    }
}

#[test]
fn what_was_found_is_shown_even_where_it_cannot_be_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.db").into_os_string().into_string().unwrap();
    let file = write(folder.path().join("x"), &[entry("/core.1", MONDAY, "run")]);
    assert_eq!(triage(&["--entries", &file, "--store", &store]).status.code(), Some(1));
    // The store opens, and then fails.
    let connection = rusqlite::Connection::open(&store).unwrap();
    connection.execute_batch("ALTER TABLE triage_run RENAME TO gone").unwrap();
    let run = triage(&["--entries", &file, "--store", &store]);
    assert_eq!(run.status.code(), Some(2));
    assert!(
        run.text().contains("app.run") && run.stderr.contains("the run was not recorded"),
        "{}",
        run.stderr
    );
}
