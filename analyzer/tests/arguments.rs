//! What the program does without any core.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::process::{Command, Output};

fn pycore(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pycore")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn assert_refused(arguments: &[&str], message: &str) {
    let run = pycore(arguments);
    assert_eq!((run.status.code(), text(&run.stdout), text(&run.stderr)), (Some(2), "", message));
}

#[test]
fn every_command_has_a_manual_page_and_completions() {
    let help = pycore(&["--help"]);
    let commands = ["analyze", "info", "shrink", "layout", "plugin", "schema", "completions"];
    let script = pycore(&["completions", "bash"]);
    for command in commands {
        assert!(text(&help.stdout).contains(&format!("\n  {command} ")), "{command}");
        assert!(text(&script.stdout).contains(command), "{command}");
        let page = pycore(&["man", command]);
        assert!(text(&page.stdout).contains(&format!(".TH pycore-{command} 1")), "{}", text(&page.stdout));
    }
    assert!(text(&pycore(&["man"]).stdout).contains(".TH pycore 1"));
    assert_refused(&["man", "fly"], "error: there is no command `fly`\n");
}

#[test]
fn paths_of_the_wrong_kind_are_refused() {
    let file = env!("CARGO_BIN_EXE_pycore");
    let folder = env!("CARGO_MANIFEST_DIR");
    assert_refused(
        &["analyze", file, "--exe", folder],
        &format!("error: --exe {folder} is a directory; give a file\n"),
    );
    assert_refused(&["info", file, "--layout", "/no/such"], "error: --layout /no/such: no such file\n");
    assert_refused(
        &["analyze", file, "--sysroot", "/no/such"],
        "error: --sysroot /no/such: no such directory\n",
    );
    for option in ["--sysroot", "--source-root"] {
        let message = format!("error: {option} {file} is a file; give a directory\n");
        assert_refused(&["analyze", file, option, file], &message);
    }
}

#[test]
fn the_core_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let core = folder.path().join("core");
    std::fs::write(&core, "precious").unwrap();
    let core_text = core.to_str().unwrap();
    assert_refused(
        &["analyze", core_text, "--output", core_text],
        &format!("error: --output {core_text} would overwrite the core; give another file\n"),
    );
    assert_eq!(std::fs::read_to_string(&core).unwrap(), "precious");
}

#[test]
fn a_file_name_cannot_steer_the_terminal() {
    let run = pycore(&["analyze", "/no/such/\u{1b}[2J\u{202e}core"]);
    assert_eq!(run.status.code(), Some(2));
    assert!(text(&run.stderr).contains("/no/such/\\x1b[2J\\u202ecore"), "{:?}", text(&run.stderr));
}
