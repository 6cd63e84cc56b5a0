//! What all formats say in the same words: counts, times, places, what a group is called.

use crate::render;
use crate::render::sanitize::{Guard, Notation, line};
use crate::report::{
    Counted, Crash, CrashFrame, FailureKind, Group, GroupStatus, PartKind, Severity, Triage,
};
use std::fmt::Write as _;
use std::io::Write as _;

/// The longest that a name or message is shown outside of JSON, in characters.
pub(super) const LONGEST: usize = 300;

/// `text` on one line, with nothing in it that a terminal or a CI server's log could obey, cut to `most` characters.
pub(super) fn clip(text: &str, most: usize) -> String {
    let mut kept: String = line(text.get(..floor(text, most.saturating_mul(4))).unwrap_or_default())
        .to_string()
        .chars()
        .take(most.saturating_add(1))
        .collect();
    if kept.chars().count() > most {
        kept.pop();
        kept.pop();
        kept.push('…');
    }
    without_commands(kept)
}

/// `text` on its lines, made harmless like that of [`clip`] and cut to `most` bytes behind a whole line where there is
/// one.
pub(super) fn block(text: &str, most: usize) -> String {
    let cut = text.get(..floor(text, most)).unwrap_or_default();
    let is_cut = cut.len() < text.len();
    let cut = if is_cut { cut.rsplit_once('\n').map_or(cut, |(whole, _)| whole) } else { cut };
    let mut shown = without_commands(render::to_string(|out| {
        Guard::new(out, Notation::Python).write_all(cut.as_bytes())
    }));
    if is_cut {
        shown.push_str("\n... (cut)");
    }
    shown
}

/// `text` without commands as `##[group]` and `##vso[task.complete]`, which CI servers obey wherever they stand in a line:
/// their second `#` is escaped.
fn without_commands(text: String) -> String {
    let is_command = |at: usize| {
        let rest = text.get(at..).unwrap_or_default().strip_prefix("##").unwrap_or_default();
        rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).starts_with('[')
    };
    if !text.match_indices('#').any(|(at, _)| is_command(at)) {
        return text;
    }
    text.replace("##", "#\\x23")
}

/// The last place at or before `at` where a character of `text` begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// A name, cut to what can be shown.
pub(super) fn name(text: &str) -> String {
    clip(text, LONGEST)
}

/// `1 dump`, `2 dumps`.
pub(super) fn plural(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// `3.11.7 (3), 3.12.1 (2), and 4 more`.
pub(super) fn counted(values: &[Counted], most: usize, further: usize) -> String {
    let mut text = String::new();
    for (index, Counted { value, count }) in values.iter().take(most).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{} ({count})", clip(value, 80));
    }
    let further = further.saturating_add(values.len().saturating_sub(most));
    if further > 0 {
        let _ = write!(text, ", and {further} more");
    }
    text
}

/// `2026-11-20T09:00:00Z to 2026-11-22T10:00:00Z`, or the one that is known.
pub(super) fn span(group: &Group) -> Option<String> {
    match (&group.first_seen, &group.last_seen) {
        (Some(first), Some(last)) if first != last => {
            Some(format!("{} to {}", clip(first, 40), clip(last, 40)))
        }
        (Some(time), _) | (None, Some(time)) => Some(clip(time, 40)),
        (None, None) => None,
    }
}

/// `1000 dumps: 40 groups, 3 of them new; 50 dumps were not analyzed`.
pub(super) fn headline(triage: &Triage) -> String {
    let totals = &triage.totals;
    let mut text = format!("{}: {}", plural(totals.dumps, "dump"), plural(totals.groups, "group"));
    if totals.new_groups > 0 {
        let _ = write!(text, ", {} new", totals.new_groups);
    }
    let regressed = triage.groups.iter().filter(|group| group.status == GroupStatus::Regressed).count();
    if regressed > 0 {
        let _ = write!(text, ", {regressed} regressed");
    }
    if totals.ignored_groups > 0 {
        let _ = write!(text, ", {} ignored", totals.ignored_groups);
    }
    if totals.failed > 0 {
        let _ = write!(text, "; {} not analyzed", plural(totals.failed, "dump"));
    }
    text
}

/// What the reader has to know before trusting the rest, a line each.
pub(super) fn remarks(triage: &Triage) -> Vec<String> {
    let mut remarks = Vec::new();
    if !triage.complete {
        remarks.push("Interrupted: not all dumps that were found were looked at.".to_owned());
    }
    if !triage.redacted {
        remarks.push("Secrets are not hidden here (--no-redact): think before you pass this on.".to_owned());
    }
    remarks.extend(triage.warnings.iter().map(|warning| format!("Warning: {}", name(warning))));
    remarks
}

/// Whether the group is one that a run fails for by default: new or back again, and not ignored.
pub(super) fn is_news(group: &Group) -> bool {
    group.status != GroupStatus::Known && !group.verdict.ignored
}

/// What to call a group's status: that rules ignore it says more than whether it is known.
pub(super) fn status(group: &Group) -> &'static str {
    match group.status {
        _ if group.verdict.ignored => "ignored",
        GroupStatus::New => "new",
        GroupStatus::Regressed => "regressed",
        GroupStatus::Known => "known",
    }
}

pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

pub(super) fn failure(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unreadable => "unreadable",
        FailureKind::Timeout => "timeout",
        FailureKind::Memory => "memory",
        FailureKind::Crashed => "crashed",
    }
}

pub(super) fn part(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Signal => "signal",
        PartKind::Exception => "exception",
        PartKind::Frame => "frame",
        PartKind::Native => "native",
        PartKind::Program => "program",
    }
}

/// What the process died of, in a word: the exception's type, the signal, or the category.
pub(super) fn cause(crash: &Crash) -> &str {
    let exception = crash.exceptions.first().map(|exception| exception.type_name.as_str());
    exception.or(crash.signal.as_deref()).unwrap_or(&crash.category)
}

/// `app.models.User.save (/srv/app/models.py:12)`.
pub(super) fn frame(frame: &CrashFrame) -> String {
    let mut text = function(frame);
    if let Some(file) = &frame.file {
        let _ = write!(text, " ({}", name(file));
        if let Some(number) = frame.line {
            let _ = write!(text, ":{number}");
        }
        text.push(')');
    }
    text
}

/// `app.models.User.save`.
pub(super) fn function(frame: &CrashFrame) -> String {
    match &frame.module {
        Some(module) => format!("{}.{}", name(module), name(&frame.function)),
        None => name(&frame.function),
    }
}

/// A link that can be followed: an address of the web with no character that could end it.
pub(super) fn link(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let is_plain = |c: char| {
        c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '`' | '\\' | '^' | '{' | '|' | '}')
    };
    (!rest.is_empty() && text.len() < 2048 && rest.chars().all(is_plain)).then_some(text)
}

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, relative to the folder of the sources.
    pub(super) file: String,
    /// The line, from 1 on.
    pub(super) line: u32,
}

/// The line of the sources where the crash is to be looked at: of the innermost frame whose file is among them.
pub(super) fn place(crash: &Crash, source_roots: &[String]) -> Option<Place> {
    crash.frames.iter().find_map(|frame| {
        let file = below(frame.file.as_deref()?, source_roots)?;
        Some(Place { file, line: frame.line.filter(|&line| line > 0)? })
    })
}

/// The path relative to the folder that it lies in, if that is one of the sources; installed packages are none.
pub(super) fn below(file: &str, source_roots: &[String]) -> Option<String> {
    let is_relative = !file.starts_with(['/', '\\', '<']) && !file.contains(':');
    let inside = if is_relative {
        Some(file.strip_prefix("./").unwrap_or(file))
    } else {
        source_roots
            .iter()
            .filter_map(|root| file.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/'))
            .min_by_key(|inside| inside.len())
    }?;
    let is_source = inside.len() < 4096
        && inside.split('/').all(|part| {
            !matches!(part, "" | "." | ".." | "site-packages" | "dist-packages" | ".venv" | ".tox" | ".nox")
        });
    is_source.then(|| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::triage;

    #[test]
    fn names_are_cut_at_characters_and_stay_on_one_line() {
        assert_eq!(clip("héllo", 5), "héllo");
        assert_eq!(clip("héllo!", 5), "héll…");
        assert_eq!(clip("a\nb\u{1b}", 20), "a\\nb\\x1b");
        assert_eq!(clip(&"你".repeat(1 << 20), 3), "你你…");
        assert_eq!(clip("", 5), "");
        assert_eq!(block("a\n\tb\u{1b}\n\nc", 100), "a\n\tb\\x1b\n\nc");
        assert_eq!(block("aaa\nbbb\nccc", 9), "aaa\nbbb\n... (cut)");
        assert_eq!(block("你你你", 7), "你你\n... (cut)");
    }

    #[test]
    fn commands_of_ci_servers_are_none_any_more() {
        assert_eq!(clip("x ##vso[task.complete]", 99), "x #\\x23vso[task.complete]");
        assert_eq!(block("###[error]", 99), "#\\x23#[error]");
        assert_eq!(clip("## heading", 99), "## heading");
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        assert_eq!(link("https://example.org/a?b=c#d"), Some("https://example.org/a?b=c#d"));
        for other in [
            "javascript:alert(1)",
            "https://",
            "http://a/\"onload=",
            "https://a b",
            "https://a\n",
            "HTTP://A",
        ] {
            assert_eq!(link(other), None, "{other}");
        }
    }

    #[test]
    fn a_place_is_the_innermost_line_among_the_sources() {
        let mut crash = triage().groups[0].crash.clone();
        let file = |index: usize, file: &str, crash: &mut Crash| crash.frames[index].file = Some(file.into());
        file(0, "/srv/app/.venv/lib/python3.11/site-packages/x.py", &mut crash);
        file(1, "/srv/app/models.py", &mut crash);
        let roots = ["/elsewhere".to_owned(), "/srv/app/".to_owned()];
        assert_eq!(place(&crash, &roots), Some(Place { file: "models.py".into(), line: 88 }));
        assert_eq!(place(&crash, &["/srv/ap".to_owned()]), None);
        file(1, "/srv/app/../../etc/passwd", &mut crash);
        assert_eq!(place(&crash, &roots), None);
        assert_eq!(below("./tests/test_a.py", &[]), Some("tests/test_a.py".into()));
        for other in ["<string>", "<frozen importlib._bootstrap>", "C:\\app\\a.py", "../a.py", "/a.py", ""] {
            assert_eq!(below(other, &[]), None, "{other}");
        }
    }
}
