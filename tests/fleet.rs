//! `pycore.fleet` with a cluster of worker processes and stores on this machine's loopback interface.

use pycore_tests::cores::fixtures;
use pycore_tests::program;
use std::path::Path;
use std::process::Command;

#[test]
fn many_machines_say_what_one_says() {
    let python = fixtures().join(".work/venv/fleet/bin/python");
    if !python.exists() {
        return eprintln!("skipped: scripts/get-fleet gets what is missing");
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("gdb-plugin/python");
    // As its workers are new processes, they would run a file that is the main program anew.
    let mut tests = Command::new(python);
    tests
        .args(["-m", "unittest", "test_fleet"])
        .current_dir(package.join("tests"))
        .env("PYTHONPATH", &package)
        .env("PYCORE_TEST_PROGRAM", program::path())
        .env("PYCORE_TEST_DUMPS", fixtures().join("corpus"));
    let crashes = fixtures().join(".work/crashes/dumps");
    if crashes.exists() {
        tests.env("PYCORE_TEST_CRASHES", crashes);
    }
    let tested = tests.output().unwrap();
    let said = String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{said}");
    assert!(said.contains("OK"), "{said}");
}
