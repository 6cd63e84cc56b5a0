//! Entries of dumps, to groups of those that died of the same.

use super::differences::{counted, differences};
use super::fingerprint::{FrameRules, Shape};
use super::similar::{Variant, is_partial};
use super::titles;
use crate::report::{
    Crash, Entry, FailedDump, Group, GroupStatus, Member, Outcome, RuleVerdict, TRIAGE_SCHEMA, Totals, Triage,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most fingerprints that one is compared with.
const MAX_COMPARED: usize = 64;

/// How to group.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// Whether fingerprints that are similar make one group.
    pub similar: bool,
    /// What rules say of frames. Where they say anything, fingerprints are made anew by them.
    pub frames: FrameRules,
}

impl Default for GroupOptions {
    fn default() -> Self {
        GroupOptions { similar: true, frames: FrameRules::default() }
    }
}

/// Groups of the dumps that died of the same. The order of the entries does not matter; one that is there several times
/// counts once.
pub fn group(mut entries: Vec<Entry>, options: &GroupOptions) -> Triage {
    for entry in &mut entries {
        if let Outcome::Crash(crash) = &mut entry.outcome
            && !options.frames.is_empty()
        {
            crash.fingerprint = super::fingerprint(crash, &options.frames);
        }
    }
    let entries = distinct(entries);
    let mut failures = Vec::new();
    let mut by_fingerprint: BTreeMap<&str, Vec<(&Entry, &Crash)>> = BTreeMap::new();
    for entry in &entries {
        match &entry.outcome {
            Outcome::Crash(crash) => {
                by_fingerprint.entry(&crash.fingerprint.id).or_default().push((entry, crash));
            }
            Outcome::Failure(failure) => {
                failures.push(FailedDump { path: entry.path.clone(), failure: failure.clone() });
            }
        }
    }
    let groups = merged(by_fingerprint, options)
        .into_iter()
        .filter_map(|members| group_of(members, options))
        .collect();
    let mut triage = Triage {
        schema: TRIAGE_SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        redacted: entries.iter().all(|entry| entry.redacted),
        complete: true,
        totals: Totals { dumps: entries.len(), failed: failures.len(), ..Totals::default() },
        groups,
        failures,
        warnings: Vec::new(),
    };
    settle(&mut triage);
    triage
}

/// Puts groups in order and counts them anew, after their status or what rules say of them changed.
pub fn settle(triage: &mut Triage) {
    let novelty = |status: GroupStatus| match status {
        GroupStatus::New => 0,
        GroupStatus::Regressed => 1,
        GroupStatus::Known => 2,
    };
    triage.groups.sort_by(|one, other| {
        let key = |group: &Group| (group.verdict.ignored, novelty(group.status), Reverse(group.count));
        key(one)
            .cmp(&key(other))
            .then_with(|| other.last_seen.cmp(&one.last_seen))
            .then_with(|| one.title.cmp(&other.title))
            .then_with(|| one.id.cmp(&other.id))
    });
    triage.totals.groups = triage.groups.len();
    triage.totals.analyzed = triage.groups.iter().map(|group| group.count).sum();
    let counted =
        |condition: fn(&Group) -> bool| triage.groups.iter().filter(|group| condition(group)).count();
    triage.totals.new_groups = counted(|group| group.status != GroupStatus::Known && !group.verdict.ignored);
    triage.totals.ignored_groups = counted(|group| group.verdict.ignored);
}

/// Entries by path, each dump once: where one was looked at several times, a crash wins over a failure.
fn distinct(mut entries: Vec<Entry>) -> Vec<Entry> {
    fn dump(entry: &Entry) -> (&str, Option<&str>, Option<&str>, u64) {
        (&entry.path, entry.time.as_deref(), entry.host.as_deref(), entry.size_bytes)
    }
    fn outcome(entry: &Entry) -> (bool, &str, usize) {
        match &entry.outcome {
            Outcome::Crash(crash) => (false, &crash.fingerprint.id, crash.gaps),
            Outcome::Failure(failure) => (true, &failure.message, 0),
        }
    }
    entries.sort_by(|one, other| {
        (dump(one), outcome(one), one.elapsed_ms).cmp(&(dump(other), outcome(other), other.elapsed_ms))
    });
    entries.dedup_by(|one, other| dump(one) == dump(other));
    entries
}

type Members<'e> = Vec<(&'e Entry, &'e Crash)>;

/// Fingerprints that make one group, each with its dumps: those that are similar to a more frequent one join it.
fn merged<'e>(by_fingerprint: BTreeMap<&'e str, Members<'e>>, options: &GroupOptions) -> Vec<Members<'e>> {
    if !options.similar {
        return by_fingerprint.into_values().collect();
    }
    let mut variants: Vec<(Variant, Members<'e>)> = by_fingerprint
        .into_values()
        .filter_map(|members| {
            let shape = Shape::of(members.first()?.1, &options.frames);
            let versions: BTreeSet<String> =
                members.iter().filter_map(|(_, crash)| crash.python.clone()).collect();
            Some((Variant { shape, versions }, members))
        })
        .collect();
    variants.sort_by_cached_key(|(variant, members)| {
        let id = members.first().map(|(_, crash)| crash.fingerprint.id.clone());
        let depth = if variant.shape.cut { variant.depth() } else { 0 };
        (variant.is_partial(), Reverse(depth), Reverse(members.len()), id)
    });
    let mut groups: Vec<(Variant, Members<'e>)> = Vec::new();
    let mut index: HashMap<String, Vec<usize>> = HashMap::new();
    for (variant, members) in variants {
        let candidates: BTreeSet<usize> = variant
            .looks_for()
            .iter()
            .filter_map(|key| index.get(key))
            .flatten()
            .copied()
            .take(MAX_COMPARED)
            .collect();
        let leader = candidates
            .into_iter()
            .find(|&at| groups.get(at).is_some_and(|(leader, _)| leader.is_similar(&variant)));
        match leader.and_then(|at| groups.get_mut(at)) {
            Some((leader, joined)) => {
                leader.versions.extend(variant.versions);
                joined.extend(members);
            }
            None => {
                for key in variant.found_by() {
                    let known = index.entry(key).or_default();
                    if known.len() < MAX_COMPARED {
                        known.push(groups.len());
                    }
                }
                groups.push((variant, members));
            }
        }
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

fn group_of(mut members: Members<'_>, options: &GroupOptions) -> Option<Group> {
    members.sort_by(|(one, _), (other, _)| (&one.time, &one.path).cmp(&(&other.time, &other.path)));
    let partial: BTreeSet<&str> = members
        .iter()
        .filter(|(_, crash)| is_partial(&crash.fingerprint))
        .map(|(_, crash)| crash.fingerprint.id.as_str())
        .collect();
    let mut fingerprints = counted(members.iter().map(|(_, crash)| crash.fingerprint.id.clone()));
    fingerprints.sort_by_key(|one| (Reverse(one.count), partial.contains(one.value.as_str())));
    let id = fingerprints.first().map(|first| first.value.clone()).unwrap_or_default();
    let &(entry, crash) = members
        .iter()
        .filter(|(_, crash)| crash.fingerprint.id == id)
        .min_by_key(|(entry, crash)| (crash.cut, crash.gaps, Reverse(&entry.time), &entry.path))?;
    let times = || members.iter().filter_map(|(entry, _)| entry.time.clone());
    Some(Group {
        title: titles::title(crash, &Shape::of(crash, &options.frames)),
        id,
        fingerprints,
        count: members.len(),
        status: GroupStatus::New,
        first_seen: times().min(),
        last_seen: times().max(),
        verdict: RuleVerdict::default(),
        parts: crash.fingerprint.parts.clone(),
        versions: counted(members.iter().filter_map(|(_, crash)| crash.python.clone())),
        hosts: counted(members.iter().filter_map(|(entry, _)| entry.host.clone())),
        differences: differences(&members),
        representative: member(entry, crash),
        crash: crash.clone(),
        members: members.iter().map(|(entry, crash)| member(entry, crash)).collect(),
    })
}

fn member(entry: &Entry, crash: &Crash) -> Member {
    Member {
        path: entry.path.clone(),
        time: entry.time.clone(),
        host: entry.host.clone(),
        python: crash.python.clone(),
        fingerprint: crash.fingerprint.id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{app, crash, entry};
    use super::*;
    use crate::report::{Failure, FailureKind};
    use std::time::{Duration, Instant};

    fn failure(path: &str) -> Entry {
        let failure = Failure { kind: FailureKind::Unreadable, message: "no dump".into() };
        Entry { outcome: Outcome::Failure(failure), ..entry(path, crash(None, Vec::new())) }
    }

    fn some() -> Vec<Entry> {
        let mut entries = vec![failure("/z/noise"), failure("/a/noise")];
        for (number, function) in ["a", "b", "a", "c", "a", "b"].iter().enumerate() {
            let crash = crash(Some("SIGSEGV"), app(&[function, "main", "<module>"]));
            let mut entry = entry(&format!("/dumps/{number}"), crash);
            entry.time = Some(format!("2026-11-2{number}T00:00:00Z"));
            entries.push(entry);
        }
        entries
    }

    #[test]
    fn dumps_of_the_same_crash_are_a_group() {
        let triage = group(some(), &GroupOptions::default());
        let told: Vec<(&str, usize)> =
            triage.groups.iter().map(|group| (group.title.as_str(), group.count)).collect();
        assert_eq!(told, [("SIGSEGV in app.a", 3), ("SIGSEGV in app.b", 2), ("SIGSEGV in app.c", 1)]);
        let first = &triage.groups[0];
        assert_eq!(first.first_seen.as_deref(), Some("2026-11-20T00:00:00Z"));
        assert_eq!(first.last_seen.as_deref(), Some("2026-11-24T00:00:00Z"));
        assert_eq!(first.representative.path, "/dumps/4");
        let members: Vec<&str> = first.members.iter().map(|member| member.path.as_str()).collect();
        assert_eq!(members, ["/dumps/0", "/dumps/2", "/dumps/4"]);
        let failures: Vec<&str> = triage.failures.iter().map(|failure| failure.path.as_str()).collect();
        assert_eq!(failures, ["/a/noise", "/z/noise"]);
        assert_eq!((triage.totals.dumps, triage.totals.analyzed, triage.totals.failed), (8, 6, 2));
        assert_eq!((triage.totals.groups, triage.totals.new_groups), (3, 3));
    }

    #[test]
    fn the_order_of_entries_does_not_matter_and_each_dump_counts_once() {
        let expected = group(some(), &GroupOptions::default());
        for turn in 0..8 {
            let mut entries = some();
            entries.rotate_left(turn);
            if turn % 2 == 1 {
                entries.reverse();
            }
            let mut again = entries[turn].clone();
            again.elapsed_ms += 7;
            entries.push(again);
            // A worker was lost, and the dump done again.
            entries.push(Entry { path: "/dumps/1".into(), time: some()[3].time.clone(), ..failure("") });
            assert_eq!(group(entries, &GroupOptions::default()), expected);
        }
    }

    #[test]
    fn what_is_similar_joins_the_whole_and_only_where_it_may() {
        let whole = crash(Some("SIGSEGV"), app(&["Worker.run", "main"]));
        let mut partial = crash(Some("SIGSEGV"), app(&["run", "main"]));
        partial.frames[0].unqualified = true;
        let entries = vec![entry("/1", partial.clone()), entry("/2", partial), entry("/3", whole.clone())];
        let merged = group(entries.clone(), &GroupOptions::default());
        assert_eq!(merged.groups.len(), 1);
        assert_eq!(merged.groups[0].fingerprints.len(), 2);
        let exact = group(entries.clone(), &GroupOptions { similar: false, ..GroupOptions::default() });
        assert_eq!(exact.groups.len(), 2);
        let mut even = entries;
        even.remove(0);
        assert_eq!(group(even, &GroupOptions::default()).groups[0].id, whole.fingerprint.id);
    }

    #[test]
    fn rules_of_frames_make_fingerprints_anew() {
        let of = |helper: &str| crash(Some("SIGSEGV"), app(&[helper, "pay", "main"]));
        let entries = vec![entry("/1", of("log")), entry("/2", of("die"))];
        let frames = FrameRules { skip: vec!["app.log".into(), "app.die".into()], ..FrameRules::default() };
        let triage = group(entries, &GroupOptions { frames, ..GroupOptions::default() });
        assert_eq!(triage.groups.len(), 1);
        assert_eq!(triage.groups[0].title, "SIGSEGV in app.pay");
        assert_eq!(triage.groups[0].fingerprints.len(), 1);
    }

    #[test]
    fn many_hostile_entries_take_no_more_than_their_number() {
        let entries: Vec<Entry> = (0..20_000)
            .map(|number| {
                let name = format!("C{}.run", number % 10_000);
                let mut crash = crash(Some("SIGSEGV"), app(&[&name, "main"]));
                crash.frames[0].unqualified = number % 3 == 0;
                entry(&format!("/dumps/{number}"), crash)
            })
            .collect();
        let started = Instant::now();
        let triage = group(entries, &GroupOptions::default());
        assert_eq!(triage.groups.iter().map(|group| group.count).sum::<usize>(), 20_000);
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    }
}
