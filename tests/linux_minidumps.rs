//! Minidumps of a process on Linux, as minidump-writer (and breakpad and crashpad alike) writes them.

use minidump_writer::app_memory::AppMemory;
use minidump_writer::minidump_writer::MinidumpWriterConfig;
use pycore_tests::program;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const PROGRAM: &str = "
import time
def inner(number):
    text = 'found in the heap'
    print('ready', flush=True)
    time.sleep(600)
def outer():
    inner(7)
outer()
";

/// A Python that sleeps, ended when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

fn start() -> Option<Running> {
    let child = Command::new("python3").args(["-c", PROGRAM]).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: there is no python3");
        return None;
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    std::thread::sleep(Duration::from_millis(200));
    Some(Running(child))
}

/// All that the process can write to.
fn writable(pid: u32) -> Vec<AppMemory> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let ranges = maps.lines().filter(|line| line.contains(" rw-p ")).map(|line| {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| usize::from_str_radix(number, 16).unwrap());
        AppMemory { ptr: start, length: end - start }
    });
    ranges.collect()
}

/// Writes a minidump of the process; `None` where it may not be stopped for that.
fn write(pid: u32, memory: Vec<AppMemory>, path: &Path) -> Option<()> {
    let id = i32::try_from(pid).unwrap();
    let mut config = MinidumpWriterConfig::new(id, id);
    config.set_app_memory(memory);
    let written = config.write(&mut fs::File::create(path).unwrap());
    if let Err(error) = &written {
        eprintln!("skipped: minidump-writer cannot dump the process: {error}");
    }
    written.ok().map(|_| ())
}

fn json(command: &str, dump: &Path) -> (Option<i32>, Value) {
    let run = program::run(&[command, dump.to_str().unwrap(), "--format", "json"], LIMIT).unwrap();
    (run.status.code(), serde_json::from_slice(&run.stdout).unwrap())
}

#[test]
fn of_a_process_on_linux_all_is_shown_that_the_dump_holds() {
    let folder = tempfile::tempdir().unwrap();
    let Some(running) = start() else { return };
    let pid = running.0.id();
    let executable = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let stacks = folder.path().join("stacks.dmp");
    let whole = folder.path().join("whole.dmp");
    let wrote = write(pid, Vec::new(), &stacks).and_then(|()| write(pid, writable(pid), &whole));
    if wrote.is_none() {
        return;
    }

    let (code, report) = json("analyze", &stacks);
    assert_eq!(code, Some(1));
    let summary = report["diagnosis"]["summary"].as_str().unwrap();
    assert!(summary.contains("thread stacks only") && summary.contains("gcore"), "{summary}");
    assert_eq!(report["threads"][0]["tid"], pid);
    assert!(report["threads"][0]["native_location"]["address"].is_string());

    let (code, report) = json("analyze", &whole);
    assert_eq!(code, Some(0), "{}", report["diagnosis"]);
    assert_eq!(report["process"]["pid"], pid);
    assert_eq!(report["process"]["executable"], executable.to_str().unwrap());
    let arguments = report["process"]["command_line"].as_array().unwrap();
    assert_eq!(arguments[1..], ["-c", PROGRAM]);
    assert_eq!(report["process"]["system"]["os"], "linux");
    let frames = report["threads"][0]["frames"].as_array().unwrap();
    let functions: Vec<_> = frames.iter().map(|frame| frame["function"].as_str().unwrap()).collect();
    assert_eq!(functions, ["inner", "outer", "<module>"]);
    assert_eq!(frames[0]["line"], 6);

    let (_, info) = json("info", &whole);
    let main = &info["modules"][0];
    assert_eq!(main["path"], executable.to_str().unwrap());
    assert_eq!(main["file"], executable.to_str().unwrap(), "found by its build id: {main}");
}
