//! Shrunk cores: the same report, byte for byte, without any other file; gdb reads them as it reads the original.

use pycore_tests::cores::{RecordedCore, corpus, recorded};
use pycore_tests::program::{self, Run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// The most that a shrunk, packed core of one of these programs takes, in bytes.
const SMALL: u64 = 1 << 20;

/// Cores of each kind: many threads, deep recursion, exceptions, values, another interpreter, gcore's, files moved away.
const CHOSEN: [&str; 9] = [
    "3.13.0/kernel/threads",
    "3.12.1/kernel/recursion",
    "3.8.18/kernel/exceptions",
    "3.11.7/kernel/values_instances",
    "3.7.16/kernel/segfault_in_thread",
    "3.11.2-static/kernel/orders",
    "3.10.13/kernel/signal_handler",
    "3.13.0/gcore/threads",
    "3.9.18/moved/threads",
];

/// What a user may ask for.
const OPTIONS: [&[&str]; 4] = [
    &[],
    &["--locals"],
    &["--locals", "--depth", "10", "--max-items", "2000", "--max-string", "50000"],
    &["--locals", "--depth", "0", "--max-items", "100000", "--max-string", "1000000"],
];

fn chosen() -> Vec<RecordedCore> {
    let mut cores = recorded();
    cores.retain(|core| CHOSEN.contains(&core.name.as_str()));
    if cores.is_empty() {
        eprintln!(
            "no recorded cores (scripts/record-fixtures makes them): those of the corpus are shrunk again"
        );
        cores = corpus();
        cores.retain(|core| core.python.starts_with("3.8") || core.python.starts_with("3.13"));
    }
    cores
}

fn pycore(arguments: &[&str], more: &[String]) -> Run {
    let arguments: Vec<&str> = arguments.iter().copied().chain(more.iter().map(String::as_str)).collect();
    program::run(&arguments, LIMIT).unwrap()
}

/// Shrinks a core to a new file in `folder`.
fn shrink(core: &RecordedCore, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let arguments = ["shrink", core.core.to_str().unwrap(), "-o", path.to_str().unwrap()];
    let run = pycore(&arguments, &core.arguments);
    assert_eq!(run.status.code(), Some(0), "{}: {}", core.name, run.stderr);
    let warning = run.stderr.lines().collect::<Vec<_>>();
    assert!(matches!(warning[..], [one] if one.contains("--redact")), "{}: {warning:?}", core.name);
    path
}

/// A report without what it says of the file that it was made from.
fn report(core: &Path, format: &str, options: &[&str], more: &[String]) -> (Option<i32>, String) {
    let arguments = [&["analyze", core.to_str().unwrap(), "--format", format], options].concat();
    let run = pycore(&arguments, more);
    assert_eq!(run.stderr, "", "{}", core.display());
    let text = run.text();
    let without_source = match format {
        "json" => {
            let (before, rest) = text.split_once("\"source\": {").unwrap();
            format!("{before}{}", rest.split_once('}').unwrap().1)
        }
        _ => text.lines().filter(|line| !line.starts_with("Core     ")).collect::<Vec<_>>().join("\n"),
    };
    (run.status.code(), without_source)
}

#[test]
fn the_report_is_the_same_byte_for_byte_without_any_file() {
    let no_files = ["--no-files".to_owned()];
    for core in chosen() {
        let folder = tempfile::tempdir().unwrap();
        let small = shrink(&core, folder.path(), "small.core.zst");
        let size = small.metadata().unwrap().len();
        assert!(size < SMALL, "{} is {size} bytes", core.name);
        for (format, options) in
            OPTIONS.into_iter().flat_map(|options| [("json", options), ("text", options)])
        {
            let original = report(&core.core, format, options, &core.arguments);
            assert!(original.1.len() > 500, "{}: {}", core.name, original.1);
            for arguments in [&no_files[..], &[]] {
                let shrunk = report(&small, format, options, arguments);
                assert!(shrunk == original, "{} {format} {options:?} {arguments:?}", core.name);
            }
        }
    }
}

/// A core whose interpreter had to be searched for, as none of its files is at hand.
#[test]
fn of_a_core_alone_only_what_the_search_found_is_kept() {
    let cores = recorded();
    let Some(core) = cores.iter().find(|core| core.name == "3.8.18/moved/threads") else {
        return eprintln!("skipped: no cores of the variant `moved`; scripts/record-fixtures makes them");
    };
    let core = RecordedCore { arguments: vec!["--no-files".to_owned()], ..core.clone() };
    let folder = tempfile::tempdir().unwrap();
    let small = shrink(&core, folder.path(), "small.core.zst");
    assert!(small.metadata().unwrap().len() < SMALL);
    let original = report(&core.core, "json", &["--locals"], &core.arguments);
    assert_eq!(original.0, Some(0));
    assert!(report(&small, "json", &["--locals"], &core.arguments) == original);
}

#[test]
fn the_same_core_gives_the_same_bytes_and_a_small_core_itself_again() {
    let core = &chosen()[0];
    let folder = tempfile::tempdir().unwrap();
    for name in ["core.zst", "core.lz4", "core.xz", "core.gz", "core"] {
        let first = std::fs::read(shrink(core, folder.path(), &format!("first.{name}"))).unwrap();
        let again = std::fs::read(shrink(core, folder.path(), &format!("again.{name}"))).unwrap();
        assert!(first == again, "{name}");
    }
    let small = folder.path().join("first.core");
    let of_small = RecordedCore { core: small.clone(), ..core.clone() };
    let smaller = shrink(&of_small, folder.path(), "smaller.core");
    assert!(std::fs::read(small).unwrap() == std::fs::read(smaller).unwrap());
}

#[test]
fn the_output_may_be_standard_output_and_packed_by_request() {
    let core = &chosen()[0];
    let folder = tempfile::tempdir().unwrap();
    let plain = std::fs::read(shrink(core, folder.path(), "plain")).unwrap();
    let path = core.core.to_str().unwrap();
    assert!(pycore(&["shrink", path, "-o", "-"], &core.arguments).stdout == plain);
    for (codec, magic) in [
        ("zstd", &b"\x28\xb5\x2f\xfd"[..]),
        ("lz4", b"\x04\x22\x4d\x18"),
        ("xz", b"\xfd7zXZ"),
        ("gzip", b"\x1f\x8b"),
    ] {
        let run = pycore(&["shrink", path, "-o", "-", "--compress", codec], &core.arguments);
        assert!(run.stdout.starts_with(magic) && run.stdout.len() < plain.len() / 2, "{codec}");
        let mut child = Command::new(program::path())
            .args(["shrink", "-", "-o", "-", "--compress", "none"])
            .args(&core.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let packed = run.stdout;
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &packed));
        assert!(child.wait_with_output().unwrap().stdout == plain, "{codec}");
        writer.join().unwrap().unwrap();
    }
    let run = pycore(&["shrink", path, "-o", folder.path().join("plain").to_str().unwrap()], &core.arguments);
    assert_eq!(run.status.code(), Some(2));
    assert!(run.stderr.contains("exists"), "{}", run.stderr);
}

/// `meta.json` of a recorded core names the program that ran.
fn executable(core: &RecordedCore) -> Option<String> {
    let meta = std::fs::read(core.core.with_file_name("meta.json")).ok()?;
    let meta: serde_json::Value = serde_json::from_slice(&meta).ok()?;
    Some(meta["command"][0].as_str()?.to_owned())
}

/// What gdb says of a core, without the names of the files that it was given.
fn gdb(executable: &str, core: &Path) -> Option<String> {
    let commands = [
        "info threads",
        "info sharedlibrary",
        "thread apply all bt",
        "thread apply all info registers rip rsp fs_base",
        "print $_siginfo",
        "info auxv",
    ];
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch", executable]).arg(core);
    command.args(commands.iter().flat_map(|command| ["-ex", command]));
    let done = command.stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr))
}

#[test]
fn gdb_shows_the_same_threads_libraries_and_stacks() {
    let cores = recorded();
    let chosen = ["3.13.0/kernel/threads", "3.7.16/kernel/segfault_in_thread", "3.13.0/gcore/threads"];
    for core in cores.iter().filter(|core| chosen.contains(&core.name.as_str())) {
        let folder = tempfile::tempdir().unwrap();
        let small = shrink(core, folder.path(), "small.core");
        let Some(executable) = executable(core) else { continue };
        let Some(original) = gdb(&executable, &core.core) else {
            return eprintln!("skipped: there is no gdb");
        };
        assert!(original.contains("libc.so.6") && original.contains("\n#3 "), "{original}");
        let shrunk = gdb(&executable, &small).unwrap();
        let differing = original.lines().zip(shrunk.lines()).find(|(one, other)| one != other);
        assert!(original == shrunk, "{}: {differing:?}", core.name);
    }
}
