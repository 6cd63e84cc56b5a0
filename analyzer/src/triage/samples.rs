//! Small crashes and entries for tests.

use super::{FrameRules, fingerprint};
use crate::report::*;

pub(crate) fn frame(module: &str, function: &str, file: &str) -> CrashFrame {
    CrashFrame {
        module: Some(module.into()),
        function: function.into(),
        unqualified: false,
        file: Some(file.into()),
        line: Some(10),
        locals: Vec::new(),
    }
}

/// Frames of `app.py` below `/srv`, innermost first.
pub(crate) fn app(functions: &[&str]) -> Vec<CrashFrame> {
    functions.iter().map(|function| frame("app", function, "/srv/app.py")).collect()
}

pub(crate) fn crash(signal: Option<&str>, frames: Vec<CrashFrame>) -> Crash {
    let mut crash = Crash {
        fingerprint: Fingerprint { id: String::new(), parts: Vec::new() },
        summary: "python3 (1) died".into(),
        category: if signal.is_some() { "crash".into() } else { "snapshot".into() },
        format: "elf-core".into(),
        arch: "x86_64".into(),
        os: Some("linux".into()),
        executable: Some("/usr/bin/python3.11".into()),
        program: Some("app".into()),
        python: Some("3.11.7".into()),
        signal: signal.map(str::to_owned),
        fault_address: None,
        exceptions: Vec::new(),
        frames,
        cut: false,
        thread: None,
        thread_count: 1,
        holds_gil: Some(true),
        collecting_garbage: None,
        native_module: Some("/usr/lib/x86_64-linux-gnu/libc.so.6".into()),
        libraries: Vec::new(),
        text: String::new(),
        gaps: 0,
    };
    crash.fingerprint = fingerprint(&crash, &FrameRules::default());
    crash
}

pub(crate) fn entry(path: &str, crash: Crash) -> Entry {
    let crash = Crash { fingerprint: fingerprint(&crash, &FrameRules::default()), ..crash };
    Entry {
        schema: ENTRY_SCHEMA.into(),
        path: path.into(),
        size_bytes: 4096,
        time: Some("2026-11-22T05:00:00Z".into()),
        host: None,
        redacted: true,
        elapsed_ms: 5,
        outcome: Outcome::Crash(Box::new(crash)),
    }
}
