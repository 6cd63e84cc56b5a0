//! The groups that are known, in a file that is kept with the code.

use crate::report::{Group, GroupStatus, Triage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write as _};
use std::path::Path;
use thiserror::Error;
use time::Date;

/// The name and version of the contract that [`Baseline`] follows.
pub const BASELINE_SCHEMA: &str = "pycore.baseline/1";

/// The largest file of a baseline, in bytes.
const FILE_LIMIT: u64 = 64 << 20;

const HEADER: &str = "\
# Groups of crashes that are known: `pycore triage --baseline` fails for others only.
# `pycore triage baseline update` adds what it meets; lines may be deleted, and notes added, by hand.
";

/// The groups that are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The name of this contract: `pycore.baseline/1`.
    schema: String,
    /// The groups, by id.
    groups: Vec<Known>,
}

/// A group that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The fingerprint that it is known by.
    pub id: String,
    /// What it is, in one line.
    pub title: String,
    /// The day when it came into the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What a person says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// All exact fingerprints that were met in it, sorted, but for the id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<String>,
}

/// Why a baseline cannot be used.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no baseline.
    #[error("{0}")]
    Syntax(#[from] serde_yaml::Error),
    /// It follows another contract.
    #[error("its schema is {0:?}; this pycore knows {BASELINE_SCHEMA:?}")]
    Schema(String),
    /// It is too large.
    #[error("larger than {FILE_LIMIT} bytes")]
    Large,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { schema: BASELINE_SCHEMA.to_owned(), groups: Vec::new() }
    }
}

impl Known {
    fn all(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.fingerprints).map(String::as_str)
    }
}

impl Baseline {
    /// Reads a baseline, in YAML or JSON.
    ///
    /// # Errors
    /// When it cannot be read or is no baseline that this pycore knows.
    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        if std::fs::metadata(path)?.len() > FILE_LIMIT {
            return Err(BaselineError::Large);
        }
        Self::parse(&std::fs::read_to_string(path)?)
    }

    /// Reads a baseline from YAML or JSON.
    ///
    /// # Errors
    /// When it is no baseline that this pycore knows.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let Schema { schema } = serde_yaml::from_str(text)?;
        if schema != BASELINE_SCHEMA {
            return Err(BaselineError::Schema(schema));
        }
        Ok(serde_yaml::from_str(text)?)
    }

    /// Writes it: JSON where the file is called so, else YAML. The file is there as a whole or as it was.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), BaselineError> {
        let text = if path.extension().is_some_and(|ending| ending == "json") {
            serde_json::to_string_pretty(self).map_err(io::Error::from)? + "\n"
        } else {
            HEADER.to_owned() + &serde_yaml::to_string(self)?
        };
        // Through a link to what it leads to, with the rights that it has.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}", std::process::id()));
        let beside = folder.join(name);
        let written = (|| {
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            if let Ok(before) = std::fs::metadata(&path) {
                file.set_permissions(before.permissions())?;
            }
            file.sync_all()?;
            std::fs::rename(&beside, &path)
        })();
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        Ok(written?)
    }

    /// The groups that are known.
    #[must_use]
    pub fn groups(&self) -> &[Known] {
        &self.groups
    }

    /// Marks the groups of `triage` that are known, gives them the ids that they are known by, and puts them in order.
    pub fn apply(&self, triage: &mut Triage) {
        let by_fingerprint = self.by_fingerprint();
        let mut claims: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for (at, group) in triage.groups.iter_mut().enumerate() {
            let Some((known, shared)) = best(&by_fingerprint, group) else { continue };
            if group.status == GroupStatus::New {
                group.status = GroupStatus::Known;
            }
            let claim = claims.entry(known).or_insert((shared, at));
            if shared > claim.0 {
                *claim = (shared, at);
            }
        }
        let taken: BTreeSet<String> = triage.groups.iter().map(|group| group.id.clone()).collect();
        for (known, (_, at)) in claims {
            if let (Some(known), Some(group)) = (self.groups.get(known), triage.groups.get_mut(at))
                && !taken.contains(&known.id)
            {
                group.id.clone_from(&known.id);
            }
        }
        let old = self
            .groups
            .iter()
            .filter(|known| !triage.groups.is_empty() && is_of_others(known, triage))
            .count();
        if old > 0 {
            triage.warnings.push(format!(
                "the baseline has {old} groups with fingerprints of another version than those of this run; they match \
                 nothing: `pycore triage baseline update`"
            ));
        }
        super::settle(triage);
    }

    /// This baseline with the groups of `triage` that are not ignored, new ones `since` today; without those that were not
    /// met in it where `prune`.
    #[must_use]
    pub fn updated(&self, triage: &Triage, today: Date, prune: bool) -> Self {
        let by_fingerprint = self.by_fingerprint();
        let mut groups: BTreeMap<usize, Known> = BTreeMap::new();
        let mut added: Vec<Known> = Vec::new();
        for group in &triage.groups {
            let met = || group.fingerprints.iter().map(|fingerprint| fingerprint.value.clone());
            match best(&by_fingerprint, group) {
                Some((at, _)) => {
                    let Some(before) = self.groups.get(at) else { continue };
                    let known = groups.entry(at).or_insert_with(|| before.clone());
                    known.title.clone_from(&group.title);
                    known.fingerprints.extend(met());
                }
                None if group.verdict.ignored => {}
                None => added.push(Known {
                    id: group.id.clone(),
                    title: group.title.clone(),
                    since: Some(today.to_string()),
                    note: None,
                    fingerprints: met().collect(),
                }),
            }
        }
        if !prune {
            for (at, known) in self.groups.iter().enumerate() {
                groups.entry(at).or_insert_with(|| known.clone());
            }
        }
        let mut groups: Vec<Known> = groups.into_values().chain(added).collect();
        for known in &mut groups {
            known.fingerprints.retain(|fingerprint| *fingerprint != known.id);
            known.fingerprints.sort();
            known.fingerprints.dedup();
        }
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        Self { schema: BASELINE_SCHEMA.to_owned(), groups }
    }

    /// Which group has a fingerprint: the first one, where several have it.
    fn by_fingerprint(&self) -> HashMap<&str, usize> {
        let mut by_fingerprint = HashMap::new();
        for (at, known) in self.groups.iter().enumerate() {
            for fingerprint in known.all() {
                by_fingerprint.entry(fingerprint).or_insert(at);
            }
        }
        by_fingerprint
    }
}

/// The known group that has most of the dumps of `group`, and how many.
fn best(by_fingerprint: &HashMap<&str, usize>, group: &Group) -> Option<(usize, usize)> {
    let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
    for fingerprint in &group.fingerprints {
        if let Some(&at) = by_fingerprint.get(fingerprint.value.as_str()) {
            *shared.entry(at).or_default() += fingerprint.count;
        }
    }
    shared.into_iter().max_by_key(|&(at, count)| (count, std::cmp::Reverse(at)))
}

/// Whether all fingerprints of `known` were made by other rules than those of `triage`: `v1:...`, `v2:...`.
fn is_of_others(known: &Known, triage: &Triage) -> bool {
    let version = |fingerprint: &str| fingerprint.split(':').next().map(str::to_owned);
    let now = triage.groups.first().and_then(|group| version(&group.fingerprints.first()?.value));
    now.is_some() && known.all().all(|fingerprint| version(fingerprint) != now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Counted;
    use crate::triage::samples::{app, crash, entry};
    use crate::triage::{GroupOptions, group};

    /// A run with a group for each of `groups`: its fingerprints, and how often each was met.
    fn run(groups: &[&[(&str, usize)]]) -> Triage {
        let functions: Vec<String> = (0..groups.len()).map(|at| format!("f{at}")).collect();
        let crashes = functions.iter().map(|name| crash(Some("SIGSEGV"), app(&[name])));
        let entries = crashes.enumerate().map(|(at, crash)| entry(&format!("core.{at}"), crash)).collect();
        let mut triage = group(entries, &GroupOptions { similar: false, ..GroupOptions::default() });
        assert_eq!(triage.groups.len(), groups.len());
        triage.groups.sort_by(|a, b| a.title.cmp(&b.title));
        for (group, fingerprints) in triage.groups.iter_mut().zip(groups) {
            let counted = |&(value, count): &(&str, usize)| Counted { value: value.to_owned(), count };
            group.fingerprints = fingerprints.iter().map(counted).collect();
            group.id = group.fingerprints[0].value.clone();
            group.count = group.fingerprints.iter().map(|fingerprint| fingerprint.count).sum();
        }
        triage
    }

    fn today() -> Date {
        Date::from_ordinal_date(2026, 60).unwrap()
    }

    fn statuses(triage: &Triage) -> Vec<(&str, GroupStatus)> {
        let mut statuses: Vec<_> =
            triage.groups.iter().map(|group| (group.id.as_str(), group.status)).collect();
        statuses.sort();
        statuses
    }

    #[test]
    fn what_was_met_is_known_from_then_on() {
        let mut first = run(&[&[("v1:a", 2), ("v1:b", 1)], &[("v1:c", 1)]]);
        let baseline = Baseline::default().updated(&first, today(), false);
        Baseline::default().apply(&mut first);
        assert_eq!(statuses(&first), [("v1:a", GroupStatus::New), ("v1:c", GroupStatus::New)]);
        // It is met as a variant that is more frequent now, beside one that was not met before.
        let mut second = run(&[&[("v1:x", 5), ("v1:b", 3)], &[("v1:d", 9)]]);
        baseline.apply(&mut second);
        assert_eq!(statuses(&second), [("v1:a", GroupStatus::Known), ("v1:d", GroupStatus::New)]);
        assert_eq!((second.groups[0].id.as_str(), second.totals.new_groups), ("v1:d", 1));
        let updated = baseline.updated(&second, today(), false);
        let ids: Vec<_> = updated.groups().iter().map(|known| known.all().collect::<Vec<_>>()).collect();
        assert_eq!(ids, [vec!["v1:a", "v1:b", "v1:x"], vec!["v1:c"], vec!["v1:d"]]);
        let pruned = baseline.updated(&second, today(), true);
        assert_eq!(
            pruned.groups().iter().map(|known| known.id.as_str()).collect::<Vec<_>>(),
            ["v1:a", "v1:d"]
        );
    }

    #[test]
    fn groups_that_were_one_share_what_is_known_but_not_the_id() {
        let baseline = Baseline::default().updated(&run(&[&[("v1:a", 2), ("v1:b", 1)]]), today(), false);
        let mut split = run(&[&[("v1:y", 1), ("v1:a", 1)], &[("v1:b", 4)]]);
        baseline.apply(&mut split);
        assert_eq!(statuses(&split), [("v1:a", GroupStatus::Known), ("v1:y", GroupStatus::Known)]);
    }

    #[test]
    fn what_came_back_stays_so() {
        let mut triage = run(&[&[("v1:a", 1)]]);
        let baseline = Baseline::default().updated(&triage, today(), false);
        triage.groups[0].status = GroupStatus::Regressed;
        baseline.apply(&mut triage);
        assert_eq!(triage.groups[0].status, GroupStatus::Regressed);
    }

    #[test]
    fn what_is_ignored_does_not_become_known() {
        let mut triage = run(&[&[("v1:a", 1)]]);
        triage.groups[0].verdict.ignored = true;
        assert_eq!(Baseline::default().updated(&triage, today(), false).groups(), []);
    }

    #[test]
    fn fingerprints_of_another_version_are_told() {
        let old = Baseline::default().updated(&run(&[&[("v0:a", 1)]]), today(), false);
        let mut triage = run(&[&[("v1:a", 1)]]);
        old.apply(&mut triage);
        assert_eq!((triage.groups[0].status, triage.warnings.len()), (GroupStatus::New, 1));
        assert!(triage.warnings[0].contains("baseline update"));
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut baseline = Baseline::default().updated(&run(&[&[("v1:a", 2), ("v1:b", 1)]]), today(), false);
        baseline.groups[0].title = "KeyError: '\u{202e}\n\"- x: [' # no".to_owned();
        baseline.groups[0].note = Some("yes".to_owned());
        for name in ["known.yaml", "known.json", "link"] {
            let path = folder.path().join(name);
            if name == "link" {
                std::os::unix::fs::symlink("known.yaml", &path).unwrap();
            }
            baseline.write(&path).unwrap();
            assert_eq!(Baseline::read(&path).unwrap(), baseline, "{name}");
        }
        assert!(folder.path().join("link").is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside them");
        let json = std::fs::read(folder.path().join("known.json")).unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
    }

    #[test]
    fn other_files_are_refused_and_nothing_is_lost() {
        for (text, says) in [
            ("schema: pycore.baseline/2\ngroups: []\n", "pycore.baseline/2"),
            ("schema: pycore.baseline/1\ngroups: [{id: a}]\n", "missing field `title`"),
            ("schema: pycore.baseline/1\ngroups: []\nmore: 1\n", "unknown field `more`"),
            ("[]", "invalid type"),
        ] {
            let error = Baseline::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none/known.yaml");
        assert!(Baseline::default().write(&missing).is_err() && Baseline::read(&missing).is_err());
    }
}
