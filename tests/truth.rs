//! Each core that `scripts/record-fixtures` made, against what its program knew of itself before it died.
//!
//! `TRUTH_NOTED=1` lists the values that are not as Python printed them and say so.

use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::analysis::analyze_and_compare;
use pycore_tests::cores::{RecordedCore, recorded};
use pycore_tests::tally::{SHARE, Table};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Results {
    table: Table,
    noted: BTreeMap<String, Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let results = Arc::new(Mutex::new(Results::default()));
    let cores = recorded();
    if cores.is_empty() {
        eprintln!("no cores to compare: make some with scripts/record-fixtures");
    }
    let trials = cores.into_iter().map(|core| {
        let results = Arc::clone(&results);
        Trial::test(core.name.clone(), move || check(&core, &results))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let results = results.lock().expect("no test panics while it adds its counts");
    let is_enough = results.table.conclude(SHARE) & results.table.has_some_of_each();
    if std::env::var_os("TRUTH_NOTED").is_some() {
        for (name, noted) in &results.noted {
            println!("{name}: {} noted\n{}", noted.len(), noted.join("\n"));
        }
    }
    if is_enough { conclusion.exit_code() } else { ExitCode::FAILURE }
}

fn check(core: &RecordedCore, results: &Mutex<Results>) -> Result<(), Failed> {
    let comparison = analyze_and_compare(&core.core, &core.truth, &core.arguments)?;
    let mut results = results.lock().expect("no test panics while it adds its counts");
    let is_repetitive = core.name.ends_with("/recursion");
    results.table.add(&core.python, if is_repetitive { comparison.tally.frames() } else { comparison.tally });
    results.table.add_types(&comparison.types);
    let noted = comparison.noted.iter().map(|one| format!("  {one}")).collect::<Vec<_>>();
    if !noted.is_empty() {
        results.noted.insert(core.name.clone(), noted);
    }
    if comparison.mismatches.is_empty() { Ok(()) } else { Err(comparison.message().into()) }
}
