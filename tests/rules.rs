//! `pycore triage` with rules, CODEOWNERS and a baseline: what it says of crashes, and how it ends.

use pycore_tests::cores::fixtures;
use pycore_tests::program::{self, Run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn triage(arguments: &[&str]) -> Run {
    program::run(&[&["triage"], arguments].concat(), LIMIT).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Two cores of the corpus, of which triage makes two groups.
fn cores() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["3.13.0-orders.core.zst", "3.11.7-values_instances.core.zst"] {
        fs::copy(fixtures().join("corpus").join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn groups(run: &Run) -> Vec<Value> {
    let triage: Value =
        serde_json::from_slice(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stderr));
    triage["groups"].as_array().unwrap().clone()
}

/// The interpreters that the crashes of the starter are made with: the system's, and the newest of pyenv.
fn pythons() -> Vec<PathBuf> {
    let versions = fs::read_dir("/root/.pyenv/versions").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let numbers = name.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>().ok()?;
            Some((numbers, entry.path().join("bin/python3")))
        })
        .max();
    let mut system = ["/usr/bin/python3", "/usr/local/bin/python3"].map(PathBuf::from).into_iter();
    system.find(|path| path.exists()).into_iter().chain(newest.map(|(_, path)| path)).collect()
}

/// Whether the kernel writes cores into the folder of the process.
fn makes_cores() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    pattern.starts_with("core") && !pattern.contains('/')
}

/// Runs a program of `fixtures/starter` until it dies, and moves its core to `target`.
fn die(python: &Path, program: &Path, target: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("sh")
        .args([
            "-c",
            "ulimit -c unlimited && exec timeout -s KILL 30 \"$@\"",
            "sh",
            text(python),
            text(program),
        ])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let core = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).next();
    let core = core.unwrap_or_else(|| panic!("{} left no core: {status}", program.display()));
    fs::copy(core, target).unwrap();
}

#[test]
fn the_starter_knows_real_crashes() {
    let expected: BTreeMap<&str, &[&str]> = [
        ("abi", &["native-abort", "extension-abi-mismatch"][..]),
        ("asserted", &["native-abort", "assertion"]),
        ("c_assertion", &["native-abort", "assertion"]),
        ("damaged_heap", &["native-abort", "heap-corruption"]),
        ("fork_after_threads", &["native-abort", "fork-after-threads"]),
        ("healthy_child", &["native-crash"]),
        ("joined_at_exit", &["native-abort", "interpreter-shutdown"]),
        ("out_of_memory", &["native-abort", "out-of-memory"]),
        ("overflow", &["native-crash", "stack-overflow"]),
        ("plain", &["native-crash"]),
        ("recursion", &["native-abort", "stack-overflow"]),
        ("shutdown", &["native-crash", "interpreter-shutdown"]),
        ("without_gil", &["native-crash", "gil-not-held"]),
    ]
    .into();
    let programs: BTreeSet<PathBuf> =
        fs::read_dir(fixtures().join("starter")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let stem = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        programs.iter().map(|path| stem(path)).collect::<Vec<_>>(),
        expected.keys().copied().collect::<Vec<_>>()
    );
    if !makes_cores() {
        eprintln!("the kernel sends cores elsewhere: no crashes are made");
        return;
    }
    let pythons = pythons();
    if pythons.is_empty() {
        eprintln!("there is no Python: no crashes are made");
        return;
    }
    for python in pythons {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for program in &programs {
                let target = folder.path().join(stem(program));
                let python = &python;
                scope.spawn(move || die(python, program, &target));
            }
        });
        let starter = folder.path().join("rules.yaml");
        fs::write(&starter, triage(&["rules", "starter"]).stdout).unwrap();
        let run = triage(&[text(folder.path()), "--exact", "--rules", text(&starter), "-f", "json"]);
        assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
        let mut found = BTreeMap::new();
        for group in groups(&run) {
            let rules: Vec<&str> = group["verdict"]["rules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|rule| rule.as_str().unwrap())
                .collect();
            let rules = rules.join(" ");
            for member in group["members"].as_array().unwrap() {
                found.insert(stem(Path::new(member["path"].as_str().unwrap())), rules.clone());
            }
        }
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(name, rules)| ((*name).to_owned(), rules.join(" "))).collect();
        assert_eq!(found, expected, "{}", python.display());
    }
}

#[test]
fn rules_label_ignore_and_decide_how_it_ends() {
    let folder = cores();
    let rules = folder.path().join("rules.yaml");
    let run = |yaml: &str, more: &[&str]| {
        fs::write(&rules, yaml).unwrap();
        triage(&[&[text(folder.path()), "--no-files", "-f", "json", "--rules", text(&rules)], more].concat())
    };
    let all = "{version: 1, rules: [{name: all, when: {count: '>= 1'}, set: {severity: medium, labels: [x], owner: '@me'}}]}";
    let labelled = run(all, &[]);
    assert_eq!(labelled.status.code(), Some(1), "{}", labelled.stderr);
    for group in groups(&labelled) {
        assert_eq!(group["verdict"]["labels"][0], "x");
        assert_eq!(
            (&group["verdict"]["owners"][0], &group["verdict"]["severity"]),
            (&"@me".into(), &"medium".into())
        );
    }
    let code = |run: Run| run.status.code();
    assert_eq!(code(run(all, &["--fail-on", "high"])), Some(0));
    assert_eq!(code(run(all, &["--fail-on", "medium"])), Some(1));
    assert_eq!(code(run(all, &["--fail-on", "never"])), Some(0));
    let ignored = run(
        "{version: 1, rules: [{name: all, when: {count: '>= 1'}, set: {ignore_until: 9999-12-31}}]}",
        &[],
    );
    assert_eq!(ignored.status.code(), Some(0), "{}", ignored.stderr);
    assert!(groups(&ignored).iter().all(|group| group["verdict"]["ignored"] == true));
    let over = run(
        "{version: 1, rules: [{name: all, when: {count: '>= 1'}, set: {ignore_until: 2020-12-31}}]}",
        &[],
    );
    assert_eq!(over.status.code(), Some(1), "{}", over.stderr);
    let wrong = run("version: 1\nrules:\n  - {name: a, when: {signal: '[x'}, set: {ignore: true}}\n", &[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty() && wrong.stderr.contains("rules.yaml:3:30: "), "{}", wrong.stderr);
    let checked = triage(&["rules", "check", text(&rules)]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(
        checked.stderr.contains("rules.yaml:3:30: rules[0].when.signal: a bad glob"),
        "{}",
        checked.stderr
    );
}

#[test]
fn variables_are_looked_at_where_rules_ask() {
    let folder = cores();
    let rules = folder.path().join("rules.yaml");
    let yaml =
        "{version: 1, rules: [{name: typed, when: {local: {name: '*', type: dict}}, set: {labels: x}}]}";
    fs::write(&rules, yaml).unwrap();
    let run = triage(&[text(folder.path()), "--no-files", "-f", "json", "--rules", text(&rules)]);
    let named = groups(&run).iter().filter(|group| group["verdict"]["labels"][0] == "x").count();
    assert!(named > 0, "{}", run.stderr);
    let without = triage(&[text(folder.path()), "--no-files", "-f", "json"]);
    assert!(groups(&without).iter().all(|group| group["crash"]["frames"][0]["locals"].is_null()));
}

#[test]
fn a_baseline_makes_groups_known() {
    let folder = cores();
    let known = folder.path().join("known.yaml");
    let update = triage(&["baseline", "update", text(&known), text(folder.path()), "--no-files"]);
    assert_eq!(update.status.code(), Some(0), "{}", update.stderr);
    assert!(update.text().contains("2 groups are known, 2 of them added; 0 dropped"), "{}", update.text());
    let run = |more: &[&str]| triage(&[&[text(folder.path()), "--no-files", "-f", "json"], more].concat());
    assert_eq!(run(&[]).status.code(), Some(1));
    let after = run(&["--baseline", text(&known)]);
    assert_eq!(after.status.code(), Some(0), "{}", after.stderr);
    assert!(groups(&after).iter().all(|group| group["status"] == "known"));
    assert_eq!(run(&["--baseline", text(&known), "--fail-on", "any"]).status.code(), Some(1));
    let shown = triage(&["baseline", "show", text(&known)]);
    assert_eq!(shown.text().lines().count(), 2, "{}", shown.text());
    for group in groups(&after) {
        assert!(shown.text().contains(group["id"].as_str().unwrap()));
        assert!(shown.text().contains(group["title"].as_str().unwrap()));
    }
    // Of one dump less: the same by default, one group less where it is pruned.
    fs::remove_file(folder.path().join("3.13.0-orders.core.zst")).unwrap();
    let again = triage(&["baseline", "update", text(&known), text(folder.path()), "--no-files"]);
    assert!(again.text().contains("2 groups are known, 0 of them added; 0 dropped"), "{}", again.text());
    let pruned = triage(&["baseline", "update", text(&known), text(folder.path()), "--no-files", "--prune"]);
    assert!(pruned.text().contains("1 groups are known, 0 of them added; 1 dropped"), "{}", pruned.text());
    // What is no baseline is trouble, and stays as it is.
    fs::write(&known, "groups: [\n").unwrap();
    for run in [
        run(&["--baseline", text(&known)]),
        run(&["--baseline", "/nonexistent/known.yaml"]),
        triage(&["baseline", "update", text(&known), text(folder.path())]),
        triage(&["baseline", "show", text(&known)]),
    ] {
        assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
        assert!(run.stdout.is_empty());
    }
    assert_eq!(fs::read_to_string(&known).unwrap(), "groups: [\n");
}

#[test]
fn codeowners_name_the_owner_of_a_group() {
    let folder = cores();
    let repository = tempfile::tempdir().unwrap();
    let file = repository.path().join(".github/CODEOWNERS");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, "* @everyone\n*.py @python # all of it\n").unwrap();
    let first = triage(&[text(folder.path()), "--no-files", "-f", "json"]);
    let path = groups(&first)[0]["crash"]["frames"][0]["file"].as_str().unwrap().to_owned();
    // A checkout of what ran, elsewhere.
    let name = Path::new(&path).file_name().unwrap();
    fs::write(repository.path().join(name), "").unwrap();
    let run = triage(&[text(folder.path()), "--no-files", "-f", "json", "--codeowners", text(&file)]);
    let owned: Vec<_> =
        groups(&run).into_iter().filter(|group| group["verdict"]["owners"][0] == "@python").collect();
    assert_eq!(owned.len(), 1, "{}", run.stderr);
    assert_eq!(owned[0]["crash"]["frames"][0]["file"], *path);
    let missing = triage(&[text(folder.path()), "--codeowners", "/nonexistent/CODEOWNERS"]);
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn the_schema_accepts_what_is_accepted_and_refuses_what_is_refused() {
    let schema: Value = serde_json::from_slice(&triage(&["rules", "schema"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let starter: Value = serde_yaml::from_slice(&triage(&["rules", "starter"]).stdout).unwrap();
    assert!(validator.is_valid(&starter));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    let rule =
        |when: &str, set: &str| format!("{{version: 1, rules: [{{name: a, when: {when}, set: {set}}}]}}");
    let all = "{exception: [A, {regex: b}], frame: [x, {module: a, local: int, within: 2}], local: {type: int}, \
               python: '>= 3.9, < 3.12', count: 3, threads: '> 1', not: {any: [{os: linux}]}}";
    let say =
        "{severity: low, labels: [a], owner: '@a', link: 'https://x', note: n, ignore_until: 2026-01-31}";
    for (yaml, is_valid) in [
        (rule(all, say), true),
        ("{version: 1, starter: true, in_app: app, skip: [a, b], labels: {a: b}}".to_owned(), true),
        (rule("{}", say), false),
        (rule("{any: []}", say), false),
        (rule("{signals: A}", say), false),
        (rule("{signal: 7}", say), false),
        (rule("{signal: []}", say), false),
        (rule("{python: 3.11}", say), false),
        (rule("{python: three}", say), false),
        (rule("{count: many}", say), false),
        (rule("{frame: {}}", say), false),
        (rule("{frame: {modul: a}}", say), false),
        (rule("{local: {}}", say), false),
        (rule("{message: {regexp: a}}", say), false),
        (rule(all, "{severity: bad}"), false),
        (rule(all, "{link: 'javascript:x'}"), false),
        (rule(all, "{labels: 7}"), false),
        ("{version: 2}".to_owned(), false),
        ("{rules: []}".to_owned(), false),
    ] {
        fs::write(&file, &yaml).unwrap();
        let checked = triage(&["rules", "check", text(&file)]);
        assert_eq!(checked.status.code(), Some(if is_valid { 0 } else { 2 }), "{yaml}: {}", checked.stderr);
        let value: Value = serde_yaml::from_str(&yaml).unwrap();
        assert_eq!(validator.is_valid(&value), is_valid, "{yaml}");
    }
}
