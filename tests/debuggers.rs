//! gdb and lldb, driven in batch on live processes and on cores: what the commands print, and the reports that they
//! write, against what the processes wrote down of themselves, and against `pycore analyze`.
//!
//! `PYCORE_TEST_DEBUGGERS=full` takes more programs; by default there is one live process and one core of each
//! interpreter.

use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::compare::{compare, field, list};
use pycore_tests::cores::{RecordedCore, corpus, recorded};
use pycore_tests::debuggers::{Debugger, MARK, Target, debuggers};
use pycore_tests::interpreters::{Interpreter, interpreters};
use pycore_tests::program;
use pycore_tests::truth::{Thread, Truth};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

const WHOLE: &str = "--format json --locals --tasks --depth 20 --max-items 100000 --max-string 1000000";
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let full = std::env::var("PYCORE_TEST_DEBUGGERS").is_ok_and(|value| value == "full");
    let debuggers = debuggers();
    for kind in ["gdb", "lldb"] {
        if !debuggers.iter().any(|one| one.name().starts_with(kind)) {
            eprintln!("no {kind} with Python: nothing is tested with it; scripts/setup-tests installs one");
        }
    }
    let mut trials = Vec::new();
    for debugger in &debuggers {
        for python in interpreters() {
            let programs: &[&str] =
                if full { &["exceptions", "threads", "values_containers"] } else { &["exceptions"] };
            for program in programs {
                let (debugger, python) = (debugger.clone(), python.clone());
                let name = format!("{}/{}/live/{program}", debugger.name(), python.name);
                trials.push(Trial::test(name, move || live(&debugger, &python, program)));
            }
        }
        for core in recorded().into_iter().filter(|core| is_wanted(core, full)) {
            let debugger = debugger.clone();
            let name = format!("{}/{}", debugger.name(), core.name);
            trials.push(Trial::test(name, move || on_core(&debugger, &core)));
        }
        type Test = fn(&Debugger) -> Result<(), Failed>;
        let others: [(&str, Test); 6] = [
            ("without_a_process", without_a_process),
            ("without_python", without_python),
            ("interrupted", interrupted),
            ("exec_refused", exec_refused),
            ("exec_in_malloc", exec_in_malloc),
            ("exec_in_a_busy_thread", exec_in_a_busy_thread),
        ];
        for (name, test) in others {
            let debugger = debugger.clone();
            trials.push(Trial::test(format!("{}/{name}", debugger.name()), move || test(&debugger)));
        }
    }
    let multiarch = Debugger::Gdb("gdb-multiarch".to_owned());
    for core in
        corpus().into_iter().filter(|core| multiarch.has_python() && core.python.ends_with("-aarch64"))
    {
        let debugger = multiarch.clone();
        trials.push(Trial::test(format!("gdb-multiarch/{}", core.name), move || {
            on_other_machine(&debugger, &core)
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Whether a core is read by the debuggers: by default one of each interpreter, stripped where there is such a copy.
fn is_wanted(core: &RecordedCore, full: bool) -> bool {
    let Some((variant, program)) =
        core.name.split('/').skip(1).collect::<Vec<_>>().try_into().ok().map(|[a, b]: [&str; 2]| (a, b))
    else {
        return false;
    };
    let machine = ["-windows", "-aarch64", "-stub"].iter().all(|end| !core.python.ends_with(end));
    let is_first = variant == "stripped" || variant == "kernel" && (core.python.ends_with("-static"));
    let programs: &[&str] = if full {
        &["threads", "exceptions", "values_containers", "asyncio_task", "segfault"]
    } else {
        &["threads"]
    };
    machine && programs.contains(&program) && (is_first || full && ["kernel", "gcore"].contains(&variant))
}

fn live(debugger: &Debugger, python: &Interpreter, program: &str) -> Result<(), Failed> {
    let mut living = python.start(program)?;
    let truth = living.truth()?;
    let local = some_local(&truth);
    let report = living.folder().join("report.json");
    let (write, print) = (format!("py-report {} {WHOLE}", report.display()), format!("py-print {local}"));
    let allow = allow_exec(debugger);
    let commands = [
        &write,
        "py-bt-all",
        "py-threads",
        "py-locals",
        &print,
        "py-up",
        "py-locals",
        "py-exc",
        "py-gil",
        "py-exec 1",
        allow,
        "py-exec --now 6*7",
        "py-exec --now 1/0",
    ];
    let said = debugger.run(Target::Process(living.pid()), &commands)?;
    // What the kernel tells of a process in a tree of files of its own are paths from the outside.
    let is_known = |path: &str| !(python.is_in_tree() && path == "process.executable");
    compare_report(&truth, &report, is_known)?;
    compare_texts(&truth, &said[1..8])?;
    expect(&said[9], "it has to be allowed first")?;
    if python.is_in_tree() {
        // The debugger has the files of this machine, or those of the tree.
        if !said[11].contains("Refused: ") {
            expect(&said[11], "42\n")?;
        }
    } else {
        expect(&said[11], "42\n")?;
        expect(&said[12], "ZeroDivisionError")?;
    }
    if living.is_alive() { Ok(()) } else { Err("the process did not survive".into()) }
}

fn on_core(debugger: &Debugger, core: &RecordedCore) -> Result<(), Failed> {
    let truth = Truth::read(&core.truth)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let report = folder.path().join("report.json");
    let (write, local) = (format!("py-report {} {WHOLE}", report.display()), some_local(&truth));
    let print = format!("py-print {local}");
    let sysroot = core.arguments.iter().skip_while(|one| *one != "--sysroot").nth(1);
    let executable = sysroot.map(|root| Path::new(root).join(truth.executable.trim_start_matches('/')));
    let begin = match (debugger, sysroot) {
        (Debugger::Gdb(_), Some(root)) => format!("set sysroot {root}"),
        (Debugger::Gdb(_), None) => "show version".to_owned(),
        (Debugger::Lldb(_), _) => "version".to_owned(),
    };
    let commands = [
        &begin,
        &write,
        "py-bt-all",
        "py-threads",
        "py-locals",
        &print,
        "py-up",
        "py-locals",
        "py-exc",
        "py-exec 1",
    ];
    let said = debugger.run(Target::Core(&core.core, executable.as_deref()), &commands)?;
    compare_report(&truth, &report, |path| !is_left_out(path))?;
    compare_texts(&truth, &said[2..9])?;
    compare_with_program(core, &report)
}

/// A core of another machine, whose files are not at hand.
fn on_other_machine(debugger: &Debugger, core: &RecordedCore) -> Result<(), Failed> {
    let truth = Truth::read(&core.truth)?;
    let plain = core.decompressed()?;
    let said = debugger.run(Target::Core(plain.path(), None), &["py-bt-all"])?;
    let shown = tracebacks(&said[0]);
    for thread in truth.threads.iter().filter(|thread| thread.python) {
        if shown.get(&thread.tid) != Some(&lines(thread)) {
            return Err(format!("thread {}: {:?}\n{}", thread.tid, lines(thread), said[0]).into());
        }
    }
    Ok(())
}

/// What a debugger does not tell of a core.
fn is_left_out(path: &str) -> bool {
    ["process.command_line", "process.executable", "process.signal.address"].contains(&path)
}

fn compare_report(truth: &Truth, report: &Path, is_known: impl Fn(&str) -> bool) -> Result<(), Failed> {
    let text = std::fs::read(report).map_err(|error| format!("no report was written: {error}"))?;
    let report: Json = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let mut comparison = compare(truth, &report);
    comparison.mismatches.retain(|one| is_known(&one.path));
    if truth.threads.iter().map(|thread| thread.frames.len()).sum::<usize>() > comparison.tally.frames_right {
        return Err(format!(
            "only {} frames are right\n{}",
            comparison.tally.frames_right,
            comparison.message()
        )
        .into());
    }
    if comparison.mismatches.is_empty() { Ok(()) } else { Err(comparison.message().into()) }
}

/// The report that a debugger wrote of a core, and that of `pycore analyze`: all about Python is the same.
fn compare_with_program(core: &RecordedCore, report: &Path) -> Result<(), Failed> {
    let path = core.core.display().to_string();
    let whole: Vec<&str> = WHOLE.split(' ').collect();
    let mut arguments = vec!["analyze", &path];
    arguments.extend(whole);
    arguments.extend(core.arguments.iter().map(String::as_str));
    let run = program::run(&arguments, LIMIT)?;
    let read = |text: &[u8]| serde_json::from_slice::<Json>(text).map_err(|error| error.to_string());
    let (ours, theirs) = (read(&std::fs::read(report)?)?, read(&run.stdout)?);
    for part in ["version", "layout", "interpreters", "free_threaded", "debug_build"] {
        let [one, other] = [&ours, &theirs].map(|report| field(field(report, "python"), part).clone());
        if one != other {
            return Err(
                format!("python.{part} differs: {one} in the debugger, {other} in pycore analyze").into()
            );
        }
    }
    for part in ["tasks", "generators", "greenlets"] {
        if field(&ours, part) != field(&theirs, part) {
            return Err(format!("{part} differ from those of pycore analyze").into());
        }
    }
    let (ours, theirs) = (list(&ours, "threads"), list(&theirs, "threads"));
    if ours.len() != theirs.len() {
        return Err(format!("{} threads, {} in pycore analyze", ours.len(), theirs.len()).into());
    }
    for (ours, theirs) in ours.iter().zip(theirs) {
        for part in ["tid", "name", "main", "crashed", "holds_gil", "waiting_for_gil", "frames", "exceptions"]
        {
            let (ours, theirs) = (field(ours, part), field(theirs, part));
            // No register of lldb tells the system call that a thread of a core is in.
            if ours != theirs && !(part == "waiting_for_gil" && *ours == Json::Bool(false)) {
                return Err(format!(
                    "threads[].{part} differs from that of pycore analyze:\n{ours}\n{theirs}"
                )
                .into());
            }
        }
    }
    Ok(())
}

/// A line of a traceback.
type Line = (String, u32, String);

/// The lines of a thread's traceback, outermost first.
fn lines(thread: &Thread) -> Vec<Line> {
    let frames = thread.frames.iter().rev();
    frames.map(|frame| (frame.file.clone(), frame.line, frame.function.clone())).collect()
}

/// What `py-bt-all`, `py-threads`, `py-locals`, `py-print`, `py-up`, `py-locals` and `py-exc` printed.
fn compare_texts(truth: &Truth, said: &[String]) -> Result<(), Failed> {
    let python = || truth.threads.iter().filter(|thread| thread.python);
    let shown = tracebacks(&said[0]);
    for thread in python() {
        let expected = lines(thread);
        if shown.get(&thread.tid) != Some(&expected) {
            return Err(format!(
                "py-bt-all, thread {}: {expected:?}\nshown: {:?}\n{}",
                thread.tid,
                shown.get(&thread.tid),
                said[0]
            )
            .into());
        }
    }
    for thread in &truth.threads {
        let line =
            said[1].lines().find(|line| line.split_whitespace().any(|word| word == thread.tid.to_string()));
        let line = line.ok_or_else(|| format!("py-threads does not list {}:\n{}", thread.tid, said[1]))?;
        if thread.python && thread.holds_gil != line.contains("holds the GIL") {
            return Err(format!("who holds the GIL: {line}").into());
        }
    }
    let thread = main_thread(truth);
    compare_variables(thread, 0, &said[2])?;
    let name = some_local(truth);
    if let Some(value) = thread.frames[0].locals.get(name).filter(|_| !thread.frames[0].namespace) {
        let start = format!("{name} = ");
        let found = said[3].lines().find_map(|line| line.strip_prefix(&start));
        if !found.is_some_and(|text| text == value.repr || value.accept.iter().any(|one| one == text)) {
            return Err(format!("py-print {name}: {} expected\n{}", value.repr, said[3]).into());
        }
    }
    if thread.frames.len() > 1 {
        expect(&said[4], &format!("line {}, in {}", thread.frames[1].line, thread.frames[1].function))?;
        compare_variables(thread, 1, &said[5])?;
    } else {
        expect(&said[4], "there is none above it")?;
    }
    for exception in thread.handling.iter().flatten().filter_map(|key| truth.exceptions.get(key)) {
        expect(&said[6], exception.type_name.rsplit('.').next().unwrap_or_default())?;
    }
    Ok(())
}

/// Short values that a frame has are printed as Python would.
fn compare_variables(thread: &Thread, index: usize, said: &str) -> Result<(), Failed> {
    let frame = &thread.frames[index];
    let names: BTreeSet<&str> =
        said.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    for (name, value) in frame.locals.iter().filter(|_| !frame.namespace) {
        if !names.contains(name.as_str()) {
            return Err(format!("py-locals of frame {index} has no {name}:\n{said}").into());
        }
        let is_plain = ["int", "str", "bool", "NoneType", "float"].contains(&value.type_name.as_str());
        if is_plain && value.repr.len() < 100 {
            expect(said, &format!("{name} = {}\n", value.repr))?;
        }
    }
    Ok(())
}

/// The debugger selects the thread that a process began with, or that ended it.
fn main_thread(truth: &Truth) -> &Thread {
    let wanted = truth.crashed_tid.unwrap_or(truth.pid);
    truth.threads.iter().find(|thread| thread.tid == wanted).expect("the main thread")
}

/// A variable of the frame that is selected at first.
fn some_local(truth: &Truth) -> &str {
    let frame = &main_thread(truth).frames[0];
    let short = frame.locals.iter().find(|(_, value)| value.repr.len() < 60 && !value.opaque);
    short.map_or("__name__", |(name, _)| name)
}

fn tracebacks(text: &str) -> BTreeMap<u32, Vec<Line>> {
    let mut found: BTreeMap<u32, Vec<Line>> = BTreeMap::new();
    let mut tids: Vec<u32> = Vec::new();
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("(tid ") {
            let tid = rest.split_once(')').and_then(|(tid, _)| tid.parse().ok());
            tids = tid.into_iter().collect();
        } else if let Some((_, rest)) = line.split_once(" threads like this: ") {
            let rest = rest.split_once("(tids ").map_or(rest, |(_, tids)| tids);
            tids = rest
                .split(['"', ')'])
                .next()
                .into_iter()
                .flat_map(|list| list.split(", "))
                .flat_map(tids_of)
                .collect();
        } else if let Some(rest) = line.strip_prefix("  File \"") {
            let parsed = rest.split_once("\", line ").and_then(|(file, rest)| {
                let (number, function) = rest.split_once(", in ")?;
                Some((file.to_owned(), number.parse().ok()?, function.to_owned()))
            });
            for tid in &tids {
                found.entry(*tid).or_default().extend(parsed.clone());
            }
        } else if let Some(rest) = line.strip_prefix("  [Previous line repeated ") {
            let more = rest.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            for tid in &tids {
                let frames = found.entry(*tid).or_default();
                let last = frames.last().cloned();
                frames.extend(last.into_iter().cycle().take(more));
            }
        }
    }
    found
}

/// `7` or `7-9`.
fn tids_of(text: &str) -> std::ops::RangeInclusive<u32> {
    let mut ends = text.trim().splitn(2, '-').map(|end| end.parse().unwrap_or(0));
    let first = ends.next().unwrap_or(0);
    first..=ends.next().unwrap_or(first)
}

fn expect(said: &str, part: &str) -> Result<(), Failed> {
    if said.contains(part) { Ok(()) } else { Err(format!("no {part:?} in:\n{said}").into()) }
}

const ALL: [&str; 15] = [
    "py-bt",
    "py-bt-all",
    "py-bt-full",
    "py-threads",
    "py-up",
    "py-locals",
    "py-print x",
    "py-exc",
    "py-tasks",
    "py-gil",
    "py-modules",
    "py-interpreters",
    "py-list",
    "py-globals",
    "py-report /dev/null",
];

fn without_a_process(debugger: &Debugger) -> Result<(), Failed> {
    let said = debugger.run(Target::Nothing, &ALL)?;
    said.iter().try_for_each(|text| expect(text, "There is no process"))
}

fn without_python(debugger: &Debugger) -> Result<(), Failed> {
    let mut sleep = Command::new("sleep").arg("600").spawn().map_err(|error| error.to_string())?;
    let said = debugger.run(Target::Process(sleep.id()), &ALL[..14]);
    let _ = sleep.kill();
    let _ = sleep.wait();
    for text in said? {
        expect(&text, "no Python")?;
        if text.contains("Traceback") {
            return Err(text.into());
        }
    }
    Ok(())
}

/// A process of many threads.
fn busy_process() -> Result<Child, Failed> {
    let code = "
import threading
event = threading.Event()
def down(n):
    values = [{'n': i, 'text': str(i) * 40} for i in range(20)]
    return down(n - 1) if n else event.wait()
for i in range(60):
    threading.Thread(target=down, args=(20,), daemon=True).start()
print('ready', flush=True)
event.wait()
";
    ready(code)
}

/// A Python that has said that it is ready.
fn ready(code: &str) -> Result<Child, Failed> {
    let mut child = Command::new("python3")
        .args(["-c", code])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line)?;
    Ok(child)
}

/// A Ctrl-C in the middle of a command ends it with a message, and the next one works.
fn interrupted(debugger: &Debugger) -> Result<(), Failed> {
    let mut process = busy_process()?;
    let done = interrupt(debugger, process.id());
    let _ = process.kill();
    let _ = process.wait();
    done
}

fn interrupt(debugger: &Debugger, pid: u32) -> Result<(), Failed> {
    let script = tempfile::NamedTempFile::new()?;
    let commands = ["py-threads", "py-bt-full --all --depth 6", "py-bt"];
    let mut tried = String::new();
    for wait in [400, 150, 40] {
        let mut command = debugger.command(Target::Process(pid), &commands, script.path())?;
        let lines = std::fs::read_to_string(script.path())?;
        let is_lldb = matches!(debugger, Debugger::Lldb(_));
        if is_lldb {
            command = debugger.interactive();
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().expect("piped");
        let (first, last) =
            lines.split_at(lines.rfind(MARK).and_then(|at| lines[..at].rfind('\n')).expect("commands") + 1);
        if is_lldb {
            input.write_all(first.as_bytes())?;
        }
        let errors = child.stderr.take().expect("piped");
        let errors = std::thread::spawn(move || std::io::read_to_string(errors).unwrap_or_default());
        let mut text = String::new();
        let mut sent = false;
        for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
            let line = line?;
            text.push_str(&line);
            text.push('\n');
            // The second command begins.
            if !sent && text.lines().filter(|line| *line == MARK).count() >= 2 {
                std::thread::sleep(Duration::from_millis(wait));
                Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
                sent = true;
                if is_lldb {
                    input.write_all(format!("{last}quit\n").as_bytes())?;
                }
            }
        }
        child.wait()?;
        let errors = errors.join().unwrap_or_default();
        let said = debugger.parts(&text, &errors, commands.len())?;
        expect(&said[2], "Traceback (most recent call last):")?;
        if said[1].contains("Interrupted") || errors.contains("Interrupted") {
            return Ok(());
        }
        tried = format!("{}\n{errors}", said[1].chars().take(2000).collect::<String>());
    }
    Err(format!("no command was interrupted:\n{tried}").into())
}

/// Where code cannot be run, a core does not try.
fn exec_refused(debugger: &Debugger) -> Result<(), Failed> {
    let Some(core) = recorded().into_iter().find(|core| is_wanted(core, false)) else { return Ok(()) };
    let allow = allow_exec(debugger);
    let said = debugger.run(Target::Core(&core.core, None), &["py-exec 1", allow, "py-exec 1"])?;
    expect(&said[0], "it has to be allowed first")?;
    expect(&said[2], "A core cannot run code")
}

/// A thread that is inside malloc is not made to run code.
fn exec_in_malloc(debugger: &Debugger) -> Result<(), Failed> {
    let mut process = ready("print('ready', flush=True)\nwhile True: bytearray(100000)")?;
    let commands: &[&str] = match debugger {
        Debugger::Gdb(_) => &[allow_exec(debugger), "break malloc", "continue", "py-exec --now 1", "delete"],
        Debugger::Lldb(_) => &[
            allow_exec(debugger),
            "breakpoint set --name malloc --shlib libc.so.6",
            "process continue",
            "py-exec --now 1",
            "breakpoint delete --force",
        ],
    };
    let said = debugger.run(Target::Process(process.id()), commands);
    let is_alive = matches!(process.try_wait(), Ok(None));
    let _ = process.kill();
    let _ = process.wait();
    let said = said?;
    expect(&said[3], "Refused: ")?;
    expect(&said[3], "malloc")?;
    if is_alive { Ok(()) } else { Err("the process did not survive".into()) }
}

/// From 3.14 on a thread that executes Python is handed the code (PEP 768).
fn exec_in_a_busy_thread(debugger: &Debugger) -> Result<(), Failed> {
    let takes_code = |name: &str| ["3.14", "3.15"].iter().any(|version| name.starts_with(version));
    let pythons = interpreters().into_iter().filter(|python| takes_code(&python.name));
    for python in pythons {
        let mut process = python.run("print('ready', flush=True)\nn = 1\nwhile True: n = -n")?;
        let commands = [allow_exec(debugger), "py-exec 6 * 7 * n * n", "py-exec 1/0", "py-bt"];
        let said = debugger.run(Target::Process(process.pid()), &commands)?;
        expect(&said[1], "42\n")?;
        expect(&said[2], "ZeroDivisionError")?;
        expect(&said[3], "in <module>")?;
        if !process.is_alive() {
            return Err(format!("{} did not survive", python.name).into());
        }
    }
    Ok(())
}

fn allow_exec(debugger: &Debugger) -> &'static str {
    match debugger {
        Debugger::Gdb(_) => "set pycore allow-exec on",
        Debugger::Lldb(_) => "py-set allow-exec on",
    }
}
