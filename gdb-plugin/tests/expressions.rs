//! Expressions about a live process are what it says of them itself: with this machine's Python and some of pyenv's, all
//! of which `PYCORE_ALL_PYTHONS=1` takes.
#![allow(unsafe_code, reason = "this calls what C calls")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::undocumented_unsafe_blocks, clippy::panic)]

use pycore_plugin::*;
use serde_json::{Value, json};
use std::ffi::{CStr, CString, c_char};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::ptr::{null, null_mut};

/// Of how many of pyenv's versions one is taken.
const ONE_OF: usize = 4;

/// The first Python on the path, and pyenv's.
fn pythons() -> Vec<PathBuf> {
    let mut pythons = vec![PathBuf::from("python3")];
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let versions = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    let mut others = Vec::from_iter(versions.map(|version| version.path().join("bin/python")));
    others.sort();
    let step = if std::env::var_os("PYCORE_ALL_PYTHONS").is_some() { 1 } else { ONE_OF };
    pythons.extend(others.into_iter().step_by(step));
    pythons
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn taken(text: *mut c_char) -> String {
    let copy = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    unsafe { pycore_free(text) };
    copy
}

fn check(python: &Path) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expressions.py");
    let started = Command::new(python).arg(program).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let Ok(started) = started else {
        println!("skipped: no {}", python.display());
        return;
    };
    let mut child = Killed(started);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let truth: Value =
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{}: {line:?}", python.display()));

    let (mut session, mut error) = (null_mut(), null_mut());
    let pid = child.0.id();
    let status =
        unsafe { pycore_open_pid(PYCORE_ABI_VERSION, pid, null(), &raw mut session, &raw mut error) };
    assert_eq!(status, 0, "{}", taken(error));
    let mut wrong = Vec::new();
    for (frame, expressions) in truth.as_array().unwrap().iter().enumerate() {
        for (expression, wanted) in expressions.as_object().unwrap() {
            let question = json!({"do": "print", "thread": pid, "frame": frame, "expression": expression});
            let question = CString::new(question.to_string()).unwrap();
            let mut response = null_mut();
            let status = unsafe { pycore_ask(session, question.as_ptr(), &raw mut response) };
            let response = taken(response);
            let found = serde_json::from_str::<Value>(&response).ok();
            let found = found.map(|found| found["data"]["value"]["repr"].clone()).unwrap_or_default();
            if (status == 0) != wanted.is_string() || found != *wanted {
                wrong.push(format!("{expression} is {wanted}, not {response}"));
            }
        }
    }
    unsafe { pycore_close(session) };
    assert!(wrong.is_empty(), "{}:\n{}", python.display(), wrong.join("\n"));
}

#[test]
fn expressions_are_what_the_process_says_they_are() {
    for python in pythons() {
        check(&python);
    }
}
