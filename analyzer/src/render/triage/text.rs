//! A triage as text: what is new first, in full; what is known in a line.

use super::TriageOptions;
use super::names::{clip, counted, frame, headline, name, plural, remarks, severity, span, status};
use crate::render::printer::Printer;
use crate::render::table::Table;
use crate::render::triage::names;
use crate::report::{FailedDump, Group, GroupStatus, Triage};
use std::io::{self, Write};

/// How many frames of a group are shown.
const FRAMES: usize = 8;
/// How many of the dumps that were not analyzed are shown.
const FAILURES: usize = 20;

/// Writes `triage` as text: how much there is, groups that are new or came back, known ones, dumps that were not
/// analyzed. No string of a dump begins a line, where a CI server could take it for a command.
///
/// # Errors
/// Those of `out`.
pub fn text(triage: &Triage, options: &TriageOptions, out: impl Write) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    p.paint(p.styles.summary, headline(triage))?;
    writeln!(p)?;
    for remark in remarks(triage) {
        p.paint(p.styles.warning, remark)?;
        writeln!(p)?;
    }
    let (full, short): (Vec<_>, Vec<_>) =
        triage.groups.iter().partition(|group| names::is_news(group) || options.explain);
    for group in full {
        writeln!(p)?;
        in_full(&mut p, group, options)?;
    }
    if !short.is_empty() {
        writeln!(p)?;
        let mut table = Table::new(vec!["Dumps", "Status", "Last seen", "Group", "Title"]);
        for group in short {
            table.add(vec![
                group.count.to_string(),
                status(group).to_owned(),
                clip(group.last_seen.as_deref().unwrap_or("-"), 40),
                clip(&group.id, 40),
                clip(&group.title, 160),
            ]);
        }
        table.print(&mut p)?;
    }
    failures(&mut p, &triage.failures)?;
    p.flush()
}

fn in_full<W: Write>(p: &mut Printer<W>, group: &Group, options: &TriageOptions) -> io::Result<()> {
    let style = if names::is_news(group) { p.styles.crashed } else { p.styles.remark };
    p.paint(style, status(group))?;
    write!(p, "  ")?;
    p.paint(p.styles.heading, name(&group.title))?;
    writeln!(p)?;
    p.indented("    ", |p| {
        write!(p, "{}", plural(group.count, "dump"))?;
        if let Some(span) = span(group) {
            write!(p, ", {span}")?;
        }
        if !group.versions.is_empty() {
            write!(p, "; Python {}", counted(&group.versions, 4, 0))?;
        }
        if !group.hosts.is_empty() {
            write!(p, "; on {}", counted(&group.hosts, 4, 0))?;
        }
        writeln!(p)?;
        verdict(p, group)?;
        if let Some(exception) = group.crash.exceptions.first() {
            write!(p, "exception ")?;
            p.paint(p.styles.exception, name(&exception.type_name))?;
            if let Some(message) = &exception.message {
                write!(p, ": {}", name(message))?;
            }
            writeln!(p)?;
        }
        for shown in group.crash.frames.iter().take(FRAMES) {
            write!(p, "at ")?;
            p.paint(p.styles.place, frame(shown))?;
            writeln!(p)?;
        }
        let further = group.crash.frames.len().saturating_sub(FRAMES);
        if further > 0 {
            p.paint(p.styles.remark, format!("... and {}", plural(further, "further frame")))?;
            writeln!(p)?;
        }
        for difference in &group.differences {
            let values = clip(&counted(&difference.values, 3, difference.more), 160);
            writeln!(p, "differs in {}: {values}", name(&difference.what))?;
        }
        writeln!(p, "see {}", name(&group.representative.path))?;
        p.paint(p.styles.remark, format!("group {}", name(&group.id)))?;
        writeln!(p)?;
        if options.explain { explain(p, group) } else { Ok(()) }
    })
}

/// What rules say.
fn verdict<W: Write>(p: &mut Printer<W>, group: &Group) -> io::Result<()> {
    let verdict = &group.verdict;
    let joined = |values: &[String]| clip(&values.join(", "), names::LONGEST);
    let mut said = Vec::new();
    if let Some(found) = verdict.severity {
        said.push(format!("severity {}", severity(found)));
    }
    if !verdict.owners.is_empty() {
        said.push(format!("owned by {}", joined(&verdict.owners)));
    }
    if !verdict.labels.is_empty() {
        said.push(format!("labels {}", joined(&verdict.labels)));
    }
    if verdict.ignored {
        let until = verdict.ignored_until.as_deref().map(|date| format!(" until {}", clip(date, 20)));
        said.push(format!("ignored{}", until.unwrap_or_default()));
    }
    if !said.is_empty() {
        writeln!(p, "{}", said.join("; "))?;
    }
    if let Some(note) = &verdict.note {
        writeln!(p, "note: {}", name(note))?;
    }
    if let Some(link) = &verdict.link {
        writeln!(p, "link: {}", name(link))?;
    }
    Ok(())
}

/// What went into the fingerprint, and which fingerprints were merged.
fn explain<W: Write>(p: &mut Printer<W>, group: &Group) -> io::Result<()> {
    writeln!(p, "made of")?;
    p.indented("    ", |p| {
        for part in &group.parts {
            let kind = names::part(part.kind);
            write!(p, "{kind:<10}{}", name(&part.value))?;
            if let Some(from) = &part.from {
                p.paint(p.styles.remark, format!("  (from {})", name(from)))?;
            }
            writeln!(p)?;
        }
        Ok(())
    })?;
    if group.fingerprints.len() > 1 {
        writeln!(p, "merged of {}", counted(&group.fingerprints, 10, 0))?;
    }
    if group.status == GroupStatus::Known && !group.verdict.rules.is_empty() {
        writeln!(p, "matched by {}", clip(&group.verdict.rules.join(", "), names::LONGEST))?;
    }
    Ok(())
}

fn failures<W: Write>(p: &mut Printer<W>, failures: &[FailedDump]) -> io::Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    writeln!(p)?;
    p.paint(p.styles.heading, "Not analyzed")?;
    writeln!(p)?;
    for failed in failures.iter().take(FAILURES) {
        write!(p, "    - {}: ", name(&failed.path))?;
        p.paint(p.styles.warning, names::failure(failed.failure.kind))?;
        writeln!(p, ": {}", name(&failed.failure.message))?;
    }
    let further = failures.len().saturating_sub(FAILURES);
    if further > 0 {
        writeln!(p, "    ... and {further} more; JSON has them all")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::{hostile_triage, triage};

    fn shown(triage: &Triage, explain: bool) -> String {
        let mut out = Vec::new();
        text(triage, &TriageOptions { explain, ..TriageOptions::default() }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn new_groups_are_shown_in_full_and_known_ones_in_a_line() {
        assert_eq!(
            shown(&triage(), false),
            "\
14 dumps: 4 groups, 1 new, 1 regressed, 1 ignored; 2 dumps not analyzed

new  ValueError in app.models.User.save
    5 dumps, 2026-11-20T09:00:00Z to 2026-11-22T10:30:00Z; Python 3.11.7 (3), 3.12.1 (2); on web-1 (4), web-2 (1)
    severity high; owned by @shop/db; labels database
    note: Ask the database team.
    link: https://example.org/wiki/user-save
    exception ValueError: no such user
    at app.models.User.save (/srv/app/models.py:12)
    at app.views.register (/srv/app/views.py:88)
    differs in message: no such user (3), no name (1), and 1 more
    see /dumps/core.0
    group v1:0123456789abcdef

regressed  SIGSEGV in numpy.core.multiarray.dot
    3 dumps, 2026-11-21T00:00:00Z; Python 3.13.0t (3)
    at numpy.core.multiarray.dot (/usr/lib/python3/dist-packages/numpy/core/multiarray.py:7)
    see /dumps/core.10
    group v1:1111111111111111

Dumps  Status   Last seen             Group                Title
2      known    2026-11-21T00:00:00Z  v1:2222222222222222  SIGABRT in libc.so
2      ignored  2026-11-21T00:00:00Z  v1:3333333333333333  MemoryError in app.jobs.<module>

Not analyzed
    - /dumps/empty: unreadable: the file is empty
    - /dumps/slow: timeout: it took longer than 30 s
"
        );
    }

    #[test]
    fn explained_is_what_went_in() {
        let text = shown(&triage(), true);
        assert!(
            text.contains(
                "    made of\n        exception ValueError\n        frame     app.models.User.save  \
                 (from app.models.User.save.<locals>.inner)\n"
            ),
            "{text}"
        );
        assert!(text.contains("    merged of v1:0123456789abcdef (4), v1:00000000000000ff (1)\n"), "{text}");
    }

    #[test]
    fn an_interrupted_run_and_shown_secrets_are_said_first() {
        let mut triage = triage();
        triage.complete = false;
        triage.redacted = false;
        triage.warnings.push("the journal was cut".into());
        let text = shown(&triage, false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("Interrupted:"));
        assert!(lines[2].starts_with("Secrets are not hidden"));
        assert_eq!(lines[3], "Warning: the journal was cut");
    }

    #[test]
    fn hostile_strings_begin_no_line_and_are_cut() {
        let text = shown(&hostile_triage(), true);
        assert!(text.len() < 60_000, "{}", text.len());
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\0'));
        for line in text.lines() {
            assert!(!line.trim_start().starts_with("::"), "{line}");
        }
    }
}
