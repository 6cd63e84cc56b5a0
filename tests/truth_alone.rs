//! Each core that `scripts/record-fixtures` made, read without any other file, against what its program knew of itself.
//!
//! Types and names that lie in read-only memory are then missing, as far as the core alone does not tell them (the type is then `?`, with a note). What is shown
//! must be right all the same: frames, lines, names and exceptions are all there, and most values.

use libtest_mimic::{Arguments, Failed, Trial};
use pycore_tests::analysis::analyze_and_compare;
use pycore_tests::cores::{RecordedCore, recorded};
use pycore_tests::tally::{SHARE_ALONE, Table};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let table = Arc::new(Mutex::new(Table::default()));
    let trials = recorded().into_iter().map(|core| {
        let table = Arc::clone(&table);
        Trial::test(core.name.clone(), move || check(&core, &table))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let table = table.lock().expect("no test panics while it adds its counts");
    table.has_some_of_each();
    if table.conclude(SHARE_ALONE) { conclusion.exit_code() } else { ExitCode::FAILURE }
}

fn check(core: &RecordedCore, table: &Mutex<Table>) -> Result<(), Failed> {
    let comparison = analyze_and_compare(&core.core, &core.truth, &["--no-files".to_owned()])?;
    let mut table = table.lock().expect("no test panics while it adds its counts");
    let is_repetitive = core.name.ends_with("/recursion");
    table.add(&core.python, if is_repetitive { comparison.tally.frames() } else { comparison.tally });
    table.add_types(&comparison.types);
    if comparison.mismatches.is_empty() { Ok(()) } else { Err(comparison.message().into()) }
}
