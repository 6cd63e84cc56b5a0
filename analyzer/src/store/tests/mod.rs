//! The store on SQLite and on a PostgreSQL of its own.

mod databases;
mod migrations;
mod writers;

use super::{Run, Store, StoreError, time};
use crate::report::{FailedDump, Failure, FailureKind, Group, GroupState, GroupStatus, Triage};
use databases::on_each;
use serde_json::json;

/// A dump of a group: its path, when it died, its fingerprint.
type Dump<'a> = (&'a str, &'a str, &'a str);

const MONDAY: &str = "2026-11-16T10:00:00Z";
const TUESDAY: &str = "2026-11-17T10:00:00Z";
const SUNDAY: &str = "2026-11-22T10:00:00Z";

/// A group as a run finds it: known by the fingerprint of its first dump.
fn group(dumps: &[Dump<'_>]) -> Group {
    let members: Vec<_> = dumps
        .iter()
        .map(|(path, time, fingerprint)| {
            json!({"path": path, "time": time, "host": "web-1", "python": "3.11.7", "fingerprint": fingerprint})
        })
        .collect();
    let id = dumps[0].2;
    let counted = |value: &str, count: usize| json!({"value": value, "count": count});
    let mut fingerprints: Vec<&str> = dumps.iter().map(|dump| dump.2).collect();
    fingerprints.dedup();
    let parts = json!([{"kind": "frame", "value": "app.run"}]);
    let made = json!({
        "id": id,
        "fingerprints": fingerprints.iter().map(|id| counted(id, 1)).collect::<Vec<_>>(),
        "title": format!("ValueError in app.{id}"),
        "count": dumps.len(),
        "status": "new",
        "first_seen": dumps.iter().map(|dump| dump.1).min(),
        "last_seen": dumps.iter().map(|dump| dump.1).max(),
        "verdict": {"rules": [], "labels": [], "owners": [], "ignored": false},
        "parts": parts,
        "versions": [counted("3.11.7", dumps.len())],
        "hosts": [counted("web-1", dumps.len())],
        "differences": [{"what": "line", "values": [counted(id, 1)], "more": 0}],
        "representative": members[0],
        "crash": {
            "fingerprint": {"id": id, "parts": parts},
            "summary": "it died", "category": "crash", "format": "elf-core", "arch": "x86_64",
            "exceptions": [], "frames": [], "thread_count": 1, "libraries": [], "text": "Traceback\n", "gaps": 0,
            "cut": false,
        },
        "members": members,
    });
    serde_json::from_value(made).unwrap()
}

fn triage(groups: &[&[Dump<'_>]]) -> Triage {
    Triage {
        schema: "pycore.triage/1".to_owned(),
        version: "0.1.0".to_owned(),
        redacted: true,
        complete: true,
        totals: Default::default(),
        groups: groups.iter().map(|dumps| group(dumps)).collect(),
        failures: Vec::new(),
        warnings: Vec::new(),
    }
}

fn run(id: &str, release: Option<&str>) -> Run {
    Run { id: Some(id.to_owned()), release: release.map(ToOwned::to_owned), baseline: false }
}

/// The ids and the status of groups, in their order.
fn seen(triage: &Triage) -> Vec<(&str, GroupStatus)> {
    triage.groups.iter().map(|group| (group.id.as_str(), group.status)).collect()
}

#[test]
fn a_group_keeps_its_identity_over_runs() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let mut first =
            triage(&[&[("a", MONDAY, "v1:aa"), ("b", MONDAY, "v1:ab")], &[("c", MONDAY, "v1:cc")]]);
        let recorded = store.record(&mut first, &Run::default()).unwrap();
        assert_eq!((recorded.new_groups, recorded.new_dumps), (2, 3));
        assert_eq!(seen(&first), [("v1:aa", GroupStatus::New), ("v1:cc", GroupStatus::New)]);
        // Another variant is now the most frequent one, and one was never met before.
        let mut second =
            triage(&[&[("d", TUESDAY, "v1:ad"), ("e", TUESDAY, "v1:ab")], &[("f", TUESDAY, "v1:ff")]]);
        store.record(&mut second, &Run::default()).unwrap();
        assert_eq!(seen(&second), [("v1:ff", GroupStatus::New), ("v1:aa", GroupStatus::Known)]);
        let history = store.history(10).unwrap();
        assert_eq!((history.runs, history.groups.len(), history.more), (2, 3, 0));
        let group = store.group("v1:ad").unwrap();
        assert_eq!((group.group.id.as_str(), group.group.count, group.group.runs), ("v1:aa", 4, 2));
        assert_eq!(group.group.first_seen.as_deref(), Some(MONDAY));
        assert_eq!(group.group.last_seen.as_deref(), Some(TUESDAY));
        assert_eq!(group.days.iter().map(|day| day.count).collect::<Vec<_>>(), [2, 2]);
        assert_eq!(
            (group.summary.as_str(), group.text.as_str(), group.parts.len()),
            ("it died", "Traceback\n", 1)
        );
        assert_eq!(group.dumps[0].path, "d");
        assert_eq!(store.history(1).unwrap().more, 2);
    });
}

#[test]
fn what_is_recorded_again_counts_once() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let found = triage(&[&[("a", MONDAY, "v1:aa"), ("b", MONDAY, "v1:aa")]]);
        for named in [Run::default(), run("job 7", None)] {
            for _ in 0..2 {
                let mut again = found.clone();
                store.record(&mut again, &named).unwrap();
                // The job that is tried again finds as new what it found the first time.
                let expected = if named.id.is_none() { GroupStatus::New } else { GroupStatus::Known };
                assert_eq!(seen(&again), [("v1:aa", expected)]);
            }
        }
        let history = store.history(10).unwrap();
        assert_eq!((history.runs, history.groups[0].count, history.groups[0].runs), (2, 2, 2));
        // Another dump at the same path; and with a baseline nothing else tells what is known.
        let mut later = triage(&[&[("a", TUESDAY, "v1:aa")]]);
        store.record(&mut later, &Run { baseline: true, ..Run::default() }).unwrap();
        assert_eq!(later.groups[0].status, GroupStatus::New);
        assert_eq!(store.history(10).unwrap().groups[0].count, 3);
        // What a newer pycore knows better moves to its new group.
        store.record(&mut triage(&[&[("a", TUESDAY, "v2:xx")]]), &Run::default()).unwrap();
        assert_eq!(store.group("v2:xx").unwrap().group.count, 1);
        assert_eq!(store.group("v1:aa").unwrap().group.count, 2);
    });
}

#[test]
fn groups_that_turn_out_to_be_one_are_joined_for_good() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let apart: &[&[Dump<'_>]] =
            &[&[("a", MONDAY, "v1:aa")], &[("b", MONDAY, "v1:bb")], &[("c", MONDAY, "v1:cc")]];
        store.record(&mut triage(&apart[..1]), &Run::default()).unwrap();
        store.record(&mut triage(&apart[1..]), &Run::default()).unwrap();
        store.mark("v1:bb", true, None, Some("merged")).unwrap();
        let mut joining = triage(&[&[("d", TUESDAY, "v1:bb"), ("e", TUESDAY, "v1:aa")]]);
        assert_eq!(store.record(&mut joining, &Run::default()).unwrap().joined, 1);
        assert_eq!(joining.groups[0].id, "v1:aa");
        // A later run that keeps them apart (--exact) gets one group.
        let mut later =
            triage(&[&[("f", TUESDAY, "v1:aa")], &[("g", TUESDAY, "v1:bb"), ("h", MONDAY, "v1:bb")]]);
        store.record(&mut later, &Run::default()).unwrap();
        assert_eq!((later.groups.len(), later.groups[0].count), (1, 3));
        assert_eq!(later.groups[0].title, "ValueError in app.v1:bb");
        assert_eq!(later.groups[0].fingerprints.iter().map(|counted| counted.count).sum::<usize>(), 2);
        assert_eq!(later.groups[0].first_seen.as_deref(), Some(MONDAY));
        let group = store.group("v1:bb").unwrap();
        assert_eq!((group.group.id.as_str(), group.group.count), ("v1:aa", 7));
        assert_eq!(group.joined, ["v1:bb"]);
        assert_eq!(group.marks[0].note.as_deref(), Some("merged"));
        // Through a chain: what joined is joined again, in one run.
        let mut chain =
            triage(&[&[("i", TUESDAY, "v1:bb"), ("j", TUESDAY, "v1:cc")], &[("k", TUESDAY, "v1:cc")]]);
        store.record(&mut chain, &Run::default()).unwrap();
        assert_eq!(store.group("v1:cc").unwrap().joined, ["v1:bb", "v1:cc"]);
        assert_eq!(store.history(10).unwrap().groups.len(), 1);
    });
}

#[test]
fn what_was_fixed_and_is_seen_again_is_a_regression() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let at = |store: &mut Store, path, time, release| {
            let mut found = triage(&[&[(path, time, "v1:aa")]]);
            store.record(&mut found, &run(path, release)).unwrap();
            found.groups[0].status
        };
        at(&mut store, "a", MONDAY, Some("1.0"));
        let tuesday = time::parse(TUESDAY).unwrap();
        let marked = store.mark_at("aa", true, Some("1.10"), Some("#12"), tuesday).unwrap();
        assert_eq!(marked.group.state, GroupState::Fixed);
        assert!(store.regressions().unwrap().groups.is_empty());
        // Dumps that died before, or of releases before, are none.
        assert_eq!(at(&mut store, "late", MONDAY, None), GroupStatus::Known);
        assert_eq!(at(&mut store, "old", SUNDAY, Some("1.9")), GroupStatus::Known);
        assert_eq!(store.group("aa").unwrap().group.state, GroupState::Fixed);
        assert_eq!(at(&mut store, "new", SUNDAY, Some("1.10")), GroupStatus::Regressed);
        // In whatever run it is met from now on.
        assert_eq!(at(&mut store, "older", SUNDAY, Some("1.9")), GroupStatus::Regressed);
        let regressions = store.regressions().unwrap().groups;
        let regression = regressions[0].regression.as_ref().unwrap();
        assert_eq!((regression.count, regression.releases[0].value.as_str()), (1, "1.10"));
        assert_eq!(regression.first_seen.as_deref(), Some(SUNDAY));
        assert_eq!(regressions[0].mark.as_ref().unwrap().note.as_deref(), Some("#12"));
        // Without a release it counts when it died.
        store.mark_at("aa", true, None, None, time::parse(SUNDAY).unwrap()).unwrap();
        assert!(store.regressions().unwrap().groups.is_empty());
        assert_eq!(at(&mut store, "newest", "2026-11-23T10:00:00Z", None), GroupStatus::Regressed);
        store.mark_at("aa", false, None, None, time::parse("2026-11-24T10:00:00Z").unwrap()).unwrap();
        assert_eq!(store.group("aa").unwrap().group.state, GroupState::Open);
        assert_eq!(store.group("aa").unwrap().marks.len(), 3);
    });
}

#[test]
fn a_group_is_found_by_how_its_fingerprints_begin() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let found: &[&[Dump<'_>]] =
            &[&[("a", MONDAY, "v1:aabb"), ("b", MONDAY, "v1:cc_dd")], &[("c", MONDAY, "v1:aacc")]];
        store.record(&mut triage(found), &Run::default()).unwrap();
        let mut meant =
            |text: &str| store.group(text).map(|group| group.group.id).map_err(|error| error.to_string());
        assert_eq!(meant("aab"), Ok("v1:aabb".to_owned()));
        assert_eq!(meant("v1:cc"), Ok("v1:aabb".to_owned()));
        assert_eq!(meant("aa"), Err("aa may be any of: v1:aabb, v1:aacc".to_owned()));
        for wrong in ["", "bb", "%", "_", "v1:cc?dd", "'", "v1:a\0"] {
            assert!(meant(wrong).unwrap_err().starts_with("the store has no group"), "{wrong}");
        }
    });
}

#[test]
fn hostile_strings_are_kept_and_change_nothing_else() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let long = "\u{202e}x".repeat(1 << 18);
        let odd = "'; DROP TABLE triage_dump; --\0\u{1b}[31m\\";
        let mut found =
            triage(&[&[("a", MONDAY, "v1:aa")], &[(odd, "yesterday", odd)], &[(&long, SUNDAY, &long)]]);
        for group in &mut found.groups[1..] {
            group.crash.summary = odd.to_owned();
            group.crash.text = long.clone();
            group.parts[0].value = long.clone();
            for member in &mut group.members {
                (member.host, member.python) = (Some(odd.to_owned()), Some(long.clone()));
            }
        }
        found.failures = vec![FailedDump {
            path: odd.to_owned(),
            failure: Failure { kind: FailureKind::Timeout, message: long.clone() },
        }];
        let mut again = found.clone();
        store.record(&mut found, &run(odd, Some(&long))).unwrap();
        store.mark("v1:aa", true, Some(odd), Some(&long)).unwrap();
        store.record(&mut again, &run(odd, Some(&long))).unwrap();
        let ids = |triage: &Triage| triage.groups.iter().map(|group| group.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&found), ids(&again));
        let history = store.history(10).unwrap();
        assert_eq!((history.groups.len(), history.runs), (3, 1));
        for group in &history.groups {
            let whole = store.group(&group.id).unwrap();
            assert_eq!(whole.group.count, 1);
            assert!(serde_json::to_string(&whole).unwrap().len() < 1 << 18);
        }
        let odd_group = store.group(odd).unwrap();
        assert_eq!(odd_group.hosts[0].value, odd.replace('\0', "\u{2400}"));
        assert!(!odd_group.text.is_empty());
        store.trend(30).unwrap();
    });
}

#[test]
fn a_trend_has_all_days_and_what_grew_first() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let mut found = triage(&[
            &[("a", MONDAY, "v1:aa"), ("b", TUESDAY, "v1:aa"), ("c", TUESDAY, "v1:aa")],
            &[("d", TUESDAY, "v1:dd")],
            &[("e", "2026-11-15T23:59:59Z", "v1:ee"), ("f", "2026-11-15T00:00:00Z", "v1:ee")],
            &[("g", "2026-11-01T00:00:00Z", "v1:aa"), ("h", "2026-11-19T00:00:00Z", "v1:aa")],
        ]);
        store.record(&mut found, &Run::default()).unwrap();
        let trend = store.trend_until(2, time::parse("2026-11-17T23:00:00Z").unwrap()).unwrap();
        let days: Vec<_> =
            trend.days.iter().map(|day| (&*day.date, day.dumps, day.groups, day.new_groups)).collect();
        assert_eq!(days, [("2026-11-16", 1, 1, 0), ("2026-11-17", 3, 2, 1)]);
        let groups: Vec<_> =
            trend.groups.iter().map(|group| (&*group.id, group.count, group.before, group.new)).collect();
        assert_eq!(groups, [("v1:aa", 3, 0, false), ("v1:dd", 1, 0, true), ("v1:ee", 0, 2, false)]);
        assert_eq!(trend.groups[0].days, [1, 2]);
    });
}

#[test]
fn what_fails_leaves_nothing_behind() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        store.connection.script("ALTER TABLE triage_failure RENAME TO gone").unwrap();
        let before = triage(&[&[("a", MONDAY, "v1:aa")]]);
        let mut found = before.clone();
        found.failures = vec![FailedDump {
            path: "x".to_owned(),
            failure: Failure { kind: FailureKind::Crashed, message: String::new() },
        }];
        let error = store.record(&mut found, &run("one", None)).unwrap_err();
        assert!(matches!(error, StoreError::Database(_)), "{error}");
        assert_eq!(found.groups, before.groups);
        store.connection.script("ALTER TABLE gone RENAME TO triage_failure").unwrap();
        let history = store.history(10).unwrap();
        assert_eq!((history.runs, history.groups.len()), (0, 0));
        store.record(&mut found, &run("one", None)).unwrap();
        assert_eq!(store.history(10).unwrap().groups.len(), 1);
    });
}
