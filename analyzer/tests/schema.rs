//! The JSON Schemas that are checked in are those of the types.
#![allow(clippy::unwrap_used)]

use std::process::Command;

fn made(document: &str) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_pycore")).args(["schema", document]).output().unwrap();
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap()
}

#[test]
fn the_schemas_checked_in_are_up_to_date() {
    let checked_in = [
        ("report", include_str!("../schema/report.schema.json")),
        ("profile", include_str!("../schema/profile.schema.json")),
        ("triage", include_str!("../schema/triage.schema.json")),
        ("entry", include_str!("../schema/entry.schema.json")),
        ("history", include_str!("../schema/history.schema.json")),
    ];
    for (document, checked_in) in checked_in {
        assert!(
            made(document) == checked_in,
            "its types have changed; run `cargo run -p pycore -- schema {document} > \
             analyzer/schema/{document}.schema.json`"
        );
    }
}

#[test]
fn the_schema_of_rules_is_up_to_date() {
    let made =
        Command::new(env!("CARGO_BIN_EXE_pycore")).args(["triage", "rules", "schema"]).output().unwrap();
    assert!(
        String::from_utf8(made.stdout).unwrap() == include_str!("../schema/rules.schema.json"),
        "run `cargo run -p pycore -- triage rules schema > analyzer/schema/rules.schema.json`"
    );
}
