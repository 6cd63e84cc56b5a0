//! Cores cut off at every hundredth of their size: no panic, and no thread or frame that is not there.

use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::compare::{field, list};
use pycore_tests::cores::{RecordedCore, recorded};
use pycore_tests::program;
use pycore_tests::truth::{Frame, Truth};
use serde_json::Value as Json;
use std::fs::File;
use std::io::copy;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The cores that are cut: frames of all eras, many threads, tracebacks, a static interpreter, a debugger's core.
const CORES: [&str; 8] = [
    "3.7.16/kernel/threads",
    "3.9.18/kernel/exceptions",
    "3.11.2-static/kernel/orders",
    "3.11.7/kernel/threads",
    "3.12.1/kernel/orders",
    "3.13.0/kernel/exceptions",
    "3.13.0/stripped/threads",
    "3.13.0/gcore/threads",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cores = recorded().into_iter().filter(|core| CORES.contains(&core.name.as_str()));
    let trials = cores.flat_map(|core| {
        [("with files", None), ("alone", Some("--no-files"))].map(|(how, more)| {
            let core = core.clone();
            Trial::test(format!("{} {how}", core.name), move || check(&core, more))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn check(core: &RecordedCore, more: Option<&str>) -> Result<(), Failed> {
    let truth = Truth::read(&core.truth)?;
    let mut cut = tempfile::NamedTempFile::new()?;
    let size = copy(&mut File::open(&core.core)?, cut.as_file_mut())?;
    let (mut wrong, mut with_frames) = (Vec::new(), Vec::new());
    for percent in (1..100).rev() {
        cut.as_file().set_len(size * percent / 100)?;
        match analyze(cut.path(), more).and_then(|report| frames(&truth, report.as_ref())) {
            Ok(count) => with_frames.push((percent, count)),
            Err(what) => wrong.push(format!("cut at {percent} %: {what}")),
        }
    }
    let whole = truth.threads.iter().map(|thread| thread.frames.len()).sum::<usize>();
    let all = with_frames.iter().filter(|(_, count)| *count == whole).count();
    let some = with_frames.iter().filter(|(_, count)| *count > 0).count();
    println!("{}{}: {all} cuts with all frames, {some} with some", core.name, more.unwrap_or_default());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The report, or nothing where the file was refused.
fn analyze(core: &Path, more: Option<&str>) -> Result<Option<Json>, String> {
    let mut arguments = vec!["analyze", core.to_str().unwrap(), "--locals", "--format", "json"];
    arguments.extend(more);
    let run = program::run(&arguments, Duration::from_secs(60))?;
    if run.stderr.contains("panicked") || run.stderr.contains("bug") {
        return Err(run.stderr);
    }
    let report = || serde_json::from_slice(&run.stdout).map_err(|error| format!("not JSON: {error}"));
    match run.status.code() {
        Some(0 | 1) => report().map(Some),
        Some(2) => Ok(None),
        _ => Err(format!("{}: {}", run.status, run.stderr)),
    }
}

/// How many frames the report has; each must be one of its thread's, in the thread's order.
fn frames(truth: &Truth, report: Option<&Json>) -> Result<usize, String> {
    let Some(report) = report else { return Ok(0) };
    let mut count = 0;
    let threads = list(report, "threads").iter().filter(|thread| *field(thread, "python") == true).count();
    let there = truth.threads.iter().filter(|thread| thread.python).count();
    if threads > there {
        return Err(format!("{threads} threads with Python instead of {there}"));
    }
    for thread in list(report, "threads") {
        let tid = field(thread, "tid");
        let frames = list(thread, "frames").iter().filter(|frame| *field(frame, "kind") == "python");
        let mut expected = truth
            .threads
            .iter()
            .find(|thread| tid.as_u64() == Some(thread.tid.into()))
            .map_or(&[][..], |thread| &thread.frames)
            .iter();
        for frame in frames {
            count += 1;
            if !expected.any(|expected| is_same(expected, frame)) {
                return Err(format!(
                    "thread {tid} has no such frame there: {}",
                    frame.to_string().chars().take(300).collect::<String>()
                ));
            }
        }
    }
    Ok(count)
}

/// Whether what is known of a frame is that of the frame expected.
fn is_same(expected: &Frame, frame: &Json) -> bool {
    let agrees = |name: &str, expected: Json| field(frame, name).is_null() || *field(frame, name) == expected;
    agrees("function", expected.function.as_str().into())
        && agrees("file", expected.file.as_str().into())
        && agrees("line", expected.line.into())
}
