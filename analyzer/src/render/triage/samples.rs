//! Triages for the tests of their renderers.

use crate::report::*;

/// What must come out of no format as it is.
pub(crate) const HOSTILE: &str = "::error::</style></title><script>alert(1)</script><img src=x \"onload='alert(2)' \
    onerror=alert(3)>]]>--><!--{{7*7}}${x}`|*_[a](javascript:alert(4))\r\n::stop-commands::x\r\n##[error]\u{1b}[31m\
    \u{9b}2J\u{202e}gpj\u{0}\u{ffff}\u{e0001}&lt;@team #1 https://evil.example/%0A";

fn counted(values: &[(&str, usize)]) -> Vec<Counted> {
    values.iter().map(|&(value, count)| Counted { value: value.into(), count }).collect()
}

fn frame(module: &str, function: &str, file: &str, line: u32) -> CrashFrame {
    CrashFrame {
        module: Some(module.into()),
        function: function.into(),
        unqualified: false,
        file: Some(file.into()),
        line: Some(line),
        locals: Vec::new(),
    }
}

fn part(kind: PartKind, value: &str) -> FingerprintPart {
    FingerprintPart { kind, value: value.into(), from: None }
}

fn crash(id: &str, signal: Option<&str>, frames: Vec<CrashFrame>) -> Crash {
    Crash {
        fingerprint: Fingerprint { id: id.into(), parts: vec![part(PartKind::Frame, "a.b")] },
        summary: "python3 (pid 7) died".into(),
        category: if signal.is_some() { "crash" } else { "snapshot" }.into(),
        format: "elf-core".into(),
        arch: "x86_64".into(),
        os: Some("linux".into()),
        executable: Some("/usr/bin/python3.11".into()),
        program: Some("app".into()),
        python: Some("3.11.7".into()),
        signal: signal.map(str::to_owned),
        fault_address: signal.map(|_| "0x10".to_owned()),
        exceptions: Vec::new(),
        frames,
        cut: false,
        thread: Some("MainThread".into()),
        thread_count: 2,
        holds_gil: Some(true),
        collecting_garbage: Some(false),
        native_module: Some("/usr/lib/x86_64-linux-gnu/libc.so.6".into()),
        libraries: vec!["/usr/lib/x86_64-linux-gnu/libc.so.6".into()],
        text: "python3 (pid 7) died\n\nThread 7 <crashed>\n  File \"/srv/app/models.py\", line 12, in save\n"
            .into(),
        gaps: 0,
    }
}

fn group(id: &str, title: &str, status: GroupStatus, count: usize, crash: Crash) -> Group {
    let number = id.bytes().last().map_or(0, |digit| usize::from(digit - b'0')) * 10;
    let members: Vec<Member> = (0..count)
        .map(|index| Member {
            path: format!("/dumps/core.{}", number + index),
            time: Some("2026-11-21T00:00:00Z".into()),
            host: None,
            python: crash.python.clone(),
            fingerprint: id.into(),
        })
        .collect();
    Group {
        id: id.into(),
        fingerprints: counted(&[(id, count)]),
        title: title.into(),
        count,
        status,
        first_seen: Some("2026-11-21T00:00:00Z".into()),
        last_seen: Some("2026-11-21T00:00:00Z".into()),
        verdict: RuleVerdict::default(),
        parts: crash.fingerprint.parts.clone(),
        versions: counted(&[(crash.python.as_deref().unwrap_or("?"), count)]),
        hosts: Vec::new(),
        differences: Vec::new(),
        representative: members[0].clone(),
        crash,
        members,
    }
}

/// Four groups, one of each status, and two dumps that were not analyzed.
pub(crate) fn triage() -> Triage {
    let mut raised = group(
        "v1:0123456789abcdef",
        "ValueError in app.models.User.save",
        GroupStatus::New,
        5,
        crash(
            "v1:0123456789abcdef",
            None,
            vec![
                frame("app.models", "User.save", "/srv/app/models.py", 12),
                frame("app.views", "register", "/srv/app/views.py", 88),
            ],
        ),
    );
    raised.fingerprints = counted(&[("v1:0123456789abcdef", 4), ("v1:00000000000000ff", 1)]);
    raised.first_seen = Some("2026-11-20T09:00:00Z".into());
    raised.last_seen = Some("2026-11-22T10:30:00Z".into());
    raised.versions = counted(&[("3.11.7", 3), ("3.12.1", 2)]);
    raised.hosts = counted(&[("web-1", 4), ("web-2", 1)]);
    raised.parts = vec![
        part(PartKind::Exception, "ValueError"),
        FingerprintPart {
            from: Some("app.models.User.save.<locals>.inner".into()),
            ..part(PartKind::Frame, "app.models.User.save")
        },
    ];
    raised.verdict = RuleVerdict {
        rules: vec!["users".into()],
        severity: Some(Severity::High),
        labels: vec!["database".into()],
        owners: vec!["@shop/db".into()],
        link: Some("https://example.org/wiki/user-save".into()),
        note: Some("Ask the database team.".into()),
        ..RuleVerdict::default()
    };
    raised.differences = vec![Difference {
        what: "message".into(),
        values: counted(&[("no such user", 3), ("no name", 1)]),
        more: 1,
    }];
    raised.crash.exceptions = vec![CrashException {
        type_name: "ValueError".into(),
        message: Some("no such user".into()),
        role: ExceptionRole::Last,
        traceback: Vec::new(),
    }];
    raised.members[1].path = "/dumps/core.0".into();
    raised.members[0].host = Some("web-1".into());
    raised.representative = raised.members[1].clone();

    let numpy = "/usr/lib/python3/dist-packages/numpy/core/multiarray.py";
    let mut segv =
        crash("v1:1111111111111111", Some("SIGSEGV"), vec![frame("numpy.core.multiarray", "dot", numpy, 7)]);
    segv.python = Some("3.13.0t".into());
    let regressed = "SIGSEGV in numpy.core.multiarray.dot";
    let regressed = group("v1:1111111111111111", regressed, GroupStatus::Regressed, 3, segv);

    let mut abort = crash("v1:2222222222222222", Some("SIGABRT"), Vec::new());
    abort.python = None;
    let known = group("v1:2222222222222222", "SIGABRT in libc.so", GroupStatus::Known, 2, abort);

    let module = vec![frame("app.jobs", "<module>", "/srv/app/jobs.py", 3)];
    let mut ignored = group(
        "v1:3333333333333333",
        "MemoryError in app.jobs.<module>",
        GroupStatus::New,
        2,
        crash("v1:3333333333333333", None, module),
    );
    ignored.verdict.ignored = true;
    ignored.verdict.ignored_until = Some("2026-12-31".into());

    let failed = |path: &str, kind, message: &str| FailedDump {
        path: path.into(),
        failure: Failure { kind, message: message.into() },
    };
    Triage {
        schema: TRIAGE_SCHEMA.into(),
        version: "0.1.0".into(),
        redacted: true,
        complete: true,
        totals: Totals { dumps: 14, analyzed: 12, failed: 2, groups: 4, new_groups: 1, ignored_groups: 1 },
        groups: vec![raised, regressed, known, ignored],
        failures: vec![
            failed("/dumps/empty", FailureKind::Unreadable, "the file is empty"),
            failed("/dumps/slow", FailureKind::Timeout, "it took longer than 30 s"),
        ],
        warnings: Vec::new(),
    }
}

/// Two entries, of a dump that was analyzed and of one that was not.
pub(crate) fn entries() -> Vec<Entry> {
    let entry = |path: &str, outcome| Entry {
        schema: ENTRY_SCHEMA.into(),
        path: path.into(),
        size_bytes: 4096,
        time: None,
        host: Some("web-1".into()),
        redacted: true,
        elapsed_ms: 7,
        outcome,
    };
    let triage = triage();
    vec![
        entry("/dumps/core.0", Outcome::Crash(Box::new(triage.groups[0].crash.clone()))),
        entry("/dumps/empty", Outcome::Failure(triage.failures[0].failure.clone())),
    ]
}

/// [`HOSTILE`] in every string that a dump, a rule or a file's name could have put there, one of them a megabyte long.
pub(crate) fn hostile_triage() -> Triage {
    let mut json = serde_json::to_value(triage()).unwrap();
    let keep = ["schema", "status", "severity", "kind", "role"];
    fill(&mut json, &keep);
    let mut triage: Triage = serde_json::from_value(json).unwrap();
    triage.groups[1].title = HOSTILE.repeat((1 << 20) / HOSTILE.len());
    triage.groups[2].crash.text = HOSTILE.repeat(5000);
    triage
}

fn fill(value: &mut serde_json::Value, keep: &[&str]) {
    match value {
        serde_json::Value::String(text) => HOSTILE.clone_into(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| fill(item, keep)),
        serde_json::Value::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(name, _)| !keep.contains(&name.as_str()))
                .for_each(|(_, item)| fill(item, keep));
        }
        _ => {}
    }
}
