//! Cores of processes in which Python hides (`scripts/record-zoo`), against what their threads wrote down.

use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::compare::{field, list};
use pycore_tests::cores::fixtures;
use pycore_tests::program;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// What a report must say beside where the threads are.
#[derive(Deserialize)]
struct Expect {
    /// The exit code.
    #[serde(default)]
    exit: i32,
    /// How the version begins, of each runtime.
    #[serde(default)]
    runtimes: Option<Vec<String>>,
    /// How the version of the one runtime begins.
    version: Option<String>,
    /// The ids of its interpreters.
    interpreters: Option<Vec<i64>>,
    /// What the text must say.
    says: Option<String>,
}

/// Where a thread was, in its own words.
#[derive(Deserialize)]
struct Fact {
    frames: Vec<Frame>,
    interpreter: i64,
    version: String,
    tid: Option<u64>,
    /// There if the thread ended the process.
    crashes: Option<String>,
    /// There if the process that died was a copy of the one that wrote this.
    tid_unknown: Option<String>,
}

#[derive(Deserialize)]
struct Frame {
    function: String,
    file: String,
    line: u64,
    /// Reprs of plain values.
    locals: BTreeMap<String, String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let root = fixtures().join(".work/zoo");
    let mut names = std::fs::read_dir(&root).into_iter().flatten().flatten().collect::<Vec<_>>();
    names.retain(|entry| entry.path().join("meta.json").exists());
    names.sort_by_key(std::fs::DirEntry::file_name);
    if names.is_empty() {
        eprintln!("skipped: no cores of Python in hiding; scripts/record-zoo makes them");
    }
    let trials = names.into_iter().flat_map(|entry| {
        [None, Some("--no-files")].map(|more| {
            let folder = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = if more.is_some() { format!("{name} alone") } else { name };
            Trial::test(name, move || check(&folder, more))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn check(folder: &Path, more: Option<&str>) -> Result<(), Failed> {
    let expect: Expect = serde_json::from_slice(&std::fs::read(folder.join("expect.json"))?)?;
    let facts = std::fs::read_to_string(folder.join("facts.jsonl")).unwrap_or_default();
    let facts = facts.lines().map(serde_json::from_str).collect::<Result<Vec<Fact>, _>>()?;
    let mut differences = Vec::new();
    let report = analyze(folder, more, "json", expect.exit, &mut differences)?;
    let report: Json = serde_json::from_str(&report).map_err(|error| format!("not JSON: {error}"))?;
    if let Some(says) = &expect.says {
        let text = analyze(folder, more, "text", expect.exit, &mut differences)?;
        if !text.contains(says.as_str()) {
            differences.push(format!("says {says:?}: {}", text.lines().next().unwrap_or_default()));
        }
    }
    check_runtimes(&expect, &report, &mut differences);
    for fact in &facts {
        check_thread(fact, &report, &mut differences);
    }
    if expect.exit == 1 {
        let threads = list(&report, "threads").iter();
        let shown =
            threads.flat_map(|thread| list(thread, "frames")).find(|frame| *field(frame, "kind") == "python");
        differences.extend(shown.map(|frame| format!("no Python frame, but {frame}")));
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}

fn analyze(
    folder: &Path,
    more: Option<&str>,
    format: &str,
    exit: i32,
    differences: &mut Vec<String>,
) -> Result<String, String> {
    let core = folder.join("core");
    let mut arguments = vec!["analyze", core.to_str().ok_or("a name")?, "--locals", "--format", format];
    arguments.extend(more);
    let run = program::run(&arguments, Duration::from_secs(60))?;
    if run.status.code() != Some(exit) {
        let shown = run.text();
        let said = shown.lines().find(|line| line.contains("summary")).unwrap_or_default().trim();
        differences.push(format!("exit code {exit}: {}, {said} {}", run.status, run.stderr));
    }
    Ok(run.text())
}

fn check_runtimes(expect: &Expect, report: &Json, differences: &mut Vec<String>) {
    let pythons: Vec<&Json> = report.get("python").into_iter().chain(list(report, "other_pythons")).collect();
    let mut versions: Vec<&str> =
        pythons.iter().map(|python| field(python, "version").as_str().unwrap_or("?")).collect();
    versions.sort_unstable();
    let expected = match (&expect.runtimes, &expect.version) {
        (Some(runtimes), _) => runtimes.clone(),
        (None, Some(version)) => vec![version.clone()],
        (None, None) => return,
    };
    let agree = versions.len() == expected.len()
        && versions.iter().zip(&expected).all(|(version, expected)| version.starts_with(expected.as_str()));
    if !agree {
        differences.push(format!("runtimes {expected:?}: {versions:?}"));
    }
    if let (Some(expected), Some(python)) = (&expect.interpreters, pythons.first()) {
        let interpreters = list(python, "interpreters");
        let mut ids: Vec<i64> =
            interpreters.iter().filter_map(|interpreter| field(interpreter, "id").as_i64()).collect();
        ids.sort_unstable();
        if ids != *expected {
            differences.push(format!("interpreters {expected:?}: {ids:?}"));
        }
    }
}

fn check_thread(fact: &Fact, report: &Json, differences: &mut Vec<String>) {
    let threads = list(report, "threads");
    let crashed = || threads.iter().find(|thread| *field(thread, "crashed") == true);
    let thread = match fact.tid.filter(|_| fact.tid_unknown.is_none()) {
        // A native thread may have a thread state for each of several interpreters.
        Some(tid) => {
            let own = || threads.iter().filter(|thread| field(thread, "tid").as_u64() == Some(tid));
            let interpreter = Some(fact.interpreter);
            own().find(|thread| field(thread, "interpreter").as_i64() == interpreter).or_else(|| own().next())
        }
        None => crashed(),
    };
    let who = format!("thread {:?} of {}", fact.tid, fact.version);
    let Some(thread) = thread else {
        return differences.push(format!("{who}: not there"));
    };
    if fact.crashes.is_some() {
        for what in ["crashed", "holds_gil"] {
            if *field(thread, what) != true {
                differences.push(format!("{who}: {what}: {}", field(thread, what)));
            }
        }
    }
    if field(thread, "interpreter").as_i64() != Some(fact.interpreter) {
        differences.push(format!(
            "{who}: interpreter {}: {}",
            fact.interpreter,
            field(thread, "interpreter")
        ));
    }
    let frames: Vec<&Json> =
        list(thread, "frames").iter().filter(|frame| *field(frame, "kind") == "python").collect();
    let name = |frame: &Json| field(frame, "function").as_str().unwrap_or("?").to_owned();
    if frames.len() != fact.frames.len() {
        let expected: Vec<&str> = fact.frames.iter().map(|frame| frame.function.as_str()).collect();
        let shown: Vec<String> = frames.iter().map(|frame| name(frame)).collect();
        differences.push(format!("{who}: frames {expected:?}: {shown:?}"));
    }
    for (expected, frame) in fact.frames.iter().zip(frames) {
        let place = |function: &str, file: &str, line: u64| format!("{function} at {file}:{line}");
        let expected_place = place(&expected.function, &expected.file, expected.line);
        let file = field(frame, "file").as_str().unwrap_or("?");
        let found = place(&name(frame), file, field(frame, "line").as_u64().unwrap_or(0));
        if expected_place != found {
            differences.push(format!("{who}: {expected_place}: {found}"));
            continue;
        }
        for (variable, repr) in &expected.locals {
            let local = list(frame, "locals").iter().find(|local| *field(local, "name") == variable.as_str());
            let found = local.and_then(|local| field(field(local, "value"), "repr").as_str());
            if found != Some(repr) {
                differences.push(format!("{who}: {variable} in {expected_place} is {repr}: {found:?}"));
            }
        }
    }
}
