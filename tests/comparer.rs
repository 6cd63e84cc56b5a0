//! The comparison itself: a report made out of a truth agrees with it, and each change to that report is seen.

use pycore_tests::compare::compare;
use pycore_tests::cores::recorded;
use pycore_tests::tally::{Table, Tally};
use pycore_tests::truth::Truth;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A small truth: two threads, a handled exception with a cause, an opaque local.
fn small() -> Value {
    let local =
        |name: &str, repr: &str| json!({"type": name, "address": "0x10", "repr": repr, "kinds": ["local"]});
    let frame = |function: &str, line: u32, locals: Value| {
        json!({"function": function, "qualname": format!("Q.{function}"), "file": "/a.py", "line": line,
               "namespace": false, "locals": locals})
    };
    json!({
        "python": {"version": "3.11.7"}, "pid": 7, "command_line": ["python", "a.py"], "executable": "/bin/python",
        "signal": {"number": 11, "name": "SIGSEGV", "address": "0x10"}, "crashed_tid": 8,
        "last_exception": null,
        "tasks": [{"address": "0x50", "type": "_asyncio.Task", "name": "Task-1", "state": "finished", "running": false,
                   "must_cancel": false, "cancel_requests": 0, "coroutine": "main", "loop": "0x58", "thread": 7,
                   "frames": [frame("main", 4, json!({}))], "waiter": "0x59", "awaits": ["0x51"],
                   "awaited_by": ["0x52"], "exception": "0x20", "result": null}],
        "generators": [{"address": "0x60", "kind": "generator", "name": "g", "state": "suspended",
                        "frames": [frame("g", 5, json!({}))], "delegate": "0x61"}],
        "greenlets": [{"address": "0x70", "type": "greenlet.greenlet", "name": "Greenlet-1", "state": "suspended",
                       "main": false, "parent": "0x71", "thread": 7, "frames": [frame("h", 6, json!({}))]}],
        "threads": [
            {"tid": 7, "python": true, "name": "MainThread", "main": true, "holds_gil": false, "handling": [],
             "handling_whole": true, "raising": null, "frames": [frame("main", 3, json!({"n": local("int", "5")}))]},
            {"tid": 8, "python": true, "name": "w", "main": false, "holds_gil": true, "handling": ["0x20"],
             "handling_whole": true, "raising": "0x30", "frames": [
                frame("run", 10, json!({"o": {
                    "type": "__main__.O", "address": "0x18", "repr": "own", "accept": ["<__main__.O object at 0x18>"],
                    "opaque": true, "kinds": ["arg", "cell"], "attributes": {"a": local("str", "'x'")}}})),
                frame("<module>", 90, json!({}))]},
            {"tid": 9, "python": false, "name": null, "main": false, "holds_gil": false, "handling": [],
             "handling_whole": true, "raising": null, "frames": []}],
        "exceptions": {
            "0x20": {"type": "KeyError", "message": "'k'", "message_opaque": false, "notes": ["n"], "cause": "0x30",
                     "context": "0x30", "suppress_context": true, "exceptions": [],
                     "traceback": [frame("run", 9, json!({}))]},
            "0x30": {"type": "m.Own", "message": "text", "message_opaque": true, "notes": [], "cause": null,
                     "context": null, "suppress_context": false, "exceptions": [], "traceback": []}}
    })
}

fn report_value(value: &Value) -> Value {
    let children = value["attributes"].as_object().into_iter().flatten();
    let children: Vec<Value> = children
        .map(|(name, one)| json!({"kind": "attribute", "name": name, "value": report_value(one)}))
        .collect();
    json!({"type": value["type"], "address": value["address"], "repr": value["repr"], "truncated": false,
           "children": children})
}

fn report_frame(frame: &Value) -> Value {
    let locals = frame["locals"].as_object().into_iter().flatten();
    let locals: Vec<Value> = locals
        .map(|(name, one)| json!({"name": name, "kind": one["kinds"][0], "value": report_value(one)}))
        .collect();
    json!({"kind": "python", "function": frame["function"], "qualname": frame["qualname"], "file": frame["file"],
           "line": frame["line"], "is_entry": true, "locals": locals})
}

fn report_frames(frames: &Value) -> Vec<Value> {
    frames.as_array().into_iter().flatten().map(report_frame).collect()
}

fn report_exception(truth: &Value, address: &Value, seen: &mut BTreeSet<String>) -> Value {
    let Some(key) = address.as_str() else { return Value::Null };
    let one = &truth["exceptions"][key];
    if !seen.insert(key.to_owned()) {
        return json!({"type": one["type"], "address": key, "note": "shown above"});
    }
    let members = one["exceptions"].as_array().into_iter().flatten();
    json!({
        "type": one["type"], "address": key, "message": one["message"], "notes": one["notes"],
        "suppress_context": one["suppress_context"], "traceback": report_frames(&one["traceback"]),
        "cause": report_exception(truth, &one["cause"], seen),
        "context": report_exception(truth, &one["context"], seen),
        "exceptions": members.map(|member| report_exception(truth, member, seen)).collect::<Vec<_>>(),
    })
}

/// The parts of a truth's object that the report has under the same names, with its frames as `stack`.
fn report_suspended(one: &Value, names: &[&str]) -> Value {
    let mut report = json!({"stack": report_frames(&one["frames"])});
    for &name in names {
        report[name] = one[name].clone();
    }
    report
}

fn report_task(truth: &Value, task: &Value, seen: &mut BTreeSet<String>) -> Value {
    let names = [
        "address",
        "type",
        "name",
        "state",
        "running",
        "must_cancel",
        "cancel_requests",
        "coroutine",
        "loop",
        "thread",
        "awaited_by",
    ];
    let mut report = report_suspended(task, &names);
    let behind = task["awaits"].as_array().into_iter().flatten().cloned();
    let awaits = task["waiter"].as_str().map(|waiter| json!(waiter)).into_iter().chain(behind);
    report["awaits"] = awaits.collect();
    report["exception"] = report_exception(truth, &task["exception"], seen);
    if !task["result"].is_null() {
        report["result"] = report_value(&task["result"]);
    }
    report
}

/// Generators with who awaits whom, of all that the truth has.
fn report_generators(truth: &Value) -> Vec<Value> {
    let all = truth["generators"].as_array().into_iter().flatten();
    let awaited_by = |address: &Value| -> Vec<Value> {
        all.clone().filter(|one| one["delegate"] == *address).map(|one| one["address"].clone()).collect()
    };
    all.clone()
        .map(|one| {
            let mut report = report_suspended(one, &["address", "kind", "name", "state"]);
            report["awaits"] = one["delegate"].as_str().map(|delegate| json!(delegate)).into_iter().collect();
            report["awaited_by"] = awaited_by(&one["address"]).into();
            report
        })
        .collect()
}

/// The report that a perfect analyzer would give.
fn report_of(truth: &Value) -> Value {
    let mut seen = BTreeSet::new();
    let mut threads: Vec<&Value> = truth["threads"].as_array().unwrap().iter().collect();
    let crashed = |thread: &Value| !truth["crashed_tid"].is_null() && thread["tid"] == truth["crashed_tid"];
    threads.sort_by_key(|thread| (!crashed(thread), thread["main"] != json!(true), thread["tid"].as_u64()));
    let states = threads.iter().filter(|thread| thread["python"] == json!(true)).count();
    let threads: Vec<Value> = threads
        .into_iter()
        .map(|thread| {
            let handling = thread["handling"].as_array().into_iter().flatten();
            let handling: Vec<Value> = handling.map(|one| report_exception(truth, one, &mut seen)).collect();
            json!({
                "tid": thread["tid"], "name": thread["name"], "main": thread["main"], "python": thread["python"],
                "crashed": crashed(thread), "holds_gil": thread["holds_gil"], "interpreter": 0,
                "attachment": thread["attached"].as_bool().map(|is| if is { "attached" } else { "detached" }),
                "frames": report_frames(&thread["frames"]),
                "exceptions": {"handling": handling,
                               "raising": report_exception(truth, &thread["raising"], &mut seen)},
            })
        })
        .collect();
    let tasks = truth["tasks"].as_array().into_iter().flatten();
    let tasks: Vec<Value> = tasks.map(|task| report_task(truth, task, &mut seen)).collect();
    let greenlets = truth["greenlets"].as_array().into_iter().flatten();
    let names = ["address", "type", "name", "state", "main", "parent", "thread"];
    let greenlets: Vec<Value> = greenlets.map(|one| report_suspended(one, &names)).collect();
    json!({
        "schema": "pycore.report/1", "tasks": tasks, "generators": report_generators(truth), "greenlets": greenlets,
        "process": {"pid": truth["pid"], "executable": truth["executable"], "command_line": truth["command_line"],
                    "signal": truth["signal"], "crashed_tid": truth["crashed_tid"]},
        "python": {"implementation": "cpython", "version": truth["python"]["version"],
                   "free_threaded": truth["python"]["free_threaded"] == json!(true),
                   "debug_build": truth["python"]["debug_build"] == json!(true), "evidence": [{"method": "symbol"}],
                   "interpreters": [{"id": 0, "main": true, "thread_count": states,
                                     "last_exception": report_exception(truth, &truth["last_exception"], &mut seen)}]},
        "threads": threads, "diagnosis": {"summary": "died"}, "gaps": [], "warnings": [],
    })
}

fn differences(report: &Value) -> Vec<String> {
    let truth = Truth::parse(small().to_string().as_bytes()).unwrap();
    compare(&truth, report).mismatches.iter().map(ToString::to_string).collect()
}

#[test]
fn a_perfect_report_agrees() {
    let truth = Truth::parse(small().to_string().as_bytes()).unwrap();
    let comparison = compare(&truth, &report_of(&small()));
    assert_eq!(comparison.mismatches, []);
    let expected =
        Tally { frames_right: 7, values_right: 2, beyond_right: 1, exceptions: 5, ..Tally::default() };
    assert_eq!(comparison.tally, expected);
}

#[test]
fn each_change_is_seen() {
    let changes = [
        ("/schema", json!("pycore.report/2"), "schema"),
        ("/process/pid", json!(8), "process.pid"),
        ("/process/command_line/1", json!("b.py"), "process.command_line"),
        ("/process/signal/address", json!("0x11"), "process.signal.address"),
        ("/process/crashed_tid", Value::Null, "process.crashed_tid"),
        ("/python/version", json!("3.11.6"), "python.version"),
        ("/python/interpreters/0/thread_count", json!(3), "python.interpreters[0].thread_count"),
        (
            "/python/interpreters/0/last_exception",
            json!({"type": "X"}),
            "python.interpreters[0].last_exception",
        ),
        ("/threads/0/tid", json!(80), "threads[*].tid"),
        ("/threads/0/name", json!("v"), "threads[tid 8 \"w\"].name"),
        ("/threads/0/holds_gil", Value::Null, "threads[tid 8 \"w\"].holds_gil"),
        ("/threads/1/main", json!(false), "threads[tid 7 \"MainThread\"].main"),
        ("/threads/2/python", json!(true), "threads[tid 9].python"),
        ("/threads/0/frames/0/line", json!(11), "threads[tid 8 \"w\"].frames[0 run].line"),
        ("/threads/0/frames/0/qualname", Value::Null, "threads[tid 8 \"w\"].frames[0 run].qualname"),
        ("/threads/0/frames/1/file", json!("/b.py"), "threads[tid 8 \"w\"].frames[1 <module>].file"),
        ("/threads/0/frames", json!([]), "threads[tid 8 \"w\"].frames"),
        ("/threads/0/frames/0/locals", json!([]), "threads[tid 8 \"w\"].frames[0 run].locals"),
        (
            "/threads/0/frames/0/locals/0/kind",
            json!("free"),
            "threads[tid 8 \"w\"].frames[0 run].locals.o.kind",
        ),
        (
            "/threads/0/frames/0/locals/0/value/repr",
            json!("else"),
            "threads[tid 8 \"w\"].frames[0 run].locals.o.repr",
        ),
        (
            "/threads/0/frames/0/locals/0/value/children",
            json!([]),
            "threads[tid 8 \"w\"].frames[0 run].locals.o.children",
        ),
        (
            "/threads/0/frames/0/locals/0/value/children/0/value/repr",
            json!("'y'"),
            "threads[tid 8 \"w\"].frames[0 run].locals.o.children.a.repr",
        ),
        (
            "/threads/1/frames/0/locals/0/value/type",
            json!("bool"),
            "threads[tid 7 \"MainThread\"].frames[0 main].locals.n.type",
        ),
        ("/threads/0/exceptions", Value::Null, "threads[tid 8 \"w\"].exceptions.raising"),
        ("/threads/0/exceptions/handling/0/message", json!("k"), "exceptions.handling[0].message"),
        ("/threads/0/exceptions/handling/0/message", Value::Null, "exceptions.handling[0].message"),
        ("/threads/0/exceptions/handling/0/notes", json!([]), "exceptions.handling[0].notes"),
        ("/threads/0/exceptions/handling/0/cause", Value::Null, "exceptions.handling[0].cause"),
        ("/threads/0/exceptions/handling/0/cause/type", json!("Own"), "exceptions.handling[0].cause.type"),
        ("/threads/0/exceptions/handling/0/suppress_context", json!(false), "handling[0].suppress_context"),
        ("/threads/0/exceptions/handling/0/traceback/0/line", json!(1), "handling[0].traceback[0 run].line"),
        ("/threads/1/exceptions/handling", json!([{"type": "X"}]), "exceptions.handling"),
        ("/tasks", json!([]), "tasks"),
        ("/tasks/0/address", json!("0x5f"), "tasks"),
        ("/tasks/0/name", Value::Null, "name"),
        ("/tasks/0/state", json!("pending"), "state"),
        ("/tasks/0/running", json!(true), "running"),
        ("/tasks/0/must_cancel", json!(true), "must_cancel"),
        ("/tasks/0/cancel_requests", json!(1), "cancel_requests"),
        ("/tasks/0/coroutine", json!("x"), "coroutine"),
        ("/tasks/0/loop", Value::Null, "loop"),
        ("/tasks/0/thread", json!(8), "thread"),
        ("/tasks/0/stack/0/line", json!(5), "stack[0 main].line"),
        ("/tasks/0/awaits/0", json!("0x5a"), "awaits[0]"),
        ("/tasks/0/awaits/1", json!("0x5a"), "awaits"),
        ("/tasks/0/awaited_by", json!([]), "awaited_by"),
        ("/tasks/0/exception", Value::Null, "tasks[0x50].exception"),
        ("/generators/0/kind", json!("coroutine"), "generators[0x60 g].kind"),
        ("/generators/0/state", json!("created"), "generators[0x60 g].state"),
        ("/generators/0/stack", json!([]), "generators[0x60 g].stack"),
        ("/generators/0/awaits", json!([]), "generators[0x60 g].awaits"),
        ("/generators/0/awaited_by", json!(["0x1"]), "generators[0x60 g].awaited_by"),
        ("/greenlets/0/name", json!("x"), "name"),
        ("/greenlets/0/state", json!("running"), "state"),
        ("/greenlets/0/main", json!(true), "main"),
        ("/greenlets/0/parent", Value::Null, "parent"),
        ("/greenlets/0/thread", Value::Null, "thread"),
        ("/greenlets/0/stack/0/function", json!("x"), "stack[0 h].function"),
    ];
    for (pointer, value, path) in changes {
        let mut report = report_of(&small());
        *report.pointer_mut(pointer).expect(pointer) = value;
        let found = differences(&report);
        assert!(found.iter().any(|one| one.contains(path)), "{pointer}: {path} not in {found:#?}");
    }
}

#[test]
fn a_note_makes_a_wrong_repr_no_lie() {
    let mut report = report_of(&small());
    let value = report.pointer_mut("/threads/1/frames/0/locals/0/value").unwrap();
    value["repr"] = json!("<int>");
    value["note"] = json!("memory is missing");
    let truth = Truth::parse(small().to_string().as_bytes()).unwrap();
    let comparison = compare(&truth, &report);
    assert_eq!(comparison.mismatches, []);
    assert_eq!((comparison.tally.values_noted, comparison.noted.len()), (1, 1));
}

#[test]
fn a_repr_without_the_programs_code_is_right() {
    let mut report = report_of(&small());
    report["threads"][0]["frames"][0]["locals"][0]["value"]["repr"] = json!("<__main__.O object at 0x18>");
    assert_eq!(differences(&report), [""; 0]);
}

#[test]
fn an_unknown_text_of_the_programs_own_may_be_absent() {
    let mut report = report_of(&small());
    report["threads"][0]["exceptions"]["handling"][0]["cause"]["message"] = Value::Null;
    assert_eq!(differences(&report), [""; 0]);
}

#[test]
fn a_note_alone_does_not_replace_an_exception() {
    let mut report = report_of(&small());
    report["threads"][0]["exceptions"]["handling"][0]["cause"] =
        json!({"type": "m.Own", "address": "0x30", "note": "shown above"});
    assert!(!differences(&report).is_empty());
}

#[test]
fn native_frames_are_passed_over() {
    let mut report = report_of(&small());
    report["threads"][0]["frames"].as_array_mut().unwrap().insert(0, json!({"kind": "native"}));
    assert_eq!(differences(&report), [""; 0]);
}

#[test]
fn the_table_sums_by_version_in_order() {
    let mut table = Table::default();
    table.add("3.10.13", Tally { values_right: 3, values_noted: 1, ..Tally::default() });
    table.add("3.9.18", Tally { frames_right: 2, ..Tally::default() });
    table.add("3.10.13", Tally { values_right: 4, ..Tally::default() });
    assert_eq!(table.total().share_right(), 7.0 / 8.0);
    let text = table.to_string();
    assert!(text.find("3.9.18").unwrap() < text.find("3.10.13").unwrap(), "{text}");
}

/// What the recorder wrote on this machine is whole: a report made out of it agrees with it.
#[test]
fn recorded_truths_agree_with_themselves() {
    for core in recorded().iter().filter(|core| !core.name.ends_with("/recursion")) {
        let text = std::fs::read(&core.truth).unwrap();
        let truth = Truth::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", core.name));
        let comparison = compare(&truth, &report_of(&serde_json::from_slice(&text).unwrap()));
        assert!(comparison.mismatches.is_empty(), "{}: {}", core.name, comparison.message());
        assert!(comparison.tally.frames_right > 0, "{} has no frames", core.name);
    }
}
