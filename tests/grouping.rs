//! Dumps of programs that each die of something else, as `scripts/record-crashes` made them: triage must tell them apart,
//! and put together those of the same program, whatever Python, folder and lines it died with.

use pycore_tests::cores::{fixtures, recorded};
use pycore_tests::program;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The crashes whose exact fingerprints differ over versions: up to 3.10 code does not tell its qualified name, which is
/// looked for in modules and classes; of these functions it is in neither.
const SIMILAR_OVER_VERSIONS: [&str; 4] = ["attribute", "class_creation", "decorators", "sort_callback"];

#[derive(Clone, Deserialize)]
struct Recorded {
    file: String,
    program: String,
    python: String,
    variant: String,
}

#[derive(Deserialize)]
struct Expected {
    dumps: Vec<Recorded>,
    damaged: Vec<String>,
}

fn folder() -> PathBuf {
    fixtures().join(".work/crashes")
}

/// What `scripts/record-crashes` made; `None` where it could not, which `scripts/setup-tests` says.
fn expected() -> Option<Expected> {
    let text = std::fs::read(folder().join("expected.json"));
    match text {
        Ok(text) => Some(serde_json::from_slice(&text).unwrap()),
        Err(_) => {
            eprintln!("no crashes are recorded: scripts/record-crashes");
            None
        }
    }
}

/// What `pycore triage --format json` makes of these dumps.
fn triage(arguments: &[&str], dumps: &[PathBuf]) -> Value {
    let dumps: Vec<&str> = dumps.iter().map(|dump| dump.to_str().unwrap()).collect();
    let arguments = [&["triage", "--format", "json", "--fail-on", "never"], arguments, &dumps].concat();
    let run = program::run(&arguments, Duration::from_secs(900)).unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    serde_json::from_slice(&run.stdout).unwrap()
}

fn dumps_of<'r>(recorded: impl IntoIterator<Item = &'r Recorded>) -> Vec<PathBuf> {
    recorded.into_iter().map(|one| folder().join("dumps").join(&one.file)).collect()
}

fn array<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn file_name(member: &Value) -> &str {
    Path::new(member["path"].as_str().unwrap()).file_name().unwrap().to_str().unwrap()
}

/// The groups that each file is in, by their ids.
fn groups_by_file(triage: &Value) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for group in array(triage, "groups") {
        for member in array(group, "members") {
            let before = found.insert(file_name(member).to_owned(), group["id"].as_str().unwrap().to_owned());
            assert_eq!(before, None, "{} is in two groups", file_name(member));
        }
    }
    found
}

#[test]
fn forty_programs_are_forty_groups_over_versions_prefixes_folders_and_lines() {
    let Some(expected) = expected() else { return };
    let recorded: Vec<&Recorded> = expected.dumps.iter().filter(|one| one.variant != "renamed").collect();
    let programs: BTreeSet<&str> = recorded.iter().map(|one| one.program.as_str()).collect();
    assert_eq!(programs.len(), 40);
    let mut dumps = dumps_of(recorded.iter().copied());
    dumps.extend(expected.damaged.iter().map(|file| folder().join("dumps").join(file)));
    let triage = triage(&[], &dumps);
    let found = groups_by_file(&triage);
    let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for one in &recorded {
        let group = found.get(&one.file).unwrap_or_else(|| panic!("{} is in no group", one.file));
        groups.entry(group).or_default().insert(&one.program);
    }
    let mixed: Vec<_> = groups.values().filter(|programs| programs.len() > 1).collect();
    assert!(mixed.is_empty(), "together, but not of the same: {mixed:?}");
    let split: Vec<_> = programs
        .iter()
        .map(|program| (program, groups.values().filter(|programs| programs.contains(program)).count()))
        .filter(|(_, count)| *count > 1)
        .collect();
    assert!(split.is_empty(), "of the same, but apart: {split:?}");
    assert_eq!(array(&triage, "groups").len(), 40);
    let failed: Vec<&str> = array(&triage, "failures").iter().map(file_name).collect();
    let damaged: Vec<&str> = expected.damaged.iter().map(String::as_str).collect();
    let unexpected: Vec<_> = failed.iter().filter(|file| !damaged.contains(file)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(failed.len() + found.len(), dumps.len());
}

#[test]
fn exact_fingerprints_hold_over_versions_where_the_names_are_known() {
    let Some(expected) = expected() else { return };
    let recorded = expected.dumps.iter().filter(|one| one.variant != "renamed");
    let recorded: Vec<&Recorded> =
        recorded.filter(|one| !SIMILAR_OVER_VERSIONS.contains(&one.program.as_str())).collect();
    let minor = |python: &str| python.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let recorded: Vec<&Recorded> =
        recorded.into_iter().filter(|one| minor(&one.python).is_some_and(|minor| minor >= 8)).collect();
    let found = groups_by_file(&triage(&["--exact"], &dumps_of(recorded.iter().copied())));
    let mut ids: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for one in &recorded {
        let of_program = ids.entry(&one.program).or_default();
        of_program.entry(&found[&one.file]).or_default().push(&one.file);
    }
    assert!(!ids.is_empty());
    let several: Vec<_> = ids.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(several.is_empty(), "{several:?}");
}

#[test]
fn a_function_that_is_called_otherwise_is_another_group_and_nothing_else_of_it_changes() {
    let Some(expected) = expected() else { return };
    let renamed: Vec<&Recorded> = expected.dumps.iter().filter(|one| one.variant == "renamed").collect();
    let of_same: Vec<&Recorded> = expected
        .dumps
        .iter()
        .filter(|one| renamed.iter().any(|other| other.program == one.program))
        .collect();
    let triage = triage(&[], &dumps_of(of_same.iter().copied()));
    let found = groups_by_file(&triage);
    let parts = |file: &str| -> Vec<String> {
        let group = array(&triage, "groups").iter().find(|group| group["id"] == found[file]).unwrap();
        let mut parts: Vec<_> = array(group, "parts")
            .iter()
            .map(|part| part["value"].as_str().unwrap().rsplit('.').next().unwrap().to_owned())
            .collect();
        parts.sort();
        parts
    };
    for one in renamed {
        let other =
            of_same.iter().find(|other| other.program == one.program && other.variant == "moved").unwrap();
        assert_ne!(found[&one.file], found[&other.file], "{}", one.program);
        let (before, after) = (parts(&other.file), parts(&one.file));
        let differing = before.iter().filter(|part| !after.contains(part)).count();
        assert_eq!(differing, 1, "{before:?} {after:?}");
        assert!(after.iter().any(|part| part == "otherwise"), "{after:?}");
    }
}

#[test]
fn every_frame_names_its_module() {
    let Some(expected) = expected() else { return };
    let recorded = expected.dumps.iter().filter(|one| one.variant == "moved" || one.variant == "plain");
    let triage = triage(&["--exact"], &dumps_of(recorded));
    let mut seen = BTreeSet::new();
    for group in array(&triage, "groups") {
        for frame in array(&group["crash"], "frames") {
            let file = frame["file"].as_str().unwrap();
            if file.starts_with("<frozen importlib._bootstrap") {
                // Until somebody imports `importlib`, they are called by the names that they are frozen by.
                let names = ["importlib._bootstrap", "_frozen_importlib"];
                assert!(names.iter().any(|name| frame["module"].as_str().unwrap().starts_with(name)));
                continue;
            }
            let inside = file.split_once("/lib/python3.").and_then(|(_, rest)| rest.split_once('/'));
            let expected = match inside {
                Some((_, inside)) => {
                    inside.trim_end_matches(".py").trim_end_matches("/__init__").replace('/', ".")
                }
                None if file.starts_with("<frozen ") => file["<frozen ".len()..file.len() - 1].to_owned(),
                None if file == "<template>" => "template".to_owned(),
                None if file.ends_with("/shop/stock.py") => "shop.stock".to_owned(),
                None => "__main__".to_owned(),
            };
            assert_eq!(frame["module"], expected.as_str(), "{file}");
            seen.insert(expected);
        }
    }
    for module in ["__main__", "template", "shop.stock", "asyncio.base_events", "json.decoder", "threading"] {
        assert!(seen.contains(module), "{module} is not among {seen:?}");
    }
}

/// Of programs that were not written for this: no two of them are ever one group.
#[test]
fn programs_that_were_recorded_for_their_stacks_are_told_apart() {
    // The others are those of the same programs, or take long, or hold so little memory that nothing tells them apart.
    let wanted = |name: &str| {
        let full = std::env::var_os("PYCORE_FULL").is_some();
        let (python, rest) = name.split_once('/').unwrap();
        rest.starts_with("kernel/")
            && (full || ["3.8", "3.11", "3.13"].iter().any(|minor| python.starts_with(minor)))
    };
    let cores: Vec<_> = recorded().into_iter().filter(|core| wanted(&core.name)).collect();
    if cores.is_empty() {
        return;
    }
    let dumps: Vec<PathBuf> = cores.iter().map(|core| core.core.clone()).collect();
    let triage = triage(&[], &dumps);
    let mut groups_of: BTreeMap<String, usize> = BTreeMap::new();
    for group in array(&triage, "groups") {
        let members = array(group, "members").iter();
        let programs: BTreeSet<String> = members
            .map(|member| Path::new(member["path"].as_str().unwrap()).parent().unwrap())
            .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(programs.len(), 1, "{} is of {programs:?}", group["title"]);
        for program in programs {
            *groups_of.entry(program).or_default() += 1;
        }
    }
    // What these call depends on the version, or on when a signal comes.
    let differing = ["arguments", "lines", "shapes", "signal_handler", "generators"];
    let split: Vec<_> =
        groups_of.iter().filter(|(name, count)| **count > 1 && !differing.contains(&name.as_str())).collect();
    assert!(split.is_empty() || std::env::var_os("PYCORE_FULL").is_some(), "{split:?}");
}
