use super::*;
use crate::report::{
    Counted, Crash, CrashException, CrashLocal, ExceptionRole, Group, RuleVerdict, Severity,
};
use crate::triage::samples::{crash, entry, frame};
use crate::triage::{GroupOptions, group as grouped};

fn counted(value: &str) -> Counted {
    Counted { value: value.to_owned(), count: 1 }
}

fn exception(type_name: &str, message: &str, role: ExceptionRole) -> CrashException {
    CrashException {
        type_name: type_name.to_owned(),
        message: Some(message.to_owned()),
        role,
        traceback: Vec::new(),
    }
}

/// A crash in `app.models.User.save`, called by `app.main`, called by `threading`.
fn group() -> Group {
    let mut save = frame("app.models", "User.save", "/srv/app/models.py");
    save.locals.push(CrashLocal { name: "self".to_owned(), type_name: "app.models.User".to_owned() });
    let frames = vec![
        save,
        frame("app", "main", "/srv/app/__init__.py"),
        frame("threading", "Thread.run", "/usr/lib/python3.11/threading.py"),
    ];
    let mut crash = crash(Some("SIGSEGV"), frames);
    crash.summary = "python3 (1) died of SIGSEGV".to_owned();
    crash.exceptions = vec![
        exception("ValueError", "bad\nvalue 7", ExceptionRole::Raising),
        exception("KeyError", "'x'", ExceptionRole::Context),
    ];
    crash.exceptions[0].traceback = vec![frame("json", "loads", "/usr/lib/python3.11/json/__init__.py")];
    crash.thread = Some("worker-1".to_owned());
    crash.thread_count = 4;
    crash.collecting_garbage = Some(false);
    crash.libraries =
        vec!["/opt/torch/lib/libtorch_cpu.so".to_owned(), "C:\\Python311\\python311.dll".to_owned()];
    let mut group = triage(vec![crash]).groups.remove(0);
    group.count = 3;
    group.fingerprints = vec![counted("v1:aa"), counted("v1:bb")];
    group.versions = vec![counted("3.11.7"), counted("3.12.1")];
    group.hosts = vec![counted("web-1"), counted("db-7")];
    group
}

fn triage(crashes: Vec<Crash>) -> Triage {
    let entries = crashes.into_iter().enumerate().map(|(at, crash)| entry(&format!("core.{at}"), crash));
    grouped(entries.collect(), &GroupOptions::default())
}

fn with(groups: Vec<Group>) -> Triage {
    Triage { groups, ..triage(Vec::new()) }
}

fn day(text: &str) -> Date {
    Date::parse(text, &time::format_description::well_known::Iso8601::DATE).unwrap()
}

fn matches(when: &str, group: &Group) -> bool {
    let yaml = format!("{{version: 1, rules: [{{name: a, when: {when}, set: {{labels: x}}}}]}}");
    let rules = Rules::parse(&yaml).unwrap_or_else(|problems| panic!("{when}: {problems:?}"));
    let mut triage = with(vec![group.clone()]);
    rules.apply(&mut triage, day("2026-01-01"));
    !triage.groups[0].verdict.rules.is_empty()
}

#[test]
fn each_condition_tells_groups_apart() {
    let conditions = [
        ("{exception: ValueError}", true),
        ("{exception: 'Value*'}", true),
        ("{exception: Value}", false),
        ("{exception: KeyError}", false),
        ("{caused_by: KeyError}", true),
        ("{caused_by: ValueError}", false),
        ("{message: 'bad*7'}", true),
        ("{message: bad}", false),
        ("{message: {regex: '^value [0-9]$'}}", false),
        ("{message: {regex: '(?m)^value [0-9]$'}}", true),
        ("{message: [nothing, {regex: val}]}", true),
        ("{frame: app.models.User.save}", true),
        ("{frame: User.save}", true),
        ("{frame: save}", false),
        ("{frame: json.loads}", true),
        ("{module: json}", true),
        ("{frame: '*.save'}", true),
        ("{frame: [other, app.main]}", true),
        ("{frame: {module: app, function: main}}", true),
        ("{frame: {module: app.models, function: main}}", false),
        ("{frame: {function: main, within: 1}}", false),
        ("{frame: {function: main, within: 2}}", true),
        ("{frame: {file: app/models.py}}", true),
        ("{frame: {file: models.py}}", true),
        ("{frame: {file: odels.py}}", false),
        ("{frame: {file: 'srv/*.py'}}", false),
        ("{frame: {file: 'srv/**/*.py'}}", true),
        ("{frame: {file: /srv/app/models.py}}", true),
        ("{frame: {module: app, local: app.models.User}}", true),
        ("{frame: {module: threading, local: app.models.User}}", false),
        ("{module: app}", true),
        ("{module: app.models}", true),
        ("{module: ap}", false),
        ("{module: models}", false),
        ("{local: app.models.User}", true),
        ("{local: {name: self}}", true),
        ("{local: {name: self, type: int}}", false),
        ("{depth: 3}", true),
        ("{depth: '> 3'}", false),
        ("{depth: '>= 2, != 4'}", true),
        ("{signal: SIGSEGV}", true),
        ("{signal: [SIGABRT, SIGBUS]}", false),
        ("{category: crash}", true),
        ("{summary: '*SIGSEGV'}", true),
        ("{thread: 'worker-*'}", true),
        ("{thread: MainThread}", false),
        ("{threads: '> 1'}", true),
        ("{threads: 1}", false),
        ("{holds_gil: true}", true),
        ("{holds_gil: false}", false),
        ("{collecting_garbage: true}", false),
        ("{collecting_garbage: false}", true),
        ("{native_module: 'libc.so*'}", true),
        ("{native_module: 'libpython*'}", false),
        ("{library: 'libtorch*.so*'}", true),
        ("{library: 'torch*'}", false),
        ("{library: 'python3*.dll'}", true),
        ("{executable: 'python*'}", true),
        ("{executable: uwsgi}", false),
        ("{python: '3.11'}", true),
        ("{python: '3.12'}", true),
        ("{python: '3.1'}", false),
        ("{python: '>= 3.13'}", false),
        ("{python: '>= 3.9, < 3.12'}", true),
        ("{python: '> 3.11, < 3.12'}", false),
        ("{python: '3.11.7'}", true),
        ("{python: '3.11.70'}", false),
        ("{free_threaded: true}", false),
        ("{free_threaded: false}", true),
        ("{arch: x86_64}", true),
        ("{os: windows}", false),
        ("{host: 'db-*'}", true),
        ("{host: web-2}", false),
        ("{fingerprint: 'v1:bb'}", true),
        ("{fingerprint: 'v1:cc'}", false),
        ("{count: '>= 3'}", true),
        ("{count: 2}", false),
        ("{any: [{signal: SIGABRT}, {exception: ValueError}]}", true),
        ("{any: [{signal: SIGABRT}, {exception: KeyError}]}", false),
        ("{all: [{signal: SIGSEGV}, {exception: ValueError}]}", true),
        ("{all: [{signal: SIGSEGV}, {exception: KeyError}]}", false),
        ("{not: {signal: SIGABRT}}", true),
        ("{not: {signal: SIGSEGV}}", false),
        ("{signal: SIGSEGV, not: {exception: KeyError}}", true),
        ("{signal: SIGSEGV, exception: KeyError}", false),
    ];
    let group = group();
    for (when, expected) in conditions {
        assert_eq!(matches(when, &group), expected, "{when}");
    }
}

#[test]
fn what_is_not_known_matches_nothing() {
    let mut group = group();
    let crash = &mut group.crash;
    (crash.signal, crash.python, crash.holds_gil, crash.os, crash.thread) = (None, None, None, None, None);
    group.versions.clear();
    for when in
        ["{signal: '*'}", "{python: '>= 0'}", "{free_threaded: false}", "{holds_gil: false}", "{os: '*'}"]
    {
        assert!(!matches(when, &group), "{when}");
    }
}

#[test]
fn all_rules_that_match_apply_and_the_last_one_counts() {
    let rules = Rules::parse(
        r##"
version: 1
rules:
  - {name: one, when: {signal: SIGSEGV}, set: {severity: critical, labels: [native, b], owner: "@one", link: "https://a/1", note: first}}
  - {name: other, when: {signal: SIGABRT}, set: {severity: info}}
  - {name: two, when: {module: app}, set: {severity: low, labels: app, owner: ["@two", a@b.example], note: second}}
"##,
    )
    .unwrap();
    let mut triage = with(vec![group()]);
    rules.apply(&mut triage, day("2026-01-01"));
    let expected = RuleVerdict {
        rules: vec!["one".to_owned(), "two".to_owned()],
        severity: Some(Severity::Low),
        labels: vec!["app".to_owned(), "b".to_owned(), "native".to_owned()],
        owners: vec!["@two".to_owned(), "a@b.example".to_owned()],
        link: Some("https://a/1".to_owned()),
        note: Some("second".to_owned()),
        ..RuleVerdict::default()
    };
    assert_eq!(triage.groups[0].verdict, expected);
}

#[test]
fn groups_are_ignored_up_to_a_day_and_come_last() {
    let yaml = "{version: 1, rules: [{name: known, when: {count: 3}, set: {ignore_until: 2026-02-28}}]}";
    let rules = Rules::parse(yaml).unwrap();
    let mut other = group();
    other.count = 1;
    let run = |today| {
        let mut triage = with(vec![group(), other.clone()]);
        rules.apply(&mut triage, day(today));
        triage
    };
    let before = run("2026-02-28");
    assert_eq!(before.groups.iter().map(|group| group.count).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(before.groups[1].verdict.ignored_until.as_deref(), Some("2026-02-28"));
    assert_eq!((before.totals.ignored_groups, before.warnings.len()), (1, 0));
    let after = run("2026-03-01");
    assert!(!after.groups.iter().any(|group| group.verdict.ignored));
    assert_eq!((after.totals.ignored_groups, after.warnings.len()), (0, 1));
    assert!(after.warnings[0].contains("\"known\"") && after.warnings[0].contains("2026-02-28"));
}

/// The place of the only problem, and what it says.
fn problem(yaml: &str) -> (usize, usize, String) {
    let mut problems = Rules::parse(yaml).err().unwrap_or_else(|| panic!("nothing is wrong with {yaml}"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    let Problem { place, message } = problems.remove(0);
    let (line, column) = place.unwrap_or_else(|| panic!("{message} has no place"));
    (line, column, message)
}

#[test]
fn problems_have_lines_and_columns() {
    let rule = |when: &str, set: &str| {
        format!(
            "version: 1\nlabels: {{memory: '', native: ''}}\nrules:\n  - name: a\n    when: {when}\n    set: {set}\n"
        )
    };
    let ignoring = |when: &str| rule(when, "{ignore: true}");
    let setting = |set: &str| rule("{signal: A}", set);
    let twice = "version: 1\nrules:\n- {name: a, when: {count: 1}, set: {ignore: true}}\n- name: §a\n  when: {count: 1}\n  \
                 set: {ignore: true}\n";
    // What is wrong is behind the mark.
    let problems = [
        ("version: 1\nrules: [\n§".to_owned(), "did not find expected node content"),
        ("§rules: []\n".to_owned(), "missing field `version`"),
        ("version: §2\n".to_owned(), "version 2 is not known"),
        ("version: 1\n§rule: []\n".to_owned(), "unknown field `rule`"),
        (ignoring("{§signals: SIGSEGV}"), "unknown field `signals`"),
        (ignoring("{message: {regex: §'a(b'}}"), "bad regular expression: unclosed group"),
        (ignoring("{message: [x, {regex: §'a(b'}]}"), "unclosed group"),
        (ignoring("{message: §{regexp: x}}"), "unknown field `regexp`"),
        (ignoring("{signal: §'[A'}"), "bad glob: unclosed character class"),
        (ignoring("{frame: {§modul: x}}"), "unknown field `modul`"),
        (ignoring("{frame: §{within: 1}}"), "needs a `module`"),
        (ignoring("{frame: §[]}"), "an empty list"),
        (ignoring("{python: §3.10}"), "in quotes"),
        (ignoring("{python: §'three'}"), "expected versions such as"),
        (ignoring("{count: §many}"), "a number, or a comparison"),
        (ignoring("§{}"), "empty condition"),
        (ignoring("{signal: A, any: [{signal: B}, {not: §{}}]}"), "rules[0].when.any[1].not"),
        (ignoring("{any: §[]}"), "an empty list"),
        (setting("§{}"), "it sets nothing"),
        (setting("{severity: §terrible}"), "unknown variant `terrible`"),
        (setting("{labels: [native, §memry]}"), "\"memory\" is"),
        (setting("{labels: §nonsense}"), "is not among the `labels`"),
        (setting("{link: §'javascript:alert(1)'}"), "no https or http URL"),
        (setting("{ignore_until: §2026-02-30}"), "expected a day such as 2026-12-31"),
        (setting("{ignore_until: §2026-W01-1}"), "expected a day such as 2026-12-31"),
        (setting("{ignore: false, ignore_until: §2026-02-03}"), "both"),
        ("version: 1\nin_app: [app, §'company*']\n".to_owned(), "globs are not meant"),
        ("version: 1\nskip: §''\n".to_owned(), "no name of a module"),
        (twice.to_owned(), "another rule is called \"a\""),
    ];
    let mut wrong = Vec::new();
    for (marked, expected) in problems {
        let before = marked.split('§').next().unwrap();
        let line = before.matches('\n').count() + 1;
        let column = before.lines().last().filter(|_| !before.ends_with('\n')).map_or(0, str::len) + 1;
        let (at_line, at_column, message) = problem(&marked.replace('§', ""));
        if (at_line, at_column) != (line, column) || !message.contains(expected) {
            wrong.push(format!(
                "{marked}\nis {at_line}:{at_column}: {message}\nnot {line}:{column}: {expected}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_error_names_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, "version: 1\nrules:\n  - name: a\n    when: {}\n    set: {}\n").unwrap();
    let error = Rules::read(&path).err().unwrap().to_string();
    let file = path.display();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[0].starts_with(&format!("{file}:4:11: rules[0].when: an empty condition")), "{error}");
    assert_eq!(lines[1], format!("{file}:5:10: rules[0].set: it sets nothing"));
    let error = Rules::read(&folder.path().join("none.yaml")).err().unwrap().to_string();
    assert!(error.contains("none.yaml: No such file"), "{error}");
}

#[test]
fn hostile_files_end() {
    let nested = format!("version: 1\nrules: [{{name: a, when: {}", "{not: ".repeat(2_000));
    assert!(Rules::parse(&nested).is_err());
    let mut bomb = "version: 1\na: &a [x]\n".to_owned();
    for at in 0..30 {
        bomb += &format!(
            "b{at}: &b{at} [*{0}, *{0}, *{0}, *{0}]\n",
            if at == 0 { "a".to_owned() } else { format!("b{}", at - 1) }
        );
    }
    assert!(Rules::parse(&(bomb + "rules: *b29\n")).is_err());
    let large = "version: 1\nrules: [{name: a, when: {message: {regex: '(((x{100}){100}){100}){100}'}}, set: {ignore: true}}]";
    assert!(problem(large).2.contains("exceeds size limit"));
}

#[test]
fn frames_are_named_by_prefixes() {
    let rules = Rules::parse("{version: 1, in_app: [app, /srv/jobs/], skip: app.tools}").unwrap();
    let rules = rules.frames();
    assert!(rules.is_own(&frame("app.models", "f", "/usr/lib/python3/dist-packages/app/models.py")));
    assert!(rules.is_own(&frame("x", "f", "/srv/jobs/x.py")));
    assert!(
        !rules.is_own(&frame("apple", "f", "/a.py")) && !rules.is_own(&frame("app.tools.a", "f", "/a.py"))
    );
}

#[test]
fn variables_are_wanted_where_a_rule_looks_at_them() {
    let wants = |when: &str| {
        Rules::parse(&format!("{{version: 1, rules: [{{name: a, when: {when}, set: {{ignore: true}}}}]}}"))
            .unwrap()
            .wants_locals()
    };
    assert!(!wants("{signal: SIGSEGV, any: [{frame: {module: a}}]}"));
    assert!(wants("{not: {any: [{local: int}]}}") && wants("{all: [{frame: [x, {local: {name: self}}]}]}"));
    assert!(!Rules::parse(STARTER).unwrap().wants_locals());
}

#[test]
fn the_starter_comes_before_ones_own_rules() {
    let starter = Rules::parse(STARTER).unwrap();
    let both = Rules::parse(
        "{version: 1, starter: true, rules: [{name: mine, when: {signal: SIGSEGV}, set: {severity: info}}]}",
    )
    .unwrap();
    assert_eq!(both.count(), starter.count() + 1);
    let mut triage = with(vec![group()]);
    both.apply(&mut triage, day("2026-01-01"));
    let verdict = &triage.groups[0].verdict;
    assert_eq!(verdict.rules, ["native-crash", "mine"]);
    assert_eq!(verdict.severity, Some(Severity::Info));
}
