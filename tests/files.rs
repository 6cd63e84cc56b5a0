//! Cores whose executable and libraries are gone, or are not those of the process.
//!
//! Right where the files are found elsewhere is a matter of the truth tests (variant `moved`).

use pycore_tests::analysis::WHOLE;
use pycore_tests::compare::compare;
use pycore_tests::cores::{RecordedCore, fixtures, recorded};
use pycore_tests::program;
use pycore_tests::truth::Truth;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn moved() -> Vec<RecordedCore> {
    let mut cores = recorded();
    cores.retain(|core| core.name.ends_with("/moved/killed"));
    if cores.is_empty() {
        eprintln!("skipped: no cores of the variant `moved`; scripts/record-fixtures makes them");
    }
    cores
}

/// A right report, or none and a word on what to do.
#[track_caller]
fn assert_right_or_refused(core: &RecordedCore, more: &[&str]) {
    let path = core.core.to_str().unwrap();
    let arguments: Vec<&str> = ["analyze", path].iter().chain(&WHOLE).chain(more).copied().collect();
    let run = program::run(&arguments, Duration::from_secs(30)).unwrap();
    let report = serde_json::from_slice(&run.stdout).unwrap();
    match run.status.code() {
        Some(0) => {
            let comparison = compare(&Truth::read(&core.truth).unwrap(), &report);
            assert!(comparison.mismatches.is_empty(), "{}: {}", core.name, comparison.message());
        }
        Some(1) => {
            assert!(run.text().contains("--lib-path"), "{}: what to do is said: {}", core.name, run.text())
        }
        _ => panic!("{}: {run:?}", core.name),
    }
}

/// The library of an interpreter whose core has the given name.
fn library(core: &RecordedCore) -> Option<PathBuf> {
    let folder = fixtures().join(".work/elsewhere").join(format!("{}-killed/lib", core.python));
    let files = std::fs::read_dir(folder).ok()?;
    files.flatten().map(|file| file.path()).find(|path| path.to_string_lossy().contains("libpython"))
}

#[test]
fn files_that_are_gone_are_missed_aloud() {
    for core in moved() {
        assert_right_or_refused(&core, &[]);
    }
}

#[test]
fn a_library_of_another_build_is_not_used() {
    let cores = moved();
    for (core, other) in cores.iter().zip(cores.iter().cycle().skip(1)) {
        let (Some(own), Some(other)) = (library(core), library(other)) else { continue };
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(other, folder.path().join(own.file_name().unwrap())).unwrap();
        assert_right_or_refused(core, &["--lib-path", folder.path().to_str().unwrap()]);
    }
}

#[test]
fn a_library_that_is_cut_or_empty_does_no_harm() {
    for core in moved() {
        let Some(own) = library(&core) else { continue };
        let whole = std::fs::read(&own).unwrap();
        for length in [0, 60, 4096, whole.len() / 2, whole.len() - 100] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(own.file_name().unwrap()), &whole[..length]).unwrap();
            assert_survives(&core, folder.path());
        }
    }
}

/// What a cut library still holds may be used; it must not harm.
#[track_caller]
fn assert_survives(core: &RecordedCore, folder: &Path) {
    let arguments =
        ["analyze", core.core.to_str().unwrap(), "--locals", "--lib-path", folder.to_str().unwrap()];
    let run = program::run(&arguments, Duration::from_secs(30)).unwrap();
    assert!(matches!(run.status.code(), Some(0 | 1)), "{}: {run:?}", core.name);
}
