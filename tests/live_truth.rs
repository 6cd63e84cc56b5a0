//! Live processes, against what they know of themselves: the programs of recorded cores, run once more and left waiting.
//!
//! By default two programs of each interpreter, one of them with the stripped one; `PYCORE_FULL=1`: all that can wait.

use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::analysis::analyze_this_and_compare;
use pycore_tests::cores::{RecordedCore, recorded};
use pycore_tests::live::{start_again, threads};
use pycore_tests::tally::{SHARE, Table};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// Which program is run with which variant of an interpreter.
const SHORT: [&str; 2] = ["/kernel/threads", "/stripped/exceptions"];
const FULL: [&str; 8] = [
    "/kernel/threads",
    "/kernel/exceptions",
    "/kernel/values_containers",
    "/kernel/asyncio_task",
    "/stripped/threads",
    "/stripped/exceptions",
    "/stripped/values_containers",
    "/venv/libraries",
];
/// Cores of these are not made by running a program on this machine as it is.
const ELSEWHERE: [&str; 3] = ["-windows/", "-stub/", "-aarch64/"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let full = std::env::var_os("PYCORE_FULL").is_some_and(|value| value != "0");
    let wanted: &[&str] = if full { &FULL } else { &SHORT };
    let cores = recorded().into_iter().filter(|core| {
        wanted.iter().any(|wanted| core.name.ends_with(wanted))
            && !ELSEWHERE.iter().any(|elsewhere| core.name.contains(elsewhere))
    });
    let table = Arc::new(Mutex::new(Table::default()));
    let trials = cores.map(|core| {
        let table = Arc::clone(&table);
        Trial::test(core.name.clone(), move || check(&core, &table))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let table = table.lock().expect("no test panics while it adds its counts");
    if table.conclude(SHARE) { conclusion.exit_code() } else { ExitCode::FAILURE }
}

fn check(core: &RecordedCore, table: &Mutex<Table>) -> Result<(), Failed> {
    let (mut process, truth) = start_again(core)?;
    let pid = process.pid().to_string();
    let before = threads(process.pid());
    let comparison = analyze_this_and_compare(&["--pid", &pid], &truth, &[])?;
    if comparison.mismatches.is_empty() {
        let moving = analyze_this_and_compare(&["--pid", &pid], &truth, &["--nonblocking".to_owned()])?;
        if !moving.mismatches.is_empty() {
            return Err(format!("--nonblocking: {}", moving.message()).into());
        }
    }
    let mut table = table.lock().expect("no test panics while it adds its counts");
    table.add(&core.python, comparison.tally);
    table.add_types(&comparison.types);
    if !comparison.mismatches.is_empty() {
        return Err(comparison.message().into());
    }
    let after = threads(process.pid());
    let asleep = after.values().all(|status| status.starts_with('S'));
    if !process.is_alive() || !asleep || !before.keys().eq(after.keys()) {
        return Err(format!("the process is not as it was: {before:?}, then {after:?}").into());
    }
    Ok(())
}
