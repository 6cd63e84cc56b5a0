//! The compressed cores of the repository, on any machine, against what their programs knew of themselves.

use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::analysis::analyze_and_compare;
use pycore_tests::cores::{RecordedCore, corpus, fixtures};
use pycore_tests::tally::{SHARE, Table};
use serde_yaml::Value;
use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let table = Arc::new(Mutex::new(Table::default()));
    let mut trials: Vec<Trial> = corpus()
        .into_iter()
        .map(|core| {
            let table = Arc::clone(&table);
            Trial::test(core.name.clone(), move || check(&core, &table))
        })
        .collect();
    if !trials.is_empty() {
        trials.push(Trial::test("manifest", check_manifest));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let table = table.lock().expect("no test panics while it adds its counts");
    let is_enough = table.conclude(SHARE) & table.has_some_of_each();
    if is_enough { conclusion.exit_code() } else { ExitCode::FAILURE }
}

fn check(core: &RecordedCore, table: &Mutex<Table>) -> Result<(), Failed> {
    let file = core.decompressed().map_err(|error| format!("{}: {error}", core.core.display()))?;
    let comparison = analyze_and_compare(file.path(), &core.truth, &[])?;
    let mut table = table.lock().expect("no test panics while it adds its counts");
    table.add(&core.python, comparison.tally);
    table.add_types(&comparison.types);
    if comparison.mismatches.is_empty() { Ok(()) } else { Err(comparison.message().into()) }
}

/// The manifest names each file, with its size; each version from 3.6 to 3.15 is there.
fn check_manifest() -> Result<(), Failed> {
    let text = std::fs::read_to_string(fixtures().join("manifest.yaml"))?;
    let manifest: Value = serde_yaml::from_str(&text)?;
    let entries = manifest["cores"].as_sequence().ok_or("no list of cores")?;
    let mut named = BTreeSet::new();
    let mut minors = BTreeSet::new();
    for entry in entries {
        let file = entry["file"].as_str().ok_or("an entry without a file")?;
        let size = std::fs::metadata(fixtures().join("corpus").join(file))?.len();
        if entry["size"].as_u64() != Some(size) {
            return Err(format!("{file} has {size} bytes, the manifest says otherwise").into());
        }
        let version = entry["python"].as_str().ok_or("an entry without a version")?;
        minors.extend(version.rsplit_once('.').map(|(minor, _)| minor.to_owned()));
        named.insert(file.to_owned());
    }
    let file_name = |core: &RecordedCore| core.core.file_name()?.to_str().map(str::to_owned);
    let present: BTreeSet<String> = corpus().iter().filter_map(file_name).collect();
    if named != present {
        return Err(format!("the manifest names {named:?}, there are {present:?}").into());
    }
    let missing: Vec<String> =
        (6..=15).map(|minor| format!("3.{minor}")).filter(|minor| !minors.contains(minor)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no core of {missing:?}").into()) }
}
