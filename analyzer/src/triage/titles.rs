//! What a group is called.

use super::fingerprint::{Shape, Stack};
use super::normalise::UNKNOWN;
use crate::report::{Crash, ExceptionRole, FingerprintPart};

/// The longest title, in characters.
const LONGEST: usize = 200;

/// What a crash is, in one line: `ValueError in app.models.User.save`, `SIGSEGV in numpy.dot`.
pub(super) fn title(crash: &Crash, shape: &Shape) -> String {
    let raised = place(&shape.raised).or_else(|| place(&shape.stack));
    let died = place(&shape.stack).or_else(|| place(&shape.raised)).or_else(|| native(shape));
    let at = |place: Option<String>| place.map(|place| format!(" in {place}")).unwrap_or_default();
    let exception = shape.exception.as_ref().map(|(name, _)| name.as_str()).zip(crash.exceptions.first());
    let of_its_own = matches!(crash.category.as_str(), "crash");
    let title = match exception {
        Some((name, exception)) if of_its_own => {
            let during = match exception.role {
                ExceptionRole::Raising => "raising",
                ExceptionRole::Handling => "handling",
                ExceptionRole::Cause | ExceptionRole::Context | ExceptionRole::Last => "after",
            };
            format!("{}{}, {during} {name}", shape.signal, at(died))
        }
        Some((name, _)) if crash.signal.is_some() => format!("{name}{} ({})", at(raised), shape.signal),
        Some((name, _)) => format!("{name}{}", at(raised)),
        None if shape.stack.app.deep_at.is_some() || shape.stack.library.deep_at.is_some() => {
            format!("{}{}, deep in recursion", shape.signal, at(died))
        }
        None => format!("{}{}", shape.signal, at(died)),
    };
    title.replace(&format!("{UNKNOWN}."), "").chars().take(LONGEST).collect()
}

/// The innermost function of the program's own; of Python's library where there is none.
fn place(stack: &Stack) -> Option<String> {
    let first = stack.app.parts.first().or_else(|| stack.library.parts.first())?;
    Some(first.value.clone())
}

fn native(shape: &Shape) -> Option<String> {
    let values: Vec<&str> = shape.native().iter().map(|part: &FingerprintPart| part.value.as_str()).collect();
    (!values.is_empty()).then(|| values.join(" of "))
}
