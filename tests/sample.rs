//! `pycore sample` on programs that know what they did (tests/sampled/program.py).

use pycore_tests::program::{self, Run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sampled/program.py");
/// The functions that `shares` divides its time among.
const SHARES: [&str; 3] = ["fifty", "thirty", "twenty"];

/// Tests here measure: they run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command that runs an interpreter.
type Python = Vec<OsString>;

/// All interpreters at hand, by a name: pyenv's, the system's, those of `scripts/get-pythons`.
fn pythons() -> Vec<(String, Python)> {
    let folders = |path: &Path| {
        let found = fs::read_dir(path).into_iter().flatten().flatten();
        let mut found: Vec<_> = found.map(|entry| entry.path()).collect();
        found.sort();
        found
    };
    let pyenv = std::env::var_os("PYENV_ROOT").map_or("/root/.pyenv".into(), PathBuf::from);
    let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/.work/pythons");
    let mut pythons = vec![("system".to_owned(), vec!["/usr/bin/python3".into()])];
    for folder in folders(&pyenv.join("versions")).into_iter().chain(folders(&work)) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let own = folder.join("bin/python");
        let own = if own.exists() { own } else { folder.join("bin/python3") };
        if folder.join("lib").is_dir() && own.exists() && !folder.join("usr").exists() {
            let mut path = OsString::from("LD_LIBRARY_PATH=");
            path.push(folder.join("lib"));
            pythons.push((name, vec!["env".into(), path, own.into()]));
            continue;
        }
        for python in folders(&folder.join("usr/bin")) {
            let file = python.file_name().unwrap().to_string_lossy().into_owned();
            let minor = file.strip_prefix("python3.").is_some_and(|rest| rest.parse::<u8>().is_ok());
            if minor && fs::copy(PROGRAM, folder.join("tmp/sampled.py")).is_ok() {
                let command =
                    ["chroot".into(), folder.clone().into(), Path::new("/usr/bin").join(&file).into()];
                pythons.push((format!("{name}/{file}"), command.to_vec()));
            }
        }
    }
    pythons.retain(|(_, command)| {
        let mut command = command.iter();
        let tried = Command::new(command.next().unwrap()).args(command).args(["-c", "import zlib"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    });
    pythons
}

/// One of them: the newest of pyenv's whose name has no letters, else the system's.
fn python() -> PathBuf {
    let versions = fs::read_dir("/root/.pyenv/versions").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin/python3.12")).find(|python| python.exists());
    found.unwrap_or_else(|| "/usr/bin/python3".into())
}

/// Samples the program from its start to its end.
fn sample(options: &[&str], command: &[&str]) -> Run {
    let python = python();
    let program = [&[python.to_str().unwrap(), PROGRAM], command].concat();
    let run = program::run(&[&["sample"], options, &["--"], &program].concat(), LIMIT).unwrap();
    assert!(run.status.success(), "{run:?}");
    run
}

fn profile(options: &[&str], command: &[&str]) -> Value {
    json(&sample(&[options, &["-f", "json", "-o", "-"]].concat(), command))
}

fn json(run: &Run) -> Value {
    serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// A program that runs beside, killed at the end.
struct Beside(Child);

impl Beside {
    fn start(command: &[&str]) -> Beside {
        let child = Command::new(python()).arg(PROGRAM).args(command).stdin(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        Beside(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_else(|| panic!("{value}"))
}

/// The functions of a stack, innermost first, each with its file's name.
fn stack(profile: &Value, stack: &Value) -> Vec<(String, String)> {
    let frames = list(&stack["frames"]).iter().map(|frame| &profile["frames"][number(frame) as usize]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let file_name = |path: String| path.rsplit('/').next().unwrap().to_owned();
    frames.map(|frame| (text(&frame["function"]), file_name(text(&frame["file"])))).collect()
}

/// How many samples have each function innermost.
fn own(profile: &Value) -> BTreeMap<String, u64> {
    let mut own = BTreeMap::new();
    for found in list(&profile["stacks"]) {
        *own.entry(stack(profile, found)[0].0.clone()).or_default() += number(&found["samples"]);
    }
    own
}

/// How many samples have each function anywhere.
fn total(profile: &Value) -> BTreeMap<String, u64> {
    let mut total = BTreeMap::new();
    for found in list(&profile["stacks"]) {
        let functions: BTreeSet<_> =
            stack(profile, found).into_iter().map(|(function, _)| function).collect();
        functions.into_iter().for_each(|name| *total.entry(name).or_default() += number(&found["samples"]));
    }
    total
}

fn of(counts: &BTreeMap<String, u64>, function: &str) -> u64 {
    counts.get(function).copied().unwrap_or(0)
}

#[test]
fn shares_are_those_that_the_program_measured() {
    let _alone = alone();
    for more in [&[][..], &["--nonblocking"], &["--gil"]] {
        let (mut counts, mut spent) = ([0; 3], [0.0; 3]);
        let mut farthest = 100.0;
        // A machine with other things to do gives few samples, many of them of a program that had no processor between.
        for _ in 0..5 {
            let truth = tempfile::NamedTempFile::new().unwrap();
            let options = [&["--rate", "500"], more].concat();
            let profile = profile(&options, &["shares", "3", truth.path().to_str().unwrap()]);
            let own = own(&profile);
            let truth: Value = serde_json::from_slice(&fs::read(truth.path()).unwrap()).unwrap();
            for (function, (count, spent)) in SHARES.iter().zip(counts.iter_mut().zip(&mut spent)) {
                *count += of(&own, function);
                *spent += truth[function].as_f64().unwrap();
            }
            let sampling = &profile["sampling"];
            let (taken, missed) = (number(&sampling["taken"]), &sampling["missed"]);
            let not_read = number(&missed["torn"]) + number(&missed["unreadable"]);
            assert!(more.contains(&"--nonblocking") || not_read * 10 < taken, "{sampling}");
            assert_eq!(sampling["ended"], "process-ended");
            let percents = |parts: [f64; 3]| parts.map(|part| part * 100.0 / parts.iter().sum::<f64>());
            let (found, truth) = (percents(counts.map(|count| count as f64)), percents(spent));
            eprintln!("{more:?}: found {found:?}, it was {truth:?}, of {counts:?} samples; {sampling}");
            farthest =
                found.iter().zip(truth).map(|(found, truth)| (found - truth).abs()).fold(0.0, f64::max);
            if counts.iter().sum::<u64>() > 1000 && farthest < 3.0 {
                break;
            }
        }
        assert!(farthest < 3.0, "{more:?}");
    }
}

#[test]
fn who_waits_and_who_has_no_gil_is_told_apart() {
    let _alone = alone();
    let beside = Beside::start(&["threads", "30"]);
    let found = |options: &[&str]| {
        let pid = beside.pid();
        let options = [&["sample", &pid, "-d", "1.5", "-f", "json", "-o", "-"], options].concat();
        let run = program::run(&options, LIMIT).unwrap();
        assert!(run.status.success(), "{run:?}");
        json(&run)
    };
    let running = found(&[]);
    let counts = total(&running);
    let taken = number(&running["sampling"]["taken"]);
    assert!(of(&counts, "compressor") * 10 > taken * 6, "{counts:?} of {taken}");
    assert!(of(&counts, "worker") * 10 > taken * 6, "{counts:?} of {taken}");
    assert_eq!(of(&counts, "sleeper"), 0, "{counts:?}");
    let names: BTreeSet<_> =
        list(&running["threads"]).iter().map(|thread| thread["name"].as_str().unwrap()).collect();
    assert!(names.is_superset(&BTreeSet::from(["compressor", "worker"])), "{names:?}");
    let gil = found(&["--gil"]);
    let counts = total(&gil);
    let taken = number(&gil["sampling"]["taken"]);
    assert!(of(&counts, "worker") * 10 > taken * 8, "{counts:?} of {taken}");
    assert!(of(&counts, "compressor") * 10 < taken, "{counts:?} of {taken}");
    let all = found(&["--idle"]);
    let counts = total(&all);
    let taken = number(&all["sampling"]["taken"]);
    assert!(of(&counts, "sleeper") * 10 > taken * 9, "{counts:?} of {taken}");
    // The main thread waits for the others.
    assert!(of(&counts, "threads") * 10 > taken * 9, "{counts:?} of {taken}");
}

#[test]
fn threads_come_and_go() {
    let _alone = alone();
    let profile = profile(&["--rate", "500"], &["churn", "2"]);
    let threads: BTreeSet<_> =
        list(&profile["threads"]).iter().map(|thread| number(&thread["tid"])).collect();
    assert!(threads.len() > 20, "{threads:?}");
    assert!(of(&total(&profile), "brief") > 50);
    let sampling = &profile["sampling"];
    assert!(number(&sampling["missed"]["unreadable"]) * 20 < number(&sampling["taken"]), "{sampling}");
}

#[test]
fn code_that_lies_where_other_code_lay_has_its_own_name() {
    let _alone = alone();
    for more in [&[][..], &["--nonblocking"]] {
        let profile = profile(&[&["--rate", "1000", "--idle"], more].concat(), &["generated", "2"]);
        let mut seen = BTreeSet::new();
        for found in list(&profile["stacks"]) {
            let stack = stack(&profile, found);
            let numbered =
                |name: &str| name.rsplit(['_', '-']).next()?.trim_end_matches(".py").parse::<u32>().ok();
            let all: Vec<_> = stack.iter().flat_map(|(function, file)| [function, file]).collect();
            let numbers: BTreeSet<_> = all.iter().filter_map(|name| numbered(name)).collect();
            assert!(numbers.len() <= 1, "{stack:?}");
            // Each is met in at most the few places that its loop has, and then never again.
            seen.extend(numbers);
        }
        assert!(seen.len() > 20, "{}", seen.len());
    }
    let run = sample(&["--rate", "1000", "-F", "-f", "speedscope", "-o", "-"], &["generated", "1.5"]);
    let file = json(&run);
    let frames = list(&file["shared"]["frames"]);
    let mut last = 0;
    for sample in list(&file["profiles"][0]["samples"]) {
        let names = list(sample).iter().map(|frame| frames[number(frame) as usize]["name"].as_str().unwrap());
        let numbers = names.filter_map(|name| name.strip_prefix("outer_")?.parse::<u32>().ok());
        for number in numbers {
            assert!(number >= last, "{number} after {last}");
            last = number;
        }
    }
    assert!(last > 0);
}

#[test]
fn every_format_is_what_its_readers_take() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let beside = Beside::start(&["many", "30"]);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["a.svg", "a.speedscope.json", "a.json", "a.collapsed"] {
        let run =
            program::run(&["sample", &beside.pid(), "-d", "0.5", "-t", "-o", &path(name)], LIMIT).unwrap();
        assert!(run.status.success() && run.stdout.is_empty(), "{run:?}");
        assert!(run.stderr.contains(&path(name)) && run.stderr.contains(" total  function"), "{run:?}");
    }
    let read = |name: &str| fs::read_to_string(path(name)).unwrap();
    let document = |name: &str| serde_json::from_str::<Value>(&read(name)).unwrap();
    assert!(
        read("a.svg").contains("<svg") && read("a.svg").contains("worker") || read("a.svg").contains("deep")
    );
    let published = include_str!("sampled/speedscope-file-format-schema.json");
    let published = jsonschema::validator_for(&serde_json::from_str(published).unwrap()).unwrap();
    let errors: Vec<_> =
        published.iter_errors(&document("a.speedscope.json")).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let own = include_str!("../analyzer/schema/profile.schema.json");
    let own = jsonschema::validator_for(&serde_json::from_str(own).unwrap()).unwrap();
    let profile = document("a.json");
    let errors: Vec<_> = own.iter_errors(&profile).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(profile["schema"], "pycore.profile/1");
    let depths = list(&profile["stacks"]).iter().map(|stack| list(&stack["frames"]).len());
    assert!(depths.max() > Some(20));
    for line in read("a.collapsed").lines() {
        let (stack, count) = line.rsplit_once(' ').unwrap();
        assert!(count.parse::<u64>().is_ok(), "{line}");
        assert!(stack.split(';').skip(1).all(|frame| frame.ends_with(')') && frame.contains(" (")), "{line}");
    }
    let table = program::run(&["sample", &beside.pid(), "-d", "0.5"], LIMIT).unwrap();
    assert!(table.text().contains(" total  function") && table.text().contains("share running"), "{table:?}");
}

#[test]
fn a_process_may_end_and_a_user_may_have_enough() {
    let _alone = alone();
    let run = sampled_death(&["-f", "collapsed", "-o", "-"]);
    assert_eq!(run.status.code(), Some(7), "the command's own");
    assert!(run.stderr.contains("then the process ended"), "{run:?}");
    assert!(run.text().contains("burn ("), "{run:?}");
    let mut beside = Beside::start(&["death", "1"]);
    let run = program::run(&["sample", &beside.pid(), "-d", "30"], LIMIT).unwrap();
    assert!(run.status.success() && run.text().contains("then the process ended"), "{run:?}");
    beside.0.wait().unwrap();

    let beside = Beside::start(&["many", "30"]);
    let began = Instant::now();
    let mut command = Command::new(program::path());
    command.args(["sample", &beside.pid(), "-d", "30"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let pycore = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let interrupted = Command::new("kill").args(["-INT", &pycore.id().to_string()]).status();
    assert!(interrupted.is_ok_and(|status| status.success()));
    let output = pycore.wait_with_output().unwrap();
    assert!(output.status.success() && began.elapsed() < Duration::from_secs(20));
    assert!(String::from_utf8_lossy(&output.stdout).contains("interrupted"), "{output:?}");
    // Killed in the middle, it leaves the process as it was.
    let mut pycore = Command::new(program::path());
    let mut pycore = pycore.args(["sample", &beside.pid(), "-d", "30", "-r", "5000"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    pycore.kill().unwrap();
    pycore.wait().unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", beside.pid())).unwrap();
    assert!(status.contains("TracerPid:\t0") && !status.contains("State:\tt"), "{status}");
}

fn sampled_death(options: &[&str]) -> Run {
    let python = python();
    let command = ["--", python.to_str().unwrap(), PROGRAM, "death", "1"];
    program::run(&[&["sample"], options, &command].concat(), LIMIT).unwrap()
}

#[test]
fn what_cannot_be_sampled_is_said() {
    let _alone = alone();
    let failed = |arguments: &[&str]| {
        let run = program::run(&[&["sample"], arguments].concat(), LIMIT).unwrap();
        (run.status.code(), run.stderr)
    };
    let (code, message) = failed(&["999999999"]);
    assert!(code == Some(2) && message.contains("999999999"), "{message}");
    let mut sleep = Command::new("sleep").arg("30").spawn().unwrap();
    let (code, message) = failed(&[&sleep.id().to_string()]);
    assert!(code == Some(2) && message.contains("interpreter"), "{message}");
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    let (code, message) = failed(&["--", "sh", "-c", "exit 3"]);
    assert!(code == Some(2) && message.contains("no Python interpreter was found"), "{message}");
    let (code, message) = failed(&["--", "/nonexistent/python"]);
    assert!(code == Some(2) && message.contains("/nonexistent/python"), "{message}");
    let (code, message) = failed(&["1", "-o", "/nonexistent/a.svg"]);
    assert!(code == Some(2) && message.contains("no such folder"), "{message}");
}

#[test]
fn every_interpreter_at_hand_is_sampled() {
    let _alone = alone();
    let mut problems = Vec::new();
    for (name, command) in pythons() {
        let program =
            if command.first().is_some_and(|word| word == "chroot") { "/tmp/sampled.py" } else { PROGRAM };
        let mut words: Vec<OsString> =
            ["sample", "-r", "200", "-f", "json", "-o", "-", "--"].map(OsString::from).to_vec();
        words.extend(command);
        words.extend([program, "many", "0.6"].map(OsString::from));
        let run = program::run(&words, LIMIT).unwrap();
        if !run.status.success() {
            problems.push(format!("{name}: {run:?}"));
            continue;
        }
        let profile = json(&run);
        let (sampling, counts) = (&profile["sampling"], total(&profile));
        let (taken, unreadable) = (
            number(&sampling["taken"]),
            number(&sampling["missed"]["unreadable"]) + number(&sampling["missed"]["torn"]),
        );
        let version = profile["python"][0].as_str().unwrap().to_owned();
        let burning = counts.get("burn").copied().unwrap_or(0);
        let deep = list(&profile["stacks"]).iter().filter(|stack| list(&stack["frames"]).len() > 20);
        let deep = deep.map(|stack| number(&stack["samples"])).sum::<u64>();
        eprintln!("{name}: {version}, {burning} of {taken} samples, {unreadable} not readable");
        if burning * 2 < taken
            || deep * 2 < taken
            || unreadable * 2 > taken
            || list(&profile["threads"]).len() < 8
        {
            problems.push(format!("{name}: {sampling}, {counts:?}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
