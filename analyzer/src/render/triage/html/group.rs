//! The page of a group.

use crate::render::triage::TriageOptions;
use crate::render::triage::names::{self, block, clip, counted, function, name, plural};
use crate::report::{Crash, CrashFrame, ExceptionRole, FingerprintPart, Group, Triage};
use askama::Template;

#[derive(Template)]
#[template(path = "triage/group.html", whitespace = "minimize")]
pub(super) struct GroupPage<'a> {
    root: &'static str,
    version: String,
    redacted: bool,
    /// The page of the group before this one.
    pub(super) previous: Option<&'a str>,
    /// The page of the group behind it.
    pub(super) next: Option<&'a str>,
    title: String,
    status: &'static str,
    headline: String,
    note: Option<String>,
    link: Option<&'a str>,
    facts: Vec<(&'static str, String)>,
    exceptions: Vec<String>,
    frames: Vec<Frame>,
    further_frames: usize,
    differences: Vec<(String, String)>,
    representative: String,
    text: String,
    members: Vec<MemberRow>,
    further_members: usize,
    fingerprints: String,
    parts: Vec<String>,
}

struct Frame {
    function: String,
    place: String,
}

struct MemberRow {
    path: String,
    time: String,
    host: String,
    python: String,
}

impl<'a> GroupPage<'a> {
    /// The page, on which frames, report and dumps take about `room` bytes.
    pub(super) fn new(triage: &Triage, group: &'a Group, options: &TriageOptions, room: usize) -> Self {
        let crash = &group.crash;
        let mut headline = plural(group.count, "dump");
        if let Some(span) = names::span(group) {
            headline = format!("{headline}, {span}");
        }
        let frames =
            fitting(&crash.frames, room / 4, frame, |frame| frame.function.len() + frame.place.len() + 40);
        let members = fitting(
            &group.members,
            room / 4,
            |member| MemberRow {
                path: name(&member.path),
                time: clip(member.time.as_deref().unwrap_or_default(), 40),
                host: clip(member.host.as_deref().unwrap_or_default(), 80),
                python: clip(member.python.as_deref().unwrap_or_default(), 40),
            },
            |row| row.path.len() + row.time.len() + row.host.len() + row.python.len() + 70,
        );
        let differences = group.differences.iter().take(12).map(|difference| {
            (clip(&difference.what, 40), clip(&counted(&difference.values, 4, difference.more), 240))
        });
        GroupPage {
            root: "../",
            version: name(&triage.version),
            redacted: triage.redacted,
            previous: None,
            next: None,
            title: name(&group.title),
            status: names::status(group),
            headline,
            note: group.verdict.note.as_deref().map(name),
            link: group.verdict.link.as_deref().and_then(names::link),
            facts: facts(group, options),
            exceptions: exceptions(crash),
            further_frames: crash.frames.len().saturating_sub(frames.len()),
            frames,
            differences: differences.collect(),
            representative: name(&group.representative.path),
            text: block(&crash.text, room / 2),
            further_members: group.members.len().saturating_sub(members.len()),
            members,
            fingerprints: counted(&group.fingerprints, 6, 0),
            parts: group.parts.iter().take(12).map(part).collect(),
        }
    }
}

/// As many of `items` as fit into `room` bytes, and at least three.
fn fitting<T, U>(items: &[T], room: usize, show: impl Fn(&T) -> U, size: impl Fn(&U) -> usize) -> Vec<U> {
    let mut used = 0_usize;
    let mut shown = Vec::new();
    for item in items {
        let item = show(item);
        used = used.saturating_add(size(&item));
        if used > room && shown.len() >= 3 {
            break;
        }
        shown.push(item);
    }
    shown
}

fn facts(group: &Group, options: &TriageOptions) -> Vec<(&'static str, String)> {
    let (crash, verdict) = (&group.crash, &group.verdict);
    let place = names::place(crash, &options.source_roots)
        .map(|place| format!("{}:{}", name(&place.file), place.line));
    let signal = crash.signal.as_deref().map(|signal| match &crash.fault_address {
        Some(address) => format!("{} at {}", clip(signal, 60), clip(address, 20)),
        None => clip(signal, 60),
    });
    let ignored = verdict.ignored.then(|| match &verdict.ignored_until {
        Some(date) => format!("until {}", clip(date, 20)),
        None => "for ever".to_owned(),
    });
    let facts = [
        ("Group", Some(name(&group.id))),
        ("Look at", place),
        ("Severity", verdict.severity.map(|found| names::severity(found).to_owned())),
        ("Owners", Some(name(&verdict.owners.join(", ")))),
        ("Labels", Some(name(&verdict.labels.join(", ")))),
        ("Ignored", ignored),
        ("Rules", Some(name(&verdict.rules.join(", ")))),
        ("Signal", signal),
        ("Python", Some(counted(&group.versions, 8, 0))),
        ("Hosts", Some(counted(&group.hosts, 8, 0))),
        ("Thread", crash.thread.as_deref().map(|thread| clip(thread, 100))),
        ("Native code", crash.native_module.as_deref().map(name)),
        ("Program", crash.executable.as_deref().map(name)),
    ];
    let known = facts.into_iter().filter_map(|(what, value)| Some((what, value?)));
    known.filter(|(_, value)| !value.is_empty()).collect()
}

/// The exceptions, that of the crash first.
fn exceptions(crash: &Crash) -> Vec<String> {
    let shown = crash.exceptions.iter().take(4).map(|exception| {
        let role = match exception.role {
            ExceptionRole::Raising => "raising",
            ExceptionRole::Handling => "handling",
            ExceptionRole::Cause => "caused by",
            ExceptionRole::Context => "while handling",
            ExceptionRole::Last => "unhandled",
        };
        let type_name = clip(&exception.type_name, 100);
        match &exception.message {
            Some(message) => format!("{role} {type_name}: {}", name(message)),
            None => format!("{role} {type_name}"),
        }
    });
    shown.collect()
}

fn frame(frame: &CrashFrame) -> Frame {
    let file = frame.file.as_deref().map(name).unwrap_or_default();
    let place = match frame.line {
        Some(line) if !file.is_empty() => format!("{file}:{line}"),
        _ => file,
    };
    Frame { function: function(frame), place }
}

fn part(part: &FingerprintPart) -> String {
    let kind = names::part(part.kind);
    match &part.from {
        Some(from) => format!("{kind} {}, from {}", clip(&part.value, 120), clip(from, 120)),
        None => format!("{kind} {}", clip(&part.value, 120)),
    }
}
