//! The JSON Schema that is checked in is the one of the types.

use std::process::Command;

#[test]
fn the_schema_checked_in_is_up_to_date() {
    let made = Command::new(env!("CARGO_BIN_EXE_pycore")).arg("schema").output().unwrap();
    assert!(made.status.success());
    let checked_in = include_str!("../schema/report.schema.json");
    assert!(
        String::from_utf8(made.stdout).unwrap() == checked_in,
        "the report's types have changed; run `cargo run -p pycore -- schema > analyzer/schema/report.schema.json`"
    );
}
