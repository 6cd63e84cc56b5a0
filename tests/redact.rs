//! `--redact`: none of the secrets of fixtures/programs/hidden.py is shown or written; all else is.

use pycore_tests::compare::{field, list};
use pycore_tests::cores::{RecordedCore, recorded};
use pycore_tests::program;
use serde_json::Value as Json;
use std::path::Path;
use std::time::Duration;

/// What every secret of the program begins with.
const SECRET: &str = "zq7";
/// What the others begin with, which are shaped like keys.
const TOKEN: &str = "eyJhbGci";
/// What the program has under names that only look like those of secrets, and beside secrets.
const KEPT: [&str; 9] = [
    "qwertz layout",
    "splits at blanks",
    "Ann Author",
    "ssh-ed25519 AAAAC3 public",
    "4096",
    "eu-north-1",
    "db.example.com",
    "text/html",
    "blue",
];

fn cores() -> Vec<RecordedCore> {
    let mut cores = recorded();
    cores.retain(|core| core.name.ends_with("/hidden"));
    if cores.is_empty() {
        eprintln!("skipped: no cores of the program `hidden`; scripts/record-fixtures makes them");
    }
    cores
}

fn analyze(core: &Path, more: &[&str]) -> String {
    let mut arguments =
        vec!["analyze", core.to_str().unwrap(), "--locals", "--tasks", "--max-string", "100000"];
    arguments.extend(["--max-items", "1000"].iter().chain(more));
    let run = program::run(&arguments, Duration::from_secs(60)).unwrap();
    assert_eq!(run.status.code(), Some(0), "{}: {}", core.display(), run.stderr);
    run.text()
}

/// Where a text shows a secret, with what stands around it; wide ones without the zeros that are between.
fn around_secret(text: &str) -> Option<String> {
    let narrow = text.replace(r"\x00", "");
    let at = narrow.find(SECRET)?;
    Some(narrow.chars().skip(narrow[..at].chars().count().saturating_sub(60)).take(120).collect())
}

/// The frames of a report without what they hold.
fn frames(report: &Json) -> Vec<String> {
    let frames = list(report, "threads").iter().flat_map(|thread| list(thread, "frames"));
    frames.map(|frame| format!("{}:{}", field(frame, "function"), field(frame, "line"))).collect()
}

/// What is missing, but for places that up to 3.6 only the symbol table of a file tells, which no core has.
fn gaps(report: &Json) -> Vec<&Json> {
    let is_symbol =
        |gap: &&Json| field(gap, "why").as_str().is_some_and(|why| why.starts_with("it is not known where "));
    list(report, "gaps").iter().filter(|gap| !is_symbol(gap)).collect()
}

#[test]
fn a_redacted_report_shows_no_secret() {
    for core in cores() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fixtures/programs");
        for format in ["text", "json", "yaml"] {
            let arguments = ["--format", format, "--source-root", sources.to_str().unwrap()];
            assert!(
                analyze(&core.core, &arguments).contains(SECRET),
                "{}: there is something to hide",
                core.name
            );
            let text = analyze(&core.core, &[&arguments[..], &["--redact"]].concat());
            assert_eq!(around_secret(&text), None, "{} as {format}", core.name);
            for kept in KEPT {
                assert!(text.contains(kept), "{} as {format}: {kept} is no secret", core.name);
            }
        }
    }
}

#[test]
fn a_redacted_report_says_what_was_hidden() {
    for core in cores() {
        let report: Json =
            serde_json::from_str(&analyze(&core.core, &["--format", "json", "--redact"])).unwrap();
        let whole: Json = serde_json::from_str(&analyze(&core.core, &["--format", "json"])).unwrap();
        assert_eq!(frames(&report), frames(&whole), "{}", core.name);
        assert!(field(&report, "redacted").as_u64().unwrap() > 20, "{}", core.name);
        assert!(field(&whole, "redacted").is_null());
        assert!(
            list(&report, "warnings")
                .iter()
                .any(|warning| warning.as_str().unwrap().starts_with("redacted: "))
        );
        let threads = list(&report, "threads");
        let main =
            list(&threads[0], "frames").iter().find(|frame| *field(frame, "function") == "main").unwrap();
        let password = list(main, "locals").iter().find(|local| *field(local, "name") == "password").unwrap();
        let password = field(password, "value");
        assert_eq!(*field(password, "repr"), "<redacted>");
        assert_eq!(*field(password, "type"), "str");
        assert_eq!(*field(password, "redacted"), true);
        assert!(field(password, "address").is_string());
        let handled = &list(field(&threads[0], "exceptions"), "handling")[0];
        assert_eq!(*field(handled, "redacted"), true);
        assert!(field(handled, "message").as_str().unwrap().ends_with("password='<redacted>' (try 3)"));
    }
}

#[test]
fn a_redacted_core_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    for core in cores() {
        let small = folder.path().join(core.name.replace('/', "-"));
        let arguments = ["shrink", core.core.to_str().unwrap(), "-o", small.to_str().unwrap(), "--redact"];
        let run = program::run(&arguments, Duration::from_secs(60)).unwrap();
        assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
        let bytes = std::fs::read(&small).unwrap();
        for (secret, width) in
            [SECRET, TOKEN].iter().flat_map(|secret| [1, 2, 4].map(|width| (secret, width)))
        {
            let wide: Vec<u8> =
                secret.bytes().flat_map(|byte| [byte, 0, 0, 0].into_iter().take(width)).collect();
            let found = bytes.windows(wide.len()).position(|window| window == wide);
            let around = found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(80)..at + 80]));
            assert_eq!(around, None, "{}: {secret}, {width} bytes wide", core.name);
        }
        let report: Json =
            serde_json::from_str(&analyze(&small, &["--format", "json", "--no-files"])).unwrap();
        let whole: Json = serde_json::from_str(&analyze(&core.core, &["--format", "json"])).unwrap();
        assert_eq!(frames(&report), frames(&whole), "{}", core.name);
        assert_eq!(gaps(&report), gaps(&whole), "{}", core.name);
        let text = report.to_string();
        for kept in KEPT {
            assert!(text.contains(kept), "{}: {kept} is no secret", core.name);
        }
        assert!(text.contains("shrink --redact"), "{}: the core says what was done to it", core.name);
    }
}
