//! `pycore plugin`, and its commands for a gdb that was built without Python: nothing here needs gdb's Python.

use pycore_tests::cores::corpus;
use pycore_tests::program::{self, Run};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn plugin(arguments: &[&str]) -> PathBuf {
    let run = program::run(&[&["plugin"], arguments].concat(), LIMIT).unwrap();
    assert!(run.status.success(), "{run:?}");
    PathBuf::from(run.text().trim_end())
}

/// A batch of commands in a gdb that is not told to use Python; `None` without gdb.
fn gdb(what: &[&str], commands: &[&str]) -> Option<Run> {
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-x"]).arg(plugin(&["gdb", "--no-python"])).args(what);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    gdb.env("PYCORE", program::path()).env("DEBUGINFOD_URLS", "");
    match program::run_command(gdb, LIMIT) {
        Err(error) if error.contains("No such file") => {
            eprintln!("skipped: there is no gdb");
            None
        }
        run => Some(run.unwrap()),
    }
}

#[track_caller]
fn assert_holds(run: &Run, parts: &[&str], absent: &[&str]) {
    let text = run.text();
    for part in parts {
        assert!(text.contains(part), "{part} is missing in {text}\n{}", run.stderr);
    }
    for part in absent {
        assert!(!text.contains(part), "{part} is in {text}");
    }
}

#[test]
fn the_plug_ins_of_the_source_tree_are_found() {
    for (arguments, name) in [
        (&["gdb"][..], "gdb_plugin.py"),
        (&["gdb", "--no-python"], "pycore.gdb"),
        (&["lldb"], "lldb_plugin.py"),
    ] {
        let path = plugin(arguments);
        assert!(
            path.ends_with(Path::new("gdb-plugin/python/pycore").join(name)) && path.is_file(),
            "{path:?}"
        );
    }
}

#[test]
fn where_plug_ins_were_looked_for_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program::path());
    command.args(["plugin", "gdb"]).env("PYCORE_PLUGINS", folder.path());
    let run = program::run_command(command, LIMIT).unwrap();
    assert_eq!((run.status.code(), run.text()), (Some(2), String::new()));
    let folder = folder.path().to_str().unwrap();
    assert!(run.stderr.contains("gdb_plugin.py") && run.stderr.contains(folder), "{}", run.stderr);
}

#[test]
fn commands_without_python_show_a_core() {
    let core = corpus().into_iter().find(|core| core.core.to_string_lossy().contains("3.12.1-orders"));
    let core = core.expect("fixtures/corpus/3.12.1-orders.core.zst").decompressed().unwrap();
    let core = ["-c", core.path().to_str().unwrap()];
    let Some(all) = gdb(&core, &["py-bt-all"]) else { return };
    assert_holds(&all, &["in render", "PaymentError: order 2", "\"worker-1\"", "in watch"], &["width = "]);
    let one = gdb(&core, &["thread 2", "py-bt"]).unwrap();
    assert_holds(
        &one,
        &["\"worker-1\"", "in work"],
        &[
            "in watch",
            "Traceback (most recent call last):\n  File \"/tmp/pycore-corpus/programs/orders.py\", line 117",
        ],
    );
    assert_holds(&gdb(&core, &["py-locals"]).unwrap(), &["width = 40", "retries = 3"], &["\"worker-1\""]);
    assert_holds(&gdb(&core, &["py-dump"]).unwrap(), &["width = 40", "\"worker-1\"", "Asyncio tasks"], &[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a report.json");
    gdb(&core, &[&format!("py-dump '{}'", file.display())]).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(report["threads"][0]["frames"][0]["function"], "render");
}

#[test]
fn commands_without_python_show_the_process_that_gdb_holds() {
    let script =
        "import time\ndef waiting(token):\n    print('ready', flush=True)\n    time.sleep(1000)\nwaiting(17)";
    let mut python = Command::new("python3").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(python.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let shown = gdb(&["-p", &python.id().to_string()], &["py-bt-all", "py-bt", "py-locals", "echo alive\\n"]);
    let is_alive = python.try_wait().unwrap().is_none();
    python.kill().unwrap();
    python.wait().unwrap();
    let Some(shown) = shown else { return };
    assert!(is_alive, "{shown:?}");
    assert_holds(&shown, &["in waiting", "token = 17", "alive"], &["torn"]);
    assert_eq!(shown.text().matches(", in waiting\n").count(), 3, "{}", shown.text());
}

#[test]
fn commands_without_python_say_that_there_is_nothing() {
    let Some(run) = gdb(&[], &["py-bt-all", "echo alive\\n"]) else { return };
    assert!(run.stderr.contains("there is no process of this machine and no core here"), "{run:?}");
    assert_holds(&run, &["alive"], &[]);
}

#[test]
fn gdb_loads_it_with_an_interpreter() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("auto-load");
    let file = folder.path().canonicalize().unwrap().join("python");
    std::fs::copy("/bin/true", &file).unwrap();
    let (file, directory) = (file.to_str().unwrap(), directory.to_str().unwrap());
    let script = plugin(&["gdb", "--no-python", "--auto-load", file, "--auto-load-directory", directory]);
    assert_eq!(script.to_str().unwrap(), format!("{directory}{file}-gdb.gdb"));
    let mut gdb = Command::new("gdb");
    gdb.args(["-nh", "-batch"]);
    for what in ["safe-path", "scripts-directory"] {
        gdb.args(["-iex", &format!("set auto-load {what} {directory}")]);
    }
    gdb.args([file, "-ex", "help py-dump"]);
    match program::run_command(gdb, LIMIT) {
        Err(error) if error.contains("No such file") => eprintln!("skipped: there is no gdb"),
        run => assert_holds(&run.unwrap(), &["Show all of pycore's report"], &[]),
    }
}
