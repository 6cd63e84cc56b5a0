//! What differs among the dumps of a group.

use crate::report::{Counted, Crash, Difference, Entry, file_name};
use std::collections::HashMap;

/// The most values of one difference that are shown.
const MOST: usize = 5;
/// The longest value, in characters.
const LONGEST: usize = 200;

/// Values with how often they are there, the most frequent first.
pub(super) fn counted(values: impl Iterator<Item = String>) -> Vec<Counted> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let mut counted: Vec<Counted> =
        counts.into_iter().map(|(value, count)| Counted { value, count }).collect();
    counted.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.value.cmp(&other.value)));
    counted
}

/// What is told of a crash, by name.
type Trait = (&'static str, fn(&Crash) -> Option<String>);

const TRAITS: [Trait; 13] = [
    ("python", |crash| crash.python.clone()),
    ("arch", |crash| Some(crash.arch.clone())),
    ("os", |crash| crash.os.clone()),
    ("format", |crash| Some(crash.format.clone())),
    ("executable", |crash| crash.executable.clone()),
    ("program", |crash| crash.program.clone()),
    ("message", |crash| crash.exceptions.first().and_then(|exception| exception.message.clone())),
    ("line", line),
    ("file", |crash| crash.frames.first().and_then(|frame| frame.file.clone())),
    ("thread", |crash| crash.thread.clone()),
    ("fault address", |crash| crash.fault_address.clone()),
    ("native module", |crash| crash.native_module.clone()),
    ("holds the GIL", |crash| crash.holds_gil.map(|holds| if holds { "yes" } else { "no" }.to_owned())),
];

fn line(crash: &Crash) -> Option<String> {
    let frame = crash.frames.first()?;
    Some(format!("{}:{}", file_name(frame.file.as_deref()?), frame.line?))
}

/// What differs among these crashes: what has more than one value, also where one has it and another has not.
pub(super) fn differences(members: &[(&Entry, &Crash)]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (what, value_of) in TRAITS {
        let values = members.iter().filter_map(|(_, crash)| value_of(crash));
        let mut values = counted(values.map(|value| value.chars().take(LONGEST).collect()));
        let known: usize = values.iter().map(|value| value.count).sum();
        if values.len() > 1 || (values.len() == 1 && known < members.len() && what == "message") {
            let more = values.len().saturating_sub(MOST);
            values.truncate(MOST);
            found.push(Difference { what: what.to_owned(), values, more });
        }
    }
    found
}
