//! Live processes: that looking at them shows one moment, leaves them unharmed, and says why where it cannot be done.

use pycore_tests::compare::{field, list};
use pycore_tests::cores::fixtures;
use pycore_tests::live::{Living, threads, ticks, wait_until};
use pycore_tests::program::{self, Run};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const WORKERS: usize = 4;

/// The interpreters of this machine that `fixtures/live/busy.py` is run with.
fn pythons() -> Vec<PathBuf> {
    let home = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let versions =
        home.and_then(|home| fs::read_dir(home.join("versions")).ok()).into_iter().flatten().flatten();
    let built = fs::read_dir(fixtures().join(".work/pythons")).into_iter().flatten().flatten();
    // Those of whole Debian trees run within them only.
    let trees = versions.chain(built).map(|tree| tree.path()).filter(|tree| !tree.join("usr").exists());
    let mut found = trees.map(|tree| tree.join("bin/python3")).collect::<Vec<_>>();
    found.push(PathBuf::from("/usr/bin/python3"));
    found.retain(|path| path.exists());
    found.sort();
    assert!(!found.is_empty(), "no Python is at hand");
    found
}

fn a_python() -> PathBuf {
    pythons().into_iter().find(|python| python.starts_with("/usr")).or(pythons().pop()).expect("some")
}

/// Starts `fixtures/live/busy.py` by `command`, which has its interpreter as last argument.
fn busy(command: &mut Command) -> Living {
    let python = PathBuf::from(command.get_args().last().unwrap_or(command.get_program()));
    command.env("LD_LIBRARY_PATH", python.with_file_name("../lib"));
    command.arg(fixtures().join("live/busy.py")).arg(WORKERS.to_string()).stdout(Stdio::piped());
    let mut process = Living::start(command);
    let mut line = String::new();
    let stdout = process.stdout().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n", "{command:?}");
    process
}

fn pycore(arguments: &[&str]) -> Run {
    program::run(arguments, LIMIT).unwrap_or_else(|error| panic!("{error}"))
}

fn report(pid: u32, more: &[&str]) -> Json {
    let pid = pid.to_string();
    let run = pycore(&[&["analyze", "--pid", &pid, "--locals", "--format", "json"], more].concat());
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    serde_json::from_slice(&run.stdout).expect("JSON")
}

/// What is wrong with the stacks of `busy.py` in a report: each has to be of one descent, at one moment.
fn faults(report: &Json) -> Vec<String> {
    let mut faults = Vec::new();
    let mut workers = 0;
    for thread in list(report, "threads") {
        let frames = list(thread, "frames");
        let name = |frame: &Json| field(frame, "function").as_str().unwrap_or("?").to_owned();
        let names = frames.iter().map(name).collect::<Vec<_>>();
        workers += usize::from(names.iter().any(|name| name == "work"));
        let descent = frames
            .iter()
            .filter(|frame| field(frame, "file").as_str().is_some_and(|file| file.starts_with("busy-f")));
        let descent = descent.collect::<Vec<_>>();
        let mut counters = BTreeSet::new();
        for (frame, depth) in descent.iter().zip((1..=descent.len()).rev()) {
            let locals = list(frame, "locals").iter().map(|local| {
                let repr = field(field(local, "value"), "repr").as_str().unwrap_or("?");
                (field(local, "name").as_str().unwrap_or("?"), repr)
            });
            let locals = locals.collect::<BTreeMap<_, _>>();
            let counter = locals.get("counter").copied().unwrap_or("none");
            counters.insert(counter.to_owned());
            // Where a function calls the next one.
            let line = depth == descent.len() || *field(frame, "line") == 6;
            let fits = name(frame) == format!("f{depth}")
                && locals.get("depth") == Some(&depth.to_string().as_str())
                && locals.get("pair") == Some(&format!("({depth}, {counter})").as_str());
            if !fits || !line {
                faults.push(format!("{names:?}, at depth {depth}: {frame}"));
            }
        }
        if counters.len() > 1 {
            faults.push(format!("{names:?}: {counters:?}"));
        }
    }
    if workers != WORKERS {
        faults.push(format!("{workers} workers"));
    }
    let gaps = list(report, "gaps");
    if !gaps.is_empty() {
        faults.push(format!("{gaps:?}"));
    }
    faults
}

/// No thread is stopped, none is traced, and the workers go on.
fn assert_unharmed(process: &mut Living) {
    let pid = process.pid();
    let is_stopped = || threads(pid).values().any(|status| status.starts_with(['t', 'T']));
    assert!(wait_until(|| !is_stopped()), "stopped for good: {:?}", threads(pid));
    let before = ticks(pid);
    assert!(wait_until(|| ticks(pid) > before + 2), "it does not go on: {:?}", threads(pid));
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    assert!(status.contains("TracerPid:\t0\n"), "{status}");
    assert!(process.is_alive());
}

#[test]
fn a_busy_process_is_shown_as_it_was_at_one_moment() {
    let runs = std::env::var("PYCORE_LIVE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(64);
    let pythons = pythons();
    let each = usize::max(1, runs / pythons.len());
    for python in pythons {
        let mut process = busy(&mut Command::new(&python));
        for run in 0..each {
            let report = report(process.pid(), &[]);
            let faults = faults(&report);
            assert!(faults.is_empty(), "{}, run {run}: {faults:#?}", python.display());
        }
        assert_unharmed(&mut process);
    }
}

#[test]
fn the_state_of_threads_and_the_holder_of_the_gil_fit_each_other() {
    let process = busy(&mut Command::new(a_python()));
    let report = report(process.pid(), &[]);
    assert_eq!(*field(field(&report, "source"), "format"), "live");
    let threads = list(&report, "threads");
    let main = threads.iter().find(|thread| *field(thread, "main") == true).expect("a main thread");
    assert_eq!(*field(main, "state"), "sleeping", "{main}");
    assert!(
        field(main, "system_call")
            .as_str()
            .is_some_and(|call| call.contains("select") || call.contains("sleep"))
    );
    for thread in threads {
        assert!(field(thread, "state").is_string(), "{thread}");
        if *field(thread, "waiting_for_gil") == true {
            assert_eq!(
                (field(thread, "holds_gil"), field(thread, "system_call")),
                (&false.into(), &"futex".into())
            );
        }
    }
    let text = pycore(&["dump", &process.pid().to_string()]).text();
    assert!(text.contains("sleeping in ") && text.contains("    work ("), "{text}");
}

#[test]
fn without_stopping_the_report_says_what_may_be_torn() {
    let mut process = busy(&mut Command::new(a_python()));
    let report = report(process.pid(), &["--nonblocking"]);
    let warnings = list(&report, "warnings").iter().filter_map(Json::as_str).collect::<Vec<_>>();
    assert!(warnings.iter().any(|warning| warning.contains("--nonblocking")), "{warnings:?}");
    assert_unharmed(&mut process);
}

#[test]
fn the_process_goes_on_when_pycore_is_killed_in_the_middle() {
    let mut process = busy(&mut Command::new(a_python()));
    let pid = process.pid().to_string();
    let mut killed = 0;
    for round in 0..60 {
        let mut command = Command::new(program::path());
        let mut child =
            command.args(["dump", "--locals", &pid]).stdout(Stdio::null()).spawn().expect("pycore");
        std::thread::sleep(Duration::from_millis(round % 30));
        let _ = child.kill();
        killed += usize::from(child.wait().expect("its end").signal() == Some(9));
    }
    assert!(killed > 10, "{killed} were killed in time");
    assert_unharmed(&mut process);
    assert!(faults(&report(process.pid(), &[])).is_empty());
}

#[test]
fn a_process_that_job_control_stopped_stays_so_and_is_shown() {
    let mut process = busy(&mut Command::new(a_python()));
    let pid = process.pid();
    let all_in = |letter| threads(pid).values().all(|status| status.starts_with(letter));
    let kill = |signal: &str| {
        assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success())
    };
    kill("-STOP");
    assert!(wait_until(|| all_in('T')), "{:?}", threads(pid));
    for round in 0..10 {
        let report = report(pid, &[]);
        assert!(list(&report, "threads").iter().all(|thread| *field(thread, "state") == "stopped"));
        let mut command = Command::new(program::path());
        let mut child =
            command.args(["dump", &pid.to_string()]).stdout(Stdio::null()).spawn().expect("pycore");
        std::thread::sleep(Duration::from_millis(3 * round));
        let _ = child.kill();
        let _ = child.wait();
        assert!(wait_until(|| all_in('T')), "it does not stay stopped: {:?}", threads(pid));
    }
    kill("-CONT");
    assert_unharmed(&mut process);
}

/// Counts the signals that it takes: each is a byte in a pipe. Real-time signals are never merged.
const COUNTER: &str = "
import os, signal, sys
ours, theirs = os.pipe()
os.set_blocking(theirs, False)
signal.set_wakeup_fd(theirs)
for number in (signal.SIGUSR1, signal.SIGRTMIN + 3): signal.signal(number, lambda *_: None)
target = os.getpid()
print('ready', flush=True)
if os.fork() == 0:
    import time
    for _ in range(400):
        os.kill(target, signal.SIGRTMIN + 3)
        time.sleep(0.005)
    os._exit(0)
taken = 0
while taken < 400:
    taken += len(os.read(ours, 1000))
print('taken', taken, flush=True)
signal.pause()
";

#[test]
fn no_signal_is_lost() {
    let mut command = Command::new(a_python());
    let mut process = Living::start(command.args(["-c", COUNTER]).stdout(Stdio::piped()));
    let mut lines = BufReader::new(process.stdout().expect("piped")).lines();
    let next = std::thread::spawn(move || {
        let ready = lines.next();
        (ready, lines.next())
    });
    for _ in 0..20 {
        pycore(&["dump", &process.pid().to_string()]);
    }
    assert!(wait_until(|| next.is_finished()), "signals were lost");
    assert_eq!(next.join().unwrap().1.unwrap().unwrap(), "taken 400");
}

#[test]
fn a_process_whose_first_thread_has_ended_is_read() {
    const PROGRAM: &str = "
import ctypes, threading, time
def waits(): print('ready', flush=True); time.sleep(1000)
threading.Thread(target=waits).start()
ctypes.CDLL(None).pthread_exit(None)
";
    let mut command = Command::new(a_python());
    let process = Living::start(command.args(["-c", PROGRAM]).stdout(Stdio::null()));
    let pid = process.pid();
    assert!(wait_until(|| threads(pid).get(&pid).is_some_and(|status| status.starts_with('Z'))));
    let text = pycore(&["dump", &pid.to_string()]).text();
    assert!(text.contains("    waits (<string>:3)"), "{text}");
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do() {
    let sleep = Living::start(Command::new("sleep").arg("1000"));
    let process = busy(&mut Command::new(a_python()));
    let pid = process.pid();
    let other = *threads(pid).keys().find(|&&tid| tid != pid).expect("a second thread");
    let absent = fs::read_to_string("/proc/sys/kernel/pid_max").expect("a limit");
    let cases = [
        (absent.trim().to_owned(), 2, "there is none with this id"),
        (other.to_string(), 2, "is a thread of process"),
        (sleep.pid().to_string(), 1, ""),
        ("0".to_owned(), 2, "is not in"),
    ];
    for (pid, code, message) in cases {
        let run = pycore(&["dump", &pid]);
        assert_eq!(run.status.code(), Some(code), "{pid}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{pid}: {}", run.stderr);
    }
    assert!(pycore(&["dump", &sleep.pid().to_string()]).text().contains("no CPython interpreter was found"));
    let conflict = pycore(&["analyze", "--pid", &pid.to_string(), "core"]);
    assert_eq!(conflict.status.code(), Some(2));
    if fs::metadata("/proc/2/exe").is_err() && fs::exists("/proc/2/status").unwrap_or(false) {
        let kernel = fs::read_to_string("/proc/2/comm").unwrap_or_default();
        if kernel == "kthreadd\n" {
            let run = pycore(&["dump", "2"]);
            assert!(
                run.status.code() == Some(2) && run.stderr.contains("thread of the kernel"),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_process_that_is_traced_is_left_to_its_tracer() {
    const TRACER: &str = "
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
for tid in os.listdir('/proc/%s/task' % sys.argv[1]): libc.ptrace(0x4206, int(tid), 0, 0)
print('ready', flush=True)
time.sleep(1000)
";
    let sleep = Living::start(Command::new("sleep").arg("1000"));
    let mut command = Command::new(a_python());
    let mut tracer =
        Living::start(command.args(["-c", TRACER, &sleep.pid().to_string()]).stdout(Stdio::piped()));
    let mut line = String::new();
    BufReader::new(tracer.stdout().expect("piped")).read_line(&mut line).expect("a line");
    let run = pycore(&["dump", &sleep.pid().to_string()]);
    assert_eq!(run.status.code(), Some(2));
    assert!(run.stderr.contains(&format!("process {}", tracer.pid())), "{}", run.stderr);
    assert!(run.stderr.contains("already traces it"), "{}", run.stderr);
    assert_eq!(pycore(&["dump", "--nonblocking", &sleep.pid().to_string()]).status.code(), Some(1));
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nUid:\t0\t"))
}

#[test]
fn another_user_is_told_what_to_do() {
    if !is_root() {
        return eprintln!("only root can become another user");
    }
    let process = busy(&mut Command::new(a_python()));
    // Where everybody can reach it.
    let folder = tempfile::Builder::new().prefix("pycore-").tempdir_in("/tmp").expect("a folder");
    let copy = folder.path().join("pycore");
    fs::copy(program::path(), &copy).expect("a copy");
    assert!(Command::new("chmod").args(["755"]).args([folder.path(), &copy]).status().unwrap().success());
    for more in [None, Some("--nonblocking")] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&copy).arg("dump");
        command.args(more).arg(process.pid().to_string());
        let run = program::run_command(command, LIMIT).expect("a run");
        assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
        let expected = ["it belongs to user 0 and pycore runs as user 65534", "sudo pycore", "SYS_PTRACE"];
        assert!(expected.iter().all(|words| run.stderr.contains(words)), "{}", run.stderr);
    }
}

#[test]
fn a_process_in_a_pid_namespace_has_the_ids_of_this_side() {
    if !is_root() {
        return eprintln!("only root can make pid namespaces everywhere");
    }
    for python in pythons() {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(&python);
        let outer = busy(&mut command);
        let children =
            fs::read_to_string(format!("/proc/{0}/task/{0}/children", outer.pid())).expect("children");
        let pid: u32 = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a child");
        for more in [&[][..], &["--nonblocking"]] {
            let report = report(pid, more);
            assert_eq!(*field(field(&report, "process"), "pid"), pid);
            for thread in list(&report, "threads") {
                let frames = list(thread, "frames");
                let is_worker = frames.iter().any(|frame| *field(frame, "function") == "work");
                let tid = field(thread, "tid").as_u64().unwrap_or_default();
                // Threads that come and go may have ended.
                if is_worker || *field(thread, "main") == true {
                    assert!(
                        threads(pid).contains_key(&u32::try_from(tid).unwrap()),
                        "{}: {thread}",
                        python.display()
                    );
                    assert!(field(thread, "state").is_string(), "not joined: {}: {thread}", python.display());
                }
            }
        }
    }
}
