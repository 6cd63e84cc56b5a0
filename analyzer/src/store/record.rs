//! Recording a run.

use super::database::{Connection, Failed, Value, insert, query_keys};
use super::text::{SHORT, digest, fingerprint, kept, name};
use super::{Recorded, Run, Store, StoreError, identity, join, marks, time};
use crate::report::{GroupStatus, Member, Triage};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// Records what a run found, all or nothing, and gives its groups the ids by which the store knows them and their
    /// status. Groups that the store knows as one become one. To record a run again changes nothing.
    ///
    /// # Errors
    /// The store fails; then nothing was recorded, and `triage` is as it was.
    pub fn record(&mut self, triage: &mut Triage, run: &Run) -> Result<Recorded, StoreError> {
        let now = time::now();
        let (recorded, ids, statuses) = self.write(|connection| recorded(connection, triage, run, now))?;
        for ((group, id), status) in triage.groups.iter_mut().zip(ids).zip(statuses) {
            (group.id, group.status) = (id, status);
        }
        join::join(triage);
        Ok(recorded)
    }
}

/// What tells a dump from others, also from one of another time at the same path.
fn dump_id(member: &Member) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    digest([&*member.path, &or_none(&member.time), &or_none(&member.host)])
}

fn recorded(
    connection: &mut dyn Connection,
    triage: &Triage,
    run: &Run,
    now: i64,
) -> Result<(Recorded, Vec<String>, Vec<GroupStatus>), Failed> {
    let identities = identity::identify(connection, triage, now)?;
    let members: BTreeMap<String, &Member> = triage
        .groups
        .iter()
        .flat_map(|group| &group.members)
        .map(|member| (dump_id(member), member))
        .collect();
    let failures: BTreeMap<String, _> =
        triage.failures.iter().map(|failed| (digest([&*failed.path]), failed)).collect();

    // A run that met nothing has nothing by which to know it again.
    let moment = if members.is_empty() { now.to_string() } else { String::new() };
    let found = members.keys().chain(failures.keys()).map(String::as_str);
    let run_id = run.id.as_deref().map_or_else(|| digest(found.chain([&*moment])), name);
    connection.execute(
        "INSERT INTO triage_run (id, recorded, version, redacted, complete, release_version) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET complete = excluded.complete, \
         redacted = CASE WHEN excluded.redacted = 0 THEN 0 ELSE triage_run.redacted END, \
         release_version = COALESCE(excluded.release_version, triage_run.release_version)",
        &[
            run_id.as_str().into(),
            now.into(),
            triage.version.as_str().into(),
            triage.redacted.into(),
            triage.complete.into(),
            run.release.as_deref().map(|release| kept(release, SHORT)).into(),
        ],
    )?;

    let ids = || members.keys().map(String::as_str);
    let had = query_keys(connection, "SELECT id FROM triage_dump WHERE id IN ({})", &[], ids())?.len();
    let rows: Vec<Value> = members.iter().flat_map(|(id, member)| dump_row(id, member, now)).collect();
    insert(
        connection,
        "INSERT INTO triage_dump (id, fingerprint, path, host, python, seen, recorded)",
        // A newer pycore may know better what it died of.
        "ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, python = excluded.python",
        7,
        &rows,
    )?;
    let met: Vec<Value> = ids().flat_map(|id| [Value::from(run_id.as_str()), id.into()]).collect();
    let once = "ON CONFLICT DO NOTHING";
    insert(connection, "INSERT INTO triage_run_dump (run_id, dump_id)", once, 2, &met)?;
    let rows: Vec<Value> = failures
        .iter()
        .flat_map(|(id, failed)| {
            let kind = serde_json::to_value(failed.failure.kind).unwrap_or_default();
            [
                Value::from(run_id.as_str()),
                id.as_str().into(),
                kept(&failed.path, SHORT).into(),
                kind.as_str().unwrap_or_default().into(),
                kept(&failed.failure.message, SHORT).into(),
            ]
        })
        .collect();
    insert(connection, "INSERT INTO triage_failure (run_id, id, path, kind, message)", once, 5, &rows)?;

    let of_others = met_by_others(connection, &run_id, &identities.ids)?;
    let regressed = marks::regressed(connection, &identities.ids)?;
    let statuses = identities.ids.iter().map(|id| {
        if regressed.contains(id) {
            GroupStatus::Regressed
        } else if of_others.contains(id) && !run.baseline {
            GroupStatus::Known
        } else {
            GroupStatus::New
        }
    });
    let recorded = Recorded {
        new_groups: identities.added,
        regressed: regressed.len(),
        joined: identities.joined,
        new_dumps: members.len().saturating_sub(had),
    };
    let statuses = statuses.collect();
    Ok((recorded, identities.ids, statuses))
}

fn dump_row(id: &str, member: &Member, now: i64) -> [Value; 7] {
    let short = |text: &Option<String>| text.as_deref().map(|text| kept(text, SHORT));
    [
        id.into(),
        fingerprint(&member.fingerprint).into(),
        kept(&member.path, SHORT).into(),
        short(&member.host).into(),
        short(&member.python).into(),
        member.time.as_deref().and_then(time::parse).unwrap_or(now).into(),
        now.into(),
    ]
}

/// Which of the groups were met by other runs.
fn met_by_others(
    connection: &mut dyn Connection,
    run_id: &str,
    ids: &[String],
) -> Result<BTreeSet<String>, Failed> {
    let rows = query_keys(
        connection,
        "SELECT g.id FROM triage_group g WHERE EXISTS (SELECT 1 FROM triage_fingerprint f \
         JOIN triage_dump d ON d.fingerprint = f.fingerprint JOIN triage_run_dump r ON r.dump_id = d.id \
         WHERE f.group_id = g.id AND r.run_id <> $1) AND g.id IN ({})",
        &[run_id.into()],
        ids.iter().map(String::as_str),
    )?;
    Ok(rows.into_iter().map(|mut row| row.text()).collect())
}
