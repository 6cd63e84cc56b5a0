//! The comparison of values.

use crate::compare::{Comparison, Mismatch, field, list};
use crate::truth::{Numpy, Value};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// How a value fared.
enum Verdict {
    Right,
    Noted,
    Wrong,
}

/// Compares type, address, repr and, where the truth has them, attributes.
pub(crate) fn compare_value(c: &mut Comparison, path: &str, expected: &Value, actual: &Json) {
    let before = c.mismatches.len();
    if !field(actual, "address").is_null() {
        c.expect(path, actual, "address", expected.address.as_str());
    }
    let repr = field(actual, "repr").as_str().unwrap_or("");
    let is_noted = field(actual, "note").as_str().is_some_and(|note| !note.is_empty())
        || *field(actual, "truncated") == Json::Bool(true);
    // A type whose name is in no memory at hand is not guessed.
    if !(is_noted && *field(actual, "type") == "?") {
        c.expect(path, actual, "type", expected.type_name.as_str());
    }
    let difference = || Mismatch {
        path: format!("{path}.repr"),
        expected: expected.repr.clone(),
        actual: repr.to_owned(),
    };
    let is_described = || expected.numpy.as_ref().is_some_and(|numpy| describes(actual, numpy));
    let verdict = if is_accepted(expected, repr) || is_noted && is_described() {
        Verdict::Right
    } else if is_noted {
        c.noted.push(difference());
        Verdict::Noted
    } else {
        c.mismatches.push(difference());
        Verdict::Wrong
    };
    compare_attributes(c, path, expected, actual);
    let verdict = if c.mismatches.len() > before { Verdict::Wrong } else { verdict };
    let is_beyond = expected.opaque || expected.unlisted;
    if !is_beyond {
        let share = c.types.entry(expected.type_name.clone()).or_default();
        share.right += usize::from(matches!(verdict, Verdict::Right));
        share.all += 1;
    }
    match verdict {
        Verdict::Wrong => c.tally.values_wrong += 1,
        Verdict::Right if is_beyond => c.tally.beyond_right += 1,
        Verdict::Noted if is_beyond => c.tally.beyond_noted += 1,
        Verdict::Right => c.tally.values_right += 1,
        Verdict::Noted => c.tally.values_noted += 1,
    }
}

fn is_accepted(expected: &Value, repr: &str) -> bool {
    repr == expected.repr || expected.accept.iter().any(|one| one == repr)
}

/// numpy's repr lays arrays out; a plainer one will do that has the dtype, the shape and the first items.
fn describes(actual: &Json, numpy: &Numpy) -> bool {
    let text = actual.to_string();
    let shape: Vec<String> = numpy.shape.iter().map(u64::to_string).collect();
    let mut from = 0;
    text.contains(&numpy.dtype)
        && (shape.is_empty() || text.contains(&shape.join(", ")))
        && numpy.first.iter().all(|item| match text[from..].find(item.as_str()) {
            Some(at) => {
                from += at + item.len();
                true
            }
            None => false,
        })
}

/// The attributes are compared by name, all of them; an object without any may be shown with parts of its own.
fn compare_attributes(c: &mut Comparison, path: &str, expected: &Value, actual: &Json) {
    let Some(attributes) = expected.attributes.as_ref().filter(|attributes| !attributes.is_empty()) else {
        return;
    };
    let found: Vec<&Json> =
        list(actual, "children").iter().filter(|child| *field(child, "kind") == "attribute").collect();
    let names: BTreeSet<&str> = found.iter().filter_map(|child| field(child, "name").as_str()).collect();
    let wanted: BTreeSet<&str> = attributes.keys().map(String::as_str).collect();
    if names != wanted {
        let missing: Vec<_> = wanted.difference(&names).collect();
        let extra: Vec<_> = names.difference(&wanted).collect();
        c.differ(format!("{path}.children"), format!("also {missing:?}"), format!("also {extra:?}"));
    }
    for child in found {
        let name = field(child, "name").as_str().unwrap_or("");
        if let Some(expected) = attributes.get(name) {
            compare_value(c, &format!("{path}.children.{name}"), expected, field(child, "value"));
        }
    }
}
