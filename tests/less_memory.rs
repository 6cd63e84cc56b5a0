//! Minidumps of too little memory for Python: what they hold is shown and right, and the report says what would have
//! kept the rest.

use pycore_tests::cores::recorded_in_part;
use pycore_tests::program;
use pycore_tests::truth::{Frame, Truth};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn what_they_hold_is_right_and_what_is_missing_is_said() {
    let cores = recorded_in_part();
    if cores.is_empty() {
        eprintln!("skipped: no minidumps of less than all memory; scripts/record-minidumps makes them");
    }
    for core in cores {
        let arguments = ["analyze", "--format", "json", core.core.to_str().unwrap()];
        let run = program::run(&arguments, Duration::from_secs(60)).unwrap();
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        let truth = Truth::read(&core.truth).unwrap();

        let threads = report["threads"].as_array().unwrap();
        let tids: BTreeSet<_> = threads.iter().filter_map(|thread| thread["tid"].as_u64()).collect();
        assert_eq!(tids, truth.threads.iter().map(|thread| thread.tid.into()).collect(), "{}", core.name);
        let signal = truth.signal.unwrap();
        let process = &report["process"];
        assert_eq!(process["pid"], truth.pid, "{}", core.name);
        assert_eq!(process["crashed_tid"], truth.crashed_tid.unwrap(), "{}", core.name);
        assert_eq!(process["signal"]["name"], signal.name, "{}", core.name);
        assert_eq!(process["signal"]["address"], signal.address.unwrap(), "{}", core.name);
        assert_eq!(process["exception"]["location"]["module"].as_str().map(file_name), Some("crash.dll"));

        let known: Vec<_> = truth.threads.iter().flat_map(|thread| &thread.frames).collect();
        let frames = threads.iter().flat_map(|thread| thread["frames"].as_array().unwrap());
        let frames: Vec<_> = frames.filter(|frame| frame["kind"] == "python").collect();
        for frame in &frames {
            let is_known = |one: &&Frame| {
                frame["function"] == one.function && frame["file"] == one.file && frame["line"] == one.line
            };
            assert!(known.iter().any(is_known), "{}: {frame}", core.name);
        }
        let code = if frames.is_empty() { 1 } else { 0 };
        assert_eq!(run.status.code(), Some(code), "{}: {}", core.name, run.stderr);
        let warnings = report["warnings"].to_string();
        for wanted in ["MiniDumpWithFullMemory", "procdump -ma", "DumpType=2"] {
            assert!(warnings.contains(wanted), "{}: {warnings}", core.name);
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('\\').next().unwrap_or(path)
}
