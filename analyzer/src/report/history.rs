//! What a store knows of groups over all runs.
//!
//! The field names are contracts (`pycore.history/1`), as those of the report.

use super::triage::{Counted, FingerprintPart};
use schemars::JsonSchema;
use serde::Serialize;

/// The name and version of the contract that a [`HistoryAnswer`] follows.
pub const HISTORY_SCHEMA: &str = "pycore.history/1";

/// What a store is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum HistoryAnswer {
    /// One group: `pycore triage history GROUP`.
    Group(Box<GroupHistory>),
    /// A group that was marked: `pycore triage fixed GROUP`.
    Marked(Box<Marked>),
    /// `pycore triage trend`.
    Trend(Trend),
    /// Groups: `pycore triage history`, `pycore triage regressions`.
    Groups(History),
}

/// The groups of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct History {
    /// The name of this contract: `pycore.history/1`.
    pub schema: String,
    /// The store, without passwords.
    pub store: String,
    /// How many runs were recorded.
    pub runs: usize,
    /// The groups, those seen last first.
    pub groups: Vec<RecordedGroup>,
    /// How many further groups there are.
    pub more: usize,
}

/// A group over all runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordedGroup {
    /// The fingerprint that it is known by.
    pub id: String,
    /// What it is, in one line.
    pub title: String,
    /// Whether it was mended.
    pub state: GroupState,
    /// How many dumps are in it; each counts once, in however many runs it was met.
    pub count: usize,
    /// How many runs met it.
    pub runs: usize,
    /// When the first of its dumps died, in UTC as RFC 3339 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// When the last did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// The mark that holds, if it was ever marked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// What was seen of it after it was marked as fixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regression: Option<Regression>,
}

/// Whether a group was mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupState {
    /// It was not marked as fixed.
    Open,
    /// It was marked as fixed, and not seen since.
    Fixed,
    /// It was seen again after it was marked as fixed.
    Regressed,
}

/// What was said of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mark {
    /// When, in UTC as RFC 3339 has it.
    pub made: String,
    /// Whether it is fixed; else it was opened again.
    pub fixed: bool,
    /// The release that has the mending. Dumps of earlier releases are no regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// What was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What was seen of a group after it was marked as fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Regression {
    /// How many dumps.
    pub count: usize,
    /// When the first of them died, in UTC as RFC 3339 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// The releases that they are of, where the runs told.
    pub releases: Vec<Counted>,
}

/// One group at length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupHistory {
    /// The name of this contract: `pycore.history/1`.
    pub schema: String,
    /// The store, without passwords.
    pub store: String,
    /// The group.
    #[serde(flatten)]
    pub group: RecordedGroup,
    /// What the report on one of its dumps says first.
    pub summary: String,
    /// All exact fingerprints in it, the most frequent one first.
    pub fingerprints: Vec<Counted>,
    /// What went into the fingerprint of the dump that shows it best.
    pub parts: Vec<FingerprintPart>,
    /// The ids of groups that turned out to be parts of this one.
    pub joined: Vec<String>,
    /// Versions of Python.
    pub versions: Vec<Counted>,
    /// Machines.
    pub hosts: Vec<Counted>,
    /// Releases of the program, where the runs told.
    pub releases: Vec<Counted>,
    /// Its dumps by day, in UTC; days without any are left out.
    pub days: Vec<Counted>,
    /// What was said of it, the last first.
    pub marks: Vec<Mark>,
    /// Its last dumps, the last first.
    pub dumps: Vec<RecordedDump>,
    /// How many further dumps there are.
    pub more: usize,
    /// The report on the dump that shows it best, as text.
    pub text: String,
}

/// A dump of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordedDump {
    /// The file.
    pub path: String,
    /// When the process died, in UTC as RFC 3339 has it; where that is not known, when it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// The machine where it died.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The version of Python.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Its exact fingerprint.
    pub fingerprint: String,
}

/// How crashes grew or went over some days, beside as many days before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trend {
    /// The name of this contract: `pycore.history/1`.
    pub schema: String,
    /// The store, without passwords.
    pub store: String,
    /// The days, in UTC, the oldest first.
    pub days: Vec<TrendDay>,
    /// The groups that were seen in them or in the days before, those that grew most first.
    pub groups: Vec<GroupTrend>,
    /// How many further groups there are.
    pub more: usize,
}

/// A day of a trend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrendDay {
    /// Its date: `2026-11-22`.
    pub date: String,
    /// How many processes died.
    pub dumps: usize,
    /// Of how many groups these are.
    pub groups: usize,
    /// How many of these groups were never seen before.
    pub new_groups: usize,
}

/// A group in a trend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GroupTrend {
    /// The fingerprint that it is known by.
    pub id: String,
    /// What it is, in one line.
    pub title: String,
    /// How many dumps in these days.
    pub count: usize,
    /// How many in as many days before.
    pub before: usize,
    /// How many on each of the days.
    pub days: Vec<usize>,
    /// Whether it was first seen in these days.
    pub new: bool,
}

/// A group that was marked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Marked {
    /// The name of this contract: `pycore.history/1`.
    pub schema: String,
    /// The store, without passwords.
    pub store: String,
    /// The group, as it is now.
    pub group: RecordedGroup,
}
