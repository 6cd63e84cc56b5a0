//! The outputs of `pycore triage` as their readers see them: the site in a real browser, and what no string of a dump
//! may become in any of them.

use pycore_tests::cores::fixtures;
use pycore_tests::program;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const GROUPS: usize = 40;
const DUMPS: usize = 25;
/// The groups whose every string is hostile, and where their crashes are.
const HOSTILE_GROUPS: [usize; 2] = [38, 39];
/// What must be markup, a command or an address nowhere.
const HOSTILE: &str = "</style></title></script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>\
    \"onload=\"window.hacked=3\" '--><!-- ]]> {{7*7}} [a](javascript:alert(4)) | `x` \u{1b}[31m\u{9b}2J\u{202e}gpj\u{0}\
    \u{ffff}\r\n::error::x\r\n##vso[task.complete]https://evil.example/ &lt; @team";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The entry of one dump.
fn entry(group: usize, dump: usize) -> Value {
    let function = format!("handle_{group}");
    let module = format!("shop.part_{group}");
    let parts = json!([{"kind": "signal", "value": "SIGSEGV"}, {"kind": "frame", "value": format!("{module}.{function}")}]);
    let python = ["3.11.7", "3.12.1", "3.13.0"][(group + dump) % 3];
    let mut entry = json!({
        "schema": "pycore.entry/1",
        "path": format!("/var/crash/night-{dump}/core.{group}"),
        "size_bytes": 1 << 20,
        "time": format!("2026-11-{:02}T0{}:00:00Z", 1 + dump, group % 10),
        "host": format!("web-{}", dump % 4),
        "redacted": true,
        "elapsed_ms": 5,
        "crash": {
            "fingerprint": {"id": format!("v1:{group:016x}"), "parts": parts},
            "summary": "python3 died of SIGSEGV",
            "category": "crash",
            "format": "elf-core",
            "arch": "x86_64",
            "os": "linux",
            "executable": "/usr/bin/python3",
            "python": python,
            "signal": if group % 4 == 3 { "SIGABRT" } else { "SIGSEGV" },
            "fault_address": "0x10",
            "exceptions": [{"type": "shop.errors.Broken", "message": format!("order {dump}"), "role": "handling"}],
            "frames": (0..8).map(|depth| json!({
                "module": module,
                "function": if depth == 0 { function.clone() } else { format!("caller_{depth}") },
                "file": format!("/srv/shop/part_{group}.py"),
                "line": 10 + depth,
            })).collect::<Vec<_>>(),
            "thread": "MainThread",
            "thread_count": 3,
            "holds_gil": true,
            "native_module": "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "libraries": ["/usr/lib/x86_64-linux-gnu/libc.so.6"],
            "text": format!("python3 died of SIGSEGV\n\n{}", "  File \"/srv/shop/part.py\", line 12, in handle\n".repeat(80)),
            "gaps": 0,
        },
    });
    if HOSTILE_GROUPS.contains(&group) {
        fill(&mut entry, &["schema", "kind", "role", "time", "id", "category"]);
    }
    entry
}

fn fill(value: &mut Value, keep: &[&str]) {
    match value {
        Value::String(text) => HOSTILE.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, keep)),
        Value::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(name, _)| !keep.contains(&name.as_str()))
                .for_each(|(_, item)| fill(item, keep));
        }
        _ => {}
    }
}

/// A folder with all outputs of a run over a thousand dumps in forty groups, and two that could not be read.
fn outputs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(make_outputs)
}

fn make_outputs() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outputs");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let failed = |path: &str| {
        json!({
            "schema": "pycore.entry/1", "path": path, "size_bytes": 1, "redacted": true, "elapsed_ms": 1,
            "failure": {"kind": "unreadable", "message": HOSTILE},
        })
    };
    let all = (0..GROUPS).flat_map(|group| (0..DUMPS).map(move |dump| entry(group, dump)));
    let entries: Vec<String> =
        all.chain([failed("/var/crash/empty"), failed(HOSTILE)]).map(|entry| entry.to_string()).collect();
    fs::write(path("entries.ndjson"), entries.join("\n")).unwrap();
    let link = |link: &str| json!({"link": link});
    let known: Vec<Value> =
        (10..20).map(|group| json!({"id": format!("v1:{group:016x}"), "title": "known"})).collect();
    fs::write(path("known.yaml"), json!({"schema": "pycore.baseline/1", "groups": known}).to_string())
        .unwrap();
    let rule = |name: &str, function: &str, set: Value| json!({"name": name, "when": {"frame": format!("*.{function}")}, "set": set});
    let rules = json!({
        "version": 1,
        "labels": {"database": "It is about the database."},
        "rules": [
            rule("db", "handle_1", json!({"severity": "critical", "labels": "database", "owner": "@shop/db", "note": "Ask them."})),
            rule("low", "handle_2", json!({"severity": "low", "owner": ["@shop/web", "@shop/db"]})),
            rule("link", "handle_3", link("https://wiki.example/crash")),
            rule("ignored", "handle_4", json!({"ignore": true})),
        ],
    });
    fs::write(path("rules.yaml"), rules.to_string()).unwrap();
    let formats = [
        ("html", "site"),
        ("text", "txt"),
        ("json", "json"),
        ("junit", "xml"),
        ("sarif", "sarif"),
        ("github", "gh"),
        ("markdown", "md"),
    ];
    let places: Vec<String> =
        formats.iter().map(|(format, name)| format!("{format}={}", path(name))).collect();
    let (entries, rules, known) = (path("entries.ndjson"), path("rules.yaml"), path("known.yaml"));
    let mut arguments = vec!["triage", "--exact", "--rules", &rules, "--baseline", &known];
    for place in &places {
        arguments.extend(["-o", place.as_str()]);
    }
    arguments.extend(["--entries", entries.as_str()]);
    let run = program::run(&arguments, LIMIT).unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn a_site_of_forty_groups_is_small_and_has_nothing_unescaped() {
    let files = files(&outputs().join("site"));
    assert_eq!(files.len(), GROUPS + 3);
    let size: u64 = files.iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!(size < 300_000, "{size} bytes");
    for path in files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "html")) {
        let page = fs::read_to_string(path).unwrap();
        assert_eq!(page.matches("<script").count(), 1, "{}", path.display());
        assert!(!page.contains("<img") && !page.contains("\"onload=\""), "{}", path.display());
        assert!(!page.contains(['\u{1b}', '\u{0}', '\u{202e}', '\r']), "{}", path.display());
    }
}

#[test]
fn no_output_lets_a_string_of_a_dump_do_anything() {
    for name in ["txt", "json", "xml", "sarif", "gh", "md"] {
        let text = fs::read_to_string(outputs().join(name)).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{0}', '\r']), "{name}");
        if matches!(name, "txt" | "gh") {
            assert!(!text.contains("##vso["), "{name}");
            let commands = text.lines().filter(|line| line.trim_start().starts_with("::")).count();
            let annotations = text
                .lines()
                .filter(|line| {
                    line.starts_with("::error ")
                        || line.starts_with("::warning ")
                        || line.starts_with("::notice ")
                })
                .count();
            assert_eq!(commands, annotations, "{name}");
        }
        if name == "md" {
            assert!(!text.contains("<script") && !text.contains("](") && !text.contains('@'));
        }
    }
}

/// The schema that OASIS publishes, `sarif-schema-2.1.0.json`.
fn schema_of_sarif() -> jsonschema::Validator {
    let packed = include_bytes!("published/sarif-schema-2.1.0.json.zst");
    let schema = String::from_utf8(zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    // A bracket too many in its patterns of languages, which JavaScript takes for a character.
    let mended = schema.replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}\\\\]?$");
    let schema = serde_json::from_str(&mended).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn sarif_is_valid_by_the_published_schema() {
    let schema = schema_of_sarif();
    let entries = tempfile::NamedTempFile::new().unwrap();
    let none = program::run(&["triage", "-f", "sarif", "--entries", text(entries.path())], LIMIT).unwrap();
    let some = fs::read_to_string(outputs().join("sarif")).unwrap();
    for log in [none.text(), some.clone()] {
        let log: Value = serde_json::from_str(&log).unwrap();
        let errors: Vec<String> = schema.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    let mut broken: Value = serde_json::from_str(&some).unwrap();
    broken["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!schema.is_valid(&broken));
}

#[test]
fn a_browser_goes_through_the_site() {
    let modules = fixtures().join(".work/site");
    let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists());
    let (Some(chromium), true) = (chromium, modules.join("node_modules/playwright-core").is_dir()) else {
        eprintln!("skipped: there is no Chromium, or scripts/setup-tests has not got what drives it");
        return;
    };
    let drive = Path::new(env!("CARGO_MANIFEST_DIR")).join("site/drive.mjs");
    let output = Command::new("timeout")
        .args([
            "-k",
            "5",
            "150",
            "node",
            text(&drive),
            text(&modules),
            text(chromium),
            text(&outputs().join("site")),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.lines().filter(|line| line.starts_with("ok ")).count() >= 12, "{said}");
}
