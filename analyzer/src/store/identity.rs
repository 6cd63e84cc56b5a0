//! Which group of the store a group of a run is: by the exact fingerprints in it.

use super::database::{Connection, Failed, Value, insert, query_keys};
use super::text::{LONG, SHORT, fingerprint, kept};
use crate::report::{Group, Triage};
use std::collections::{BTreeMap, BTreeSet};

/// The groups of a run, as the store knows them.
pub(super) struct Identities {
    /// The id of each group of the run, in their order.
    pub(super) ids: Vec<String>,
    /// How many of them the store did not know.
    pub(super) added: usize,
    /// How many groups of the store were joined to others.
    pub(super) joined: usize,
}

/// All that a group may be known by.
fn fingerprints(group: &Group) -> BTreeSet<String> {
    let counted = group.fingerprints.iter().map(|counted| &counted.value);
    let of_members = group.members.iter().map(|member| &member.fingerprint);
    std::iter::once(&group.id).chain(counted).chain(of_members).map(|id| fingerprint(id)).collect()
}

/// Finds the groups of a run in the store, adds those that are not there, and joins those that the run shows to be one: the
/// one that was recorded first keeps its id.
pub(super) fn identify(
    connection: &mut dyn Connection,
    triage: &Triage,
    now: i64,
) -> Result<Identities, Failed> {
    let of_groups: Vec<BTreeSet<String>> = triage.groups.iter().map(fingerprints).collect();
    let all: BTreeSet<&str> = of_groups.iter().flatten().map(String::as_str).collect();
    let rows = query_keys(
        connection,
        "SELECT f.fingerprint, g.id, g.recorded FROM triage_fingerprint f \
         JOIN triage_group g ON g.id = f.group_id WHERE f.fingerprint IN ({})",
        &[],
        all,
    )?;
    // The id of the group that a fingerprint belongs to, behind the time by which the older one is told.
    let mut known: BTreeMap<String, (i64, String)> = rows
        .into_iter()
        .map(|mut row| {
            let (fingerprint, id) = (row.text(), row.text());
            (fingerprint, (row.int(), id))
        })
        .collect();
    let mut found = Identities { ids: Vec::new(), added: 0, joined: 0 };
    let (mut groups, mut added): (Vec<Value>, Vec<Value>) = Default::default();
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (group, fingerprints) in triage.groups.iter().zip(&of_groups) {
        let met: BTreeSet<(i64, String)> =
            fingerprints.iter().filter_map(|fingerprint| known.get(fingerprint).cloned()).collect();
        let mut met = met.into_iter();
        let oldest = met.next().unwrap_or_else(|| {
            let id = fingerprint(&group.id);
            groups.extend(row(&id, group, now));
            found.added += 1;
            (now, id)
        });
        for (_, other) in met {
            for (_, (time, id)) in known.iter_mut().filter(|(_, (_, id))| *id == other) {
                (*time, *id) = oldest.clone();
            }
            joined.insert(other, oldest.1.clone());
            found.joined += 1;
        }
        for fingerprint in fingerprints {
            if !known.contains_key(fingerprint) {
                added.extend([Value::from(fingerprint.as_str()), Value::from(oldest.1.as_str())]);
                known.insert(fingerprint.clone(), oldest.clone());
            }
        }
        found.ids.push(oldest.1);
    }
    // What was joined may be joined again further on.
    for id in &mut found.ids {
        *id = last(&joined, id);
    }
    for fingerprint in added.iter_mut().skip(1).step_by(2) {
        if let Value::Text(id) = fingerprint {
            *id = last(&joined, id);
        }
    }
    let statement = "INSERT INTO triage_group (id, title, summary, parts, sample, recorded)";
    insert(connection, statement, "ON CONFLICT (id) DO NOTHING", 6, &groups)?;
    insert(connection, "INSERT INTO triage_fingerprint (fingerprint, group_id)", "", 2, &added)?;
    for other in joined.keys() {
        join(connection, other, &last(&joined, other))?;
    }
    Ok(found)
}

/// What `id` was joined to in the end.
fn last(joined: &BTreeMap<String, String>, id: &str) -> String {
    let mut id = id;
    // Each step leads to an older group, so there are no circles.
    while let Some(next) = joined.get(id) {
        id = next;
    }
    id.to_owned()
}

fn row(id: &str, group: &Group, now: i64) -> [Value; 6] {
    let parts = serde_json::to_string(&group.parts).ok().filter(|parts| parts.len() <= LONG);
    [
        id.into(),
        kept(&group.title, SHORT).into(),
        kept(&group.crash.summary, SHORT).into(),
        parts.unwrap_or_else(|| "[]".to_owned()).into(),
        kept(&group.crash.text, LONG).into(),
        now.into(),
    ]
}

/// Makes all of the group `other` a part of the group `id`.
fn join(connection: &mut dyn Connection, other: &str, id: &str) -> Result<(), Failed> {
    for statement in [
        "UPDATE triage_fingerprint SET group_id = $1 WHERE group_id = $2",
        "UPDATE triage_mark SET group_id = $1 WHERE group_id = $2",
        "UPDATE triage_group SET joined_to = $1 WHERE id = $2 OR joined_to = $2",
    ] {
        connection.execute(statement, &[id.into(), other.into()])?;
    }
    Ok(())
}
