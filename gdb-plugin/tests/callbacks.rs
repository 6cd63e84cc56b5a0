//! The library as a debugger uses it: callbacks that serve a dump of the corpus.
#![allow(unsafe_code, reason = "this calls what C calls")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::undocumented_unsafe_blocks)]

use pycore::addr::Address;
use pycore::analysis::{self, AnalyzeOptions};
use pycore::dump::{Dump, FileSearch};
use pycore::memory::Memory;
use pycore::object::Limits;
use pycore::process::{Inferior, ProcessInfo};
use pycore_plugin::*;
use serde_json::{Value, json};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};

/// What the callbacks serve.
struct Served {
    memory: Box<dyn Memory>,
    process: ProcessInfo,
    reads: Cell<usize>,
    /// After how many reads the user interrupts.
    interrupt_after: Cell<usize>,
    /// Whether modules and ranges are out of all bounds.
    absurd: Cell<bool>,
    /// Whether ranges are listed.
    ranges: Cell<bool>,
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/corpus").join(name)
}

fn no_files() -> FileSearch {
    FileSearch { none: true, ..FileSearch::default() }
}

impl Served {
    fn new(name: &str) -> Self {
        // Leaked, as the callbacks need it for as long as the test runs.
        let dump: &'static Dump = Box::leak(Box::new(Dump::open(&corpus(name), no_files()).unwrap()));
        Served {
            memory: dump.memory(),
            process: dump.process().clone(),
            reads: Cell::new(0),
            interrupt_after: Cell::new(usize::MAX),
            absurd: Cell::new(false),
            ranges: Cell::new(true),
        }
    }

    fn callbacks(&self) -> PycoreCallbacks {
        PycoreCallbacks {
            context: (&raw const *self).cast_mut().cast(),
            read_memory: Some(read_memory),
            list_modules: Some(list_modules),
            list_threads: Some(list_threads),
            list_ranges: Some(list_ranges),
        }
    }

    fn options(&self) -> Value {
        let signal = self.process.signal.as_ref().map(|signal| {
            json!({"number": signal.number, "code": signal.code, "address": signal.address.map(|address| address.0),
                "sender_pid": signal.sender_pid})
        });
        json!({
            "machine": self.process.machine.to_string(), "pid": self.process.pid, "uid": self.process.uid,
            "format": "elf-core", "executable": self.process.executable, "command_line": self.process.command_line,
            "no_files": true, "crashed_tid": self.process.crashed_tid, "signal": signal,
        })
    }
}

fn served<'s>(context: *mut c_void) -> &'s Served {
    unsafe { &*context.cast() }
}

unsafe extern "C" fn read_memory(context: *mut c_void, address: u64, buffer: *mut u8, size: usize) -> i32 {
    let served = served(context);
    served.reads.set(served.reads.get() + 1);
    if served.reads.get() > served.interrupt_after.get() {
        return 2;
    }
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer, size) };
    served.memory.read(Address(address), buffer).is_err().into()
}

unsafe extern "C" fn list_modules(context: *mut c_void, sink: *mut PycoreSink) -> i32 {
    let served = served(context);
    for module in &served.process.modules {
        let path = CString::new(module.path.as_str()).unwrap();
        let id = module.build_id.as_deref().unwrap_or_default();
        let listed = PycoreModule {
            base: module.base.0,
            end: module.end.0,
            path: path.as_ptr(),
            build_id: if id.is_empty() { null() } else { id.as_ptr() },
            build_id_size: id.len(),
        };
        unsafe { pycore_add_module(sink, &raw const listed) };
    }
    if served.absurd.get() {
        for (base, end) in [(0, 0), (u64::MAX, 0), (u64::MAX - 5, u64::MAX), (9, 3)] {
            let listed =
                PycoreModule { base, end, path: c"\xff\xfe".as_ptr(), build_id: null(), build_id_size: 9 };
            unsafe { pycore_add_module(sink, &raw const listed) };
        }
        let endless =
            PycoreModule { base: 1, end: 2, path: null(), build_id: [1].as_ptr(), build_id_size: usize::MAX };
        unsafe { pycore_add_module(sink, &raw const endless) };
        unsafe { pycore_add_module(sink, null()) };
        unsafe { pycore_add_module(null_mut(), &raw const endless) };
    }
    0
}

unsafe extern "C" fn list_threads(context: *mut c_void, sink: *mut PycoreSink) -> i32 {
    let address = |address: Option<Address>| address.map_or(0, |address| address.0);
    for thread in &served(context).process.threads {
        let name = thread.name.as_ref().map(|name| CString::new(name.as_str()).unwrap());
        let listed = PycoreThread {
            tid: thread.tid,
            thread_pointer: address(thread.thread_pointer),
            instruction_pointer: address(thread.instruction_pointer),
            stack_pointer: address(thread.stack_pointer),
            name: name.as_ref().map_or(null(), |name| name.as_ptr()),
            futex: address(thread.futex),
        };
        unsafe { pycore_add_thread(sink, &raw const listed) };
    }
    unsafe { pycore_add_thread(sink, null()) };
    0
}

unsafe extern "C" fn list_ranges(context: *mut c_void, sink: *mut PycoreSink) -> i32 {
    let served = served(context);
    if !served.ranges.get() {
        return 1;
    }
    for range in served.memory.ranges() {
        let flags = 1 + 2 * u32::from(range.writable) + 4 * u32::from(range.executable);
        let listed = PycoreRange { start: range.start.0, size: range.size, flags };
        unsafe { pycore_add_range(sink, &raw const listed) };
    }
    if served.absurd.get() {
        for (start, size) in [(0, u64::MAX), (u64::MAX, u64::MAX), (5, 0), (u64::MAX - 4095, 4096)] {
            let listed = PycoreRange { start, size, flags: u32::MAX };
            unsafe { pycore_add_range(sink, &raw const listed) };
        }
    }
    0
}

/// A text that the library gave, freed there.
fn taken(text: *mut c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    let copy = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    unsafe { pycore_free(text) };
    copy
}

/// An open session; the message where it does not open.
struct Open(*mut PycoreSession);

impl Open {
    fn with(
        version: u32,
        callbacks: Option<&PycoreCallbacks>,
        options: &CStr,
    ) -> Result<Self, (i32, String)> {
        let (mut session, mut error) = (null_mut(), null_mut());
        let callbacks = callbacks.map_or(null(), |callbacks| &raw const *callbacks);
        let status =
            unsafe { pycore_open(version, callbacks, options.as_ptr(), &raw mut session, &raw mut error) };
        if status == 0 { Ok(Open(session)) } else { Err((status, taken(error))) }
    }

    fn new(served: &Served) -> Self {
        let options = CString::new(served.options().to_string()).unwrap();
        Open::with(PYCORE_ABI_VERSION, Some(&served.callbacks()), &options).ok().unwrap()
    }

    fn ask(&self, question: &CStr) -> (i32, String) {
        let mut response = null_mut();
        let status = unsafe { pycore_ask(self.0, question.as_ptr(), &raw mut response) };
        (status, taken(response))
    }

    fn data(&self, question: Value) -> Value {
        let (status, text) = self.ask(&CString::new(question.to_string()).unwrap());
        assert_eq!(status, 0, "{question}: {text}");
        serde_json::from_str::<Value>(&text).unwrap()["data"].take()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        unsafe { pycore_close(self.0) };
    }
}

/// A report without what a debugger cannot know: the dump itself, why bytes are missing.
fn comparable(mut report: Value) -> Value {
    report["source"] = Value::Null;
    let text = report.to_string();
    let causes =
        ["left out of the dump", "not mapped in the process", "in a mapped file that is not at hand"];
    let text = causes.iter().fold(text, |text, cause| text.replace(cause, "the debugger cannot read it"));
    serde_json::from_str(&text).unwrap()
}

fn limits() -> Limits {
    Limits { depth: 3, max_items: 30, max_string: 200 }
}

#[test]
fn callbacks_that_serve_a_dump_give_the_report_of_the_dump() {
    for name in ["3.12.1-orders.core.zst", "3.8.18-orders.core.zst", "2.7.18-threads.core.zst"] {
        let served = Served::new(name);
        let session = Open::new(&served);
        let given = session.data(json!({"do": "report", "locals": true, "tasks": true}));
        let options = AnalyzeOptions {
            files: no_files(),
            layout: None,
            locals: true,
            tasks: true,
            limits: limits(),
            redact: false,
            source_root: Vec::new(),
        };
        let wanted = serde_json::to_value(analysis::analyze(&corpus(name), &options).unwrap()).unwrap();
        let (given, wanted) = (comparable(given), comparable(wanted));
        for (what, wanted) in wanted.as_object().unwrap() {
            assert_eq!(given[what], *wanted, "{name}: {what}");
        }
    }
}

#[test]
fn what_was_read_is_kept_until_the_process_ran() {
    let served = Served::new("3.12.1-orders.core.zst");
    let session = Open::new(&served);
    let first = session.data(json!({"do": "backtrace"}));
    let reads = served.reads.get();
    assert_eq!(session.data(json!({"do": "backtrace"})), first);
    assert_eq!(served.reads.get(), reads);
    assert_eq!(unsafe { pycore_refresh(session.0) }, 0);
    assert_eq!(session.data(json!({"do": "backtrace"})), first);
    assert!(served.reads.get() > reads);
}

#[test]
fn an_interruption_ends_the_question_not_the_session() {
    let served = Served::new("3.12.1-orders.core.zst");
    let session = Open::new(&served);
    let mut whole = None;
    for after in [0, 1, 2, 5, 10, 20, 40] {
        unsafe { pycore_refresh(session.0) };
        served.interrupt_after.set(served.reads.get() + after);
        assert_eq!(
            session.ask(c"{\"do\": \"report\"}"),
            (2, "interrupted".to_owned()),
            "after {after} reads"
        );
        assert_eq!(served.reads.get(), served.interrupt_after.get() + 1, "nothing is read any more");
        served.interrupt_after.set(usize::MAX);
        let report = session.data(json!({"do": "report"}));
        assert_eq!(*whole.get_or_insert(report.clone()), report);
    }
}

#[test]
fn two_sessions_are_two() {
    let (one, other) = (Served::new("3.12.1-orders.core.zst"), Served::new("3.8.18-orders.core.zst"));
    let sessions = [Open::new(&one), Open::new(&other)];
    for _ in 0..2 {
        let versions = sessions.each_ref().map(|session| {
            session.data(json!({"do": "interpreters"}))["pythons"][0]["version"].as_str().unwrap().to_owned()
        });
        assert_eq!(versions, ["3.12.1", "3.8.18"]);
    }
}

#[test]
fn a_caller_of_another_version_is_refused() {
    let served = Served::new("3.12.1-orders.core.zst");
    let problem = Open::with(7, Some(&served.callbacks()), c"{}").err().unwrap();
    assert_eq!(problem.0, 3);
    assert!(
        problem.1.contains("version 1 of its interface") && problem.1.contains("version 7"),
        "{}",
        problem.1
    );
    assert_eq!(pycore_abi_version(), PYCORE_ABI_VERSION);
}

#[test]
fn what_is_not_given_is_said() {
    let served = Served::new("3.12.1-orders.core.zst");
    let good = CString::new(served.options().to_string()).unwrap();
    let open = |callbacks: Option<&PycoreCallbacks>, options: &CStr| {
        Open::with(PYCORE_ABI_VERSION, callbacks, options).err().unwrap()
    };
    assert_eq!(open(None, &good), (1, "callbacks is NULL".to_owned()));
    let lacking = PycoreCallbacks { read_memory: None, ..served.callbacks() };
    assert!(open(Some(&lacking), &good).1.contains("are needed"));
    for (options, message) in [
        (c"{}", "missing field `machine`"),
        (c"", "options:"),
        (c"[1]", "options:"),
        (c"\xff\xfe", "options is not UTF-8"),
        (c"{\"machine\": \"vax\"}", "unknown variant `vax`"),
        (c"{\"machine\": \"x86_64\", \"layout\": \"/nowhere\"}", "/nowhere"),
        (c"{\"machine\": \"x86_64\", \"colour\": 1}", "unknown field `colour`"),
    ] {
        let (status, problem) = open(Some(&served.callbacks()), options);
        assert!(status == 1 && problem.contains(message), "{options:?}: {status} {problem}");
    }
    let (mut session, mut error) = (null_mut(), null_mut());
    unsafe {
        let version = PYCORE_ABI_VERSION;
        let callbacks = served.callbacks();
        assert_eq!(pycore_open(version, &raw const callbacks, null(), &raw mut session, &raw mut error), 1);
        assert!(session.is_null() && taken(error) == "options is NULL");
        assert_eq!(pycore_open(version, &raw const callbacks, good.as_ptr(), null_mut(), null_mut()), 1);
        assert_eq!(pycore_open_dump(version, null(), null(), &raw mut session, &raw mut error), 1);
        assert_eq!(taken(error), "path is NULL");
        assert_eq!(
            pycore_open_dump(version, c"/nowhere".as_ptr(), null(), &raw mut session, &raw mut error),
            1
        );
        assert!(taken(error).contains("/nowhere"));
        let nobody = i32::MAX as u32;
        assert_eq!(pycore_open_pid(version, nobody, null(), &raw mut session, &raw mut error), 1);
        assert!(taken(error).contains(&nobody.to_string()));
        assert_eq!(pycore_ask(null_mut(), c"{}".as_ptr(), null_mut()), 1);
        assert_eq!(pycore_refresh(null_mut()), 1);
        pycore_close(null_mut());
        pycore_free(null_mut());
        pycore_add_thread(null_mut(), null());
        pycore_add_range(null_mut(), null());
    }
    let session = Open::new(&served);
    unsafe {
        let mut response = null_mut();
        assert_eq!(pycore_ask(session.0, null(), &raw mut response), 1);
        assert_eq!(taken(response), "request is NULL");
        assert_eq!(pycore_ask(session.0, c"{\"do\": \"gil\"}".as_ptr(), null_mut()), 0);
    }
    assert!(session.ask(c"\xff").1.contains("request is not UTF-8"));
    assert_eq!(session.ask(c"{\"do\": \"gil\"}").0, 0);
}

#[test]
fn absurd_lists_do_no_harm() {
    let served = Served::new("3.12.1-orders.core.zst");
    served.absurd.set(true);
    let session = Open::new(&served);
    let threads = session.data(json!({"do": "backtrace"}));
    assert_eq!(threads["threads"].as_array().unwrap().len(), 4);
}

#[test]
fn ranges_that_are_not_told_are_those_of_the_modules() {
    let served = Served::new("3.12.1-orders.core.zst");
    served.ranges.set(false);
    let session = Open::new(&served);
    let threads = session.data(json!({"do": "backtrace"}));
    assert_eq!(threads["threads"].as_array().unwrap().len(), 4);
}

#[test]
fn a_process_without_python_is_a_message() {
    let mut served = Served::new("3.12.1-orders.core.zst");
    served.process.modules.clear();
    served.process.threads.clear();
    served.ranges.set(false);
    let (status, message) = Open::new(&served).ask(c"{\"do\": \"backtrace\"}");
    assert!(status == 1 && message.starts_with("no Python: "), "{status} {message}");
}
