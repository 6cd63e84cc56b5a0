//! Markdown, for a step summary of GitHub Actions, or a comment.
//!
//! A string of a dump stands in `<code>` or `<pre>` only, where mentions and links are none, and each of its ASCII
//! punctuation characters is a numeric character reference, which no Markdown reads as markup.

use super::TriageOptions;
use super::names::{self, block, clip, counted, headline, is_news, name, plural};
use crate::report::{FailedDump, Group, Triage};
use std::fmt::Write as _;
use std::io::{self, Write};

/// The most that is written, in bytes; GitHub shows nothing of a summary of more than 1 MiB.
const SIZE: usize = 900 << 10;
/// The most of a report that is shown, in bytes.
const TEXT: usize = 4 << 10;
/// How many dumps that were not analyzed are shown.
const FAILURES: usize = 50;

/// Writes `triage` as Markdown: how much there is, a table of the groups, details of those that are new or came back.
///
/// # Errors
/// Those of `out`.
pub fn markdown(triage: &Triage, options: &TriageOptions, mut out: impl Write) -> io::Result<()> {
    let mut text = format!("## Crashes\n\n{}\n", escape(&headline(triage)));
    for remark in names::remarks(triage) {
        let _ = write!(text, "\n> {}\n", code(&remark));
    }
    let mut left_out = 0;
    if !triage.groups.is_empty() {
        text.push_str(
            "\n| Status | Group | Dumps | Last seen | Python | Owner |\n|---|---|--:|---|---|---|\n",
        );
    }
    for group in &triage.groups {
        let row = row(group);
        if text.len().saturating_add(row.len()) > SIZE / 2 {
            left_out += 1;
        } else {
            text.push_str(&row);
        }
    }
    if left_out > 0 {
        let _ = write!(text, "\n{} in the other outputs.\n", plural(left_out, "further group"));
    }
    let failures = failures(&triage.failures);
    for group in triage.groups.iter().filter(|group| is_news(group)) {
        let details = details(group, options);
        if text.len().saturating_add(details.len()).saturating_add(failures.len()) < SIZE {
            text.push_str(&details);
        }
    }
    text.push_str(&failures);
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn row(group: &Group) -> String {
    let status = names::status(group);
    let status = if is_news(group) { format!("**{status}**") } else { status.to_owned() };
    let title = code(&clip(&group.title, 160));
    let title = match group.verdict.link.as_deref().and_then(names::link) {
        Some(link) => format!("<a href=\"{}\">{title}</a>", escape(link)),
        None => title,
    };
    let seen = group.last_seen.as_deref().map(|time| code(&clip(time, 40))).unwrap_or_default();
    let versions =
        if group.versions.is_empty() { String::new() } else { code(&counted(&group.versions, 3, 0)) };
    let owners: Vec<String> =
        group.verdict.owners.iter().take(5).map(|owner| code(&clip(owner, 80))).collect();
    format!("| {status} | {title} | {} | {seen} | {versions} | {} |\n", group.count, owners.join(" "))
}

fn details(group: &Group, options: &TriageOptions) -> String {
    let mut text = format!("\n<details><summary>{}</summary>\n\n", code(&name(&group.title)));
    let mut fact = |what: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(text, "- {what}: {}", code(&value));
        }
    };
    let verdict = &group.verdict;
    fact("group", Some(name(&group.id)));
    fact("dump", Some(name(&group.representative.path)));
    fact("seen", names::span(group));
    fact("hosts", Some(counted(&group.hosts, 5, 0)));
    fact("severity", verdict.severity.map(|found| names::severity(found).to_owned()));
    fact("labels", Some(name(&verdict.labels.join(", "))));
    fact("note", verdict.note.as_deref().map(name));
    let place = names::place(&group.crash, &options.source_roots);
    fact("look at", place.map(|place| format!("{}:{}", name(&place.file), place.line)));
    for difference in &group.differences {
        let values = counted(&difference.values, 3, difference.more);
        fact("differs in", Some(format!("{}: {values}", name(&difference.what))));
    }
    // Blank lines end the block of `details`, so that what stands between is Markdown again, and not that of `pre`.
    let _ = write!(text, "\n<pre>{}</pre>\n\n</details>\n", escape(&block(&group.crash.text, TEXT)));
    text
}

fn failures(failures: &[FailedDump]) -> String {
    let mut text = String::new();
    if failures.is_empty() {
        return text;
    }
    let _ = write!(text, "\n<details><summary>{} not analyzed</summary>\n\n", plural(failures.len(), "dump"));
    for failed in failures.iter().take(FAILURES) {
        let kind = names::failure(failed.failure.kind);
        let (path, message) = (code(&name(&failed.path)), code(&name(&failed.failure.message)));
        let _ = writeln!(text, "- {path}: {kind}: {message}");
    }
    let further = failures.len().saturating_sub(FAILURES);
    if further > 0 {
        let _ = writeln!(text, "- and {further} more");
    }
    text.push_str("\n</details>\n");
    text
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            let _ = write!(escaped, "&#{};", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::{hostile_triage, triage};

    fn shown(triage: &Triage) -> String {
        let options = TriageOptions { source_roots: vec!["/srv/app".into()], ..TriageOptions::default() };
        let mut out = Vec::new();
        markdown(triage, &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The text with references to the characters that need none in here as these.
    fn plain(text: &str) -> String {
        [(46, '.'), (58, ':'), (45, '-'), (64, '@'), (47, '/'), (95, '_'), (40, '('), (41, ')'), (44, ',')]
            .iter()
            .fold(text.to_owned(), |text, (code, c)| text.replace(&format!("&#{code};"), &c.to_string()))
    }

    #[test]
    fn groups_are_rows_and_news_have_details() {
        let text = plain(&shown(&triage()));
        assert!(
            text.contains(
                "| **new** | <a href=\"https://example.org/wiki/user-save\"><code>ValueError in \
                 app.models.User.save</code></a> | 5 | <code>2026-11-22T10:30:00Z</code> | <code>3.11.7 (3), 3.12.1 \
                 (2)</code> | <code>@shop/db</code> |\n"
            ),
            "{text}"
        );
        assert_eq!(text.matches("<details>").count(), 3);
        assert!(text.contains("- look at: <code>models.py:12</code>\n"), "{text}");
        assert!(text.contains("Thread 7 &#60;crashed&#62;"));
    }

    #[test]
    fn hostile_strings_have_no_punctuation_left() {
        let text = shown(&hostile_triage());
        assert!(!text.contains(['\u{1b}', '\r', '\0', '\u{202e}', '`', '@', '$', '{']), "{text}");
        assert!(!text.contains("<script") && !text.contains("](") && !text.contains("://"));
        for line in text.lines().filter(|line| line.starts_with('|')) {
            assert_eq!(line.matches('|').count(), 7, "{line}");
        }
    }

    #[test]
    fn there_is_never_more_than_is_shown() {
        let mut triage = hostile_triage();
        let group = triage.groups[0].clone();
        triage.groups = vec![group; 3000];
        let text = shown(&triage);
        assert!(text.len() <= SIZE, "{}", text.len());
        assert!(text.contains("further groups in the other outputs"));
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
