//! What the store knows of groups.

use super::database::{Connection, Failed, Row, Value, query_keys};
use super::marks::{self, Made};
use super::{Store, StoreError, time};
use crate::report::{
    Counted, GroupHistory, GroupState, HISTORY_SCHEMA, History, RecordedDump, RecordedGroup,
};
use std::collections::BTreeMap;

/// How many of its last dumps a group shows.
const DUMPS: i64 = 50;
/// How many versions, hosts, days and the like it shows.
const VALUES: i64 = 100;

const GROUPS: &str = "SELECT g.id, g.title, COUNT(*), MIN(d.seen), MAX(d.seen) FROM triage_group g \
                      JOIN triage_fingerprint f ON f.group_id = g.id JOIN triage_dump d ON d.fingerprint = f.fingerprint";
const DUMPS_OF_GROUP: &str =
    "FROM triage_fingerprint f JOIN triage_dump d ON d.fingerprint = f.fingerprint WHERE f.group_id = $1";

impl Store {
    /// The groups that were seen last, no more than `limit`.
    ///
    /// # Errors
    /// The store fails.
    pub fn history(&mut self, limit: usize) -> Result<History, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (groups, all, runs) = self.read(|connection| {
            let sql = format!("{GROUPS} GROUP BY g.id, g.title ORDER BY MAX(d.seen) DESC, g.id LIMIT $1");
            let rows = connection.query(&sql, &[limit.into()])?;
            let marks = marks::all(connection)?;
            let all = number(
                connection,
                "SELECT COUNT(DISTINCT f.group_id) FROM triage_fingerprint f \
                                          JOIN triage_dump d ON d.fingerprint = f.fingerprint",
            )?;
            let runs = number(connection, "SELECT COUNT(*) FROM triage_run")?;
            Ok((groups(connection, rows, &marks)?, all, runs))
        })?;
        let more = all.saturating_sub(groups.len());
        Ok(History { schema: HISTORY_SCHEMA.to_owned(), store: self.place.to_string(), runs, groups, more })
    }

    /// The groups that were seen again after they were marked as fixed, those seen last first.
    ///
    /// # Errors
    /// The store fails.
    pub fn regressions(&mut self) -> Result<History, StoreError> {
        let (groups, runs) = self.read(|connection| {
            let marks = marks::all(connection)?;
            let fixed = marks.iter().filter(|(_, marks)| marks.first().is_some_and(|last| last.mark.fixed));
            let rows = of_ids(connection, fixed.map(|(id, _)| id.as_str()))?;
            let mut groups = groups(connection, rows, &marks)?;
            groups.retain(|group| group.state == GroupState::Regressed);
            groups.sort_by(|one, other| (&other.last_seen, &one.id).cmp(&(&one.last_seen, &other.id)));
            Ok((groups, number(connection, "SELECT COUNT(*) FROM triage_run")?))
        })?;
        let (schema, store) = (HISTORY_SCHEMA.to_owned(), self.place.to_string());
        Ok(History { schema, store, runs, groups, more: 0 })
    }

    /// One group at length, by its id, any of its fingerprints, or how one of these begins.
    ///
    /// # Errors
    /// There is no such group, several may be meant, or the store fails.
    pub fn group(&mut self, meant: &str) -> Result<GroupHistory, StoreError> {
        let store = self.place.to_string();
        self.read(|connection| {
            let id = marks::find(connection, meant)?;
            at_length(connection, &id, store.clone())
        })
    }
}

/// One group.
pub(super) fn one(connection: &mut dyn Connection, id: &str) -> Result<RecordedGroup, Failed> {
    let rows = of_ids(connection, [id])?;
    let marks = marks::of(connection, [id])?;
    let found = groups(connection, rows, &marks)?.into_iter().next();
    found.ok_or_else(|| StoreError::NoGroup(id.to_owned()).into())
}

fn of_ids<'a>(
    connection: &mut dyn Connection,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Row>, Failed> {
    query_keys(connection, &format!("{GROUPS} WHERE g.id IN ({{}}) GROUP BY g.id, g.title"), &[], ids)
}

/// The groups of rows of [`GROUPS`].
fn groups(
    connection: &mut dyn Connection,
    rows: Vec<Row>,
    marks: &BTreeMap<String, Vec<Made>>,
) -> Result<Vec<RecordedGroup>, Failed> {
    let mut groups: Vec<RecordedGroup> = rows
        .into_iter()
        .map(|mut row| RecordedGroup {
            id: row.text(),
            title: row.text(),
            state: GroupState::Open,
            count: row.count(),
            runs: 0,
            first_seen: row.int_if_any().and_then(time::format),
            last_seen: row.int_if_any().and_then(time::format),
            mark: None,
            regression: None,
        })
        .collect();
    let runs = query_keys(
        connection,
        "SELECT f.group_id, COUNT(DISTINCT r.run_id) FROM triage_fingerprint f \
         JOIN triage_dump d ON d.fingerprint = f.fingerprint JOIN triage_run_dump r ON r.dump_id = d.id \
         WHERE f.group_id IN ({}) GROUP BY f.group_id",
        &[],
        groups.iter().map(|group| group.id.as_str()),
    )?;
    let runs: BTreeMap<String, usize> = runs.into_iter().map(|mut row| (row.text(), row.count())).collect();
    for group in &mut groups {
        group.runs = runs.get(&group.id).copied().unwrap_or_default();
        let Some(last) = marks.get(&group.id).and_then(|marks| marks.first()) else { continue };
        group.mark = Some(last.mark.clone());
        group.regression = marks::regression(connection, &group.id, last)?;
        group.state = match (last.mark.fixed, &group.regression) {
            (false, _) => GroupState::Open,
            (true, None) => GroupState::Fixed,
            (true, Some(_)) => GroupState::Regressed,
        };
    }
    Ok(groups)
}

fn at_length(connection: &mut dyn Connection, id: &str, store: String) -> Result<GroupHistory, Failed> {
    let group = one(connection, id)?;
    let described =
        connection.query("SELECT summary, parts, sample FROM triage_group WHERE id = $1", &[id.into()])?;
    let Some(mut described) = described.into_iter().next() else {
        return Err(StoreError::NoGroup(id.to_owned()).into());
    };
    let (summary, parts, text) = (described.text(), described.text(), described.text());
    let joined =
        connection.query("SELECT id FROM triage_group WHERE joined_to = $1 ORDER BY id", &[id.into()])?;
    let mut counted_by = |column: &str| {
        let sql = format!(
            "SELECT {column}, COUNT(*) {DUMPS_OF_GROUP} AND {column} IS NOT NULL \
             GROUP BY {column} ORDER BY COUNT(*) DESC, {column} LIMIT $2"
        );
        counted(connection, &sql, id)
    };
    let fingerprints = counted_by("d.fingerprint")?;
    let versions = counted_by("d.python")?;
    let hosts = counted_by("d.host")?;
    let releases = counted(
        connection,
        "SELECT t.release_version, COUNT(DISTINCT d.id) FROM triage_fingerprint f \
         JOIN triage_dump d ON d.fingerprint = f.fingerprint JOIN triage_run_dump r ON r.dump_id = d.id \
         JOIN triage_run t ON t.id = r.run_id WHERE f.group_id = $1 AND t.release_version IS NOT NULL \
         GROUP BY t.release_version ORDER BY COUNT(DISTINCT d.id) DESC, t.release_version LIMIT $2",
        id,
    )?;
    let day = format!("d.seen / {}", time::DAY);
    let days = connection.query(
        &format!("SELECT {day}, COUNT(*) {DUMPS_OF_GROUP} GROUP BY {day} ORDER BY {day} DESC LIMIT $2"),
        &[id.into(), VALUES.into()],
    )?;
    let mut days: Vec<Counted> = days
        .into_iter()
        .map(|mut row| Counted { value: time::date(row.int().saturating_mul(time::DAY)), count: row.count() })
        .collect();
    days.reverse();
    let dumps = connection.query(
        &format!(
            "SELECT d.path, d.seen, d.host, d.python, d.fingerprint {DUMPS_OF_GROUP} \
             ORDER BY d.seen DESC, d.path, d.id LIMIT $2"
        ),
        &[id.into(), DUMPS.into()],
    )?;
    let dumps: Vec<RecordedDump> = dumps
        .into_iter()
        .map(|mut row| RecordedDump {
            path: row.text(),
            seen: time::format(row.int()),
            host: row.text_if_any(),
            python: row.text_if_any(),
            fingerprint: row.text(),
        })
        .collect();
    let marks = marks::of(connection, [id])?.remove(id).unwrap_or_default();
    Ok(GroupHistory {
        schema: HISTORY_SCHEMA.to_owned(),
        store,
        more: group.count.saturating_sub(dumps.len()),
        group,
        summary,
        fingerprints,
        parts: serde_json::from_str(&parts).unwrap_or_default(),
        joined: joined.into_iter().map(|mut row| row.text()).collect(),
        versions,
        hosts,
        releases,
        days,
        marks: marks.into_iter().map(|made| made.mark).collect(),
        dumps,
        text,
    })
}

fn counted(connection: &mut dyn Connection, sql: &str, id: &str) -> Result<Vec<Counted>, Failed> {
    let rows = connection.query(sql, &[id.into(), Value::from(VALUES)])?;
    Ok(rows.into_iter().map(|mut row| Counted { value: row.text(), count: row.count() }).collect())
}

fn number(connection: &mut dyn Connection, sql: &str) -> Result<usize, Failed> {
    Ok(connection.query(sql, &[])?.into_iter().next().map(|mut row| row.count()).unwrap_or_default())
}
