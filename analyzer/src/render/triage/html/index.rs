//! The index of the groups.

use crate::render::triage::names::{self, clip, counted, function, name};
use crate::report::{Group, Triage};
use askama::Template;
use std::collections::BTreeMap;

/// How many dumps that were not analyzed are shown.
const FAILURES: usize = 200;
/// How many values a filter offers.
const OPTIONS: usize = 200;
/// How many characters of what is on a group's page a search finds.
const WORDS: usize = 400;

#[derive(Template)]
#[template(path = "triage/index.html", whitespace = "minimize")]
pub(super) struct IndexPage<'a> {
    root: &'static str,
    version: String,
    redacted: bool,
    headline: String,
    remarks: Vec<String>,
    filters: Vec<Filter>,
    rows: Vec<Row<'a>>,
    failures: Vec<FailureRow>,
    further_failures: usize,
}

/// What groups can be narrowed to.
struct Filter {
    /// As the rows' attribute is called.
    name: &'static str,
    label: &'static str,
    options: Vec<Choice>,
}

struct Choice {
    value: String,
    /// In how many groups it is.
    count: usize,
}

struct Row<'a> {
    page: &'a str,
    title: String,
    status: &'static str,
    severity: &'static str,
    cause: String,
    count: usize,
    first: String,
    last: String,
    python: String,
    owners: String,
    labels: String,
    /// Values that a filter looks for, one on a line.
    pythons: String,
    owner_lines: String,
    label_lines: String,
    /// What else a search finds.
    words: String,
}

struct FailureRow {
    path: String,
    kind: &'static str,
    message: String,
}

impl<'a> IndexPage<'a> {
    pub(super) fn new(triage: &Triage, pages: &'a [String]) -> Self {
        let rows: Vec<Row<'a>> =
            triage.groups.iter().zip(pages).map(|(group, page)| row(group, page)).collect();
        let filters = vec![
            filter("status", "Status", &rows, |row| row.status),
            filter("severity", "Severity", &rows, |row| row.severity),
            filter("cause", "Died of", &rows, |row| &row.cause),
            filter("owner", "Owner", &rows, |row| &row.owner_lines),
            filter("label", "Label", &rows, |row| &row.label_lines),
            filter("python", "Python", &rows, |row| &row.pythons),
        ];
        let failures = triage.failures.iter().take(FAILURES).map(|failed| FailureRow {
            path: name(&failed.path),
            kind: names::failure(failed.failure.kind),
            message: name(&failed.failure.message),
        });
        IndexPage {
            root: "",
            version: name(&triage.version),
            redacted: triage.redacted,
            headline: names::headline(triage),
            remarks: names::remarks(triage),
            filters: filters.into_iter().filter(|filter| !filter.options.is_empty()).collect(),
            rows,
            failures: failures.collect(),
            further_failures: triage.failures.len().saturating_sub(FAILURES),
        }
    }
}

fn row<'a>(group: &Group, page: &'a str) -> Row<'a> {
    let joined = |values: &[String], by: &str| {
        values.iter().take(8).map(|value| clip(value, 80)).collect::<Vec<_>>().join(by)
    };
    let verdict = &group.verdict;
    let pythons: Vec<String> =
        group.versions.iter().take(8).map(|version| clip(&version.value, 40)).collect();
    let mut words = vec![clip(&group.id, 60)];
    words.extend(
        group.crash.exceptions.iter().take(2).filter_map(|exception| exception.message.as_deref()).map(name),
    );
    words.extend(group.hosts.iter().take(4).map(|host| clip(&host.value, 60)));
    words.extend(group.crash.frames.iter().take(6).map(function));
    Row {
        page,
        title: clip(&group.title, 160),
        status: names::status(group),
        severity: verdict.severity.map(names::severity).unwrap_or_default(),
        cause: clip(names::cause(&group.crash), 80),
        count: group.count,
        first: time(group.first_seen.as_deref()),
        last: time(group.last_seen.as_deref()),
        python: counted(&group.versions, 3, 0),
        owners: joined(&verdict.owners, ", "),
        labels: joined(&verdict.labels, ", "),
        pythons: pythons.join("\n"),
        owner_lines: joined(&verdict.owners, "\n"),
        label_lines: joined(&verdict.labels, "\n"),
        words: clip(&words.join(" "), WORDS),
    }
}

/// To the minute, as a person reads it.
fn time(time: Option<&str>) -> String {
    let time = clip(time.unwrap_or_default(), 30);
    match time.split_once('T') {
        Some((day, clock)) => format!("{day} {}", clock.get(..5).unwrap_or(clock)),
        None => time,
    }
}

fn filter<'r>(
    name: &'static str,
    label: &'static str,
    rows: &'r [Row<'_>],
    values: impl Fn(&'r Row<'_>) -> &'r str,
) -> Filter {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        for value in values(row).lines().filter(|value| !value.is_empty()) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let options =
        counts.into_iter().take(OPTIONS).map(|(value, count)| Choice { value: value.to_owned(), count });
    Filter { name, label, options: options.collect() }
}
