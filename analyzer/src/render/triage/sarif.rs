//! SARIF 2.1.0: a result for each group, for GitHub's code scanning and whoever else reads static analysis.
//!
//! The values are put together as JSON. Crates with types for all of SARIF make these at build time from the schema,
//! which costs more than it gives for the few objects in use; `tests/site.rs` holds the output against the published schema.
//!
//! Source of facts: OASIS SARIF 2.1.0, errata 01; "SARIF support for code scanning" in GitHub's documentation.

use super::TriageOptions;
use super::names::{self, cause, clip, counted, name, plural};
use crate::render;
use crate::report::{CrashFrame, Group, GroupStatus, Severity, Triage};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// As many results as GitHub shows of a run.
const RESULTS: usize = 5000;
/// How many frames a stack has.
const FRAMES: usize = 50;
/// How many tags GitHub takes.
const TAGS: usize = 20;

/// Writes `triage` as a SARIF log: what a process died of (`SIGSEGV`, `ValueError`) is a rule, a group is a result, at
/// the innermost line among the sources.
///
/// # Errors
/// Those of `out`.
pub fn sarif(triage: &Triage, options: &TriageOptions, out: impl Write) -> io::Result<()> {
    let shown = triage.groups.get(..RESULTS).unwrap_or(&triage.groups);
    let mut rules = BTreeMap::new();
    for group in shown {
        let rule = rule_id(group);
        rules.entry(rule.clone()).or_insert_with(|| of_rule(&rule));
    }
    let rule_ids: Vec<&String> = rules.keys().collect();
    let results: Vec<Value> = shown
        .iter()
        .map(|group| {
            let id = rule_id(group);
            let mut result = of_group(group, options);
            set(&mut result, "ruleIndex", rule_ids.binary_search(&&id).ok());
            set(&mut result, "ruleId", Some(id));
            result
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "pycore",
                "version": name(&triage.version),
                "rules": rules.into_values().collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": "pycore/triage/"},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The folder of the sources."}}},
            "invocations": [{
                "executionSuccessful": triage.complete,
                "toolExecutionNotifications": notifications(triage),
            }],
            "results": results,
        }],
    });
    render::json(&log, out)
}

/// Sets a property, if there is a value.
fn set(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(key.to_owned(), value.into());
    }
}

fn rule_id(group: &Group) -> String {
    clip(cause(&group.crash), 120)
}

fn of_rule(id: &str) -> Value {
    json!({
        "id": id,
        "shortDescription": message(&format!("A Python process died of {id}.")),
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["crash"]},
    })
}

fn notifications(triage: &Triage) -> Vec<Value> {
    let remarks = names::remarks(triage);
    let further = triage.groups.len().saturating_sub(RESULTS);
    let further = (further > 0).then(|| format!("{further} more groups are not in here."));
    let remarks =
        remarks.iter().chain(&further).map(|text| json!({"level": "warning", "message": message(text)}));
    let failures = triage.failures.iter().take(RESULTS).map(|failed| {
        let kind = names::failure(failed.failure.kind);
        let text =
            format!("{} was not analyzed: {kind}: {}", name(&failed.path), name(&failed.failure.message));
        json!({
            "level": "warning",
            "descriptor": {"id": kind},
            "message": message(&text),
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(&failed.path)}}}],
        })
    });
    remarks.chain(failures).collect()
}

fn of_group(group: &Group, options: &TriageOptions) -> Value {
    let verdict = &group.verdict;
    let (version, hash) = group.id.split_once(':').unwrap_or(("v1", &group.id));
    let stacks: Vec<Value> =
        if group.crash.frames.is_empty() { Vec::new() } else { vec![stack(group, options)] };
    let mut tags = vec![name(names::status(group))];
    tags.extend(verdict.labels.iter().take(TAGS - 1).map(|label| name(label)));
    tags.sort_unstable();
    tags.dedup();
    let mut result = json!({
        "level": level(verdict.severity),
        "kind": "fail",
        "message": message(&text(group)),
        "locations": [location(group, options)],
        "stacks": stacks,
        "occurrenceCount": group.count.max(1),
        "fingerprints": {format!("pycore/{}", clip(version, 10)): name(&group.id)},
        "partialFingerprints": {"primaryLocationLineHash": format!("{}:1", name(hash))},
        "baselineState": if group.status == GroupStatus::Known { "unchanged" } else { "new" },
        "properties": {
            "tags": tags,
            "owners": verdict.owners.iter().take(TAGS).map(|owner| name(owner)).collect::<Vec<_>>(),
            "status": names::status(group),
            "dump": name(&group.representative.path),
            "python": counted(&group.versions, 8, 0),
            "hosts": counted(&group.hosts, 8, 0),
        },
    });
    if verdict.ignored {
        let until = verdict.ignored_until.as_deref();
        let why = until.map_or_else(
            || "A rule ignores it.".to_owned(),
            |date| format!("A rule ignores it until {}.", name(date)),
        );
        let suppression = json!({"kind": "external", "status": "accepted", "justification": why});
        set(&mut result, "suppressions", Some(vec![suppression]));
    }
    set(&mut result, "workItemUris", verdict.link.as_deref().and_then(names::link).map(|link| vec![link]));
    result
}

/// `ValueError in app.models.User.save: no such user. 5 dumps, ...`.
fn text(group: &Group) -> String {
    let mut text = name(&group.title);
    if let Some(said) = group.crash.exceptions.first().and_then(|exception| exception.message.as_deref()) {
        let _ = write!(text, ": {}", name(said));
    }
    let _ = write!(text, ". {}", plural(group.count, "dump"));
    if let Some(span) = names::span(group) {
        let _ = write!(text, ", {span}");
    }
    let _ = write!(text, ", such as {}.", name(&group.representative.path));
    if let Some(note) = &group.verdict.note {
        let _ = write!(text, " {}", name(note));
    }
    text
}

/// An error, unless a rule says that it is less.
fn level(severity: Option<Severity>) -> &'static str {
    match severity {
        None | Some(Severity::High | Severity::Critical) => "error",
        Some(Severity::Medium) => "warning",
        Some(Severity::Low | Severity::Info) => "note",
    }
}

/// Where it is shown: a result without a place is refused by GitHub, so the dump is one where no source is known.
fn location(group: &Group, options: &TriageOptions) -> Value {
    let known = |frame: &&CrashFrame| frame.file.as_deref().is_some_and(|file| file.starts_with('/'));
    if let Some(place) = names::place(&group.crash, &options.source_roots) {
        in_sources(&place.file, Some(place.line))
    } else if let Some(frame) = group.crash.frames.iter().find(known) {
        physical(frame, options).unwrap_or_default()
    } else {
        json!({"physicalLocation": {"artifactLocation": {"uri": uri(&group.representative.path)}}})
    }
}

fn in_sources(file: &str, line: Option<u32>) -> Value {
    let mut place = json!({"artifactLocation": {"uri": uri(file), "uriBaseId": "SRCROOT"}});
    set(&mut place, "region", line.map(|line| json!({"startLine": line})));
    json!({"physicalLocation": place})
}

fn physical(frame: &CrashFrame, options: &TriageOptions) -> Option<Value> {
    let file = frame.file.as_deref()?;
    let line = frame.line.filter(|&line| line > 0);
    if let Some(inside) = names::below(file, &options.source_roots) {
        return Some(in_sources(&inside, line));
    }
    let mut place = json!({"artifactLocation": {"uri": uri(file)}});
    set(&mut place, "region", line.map(|line| json!({"startLine": line})));
    file.starts_with('/').then(|| json!({"physicalLocation": place}))
}

fn stack(group: &Group, options: &TriageOptions) -> Value {
    let frames: Vec<Value> = group
        .crash
        .frames
        .iter()
        .take(FRAMES)
        .map(|frame| {
            let mut place = physical(frame, options).unwrap_or_else(|| json!({}));
            let logical = json!({"fullyQualifiedName": names::function(frame), "kind": "function"});
            set(&mut place, "logicalLocations", Some(vec![logical]));
            json!({"location": place})
        })
        .collect();
    let thread = group.crash.thread.as_deref().map_or_else(|| "The thread that died".to_owned(), name);
    json!({"message": message(&thread), "frames": frames})
}

/// A message. Braces are doubled and brackets escaped, which in SARIF have meanings (3.11.5, 3.11.6).
fn message(text: &str) -> Value {
    let mut text = text.replace('{', "{{").replace('}', "}}");
    if text.contains("](") {
        text = text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]");
    }
    json!({"text": text})
}

/// A path as a URI: as `file:` where it is absolute, and as a relative reference where not; a URL stays one.
fn uri(path: &str) -> String {
    let (scheme, rest) = match path.split_once("://") {
        Some((scheme, rest)) if scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => {
            (format!("{scheme}://"), rest)
        }
        _ if path.starts_with('/') => ("file://".to_owned(), path),
        _ => (String::new(), path),
    };
    let mut uri = scheme;
    for byte in rest.bytes().take(4096) {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::triage;

    fn shown(triage: &Triage) -> Value {
        let options = TriageOptions { source_roots: vec!["/srv/app".into()], ..TriageOptions::default() };
        let mut out = Vec::new();
        sarif(triage, &options, &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_group_is_a_result_at_its_line() {
        let log = shown(&triage());
        let results = &log["runs"][0]["results"];
        let first = &results[0];
        assert_eq!(first["ruleId"], "ValueError");
        assert_eq!(first["level"], "error");
        assert_eq!(
            first["locations"][0],
            json!({"physicalLocation": {
                "artifactLocation": {"uri": "models.py", "uriBaseId": "SRCROOT"}, "region": {"startLine": 12},
            }})
        );
        assert_eq!(first["fingerprints"], json!({"pycore/v1": "v1:0123456789abcdef"}));
        assert_eq!(first["partialFingerprints"]["primaryLocationLineHash"], "0123456789abcdef:1");
        assert_eq!(first["workItemUris"][0], "https://example.org/wiki/user-save");
        assert_eq!(
            first["stacks"][0]["frames"][1]["location"]["logicalLocations"][0]["fullyQualifiedName"],
            "app.views.register"
        );
        let rules = &log["runs"][0]["tool"]["driver"]["rules"];
        for result in results.as_array().unwrap() {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
        }
        assert_eq!(results[1]["baselineState"], "new");
        assert_eq!(results[2]["baselineState"], "unchanged");
        assert_eq!(
            results[2]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "file:///dumps/core.20"
        );
        assert_eq!(results[3]["suppressions"][0]["status"], "accepted");
        assert_eq!(
            log["runs"][0]["invocations"][0]["toolExecutionNotifications"][1]["descriptor"]["id"],
            "timeout"
        );
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("/srv/a b/ü:%.py"), "file:///srv/a%20b/%C3%BC%3A%25.py");
        assert_eq!(uri("a:b/c.py"), "a%3Ab/c.py");
        assert_eq!(uri("s3://bucket/core.1"), "s3://bucket/core.1");
    }

    #[test]
    fn braces_and_brackets_of_a_dump_are_text() {
        assert_eq!(message("{0} a[1]")["text"], "{{0}} a[1]");
        assert_eq!(message("[x](y)")["text"], "\\[x\\](y)");
    }
}
