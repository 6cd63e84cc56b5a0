//! Groups of a run that the store knows as one.

use crate::report::{Counted, Difference, Group, Triage};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The most values of a difference that are kept.
const VALUES: usize = 8;

/// Makes one group of those that have the same id; the one with the most dumps gives title and representative.
pub(super) fn join(triage: &mut Triage) {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = std::mem::take(&mut triage.groups);
    all.sort_by_key(|group| Reverse(group.count));
    for group in all {
        match places.get(&group.id).and_then(|at| groups.get_mut(*at)) {
            Some(joined) => add(joined, group),
            None => {
                places.insert(group.id.clone(), groups.len());
                groups.push(group);
            }
        }
    }
    triage.groups = groups;
    crate::triage::settle(triage);
}

/// Makes `other` a part of `group`.
fn add(group: &mut Group, other: Group) {
    group.count += other.count;
    group.first_seen = group.first_seen.take().into_iter().chain(other.first_seen).min();
    group.last_seen = group.last_seen.take().into_iter().chain(other.last_seen).max();
    group.status = group.status.min(other.status);
    for (mine, others) in [
        (&mut group.fingerprints, other.fingerprints),
        (&mut group.versions, other.versions),
        (&mut group.hosts, other.hosts),
    ] {
        *mine = counted(std::mem::take(mine).into_iter().chain(others));
    }
    for difference in other.differences {
        match group.differences.iter_mut().find(|mine| mine.what == difference.what) {
            Some(mine) => {
                let all = counted(std::mem::take(&mut mine.values).into_iter().chain(difference.values));
                *mine =
                    Difference { more: mine.more.max(difference.more), values: all, what: difference.what };
                mine.more += mine.values.len().saturating_sub(VALUES);
                mine.values.truncate(VALUES);
            }
            None => group.differences.push(difference),
        }
    }
    group.members.extend(other.members);
    group.members.sort_by(|one, other| (&one.time, &one.path).cmp(&(&other.time, &other.path)));
}

/// Each value once, the most frequent first.
fn counted(all: impl Iterator<Item = Counted>) -> Vec<Counted> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for Counted { value, count } in all {
        *counts.entry(value).or_default() += count;
    }
    let mut counted: Vec<Counted> =
        counts.into_iter().map(|(value, count)| Counted { value, count }).collect();
    counted.sort_by_key(|counted| Reverse(counted.count));
    counted
}
