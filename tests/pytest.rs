//! `pycore.pytest_plugin` with real workers of pytest-xdist and processes of pytest-forked that die.

use pycore_tests::cores::fixtures;
use pycore_tests::program;
use std::path::Path;
use std::process::Command;

#[test]
fn a_test_that_a_process_died_in_has_the_report() {
    let python = fixtures().join(".work/venv/pytest/bin/python");
    if !python.exists() {
        return eprintln!("skipped: scripts/get-pytest gets what is missing");
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("gdb-plugin/python");
    let tested = Command::new(python)
        .args(["-m", "unittest", "test_pytest"])
        .current_dir(package.join("tests"))
        .env("PYTHONPATH", &package)
        .env("PYCORE_PROGRAM", program::path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{said}");
    assert!(said.contains("OK"), "{said}");
}
