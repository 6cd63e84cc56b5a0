//! The comparison of what threads do not show: tasks and generators.

use crate::compare::{Comparison, compare_frames, field, is_gap, list};
use crate::truth::{Generator, Greenlet, Task, Truth};
use crate::values::compare_value;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Compares the tasks and generators that the program wrote down: each of them, and no other.
pub(crate) fn compare_suspended(c: &mut Comparison, truth: &Truth, report: &Json) {
    if let Some(tasks) = &truth.tasks {
        for (task, found) in pairs(c, report, "tasks", tasks, |task| &task.address) {
            compare_task(c, task, found);
        }
    }
    if let Some(generators) = &truth.generators {
        for (generator, found) in pairs(c, report, "generators", generators, |generator| &generator.address) {
            compare_generator(c, generators, generator, found);
        }
    }
    if let Some(greenlets) = &truth.greenlets {
        for (greenlet, found) in pairs(c, report, "greenlets", greenlets, |greenlet| &greenlet.address) {
            compare_greenlet(c, report, greenlet, found);
        }
    }
}

/// What both sides have, by address; the rest is a difference.
fn pairs<'t, 'r, T>(
    c: &mut Comparison,
    report: &'r Json,
    name: &str,
    expected: &'t [T],
    address: impl Fn(&T) -> &String,
) -> Vec<(&'t T, &'r Json)> {
    let found = list(report, name);
    let wanted: BTreeSet<&str> = expected.iter().map(|one| address(one).as_str()).collect();
    let actual: BTreeSet<&str> = found.iter().filter_map(|one| field(one, "address").as_str()).collect();
    if wanted != actual || actual.len() != found.len() {
        let missing: Vec<_> = wanted.difference(&actual).collect();
        let extra: Vec<_> = actual.difference(&wanted).collect();
        c.differ(name.to_owned(), format!("also {missing:?}"), format!("also {extra:?}, {}", found.len()));
    }
    let of = |one: &T| found.iter().find(|found| *field(found, "address") == *address(one));
    expected.iter().filter_map(|one| Some((one, of(one)?))).collect()
}

fn compare_task(c: &mut Comparison, task: &Task, found: &Json) {
    let path = format!("tasks[{} {:?}]", task.address, task.name.as_deref().unwrap_or_default());
    c.expect(&path, found, "type", task.type_name.as_str());
    c.expect(&path, found, "name", task.name.clone());
    c.expect(&path, found, "state", task.state.as_str());
    c.expect(&path, found, "running", task.running);
    c.expect(&path, found, "must_cancel", task.must_cancel);
    c.expect(&path, found, "cancel_requests", task.cancel_requests);
    c.expect(&path, found, "coroutine", task.coroutine.clone());
    c.expect(&path, found, "loop", task.event_loop.as_str());
    c.expect(&path, found, "thread", task.thread);
    let awaits = list(found, "awaits");
    let waiter = task.waiter.as_deref().map(|waiter| json!(waiter));
    if waiter.is_some() && awaits.first() != waiter.as_ref() {
        c.differ(format!("{path}.awaits[0]"), format!("{waiter:?}"), format!("{awaits:?}"));
    }
    let behind = awaits.get(usize::from(waiter.is_some())..).unwrap_or_default();
    compare_addresses(c, format!("{path}.awaits"), &task.awaits, behind);
    compare_addresses(c, format!("{path}.awaited_by"), &task.awaited_by, list(found, "awaited_by"));
    compare_frames(c, &format!("{path}.stack"), &task.frames, list(found, "stack"));
    match &task.result {
        Some(result) => compare_value(c, &format!("{path}.result"), result, field(found, "result")),
        None if field(found, "result").is_null() => {}
        None => c.differ(format!("{path}.result"), "null", field(found, "result").to_string()),
    }
}

fn compare_addresses(c: &mut Comparison, path: String, expected: &[String], actual: &[Json]) {
    let wanted: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    let found: BTreeSet<&str> = actual.iter().filter_map(Json::as_str).collect();
    if wanted != found || found.len() != actual.len() {
        c.differ(path, format!("{wanted:?}"), format!("{actual:?}"));
    }
}

fn compare_generator(c: &mut Comparison, all: &[Generator], generator: &Generator, found: &Json) {
    let path = format!("generators[{} {}]", generator.address, generator.name);
    c.expect(&path, found, "kind", generator.kind.as_str());
    c.expect(&path, found, "name", generator.name.as_str());
    c.expect(&path, found, "state", generator.state.as_str());
    let awaits: Vec<String> = generator.delegate.iter().cloned().collect();
    compare_addresses(c, format!("{path}.awaits"), &awaits, list(found, "awaits"));
    let awaited_by: Vec<String> = all
        .iter()
        .filter(|other| other.delegate.as_deref() == Some(&generator.address))
        .map(|other| other.address.clone())
        .collect();
    compare_addresses(c, format!("{path}.awaited_by"), &awaited_by, list(found, "awaited_by"));
    compare_frames(c, &format!("{path}.stack"), &generator.frames, list(found, "stack"));
}

fn compare_greenlet(c: &mut Comparison, report: &Json, greenlet: &Greenlet, found: &Json) {
    let path = format!("greenlets[{} {:?}]", greenlet.address, greenlet.name.as_deref().unwrap_or_default());
    // The name of a C type may be missing, and the report says so.
    let is_nameless = *field(found, "type") == "?"
        && is_gap(report, &format!("the type of the greenlet at {}", greenlet.address));
    if !is_nameless {
        c.expect(&path, found, "type", greenlet.type_name.as_str());
    }
    c.expect(&path, found, "name", greenlet.name.clone());
    c.expect(&path, found, "state", greenlet.state.as_str());
    c.expect(&path, found, "main", greenlet.main);
    c.expect(&path, found, "parent", greenlet.parent.clone());
    if greenlet.thread.is_some() {
        c.expect(&path, found, "thread", greenlet.thread);
    }
    compare_frames(c, &format!("{path}.stack"), &greenlet.frames, list(found, "stack"));
}
