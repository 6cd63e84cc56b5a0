//! Rules in YAML: what groups are, whose they are, how bad they are, and which to ignore.

mod file;
mod matching;
mod pattern;
mod place;
mod test;
#[cfg(test)]
mod tests;

use super::FrameRules;
use crate::report::{Group, Triage};
use file::{Condition, File, Frame, Frames, Rule, Settings};
use place::Step;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::path::Path;
use time::Date;

/// The rules that pycore brings, as a file to start from.
pub const STARTER: &str = include_str!("../../../rules/starter.yaml");

/// The largest file of rules, in bytes.
const FILE_LIMIT: u64 = 4 << 20;
/// How many problems of a file are told.
const PROBLEMS: usize = 20;
/// The longest label, in characters.
const LABEL_LIMIT: usize = 100;

/// Rules, read and checked.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    frames: FrameRules,
}

/// Why rules cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesError {
    /// The file, as it was given.
    pub file: String,
    /// What is wrong, where.
    pub problems: Vec<Problem>,
}

/// Something wrong with a file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line and the column, from 1 on, where it is at one.
    pub place: Option<(usize, usize)>,
    /// What it is.
    pub message: String,
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Problem { place, message }) in self.problems.iter().enumerate() {
            let newline = if at > 0 { "\n" } else { "" };
            match place {
                Some((line, column)) => write!(f, "{newline}{}:{line}:{column}: {message}", self.file)?,
                None => write!(f, "{newline}{}: {message}", self.file)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for RulesError {}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// When it cannot be read, is not YAML, or does not say what rules may say; with lines and columns.
    pub fn read(path: &Path) -> Result<Self, RulesError> {
        let file = path.display().to_string();
        let failed =
            |message| RulesError { file: file.clone(), problems: vec![Problem { place: None, message }] };
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > FILE_LIMIT {
            return Err(failed(format!("larger than {FILE_LIMIT} bytes")));
        }
        let yaml = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&yaml).map_err(|problems| RulesError { file, problems })
    }

    /// Reads rules from YAML.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(yaml: &str) -> Result<Self, Vec<Problem>> {
        let file: File = serde_yaml::from_str(yaml).map_err(|error| vec![syntax(&error)])?;
        let mut wrong = check(&file);
        if !wrong.is_empty() {
            wrong.truncate(PROBLEMS);
            let problem = |(path, message): (Vec<Step>, String)| Problem {
                place: place::place(yaml, &path),
                message: format!("{}: {message}", place::joined(&path)),
            };
            return Err(wrong.into_iter().map(problem).collect());
        }
        let mut rules = if file.starter { Self::parse(STARTER)?.rules } else { Vec::new() };
        rules.extend(file.rules);
        Ok(Self { rules, frames: FrameRules { in_app: file.in_app.0, skip: file.skip.0 } })
    }

    /// The JSON Schema of files of rules.
    #[must_use]
    pub fn schema() -> Schema {
        SchemaSettings::default().for_deserialize().into_generator().into_root_schema_for::<File>()
    }

    /// How many rules there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rules.len()
    }

    /// What they say of frames.
    #[must_use]
    pub fn frames(&self) -> &FrameRules {
        &self.frames
    }

    /// Whether any looks at variables, so that entries must have them.
    #[must_use]
    pub fn wants_locals(&self) -> bool {
        let of_frames =
            |frames: &Frames| frames.0.iter().any(|Frame { details, .. }| details.local.is_some());
        let mut conditions: Vec<&Condition> = self.rules.iter().map(|rule| &rule.when).collect();
        while let Some(condition) = conditions.pop() {
            if condition.local.is_some() || condition.frame.as_ref().is_some_and(of_frames) {
                return true;
            }
            conditions.extend(parts(condition).map(|(_, part)| part));
        }
        false
    }

    /// Says of each group of `triage` what the rules say of it on the day `today`, in UTC.
    pub fn apply(&self, triage: &mut Triage, today: Date) {
        let mut over = BTreeMap::new();
        for group in &mut triage.groups {
            for rule in &self.rules {
                if matching::condition(&rule.when, group) {
                    say(rule, group, today, &mut over);
                }
            }
        }
        triage.warnings.extend(over.into_iter().map(|(name, day)| {
            format!("the rule {name:?} ignored groups of this run until {day}; they are no longer ignored")
        }));
        super::settle(triage);
    }
}

/// Adds what `rule` says to the verdict of `group`.
fn say<'a>(rule: &'a Rule, group: &mut Group, today: Date, over: &mut BTreeMap<&'a str, Date>) {
    let Settings { severity, labels, owner, link, note, ignore, ignore_until } = &rule.set;
    let verdict = &mut group.verdict;
    verdict.rules.push(rule.name.clone());
    verdict.severity = severity.or(verdict.severity);
    let all: BTreeSet<String> = verdict.labels.drain(..).chain(labels.0.iter().cloned()).collect();
    verdict.labels = all.into_iter().collect();
    if !owner.0.is_empty() {
        verdict.owners.clone_from(&owner.0);
    }
    verdict.link = link.clone().or_else(|| verdict.link.take());
    verdict.note = note.clone().or_else(|| verdict.note.take());
    if let Some(ignore) = *ignore {
        (verdict.ignored, verdict.ignored_until) = (ignore, None);
    }
    if let Some(until) = ignore_until {
        let ignored = today <= until.0;
        (verdict.ignored, verdict.ignored_until) = (ignored, ignored.then(|| until.0.to_string()));
        if !ignored {
            over.insert(&rule.name, until.0);
        }
    }
}

/// An error of serde_yaml, which ends with the place where it was.
fn syntax(error: &serde_yaml::Error) -> Problem {
    let text = error.to_string();
    let place = error.location().map(|location| (location.line(), location.column()));
    let message = match place {
        Some((line, column)) => text.replace(&format!(" at line {line} column {column}"), ""),
        None => text,
    };
    Problem { place, message }
}

/// The conditions in a condition, and the way to them.
fn parts(condition: &Condition) -> impl Iterator<Item = (Vec<Step>, &Condition)> {
    let lists = [("any", &condition.any), ("all", &condition.all)];
    let lists = lists.into_iter().flat_map(|(key, list)| {
        let list = list.iter().flatten().enumerate();
        list.map(move |(at, part)| (vec![Step::Key(key), Step::Index(at)], part))
    });
    lists.chain(condition.not.as_deref().map(|part| (vec![Step::Key("not")], part)))
}

/// What is wrong with a file that is what it has to be by its types, and where.
fn check(file: &File) -> Vec<(Vec<Step>, String)> {
    let mut wrong = Vec::new();
    if file.version != 1 {
        let message = format!("version {} is not known; this pycore knows 1", file.version);
        wrong.push((vec![Step::Key("version")], message));
    }
    for (key, prefixes) in [("in_app", &file.in_app), ("skip", &file.skip)] {
        for (at, prefix) in prefixes.0.iter().enumerate() {
            if prefix.trim_matches(['.', '/', ' ']).is_empty() || prefix.contains(['*', '?', '[']) {
                let message = format!(
                    "{prefix:?} is no name of a module or function, nor a folder; globs are not meant here"
                );
                wrong.push((vec![Step::Key(key), Step::Index(at)], message));
            }
        }
    }
    let mut names = HashSet::new();
    for (at, rule) in file.rules.iter().enumerate() {
        let to = |steps: &[Step]| [&[Step::Key("rules"), Step::Index(at)], steps].concat();
        if rule.name.trim().is_empty() {
            wrong.push((to(&[Step::Key("name")]), "a rule needs a name".to_owned()));
        } else if !names.insert(rule.name.as_str()) {
            wrong.push((to(&[Step::Key("name")]), format!("another rule is called {:?}, too", rule.name)));
        }
        check_condition(&rule.when, to(&[Step::Key("when")]), &mut wrong);
        for (steps, message) in check_settings(&rule.set, file.labels.as_ref()) {
            let steps = [&[Step::Key("set")], steps.as_slice()].concat();
            wrong.push((to(&steps), message));
        }
    }
    wrong
}

fn check_condition(condition: &Condition, path: Vec<Step>, wrong: &mut Vec<(Vec<Step>, String)>) {
    if condition.is_empty() {
        let message = "an empty condition would be true of all groups; for that, say `count: \">= 1\"`";
        wrong.push((path, message.to_owned()));
        return;
    }
    for (key, list) in [("any", &condition.any), ("all", &condition.all)] {
        if list.as_ref().is_some_and(Vec::is_empty) {
            wrong.push(([path.as_slice(), &[Step::Key(key)]].concat(), "an empty list".to_owned()));
        }
    }
    for (steps, part) in parts(condition) {
        check_condition(part, [path.as_slice(), &steps].concat(), wrong);
    }
}

fn check_settings(set: &Settings, known: Option<&BTreeMap<String, String>>) -> Vec<(Vec<Step>, String)> {
    let mut wrong = Vec::new();
    if *set == Settings::default() {
        wrong.push((vec![], "it sets nothing".to_owned()));
    }
    for (at, label) in set.labels.0.iter().enumerate() {
        let problem = if label.trim().is_empty() || label.chars().any(char::is_control) {
            Some("a label needs a name of one line".to_owned())
        } else if label.chars().count() > LABEL_LIMIT {
            Some(format!("a label has no more than {LABEL_LIMIT} characters"))
        } else {
            known.filter(|known| !known.contains_key(label)).map(|known| unknown_label(label, known))
        };
        wrong.extend(problem.map(|problem| (vec![Step::Key("labels"), Step::Index(at)], problem)));
    }
    for (at, owner) in set.owner.0.iter().enumerate() {
        if owner.trim().is_empty() || owner.chars().any(char::is_control) {
            let message = "an owner needs a name of one line".to_owned();
            wrong.push((vec![Step::Key("owner"), Step::Index(at)], message));
        }
    }
    if let Some(link) = &set.link {
        let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        if rest.is_none_or(|rest| {
            rest.is_empty() || rest.contains(|c: char| c.is_whitespace() || c.is_control())
        }) {
            wrong.push((vec![Step::Key("link")], format!("{link:?} is no https or http URL")));
        }
    }
    if set.ignore == Some(false) && set.ignore_until.is_some() {
        let message = "with `ignore: false` it would say both".to_owned();
        wrong.push((vec![Step::Key("ignore_until")], message));
    }
    wrong
}

fn unknown_label(label: &str, known: &BTreeMap<String, String>) -> String {
    let nearest =
        known.keys().max_by(|a, b| strsim::jaro_winkler(a, label).total_cmp(&strsim::jaro_winkler(b, label)));
    let nearest = nearest.filter(|nearest| strsim::jaro_winkler(nearest, label) > 0.7);
    let meant = nearest.map(|nearest| format!("; {nearest:?} is")).unwrap_or_default();
    format!("the label {label:?} is not among the `labels` of this file{meant}")
}
