//! What dumps died of, and which died of the same: a stand-in until fingerprints are there.

use crate::report::{
    Counted, Crash, CrashFrame, Entry, FailedDump, Fingerprint, FingerprintPart, FrameKind, Group,
    GroupStatus, Member, Outcome, PartKind, Report, RuleVerdict, TRIAGE_SCHEMA, Totals, Triage,
};
use std::collections::BTreeMap;

/// How entries are grouped.
#[derive(Clone, Debug, Default)]
pub struct GroupOptions {
    /// Whether similar ones are merged.
    pub similar: bool,
}

/// What a dump died of.
pub fn crash(report: &Report, libraries: Vec<String>, text: String) -> Crash {
    let thread = report.threads.iter().find(|thread| thread.crashed).or(report.threads.first());
    let frames: Vec<_> = thread
        .iter()
        .flat_map(|thread| &thread.frames)
        .filter(|frame| frame.kind == FrameKind::Python)
        .map(|frame| CrashFrame {
            module: None,
            function: frame.qualname.clone().or(frame.function.clone()).unwrap_or_default(),
            file: frame.file.clone(),
            line: frame.line,
            locals: Vec::new(),
        })
        .collect();
    let parts: Vec<_> = frames
        .iter()
        .map(|frame| FingerprintPart { kind: PartKind::Frame, value: frame.function.clone(), from: None })
        .collect();
    let id = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("/");
    Crash {
        fingerprint: Fingerprint { id, parts },
        summary: report.diagnosis.summary.clone(),
        category: report.diagnosis.category.clone(),
        format: "elf-core".to_owned(),
        arch: report.source.arch.clone(),
        os: None,
        executable: report.process.executable.clone(),
        python: report.python.as_ref().map(|python| python.version.clone()),
        signal: report.process.signal.as_ref().map(|signal| signal.name.clone()),
        fault_address: None,
        exceptions: Vec::new(),
        frames,
        thread: None,
        thread_count: report.threads.len(),
        holds_gil: None,
        collecting_garbage: None,
        native_module: None,
        libraries,
        text,
        gaps: report.gaps.len(),
    }
}

/// The groups of those that died of the same.
pub fn group(entries: Vec<Entry>, _options: &GroupOptions) -> Triage {
    let mut groups = BTreeMap::<String, Group>::new();
    let mut failures = Vec::new();
    let mut totals = Totals { dumps: entries.len(), ..Totals::default() };
    let redacted = entries.iter().all(|entry| entry.redacted);
    for entry in entries {
        let crash = match entry.outcome {
            Outcome::Crash(crash) => crash,
            Outcome::Failure(failure) => {
                totals.failed += 1;
                failures.push(FailedDump { path: entry.path, failure });
                continue;
            }
        };
        totals.analyzed += 1;
        let id = crash.fingerprint.id.clone();
        let member = Member {
            path: entry.path,
            time: entry.time,
            host: entry.host,
            python: crash.python.clone(),
            fingerprint: id.clone(),
        };
        let group = groups.entry(id.clone()).or_insert_with(|| Group {
            id: id.clone(),
            fingerprints: vec![Counted { value: id.clone(), count: 0 }],
            title: crash.summary.clone(),
            count: 0,
            status: GroupStatus::New,
            first_seen: None,
            last_seen: None,
            verdict: RuleVerdict::default(),
            parts: crash.fingerprint.parts.clone(),
            versions: Vec::new(),
            hosts: Vec::new(),
            differences: Vec::new(),
            representative: member.clone(),
            crash: *crash,
            members: Vec::new(),
        });
        group.count += 1;
        group.members.push(member);
    }
    totals.groups = groups.len();
    totals.new_groups = groups.len();
    Triage {
        schema: TRIAGE_SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        redacted,
        complete: true,
        totals,
        groups: groups.into_values().collect(),
        failures,
        warnings: Vec::new(),
    }
}
