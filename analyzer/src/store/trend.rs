//! How crashes grow or go, by days.

use super::database::query_keys;
use super::{Store, StoreError, time};
use crate::report::{GroupTrend, HISTORY_SCHEMA, Trend, TrendDay};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many groups a trend shows.
const GROUPS: usize = 50;
/// The most days that are looked at.
const MOST_DAYS: i64 = 3660;

/// The counts of a group, by day.
type Days = BTreeMap<i64, usize>;

/// What the rows of the days say of a group.
struct Seen {
    title: String,
    /// The day when it was first seen of all.
    first: i64,
    days: Days,
}

impl Store {
    /// The dumps of the last `days` days in UTC, today among them, by day and by group.
    ///
    /// # Errors
    /// The store fails.
    pub fn trend(&mut self, days: u32) -> Result<Trend, StoreError> {
        self.trend_until(days, time::now())
    }

    pub(super) fn trend_until(&mut self, days: u32, now: i64) -> Result<Trend, StoreError> {
        let length = i64::from(days).clamp(1, MOST_DAYS);
        let today = now.div_euclid(time::DAY);
        let first = today - length + 1;
        let (begin, end) =
            ((first - length).saturating_mul(time::DAY), (today + 1).saturating_mul(time::DAY));
        let seen = self.read(|connection| {
            let day = format!("d.seen / {}", time::DAY);
            let rows = connection.query(
                &format!(
                    "SELECT f.group_id, {day}, COUNT(*) FROM triage_dump d \
                     JOIN triage_fingerprint f ON f.fingerprint = d.fingerprint \
                     WHERE d.seen >= $1 AND d.seen < $2 GROUP BY f.group_id, {day}"
                ),
                &[begin.into(), end.into()],
            )?;
            let mut counts: BTreeMap<String, Days> = BTreeMap::new();
            for mut row in rows {
                counts.entry(row.text()).or_default().insert(row.int(), row.count());
            }
            let rows = query_keys(
                connection,
                "SELECT g.id, g.title, MIN(d.seen) FROM triage_group g JOIN triage_fingerprint f ON f.group_id = g.id \
                 JOIN triage_dump d ON d.fingerprint = f.fingerprint WHERE g.id IN ({}) GROUP BY g.id, g.title",
                &[],
                counts.keys().map(String::as_str),
            )?;
            let seen = rows.into_iter().map(|mut row| {
                let (id, title, first) = (row.text(), row.text(), row.int().div_euclid(time::DAY));
                let days = counts.remove(&id).unwrap_or_default();
                (id, Seen { title, first, days })
            });
            Ok(seen.collect::<BTreeMap<String, Seen>>())
        })?;
        let days = first..=today;
        let mut groups: Vec<GroupTrend> =
            seen.iter().map(|(id, seen)| seen.trend(id, first, today)).collect();
        groups.sort_by_key(|group| {
            let growth = group.count as i64 - group.before as i64;
            (Reverse(growth), Reverse(group.count), group.id.clone())
        });
        let more = groups.len().saturating_sub(GROUPS);
        groups.truncate(GROUPS);
        Ok(Trend {
            schema: HISTORY_SCHEMA.to_owned(),
            store: self.place.to_string(),
            days: days.map(|day| of_day(day, &seen)).collect(),
            groups,
            more,
        })
    }
}

impl Seen {
    fn trend(&self, id: &str, first: i64, today: i64) -> GroupTrend {
        let days: Vec<usize> =
            (first..=today).map(|day| self.days.get(&day).copied().unwrap_or_default()).collect();
        GroupTrend {
            id: id.to_owned(),
            title: self.title.clone(),
            count: days.iter().sum(),
            before: self.days.range(..first).map(|(_, count)| count).sum(),
            days,
            new: self.first >= first,
        }
    }
}

fn of_day(day: i64, seen: &BTreeMap<String, Seen>) -> TrendDay {
    let met = || seen.values().filter(|seen| seen.days.contains_key(&day));
    TrendDay {
        date: time::date(day.saturating_mul(time::DAY)),
        dumps: met().filter_map(|seen| seen.days.get(&day)).sum(),
        groups: met().count(),
        new_groups: met().filter(|seen| seen.first == day).count(),
    }
}
