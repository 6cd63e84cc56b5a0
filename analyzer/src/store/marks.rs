//! What was said of groups: that they are fixed, and whether that is still true.

use super::database::{Connection, Failed, Row, Value, query_keys};
use super::text::{SHORT, digest, fingerprint, kept};
use super::{Store, StoreError, history, release, time};
use crate::report::{Counted, HISTORY_SCHEMA, Mark, Marked, Regression};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

const FIXED: &str = "fixed";
const OPEN: &str = "open";

/// A mark, and when it was made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// When.
    pub(super) made: i64,
    /// It.
    pub(super) mark: Mark,
}

impl Store {
    /// Marks a group as fixed, from now on or in a release, or as open again. What is seen of it later is a regression; of
    /// runs that tell their release, only where that is not an earlier one.
    ///
    /// # Errors
    /// There is no such group, several may be meant, or the store fails.
    pub fn mark(
        &mut self,
        group: &str,
        fixed: bool,
        release: Option<&str>,
        note: Option<&str>,
    ) -> Result<Marked, StoreError> {
        self.mark_at(group, fixed, release, note, time::now())
    }

    pub(super) fn mark_at(
        &mut self,
        group: &str,
        fixed: bool,
        release: Option<&str>,
        note: Option<&str>,
        now: i64,
    ) -> Result<Marked, StoreError> {
        let release = release.map(|release| kept(release, SHORT));
        let note = note.map(|note| kept(note, SHORT));
        let kind = if fixed { FIXED } else { OPEN };
        let group = self.write(|connection| {
            let group = find(connection, group)?;
            let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
            let id = digest([&*group, &now.to_string(), kind, &or_none(&release), &or_none(&note)]);
            connection.execute(
                "INSERT INTO triage_mark (id, group_id, made, kind, release_version, note) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
                &[
                    id.into(),
                    group.as_str().into(),
                    now.into(),
                    kind.into(),
                    release.clone().into(),
                    note.clone().into(),
                ],
            )?;
            history::one(connection, &group)
        })?;
        Ok(Marked { schema: HISTORY_SCHEMA.to_owned(), store: self.place.to_string(), group })
    }
}

/// The id of the group that is meant: by its id, any of its fingerprints, or how one of these begins.
///
/// # Errors
/// There is none, or several.
pub(super) fn find(connection: &mut dyn Connection, meant: &str) -> Result<String, Failed> {
    const SHOWN: usize = 5;
    let exact = connection.query(
        "SELECT group_id FROM triage_fingerprint WHERE fingerprint = $1",
        &[fingerprint(meant).into()],
    )?;
    if let Some(mut row) = exact.into_iter().next() {
        return Ok(row.text());
    }
    let is_start = !meant.is_empty() && meant.chars().all(|c| c.is_ascii_alphanumeric() || c == ':');
    let any_version = if meant.contains(':') { "" } else { "%:" };
    let found: BTreeSet<String> = if is_start {
        let sql = "SELECT DISTINCT group_id FROM triage_fingerprint WHERE fingerprint LIKE $1";
        let rows = connection.query(sql, &[format!("{any_version}{meant}%").into()])?;
        rows.into_iter().map(|mut row| row.text()).collect()
    } else {
        BTreeSet::new()
    };
    match found.len() {
        0 => Err(StoreError::NoGroup(kept(meant, SHORT)).into()),
        1 => Ok(found.into_iter().collect()),
        more => {
            let mut ids: Vec<String> = found.into_iter().take(SHOWN).collect();
            if more > SHOWN {
                ids.push("...".to_owned());
            }
            Err(StoreError::Ambiguous(meant.to_owned(), ids.join(", ")).into())
        }
    }
}

/// The marks of groups, the last first.
pub(super) fn of<'a>(
    connection: &mut dyn Connection,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, Vec<Made>>, Failed> {
    let rows = query_keys(
        connection,
        "SELECT group_id, made, kind, release_version, note FROM triage_mark \
         WHERE group_id IN ({}) ORDER BY made DESC, id",
        &[],
        ids,
    )?;
    Ok(by_group(rows))
}

/// The marks of all groups, the last first.
pub(super) fn all(connection: &mut dyn Connection) -> Result<BTreeMap<String, Vec<Made>>, Failed> {
    let sql = "SELECT group_id, made, kind, release_version, note FROM triage_mark ORDER BY made DESC, id";
    Ok(by_group(connection.query(sql, &[])?))
}

fn by_group(rows: Vec<Row>) -> BTreeMap<String, Vec<Made>> {
    let mut marks: BTreeMap<String, Vec<Made>> = BTreeMap::new();
    for mut row in rows {
        let group = row.text();
        let made = row.int();
        let mark = Mark {
            made: time::format(made).unwrap_or_default(),
            fixed: row.text() == FIXED,
            release: row.text_if_any(),
            note: row.text_if_any(),
        };
        marks.entry(group).or_default().push(Made { made, mark });
    }
    marks
}

/// What was seen of a group after it was marked, if the mark says that it is fixed.
pub(super) fn regression(
    connection: &mut dyn Connection,
    group: &str,
    made: &Made,
) -> Result<Option<Regression>, Failed> {
    if !made.mark.fixed {
        return Ok(None);
    }
    let rows = connection.query(
        "SELECT release_version, COUNT(*), MIN(seen) FROM \
         (SELECT d.id AS id, d.seen AS seen, MAX(t.release_version) AS release_version FROM triage_fingerprint f \
          JOIN triage_dump d ON d.fingerprint = f.fingerprint JOIN triage_run_dump r ON r.dump_id = d.id \
          JOIN triage_run t ON t.id = r.run_id WHERE f.group_id = $1 AND d.seen > $2 GROUP BY d.id, d.seen) seen_again \
         GROUP BY release_version ORDER BY COUNT(*) DESC, release_version",
        &[group.into(), Value::from(made.made)],
    )?;
    let (mut count, mut first, mut releases) = (0, None, Vec::new());
    for mut row in rows {
        let (of, dumps, seen) = (row.text_if_any(), row.count(), row.int());
        let is_earlier = |of: &str| {
            let fixed_in = made.mark.release.as_deref();
            fixed_in.is_some_and(|fixed_in| release::compare(of, fixed_in) == Ordering::Less)
        };
        if of.as_deref().is_some_and(is_earlier) {
            continue;
        }
        count += dumps;
        first = Some(first.map_or(seen, |first: i64| first.min(seen)));
        releases.extend(of.map(|value| Counted { value, count: dumps }));
    }
    Ok((count > 0).then(|| Regression { count, first_seen: first.and_then(time::format), releases }))
}

/// Which of the groups were seen again after they were marked as fixed.
pub(super) fn regressed(connection: &mut dyn Connection, ids: &[String]) -> Result<BTreeSet<String>, Failed> {
    let mut found = BTreeSet::new();
    for (group, marks) in of(connection, ids.iter().map(String::as_str))? {
        if let Some(last) = marks.first()
            && regression(connection, &group, last)?.is_some()
        {
            found.insert(group);
        }
    }
    Ok(found)
}
