//! `pycore` at its edges: what is no core, what holds no Python, wrong arguments, closed pipes.

use pycore_tests::cores::{RecordedCore, corpus, fixtures, recorded};
use pycore_tests::program::{self, Run};
use pycore_tests::synthetic::core_without_python;
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

fn pycore(arguments: &[&str]) -> Run {
    program::run(arguments, LIMIT).unwrap()
}

fn analyze(path: &Path) -> Run {
    pycore(&["analyze", path.to_str().unwrap()])
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A core that holds Python, as a plain file: of the corpus, else one that was recorded here.
struct Sample {
    path: PathBuf,
    _file: Option<tempfile::NamedTempFile>,
}

impl Sample {
    fn of(core: &RecordedCore) -> Sample {
        if core.core.extension().is_some_and(|extension| extension == "zst") {
            let file = core.decompressed().unwrap();
            Sample { path: file.path().to_owned(), _file: Some(file) }
        } else {
            Sample { path: core.core.clone(), _file: None }
        }
    }

    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

fn sample() -> Sample {
    let cores = corpus().into_iter().chain(recorded());
    let core = cores.into_iter().find(|core| core.name.contains("orders"));
    Sample::of(&core.expect("a core of `orders`: scripts/record-fixtures makes one"))
}

/// Nothing on standard output, one clear error on standard error that names the file, exit code 2.
#[track_caller]
fn assert_refused(run: &Run, path: &Path) {
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    assert_eq!(run.text(), "", "nothing on standard output");
    assert!(run.stderr.contains(path.to_str().unwrap()), "the error names the file: {}", run.stderr);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(!run.stderr.contains('\x1b'), "no colours: {}", run.stderr);
}

#[test]
fn a_text_is_not_a_core() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert_refused(&analyze(&path), &path);
}

#[test]
fn an_empty_file_is_not_a_core() {
    let folder = folder();
    let path = folder.path().join("core");
    fs::write(&path, "").unwrap();
    let run = analyze(&path);
    assert_refused(&run, &path);
    assert!(run.stderr.contains("empty"), "{}", run.stderr);
}

#[test]
fn a_directory_is_not_a_core() {
    let folder = folder();
    let run = analyze(folder.path());
    assert_refused(&run, folder.path());
    assert!(run.stderr.contains("directory"), "{}", run.stderr);
}

#[test]
fn a_missing_file_is_said_to_be_missing() {
    let folder = folder();
    let path = folder.path().join("no-such-core");
    let run = analyze(&path);
    assert_refused(&run, &path);
    assert!(run.stderr.to_lowercase().contains("no such file"), "{}", run.stderr);
}

#[test]
fn a_program_is_not_a_core() {
    let path = program::path();
    let run = analyze(&path);
    assert_refused(&run, &path);
    assert!(run.stderr.contains("core"), "{}", run.stderr);
}

#[test]
fn devices_and_fifos_are_refused_at_once() {
    assert_refused(&analyze(Path::new("/dev/zero")), Path::new("/dev/zero"));
    let folder = folder();
    let path = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_refused(&analyze(&path), &path);
}

#[test]
fn short_beginnings_of_elf_are_refused() {
    let folder = folder();
    let whole = core_without_python(b"x");
    for length in [1, 4, 16, 20, 63] {
        let path = folder.path().join(format!("core-{length}"));
        fs::write(&path, &whole[..length]).unwrap();
        assert_refused(&analyze(&path), &path);
    }
}

#[test]
fn an_unreadable_file_is_refused() {
    let folder = folder();
    let path = folder.path().join("core");
    fs::write(&path, core_without_python(b"x")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_err() {
        return assert_refused(&analyze(&path), &path);
    }
    // Root reads everything: another user runs a copy that it can reach.
    let copy = folder.path().join("pycore");
    fs::copy(program::path(), &copy).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&copy);
    command.args(["analyze", path.to_str().unwrap()]).uid(65534).gid(65534);
    let run = program::run_command(command, LIMIT).unwrap();
    assert_refused(&run, &path);
    assert!(run.stderr.to_lowercase().contains("permission"), "{}", run.stderr);
}

#[test]
fn a_core_of_another_machine_is_refused_by_name() {
    const X86_64: [u8; 2] = [62, 0];
    let folder = folder();
    for (name, class, order, machine) in [
        ("i386", 1, 1, [3, 0]),
        ("arm", 1, 1, [40, 0]),
        ("x32", 1, 1, X86_64),
        ("s390x", 2, 2, [0, 22]),
        ("ppc64", 2, 2, [0, 21]),
        ("aarch64_be", 2, 2, [0, 183]),
        ("riscv64", 2, 1, [243, 0]),
        ("ppc64le", 2, 1, [21, 0]),
        ("loongarch64", 2, 1, [2, 1]),
    ] {
        let mut core = core_without_python(b"x");
        (core[4], core[5]) = (class, order);
        core[16..18].copy_from_slice(if order == 2 { &[0, 4] } else { &[4, 0] });
        core[18..20].copy_from_slice(&machine);
        let path = folder.path().join(name);
        fs::write(&path, core).unwrap();
        for command in ["analyze", "info"] {
            let run = pycore(&[command, path.to_str().unwrap()]);
            assert_refused(&run, &path);
            let told = format!("is a core of a {name} ");
            assert!(
                run.stderr.contains(&told) && run.stderr.contains("x86_64 and aarch64"),
                "{}",
                run.stderr
            );
        }
    }
}

#[test]
fn a_core_without_python_gives_a_report_and_exit_code_1() {
    let folder = folder();
    let path = folder.path().join("core");
    fs::write(&path, core_without_python(b"no snake here. ")).unwrap();
    let run = analyze(&path);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let said = (run.text() + &run.stderr).to_lowercase();
    assert!(said.contains("no python") || said.contains("interpreter"), "{said}");

    let run = pycore(&["analyze", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(run.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["python"], Value::Null);
    assert_eq!(report["process"]["pid"], 4711);
    assert_valid(&report);
}

#[test]
fn a_real_core_without_python_gives_exit_code_1() {
    let folder = folder();
    let script = format!(
        "ulimit -c unlimited; cd {}; sleep 100 & sleep 0.2; kill -SEGV $!; wait",
        folder.path().display()
    );
    Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
    let made = fs::read_dir(folder.path()).unwrap().flatten().next();
    let Some(core) = made else {
        return eprintln!("skipped: the kernel writes no core into the working directory");
    };
    let run = analyze(&core.path());
    assert_eq!(run.status.code(), Some(1), "{run:?}");
}

/// A 3.13 core whose interpreter says that it is of a version that does not exist yet.
#[test]
fn an_unknown_version_is_said_with_what_to_do_next() {
    let all: Vec<RecordedCore> = corpus().into_iter().chain(recorded()).collect();
    let Some(core) = all.iter().find(|core| core.python.starts_with("3.13") && core.name.contains("orders"))
    else {
        return eprintln!("skipped: no core of 3.13 is at hand");
    };
    let mut bytes = fs::read(&Sample::of(core).path).unwrap();
    let cookie = b"xdebugpy\xf0";
    let starts: Vec<usize> =
        (0..bytes.len() - 16).step_by(8).filter(|&at| bytes[at..].starts_with(&cookie[..8])).collect();
    assert!(!starts.is_empty(), "3.13 cores hold _Py_DebugOffsets");
    for at in starts {
        bytes[at + 8..at + 16].copy_from_slice(&0x0363_00f0u64.to_le_bytes());
    }
    let folder = folder();
    let path = folder.path().join("core");
    fs::write(&path, bytes).unwrap();
    let run = analyze(&path);
    assert!(matches!(run.status.code(), Some(0 | 1)), "{run:?}");
    let said = run.text() + &run.stderr;
    assert!(said.contains("3.99"), "the version is named: {said}");
    assert!(said.contains("layout"), "what to do next is said: {said}");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let core = sample();
    let mut child = Command::new(program::path())
        .args(["analyze", core.text(), "--locals", "--format", "json", "--max-string", "100000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(stderr, "");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn help_and_version_go_to_standard_output() {
    for arguments in
        [&["--help"][..], &["-h"], &["analyze", "--help"], &["info", "--help"], &["help", "analyze"]]
    {
        let run = pycore(arguments);
        assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(run.text().contains("Usage:"), "{arguments:?}");
    }
    assert!(pycore(&["analyze", "--help"]).text().contains("--locals"));
    let run = pycore(&["--version"]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.text(), format!("pycore {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_arguments_are_explained_with_exit_code_2() {
    let wrong: [&[&str]; 8] = [
        &[],
        &["analyze"],
        &["no-such-command"],
        &["analyze", "core", "--no-such-option"],
        &["analyze", "core", "--format", "xml"],
        &["analyze", "core", "--depth", "deep"],
        &["analyze", "core", "--max-items", "-1"],
        &["analyze", "one", "two"],
    ];
    for arguments in wrong {
        let run = pycore(arguments);
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        assert_eq!(run.text(), "", "{arguments:?}");
        assert!(
            run.stderr.contains("Usage:") || run.stderr.contains("--help"),
            "{arguments:?}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_missing_layout_or_executable_is_refused() {
    let core = sample();
    for option in ["--layout", "--exe"] {
        let run = pycore(&["analyze", core.text(), option, "/no/such/file"]);
        assert_refused(&run, Path::new("/no/such/file"));
    }
}

#[test]
fn colours_only_where_asked_for() {
    let core = sample();
    let plain = pycore(&["analyze", core.text(), "--locals"]);
    assert_eq!(plain.status.code(), Some(0), "{}", plain.stderr);
    assert!(!plain.text().contains('\x1b'));
    let coloured = pycore(&["analyze", core.text(), "--locals", "--color", "always"]);
    assert!(coloured.text().contains('\x1b'));
    let json = pycore(&["analyze", core.text(), "--format", "json", "--color", "always"]);
    assert!(!json.text().contains('\x1b'));
}

fn schema() -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("analyzer").join("schema/report.schema.json");
    serde_json::from_slice(&fs::read(&path).unwrap()).unwrap()
}

#[track_caller]
fn assert_valid(report: &Value) {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(report)
        .take(10)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn reports_are_valid_by_the_schema_that_is_checked_in() {
    let mut cores = corpus();
    if cores.is_empty() {
        cores = recorded();
        cores.retain(|core| core.name.contains("kernel/exceptions") || core.name.contains("kernel/orders"));
    }
    assert!(!cores.is_empty(), "no cores: scripts/record-fixtures makes some");
    for core in &cores {
        let sample = Sample::of(core);
        let run = pycore(&["analyze", sample.text(), "--format", "json", "--locals"]);
        assert_eq!(run.status.code(), Some(0), "{}: {}", core.name, run.stderr);
        assert_valid(&serde_json::from_slice(&run.stdout).unwrap());
    }
}

#[test]
fn the_schema_that_is_checked_in_is_the_programs() {
    let run = pycore(&["schema"]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert_eq!(serde_json::from_slice::<Value>(&run.stdout).unwrap(), schema());
}

#[test]
fn yaml_and_json_are_the_same_document() {
    let core = sample();
    let json = pycore(&["analyze", core.text(), "--format", "json", "--locals"]);
    let yaml = pycore(&["analyze", core.text(), "--format", "yaml", "--locals"]);
    let from_json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let from_yaml: Value = serde_yaml::from_slice(&yaml.stdout).unwrap();
    assert_eq!(from_json, from_yaml);
}

#[test]
fn the_same_input_gives_the_same_output() {
    let core = sample();
    for format in ["text", "json", "yaml"] {
        let arguments = ["analyze", core.text(), "--format", format, "--locals"];
        assert_eq!(pycore(&arguments).stdout, pycore(&arguments).stdout, "{format}");
    }
}

#[test]
fn a_report_goes_into_a_file() {
    let (core, folder) = (sample(), folder());
    let path = folder.path().join("report.json");
    let run = pycore(&["analyze", core.text(), "--format", "json", "--output", path.to_str().unwrap()]);
    assert_eq!((run.status.code(), run.text().as_str()), (Some(0), ""), "{}", run.stderr);
    let written = fs::read(&path).unwrap();
    assert_eq!(written, pycore(&["analyze", core.text(), "--format", "json"]).stdout);
    let nowhere = Path::new("/no/such/folder/report.json");
    let run = pycore(&["analyze", core.text(), "--output", nowhere.to_str().unwrap()]);
    assert_refused(&run, nowhere);
}

#[test]
fn steps_are_explained_on_standard_error() {
    let core = sample();
    let quiet = pycore(&["analyze", core.text()]);
    assert_eq!(quiet.stderr, "");
    let once = pycore(&["analyze", core.text(), "-v"]);
    let twice = pycore(&["analyze", core.text(), "-vv"]);
    assert_eq!(quiet.stdout, once.stdout);
    assert!(!once.stderr.is_empty());
    assert!(twice.stderr.lines().count() >= once.stderr.lines().count());
}

#[test]
fn limits_cut_and_say_so() {
    let core = sample();
    let run = pycore(&[
        "analyze",
        core.text(),
        "--format",
        "json",
        "--locals",
        "--depth",
        "1",
        "--max-items",
        "1",
        "--max-string",
        "3",
    ]);
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    let text = run.text();
    assert!(text.contains("\"truncated\": true") || text.contains("\"truncated\":true"));
}

#[test]
fn source_lines_are_shown_from_a_source_root() {
    let core = sample();
    let programs = fixtures().join("programs");
    let bare = pycore(&["analyze", core.text()]).text();
    assert!(!bare.contains("plugin.write_to(FREED)"));
    let run = pycore(&["analyze", core.text(), "--source-root", programs.to_str().unwrap()]);
    assert!(run.text().contains("plugin.write_to(FREED)"), "{}", run.text());
}

#[test]
fn info_says_what_the_file_is() {
    let core = sample();
    let run = pycore(&["info", core.text()]);
    assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""));
    for wanted in ["x86_64", "python", "SIGSEGV"] {
        assert!(run.text().contains(wanted), "{wanted} in {}", run.text());
    }
    let missing = Path::new("/no/such/core");
    assert_refused(&pycore(&["info", "/no/such/core"]), missing);
}

/// The first block of README.md is what its command prints, the second a part of what it prints with `--locals`.
/// `UPDATE_GOLDEN=1` writes the first anew.
#[test]
fn the_readme_shows_real_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let mut blocks = readme.split("```").skip(1).step_by(2);
    let (command, shown) =
        blocks.next().and_then(|block| block.strip_prefix("console\n$ pycore ")?.split_once('\n')).unwrap();
    let run = |more: &[&str]| {
        let mut process = Command::new(program::path());
        process.args(command.split(' ').chain(more.iter().copied())).current_dir(root);
        program::run_command(process, LIMIT).unwrap().text()
    };
    let real = run(&[]);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(root.join("README.md"), readme.replacen(shown, &real, 1)).unwrap();
    } else {
        assert!(shown == real, "README.md shows another output; UPDATE_GOLDEN=1 writes the real one");
    }
    let with_locals = run(&["--locals"]);
    for line in blocks.next().and_then(|block| block.strip_prefix("text\n")).unwrap().lines() {
        let name = line.split(" at 0x").next().unwrap();
        assert!(with_locals.contains(name), "not in the real output: {line}");
    }
}

/// The text of some of the corpus, as a person sees it. `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn the_text_is_as_checked_in() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let cores = corpus();
    for name in ["3.8.18-orders", "3.13.0-orders", "3.14.2-windows-orders"] {
        let core = cores.iter().find(|core| core.name == name).unwrap();
        let sample = Sample::of(core);
        let run = pycore(&["analyze", sample.text(), "--locals", "--no-files"]);
        assert_eq!((run.status.code(), run.stderr.as_str()), (Some(0), ""), "{}", core.name);
        let text = run.text().replace(sample.text(), "CORE");
        let path = golden.join(format!("{}.txt", core.name));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(&golden).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == expected,
            "{} differs; UPDATE_GOLDEN=1 writes the new text, git diff shows it",
            path.display()
        );
    }
}
