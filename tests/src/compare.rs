//! The comparison of a report with the truth, field by field.

use crate::exceptions::compare_exceptions;
use crate::suspended::compare_suspended;
use crate::tally::Tally;
use crate::truth::{Frame, Thread, Truth};
use crate::values::compare_value;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The result of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// All differences.
    pub mismatches: Vec<Mismatch>,
    /// What was compared.
    pub tally: Tally,
    /// The values that are not as Python printed them and say so.
    pub noted: Vec<Mismatch>,
    /// By promised type: how many values are as Python printed them, of how many.
    pub types: BTreeMap<String, Share>,
}

/// A number of values that are right, of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Those that are right.
    pub right: usize,
    /// All.
    pub all: usize,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the report: `threads[tid 7 "worker"].frames[2 run].line`.
    pub path: String,
    /// What the truth says.
    pub expected: String,
    /// What the report says.
    pub actual: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    expected: {}\n    actual:   {}", self.path, cut(&self.expected), cut(&self.actual))
    }
}

/// Long texts, in messages, show where they begin and how long they are.
fn cut(text: &str) -> String {
    const LIMIT: usize = 400;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}

/// What is absent and what is null are the same.
pub fn field<'a>(json: &'a Json, name: &str) -> &'a Json {
    json.get(name).unwrap_or(&Json::Null)
}

/// The list of that name; empty where there is none.
pub fn list<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    field(json, name).as_array().map_or(&[], Vec::as_slice)
}

impl Comparison {
    pub(crate) fn differ(&mut self, path: String, expected: impl Into<String>, actual: impl Into<String>) {
        self.mismatches.push(Mismatch { path, expected: expected.into(), actual: actual.into() });
    }

    /// Whether the field is what is expected; notes the difference otherwise.
    pub(crate) fn expect(&mut self, path: &str, json: &Json, name: &str, expected: impl Into<Json>) -> bool {
        let (expected, actual) = (expected.into(), field(json, name));
        if *actual != expected {
            self.differ(join(path, name), expected.to_string(), actual.to_string());
        }
        *actual == expected
    }

    /// The differences as text, the first 25 or `TRUTH_LIMIT` of them.
    pub fn message(&self) -> String {
        let limit = std::env::var("TRUTH_LIMIT").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
        let shown: Vec<String> = self.mismatches.iter().take(limit).map(Mismatch::to_string).collect();
        let more = self.mismatches.len().saturating_sub(limit);
        format!(
            "{} differences\n{}{}",
            self.mismatches.len(),
            shown.join("\n"),
            if more > 0 { format!("\n... and {more} more") } else { String::new() }
        )
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Compares a whole report, made with `--locals` and generous limits.
pub fn compare(truth: &Truth, report: &Json) -> Comparison {
    let mut comparison = Comparison::default();
    let c = &mut comparison;
    c.expect("", report, "schema", "pycore.report/1");
    compare_process(c, truth, report);
    compare_python(c, truth, report);
    compare_threads(c, truth, report);
    compare_exceptions(c, truth, report);
    compare_suspended(c, truth, report);
    if field(field(report, "diagnosis"), "summary").as_str().is_none_or(str::is_empty) {
        c.differ("diagnosis.summary".to_owned(), "a line", "nothing");
    }
    comparison
}

fn compare_process(c: &mut Comparison, truth: &Truth, report: &Json) {
    let process = field(report, "process");
    c.expect("process", process, "pid", truth.pid);
    c.expect("process", process, "executable", truth.executable.as_str());
    c.expect("process", process, "command_line", truth.command_line.clone());
    if let Some(expected) = &truth.signal {
        let signal = field(process, "signal");
        c.expect("process.signal", signal, "number", expected.number);
        c.expect("process.signal", signal, "name", expected.name.as_str());
        if let Some(address) = &expected.address {
            c.expect("process.signal", signal, "address", address.as_str());
        }
        c.expect("process", process, "crashed_tid", truth.crashed_tid);
    }
}

fn compare_python(c: &mut Comparison, truth: &Truth, report: &Json) {
    let python = field(report, "python");
    c.expect("python", python, "implementation", "cpython");
    c.expect("python", python, "version", truth.python.version.as_str());
    c.expect("python", python, "free_threaded", truth.python.free_threaded);
    c.expect("python", python, "debug_build", truth.python.debug_build);
    if list(python, "evidence").is_empty() {
        c.differ("python.evidence".to_owned(), "how it was found", "nothing");
    }
    match list(python, "interpreters") {
        [interpreter] => {
            let with_state = truth.threads.iter().filter(|thread| thread.python).count();
            c.expect("python.interpreters[0]", interpreter, "id", 0);
            c.expect("python.interpreters[0]", interpreter, "main", true);
            c.expect("python.interpreters[0]", interpreter, "thread_count", with_state);
        }
        others => c.differ("python.interpreters".to_owned(), "one", others.len().to_string()),
    }
}

/// Whether the report says that it could not read this.
pub(crate) fn is_gap(report: &Json, what: &str) -> bool {
    list(report, "gaps").iter().any(|gap| field(gap, "what") == what)
}

fn compare_threads(c: &mut Comparison, truth: &Truth, report: &Json) {
    let mut expected_order: Vec<&Thread> = truth.threads.iter().collect();
    expected_order.sort_by_key(|thread| (Some(thread.tid) != truth.crashed_tid, !thread.main, thread.tid));
    let actual_order: Vec<Option<u64>> =
        list(report, "threads").iter().map(|thread| field(thread, "tid").as_u64()).collect();
    let expected_tids: Vec<Option<u64>> =
        expected_order.iter().map(|thread| Some(u64::from(thread.tid))).collect();
    if actual_order != expected_tids {
        c.differ("threads[*].tid".to_owned(), format!("{expected_tids:?}"), format!("{actual_order:?}"));
    }
    for thread in expected_order {
        let path = thread_path(thread);
        let found =
            list(report, "threads").iter().find(|one| field(one, "tid").as_u64() == Some(thread.tid.into()));
        let Some(found) = found else {
            c.tally.frames_wrong += thread.frames.len();
            continue;
        };
        if let Some(name) = &thread.name {
            c.expect(&path, found, "name", name.as_str());
        }
        c.expect(&path, found, "main", thread.main);
        c.expect(&path, found, "python", thread.python);
        if truth.signal.is_some() {
            c.expect(&path, found, "crashed", Some(thread.tid) == truth.crashed_tid);
        }
        if thread.python {
            // Unknown only with a gap that says so: up to 3.6 the symbols of a file tell.
            if !(field(found, "holds_gil").is_null() && is_gap(report, "the holder of the GIL")) {
                c.expect(&path, found, "holds_gil", thread.holds_gil);
            }
            c.expect(&path, found, "interpreter", 0);
            let known = [
                ("waiting_for_gil", thread.waiting_for_gil),
                ("collecting_garbage", Some(thread.collecting_garbage)),
            ];
            for (name, expected) in known {
                if let (Some(expected), false) = (expected, field(found, name).is_null()) {
                    c.expect(&path, found, name, expected);
                }
            }
            let attachment = thread.attached.map(|attached| if attached { "attached" } else { "detached" });
            c.expect(&path, found, "attachment", attachment);
            let outermost = list(found, "frames").iter().rfind(|frame| *field(frame, "kind") == "python");
            if outermost.is_some_and(|frame| *field(frame, "is_entry") != true) {
                c.differ(format!("{path}.frames[outermost].is_entry"), "true", "not");
            }
        }
        compare_frames(c, &format!("{path}.frames"), &thread.frames, list(found, "frames"));
    }
}

/// How a thread is called in messages.
pub(crate) fn thread_path(thread: &Thread) -> String {
    match &thread.name {
        Some(name) => format!("threads[tid {} {name:?}]", thread.tid),
        None => format!("threads[tid {}]", thread.tid),
    }
}

/// Compares the Python frames of a stack or traceback, in the order that both have.
pub(crate) fn compare_frames(c: &mut Comparison, path: &str, expected: &[Frame], actual: &[Json]) {
    let actual: Vec<&Json> = actual.iter().filter(|frame| *field(frame, "kind") == "python").collect();
    if actual.len() != expected.len() {
        let names: Vec<&str> =
            actual.iter().take(40).map(|frame| field(frame, "function").as_str().unwrap_or("?")).collect();
        let wanted: Vec<&str> = expected.iter().take(40).map(|frame| frame.function.as_str()).collect();
        c.differ(
            path.to_owned(),
            format!("{} frames: {}", expected.len(), wanted.join(" ")),
            format!("{} frames: {}", actual.len(), names.join(" ")),
        );
        c.tally.frames_wrong += expected.len().abs_diff(actual.len());
    }
    for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        compare_frame(c, &format!("{path}[{index} {}]", expected.function), expected, actual);
    }
}

fn compare_frame(c: &mut Comparison, path: &str, expected: &Frame, actual: &Json) {
    let mut right = c.expect(path, actual, "function", expected.function.as_str());
    right &= c.expect(path, actual, "file", expected.file.as_str());
    right &= c.expect(path, actual, "line", expected.line);
    if let Some(qualname) = &expected.qualname {
        right &= c.expect(path, actual, "qualname", qualname.as_str());
    } else if let (Some(hint), false) = (&expected.qualname_hint, field(actual, "qualname").is_null()) {
        right &= c.expect(path, actual, "qualname", hint.as_str());
    }
    if right {
        c.tally.frames_right += 1;
    } else {
        c.tally.frames_wrong += 1;
    }
    compare_locals(c, path, expected, actual);
}

fn compare_locals(c: &mut Comparison, path: &str, expected: &Frame, actual: &Json) {
    let expected_locals = &expected.locals;
    let found = list(actual, "locals");
    let names: BTreeSet<&str> = found.iter().filter_map(|one| field(one, "name").as_str()).collect();
    if names.len() != found.len() {
        c.differ(format!("{path}.locals"), "each name once", format!("{} of {names:?}", found.len()));
    }
    // The variables of a module, a class body or executed code lie in a dictionary: they may be shown, not must.
    if !expected.namespace {
        let wanted: BTreeSet<&str> = expected_locals.keys().map(String::as_str).collect();
        if names != wanted {
            let missing: Vec<_> = wanted.difference(&names).collect();
            let extra: Vec<_> = names.difference(&wanted).collect();
            c.tally.values_wrong += missing.len();
            c.differ(format!("{path}.locals"), format!("also {missing:?}"), format!("also {extra:?}"));
        }
    }
    for local in found {
        let name = field(local, "name").as_str().unwrap_or("");
        let Some(expected_value) = expected_locals.get(name) else { continue };
        let local_path = format!("{path}.locals.{name}");
        let kind = field(local, "kind").as_str().unwrap_or("");
        if !expected.namespace && !expected_value.kinds.iter().any(|one| one == kind) {
            c.differ(format!("{local_path}.kind"), expected_value.kinds.join(" or "), kind);
        }
        compare_value(c, &local_path, expected_value, field(local, "value"));
    }
}
