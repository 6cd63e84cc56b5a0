//! Cores as they come: packed by the tools that people use, through pipes, cut off.

use pycore_tests::cores::{RecordedCore, corpus, recorded};
use pycore_tests::program::{self, Run};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a shell script in `folder`, in which `$PYCORE` is the program.
fn shell(folder: &Path, script: &str) -> Run {
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(folder).env("PYCORE", program::path());
    program::run_command(command, LIMIT).unwrap()
}

fn has(tool: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {tool} >/dev/null")]).status().unwrap();
    if !found.success() {
        eprintln!("skipped: there is no {tool}");
    }
    found.success()
}

/// A folder with an unpacked core in it, `core`.
fn folder() -> tempfile::TempDir {
    let cores: Vec<RecordedCore> = corpus().into_iter().chain(recorded()).collect();
    let core = cores.iter().find(|core| core.name.ends_with("orders")).expect("a core of `orders`");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("core");
    if core.core.extension().is_some_and(|extension| extension == "zst") {
        std::fs::copy(core.decompressed().unwrap().path(), path).unwrap();
    } else {
        std::fs::copy(&core.core, path).unwrap();
    }
    folder
}

/// The report of a run that went well, without its source.
#[track_caller]
fn report(run: &Run) -> (Value, Value) {
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""), "{}", run.text());
    let mut report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let source = report.as_object_mut().unwrap().remove("source").unwrap();
    (source, report)
}

const ANALYZE: &str = "\"$PYCORE\" analyze --no-files --locals --format json";

/// Each tool that packs, and what packs `core` to `packed` with it.
const PACKERS: [(&str, &str); 8] = [
    ("zstd", "zstd -q -5 core -o packed"),
    ("zstd", "zstd -q --ultra -22 core -o packed"),
    ("lz4", "lz4 -q core packed"),
    ("lz4", "lz4 -q -BD -B4 --content-size core packed"),
    ("lz4", "lz4 -q -l core packed"),
    ("xz", "xz -c -6 -T2 --block-size=1MiB core > packed"),
    ("gzip", "gzip -c core > packed"),
    ("bzip2", "bzip2 -c core > packed"),
];

#[test]
fn what_any_tool_packed_is_read_from_files_and_pipes() {
    let folder = folder();
    let (_, expected) = report(&shell(folder.path(), &format!("{ANALYZE} core")));
    for (tool, command) in PACKERS {
        if !has(tool) {
            continue;
        }
        let script = format!("rm -f packed; {command} && ");
        let (source, found) = report(&shell(folder.path(), &format!("{script} {ANALYZE} packed")));
        assert!(found == expected, "{command}");
        let size = folder.path().join("packed").metadata().unwrap().len();
        assert_eq!(source["size_bytes"], size, "{command}");
        assert_eq!(source["truncated"], false, "{command}");
        let (source, found) = report(&shell(folder.path(), &format!("cat packed | {ANALYZE} -")));
        assert!(found == expected, "{command}");
        assert_eq!((&source["path"], &source["size_bytes"]), (&"-".into(), &size.into()));
    }
}

#[test]
fn standard_input_may_be_a_file_a_pipe_or_a_substitution() {
    let folder = folder();
    let (_, expected) = report(&shell(folder.path(), &format!("{ANALYZE} core")));
    let ways = [
        format!("{ANALYZE} - < core"),
        format!("cat core | {ANALYZE} -"),
        format!("{ANALYZE} <(cat core)"),
        format!("cat core | {ANALYZE} /dev/stdin"),
        format!("(head -c 4 > /dev/null; {ANALYZE} -) < <(printf junk; cat core)"),
    ];
    for way in ways {
        let (source, found) = report(&shell(folder.path(), &way));
        assert!(found == expected, "{way}");
        assert_eq!(source["truncated"], false);
    }
}

#[test]
fn other_commands_read_standard_input_too() {
    let folder = folder();
    let run = shell(folder.path(), "cat core | \"$PYCORE\" info --no-files -");
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert!(run.text().starts_with("Core     standard input ("), "{}", run.text());
    let run = shell(folder.path(), "cat core | \"$PYCORE\" shrink --no-files - -o small");
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("may hold secrets"), "{}", run.stderr);
    let (_, expected) = report(&shell(folder.path(), &format!("{ANALYZE} core")));
    assert!(report(&shell(folder.path(), &format!("{ANALYZE} small"))).1 == expected);
}

#[test]
fn what_is_no_stream_of_a_core_is_refused() {
    let folder = folder();
    for (script, wanted) in [
        ("\"$PYCORE\" analyze - < /dev/null", "is empty"),
        ("\"$PYCORE\" analyze - < .", "is a directory"),
        ("echo hello | \"$PYCORE\" analyze -", "is not an ELF file"),
        ("gzip -c < /dev/null | \"$PYCORE\" analyze -", "is empty"),
        ("head -c 20 <(gzip -c core) | \"$PYCORE\" analyze -", "cannot be unpacked"),
        ("head -c 64M /dev/zero | \"$PYCORE\" analyze - --unpack-limit 63M", "more than 66060288 bytes"),
        ("head -c 64M /dev/zero | gzip | \"$PYCORE\" analyze - --unpack-limit 1k", "more than 1024 bytes"),
        ("TMPDIR=/no/such cat core | TMPDIR=/no/such \"$PYCORE\" analyze -", "TMPDIR"),
    ] {
        let run = shell(folder.path(), script);
        assert_eq!((run.status.code(), run.text().as_str()), (Some(2), ""), "{script}: {}", run.stderr);
        assert!(run.stderr.contains(wanted), "{script}: {}", run.stderr);
        assert!(run.stderr.contains("standard input"), "{script}: {}", run.stderr);
    }
    if has("script") {
        let run = shell(folder.path(), "script -qec '\"$PYCORE\" analyze -' /dev/null");
        assert_eq!(run.status.code(), Some(2), "{run:?}");
        assert!(run.text().contains("standard input: is a terminal"), "{run:?}");
    }
}

#[test]
fn packed_cores_that_are_cut_give_what_they_hold() {
    let folder = folder();
    for (tool, command) in PACKERS {
        // A block of LZ4 is lost whole; those of 4 and 8 MiB are all of this core.
        if !has(tool) || tool == "lz4" && !command.contains("-B4") {
            continue;
        }
        let script = format!("rm -f packed; {command} && truncate -s -2000 packed && {ANALYZE} packed");
        let run = shell(folder.path(), &script);
        assert!(matches!(run.status.code(), Some(0 | 1)), "{command}: {}", run.stderr);
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(report["source"]["truncated"], true, "{command}");
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains("cut off after") && warnings.contains(tool), "{command}: {warnings}");
        assert!(warnings.contains("the dump is truncated: it holds"), "{command}: {warnings}");
        assert_eq!(report["process"]["signal"]["name"], "SIGSEGV", "{command}");
    }
}

/// Runs Python on the folder: `setxattr` has no command everywhere.
fn python(folder: &Path, code: &str) -> bool {
    Command::new("python3").args(["-c", code]).current_dir(folder).status().unwrap().success()
}

#[test]
fn names_and_attributes_of_systemd_are_told() {
    let folder = folder();
    let name = r"core.python3\x2e11.1000.0123456789abcdef0123456789abcdef.4711.1700000000123456.zst";
    let made = shell(folder.path(), &format!("zstd -q core -o '{name}'"));
    assert!(made.status.success() || !has("zstd"));
    let (source, found) = report(&shell(folder.path(), &format!("{ANALYZE} '{name}'")));
    assert_eq!(source["time"], "2023-11-14T22:13:20Z");
    assert_eq!(source["boot_id"], "0123456789abcdef0123456789abcdef");
    let warnings = found["warnings"].to_string();
    assert!(warnings.contains("the core's file name says that the process id was 4711"), "{warnings}");
    assert_ne!(found["process"]["pid"], 4711, "the core itself is right");
    assert!(found["process"]["uid"].is_u64());

    let attributes = "import os
for name, value in dict(pid='4711', signal='6', timestamp='1700000001', hostname='web\\x1b[31m1', exe='/bin/x').items():
    os.setxattr('core', 'user.coredump.' + name, value.encode())";
    if !python(folder.path(), attributes) {
        return eprintln!("skipped: the temporary directory takes no extended attributes");
    }
    for input in ["core", "- < core"] {
        let (source, found) = report(&shell(folder.path(), &format!("{ANALYZE} {input}")));
        assert_eq!(
            (&source["time"], &source["host"]),
            (&"2023-11-14T22:13:21Z".into(), &"web\x1b[31m1".into())
        );
        let warnings = found["warnings"].to_string();
        assert!(warnings.contains("systemd-coredump says that the process id was 4711"), "{warnings}");
        assert!(warnings.contains("the signal was SIGABRT") && warnings.contains("the program was /bin/x"));
    }
    let text = shell(folder.path(), "\"$PYCORE\" analyze --no-files core").text();
    assert!(text.contains("\nDied     2023-11-14T22:13:21Z on web\\x1b[31m1\n"), "{text}");
}

#[test]
fn the_files_of_abrt_and_apport_are_told() {
    let folder = folder();
    let abrt = "mkdir ccpp && cp core ccpp/coredump && cd ccpp && printf 4711 > pid && printf '1700000000\n' > time &&
        printf 'web1\n' > hostname && mkfifo executable && ln -s /dev/zero uid";
    let (source, found) = report(&shell(folder.path(), &format!("{abrt} && {ANALYZE} coredump")));
    assert_eq!((&source["time"], &source["host"]), (&"2023-11-14T22:13:20Z".into(), &"web1".into()));
    assert!(found["warnings"].to_string().contains("ABRT says that the process id was 4711"));
    let apport = "mkdir crash && cp core crash/CoreDump && cd crash && printf 6 > Signal && printf /bin/x > ExecutablePath";
    let (_, found) = report(&shell(folder.path(), &format!("{apport} && {ANALYZE} CoreDump")));
    let warnings = found["warnings"].to_string();
    assert!(warnings.contains("the signal was SIGABRT") && warnings.contains("the program was /bin/x"));
}

#[test]
fn names_with_control_characters_are_shown_harmless() {
    let folder = folder();
    let name = "core.\x1b]0;x\x07\u{202e}.1000.0123456789abcdef0123456789abcdef.4711.1700000000123456";
    std::fs::rename(folder.path().join("core"), folder.path().join(name)).unwrap();
    let run = shell(folder.path(), &format!("\"$PYCORE\" analyze --no-files '{name}'"));
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!run.text().contains(harmful), "{:?}", run.text());
    std::fs::write(folder.path().join(name), "no core").unwrap();
    let run = shell(folder.path(), &format!("\"$PYCORE\" analyze --no-files '{name}'"));
    assert_eq!(run.status.code(), Some(2));
    assert!(!run.stderr.contains(harmful), "{:?}", run.stderr);
}
