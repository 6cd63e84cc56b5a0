//! What is there to be copied into the jobs of CI servers: each is run as its server would, on a command that crashes.

use pycore_tests::program;
use serde_yaml::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CRASH: &str = "import ctypes\ndef save():\n    ctypes.memset(0, 0, 1)\nsave()\n";

fn ci(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("scripts/ci").join(name)
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&fs::read_to_string(ci(name)).unwrap()).unwrap()
}

/// Whether there is a Python whose cores the kernel writes beside it; a job of its own would see to that.
fn can_crash() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let can = pattern.starts_with("core") && !pattern.contains('/') && Path::new("/usr/bin/python3").exists();
    if !can {
        eprintln!("no Python, or the kernel sends cores elsewhere: nothing is crashed");
    }
    can
}

/// A folder with a program that crashes; what runs there leaves the kernel's settings alone, which other tests need.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("crash.py"), CRASH).unwrap();
    folder
}

fn run(command: &mut Command, folder: &Path) -> Output {
    let output = command
        .current_dir(folder)
        .env("PYCORE_KEEP_PATTERN", "yes")
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_STEP_SUMMARY");
    output.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn triage(folder: &Path, options: &[&str], tests: &str) -> Output {
    let mut command = Command::new("sh");
    command.arg(ci("triage")).arg("--pycore").arg(program::path()).args(options);
    run(command.args(["--", "sh", "-c", tests]), folder)
}

#[test]
fn what_crashed_fails_the_job_until_it_is_known() {
    if !can_crash() {
        return;
    }
    let checkout = checkout();
    let folder = checkout.path();
    let crashing = "mkdir -p 'a b' && cd 'a b' && python3 ../crash.py || true";
    let new = triage(folder, &[], crashing);
    assert_eq!(new.status.code(), Some(1), "{}", said(&new));
    assert!(said(&new).contains("crash.save"), "{}", said(&new));
    for name in [
        "triage.txt",
        "triage.json",
        "triage.ndjson",
        "triage.junit.xml",
        "triage.sarif",
        "triage.md",
        "site/index.html",
    ] {
        let size = fs::metadata(folder.join("triage").join(name)).map(|metadata| metadata.len());
        assert!(size.is_ok_and(|size| size > 0), "{name}");
    }
    assert!(folder.join("a b/core").exists(), "cores stay where they are");
    let known = Command::new(program::path())
        .args(["triage", "baseline", "update", "known.yaml", "--entries", "triage/triage.ndjson"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(known.status.success(), "{}", said(&known));
    fs::remove_dir_all(folder.join("triage")).unwrap();
    fs::remove_file(folder.join("a b/core")).unwrap();
    let again = triage(folder, &["--baseline", "known.yaml"], crashing);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    // The tests' own failure counts more.
    let failed = triage(folder, &["--out", "other"], "python3 crash.py; exit 7");
    assert_eq!(failed.status.code(), Some(7), "{}", said(&failed));
    assert!(folder.join("other/triage.json").exists());
}

#[test]
fn without_a_core_the_tests_decide() {
    let checkout = checkout();
    for (tests, code) in [("true", 0), ("exit 5", 5)] {
        let output = triage(checkout.path(), &[], tests);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains("no process left a core"));
    }
    let wrong = run(Command::new("sh").arg(ci("triage")).arg("--nonsense"), checkout.path());
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn the_action_runs_tests_annotates_and_sums_up() {
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_sequence().unwrap();
    let inputs = action["inputs"].as_mapping().unwrap();
    // Code that is made of inputs could be made to run anything.
    for step in steps.iter().filter(|step| !step["run"].is_null()) {
        assert!(!step["run"].as_str().unwrap().contains("${{"), "{step:?}");
        assert_eq!(step["shell"].as_str(), Some("bash"));
    }
    let tests = steps.iter().find(|step| step["name"].as_str() == Some("Tests")).unwrap();
    if !can_crash() {
        return;
    }
    let checkout = checkout();
    let folder = checkout.path();
    let given = |name: &str| match name {
        "run" => "python3 crash.py || true".to_owned(),
        "pycore" => program::path().display().to_string(),
        _ => inputs[name]["default"].as_str().unwrap_or_else(|| panic!("{name} has no default")).to_owned(),
    };
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", tests["run"].as_str().unwrap()]);
    for (name, value) in tests["env"].as_mapping().unwrap() {
        let value = value.as_str().unwrap();
        let input = value.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}")).unwrap();
        command.env(name.as_str().unwrap(), given(input));
    }
    let summary = folder.join("summary.md");
    command.current_dir(folder).env("PYCORE_KEEP_PATTERN", "yes");
    command
        .env("GITHUB_ACTION_PATH", ci(""))
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary);
    let output = command.env("GITHUB_WORKSPACE", folder).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let annotations = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        annotations.lines().any(|line| line.starts_with("::error ") && line.contains("crash.py")),
        "{annotations}"
    );
    assert!(fs::read_to_string(summary).unwrap().contains("SIGSEGV in crash"));
    let kept =
        steps.iter().find(|step| step["uses"].as_str().is_some_and(|uses| uses.contains("upload-artifact")));
    assert!(
        kept.unwrap()["with"]["path"].as_str().unwrap().contains("!${{ inputs.out }}/cores"),
        "cores hold secrets"
    );
}

#[test]
fn the_template_for_gitlab_runs_tests_and_reports() {
    let template = yaml("gitlab.yml");
    let job = &template[".pycore-triage"];
    let script: Vec<&str> =
        job["script"].as_sequence().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    if !can_crash() {
        return;
    }
    let checkout = checkout();
    let folder = checkout.path();
    let mut command = Command::new("sh");
    command.args(["-ec", &script.join("\n")]);
    for (name, value) in job["variables"].as_mapping().unwrap() {
        command.env(name.as_str().unwrap(), value.as_str().unwrap());
    }
    command.env("PYCORE", program::path()).env("PYCORE_TRIAGE", ci("triage"));
    command.env("PYCORE_TESTS", "python3 crash.py || true").env("CI_PROJECT_DIR", folder);
    let output = run(&mut command, folder);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let report = job["artifacts"]["reports"]["junit"].as_str().unwrap();
    assert!(fs::read_to_string(folder.join(report)).unwrap().contains("crash.save"));
    let kept = job["artifacts"]["paths"][0].as_str().unwrap();
    assert!(folder.join(kept).is_dir());
}
