//! JUnit XML, as Jenkins and GitLab read it: a test for each group, which fails where the group is news.
//!
//! quick-xml writes it, which flame graphs brought along. quick-junit cannot be used: its `skipped` on `testsuites` is
//! none of the attributes that Jenkins' schema (`junit-10.xsd`) has there.

use super::TriageOptions;
use super::names::{self, block, cause, counted, frame, headline, is_news, name, plural};
use crate::report::{Group, Triage};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::io::{self, BufWriter, Write};

/// The most of a report that is shown, in bytes.
const TEXT: usize = 16 << 10;
/// How many frames are named.
const FRAMES: usize = 30;

/// What became of a test.
enum Outcome {
    Passed,
    /// `failure`, `error` or `skipped`; its type, what to know of it in a line, and more of it.
    Other {
        tag: &'static str,
        kind: String,
        message: String,
        text: String,
    },
}

/// A test.
struct Case {
    class: &'static str,
    name: String,
    outcome: Outcome,
    output: String,
}

/// Writes `triage` as JUnit XML: a test for the run, which has an error where it was interrupted, and one for each
/// group. Those that are new or came back are failures, ignored ones are skipped, known ones pass. Dumps that were not
/// analyzed are skipped tests, since they fail no run.
///
/// # Errors
/// Those of `out`.
pub fn junit(triage: &Triage, options: &TriageOptions, out: impl Write) -> io::Result<()> {
    let mut cases = vec![run(triage)];
    cases.extend(triage.groups.iter().map(|group| of_group(group, options)));
    cases.extend(triage.failures.iter().map(|failed| Case {
        class: "pycore.dumps",
        name: name(&failed.path),
        outcome: Outcome::Other {
            tag: "skipped",
            kind: names::failure(failed.failure.kind).to_owned(),
            message: name(&failed.failure.message),
            text: String::new(),
        },
        output: String::new(),
    }));
    let count = |wanted: &str| {
        let is_wanted = |case: &&Case| matches!(case.outcome, Outcome::Other { tag, .. } if tag == wanted);
        cases.iter().filter(is_wanted).count().to_string()
    };
    let (tests, failures) = (cases.len().to_string(), count("failure"));
    let (errors, skipped) = (count("error"), count("skipped"));
    let totals = [("name", "pycore triage"), ("tests", &tests), ("failures", &failures), ("errors", &errors)];
    let mut writer = Writer::new_with_indent(BufWriter::new(out), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("testsuites").with_attributes(totals).write_inner_content(|writer| {
        writer
            .create_element("testsuite")
            .with_attributes(totals)
            .with_attribute(("skipped", skipped.as_str()))
            .write_inner_content(|writer| cases.iter().try_for_each(|case| write_case(writer, case)))?;
        Ok(())
    })?;
    let mut out = writer.into_inner();
    out.write_all(b"\n")?;
    out.flush()
}

fn run(triage: &Triage) -> Case {
    let outcome = if triage.complete {
        Outcome::Passed
    } else {
        Outcome::Other {
            tag: "error",
            kind: "interrupted".to_owned(),
            message: "not all dumps that were found were looked at".to_owned(),
            text: String::new(),
        }
    };
    let mut output = headline(triage);
    for remark in names::remarks(triage) {
        output = format!("{output}\n{remark}");
    }
    Case { class: "pycore", name: "triage".to_owned(), outcome, output }
}

fn of_group(group: &Group, options: &TriageOptions) -> Case {
    let title = name(&group.title);
    let kind = name(cause(&group.crash));
    let outcome = if group.verdict.ignored {
        let until = group.verdict.ignored_until.as_deref();
        let message =
            until.map_or_else(|| "ignored".to_owned(), |date| format!("ignored until {}", name(date)));
        Outcome::Other { tag: "skipped", kind, message, text: String::new() }
    } else if is_news(group) {
        let message = format!("{}: {title}", plural(group.count, "dump"));
        Outcome::Other { tag: "failure", kind, message, text: block(&group.crash.text, TEXT) }
    } else {
        Outcome::Passed
    };
    Case {
        class: "pycore.groups",
        name: format!("{title} [{}]", name(&group.id)),
        outcome,
        output: facts(group, options),
    }
}

/// What to know of a group, a line each.
fn facts(group: &Group, options: &TriageOptions) -> String {
    let mut lines = vec![format!("{}, {}", plural(group.count, "dump"), names::status(group))];
    let mut add = |what: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{what}: {text}"));
        }
    };
    let verdict = &group.verdict;
    add("seen", names::span(group).unwrap_or_default());
    add("Python", counted(&group.versions, 8, 0));
    add("hosts", counted(&group.hosts, 8, 0));
    add("severity", verdict.severity.map(names::severity).unwrap_or_default().to_owned());
    add("owners", name(&verdict.owners.join(", ")));
    add("labels", name(&verdict.labels.join(", ")));
    add("note", verdict.note.as_deref().map(name).unwrap_or_default());
    add("link", verdict.link.as_deref().map(name).unwrap_or_default());
    if let Some(place) = names::place(&group.crash, &options.source_roots) {
        add("look at", format!("{}:{}", name(&place.file), place.line));
    }
    for shown in group.crash.frames.iter().take(FRAMES) {
        add("at", frame(shown));
    }
    add("dump", name(&group.representative.path));
    lines.join("\n")
}

fn write_case<W: Write>(writer: &mut Writer<W>, case: &Case) -> io::Result<()> {
    let name = xml(&case.name);
    let element = writer
        .create_element("testcase")
        .with_attributes([("classname", case.class), ("name", name.as_str())]);
    element.write_inner_content(|writer| {
        if let Outcome::Other { tag, kind, message, text } = &case.outcome {
            writer
                .create_element(*tag)
                .with_attributes([("type", xml(kind).as_str()), ("message", xml(message).as_str())])
                .write_text_content(BytesText::new(&xml(text)))?;
        }
        if !case.output.is_empty() {
            writer.create_element("system-out").write_text_content(BytesText::new(&xml(&case.output)))?;
        }
        Ok(())
    })?;
    Ok(())
}

/// `text` without the two characters that are harmless for all but XML, which has no way to write them.
fn xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::{hostile_triage, triage};
    use quick_xml::Reader;
    use std::collections::BTreeMap;
    use std::process::Command;

    fn shown(triage: &Triage) -> String {
        let mut out = Vec::new();
        junit(triage, &TriageOptions::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// How often each element is there.
    fn elements(text: &str) -> BTreeMap<String, usize> {
        let mut reader = Reader::from_str(text);
        let mut found = BTreeMap::new();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) | Event::Empty(tag) => {
                    assert!(tag.attributes().all(|attribute| attribute.is_ok()));
                    *found.entry(String::from_utf8(tag.name().as_ref().to_vec()).unwrap()).or_default() += 1;
                }
                Event::Eof => return found,
                _ => {}
            }
        }
    }

    #[test]
    fn news_fail_ignored_groups_and_bad_dumps_are_skipped_known_groups_pass() {
        let text = shown(&triage());
        assert!(
            text.starts_with(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <testsuites name=\"pycore triage\" tests=\"7\" failures=\"2\" errors=\"0\">\n  \
                 <testsuite name=\"pycore triage\" tests=\"7\" failures=\"2\" errors=\"0\" skipped=\"3\">\n"
            ),
            "{text}"
        );
        let found = elements(&text);
        assert_eq!((found["testcase"], found["failure"], found["skipped"]), (7, 2, 3));
        assert!(text.contains("name=\"ValueError in app.models.User.save [v1:0123456789abcdef]\""));
        assert!(text.contains(
            "<failure type=\"ValueError\" message=\"5 dumps: ValueError in app.models.User.save\">"
        ));
        assert!(text.contains("Thread 7 &lt;crashed&gt;"));
        assert!(text.contains("<skipped type=\"timeout\" message=\"it took longer than 30 s\">"));
    }

    #[test]
    fn it_is_valid_by_the_schema_of_jenkins() {
        let folder = tempfile::tempdir().unwrap();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/published/junit-10.xsd");
        let is_valid = |text: &str| {
            let file = folder.path().join("junit.xml");
            std::fs::write(&file, text).unwrap();
            Command::new("xmllint").args(["--noout", "--nonet", "--schema", schema]).arg(file).output()
        };
        let interrupted = Triage { complete: false, ..triage() };
        let none = Triage { groups: Vec::new(), failures: Vec::new(), ..triage() };
        for triage in [triage(), interrupted, none, hostile_triage()] {
            match is_valid(&shown(&triage)) {
                Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    eprintln!("skipped: there is no xmllint");
                    return;
                }
                Err(error) => panic!("xmllint: {error}"),
            }
        }
        let broken = shown(&triage()).replace("<testcase ", "<testcase colour=\"red\" ");
        assert!(!is_valid(&broken).unwrap().status.success());
    }

    #[test]
    fn an_interrupted_run_is_an_error() {
        let text = shown(&Triage { complete: false, ..triage() });
        assert!(text.contains("<error type=\"interrupted\""));
    }

    #[test]
    fn hostile_strings_are_text() {
        let text = shown(&hostile_triage());
        assert_eq!(
            elements(&text).into_keys().collect::<Vec<_>>(),
            ["failure", "skipped", "system-out", "testcase", "testsuite", "testsuites"]
        );
        assert!(!text.contains("<script") && !text.contains(['\u{1b}', '\0', '\u{ffff}', '\u{202e}']));
        assert!(text.len() < 200_000, "{}", text.len());
    }
}
