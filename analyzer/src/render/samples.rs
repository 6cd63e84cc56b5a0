//! Small parts of reports for the tests of the renderers.

use crate::addr::Address;
use crate::report::*;

pub(crate) fn value(type_name: &str, repr: &str) -> Value {
    Value {
        type_name: type_name.into(),
        repr: repr.into(),
        address: None,
        truncated: false,
        redacted: false,
        note: None,
        children: Vec::new(),
    }
}

pub(crate) fn opaque(type_name: &str, address: u64, children: Vec<Child>) -> Value {
    let address = Address(address);
    Value {
        address: Some(address),
        children,
        ..value(type_name, &format!("<{type_name} object at {address}>"))
    }
}

pub(crate) fn attribute(name: &str, value: Value) -> Child {
    Child { kind: ChildKind::Attribute, name: name.into(), value }
}

pub(crate) fn item(name: &str, value: Value) -> Child {
    Child { kind: ChildKind::Item, name: name.into(), value }
}

pub(crate) fn local(name: &str, value: Value) -> Local {
    Local { name: name.into(), kind: LocalKind::Local, value }
}

pub(crate) fn frame(file: &str, line: u32, function: &str) -> Frame {
    Frame {
        kind: FrameKind::Python,
        function: Some(function.into()),
        qualname: None,
        module_name: None,
        file: Some(file.into()),
        line: Some(line),
        source: None,
        native: None,
        trust: None,
        is_entry: None,
        locals: None,
    }
}

pub(crate) fn exception(address: u64, type_name: &str, message: &str) -> Exception {
    Exception { message: Some(message.into()), ..Exception::bare(type_name, Address(address)) }
}

pub(crate) fn thread(tid: u32, frames: Vec<Frame>) -> Thread {
    Thread {
        tid: Some(tid),
        number: None,
        name: None,
        runtime: None,
        interpreter: Some(0),
        crashed: false,
        main: false,
        holds_gil: None,
        waiting_for_gil: None,
        attachment: None,
        collecting_garbage: None,
        state: None,
        system_call: None,
        python: true,
        native_location: None,
        start: None,
        times: None,
        frames,
        exceptions: None,
    }
}

pub(crate) fn report(threads: Vec<Thread>) -> Report {
    Report {
        schema: SCHEMA,
        source: Source {
            path: "core.4711".into(),
            format: SourceFormat::ElfCore,
            arch: "x86_64".into(),
            size_bytes: 54_525_952,
            truncated: false,
            time: None,
            host: None,
            boot_id: None,
            contents: None,
        },
        process: Process {
            pid: Some(4711),
            uid: Some(1000),
            executable: Some("/usr/bin/python3.11".into()),
            command_line: Some(vec!["python3".into(), "app.py".into(), "--name".into(), "a b".into()]),
            signal: Some(Signal {
                number: 11,
                name: "SIGSEGV".into(),
                code: Some(1),
                code_name: Some("SEGV_MAPERR".into()),
                address: Some(Address(0x10)),
                sender_pid: None,
            }),
            crashed_tid: Some(4711),
            ..Process::default()
        },
        python: Some(Python {
            implementation: "cpython".into(),
            version: "3.11.7".into(),
            free_threaded: false,
            debug_build: false,
            layout: "cpython-3.11-x86_64".into(),
            evidence: vec![Evidence {
                method: "symbol",
                detail: "_PyRuntime in libpython3.11.so.1.0".into(),
                address: Some(Address(0x7f00_1000)),
            }],
            interpreters: vec![Interpreter {
                id: Some(0),
                main: true,
                thread_count: 1,
                gil_enabled: None,
                last_exception: None,
            }],
        }),
        other_pythons: Vec::new(),
        threads,
        tasks: None,
        generators: None,
        greenlets: None,
        redacted: None,
        diagnosis: Diagnosis {
            summary: "python3 (pid 4711) died of SIGSEGV in app.py line 3, in f".into(),
            category: "crash".into(),
            details: Vec::new(),
        },
        gaps: Vec::new(),
        warnings: Vec::new(),
    }
}
