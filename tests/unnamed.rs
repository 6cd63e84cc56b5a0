//! Minidumps that `scripts/record-minidumps` made of a program with threads, with all that names the interpreter
//! overwritten: its threads alone lead to it.

use aho_corasick::AhoCorasick;
use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::analysis::{WHOLE, analyze_and_compare};
use pycore_tests::cores::{RecordedCore, recorded};
use pycore_tests::program;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// The symbol and the section.
const NAMES: [&str; 2] = ["_PyRuntime", "PyRuntim"];
/// From 3.13 a table is that of one patch release only, and `_Py_DebugOffsets` give the places of others; their cookie
/// names the interpreter, so it has to go, and they with it.
const WITH_OFFSETS: [&str; 3] = ["3.13", "3.14", "3.15"];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let is_wanted = |core: &RecordedCore| {
        core.python.ends_with("-windows")
            && core.name.ends_with("/threads")
            && !WITH_OFFSETS.iter().any(|version| core.python.starts_with(version))
    };
    let trials = recorded().into_iter().filter(is_wanted);
    let trials = trials.map(|core| Trial::test(core.name.clone(), move || check(&core)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn check(core: &RecordedCore) -> Result<(), Failed> {
    let mut bytes = std::fs::read(&core.core)?;
    if core.core.extension().is_some_and(|extension| extension == "zst") {
        bytes = zstd::decode_all(bytes.as_slice())?;
    }
    let named = AhoCorasick::new(NAMES)?;
    let places: Vec<usize> = named.find_iter(&bytes).map(|found| found.start()).collect();
    for &at in &places {
        bytes[at] = b'#';
    }
    if places.is_empty() {
        return Err("nothing names the interpreter".into());
    }
    let mut file = tempfile::Builder::new().prefix("pycore-").suffix(".dmp").tempfile()?;
    file.write_all(&bytes)?;
    drop(bytes);
    let arguments = ["--no-files".to_owned()];
    let path = file.path().display().to_string();
    let mut command = vec!["analyze", path.as_str(), arguments[0].as_str()];
    command.extend(WHOLE);
    let run = program::run(&command, Duration::from_secs(60))?;
    let report: Value = serde_json::from_slice(&run.stdout)?;
    let method = &report["python"]["evidence"][0]["method"];
    if method != "scan" {
        return Err(format!("found by {method}").into());
    }
    let comparison = analyze_and_compare(file.path(), &core.truth, &arguments)?;
    if comparison.mismatches.is_empty() { Ok(()) } else { Err(comparison.message().into()) }
}
