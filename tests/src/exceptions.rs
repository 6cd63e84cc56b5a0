//! The comparison of exceptions, through causes, contexts and groups.

use crate::compare::{Comparison, compare_frames, field, list, thread_path};
use crate::truth::Truth;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// The contract between the truth, which has each exception once, and the report, which nests them.
struct Comparer<'a> {
    truth: &'a Truth,
    /// The exceptions that the report shows whole somewhere: another mention may refer to them with a note.
    whole: BTreeSet<&'a str>,
    /// The exceptions being compared, outermost first: one of them again is a cycle.
    open: Vec<&'a str>,
}

/// Compares what each thread handles and raises, and `sys.last_exc`.
pub(crate) fn compare_exceptions(c: &mut Comparison, truth: &Truth, report: &Json) {
    let mut comparer = Comparer { truth, whole: BTreeSet::new(), open: Vec::new() };
    for thread in list(report, "threads") {
        let exceptions = field(thread, "exceptions");
        list(exceptions, "handling").iter().for_each(|one| comparer.note_whole(one));
        comparer.note_whole(field(exceptions, "raising"));
    }
    for task in list(report, "tasks") {
        comparer.note_whole(field(task, "exception"));
    }
    let interpreter = list(field(report, "python"), "interpreters").first().unwrap_or(&Json::Null);
    comparer.note_whole(field(interpreter, "last_exception"));

    for thread in &truth.threads {
        let found =
            list(report, "threads").iter().find(|one| field(one, "tid").as_u64() == Some(thread.tid.into()));
        let Some(exceptions) = found.map(|found| field(found, "exceptions")) else { continue };
        let path = thread_path(thread);
        comparer.compare(
            c,
            &format!("{path}.exceptions.raising"),
            thread.raising.as_deref(),
            field(exceptions, "raising"),
        );
        let Some(handling) = &thread.handling else { continue };
        let actual = list(exceptions, "handling");
        if thread.handling_whole && handling.len() != actual.len() {
            c.differ(
                format!("{path}.exceptions.handling"),
                format!("{} exceptions: {}", handling.len(), handling.join(" ")),
                format!("{} exceptions: {}", actual.len(), addresses(actual)),
            );
        }
        for (index, address) in handling.iter().enumerate() {
            let one = actual.get(index).unwrap_or(&Json::Null);
            comparer.compare(c, &format!("{path}.exceptions.handling[{index}]"), Some(address), one);
        }
    }
    for task in truth.tasks.iter().flatten() {
        if let Some(found) = list(report, "tasks").iter().find(|one| *field(one, "address") == task.address) {
            let path = format!("tasks[{}].exception", task.address);
            comparer.compare(c, &path, task.exception.as_deref(), field(found, "exception"));
        }
    }
    comparer.compare(
        c,
        "python.interpreters[0].last_exception",
        truth.last_exception.as_deref(),
        field(interpreter, "last_exception"),
    );
}

fn addresses(exceptions: &[Json]) -> String {
    let found: Vec<&str> =
        exceptions.iter().map(|one| field(one, "address").as_str().unwrap_or("?")).collect();
    found.join(" ")
}

impl<'a> Comparer<'a> {
    fn note_whole(&mut self, exception: &'a Json) {
        if let (Some(address), true) =
            (field(exception, "address").as_str(), field(exception, "note").is_null())
        {
            self.whole.insert(address);
        }
        for name in ["cause", "context"] {
            if !field(exception, name).is_null() {
                self.note_whole(field(exception, name));
            }
        }
        list(exception, "exceptions").iter().for_each(|one| self.note_whole(one));
    }

    fn compare(&mut self, c: &mut Comparison, path: &str, address: Option<&'a str>, actual: &Json) {
        let Some(address) = address else {
            if !actual.is_null() {
                c.differ(path.to_owned(), "null", actual.to_string());
            }
            return;
        };
        let Some(expected) = self.truth.exceptions.get(address) else {
            c.differ(path.to_owned(), format!("{address} in the truth's exceptions"), "not there");
            return;
        };
        c.tally.exceptions += 1;
        if actual.is_null() {
            c.differ(path.to_owned(), format!("{} at {address}", expected.type_name), "null");
            return;
        }
        let same = c.expect(path, actual, "address", address);
        if !(c.expect(path, actual, "type", expected.type_name.as_str()) && same) {
            return;
        }
        let is_open = self.open.contains(&address);
        let is_noted = field(actual, "note").is_string();
        if is_open && !is_noted {
            c.differ(format!("{path}.note"), "that it is shown further out", "null");
        }
        if is_open || is_noted && self.whole.contains(address) {
            return;
        }
        let message = field(actual, "message");
        let is_right = match message.as_str() {
            Some(text) => text == expected.message || expected.accept.iter().any(|one| one == text),
            None => expected.message_opaque,
        };
        if !is_right {
            c.differ(format!("{path}.message"), format!("{:?}", expected.message), message.to_string());
        }
        if field(actual, "notes").as_array().is_none_or(|notes| *notes != expected.notes) {
            c.differ(
                format!("{path}.notes"),
                format!("{:?}", expected.notes),
                field(actual, "notes").to_string(),
            );
        }
        c.expect(path, actual, "suppress_context", expected.suppress_context);
        compare_frames(c, &format!("{path}.traceback"), &expected.traceback, list(actual, "traceback"));
        self.open.push(address);
        self.compare(c, &format!("{path}.cause"), expected.cause.as_deref(), field(actual, "cause"));
        self.compare(c, &format!("{path}.context"), expected.context.as_deref(), field(actual, "context"));
        let members = list(actual, "exceptions");
        if members.len() != expected.exceptions.len() {
            c.differ(
                format!("{path}.exceptions"),
                expected.exceptions.len().to_string(),
                members.len().to_string(),
            );
        }
        for (index, (member, actual)) in expected.exceptions.iter().zip(members).enumerate() {
            self.compare(c, &format!("{path}.exceptions[{index}]"), Some(member), actual);
        }
        self.open.pop();
    }
}
