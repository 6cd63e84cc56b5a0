//! Annotations of GitHub Actions: workflow commands, which a job prints.
//!
//! Source of facts: `toolkit/packages/core/src/command.ts` for the escapes; a step shows ten annotations of a level.

use super::TriageOptions;
use super::names::{self, cause, frame, is_news, name, place, plural};
use crate::render::sanitize::{Guard, Notation};
use crate::report::{Group, Severity, Triage};
use std::io::{self, BufWriter, Write};

/// How many annotations of a level are shown for a step.
const SHOWN: usize = 10;
/// How many frames an annotation has.
const FRAMES: usize = 6;

/// Writes an annotation for each group that is new or came back and is not ignored, at the innermost line among the
/// sources, and one for dumps that were not analyzed. Where there are more of a level than are shown, the last one says
/// how many.
///
/// # Errors
/// Those of `out`.
pub fn github(triage: &Triage, options: &TriageOptions, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(Guard::new(out, Notation::Python));
    let mut warnings: Vec<String> =
        names::remarks(triage).iter().map(|remark| command("warning", None, "pycore", remark)).collect();
    if !triage.failures.is_empty() {
        let failed = format!("{} not analyzed", plural(triage.failures.len(), "dump"));
        let named: Vec<String> = triage
            .failures
            .iter()
            .take(SHOWN)
            .map(|failed| format!("{}: {}", name(&failed.path), name(&failed.failure.message)))
            .collect();
        warnings.push(command("warning", None, &failed, &named.join("\n")));
    }
    for level in ["error", "warning", "notice"] {
        let groups = triage.groups.iter().filter(|group| is_news(group) && level_of(group) == level);
        let mut commands: Vec<String> = groups.map(|group| annotation(level, group, options)).collect();
        if level == "warning" {
            commands.splice(0..0, std::mem::take(&mut warnings));
        }
        if commands.len() > SHOWN {
            let further = commands.len() - (SHOWN - 1);
            commands.truncate(SHOWN - 1);
            let message = format!("{further} more are in the other outputs of pycore triage.");
            commands.push(command(level, None, &format!("{further} more"), &message));
        }
        for command in commands {
            writeln!(out, "{command}")?;
        }
    }
    out.flush()
}

/// The level for a group: an error unless a rule says that it is less.
fn level_of(group: &Group) -> &'static str {
    match group.verdict.severity {
        None | Some(Severity::High | Severity::Critical) => "error",
        Some(Severity::Medium) => "warning",
        Some(Severity::Low | Severity::Info) => "notice",
    }
}

fn annotation(level: &str, group: &Group, options: &TriageOptions) -> String {
    let mut lines = vec![format!(
        "{} ({}), {}",
        plural(group.count, "dump"),
        names::status(group),
        name(cause(&group.crash))
    )];
    lines.extend(group.crash.exceptions.first().and_then(|exception| exception.message.as_deref()).map(name));
    lines.extend(group.crash.frames.iter().take(FRAMES).map(|shown| format!("at {}", frame(shown))));
    if !group.verdict.owners.is_empty() {
        lines.push(format!("owned by {}", name(&group.verdict.owners.join(", "))));
    }
    lines.extend(group.verdict.link.as_deref().map(name));
    lines.push(format!("group {}, dump {}", name(&group.id), name(&group.representative.path)));
    let place = place(&group.crash, &options.source_roots);
    command(level, place.as_ref(), &name(&group.title), &lines.join("\n"))
}

fn command(level: &str, place: Option<&names::Place>, title: &str, message: &str) -> String {
    let place = place.map(|place| format!("file={},line={},", property(&place.file), place.line));
    format!("::{level} {}title={}::{}", place.unwrap_or_default(), property(title), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::{hostile_triage, triage};

    fn shown(triage: &Triage) -> String {
        let options = TriageOptions { source_roots: vec!["/srv/app".into()], ..TriageOptions::default() };
        let mut out = Vec::new();
        github(triage, &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_new_is_an_annotation_at_its_line() {
        assert_eq!(
            shown(&triage()),
            "\
::error file=models.py,line=12,title=ValueError in app.models.User.save::5 dumps (new), ValueError%0Ano such user%0A\
at app.models.User.save (/srv/app/models.py:12)%0Aat app.views.register (/srv/app/views.py:88)%0Aowned by @shop/db%0A\
https://example.org/wiki/user-save%0Agroup v1:0123456789abcdef, dump /dumps/core.0
::error title=SIGSEGV in numpy.core.multiarray.dot::3 dumps (regressed), SIGSEGV%0A\
at numpy.core.multiarray.dot (/usr/lib/python3/dist-packages/numpy/core/multiarray.py:7)%0A\
group v1:1111111111111111, dump /dumps/core.10
::warning title=2 dumps not analyzed::/dumps/empty: the file is empty%0A/dumps/slow: it took longer than 30 s
"
        );
    }

    #[test]
    fn severity_decides_the_level_and_no_more_are_written_than_are_shown() {
        let mut triage = triage();
        triage.groups[0].verdict.severity = Some(Severity::Medium);
        let group = triage.groups[0].clone();
        triage.groups.extend(std::iter::repeat_n(group, 20));
        let text = shown(&triage);
        let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("::warning ")).collect();
        assert_eq!(warnings.len(), SHOWN);
        assert!(warnings[0].contains("title=2 dumps not analyzed"));
        assert_eq!(
            warnings[9],
            "::warning title=13 more::13 more are in the other outputs of pycore triage."
        );
    }

    #[test]
    fn a_hostile_string_is_no_command_and_no_property() {
        let text = shown(&hostile_triage());
        assert!(!text.contains(['\u{1b}', '\r', '\u{202e}', '\0']));
        for line in text.lines() {
            let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
            let (level, properties) = head.split_once(' ').unwrap();
            assert!(matches!(level, "error" | "warning" | "notice"), "{line}");
            for property in properties.split(',') {
                let (key, value) = property.split_once('=').unwrap();
                assert!(matches!(key, "title" | "file" | "line"), "{line}");
                assert!(!value.contains(':'), "{line}");
            }
            assert!(line.len() < 20_000 && !message.contains('\n'));
            assert!(
                message.matches('%').count()
                    == message.matches("%25").count() + message.matches("%0A").count()
            );
        }
    }
}
