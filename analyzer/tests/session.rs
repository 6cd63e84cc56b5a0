//! Questions about dumps of the corpus: what is printed is what the report shows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use pycore::dump::{Dump, FileSearch};
use pycore::session::{AskError, Session, SessionOptions};
use serde_json::{Value, json};
use std::path::Path;

/// How many variables of a frame are printed.
const VARIABLES: usize = 4;

fn session(name: &str) -> Session {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus").join(name);
    let files = FileSearch { none: true, ..FileSearch::default() };
    let dump = Dump::open(&corpus, files).unwrap();
    Session::new(Box::new(dump), SessionOptions::default()).unwrap()
}

fn ask(session: &mut Session, question: Value) -> Value {
    let answer = session.ask(&question.to_string()).unwrap_or_else(|error| panic!("{question}: {error}"));
    serde_json::from_str::<Value>(&answer.json()).unwrap()
}

fn refusal(session: &mut Session, question: Value) -> String {
    session.ask(&question.to_string()).unwrap_err().to_string()
}

/// Prints variables of all frames of all threads, and parts of them; says how many of each came out.
fn print_all(name: &str) -> (usize, usize) {
    let mut session = session(name);
    let report = ask(&mut session, json!({"do": "report", "locals": true}));
    let (mut variables, mut parts) = (0, 0);
    for thread in report["data"]["threads"].as_array().unwrap() {
        let frames = thread["frames"].as_array().unwrap();
        let frames = frames.iter().filter(|frame| frame["kind"] == "python");
        for (index, frame) in frames.enumerate() {
            let locals = frame["locals"].as_array().unwrap().iter();
            let named = locals.filter(|local| !local["name"].as_str().unwrap().starts_with('.'));
            for local in named.take(VARIABLES) {
                let name = local["name"].as_str().unwrap();
                let print = |expression: &str| json!({"do": "print", "thread": thread["tid"], "frame": index, "expression": expression});
                let printed = ask(&mut session, print(name));
                assert_eq!(printed["data"]["value"], local["value"], "{name} of {frame}");
                assert_eq!(printed["data"]["scope"], local["kind"], "{name} of {frame}");
                variables += 1;
                for child in local["value"]["children"].as_array().into_iter().flatten().take(VARIABLES) {
                    let part = child["name"].as_str().unwrap();
                    let step = if child["kind"] == "item" { format!("[{part}]") } else { format!(".{part}") };
                    // Classes are not whole in these dumps, and what only a decoder knows has no address.
                    if let Ok(answer) = session.ask(&print(&format!("{name}{step}")).to_string()) {
                        let printed: Value = serde_json::from_str(&answer.data).unwrap();
                        let of = format!("{name}{step}");
                        assert_eq!(printed["value"]["address"], child["value"]["address"], "{of}");
                        assert_eq!(printed["value"]["type"], child["value"]["type"], "{of}");
                        parts += 1;
                    }
                }
            }
        }
    }
    (variables, parts)
}

#[test]
fn variables_and_their_parts_print_as_the_report_shows_them() {
    for (name, least_variables, least_parts) in [
        ("2.7.18-threads.core.zst", 20, 5),
        ("3.9.18-orders.core.zst", 40, 15),
        ("3.12.1-orders.core.zst", 40, 15),
        ("3.14.10-static-orders.core.zst", 40, 15),
        ("3.14.2-windows-orders.dmp.zst", 40, 15),
    ] {
        let (variables, parts) = print_all(name);
        assert!(variables >= least_variables && parts >= least_parts, "{name}: {variables}, {parts}");
    }
}

#[test]
fn a_backtrace_has_the_frames_of_the_report() {
    let mut session = session("3.13.0-orders.core.zst");
    let report = ask(&mut session, json!({"do": "report"}));
    let all = ask(&mut session, json!({"do": "backtrace"}));
    let threads = report["data"]["threads"].as_array().unwrap();
    let python = || threads.iter().filter(|thread| thread["python"] == true);
    assert_eq!(all["data"]["threads"].as_array().unwrap().len(), python().count());
    assert_eq!(all["data"]["without_python"], threads.len() - python().count());
    for thread in python() {
        let question =
            json!({"do": "backtrace", "thread": thread["tid"], "numbers": {thread["tid"].to_string(): "7"}});
        let one = ask(&mut session, question);
        assert_eq!(one["data"]["threads"].as_array().unwrap().len(), 1);
        assert_eq!(one["data"]["threads"][0]["frames"], thread["frames"]);
        assert_eq!(one["data"]["threads"][0]["number"], "7");
        assert!(one["text"].as_str().unwrap().starts_with(&format!("Thread 7 (tid {})", thread["tid"])));
    }
}

#[test]
fn names_mean_what_they_mean_to_the_interpreter() {
    let mut session = session("3.12.1-orders.core.zst");
    let mut print = |frame: usize, expression: &str| {
        let answer = ask(&mut session, json!({"do": "print", "frame": frame, "expression": expression}));
        (answer["data"]["scope"].clone(), answer["data"]["value"]["repr"].clone())
    };
    assert_eq!(print(0, "width"), (json!("arg"), json!("40")));
    assert_eq!(print(0, "checksum").0, "local");
    assert_eq!(print(0, "FREED"), (json!("global"), json!("104097122402031")));
    assert_eq!(print(1, r#"self.bank.limits["Müller"]"#).1, "Decimal('100.00')");
    assert_eq!(print(1, "self.history[-1][0]").1, "1");
    assert_eq!(print(0, "text[-40]").1, "'c'");
    assert_eq!(print(1, "error.args[0]").1, "'order 2: not covered'");
    assert_eq!(print(1, "error.__cause__.args").1, "('109.90 > 100.00',)");
    assert_eq!(print(0, "State._member_map_['PAID']").1, "<State.PAID: 'paid'>");
    assert_eq!(print(0, "render").0, "global");
}

#[test]
fn what_is_not_there_is_said_with_what_is_near() {
    let mut session = session("3.12.1-orders.core.zst");
    let mut refused = |expression: &str| {
        refusal(&mut session, json!({"do": "print", "frame": 1, "expression": expression}))
    };
    assert!(refused("detials").starts_with("the name detials is not defined here; near it: details"));
    assert_eq!(
        refused("self.bank.limts"),
        "self.bank.limts: a __main__.Bank object has no attribute limts; near it: limits"
    );
    assert_eq!(
        refused("self.stock['te']"),
        "self.stock['te']: a collections.defaultdict of 2 items has no such key; near it: tea"
    );
    assert_eq!(refused("self.history[7]"), "self.history[7]: a collections.deque of length 1 has no item 7");
    assert!(refused("retries[0]").contains("items of a int object cannot be looked up"));
    assert_eq!(
        refused("self.__weakref__"),
        "self.__weakref__: __weakref__ of a __main__.Shop object is computed in C: its code would have to run, which \
         pycore does not do"
    );
    assert!(refused("self()").contains("a call, which would run code, at column 5"));
    assert!(refused("0x10.a").contains("no Python object is at 0x10"));
    assert!(refusal(&mut session, json!({"do": "locals", "frame": 9})).contains("4 Python frames, 0 to 3"));
    assert_eq!(refusal(&mut session, json!({"do": "locals", "thread": 1})), "no thread 1");
    for damaged in ["", "[]", "{}", r#"{"do": "x"}"#, r#"{"do": "print", "depht": 1}"#, "\u{0}"] {
        assert!(matches!(session.ask(damaged), Err(AskError::Request(_))), "{damaged}");
    }
}

#[test]
fn names_and_keys_complete() {
    let mut session = session("3.12.1-orders.core.zst");
    let mut complete = |text: &str| {
        let answer = ask(&mut session, json!({"do": "complete", "frame": 1, "text": text}));
        (answer["data"]["start"].clone(), answer["data"]["completions"].clone())
    };
    assert_eq!(complete("det"), (json!(0), json!(["details"])));
    assert_eq!(complete("self.ba"), (json!(5), json!(["bank"])));
    assert_eq!(complete("self.bank.limits[\"M"), (json!(18), json!(["Müller\"]"])));
    assert_eq!(complete("nowhere.x"), (json!(0), json!([])));
}

#[test]
fn all_threads_are_told_of() {
    let mut session = session("3.14.10-static-tasks.core.zst");
    let gil = ask(&mut session, json!({"do": "gil"}));
    assert_eq!(gil["data"]["gils"][0]["holder"]["name"], "MainThread");
    let state =
        ask(&mut session, json!({"do": "exec_state", "thread": gil["data"]["gils"][0]["holder"]["tid"]}));
    assert_eq!(
        (&state["data"]["verdict"], &state["data"]["thread"]["holds_gil"]),
        (&json!("yes"), &json!(true))
    );
    let remote = &state["data"]["remote"];
    assert_eq!((&remote["script_path_size"], &remote["threads"][0]["enabled"]), (&json!(512), &json!(true)));
    let report = ask(&mut session, json!({"do": "report", "tasks": true}));
    let tasks = ask(&mut session, json!({"do": "tasks"}));
    for what in ["tasks", "generators", "greenlets"] {
        assert_eq!(tasks["data"][what], report["data"][what]);
    }
    let interpreters = ask(&mut session, json!({"do": "interpreters"}));
    assert_eq!(interpreters["data"]["pythons"][0], report["data"]["python"]);
    let exceptions = ask(&mut session, json!({"do": "exceptions"}));
    assert_eq!(exceptions["data"]["threads"][0]["exceptions"], report["data"]["threads"][0]["exceptions"]);
    let modules = ask(&mut session, json!({"do": "modules", "text": "asyncio"}));
    let modules = modules["data"]["modules"].as_array().unwrap();
    assert!(modules.iter().any(|module| module["name"] == "asyncio.events"));
    assert!(modules.iter().all(|module| module["name"].as_str().unwrap().starts_with("asyncio")));
}
